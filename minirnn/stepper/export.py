"""The numbers of a page: every value that the cells of a net assign while it reads a name."""

import base64
import copy
import inspect

import numpy as np

from ..backend import asnumpy
from ..batches import Sequences
from ..cells import GRUCell, LSTMCell, RNNCell
from ..data import ALIKE
from ..errors import NumberError
from ..functions import softmax
from ..losses import CrossEntropy
from ..product import ProductBackward
from ..recurrent import Recurrent
from .drawing import drawing
from .equations import equations
from .trace import TracedCell


def kind_of(net, label):
    """Return the part common to all names: {"label", "hidden", "layers"}, a layer as `layer_of`."""
    _, _, traced, inputs = _read(net, [0], 0)
    layers = [layer_of(net, k, traced[k], inputs[k]) for k in range(len(traced))]
    return {"label": label, "hidden": net.recurrent.hidden_size, "layers": layers}


SMALL = 32  # units, of a net that the page computes itself


def weights_of(net):
    """The weights of a small net, from which the page reads any name; None for any other net.

    Small: `RNN` with tanh, `LSTM` or `GRU` of one layer and direction that reads letters, with two
    biases and at most SMALL units. Wx, Wh, bx, bh, W, b as float32 in base64.
    """
    layer, linear = net.recurrent.layers[0], net.linear
    plain = type(layer.cell) in (RNNCell, LSTMCell, GRUCell)
    plain = plain and getattr(layer.cell, "nonlinearity", "tanh") == "tanh"
    one = len(net.recurrent.layers) == 1 and not net.recurrent.reverse
    if not (plain and one) or net.embedding is not None:
        return None
    if layer.hidden_size > SMALL or layer.bx is None or layer.bh is None:
        return None
    parameters = layer.Wx, layer.Wh, layer.bx, layer.bh, linear.W, linear.b
    return _packed([asnumpy(p.data) for p in parameters])


def spelling():
    """What the page needs to read a name as `Alphabet.clean` does: {letter: what it is read as}."""
    return {chr(code): text for code, text in ALIKE.items()}


def _packed(arrays):
    flat = np.concatenate([array.astype("<f4").ravel() for array in arrays])
    return base64.b64encode(flat.tobytes()).decode()


