"""The right answers, and what comes out when they are spoiled: the library's cells, and mutants.

A course may change conventions from term to term (`Conventions`): the order of an LSTM's or a
GRU's gates, and whether z near 1 keeps the old state or takes the new one.
"""

import functools
import json
import warnings
from dataclasses import asdict, dataclass, fields

import numpy as np

from .. import cells
from ..errors import DataError
from ..gradcheck import zoo
from ..gradcheck.problems import cell_problem_of
from .mistakes import STUDENTS
from .sense import turned, turned_bug

BUGS = ("rnn-dh-before-tanh", "lstm-future-dc-lost", "lstm-g-as-sigmoid", "gru-reset-skipped",
        "before-reset-path-lost")  # fmt: skip
GRUS = ("cells.GRUCell", "cells.GRUBeforeCell")


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
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def backward_bugs():
    """The bugs of the zoo that exercise 9 may hold: in a cell's backward, forward being right."""
    return [b for b in zoo.ZOO if b.target in GATES
            and b.old in zoo.source(b.target).partition("def backward")[2]]  # fmt: skip


def _is_list(thing):
    return isinstance(thing, (tuple, list))


GATES = {"cells.RNNCell": "h", "cells.LSTMCell": "ifgo", "cells.GRUCell": "rzn",
         "cells.GRUBeforeCell": "rzn"}  # fmt: skip


def read_conventions(path):
    """The conventions in a JSON file. Raises `DataError` where it holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    known = [field.name for field in fields(Conventions)]
    if not isinstance(found, dict) or not set(found) <= set(known):
        raise DataError(f"{path} must hold a JSON object with some of {', '.join(known)}")
    return Conventions(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})


class Reordered:
    """A cell with its gates in another order."""

    def __init__(self, cell, gates):
        self.cell, self.gates, self.states = cell, gates, cell.states
        self.there = [gates.index(g) for g in cell.gates]
        self.back = [cell.gates.index(g) for g in gates]

    def forward(self, gx, state, product):
        def reordered(v, gates=None):
            return product(v)[self.there] if gates is None else product(v, gates)

        return self.cell.forward(gx[self.there], state, reordered)

    def backward(self, dstate, cache, product):
        def undone(da, gates=None):
            if gates is not None:
                return product.backward(da, gates)
            return product.backward(tuple(da[k] for k in self.back))

        class Undo:
            backward = staticmethod(undone)

        dgx, dstate = self.cell.backward(dstate, cache, Undo)
        return tuple(dgx[k] for k in self.back), dstate


@functools.cache
def reference(target, conventions, bug=None, gates=None):
    """The cell that is right under these conventions, or with a bug; None if the bug has no place.

    gates: another order of the gates than that of the conventions.
    """
    text, extra = zoo.source(target), {}
    if conventions.turned(target):
        text = turned(text)
    if bug is not None and bug.target == target:
        if text.count(bug.old) != 1:
            return None
        text = text.replace(bug.old, bug.new)
    elif bug is not None:
        extra[bug.target.partition(".")[2]] = zoo.mutant(bug)
    space = {**vars(cells), **extra}
    exec(compile(text, f"<{target}, changed>", "exec"), space)
    made = space[target.partition(".")[2]]()
    wanted = gates or conventions.gates(target)
    return made if wanted == made.gates else Reordered(made, wanted)


@functools.cache
def bugs_of(target, other_sense):
    """Everything that could have been done wrong in a cell: plain mistakes first, then the zoo."""
    found = [b for b in [*STUDENTS, *zoo.ZOO] if b.target == target]
    functions = [b for b in zoo.ZOO if b.level == "function"]
    return [turned_bug(b) if other_sense else b for b in found] + functions


def step(cell, arrays, upstream):
    """{name: array} of everything that one step of a reference cell gives, forward and backward.

    Gradients are called dgx i, da i, dh_prev ..., where da is what product.backward was given.
    """
    problem = cell_problem_of(cell, arrays)
    outputs, context = problem.forward(arrays)
    given = dict(zip(cell.states, (u.copy() for u in upstream), strict=True))
    gradients = problem.backward(given, context)
    _, product, _ = context
    found = dict(outputs)
    for k, gate in enumerate(cell.gates):
        found[f"dgx {gate}"] = gradients["gx"][k]
    found |= {f"d{s}_prev": gradients[f"{s}_prev"] for s in cell.states}
    found |= {"dWh": gradients["Wh"], "dbh": gradients["bh"]}
    return found


def forward(cell, arrays):
    """({state: array}, {field: array}) of one step of a reference cell, and the v's."""
    problem = cell_problem_of(cell, arrays)
    outputs, (_, _, cache) = problem.forward(arrays)
    return outputs, dict(zip(cache._fields, cache, strict=True))


def spoiled(target, conventions, arrays, upstream):
    """(bug, what one step gives) for everything that could have been done wrong."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for bug in bugs_of(target, conventions.turned(target)):
            cell = reference(target, conventions, bug)
            if cell is None:
                continue
            try:
                yield bug, step(cell, arrays, upstream)
            except Exception:  # a mutant need not run everywhere
                continue
