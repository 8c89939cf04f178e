"""The diagnosis in one sentence: mistakes of the zoo, recognised by what they do.

A verdict holds the gradients that somebody's code claims. The same problem is put to every mutant
of this library's code at the same level; where one claims the very same gradients, on the same
forward pass, its mistake is named. Numbers decide, not names: the code may be written in any way,
with the gates in another order. If nothing fits, that is said.
"""

import copy
import warnings

import numpy as np

from .judge import EXACT, judge
from .mutants import control, mutants
from .oracles import relative_error
from .patterns import describe_kind, describe_pattern
from .places import where_wrong, which_of_two
from .problems import Gates, cell_problem

SAME = 1e-8  # two codes' gradients with the same mistake agree to this, and to more: see `_allowed`
UNKNOWN = "This is not a mistake that I know."


def diagnose(verdict, bugs=None):
    """One sentence on the likely mistake behind a `Verdict` that is wrong.

    bugs: what `explanations` found, where that is known already.
    """
    bugs = explanations(verdict) if bugs is None else bugs
    if bugs:
        sentences = list(dict.fromkeys(bug.when for bug in bugs))
        return f"{_what(verdict)} what you get when {', or when '.join(sentences)}."
    if _blames_the_cell(verdict):  # the library, with this cell, does just the same
        alone = _alone(verdict.problem.subject)
        if alone:  # a verdict without findings
            fewer = verdict.problem.title == "variable lengths"
            return _habit(verdict) or f"{UNKNOWN} {WITH_FEWER_ROWS if fewer else ONLY_IN_TIME}"
        verdict = alone
    pattern = describe_pattern(verdict)
    if pattern:
        return f"{pattern} {which_of_two(verdict)}".strip()
    return describe_kind(verdict) or f"{UNKNOWN} {where_wrong(verdict)}".strip()


def explanations(verdict):
    """Return the bugs of the zoo with exactly these findings; several may do the same."""
    if not verdict.claimed or not np.all([np.isfinite(a).all() for a in verdict.claimed.values()]):
        return []
    problem, allowed = verdict.problem, _allowed(verdict)
    if _blames_the_cell(verdict):
        alone = _alone(problem.subject)
        return [] if alone else explanations(alone)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        bugs = []
        for bug, other in mutants(problem, verdict.claimed):
            if bug not in bugs and _does_the_same(verdict, other, allowed):
                bugs.append(bug)
    return bugs


def _blames_the_cell(verdict):
    """Return whether this library's own code around the same cell makes the same mistake."""
    if not verdict.claimed:
        return False
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        right = control(verdict.problem)
        return right is not None and _does_the_same(verdict, right, _allowed(verdict))


def _alone(net):
    """The verdict on one step of a net's cell."""
    problem = cell_problem(_cell_of(net), np.random.default_rng(0), H=net.hidden_size)
    return judge(problem, np.random.default_rng(1))


def _cell_of(net):
    return (net.layers[0] if hasattr(net, "layers") else net).cell


# What is wrong with a cell of which one step alone is right: it is tried without the habit.


def _habit(verdict):
    """A sentence on the habit without which the cell is right over time, or ""."""
    cell = _cell_of(verdict.problem.subject)
    for change, sentence in HABITS:
        try:
            if judge(control(verdict.problem, change(cell)), np.random.default_rng(1)):
                return sentence
        except Exception:  # a changed cell need not run
            continue
    return ""


def _not_additive(cell):
    cell = copy.copy(cell)
    cell.additive = False
    return cell


def _apart(cell):
    """The cell with a copy of itself for each step, so that what it keeps on `self` stays apart."""
    kind = type(cell)

    class Apart(kind):
        def forward(self, gx, state, product):
            here = copy.copy(self)
            here.__class__ = kind
            state, cache = here.forward(gx, state, product)
            return state, (here, cache)

        def backward(self, dstate, cache, product):
            here, cache = cache
            return here.backward(dstate, cache, product)

    cell = copy.copy(cell)
    cell.__class__ = Apart
    return cell


HABITS = [
    (_not_additive, "Your cell says additive = True, but its gradients are right only without: in "
     "some gate gx and product(...) are not just added up. Leave the line out."),
    (_apart, "Each step's backward needs what its own forward has kept, but your cell keeps it on "
     "`self`, where the next step overwrites it: return it as the cache."),
]  # fmt: skip
ONLY_IN_TIME = (
    "One step of your cell alone is right, several are not: does it keep something from one call "
    "to the next?"
)
WITH_FEWER_ROWS = (
    "Your cell is right as long as all sequences go on, and wrong where fewer rows are left: does "
    "it depend on how many there are, or keep something from one call to the next?"
)


def _allowed(verdict):
    """Return how far a mutant's gradients may be from the claimed ones: far less than the error.

    Else code that is off by 1e-10 would be named after a mistake that changes nothing here.
    """
    off = [
        relative_error(verdict.claimed[f.where], verdict.expected[f.where])
        for f in verdict.findings
        if f.kind == "value" and f.where in verdict.expected
    ]
    return min(SAME, 1e-3 * max(off)) if off else EXACT * 10


def _does_the_same(verdict, problem, allowed):
    """Return whether a mutant's `problem` has the same outputs, gradients and kinds of finding."""
    try:
        outputs, _ = verdict.problem.forward(verdict.problem.arrays)
        theirs, context = problem.forward(problem.arrays)
        if not _equal(list(outputs.values()), list(theirs.values()), SAME):
            return False
        upstream = {name: u.copy() for name, u in verdict.upstream.items()}
        claimed = problem.backward(upstream, context)
        if set(claimed) != set(verdict.claimed):
            return False
        claimed = {n: np.stack(g) if isinstance(g, Gates) else g for n, g in claimed.items()}
        if not _equal([claimed[n] for n in verdict.claimed], verdict.claimed.values(), allowed):
            return False
        kinds = _kinds(verdict)
        if any(finding.kind == "value" for finding in verdict.findings) or not kinds:
            return True
        return kinds == _kinds(judge(problem, np.random.default_rng(0)))
    except Exception:  # a mutant need not run on every problem
        return False


def _kinds(verdict):
    """Return what is wrong beside values, without the cache's own names."""
    places = [(f.kind, f.where) for f in verdict.findings if f.kind != "value"]
    return {(k, "the cache" if w.startswith("the cache") else w) for k, w in places}


def _equal(some, others, allowed):
    return len(some) == len(others) and all(
        np.shape(a) == np.shape(b) and relative_error(a, b) <= allowed
        for a, b in zip(some, others, strict=True)
    )


def _what(verdict):
    wrong = [f.where for f in verdict.findings if f.kind == "value" and f.claimed is not None]
    if not wrong:
        return "This is"
    names = " and ".join(f"d{name}" for name in wrong[:2])
    return f"Your {names} {'equals' if len(wrong) == 1 else 'equal'}"
