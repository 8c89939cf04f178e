"""Write names of other scripts in plain Latin letters (standard library only).

One function per script.  Each takes one name and returns it in ASCII with a capital letter,
or, where a sign is not in its table, an empty string (kana, hangul).
"""

import re
import unicodedata

# Letters that have no decomposition into a plain letter and an accent, and odd punctuation.
LATIN_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe",
        "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i", "ħ": "h",
        "’": "'", "‘": "'", "`": "'", "´": "'", "ʻ": "'", "ʼ": "'", "ʿ": "'", "ʾ": "'",
        "–": "-", "‐": "-", "‑": "-", "\u00a0": " ",
    }
)  # fmt: skip

# Russian: BGN/PCGN, simplified the way names are usually printed (no soft and hard sign).
CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya".split(),
        strict=True,
    )
)

# Greek: ELOT 743 without the accents.
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψωςϊϋ",
        "a v g d e z i th i k l m n x o p r s t y f ch ps o s i y".split(),
        strict=True,
    )
)
GREEK_AT_THE_START = {"μπ": "b", "ντ": "d", "γκ": "g"}
GREEK_DIGRAPHS = {
    "μπ": "mp", "γγ": "ng", "γξ": "nx", "γχ": "nch", "γκ": "gk", "ου": "ou",
}  # fmt: skip

# Japanese: Hepburn, long vowels not marked.
KANA_ROWS = (
    ("あ い う え お", "a i u e o"),
    ("か き く け こ", "ka ki ku ke ko"),
    ("が ぎ ぐ げ ご", "ga gi gu ge go"),
    ("さ し す せ そ", "sa shi su se so"),
    ("ざ じ ず ぜ ぞ", "za ji zu ze zo"),
    ("た ち つ て と", "ta chi tsu te to"),
    ("だ ぢ づ で ど", "da ji zu de do"),
    ("な に ぬ ね の", "na ni nu ne no"),
    ("は ひ ふ へ ほ", "ha hi fu he ho"),
    ("ば び ぶ べ ぼ", "ba bi bu be bo"),
    ("ぱ ぴ ぷ ぺ ぽ", "pa pi pu pe po"),
    ("ま み む め も", "ma mi mu me mo"),
    ("や ゆ よ", "ya yu yo"),
    ("ら り る れ ろ", "ra ri ru re ro"),
    ("わ ゐ ゑ を ん", "wa i e o n"),
)
KANA_PALATALS = {
    "き": "ky", "ぎ": "gy", "し": "sh", "じ": "j", "ち": "ch", "に": "ny",
    "ひ": "hy", "び": "by", "ぴ": "py", "み": "my", "り": "ry",
}  # fmt: skip

# Korean: Revised Romanisation, one syllable at a time, as surnames are written.
HANGUL_INITIALS = "g kk n d tt r m b pp s ss _ j jj ch k t p h".split()
HANGUL_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()
HANGUL_FINALS = "_ k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split()
FIRST_HANGUL_SYLLABLE = 0xAC00
HANGUL_SYLLABLES = 11172


def capitalise(name: str) -> str:
    """A capital letter at the start of every word and after every hyphen."""
    return re.sub(r"(^|[\s-])([a-z])", lambda match: match[1] + match[2].upper(), name)


def strip_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def latin(name: str) -> str:
    """Latin letters without accents; umlauts lose their dots, sharp s becomes ss."""
    return strip_accents(name.translate(LATIN_LETTERS))


def russian(name: str) -> str:
    name = re.sub(r"(ый|ий)\b", "y", name.lower())  # Zhukovsky
    letters = (CYRILLIC.get(char, char) for char in name)
    return capitalise("".join(letters).replace("_", ""))


def greek(name: str) -> str:
    name = unicodedata.normalize("NFD", name.lower())
    # A diaeresis separates two vowels, so it is kept; the accents are dropped.
    name = re.sub("ι\u0301?\u0308\u0301?", "ϊ", name)
    name = re.sub("υ\u0301?\u0308\u0301?", "ϋ", name)
    name = "".join(char for char in name if unicodedata.category(char) != "Mn")
    for digraph, roman in GREEK_AT_THE_START.items():
        name = re.sub(rf"(^|[\s-]){digraph}", rf"\g<1>{roman}", name)
    for digraph, roman in GREEK_DIGRAPHS.items():
        name = name.replace(digraph, roman)
    name = re.sub("([αεη])υ(?=[αεηιουωβγδζλμνρ])", r"\1v", name)
    name = re.sub("([αεη])υ", r"\1f", name)
    return capitalise("".join(GREEK.get(char, char) for char in name))


def _kana_table() -> dict[str, str]:
    table = {}
    for signs, sounds in KANA_ROWS:
        table.update(zip(signs.split(), sounds.split(), strict=True))
    for sign, consonant in KANA_PALATALS.items():
        for small, vowel in zip("ゃゅょ", "auo", strict=True):
            table[sign + small] = consonant + vowel
    return table


KANA = _kana_table()


def kana(name: str) -> str:
    """Hiragana to Hepburn; ou, oo and yuu become a single vowel (Sato, Ota)."""
    out = ""
    position = 0
    doubled = False
    while position < len(name):
        if name[position] == "っ":
            doubled = True
            position += 1
            continue
        pair = name[position : position + 2]
        sign = pair if pair in KANA else name[position]
        if sign not in KANA:
            return ""
        sound = KANA[sign]
        if doubled:
            sound = ("t" if sound.startswith("ch") else sound[0]) + sound
            doubled = False
        out += sound
        position += len(sign)
    out = re.sub(r"((?:sh|ch|j|[kgnhbpmr]?y)u)u", r"\1", out)
    out = re.sub(r"o[uo]", "o", out)
    return capitalise(out)


def hangul(name: str) -> str:
    out = ""
    for char in name:
        index = ord(char) - FIRST_HANGUL_SYLLABLE
        if not 0 <= index < HANGUL_SYLLABLES:
            return ""
        initial, rest = divmod(index, 588)
        vowel, final = divmod(rest, 28)
        out += HANGUL_INITIALS[initial] + HANGUL_VOWELS[vowel] + HANGUL_FINALS[final]
    return capitalise(out.replace("_", ""))
