"""What a course may change from term to term: the order of gates, and the sense of z.

The library keeps the old state where z is near 1, and so do its mistakes (`student_mistakes.py`,
the zoo). Where a term has it the other way round, the same code is read with z and 1 - z in each
other's place, and dz with the other sign.
"""

import json
import re
from dataclasses import asdict, dataclass, fields, replace

from ..data import read_text
from ..errors import DataError
from ..gradcheck import zoo
from ..storage.files import write_atomic

BUGS = ("rnn-dh-before-tanh", "lstm-future-dc-lost", "lstm-g-as-sigmoid", "gru-reset-skipped",
        "before-reset-path-lost")  # fmt: skip
GRUS = ("cells.GRUCell", "cells.GRUBeforeCell")
GATES = {"cells.RNNCell": "h", "cells.LSTMCell": "ifgo", "cells.GRUCell": "rzn",
         "cells.GRUBeforeCell": "rzn"}  # fmt: skip
KEEPS = {"old": "keeps the old state", "new": "takes the new state"}
CODE = {
    "(1 - z)": "z", "z": "(1 - z)", "(h_prev - n)": "(n - h_prev)", "(n - h_prev)": "(h_prev - n)",
    "-dh * n": "dh * n", "dh * h_prev": "-dh * h_prev", "(1 - n)": "(n - 1)",
    "(1 - r) * n + r * h_prev": "r * n + (1 - r) * h_prev",
}  # fmt: skip
WORDS = {
    "z lets in the new state; here z near 1 keeps the old one":
        "z near 1 keeps the old state; here it takes the new one",
    "forward lets z take the new state, backward lets it keep the old one":
        "forward lets z keep the old state, backward lets it take the new one",
    "forward lets z keep the old state, backward lets it take the new one":
        "forward lets z take the new state, backward lets it keep the old one",
    "dh z": "dh (1 - z)", "1 - z": "z", "z": "1 - z",
    "h_prev - n": "n - h_prev", "n - h_prev": "h_prev - n",
}  # fmt: skip
LINES = re.compile(r"^.*\b(?:h = .*\bz\b|dz, dn, dh_prev = ).*$", re.M)
ABOUT_Z = ("h = (1 - z)", "dh * (h_prev - n)", "dh * (1 - z)")


def swapped(text, table):
    """Every key of the table in the text gives way to its value, longest first, once."""
    keys = sorted(table, key=len, reverse=True)
    pattern = "|".join(r"(?<!\w)" + re.escape(k) + r"(?!\w)" for k in keys)
    return re.sub(pattern, lambda m: table[m[0]], text)


def turned(source):
    """The source of a GRU cell in the other sense."""
    return LINES.sub(lambda line: swapped(line[0], CODE), source)


def turned_bug(bug):
    """A mistake in a GRU cell, for the source in the other sense."""
    if not any(code in bug.old for code in ABOUT_Z):
        return replace(bug, when=bug.when.replace("dh z", WORDS["dh z"]))
    code = (swapped(text, CODE) for text in (bug.old, bug.new))
    return replace(bug, **dict(zip(("old", "new"), code, strict=True)),
                   when=swapped(bug.when, WORDS))  # fmt: skip


@dataclass(frozen=True)
class Conventions:
    """What a term may change. bugs: five of the zoo, for exercise 9.

    Raises `DataError` for a value that is none of those that are known.
    """

    lstm_gates: str = "ifgo"
    gru_gates: str = "rzn"
    z_keeps: str = "old"
    bugs: tuple = BUGS

    def __post_init__(self):
        for value, letters in ((self.lstm_gates, "fgio"), (self.gru_gates, "nrz")):
            if "".join(sorted(str(value))) != letters:
                raise DataError(f"conventions: {value!r} must be the letters {letters}, reordered")
        if self.z_keeps not in ("old", "new"):
            raise DataError(f"conventions: z_keeps is {self.z_keeps!r}, but must be old or new")
        known = [b.name for b in backward_bugs()]
        wrong = [name for name in self.bugs if name not in known] if _is_list(self.bugs) else []
        if wrong:
            raise DataError(
                f"conventions: {wrong[0]!r} is no bug of a cell's backward: {', '.join(known)}"
            )
        if not _is_list(self.bugs) or len(set(self.bugs)) != 5:
            raise DataError("conventions: bugs must be a list of five different bugs")

    def gates(self, target):
        """The letters of a cell's gates in this term's order."""
        own = {"cells.LSTMCell": self.lstm_gates, "cells.GRUCell": self.gru_gates}
        return own.get(target, GATES[target])

    def turned(self, target):
        """Whether this cell has the other sense of z than in the library."""
        return self.z_keeps == "new" and target in GRUS

    def write(self, path):
        """Write them to a JSON file that `read_conventions` reads."""
        write_atomic(path, (json.dumps(asdict(self), indent=2) + "\n").encode())


def backward_bugs():
    """The bugs of the zoo that exercise 9 may hold: in a cell's backward, forward being right."""
    return [b for b in zoo.ZOO if b.target in GATES
            and b.old in zoo.source(b.target).partition("def backward")[2]]  # fmt: skip


def _is_list(thing):
    return isinstance(thing, (tuple, list))


def read_conventions(path):
    """The conventions in a JSON file. Raises `DataError` where it holds something else."""
    try:
        stated = json.loads(read_text(path))
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    known = [field.name for field in fields(Conventions)]
    if not isinstance(stated, dict) or not set(stated) <= set(known):
        raise DataError(f"{path} must hold a JSON object with some of {', '.join(known)}")
    return Conventions(**{k: tuple(v) if isinstance(v, list) else v for k, v in stated.items()})
