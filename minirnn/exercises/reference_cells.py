"""The right answers, and what comes out when they are spoiled: the library's cells, and mutants."""

import functools
import warnings

import numpy as np

from .. import cells
from ..gradcheck import zoo
from ..gradcheck.problems import cell_problem_of
from .conventions import turned, turned_bug
from .student_mistakes import STUDENTS


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


class Exchanged:
    """A cell whose backward takes two fields of the cache for each other."""

    def __init__(self, cell, one, other):
        self.cell, self.gates, self.states = cell, cell.gates, cell.states
        self.forward, self.fields = cell.forward, (one, other)

    def backward(self, dstate, cache, product):
        one, other = self.fields
        turned = {one: getattr(cache, other), other: getattr(cache, one)}
        return self.cell.backward(dstate, cache._replace(**turned), product)


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
    own = [b for b in [*STUDENTS, *zoo.ZOO] if b.target == target]
    functions = [b for b in zoo.ZOO if b.level == "function"]
    return [turned_bug(b) if other_sense else b for b in own] + functions


def step(cell, arrays, upstream):
    """{name: array} of everything that one step of a reference cell gives, forward and backward.

    Gradients are called dgx i, dh_prev, dWh, dbh, ...
    """
    problem = cell_problem_of(cell, arrays)
    outputs, context = problem.forward(arrays)
    given = dict(zip(cell.states, (u.copy() for u in upstream), strict=True))
    gradients = problem.backward(given, context)
    _, product, _ = context
    values = dict(outputs)
    for k, gate in enumerate(cell.gates):
        values[f"dgx {gate}"] = gradients["gx"][k]
    values |= {f"d{s}_prev": gradients[f"{s}_prev"] for s in cell.states}
    values |= {"dWh": gradients["Wh"], "dbh": gradients["bh"]}
    return values


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
