"""Names and their languages: the alphabet, reading a folder of lists, and honest splits."""

import hashlib
import string
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .backend import Rng
from .check import (
    SWITCH,
    absent,
    each_once,
    generator,
    labels_of,
    listed,
    one_of,
    part,
    path_of,
    text_of,
    three_shares,
    whole,
)
from .errors import DataError

LONGEST_NAME = 60  # letters; a longer line is taken for dirt
LONGEST_LINE = LONGEST_NAME * 4  # in case much of it is dropped; no more is looked at
LARGEST_FILE = 64 * 2**20  # bytes
ALIKE = str.maketrans({  # letters that NFD does not take apart; what typesetters make of ' - " "
    **dict.fromkeys("\u2018\u2019\u02bb\u02bc\u02b9\u2032\u00b4\uff07", "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u00ad\uff0d", "-"),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),
    "\u0141": "L", "\u0142": "l", "\u0131": "i", "\u00d8": "O", "\u00f8": "o", "\u0110": "D",
    "\u0111": "d", "\u00d0": "D", "\u00f0": "d", "\u0126": "H", "\u0127": "h", "\u00de": "Th",
    "\u00fe": "th", "\u00df": "ss", "\u1e9e": "SS", "\u00c6": "AE", "\u00e6": "ae",
    "\u0152": "OE", "\u0153": "oe",
})  # fmt: skip


