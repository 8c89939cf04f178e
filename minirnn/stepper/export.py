"""The numbers of a page: every value that the cells of a net assign while it reads a name."""

import base64
import inspect

import numpy as np

from ..backend import asnumpy
from ..batches import Sequences
from ..errors import NumberError
from ..functions import softmax
from ..losses import CrossEntropy
from ..product import ProductBackward
from ..recurrent import Recurrent
from .equations import equations
from .trace import TracedCell

SMALL = 16  # hidden units up to which the gradients of Wh and bh are shown too


def kind_of(net, label):
    """What is the same for every name: the panels of a net's cell, and its source.

    A panel is one value: `phase` says when it is computed, `name` and `equal` are its equation as
    HTML, `path`, `line` and `code` the line that made it.
    """
    _, _, (traced, *_) = _read(net, [0], 0)
    cell, H = traced.cell, net.recurrent.hidden_size
    steps = {"forward": traced.forwards[0], "backward": traced.backwards[0]}
    vectors = net.embedding is not None or net.recurrent.num_layers > 1
    line = "x @ Wx" if vectors else "take(x"  # ids pick rows of Wx
    panels = [
        {"phase": "forward", "variable": f"gx_{gate}", "name": f"gx<sub>{gate}</sub>",
         "equal": _projection(gate, cell), **_source(Recurrent._project, line)}
        for gate in cell.gates
    ]  # fmt: skip
    sources = {}
    for phase in ("forward", "backward"):
        method = getattr(cell, phase).__func__
        lines, first = inspect.getsourcelines(method)
        path = _path(method)
        sources[phase] = {"path": path, "first": first, "lines": [s.rstrip() for s in lines]}
        for e in equations(cell, phase):
            panel = {
                "phase": phase, "variable": e.variable, "name": e.name, "equal": e.equal,
                "path": path, "line": e.line, "code": lines[e.line - first].strip(),
            }  # fmt: skip
            if _value(steps[phase], panel) is not None:
                panels.append(panel)
    if H <= SMALL:
        where = _source(ProductBackward.weight_gradient, "+= ")
        for gate in cell.gates:
            below = f"h,{gate}" if len(cell.gates) > 1 else "h"
            name = f"dW<sub>{below}</sub>"
            equal = f"{name} = Σ<sub>t</sub> v<sub>t</sub><sup>⊤</sup> da<sub>t</sub>"
            panels.append(
                {"phase": "after", "variable": f"dWh_{gate}", "name": name, "equal": equal, **where}
            )
    return {"label": label, "hidden": H, "panels": panels, "sources": sources}


def run_of(net, kind, ids, label, layer=0):
    """One name: the values of all panels for one layer, the loss and the probabilities.

    ids [T] are the letters, label the answer from which the loss is computed. `values` holds, for
    every panel in turn, [T, H] numbers (of "after" panels [H, H]) as float32, in base64; NaN
    where a step does not compute it. The net's gradients are zeroed and then added to. Raises
    `NumberError` where the net's answer is not finite.
    """
    logits, loss, traced = _read(net, ids, label)
    if not np.isfinite(logits).all() or not np.isfinite(loss):
        raise NumberError("the net's answer is not finite, so there is nothing to show")
    cell, T, H = traced[layer], len(ids), kind["hidden"]
    steps = {"forward": cell.forwards, "backward": cell.backwards[::-1]}
    gradient = asnumpy(net.recurrent.layers[layer].Wh.grad)
    parts = []
    for panel in kind["panels"]:
        if panel["phase"] == "after":
            parts.append(gradient[cell.gates.index(panel["variable"][-1])])
            continue
        values = np.full((T, H), np.nan, "float32")
        for t, noted in enumerate(steps[panel["phase"]]):
            array = _value(noted, panel)
            if array is not None:
                values[t] = array
        parts.append(values)
    flat = np.concatenate([part.astype("<f4").ravel() for part in parts])
    return {
        "values": base64.b64encode(flat.tobytes()).decode(),
        "loss": float(loss),
        "p": [round(float(p), 4) for p in softmax(logits.astype("float64"))],
    }


def _read(net, ids, label):
    """A forward and a backward pass: logits [K], the loss, and a traced cell for each layer."""
    layers = net.recurrent.layers
    cells = [layer.cell for layer in layers]
    traced = [TracedCell(cell) for cell in cells]
    batch = Sequences([ids], [label], net.linear.W.shape[1], int(max(ids)) + 1).batch(np.array([0]))
    criterion = CrossEntropy()
    try:
        for layer, cell in zip(layers, traced, strict=True):
            layer.cell = cell  # of no kind that the fast loops know: the clear one runs
        net.zero_grad()
        logits, cache = net.forward(batch)
        loss, loss_cache = criterion.forward(logits, batch.labels)
        net.backward(criterion.backward(loss_cache), cache)
    finally:
        for layer, cell in zip(layers, cells, strict=True):
            layer.cell = cell
    return asnumpy(logits)[0], loss, traced


def answer(net, ids):
    """The class that a net takes these letters for."""
    return int(_read(net, ids, 0)[0].argmax())


def _value(noted, panel):
    """The array [H] of a panel in one step, or None where its line did not run."""
    found = {
        line: array
        for line, name, array in noted
        if name == panel["variable"] and getattr(array, "ndim", 0) == 2
    }
    for line in (panel["line"], 0, -1):
        if line in found:
            return asnumpy(found[line])[0]
    return None


def _projection(gate, cell):
    below = f"x,{gate}" if len(cell.gates) > 1 else "x"
    text = f"gx<sub>{gate}</sub> = x<sub>t</sub> W<sub>{below}</sub> + b<sub>{below}</sub>"
    if getattr(cell, "additive", False):
        text += f" + b<sub>{below.replace('x', 'h', 1)}</sub>"
    return text


def _source(function, text):
    """{path, line, code} of the first line of a function that holds this text."""
    lines, first = inspect.getsourcelines(function)
    k = next(k for k, line in enumerate(lines) if text in line)
    return {"path": _path(function), "line": first + k, "code": lines[k].strip()}


def _path(function):
    """Where a function stands, as one would name it beside the package."""
    parts = inspect.getsourcefile(function).replace("\\", "/").split("/")
    return "/".join(parts[-2:]) if parts[-2] == "minirnn" else parts[-1]
