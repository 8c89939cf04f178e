"""The library's code with each mistake of the zoo in it, put in the place of somebody's own.

What is compared with may call its arrays otherwise, hold its gates and states in another order,
its weights transposed, or let a gate open where the library's closes: `_seen_as` translates.
"""

import inspect
import itertools
from dataclasses import replace

import numpy as np

from .. import cells, functions, losses, stacked
from ..recurrent import Recurrent
from .oracles import relative_error
from .problems import Problem, own_parameters
from .zoo import ZOO, mutant, rebuilt, remade

FAMILIES = {  # target: (ways to make one, gates that others let open where we close, and back)
    "cells.RNNCell": ([lambda c, f=f: c(f) for f in ("tanh", "relu", "identity")], ""),
    "cells.LSTMCell": ([lambda c: c()], ""),
    "cells.GRUCell": ([lambda c: c()], "z"),
    "cells.GRUBeforeCell": ([lambda c: c()], "z"),
}


def mutants(problem, claimed):
    """(bug, problem about the mutant in the words of `problem`) for every bug of its level."""
    find = {
        "cell": _cells, "time": _times, "stack": _stacks,
        "layer": _layers, "loss": _losses, "function": _functions,
    }.get(problem.level)  # fmt: skip
    return find(problem, claimed) if find else ()


def control(problem, cell=None):
    """The problem about the library's own, right code around the same cell, or another; or None."""
    if problem.level == "time":
        return problem.remake(_like(Recurrent, problem.subject, cell))
    if problem.level == "stack":
        return problem.remake(_stack_like(stacked.Stack, problem.subject, cell))
    return None


def _seen_as(problem, other, there, back, outputs):
    """`other` in the words of `problem`: its arrays, output names and gradients.

    there({our arrays}) -> their arrays; back({their gradients}) -> ours; outputs {ours: theirs}.
    """

    def forward(arrays):
        results, context = other.forward(there(arrays))
        return {ours: results[theirs] for ours, theirs in outputs.items()}, context

    def given(upstream):
        return {theirs: upstream[ours] for ours, theirs in outputs.items()}

    return Problem(
        other.title, problem.arrays, forward,
        lambda upstream, context: back(other.backward(given(upstream), context)),
        kept=other.kept,
        accumulate=other.accumulate
        and (lambda upstream, context: back(other.accumulate(given(upstream), context))),
    )  # fmt: skip


def _cells(problem, claimed):
    """Cells of every family with as many gates and states, in every order of both."""
    cell = problem.subject
    if own_parameters(cell):
        return
    for target, (makers, turned) in FAMILIES.items():
        family = getattr(cells, target.partition(".")[2])
        if len(family.gates) != len(cell.gates) or len(family.states) != len(cell.states):
            continue
        changed = [(b, mutant(b)) for b in ZOO if b.target == target]
        changed += [(b, rebuilt(target, b)) for b in ZOO if b.level == "function"]
        in_forward = {b for b, _ in changed if b.old in inspect.getsource(family.forward)}
        signs = [np.ones(len(family.gates))]
        if turned:
            signs.append(np.array([-1.0 if g in turned else 1.0 for g in family.gates]))
        for make, order, states, sign in itertools.product(
            makers,
            itertools.permutations(range(len(cell.gates))),
            itertools.permutations(cell.states),
            signs,
        ):
            right = _cell_seen_as(problem, make(family), list(order), states, sign)
            possible = _same_outputs(problem, right)
            for bug, kind in changed:
                if possible or bug in in_forward:
                    yield bug, _cell_seen_as(problem, make(kind), list(order), states, sign)


def _same_outputs(problem, other):
    ours, _ = problem.forward(problem.arrays)
    theirs, _ = other.forward(problem.arrays)
    return all(relative_error(ours[name], theirs[name]) < 1e-6 for name in ours)


def _cell_seen_as(problem, made, order, states, sign):
    """A library cell whose gate k is gate order[k] of the user's, times its sign.

    states: the user's names for the library's h, c. sigmoid(-a) = 1 - sigmoid(a), so a gate that
    opens where the library's closes is the library's with the sign of its pre-activation turned.
    """
    ours = dict(zip(made.states, states, strict=True))
    inverse = np.argsort(order)

    def there(arrays):
        inputs = {n: _times_sign(sign, arrays[n][order]) for n in ("gx", "Wh", "bh")}
        return inputs | {f"{s}_prev": arrays[f"{mine}_prev"] for s, mine in ours.items()}

    def back(gradients):
        own = {n: _times_sign(sign, np.stack(gradients[n]))[inverse] for n in ("gx", "Wh", "bh")}
        return own | {f"{mine}_prev": gradients[f"{s}_prev"] for s, mine in ours.items()}

    theirs = {mine: s for s, mine in ours.items()}
    outputs = {mine: theirs[mine] for mine in problem.subject.states}
    return _seen_as(problem, problem.remake(made), there, back, outputs)


def _times_sign(sign, array):
    return sign.reshape(-1, *[1] * (array.ndim - 1)) * array


def _times(problem, claimed):
    """`Recurrent` with every mistake of the level time, carrying the same cell."""
    net = problem.subject
    for bug in ZOO:
        if bug.level == "time":
            yield bug, problem.remake(_like(_recurrent(_at_limit(bug, net, claimed)), net))


def _recurrent(bug):
    target = "recurrent.Recurrent"
    return mutant(bug) if bug.target == target else rebuilt(target, bug)


