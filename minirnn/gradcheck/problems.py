"""Problems of the gradient check: outputs computed from arrays, and the gradients claimed.

Everything, from a function to a whole net, is brought into this one form, so that there is one
set of oracles and one judge.
"""

import copy
import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..batches import Batch
from ..cells import LSTMCell
from ..check.contract import check_state
from ..errors import ArgumentError, CellError
from ..product import Product, ProductBackward
from ..recurrent import Recurrent


@dataclass
class Problem:
    """forward({name: array}) -> ({name: output}, context); backward({name: upstream}, context) ->
    {name: gradient}, of every one of the arrays.

    `forward` builds everything again from the arrays, so that an oracle may change one entry, or
    make all of them complex. `axes` gives names to an array's axes, and to the places on one.
    """

    title: str
    arrays: dict
    forward: Any
    backward: Any
    axes: dict = field(default_factory=dict)
    kept: Any = lambda context: context  # the part of the context that backward must not change
    accumulate: Any = None  # (upstream, context) -> parameters' gradients after two backward calls
    level: str = ""  # what it is about: function, layer, loss, cell, time, stack, model
    subject: Any = None  # the object that is checked
    remake: Any = None  # another subject -> the same problem, same arrays, about that one


def draw(rng, *shape, scale=1.0):
    """Normal numbers, in float64: gradients are checked in double precision."""
    return scale * rng.standard_normal(shape)


def in_training(forward):
    """{"training": True} for a `forward` that takes it: dropout is checked while it drops.

    A problem's forward copies the module, and with it the generator: the same mask every time.
    """
    return {"training": True} if "training" in inspect.signature(forward).parameters else {}


def function_problem(f, d_f, a, title="function"):
    """y = f(a) elementwise, with d_f(y) = f'(a)."""

    def forward(arrays):
        y = f(arrays["a"])
        return {"y": y}, y

    return Problem(
        title, {"a": a}, forward, lambda dy, y: {"a": dy["y"] * d_f(y)},
        level="function", subject=(f, d_f), remake=lambda pair: function_problem(*pair, a, title),
    )  # fmt: skip


def module_problem(module, run, undo, inputs, title, axes=None, level="layer", arrays=None):
    """A module with its parameters, and inputs {name: array} beside them.

    run(module, inputs) -> (outputs, cache); undo(module, doutputs, cache) -> {input: gradient}.
    """
    module = copy.deepcopy(module)  # with its generator, which the caller may draw from meanwhile
    names = list(named_once(module))
    if arrays is None:
        own = {n: p.data.astype("float64") for n, p in named_once(module).items()}
        arrays = own | inputs

    def forward(arrays):
        there = {}  # what deepcopy is to take in the place of an array: one copy less, of each
        for name, parameter in named_once(module).items():
            there[id(parameter.data)] = arrays[name]
            there[id(parameter.grad)] = np.zeros(arrays[name].shape)
        net = copy.deepcopy(module, there)
        outputs, cache = run(net, {name: arrays[name] for name in inputs})
        return outputs, (net, cache)

    def backward(doutputs, context):
        net, cache = context
        net.zero_grad()
        gradients = undo(net, doutputs, cache)
        for name, parameter in named_once(net).items():
            gradients[name] = parameter.grad
        return {name: gradients[name] for name in [*names, *inputs]}

    def accumulate(doutputs, context):
        net, cache = context
        net.zero_grad()
        undo(net, doutputs, cache)
        undo(net, doutputs, cache)
        return {name: parameter.grad for name, parameter in named_once(net).items()}

    def remake(other):
        return module_problem(other, run, undo, inputs, title, axes, level, arrays)

    return Problem(
        title, arrays, forward, backward, axes or {}, kept=lambda context: context[1],
        accumulate=accumulate, level=level, subject=module, remake=remake,
    )  # fmt: skip


def named_once(module):
    """{name: Parameter}; what two modules share has the first of its names alone."""
    found = {}
    for name, parameter in module.named_parameters().items():
        found.setdefault(id(parameter), (name, parameter))
    return dict(found.values())


def in_double(given):
    """Floating-point numbers in float64, a list as an array; anything else as it is."""
    given = np.asarray(given) if isinstance(given, list) else given
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    return given.astype("float64") if kind == "f" else given


def layer_problem(layer, x, title=None):
    """A layer with forward(x) -> y, cache and backward(dy, cache) -> dx; ids x have no gradient."""
    x = in_double(x)
    ids = x.dtype.kind in "iu"

    def run(layer, inputs):
        x_now = x if ids else inputs["x"]
        y, cache = layer.forward(x_now, **in_training(layer.forward))
        return {"y": y}, cache

    def undo(layer, doutputs, cache):
        dx = layer.backward(doutputs["y"], cache)
        return {} if ids else {"x": dx}

    inputs = {} if ids else {"x": x}
    return module_problem(layer, run, undo, inputs, title or type(layer).__name__)


