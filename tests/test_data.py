"""The alphabet, reading folders however dirty, the embedded names, and honest splits."""

import string
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn.data import Alphabet, Names, load_names, names_folder, printable, split
from minirnn.errors import DataError

ROOT = Path(__file__).parents[1]
GOOD = "Kartas\nVamvas\nAslanidis\n"


def folder(path, **lists):
    """A folder of lists, given as text or bytes."""
    path.mkdir(exist_ok=True)
    for language, content in lists.items():
        content = content if isinstance(content, bytes) else content.encode()
        (path / f"{language}.txt").write_bytes(content)
    return path


def names_of(found, language):
    k = found.languages.index(language)
    return [n for n, label in zip(found.names, found.labels, strict=True) if label == k]


def read(tmp_path, content):
    """What is kept of one dirty list (beside a good one), and the notes."""
    found = load_names(folder(tmp_path / "data", Dirty=content, Good=GOOD))
    return names_of(found, "Dirty"), found.notes


# Alphabet


def test_alphabet_is_the_tutorials_with_a_hyphen():
    alphabet = Alphabet()
    assert alphabet.characters == string.ascii_letters + " .,;'-"
    assert len(alphabet) == 58


@pytest.mark.parametrize("characters", ["", "abca"])
def test_alphabet_needs_each_character_once(characters):
    with pytest.raises(DataError, match="each of them once"):
        Alphabet(characters)


@pytest.mark.parametrize(
    "text, cleaned",
    [
        ("Müller", "Muller"), ("Mu\u0308ller", "Muller"), ("Dvořák", "Dvorak"),
        ("Ślusàrski", "Slusarski"), ("Nguyễn", "Nguyen"), ("O'Néàl", "O'Neal"),
        ("Łukasz", "Lukasz"), ("Straße", "Strasse"), ("O\u2019Neill", "O'Neill"),
        ("Saint\u2010Jean\u2013X", "Saint-Jean-X"), ("Y\u0131lmaz", "Yilmaz"), ("Bjørn", "Bjorn"),
        ("Van\xa0Gogh", "Van Gogh"), ("Đặng", "Dang"), ("Kow4lski", "Kowlski"),
        ("  Van der  Berg\t", "Van der  Berg"),
        ("Gwang\xa0", "Gwang"), ("Rafaj1", "Rafaj"), ("Saint-Jean", "Saint-Jean"), ("Дом", ""),
        ("", ""), ("\x00\x1b[31mA\u202eb", "mAb"), ("\u212bngstrom", "Angstrom"),
    ],
)  # fmt: skip
def test_clean(text, cleaned):
    assert Alphabet().clean(text) == cleaned


@pytest.mark.parametrize(
    "text, lost",
    [
        ("Kow4lski4", "4"), ("Łukasz O\u2019Neill", ""), ("Mu\u0308ller", ""), ("Дом-Dom", "Дом"),
        (" \t\xa0", ""), ("a\x1b[b", "\x1b["),
    ],
)  # fmt: skip
def test_what_clean_drops_can_be_said(text, lost):
    assert Alphabet().lost(text) == lost


def test_what_an_alphabet_has_is_never_replaced():
    alphabet = Alphabet("Łß\u2019s")
    assert alphabet.clean("Łß\u2019s") == "Łß\u2019s" and alphabet.encode("Ł")[0] == 0
    assert alphabet.clean("\u1e9e") == "" and alphabet.lost("L\u1e9e") == "L\u1e9e"


@given(st.text(max_size=50) | st.text("aZ -'\u0301\u00fc\n", max_size=20))
def test_clean_gives_what_encode_takes(text):
    alphabet = Alphabet()
    cleaned = alphabet.clean(text)
    ids = alphabet.encode(cleaned)
    assert "".join(alphabet.characters[k] for k in ids) == cleaned == cleaned.strip()
    assert alphabet.clean(cleaned) == cleaned
    assert alphabet.clean(unicodedata.normalize("NFC", text)) == cleaned