def _at_limit(bug, net, claimed):
    """A bug that clips, at the limit that seems to be in use: the largest gradient of a state."""
    if "0.5" not in bug.new:
        return bug
    layer = net.layers[0] if hasattr(net, "layers") else net
    limit = max(np.abs(claimed[f"{s}0"]).max() for s in layer.cell.states)
    return replace(bug, new=bug.new.replace("0.5", repr(float(limit))))


def _like(kind, net, cell=None):
    biases = sum(getattr(net, b, None) is not None for b in ("bx", "bh"))
    rng = np.random.default_rng(0)
    return kind(cell or net.cell, net.input_size, net.hidden_size, rng=rng, biases=biases)


def _stacks(problem, claimed):
    """`Stack` with a mistake of its own, or one in the layers that it stacks."""
    net = problem.subject
    for bug in ZOO:
        if bug.level == "stack":
            changed = (
                mutant(bug) if bug.target == "stacked.Stack" else rebuilt("stacked.Stack", bug)
            )
        elif bug.level == "time":
            layer = _recurrent(_at_limit(bug, net, claimed))
            changed = remade("stacked.Stack", Recurrent=layer)
        else:
            continue
        yield bug, problem.remake(_stack_like(changed, net))


def _stack_like(kind, net, cell=None):
    first = net.layers[0]
    biases = sum(getattr(first, b, None) is not None for b in ("bx", "bh"))
    made = kind(
        first.cell, net.input_size, net.hidden_size, rng=np.random.default_rng(0),
        num_layers=net.num_layers, bidirectional=net.directions == 2, biases=biases,
    )  # fmt: skip
    for ours, theirs in zip(made.layers, net.layers, strict=True):
        ours.cell = cell or theirs.cell  # which may be one for all layers, or one for each
    return made


def _layers(problem, claimed):
    """Linear and Embedding, whatever their parameters are called; and Dropout."""
    arrays = problem.arrays
    matrices = [n for n, a in arrays.items() if a.ndim == 2 and n != "x"]
    vectors = [n for n, a in arrays.items() if a.ndim == 1 and n != "x"]
    if not matrices and not vectors:
        yield from _dropouts(problem, claimed)
    if len(matrices) != 1 or len(vectors) > 1:
        return
    ours = {"W": matrices[0]} | ({"b": vectors[0]} if vectors else {})
    ours |= {"x": "x"} if "x" in arrays else {}
    rng = np.random.default_rng(0)
    for turned in (False, True):
        shape = arrays[matrices[0]].shape[:: -1 if turned else 1]

        def there(arrays, turned=turned):
            inputs = {name: arrays[mine] for name, mine in ours.items()}
            return inputs | ({"W": inputs["W"].T} if turned else {})

        def back(gradients, turned=turned):
            own = {mine: gradients[name] for name, mine in ours.items() if name in gradients}
            return own | ({ours["W"]: own[ours["W"]].T} if turned else {})

        for bug in ZOO:
            if bug.target == "layers.Linear":
                made = mutant(bug)(*shape, bool(vectors), rng=rng)
            elif bug.target == "layers.Embedding":
                made = mutant(bug)(*shape, rng=rng)
            else:
                continue
            yield bug, _seen_as(problem, problem.remake(made), there, back, {"y": "y"})


def _dropouts(problem, claimed):
    """Dropout with the mask that the layer's output shows: 0 or 1 / (1 - p) times x."""
    x = problem.arrays.get("x")
    outputs, _ = problem.forward(problem.arrays)
    if x is None or np.shape(outputs["y"]) != x.shape or not x.all():
        return
    mask = outputs["y"] / x
    scale = np.abs(mask).max()
    if scale > 1 and np.all((mask == 0) | (np.abs(mask - scale) < 1e-9)):
        dx = claimed["x"]
        used = dx != 0 if not dx.all() else np.zeros(dx.shape)
        for bug in ZOO:
            if bug.target == "layers.Dropout":
                layer = mutant(bug)(1 - 1 / scale, rng=_Coins(used, mask > 0))
                yield bug, problem.remake(layer)


class _Coins(np.random.Generator):
    """Stands for a random generator: the first draw gives the mask that was seen in forward, the
    later ones that which backward seems to have used, if it is one."""

    def __init__(self, *masks):
        super().__init__(np.random.PCG64(0))
        self.masks = list(masks)

    def __reduce__(self):  # to be copied with the layer
        return _Coins, tuple(self.masks)

    def random(self, shape, dtype=None):
        return (self.masks.pop() if len(self.masks) > 1 else self.masks[0]).astype(float)


def _losses(problem, claimed):
    """Both losses, with the normaliser that the value of the loss shows."""
    subject, K = problem.subject, problem.arrays["prediction"].shape[-1]
    prior = getattr(subject, "log_prior", None)
    value = float(problem.forward(problem.arrays)[0]["loss"])
    for bug in ZOO:
        if bug.level != "loss":
            continue
        right, changed = getattr(losses, bug.target.partition(".")[2]), mutant(bug)
        if right is losses.MeanSquaredError:
            options = [()]
        else:  # any label may be the one that is ignored
            options = [(label, prior) for label in (None, -100, -1, *range(K))]
        for option in options:
            try:
                total, _ = problem.remake(right("sum", *option)).forward(problem.arrays)
                made = changed(float(total["loss"]) / value, *option)
            except (ValueError, ZeroDivisionError):  # these labels or targets are not for this loss
                continue
            yield bug, problem.remake(made)


def _functions(problem, claimed):
    for bug in ZOO:
        if bug.level == "function":
            f = getattr(functions, bug.target.partition("d_")[2])
            yield bug, problem.remake((f, mutant(bug)))
