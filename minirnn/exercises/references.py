"""The right answers, and what comes out when they are spoiled: the library's cells, and mutants.

A course may change conventions from term to term (`Conventions`): the order of an LSTM's or a
GRU's gates, and whether z near 1 keeps the old state or takes the new one.
"""

import functools
import json
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from .. import cells
from ..errors import DataError
from ..gradcheck import zoo
from ..gradcheck.problems import cell_problem_of
from .mistakes import STUDENTS

BUGS = ("rnn-dh-before-tanh", "lstm-future-dc-lost", "lstm-g-as-sigmoid", "gru-reset-skipped",
        "before-reset-path-lost")  # fmt: skip
NEW_STATE = [  # the source of GRUCell, where z takes the new state
    ("h = (1 - z) * n + z * h_prev", "h = z * n + (1 - z) * h_prev"),
    ("dh * (h_prev - n), dh * (1 - z), dh * z", "dh * (n - h_prev), dh * z, dh * (1 - z)"),
]


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
        known = {b.name for b in zoo.ZOO if b.target in GATES and b.gradient}
        for name in self.bugs:
            if name not in known:
                raise DataError(f"conventions: {name!r} is no bug of a cell in the zoo")
        if len(set(self.bugs)) != 5:
            raise DataError("conventions: bugs must name five different bugs")

    def gates(self, target):
        """The letters of a cell's gates in this term's order."""
        own = {"cells.LSTMCell": self.lstm_gates, "cells.GRUCell": self.gru_gates}
        return own.get(target, GATES[target])

    def plain(self):
        """The usual gates; exercise 9 has the cells as the library has them."""
        return Conventions(bugs=self.bugs)

    def write(self, path):
        """Write them to a JSON file that `read_conventions` reads."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


GATES = {"cells.RNNCell": "h", "cells.LSTMCell": "ifgo", "cells.GRUCell": "rzn",
         "cells.GRUBeforeCell": "rzn"}  # fmt: skip


def read_conventions(path):
    """The conventions in a JSON file. Raises `DataError` where it holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
        return Conventions(**found)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} holds no conventions: {error}") from None


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
    if target == "cells.GRUCell" and conventions.z_keeps == "new":
        for old, new in NEW_STATE:
            text = text.replace(old, new)
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
def bugs_of(target):
    """Everything that could have been done wrong in a cell: plain mistakes first, then the zoo."""
    zoo_bugs = [b for b in zoo.ZOO if b.target == target or b.level == "function"]
    return [b for b in STUDENTS if b.target == target] + zoo_bugs


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
        for bug in bugs_of(target):
            cell = reference(target, conventions, bug)
            if cell is None:
                continue
            try:
                yield bug, step(cell, arrays, upstream)
            except Exception:  # a mutant need not run everywhere
                continue