def test_a_long_text_is_read_to_its_end():
    assert Alphabet().clean("ab \u00e9" * 5000) == "ab e" * 5000
    marks = "\u0301\u0323" * 500_000  # putting them in order takes time quadratic in their number
    assert Alphabet().clean("e" + marks + "a") == "ea"


def test_encode():
    assert Alphabet("abc-").encode("c-ab").tolist() == [2, 3, 0, 1]
    assert Alphabet().encode("aZ").dtype == np.int64
    with pytest.raises(DataError, match=r"Müller has 'ü', not in the alphabet"):
        Alphabet().encode("Müller")


# Dirt, of which the good part is kept


def test_byte_order_mark_and_line_ends(tmp_path):
    text = "\ufeffAbel\r\nBaker\rCole\n\n   \n\t\r\nDunn"
    kept, notes = read(tmp_path, text)
    assert kept == ["Abel", "Baker", "Cole", "Dunn"]
    assert notes == []


def test_control_and_direction_characters(tmp_path):
    text = "A\x00bel\x1b[31m\nB\u202eaker\nCo\u200ble\n\u2066\u2069\n\x07\n"
    kept, notes = read(tmp_path, text)
    assert kept == ["Abelm", "Baker", "Cole"]
    assert "lines without a usable letter, dropped: 2" in notes
    assert "names that lost a character outside the alphabet, kept: 3" in notes


def test_a_megabyte_on_one_line(tmp_path):
    kept, notes = read(tmp_path, "x" * 2**20 + "\nAbel\n")
    assert kept == ["Abel"]
    assert notes == ["lines longer than 60 letters, dropped: 1"]


def test_a_million_combining_marks(tmp_path):
    """Putting marks in order takes time quadratic in their number: the line must be cut first."""
    kept, notes = read(tmp_path, "e" + "\u0301\u0323" * 500_000 + "\nAbel\n")
    assert kept == ["Abel"]
    assert notes == ["lines longer than 60 letters, dropped: 1"]


def test_the_longest_name_that_is_kept(tmp_path):
    kept, _ = read(tmp_path, "x" * 60 + "\n" + "y" * 61 + "\n")
    assert kept == ["x" * 60]


def test_the_longest_line_that_is_read(tmp_path):
    """A short name in much that the alphabet has not: 240 characters are read, 241 are dirt."""
    kept, notes = read(tmp_path, "Abel" + "字" * 236 + "\nBell" + "字" * 237 + "\n")
    assert kept == ["Abel"]
    assert "lines longer than 60 letters, dropped: 1" in notes


def test_no_letters(tmp_path):
    kept, notes = read(tmp_path, "123\n--'\n,\nДом\n田中\nAbel\n")
    assert kept == ["Abel"]
    assert notes == ["lines without a usable letter, dropped: 5"]


def test_characters_lost(tmp_path):
    kept, notes = read(tmp_path, "Lu\u0434kasz\nMüller\nMu\u0308ller-Lu\u0308\nRafaj1\n Gwang \n")
    assert kept == ["Lukasz", "Muller", "Muller-Lu", "Rafaj", "Gwang"]
    assert notes == ["names that lost a character outside the alphabet, kept: 2"]


def test_what_is_no_loss_and_what_is(tmp_path):
    """A letter read as two makes up for none that is lost; marks that stand alone are accents."""
    kept, notes = read(tmp_path, "Weiß7\nÆrø\nX\u0302abel\nY\u0302\u0323ork\n")
    assert kept == ["Weiss", "AEro", "Xabel", "York"]
    assert notes == ["names that lost a character outside the alphabet, kept: 1"]