def loss_problem(loss, prediction, target, title=None):
    """A loss with forward(prediction, target) -> loss, cache and backward(cache, dloss)."""
    prediction, target = in_double(prediction), in_double(target)

    def forward(arrays):
        value, cache = loss.forward(arrays["prediction"], target)
        return {"loss": value}, cache

    def backward(doutputs, cache):
        return {"prediction": loss.backward(cache, float(doutputs["loss"]))}

    return Problem(
        title or type(loss).__name__, {"prediction": prediction}, forward, backward,
        level="loss", subject=loss, remake=lambda other: loss_problem(other, prediction, target),
    )  # fmt: skip


def cell_problem(cell, rng, n=3, H=5, scale=1.0):
    """One step of a cell alone: gx, the state before, Wh, bh, and parameters of the cell's own."""
    G, own = len(cell.gates), own_parameters(cell)
    arrays = {"gx": draw(rng, G, n, H, scale=scale)}
    arrays |= {f"{name}_prev": draw(rng, n, H, scale=scale) for name in cell.states}
    arrays |= {"Wh": draw(rng, G, H, H, scale=scale / H**0.5), "bh": draw(rng, G, H, scale=scale)}
    arrays |= {name: p.data.astype("float64") for name, p in own.items()}
    return cell_problem_of(cell, arrays)


def cell_problem_of(cell, arrays):
    """One step of a cell on these arrays."""
    gates, n = cell.gates, arrays["gx"].shape[1]

    def forward(arrays):
        here = copy.deepcopy(cell)
        for name, parameter in own_parameters(here).items():
            parameter.data, parameter.grad = arrays[name], np.zeros(arrays[name].shape)
        product = Product(gates, arrays["Wh"], arrays["bh"])
        state = tuple(arrays[f"{name}_prev"] for name in cell.states)
        state, cache = _pair(here.forward(arrays["gx"], state, product), cell, "(state, cache)")
        check_state(cell, state, (n, arrays["gx"].shape[2]))
        return dict(zip(cell.states, state, strict=True)), (here, product, cache)

    def backward(doutputs, context):
        here, product, cache = context
        for parameter in own_parameters(here).values():
            parameter.grad[...] = 0
        undo = ProductBackward(product, n, "float64")
        dstate = tuple(doutputs[name] for name in cell.states)
        dgx, dstate = _pair(here.backward(dstate, cache, undo), cell, "(dgx, dstate_prev)")
        _tuple_of(dgx, gates, cell, "dgx")
        _tuple_of(dstate, cell.states, cell, "dstate_prev")
        gradients = {"gx": Gates(dgx)}
        gradients |= {f"{s}_prev": d for s, d in zip(cell.states, dstate, strict=True)}
        gradients |= {"Wh": undo.weight_gradient(), "bh": undo.da.sum(axis=1)}
        return gradients | {name: p.grad for name, p in own_parameters(here).items()}

    axes = {"gx": ("gate", "row", "unit"), "Wh": ("gate", "from", "to"), "bh": ("gate", "unit")}
    axes |= {f"{s}_prev": ("row", "unit") for s in cell.states}
    return Problem(
        f"{type(cell).__name__}, one step", arrays, forward, backward,
        {name: (gates, names) for name, names in axes.items()}, kept=lambda context: context[2],
        level="cell", subject=cell, remake=lambda other: cell_problem_of(other, arrays),
    )  # fmt: skip


def _pair(returned, cell, what):
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise CellError(f"{type(cell).__name__} returns {_short(returned)}, but must return {what}")
    return returned


def _tuple_of(arrays, names, cell, what):
    if not isinstance(arrays, tuple) or len(arrays) != len(names):
        raise CellError(
            f"{type(cell).__name__}.backward returns {_short(arrays)} as {what}, but it must be a "
            f"tuple of {len(names)}: one array for each of {', '.join(names)}"
        )


def _short(thing):
    if isinstance(thing, tuple):
        return f"a tuple of {len(thing)}"
    return "None" if thing is None else f"something of type {type(thing).__name__}"


class Gates(tuple):
    """The gradients of the gates as the cell returned them: one array for each."""


def own_parameters(cell):
    """{name: Parameter} of a cell that has some itself."""
    return cell.named_parameters() if hasattr(cell, "named_parameters") else {}