class Alphabet:
    """The characters that a net reads; the id of a character is its place.

    characters: a string; left out, the 52 ASCII letters and " .,;'-", the tutorials' alphabet with
    a hyphen. Raises `DataError` for no characters, or one that is there twice.

        >>> alphabet = Alphabet()
        >>> len(alphabet), alphabet.clean("  Garçon "), alphabet.encode("bad")
        (58, 'Garcon', array([1, 0, 3]))
    """

    def __init__(self, characters: str = string.ascii_letters + " .,;'-") -> None:
        if not text_of("characters", characters) or len(set(characters)) != len(characters):
            raise DataError("an alphabet needs characters, each of them once")
        self.characters = characters
        self._ids = {character: k for k, character in enumerate(characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def clean(self, text: str) -> str:
        """`text` in this alphabet: accents are taken off, and what is left over is dropped.

        NFD, without the combining marks, as the PyTorch tutorial on names does; letters and signs
        that it leaves alone become those that they are read as (`ALIKE`); blanks at both ends go.
        """
        return "".join(map(self._read, _decomposed(text))).strip()

    def lost(self, text):
        """The characters of `text` that `clean` drops, each once: no blanks, and no accents."""
        signs = (c for c in _decomposed(text) if not (unicodedata.combining(c) or c.isspace()))
        return "".join(dict.fromkeys(c for c in signs if not self._read(c)))

    def _read(self, character):
        """Return what is read of one character: itself, what is like it, or nothing."""
        if character in self._ids:
            return character
        return "".join(c for c in character.translate(ALIKE) if c in self._ids)

    def encode(self, name: str) -> np.ndarray:
        """Return the ids [T] of a name's characters; `DataError` for one that is not in here."""
        try:
            return np.array([self._ids[c] for c in text_of("name", name)], dtype=np.int64)
        except KeyError as error:
            raise DataError(
                f"{printable(name)} has {error.args[0]!r}, not in the alphabet"
            ) from None


def _decomposed(given):
    """A text in NFD, but for the order of marks, whose sorting may take time without end."""
    return "".join(unicodedata.normalize("NFD", c) for c in text_of("text", given))


@dataclass
class Names:
    """Names with their languages: `labels[k]` is the index in `languages` of `names[k]`.

    `notes` says, in sentences, how many lines were dropped or merged on the way here, and why.
    Raises `DataError` for labels that do not fit, and for a language that is there twice.
    """

    names: list[str]
    labels: np.ndarray
    languages: list[str]
    source: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.names = self._texts("names")
        self.languages = each_once("languages", self._texts("languages"))
        self.labels = labels_of("label", self.labels, len(self.names), len(self.languages))

    def _texts(self, field):
        given = listed(field, getattr(self, field), DataError)
        return [text_of(f"{field}[{k}]", one) for k, one in enumerate(given)]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, k):
        """Return (name, language) of the k-th name."""
        k = whole("the place of a name", k, least=None)
        return self.names[k], self.languages[self.labels[k]]

    def __repr__(self):
        return f"Names({len(self):,} names of {len(self.languages)} languages, {self.source})"

    def digest(self):
        """A SHA-256 of all names and languages: two data sets with the same are the same."""
        lines = (f"{self.languages[c]}\t{n}" for n, c in zip(self.names, self.labels, strict=True))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def counts(self):
        """Return how many names each language has [K]."""
        return np.bincount(self.labels, minlength=len(self.languages))


def names_folder():
    """The folder of the names that come with minirnn, in the checkout or in the installed wheel."""
    here = Path(__file__).resolve().parent
    installed = here / "names"
    return installed if installed.is_dir() else here.parent / "data" / "names"


def load_names(
    folder: str | Path | None = None, alphabet: Alphabet | None = None, merge: bool = True
) -> Names:
    """Read the names in a folder of files `<Language>.txt`, UTF-8, one name a line.

    folder: left out, the names that come with minirnn. alphabet: each name is brought into it; left
    out, `Alphabet()`. Lines without a usable letter, or longer than 60 letters, are dropped.
    merge: False leaves names that stand twice in a language as they are. Raises `DataError` where
    the folder is missing, holds fewer than two languages, or a file is not UTF-8.

        >>> names = load_names()
        >>> len(names.languages), names.languages[0], bool(len(names) > 10_000)
        (18, 'Arabic', True)
    """
    alphabet = Alphabet() if alphabet is None else alphabet
    part("alphabet", alphabet), one_of("merge", merge, SWITCH)
    embedded = folder is None
    place: Path = names_folder() if folder is None else path_of("folder", folder)
    if not place.is_dir():
        reason = printable(absent(place, "folder"), 250)
        raise DataError(f"{reason} with files <Language>.txt")
    names, labels, languages, counts = [], [], [], Counter()
    for path in _lists(place):
        if not path.is_file():
            counts[f"{printable(path.name)} is no file, left out"] += 1
            continue
        usable = _read_list(path, alphabet, merge, counts)
        if usable:
            names += usable
            labels += [len(languages)] * len(usable)
            languages.append(printable(unicodedata.normalize("NFC", path.stem), 100))
        else:
            counts[f"{printable(path.name)} has no usable name"] += 1
    if len(languages) < 2:
        raise DataError(
            f"{printable(str(place))} holds {len(languages)} files <Language>.txt with usable "
            "names, but at least 2 languages are needed"
        )
    notes = [f"{reason}: {number:,}" for reason, number in sorted(counts.items())]
    source = "embedded" if embedded else printable(str(place))
    return Names(names, np.array(labels, dtype=np.int64), languages, source, notes)


def _lists(folder):
    """The files <Language>.txt of a folder, but for hidden ones, which systems put beside them."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{printable(str(folder), 200)} cannot be read: {error.strerror}") from None
    return [path for path in paths if path.suffix.lower() == ".txt" and path.name[0] != "."]


def _read_list(path, alphabet, merge, counts):
    """The usable names of one file; adds to `counts` why others were not."""
    usable, seen = [], set()
    for line in read_text(path).splitlines():
        if not line.strip():
            continue
        name = alphabet.clean(line[:LONGEST_LINE])
        if not any(character.isalpha() for character in name):
            counts["lines without a usable letter, dropped"] += 1
        elif len(line) > LONGEST_LINE or len(name) > LONGEST_NAME:
            counts[f"lines longer than {LONGEST_NAME} letters, dropped"] += 1
        elif merge and name in seen:
            counts["names that stood twice in a language, merged"] += 1
        else:
            if alphabet.lost(line):
                counts["names that lost a character outside the alphabet, kept"] += 1
            seen.add(name)
            usable.append(name)
    return usable


def read_text(path):
    """Return the text of a file in UTF-8, every line ending alike, without a byte-order mark.

    Raises `DataError` for what is no plain file, has more bytes than `LARGEST_FILE` (no more are
    ever read), or is not UTF-8.
    """
    shown, largest = printable(str(path), 200), LARGEST_FILE
    if not Path(path).is_file():  # a pipe would be waited for
        raise DataError(printable(absent(path, "file"), 250))
    try:
        with open(path, "rb") as file:
            data = file.read(largest + 1)
        if len(data) > largest:
            raise DataError(f"{shown} is larger than {largest >> 20} MiB")
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{shown} is not UTF-8: byte 0x{error.object[error.start]:02x} at "
            f"position {error.start}, line {line}; save it as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error.strerror}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split(
    names: Names, rng: Rng = None, shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
) -> tuple[np.ndarray, ...]:
    """Return index arrays (train, validation, test) of `names`, drawn by language.

    rng: the NumPy generator that draws; left out, a fresh one. shares: of the three parts.
    A *distinct* name, capitals aside, sits in one part only, with all its languages: else the
    test part would ask for names that were trained on. Names are dealt out language by language,
    so that every part has about the same mix, and every language at least one name in each.
    Raises `DataError` for a language with fewer than 3 distinct names of its own, and for shares
    that are not three numbers above 0 with sum 1.

        >>> from minirnn.data import Names
        >>> labels = np.repeat([0, 1], 10)
        >>> names = Names([f"name {k}" for k in range(20)], labels, ["A", "B"], "an example")
        >>> [len(part) for part in split(names, np.random.default_rng(0))]
        [12, 4, 4]
    """
    rng = generator(rng)
    part("names", names)
    _, validation, test = three_shares(shares)
    owners = {}  # distinct name -> indices
    for k, name in enumerate(names.names):
        owners.setdefault(name.casefold(), []).append(k)
    counts = names.counts()
    homes = [[] for _ in names.languages]
    for indices in owners.values():  # a name of several languages counts for the smallest
        homes[min((names.labels[k] for k in indices), key=lambda c: (counts[c], c))].append(indices)
    parts = [[], [], []]
    for language, groups in zip(names.languages, homes, strict=True):
        if len(groups) < 3:
            raise DataError(
                f"{language} has {len(groups)} distinct names of its own, but a split into "
                "training, validation and test needs at least 3"
            )
        order = rng.permutation(len(groups))
        n_validation = min(max(1, round(len(groups) * validation)), len(groups) - 2)
        n_test = min(max(1, round(len(groups) * test)), len(groups) - n_validation - 1)
        cuts = np.split(order, [len(groups) - n_validation - n_test, len(groups) - n_test])
        for chosen, cut in zip(parts, cuts, strict=True):
            chosen.extend(index for g in cut for index in groups[g])
    return tuple(np.sort(np.array(chosen, dtype=np.int64)) for chosen in parts)


def legible(text):
    """`text` as it is, but with control characters that do more than end a line escaped."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) != "Cc" else ascii(c)[1:-1] for c in text
    )


def printable(text, longest=80):
    """`text` made safe to print: control and direction characters escaped, cut when long."""
    text = str(text)
    safe = "".join(
        c if c.isprintable() and not unicodedata.combining(c) else ascii(c)[1:-1]
        for c in text[: longest + 1]
    )
    return safe if len(safe) <= longest else safe[: longest - 3] + "..."