def test_languages_from_file_names(tmp_path):
    """Accents as macOS writes them are one letter; two files of one language are refused."""
    place = folder(tmp_path / "data", **{"Franc\u0327ais": GOOD, "A" * 60: GOOD})
    assert load_names(place).languages == ["A" * 60, "Français"]
    (place / "Franc\u0327ais.TXT").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DataError, match="languages has 'Français' twice"):
        load_names(place)


def test_duplicates(tmp_path):
    text = "Abel\nMüller\nMuller\nAbel\nabel\n"
    kept, notes = read(tmp_path, text)
    assert kept == ["Abel", "Muller", "abel"]
    assert notes == ["names that stood twice in a language, merged: 2"]
    raw = load_names(tmp_path / "data", merge=False)
    assert names_of(raw, "Dirty") == ["Abel", "Muller", "Muller", "Abel", "abel"]
    assert raw.notes == []


def test_a_file_without_a_usable_name(tmp_path):
    found = load_names(folder(tmp_path / "d", A=GOOD, B=GOOD, Empty="", Numbers="1\n2\n"))
    assert found.languages == ["A", "B"]
    assert "Empty.txt has no usable name: 1" in found.notes
    assert "Numbers.txt has no usable name: 1" in found.notes


def test_other_files_are_passed_over(tmp_path):
    path = folder(tmp_path / "d", A=GOOD, B=GOOD)
    (path / "README.md").write_text("About")
    (path / "C.txt").mkdir()
    assert load_names(path).languages == ["A", "B"]


def test_order_and_labels(tmp_path):
    found = load_names(folder(tmp_path / "d", B="Xeno\n", A="Zorn\nAbel\n"))
    assert found.names == ["Zorn", "Abel", "Xeno"]
    assert found.labels.tolist() == [0, 0, 1] and found.labels.dtype == np.int64
    assert found.counts().tolist() == [2, 1] and len(found) == 3
    assert found.source == str(tmp_path / "d")


def test_a_hostile_file_name(tmp_path):
    try:
        found = load_names(folder(tmp_path / "d", A=GOOD, **{"B\x1b[31m\u202e": GOOD}))
    except OSError:
        pytest.skip("no such file names here")
    assert found.languages == ["A", "B\\x1b[31m\\u202e"]


# Dirt of which nothing can be kept


@pytest.mark.parametrize(
    "content, byte, position, line",
    [
        (b"Abel\nM\xfcller\n", "0xfc", 6, 2),
        (b"\xef\xbb\xbfAbel\r\nM\xfcller\n", "0xfc", 10, 2),
        ("Abel\n".encode("utf-16"), "0xff", 0, 1),
        (b"Abel\n\n\xed\xa0\x80\n", "0xed", 6, 3),
        ("Dvořák".encode()[:-4], "0xc5", 3, 1),
    ],
)
def test_not_utf8(tmp_path, content, byte, position, line):
    path = folder(tmp_path / "data", Dirty=content, Good=GOOD)
    with pytest.raises(DataError) as error:
        load_names(path)
    text = str(error.value)
    assert "Dirty.txt is not UTF-8" in text and text.endswith("save it as UTF-8")
    assert f"byte {byte} at position {position}, line {line}" in text


