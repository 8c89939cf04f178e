"""What went wrong, in one sentence: the mistakes of the zoo, recognised by what they do.

A verdict holds the gradients that somebody's code claims. The same problem is put to every mutant
of this library's code at the same level; where one claims the very same gradients, on the same
forward pass, its mistake is named. Numbers decide, not names: the code may be written in any way,
with the gates in another order. If nothing fits, that is said.
"""

import itertools

import numpy as np

from .. import cells, functions
from .judge import judge
from .oracles import relative_error
from .problems import Problem
from .zoo import ZOO, mutant, rebuilt

SAME = 1e-8
UNKNOWN = "This is not a mistake that I know."

FAMILIES = {
    "cells.RNNCell": [lambda c, f=f: c(f) for f in ("tanh", "relu", "identity")],
    "cells.LSTMCell": [lambda c: c()],
    "cells.GRUCell": [lambda c: c()],
    "cells.GRUBeforeCell": [lambda c: c()],
}


def diagnose(verdict):
    """One sentence on the likely mistake behind a `Verdict` that is wrong."""
    names = explanations(verdict)
    if not names:
        pattern = describe_pattern(verdict)
        return pattern or UNKNOWN
    sentences = list(dict.fromkeys(name.when for name in names))
    what = _what(verdict)
    return f"{what} what you get when " + ", or when ".join(sentences) + "."


def explanations(verdict):
    """The bugs of the zoo that do exactly what was found, best first; several may do the same."""
    if not verdict.claimed:
        return []
    find = {
        "cell": _cell_mutants, "time": _time_mutants, "stack": _stack_mutants,
        "layer": _layer_mutants, "loss": _loss_mutants, "function": _function_mutants,
    }.get(verdict.problem.level)  # fmt: skip
    found = []
    for bug, problem, gates in find(verdict.problem) if find else ():
        if bug not in found and _does_the_same(verdict, problem, gates):
            found.append(bug)
    return found


def _does_the_same(verdict, problem, gates):
    """Whether `problem`, about a mutant, has the same outputs, gradients and kinds of finding."""
    try:
        outputs, context = verdict.problem.forward(verdict.problem.arrays)
        theirs, their_context = problem.forward(problem.arrays)
        if not _equal(list(outputs.values()), list(theirs.values())):
            return False
        upstream = dict(zip(theirs, verdict.upstream.values(), strict=True))
        before = {k: u.copy() for k, u in upstream.items()}
        claimed = problem.backward(upstream, their_context)
        for name, array in before.items():
            upstream[name][...] = array  # a mutant may write into what it is given
        if set(claimed) != set(verdict.claimed):
            return False
        for name, gradient in claimed.items():
            array = np.stack(gradient) if isinstance(gradient, tuple) else gradient
            if gates is not None and name in ("gx", "Wh", "bh"):
                array = array[gates]
            if relative_error(array, verdict.claimed[name]) > SAME:
                return False
        kinds = {(f.kind, _place(f.where)) for f in verdict.findings if f.kind != "value"}
        if kinds or not any(f.kind == "value" for f in verdict.findings):
            again = judge(problem, np.random.default_rng(0))
            return kinds == {(f.kind, _place(f.where)) for f in again.findings if f.kind != "value"}
        return True
    except Exception:  # a mutant need not run on every problem
        return False


def _place(where):
    return where.partition(".")[0].partition("[")[0]


def _equal(some, others):
    return len(some) == len(others) and all(
        np.shape(a) == np.shape(b) and relative_error(a, b) <= SAME
        for a, b in zip(some, others, strict=True)
    )


# The mutants of each level: (bug, problem about the mutant, order of its gates or None).


def _cell_mutants(problem):
    """Cells of every family with as many gates and states, in every order of the gates."""
    cell = problem.subject
    for target, makers in FAMILIES.items():
        family = getattr(cells, target.partition(".")[2])
        if len(family.gates) != len(cell.gates) or len(family.states) != len(cell.states):
            continue
        changed = [(b, mutant(b)) for b in ZOO if b.target == target]
        changed += [(b, rebuilt(target, b)) for b in ZOO if b.level == "function"]
        for make in makers:
            for order in _orders(cell.gates, family.gates):
                arrays = _reordered(problem.arrays, order, cell.states, family.states)
                back = np.argsort(order)
                for bug, c in changed:
                    made = make(c)
                    yield bug, _renamed(problem, made, arrays), back


def _orders(gates, family):
    """Index arrays that bring gates into the family's order: by letter first, then all others."""
    likely = [[gates.index(g) for g in family]] if set(gates) == set(family) else []
    rest = [list(order) for order in itertools.permutations(range(len(gates)))]
    return likely + [order for order in rest if order not in likely]


def _reordered(arrays, order, states, family_states):
    found = {name: a[order] if name in ("gx", "Wh", "bh") else a for name, a in arrays.items()}
    for mine, theirs in zip(states, family_states, strict=True):
        found[f"{theirs}_prev"] = arrays[f"{mine}_prev"]
    return found