def recurrent_problem(net, rng, sizes, dense=False, scale=1.0, title=None, **options):
    """A recurrent layer (or a stack) over time: x, every initial state, every parameter.

    sizes: how many sequences are alive at each step. The net's outputs at all steps and its
    final states get a random upstream gradient each. options go to the net's `forward`:
    training=True checks it with its dropout, which goes with `truncate` in one layer alone;
    `ArgumentError` for both.

    With `truncate`, the gradient that is right is one of another function: that in which every
    part starts from a state that does not depend on anything. The outputs are the same.
    """
    S, D, N = sum(sizes), net.input_size, sizes[0]
    layer = net.layers[0] if hasattr(net, "layers") else net
    states = layer.cell.states
    lead = (len(net.layers),) if hasattr(net, "layers") else ()
    x = draw(rng, *((len(sizes), N, D) if dense else (S, D)), scale=scale)
    inputs = {"x": x} | {f"{s}0": draw(rng, *lead, N, net.hidden_size, scale=scale) for s in states}

    truncate, starts = options.get("truncate"), []
    if (
        truncate
        and options.get("training")
        and len(getattr(net, "layers", ())) > 1
        and net.dropout.p
    ):
        raise ArgumentError(
            f"truncate is {truncate}, but must be None where dropout acts between layers: check "
            "the two one after the other"
        )

    def run(net, inputs):
        state = tuple(inputs[f"{s}0"] for s in states)
        arguments = (inputs["x"],) if dense else (inputs["x"], sizes)
        output, final, cache = net.forward(*arguments, state=state, **options)
        if truncate:
            output, final = _in_parts(
                net, inputs["x"].reshape(S, D), sizes, state, truncate, starts
            )
            output = output.reshape(len(sizes), N, -1) if dense else output
        finals = {f"{s} at the end": f for s, f in zip(states, final, strict=True)}
        return {"output": output} | finals, cache

    def undo(net, doutputs, cache):
        dfinal = tuple(doutputs[f"{s} at the end"] for s in states)
        dx, dstate = net.backward(doutputs["output"], cache, dfinal)
        return {"x": dx} | {f"{s}0": d for s, d in zip(states, dstate, strict=True)}

    axes = {f"{s}0": ("", ("sequence", "unit")) for s in states if not lead}
    for name in net.named_parameters():
        last = name.rpartition(".")[2]
        if last in ("Wx", "Wh", "bx", "bh"):
            names = ("gate", "from", "to") if last[0] == "W" else ("gate", "unit")
            axes[name] = (layer.cell.gates, names)
    axes["x"] = (layer.cell.gates, ("step", "sequence", "feature") if dense else ("row", "feature"))
    level = "stack" if hasattr(net, "layers") else "time"
    return module_problem(net, run, undo, inputs, title or f"{net!r}", axes, level)


def example_problem(seed=0):
    """A small LSTM over four steps: what the picture of the step sizes is drawn from."""
    rng = np.random.default_rng(seed)
    net = Recurrent(LSTMCell, 3, 4, rng=rng, dtype="float64")
    return recurrent_problem(net, rng, [3, 3, 2, 1])


def _in_parts(net, x, sizes, state, truncate, starts):
    """Outputs and final states, `truncate` steps at a time, from the same `starts` at every call.

    The first call, on the unchanged arrays, finds them: [state at each part's beginning].
    """
    first, outputs, ended, row = not starts, [], [], 0
    for k, begin in enumerate(range(0, len(sizes), truncate)):
        part = sizes[begin : begin + truncate]
        if first:
            starts.append(tuple(s.copy() for s in state))
        if k > 0:
            state = starts[k]
        end = row + sum(part)
        output, state, _ = net.forward(x[row:end], part, state)
        outputs.append(output)
        later = sizes[begin + truncate] if begin + truncate < len(sizes) else 0
        ended.append([s[..., later:, :] for s in state])
        state, row = tuple(s[..., :later, :] for s in state), end
    final = tuple(np.concatenate(p, axis=-2) for p in zip(*reversed(ended), strict=True))
    return np.concatenate(outputs), final


def model_problem(net, batch, loss, title=None):
    """A whole model with its loss on one batch: every parameter, and features where x has some.

    A model whose forward takes `training` is checked in training, with its dropout.
    """
    features = batch.x.dtype.kind not in "iu"

    def run(net, inputs):
        here = Batch(inputs["x"], *batch[1:]) if features else batch
        logits, cache = net.forward(here, **in_training(net.forward))
        value, loss_cache = loss.forward(logits, batch.labels)
        return {"loss": value}, (cache, loss_cache)

    def undo(net, doutputs, cache):
        cache, loss_cache = cache
        dx = net.backward(loss.backward(loss_cache, float(doutputs["loss"])), cache)
        return {"x": dx} if features else {}

    inputs = {"x": batch.x.astype("float64")} if features else {}
    title = title or f"{type(net).__name__} with its loss"
    return module_problem(net, run, undo, inputs, title, level="model")