@pytest.mark.parametrize("lists", [{}, {"A": GOOD}, {"A": GOOD, "B": "1\n"}])
def test_too_few_languages(tmp_path, lists):
    with pytest.raises(DataError, match="but at least 2 languages are needed"):
        load_names(folder(tmp_path / "d", **lists))


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match="there is no folder .*nowhere"):
        load_names(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file, not a folder"):
        load_names(tmp_path / "file")


def test_a_huge_file(tmp_path, monkeypatch):
    monkeypatch.setattr("minirnn.data.LARGEST_FILE", 8)
    with pytest.raises(DataError, match="larger than"):
        load_names(folder(tmp_path / "d", A=GOOD, B=GOOD))


@given(a=st.binary(max_size=80), b=st.text(max_size=80))
def test_any_bytes_give_names_or_a_data_error(tmp_path_factory, a, b):
    path = folder(tmp_path_factory.mktemp("any"), A=a, B=b.encode("utf-8", "replace"), C=GOOD)
    try:
        found = load_names(path)
    except DataError:
        return
    assert len(found.names) == len(found.labels) == sum(found.counts())
    assert all(found.counts() > 0)
    for name in found.names:
        assert Alphabet().clean(name) == name and any(c.isalpha() for c in name)


# The embedded names


@pytest.fixture(scope="module")
def embedded():
    return load_names()


def test_embedded_names(embedded):
    assert (
        embedded.languages
        == (
            "Arabic Chinese Czech Dutch English French German Greek Irish Italian Japanese Korean "
            "Polish Portuguese Russian Scottish Spanish Vietnamese"
        ).split()
    )
    assert len(embedded) >= 15_000 and embedded.counts().min() >= 150
    assert embedded.source == "embedded" and embedded.notes == []


def test_embedded_files_are_plain():
    for path in sorted(names_folder().glob("*.txt")):
        text = path.read_bytes().decode("ascii")
        lines = text.split("\n")
        assert lines.pop() == "", f"{path.name} must end with a line end"
        in_order = sorted(set(lines), key=lambda name: (name.lower(), name))
        assert lines == in_order, f"{path.name} is not sorted, or has duplicates"
        assert all(Alphabet().clean(line) == line and 0 < len(line) <= 60 for line in lines)


def test_notice_credits_every_source():
    notice, folder = ROOT / "NOTICE", ROOT / "data"
    if not folder.is_dir():
        pytest.skip("needs a checkout: the lists' sources stand in data/requirements.txt")
    text = notice.read_text(encoding="utf-8").lower()
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line.split("==")[0].strip() for line in requirements if "==" in line]
    assert len(packages) >= 5
    for package in packages:
        assert f"* {package.lower()}" in text, f"NOTICE does not credit {package}"


# Splits


@st.composite
def sets(draw):
    """Names of 2 to 4 languages, at least 3 of its own in each; some shared, some doubled."""
    names, labels, K = [], [], draw(st.integers(2, 4))
    for k in range(K):
        own = draw(st.integers(3, 25))
        names += [f"{'abcd'[k]}{j}" for j in range(own)]
        labels += [k] * own
    for _ in range(draw(st.integers(0, 20))):
        name = draw(st.sampled_from(names + [f"Shared{j}" for j in range(5)]))
        names.append(draw(st.sampled_from([name, name.upper(), name.capitalize()])))
        labels.append(draw(st.integers(0, K - 1)))
    order = draw(st.permutations(range(len(names))))
    names, labels = [names[k] for k in order], np.array([labels[k] for k in order])
    return Names(names, labels, [f"Language{k}" for k in range(K)], "test")


def deal(names, seed=0, **options):
    """A split; sets in which shared names leave a language fewer than 3 of its own are passed."""
    try:
        return split(names, np.random.default_rng(seed), **options)
    except DataError as error:
        assert "distinct names of its own" in str(error)
        return None


@given(sets(), st.integers(0, 99))
def test_every_index_once_and_no_name_in_two_parts(names, seed):
    parts = deal(names, seed)
    if parts is None:
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(names)))
    distinct = [{names.names[k].casefold() for k in part} for part in parts]
    assert not (distinct[0] & distinct[1] | distinct[0] & distinct[2] | distinct[1] & distinct[2])
    for part in parts:
        assert part.dtype == np.int64 and (np.diff(part) > 0).all()


@given(sets(), st.integers(0, 99))
def test_every_language_in_every_part(names, seed):
    parts = deal(names, seed)
    if parts is None:
        return
    for part in parts:
        assert set(names.labels[part]) == set(range(len(names.languages)))