def _renamed(problem, cell, arrays):
    """The problem about a library cell, with its states called as the user's."""
    other = problem.remake(cell)
    names = dict(zip(cell.states, problem.subject.states, strict=True))

    def backward(doutputs, context):
        gradients = other.backward(doutputs, context)
        return {
            (f"{names[n[:-5]]}_prev" if n[:-5] in names else n): g for n, g in gradients.items()
        }

    return Problem(other.title, arrays, other.forward, backward, kept=other.kept)


def _time_mutants(problem):
    """`Recurrent` with every mistake of the level time, carrying the same cell."""
    net = problem.subject
    for bug in ZOO:
        if bug.level != "time":
            continue
        target = "recurrent.Recurrent"
        changed = mutant(bug) if bug.target == target else rebuilt(target, bug)
        yield bug, problem.remake(_like(changed, net)), None


def _like(kind, net):
    biases = sum(getattr(net, b, None) is not None for b in ("bx", "bh"))
    rng = np.random.default_rng(0)
    return kind(net.cell, net.input_size, net.hidden_size, rng=rng, biases=biases)


def _stack_mutants(problem):
    net = problem.subject
    for bug in ZOO:
        if bug.level != "stack":
            continue
        changed = mutant(bug) if bug.target == "stacked.Stack" else rebuilt("stacked.Stack", bug)
        made = changed(
            type(net.layers[0].cell), net.input_size, net.hidden_size,
            rng=np.random.default_rng(0), num_layers=net.num_layers,
            bidirectional=net.directions == 2,
        )  # fmt: skip
        yield bug, problem.remake(made), None


def _layer_mutants(problem):
    """Linear and Embedding, with the shapes of the parameters at hand."""
    rng, arrays = np.random.default_rng(0), problem.arrays
    if "W" not in arrays or arrays["W"].ndim != 2:
        return
    for bug in ZOO:
        if bug.target == "layers.Linear":
            yield bug, problem.remake(mutant(bug)(*arrays["W"].shape, "b" in arrays, rng=rng)), None
        elif bug.target == "layers.Embedding":
            yield bug, problem.remake(mutant(bug)(*arrays["W"].shape, rng=rng)), None


def _loss_mutants(problem):
    loss = problem.subject
    for bug in ZOO:
        if bug.level != "loss":
            continue
        for normaliser in ("mean", "sum"):
            yield bug, problem.remake(_loss(mutant(bug), normaliser, loss)), None


def _loss(kind, normaliser, like):
    if kind.__name__ == "MeanSquaredError":
        return kind(normaliser)
    return kind(normaliser, getattr(like, "ignore_index", None), getattr(like, "log_prior", None))


def _function_mutants(problem):
    for bug in ZOO:
        if bug.level == "function":
            f = getattr(functions, bug.target.partition("d_")[2])
            yield bug, problem.remake((f, mutant(bug))), None


# What can be said without knowing the mistake.


def describe_pattern(verdict):
    """A sentence on the first wrong gradient: zero, of wrong sign, a multiple, transposed ..."""
    for finding in verdict.findings:
        if finding.kind != "value" or finding.claimed is None:
            continue
        a, n, name = finding.claimed, finding.expected, finding.where
        if not np.any(a):
            return f"Your d{name} is all zeros: nothing is ever added to it, or passed on."
        if relative_error(a, -n) < SAME:
            return f"Your d{name} has the wrong sign everywhere."
        ratio = float((a * n).sum() / max((n * n).sum(), 1e-300))
        if relative_error(a, ratio * n) < SAME:
            return (
                f"Your d{name} is {ratio:.6g} times what it should be: a mean taken for a sum, or "
                "something counted twice?"
            )
        swapped = a.swapaxes(-1, -2) if a.ndim > 1 else a
        if a.ndim > 1 and a.shape == swapped.shape and relative_error(swapped, n) < SAME:
            return f"Your d{name} is transposed: its last two axes are exchanged."
        gates = verdict.problem.axes.get(name, (None,))[0]
        if gates and len(gates) <= 5:
            for order in itertools.permutations(range(len(gates))):
                if relative_error(a[list(order)], n) < SAME:
                    pairs = [f"{gates[k]} holds that of {gates[order.index(k)]}"
                             for k in range(len(gates)) if order[k] != k]  # fmt: skip
                    return f"The gates of your d{name} are in another order: {', '.join(pairs)}."
        array = verdict.problem.arrays[name]
        if relative_error(a - n, array) < SAME or relative_error(a, array) < SAME:
            return f"Your d{name} holds the values of {name} itself: the array, not its gradient."
        if np.abs(a).max() < np.abs(n).max() and _clipped(a, n):
            return (
                f"Your d{name} is cut off at {np.abs(a).max():.3g}: it is clipped inside backward."
            )
    return ""


def _clipped(a, n):
    limit = np.abs(a).max()
    return relative_error(a, np.clip(n, -limit, limit)) < SAME


def _what(verdict):
    wrong = [f.where for f in verdict.findings if f.kind == "value" and f.claimed is not None]
    if not wrong:
        return "This is"
    names = " and ".join(f"d{name}" for name in wrong[:2])
    return f"Your {names} {'equals' if len(wrong) == 1 else 'equal'}"