def layer_of(net, k, traced, x):
    """The panels of one layer (in one direction), the factors of its sums, its cell's source and
    drawing.

    A panel is one value: `phase` says when it is computed, `name` and `equal` are its equation as
    HTML, `path`, `line` and `code` the line that made it. The panels of the phase "sum" are the
    gradients of weights and biases: the sum over the steps of the outer products of two factors,
    `left` and `right`; without `left`, of the right one alone. `letters` says that x are letters,
    the rows of Wx; then `left` may be "letter".
    """
    layer, cell, letters = net.recurrent.layers[k], traced.cell, x.dtype.kind in "iu"
    steps = {"forward": traced.forwards[0], "backward": traced.backwards[0]}
    where = _source(Recurrent._project, "take(x" if letters else "x @ Wx")
    panels = [
        {"phase": "forward", "variable": f"gx_{gate}", "name": f"gx<sub>{gate}</sub>",
         "equal": _projection(gate, layer, letters), **where}
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
    sums, factors = _sums(layer, letters)
    number, backwards = divmod(k, net.recurrent.directions)
    return {
        "name": f"{number + 1}, read from the {'end' if backwards else 'beginning'}",
        "reversed": backwards == 1, "letters": letters, "panels": panels + sums,
        "factors": factors, "sources": sources, "drawing": drawing(cell, panels),
    }  # fmt: skip


def _sums(layer, letters):
    """(panels, factors): the gradients of a layer's parameters, and what they are made of.

    A factor is {"name", "width"}. "v r" is what the product multiplied for gate r, "da r" the
    gradient that came back to it, "dgx r" that of gx.
    """
    cell, H = layer.cell, layer.hidden_size
    merged = getattr(cell, "additive", False)  # then dgx is da
    factors = [] if letters else [{"name": "x", "width": layer.input_size}]
    groups = {"dWx": [], "dWh": [], "dbx": [], "dbh": []}
    for gate in cell.gates:
        one = gate if len(cell.gates) > 1 else ""
        comma = f",{one}" if one else ""
        da, dgx = f"da<sub>{one},t</sub>", f"dgx<sub>{one},t</sub>"
        if not one:
            da, dgx = "da<sub>t</sub>", "dgx<sub>t</sub>"
        back = {"da": (f"da {gate}", da), "dgx": (f"dgx {gate}", dgx)}
        if merged:
            back["dgx"] = back["da"]
        names = [f"v {gate}", f"da {gate}"] + ([] if merged else [f"dgx {gate}"])
        factors += [{"name": name, "width": H} for name in names]

        right, sign = back["dgx"]
        name = f"dW<sub>x{comma}</sub>"
        if letters:
            equal = f"row x<sub>t</sub> of {name} ← that row + {sign}"
        else:
            equal = f"{name} ← {name} + x<sub>t</sub><sup>⊤</sup> {sign}"
        groups["dWx"].append({
            "phase": "sum", "variable": f"dWx_{gate}", "name": name, "equal": equal,
            "left": "letter" if letters else "x", "right": right, "rows": layer.input_size,
            **_source(Recurrent._add_gradients, "self.Wx.grad +="),
        })  # fmt: skip
        right, sign = back["da"]
        name = f"dW<sub>h{comma}</sub>"
        groups["dWh"].append({
            "phase": "sum", "variable": f"dWh_{gate}", "name": name,
            "equal": f"{name} ← {name} + v<sub>t</sub><sup>⊤</sup> {sign}",
            "left": f"v {gate}", "right": right, "rows": H,
            **_source(ProductBackward.add_weight_gradient, "+= v.T @ da"),
        })  # fmt: skip
        for letter, bias, text, key in [
            ("x", layer.bx, "dbx = ", "dgx"),
            ("h", layer.bh, "self.bh.grad +=", "da"),
        ]:
            if bias is not None:
                right, sign = back[key]
                name = f"db<sub>{letter}{comma}</sub>"
                groups[f"db{letter}"].append({
                    "phase": "sum", "variable": f"db{letter}_{gate}", "name": name,
                    "equal": f"{name} ← {name} + {sign}", "left": None, "right": right, "rows": 1,
                    **_source(Recurrent._add_gradients, text),
                })  # fmt: skip
    return sum(groups.values(), []), factors


def run_of(net, kind, ids, label, layer=0):
    """One name: the values of all panels for one layer, the loss and the probabilities.

    ids [T] are the letters, label the answer from which the loss is computed. `values` holds, for
    every panel that is not a sum, [T, H] numbers, and then for every factor [T, width], all as
    float32 in base64; NaN where a step does not compute it. The net's gradients are zeroed, and
    those of its layers then added to. Raises `NumberError` where the net's answer is not finite.
    """
    logits, loss, traced, inputs = _read(net, ids, label)
    if not np.isfinite(logits).all() or not np.isfinite(loss):
        raise NumberError("the net's answer is not finite, so there is nothing to show")
    cell, shown, T, H = traced[layer], kind["layers"][layer], len(ids), kind["hidden"]
    steps = {"forward": cell.forwards, "backward": cell.backwards[::-1]}
    parts = []
    for panel in shown["panels"]:
        if panel["phase"] != "sum":
            values = np.full((T, H), np.nan, "float32")
            for t, noted in enumerate(steps[panel["phase"]]):
                array = _value(noted, panel)
                if array is not None:
                    values[t] = array
            parts.append(values)
    for factor in shown["factors"]:
        name, gate = factor["name"].split() if factor["name"] != "x" else ("x", None)
        if name == "x":
            parts.append(asnumpy(inputs[layer]))
        elif name == "dgx":
            parts.append(_noted(steps["backward"], -1, f"da{gate}"))
        else:
            parts.append(
                _noted(steps["forward" if name == "v" else "backward"], -2, f"{name} {gate}")
            )
    return {
        "values": _packed(parts),
        "loss": float(loss),
        "p": [round(float(p), 4) for p in softmax(logits.astype("float64"))],
    }


def _read(net, ids, label):
    """A forward and a backward pass: logits [K], the loss, and for each layer a traced cell and
    the rows that it read: ids [T] or [T, D]."""
    layers = net.recurrent.layers
    cells = [layer.cell for layer in layers]
    traced = [TracedCell(cell) for cell in cells]
    batch = Sequences([ids], [label], net.linear.W.shape[1], int(max(ids)) + 1).batch(np.array([0]))
    net.zero_grad()
    if net.embedding is not None:  # the page shows x as rows, so the layers must read rows
        batch, net = batch._replace(x=net.embedding.forward(batch.x)[0]), copy.copy(net)
        net.embedding = None
    criterion = CrossEntropy()
    try:
        for layer, cell in zip(layers, traced, strict=True):
            layer.cell = cell  # of no kind that the fast loops know: the clear one runs
        logits, cache = net.forward(batch)
        loss, loss_cache = criterion.forward(logits, batch.labels)
        net.backward(criterion.backward(loss_cache), cache)
    finally:
        for layer, cell in zip(layers, cells, strict=True):
            layer.cell = cell
    caches, *_ = cache[0].cache
    return asnumpy(logits)[0], loss, traced, [cache.x for cache in caches]


def answer(net, ids):
    """The class that a net takes the letters `ids` [T] for."""
    return int(_read(net, ids, 0)[0].argmax())


def _noted(steps, line, name):
    """[T, H]: what every step noted under this line and name."""
    return np.stack([
        asnumpy(next(array for at, called, array in noted if (at, called) == (line, name)))[0]
        for noted in steps
    ])  # fmt: skip


def _value(noted, panel):
    """The array [H] of a panel in one step, or None where its line did not run."""
    arrays = {
        line: array
        for line, name, array in noted
        if name == panel["variable"] and getattr(array, "ndim", 0) == 2
    }
    for line in (panel["line"], 0, -1):
        if line in arrays:
            return asnumpy(arrays[line])[0]
    return None


def _projection(gate, layer, letters):
    """The equation of gx for one gate, with the biases that the layer has."""
    below = f"x,{gate}" if len(layer.cell.gates) > 1 else "x"
    weights = f"W<sub>{below}</sub>"
    text = f"row x<sub>t</sub> of {weights}" if letters else f"x<sub>t</sub> {weights}"
    if layer.bx is not None:
        text += f" + b<sub>{below}</sub>"
    if layer.bh is not None and getattr(layer.cell, "additive", False):
        text += f" + b<sub>{below.replace('x', 'h', 1)}</sub>"
    return f"gx<sub>{gate}</sub> = {text}"


def _source(function, text):
    """{path, line, code} of the first line of a function that holds this text."""
    lines, first = inspect.getsourcelines(function)
    k = next(k for k, line in enumerate(lines) if text in line)
    return {"path": _path(function), "line": first + k, "code": lines[k].strip()}


def _path(function):
    """Return where a function stands, as one would name it beside the package."""
    parts = inspect.getsourcefile(function).replace("\\", "/").split("/")
    return "/".join(parts[-2:]) if parts[-2] == "minirnn" else parts[-1]