def test_shares_hold_within_each_language():
    labels = np.repeat([0, 1], [1000, 200])
    names = Names([f"n{k}" for k in range(1200)], labels, ["A", "B"], "test")
    parts = deal(names)
    assert [np.bincount(labels[part]).tolist() for part in parts] == [
        [700, 140], [150, 30], [150, 30],
    ]  # fmt: skip
    thirds = deal(names, shares=(0.5, 0.3, 0.2))
    assert [len(part) for part in thirds] == [600, 360, 240]


@pytest.mark.parametrize("n", [3, 4, 5, 10])
@pytest.mark.parametrize("shares", [(0.02, 0.49, 0.49), (0.02, 0.96, 0.02), (0.02, 0.02, 0.96)])
def test_small_shares_leave_a_name_of_each_language(n, shares):
    names = Names([f"n{k}" for k in range(2 * n)], np.arange(2 * n) % 2, ["A", "B"], "test")
    for part in deal(names, shares=shares):
        assert set(names.labels[part]) == {0, 1}


def test_seeds():
    names = Names([f"n{k}" for k in range(90)], np.arange(90) % 3, list("ABC"), "test")
    first, same, other = deal(names, 1), deal(names, 1), deal(names, 2)
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[2], other[2])


def test_too_few_names_to_split():
    names = Names(["a", "A", "b", "c", "d", "e"], np.array([0, 0, 0, 1, 1, 1]), ["X", "Y"], "")
    with pytest.raises(DataError, match="X has 2 distinct names of its own, .* at least 3"):
        split(names, np.random.default_rng(0))


def test_a_name_of_two_languages_counts_for_the_smaller():
    """Else a small language could be left without a name in some part."""
    names = ["x", "y", "z", *"abcdefgh", "x", "y", "z"]
    labels = np.array([0] * 3 + [1] * 11)
    parts = deal(Names(names, labels, ["Small", "Large"], "test"))
    assert parts and all(0 in labels[part] for part in parts)


# Printing


@given(st.text(max_size=300))
def test_printable(text):
    shown = printable(text)
    assert shown.isprintable() and len(shown) <= 80
    assert not any(unicodedata.combining(c) for c in shown)
    assert printable(shown, 10**6) == shown


def test_printable_keeps_what_is_harmless():
    assert printable("Müller 田中 $x$") == "Müller 田中 $x$"
    assert printable("a\x1b\n\u202e\u0301\ud800") == r"a\x1b\n\u202e\u0301\ud800"
    assert printable("x" * 81) == "x" * 77 + "..." and printable("x" * 80) == "x" * 80
    assert printable("abcdef", 5) == "ab..."


def test_the_digest_is_of_names_and_languages_in_their_order():
    def digest(names=("a", "b"), labels=(0, 1), languages=("X", "Y"), source=""):
        return Names(list(names), np.array(labels), list(languages), source).digest()

    assert digest() == digest(source="elsewhere")
    others = [digest(labels=(1, 0)), digest(languages=("X", "Z")), digest(("a", "c")),
              digest(("b", "a")), digest(("a",), (0,))]  # fmt: skip
    assert len({digest(), *others}) == 6


def test_what_lies_beside_the_lists(tmp_path):
    """Hidden files are no languages, capitals in .TXT don't matter, what is no file is told."""
    here = folder(tmp_path / "d", A=GOOD, B=GOOD)
    (here / "._A.txt").write_bytes(b"\0\5\x16\7")
    (here / "C.TXT").write_text("ab\ncd\nef\n")
    (here / "D.txt").mkdir()
    names = load_names(here)
    assert names.languages == ["A", "B", "C"]
    assert any("D.txt is no file, left out" in note for note in names.notes)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\f", "\x85", "\u2028"])
def test_every_end_of_a_line(tmp_path, end):
    here = folder(tmp_path / "d", A=GOOD, B=GOOD)
    (here / "C.txt").write_bytes(end.join(["ab", "cd", "ef"]).encode())
    names = load_names(here)
    assert [name for name, language in names if language == "C"] == ["ab", "cd", "ef"]
