"""A text as whole numbers, one for each letter, and its pieces for training."""

import hashlib
import unicodedata
from itertools import count
from pathlib import Path

import numpy as np

from ..batches import Sequences
from ..check import path_of, text_of, whole
from ..data import printable, read_text
from ..errors import DataError

HELD_OUT = 0.1  # the share at the end that nothing is trained on


class Text:
    """A text, its letters in order, and its ids: `letters[ids[k]]` is the k-th letter.

    The first nine tenths are to be learned from, `known` of them; the last tenth is held out.
    """

    def __init__(self, text, source):
        self.letters, self.source = "".join(sorted(set(text_of("text", text)))), source
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        self.ids = np.searchsorted(np.unique(codes), codes).astype(np.int64)
        self.known = int((1 - HELD_OUT) * len(self.ids))

    def __len__(self):
        return len(self.ids)

    def digest(self):
        """A hash of the letters, which tells one text from another."""
        return hashlib.sha256(self.letters.encode() + self.ids.tobytes()).hexdigest()[:16]

    def pieces(self, steps, streams):
        """(Sequences, places of the known pieces, places of those held out), of so many steps each.

        The targets of a piece are its letters from the second on, and the first of the next one.
        Raises `DataError` where the text is too short for so many streams, and `ArgumentError` for
        numbers below 1.
        """
        steps, streams = whole("steps", steps), whole("streams", streams)
        known, held = self.ids[: self.known], self.ids[self.known :]
        number = -(-(len(known) - 1) // steps)
        if not _enough(len(self), steps, streams):
            about = int(steps * (streams - 1) / (1 - HELD_OUT))  # never more than is needed
            least = next(n for n in count(about) if _enough(n, steps, streams))
            given = f"{streams} stream{'s' * (streams > 1)} of {steps} step{'s' * (steps > 1)}"
            fewer = ", or fewer --streams or --steps" if _enough(len(self), 1, 1) else ""
            raise DataError(
                f"{self.source} has {len(self):,} letter{'s' * (len(self) != 1)}, but {given} need "
                f"{least:,}; take a longer text{fewer}"
            )
        x = [*_cut(known[:-1], steps), *_cut(held[:-1], steps)]
        y = [*_cut(known[1:], steps), *_cut(held[1:], steps)]
        size = len(self.letters)
        sequences = Sequences(x, targets=y, num_classes=size, num_symbols=size)
        return sequences, np.arange(number), np.arange(number, len(x))


def load_text(path=None):
    """The text of a UTF-8 file, or of the plays that come with minirnn, as a `Text`.

    Letters that are written in two ways are brought into one (NFC), and every line ends alike.
    Raises `DataError` for a file that cannot be read, is too large, or is not UTF-8.
    """
    embedded = path is None
    path = plays() if embedded else path_of("path", path)
    text = unicodedata.normalize("NFC", read_text(path))
    return Text(text, "embedded" if embedded else printable(str(path), 200))


def plays():
    """The file of the plays that come with minirnn, in the checkout or in the installed wheel."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "plays"
    folder = installed if installed.is_dir() else package.parent / "data" / "plays"
    return folder / "tragedies.txt"


def ids_of(text, letters):
    """The ids of a text's letters. Raises `DataError` for one that is not among `letters`."""
    text = (
        unicodedata.normalize("NFC", text_of("text", text))
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    if not text:
        raise DataError("the prompt is empty, but must have at least one letter")
    unknown = [letter for letter in dict.fromkeys(text) if letter not in letters]
    if unknown:
        shown = ", ".join(map(ascii, unknown[:5]))
        raise DataError(
            f"the prompt holds {shown}, but the net knows only the letters that it was trained on: "
            f"{ascii(letters) if len(letters) < 120 else f'{len(letters):,} of them'}"
        )
    return [letters.index(letter) for letter in text]


def _enough(letters, steps, streams):
    """Whether so many letters have a known piece for each stream, and two held out."""
    known = int((1 - HELD_OUT) * letters)
    return -(-(known - 1) // steps) >= streams and letters - known >= 2


def _cut(ids, steps):
    return [ids[k : k + steps] for k in range(0, len(ids), steps)]
