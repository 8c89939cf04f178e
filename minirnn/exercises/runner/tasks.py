"""What a hand-in can be asked to compute, and how numbers travel: for `child.py`.

Each task takes the hand-in and what is given, and says in `stage` how far it got. Arrays travel
as JSON with plain bytes in it.
"""

import base64

import numpy as np

try:
    from probe_cell import LeanCell, PracticeCell  # in the child: the copies beside this file
except ImportError:
    from .probe_cell import LeanCell, PracticeCell
from minirnn.parameters import Parameter
from minirnn.product import Product, ProductBackward

KINDS = [Product, ProductBackward, Parameter, PracticeCell, LeanCell]
CELLS = {"PracticeCell": PracticeCell, "LeanCell": LeanCell}


def encoded(thing, depth=0):
    """JSON for what was returned: arrays as bytes, other objects as the name of their type."""
    if isinstance(thing, np.generic):
        thing = np.asarray(thing)
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind not in "fiubc" or thing.size > 100_000:
            return {"object": f"array of {thing.dtype}, shape {thing.shape}"[:100]}
        data = base64.b64encode(np.ascontiguousarray(thing).tobytes()).decode()
        return {"array": [str(thing.dtype), list(thing.shape), data]}
    if isinstance(thing, (tuple, list)) and depth < 6 and len(thing) <= 1000:
        kind = "tuple" if isinstance(thing, tuple) else "list"
        return {kind: [encoded(part, depth + 1) for part in thing]}
    if isinstance(thing, dict) and depth < 6 and len(thing) <= 1000:
        return {"dict": {str(name): encoded(part, depth + 1) for name, part in thing.items()}}
    if thing is None or isinstance(thing, (bool, str)):
        return {"plain": thing if not isinstance(thing, str) else thing[:1000]}
    if isinstance(thing, (int, float)):
        return encoded(np.float64(thing), depth)
    return {"object": type(thing).__name__}


def decoded(thing):
    """What `encoded` made JSON of."""
    (kind, value), *_ = thing.items()
    if kind == "array":
        dtype, shape, data = value
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(decoded(part) for part in value)
    if kind == "dict":
        return {name: decoded(part) for name, part in value.items()}
    return value


class Returned(Exception):
    """Something returns another number of things than it must."""


def several(returned, where, what):
    """What was returned, if it is a tuple with as many parts as `what` names.

    Raises `Returned` where it is not.
    """
    names = what.split(", ")
    if not isinstance(returned, (tuple, list)) or len(returned) != len(names):
        given = f"one {type(returned).__name__}"
        if returned is None or isinstance(returned, np.ndarray):
            given = "nothing" if returned is None else "one array"
        elif isinstance(returned, (tuple, list)):
            given = f"a {type(returned).__name__} of {len(returned)}"
        number = {2: "two", 3: "three"}[len(names)]
        raise Returned(f"{where} returns {given}, but must return {number} things: {what}")
    return returned


def function(hand_in, given, stage):
    """The value of one function of the hand-in, that of other numbers, and its arguments as they
    are afterwards."""
    stage[0] = given["name"]
    value = getattr(hand_in.module, given["name"])(*given["arguments"])
    kept = any(value is a for a in given["arguments"])
    observed = {"value": copied(value), "after": copied(given["arguments"])}
    stage[0] += ", called again,"
    others = [np.flip(a) if isinstance(a, np.ndarray) else a for a in given["arguments"]]
    observed["others"] = copied(getattr(hand_in.module, given["name"])(*others))
    return observed | {"lasting": kept or _alike(observed["value"], value)}


def describe(hand_in, given, stage):
    """The gates, the states, and the parameters of its own of a cell."""
    made = getattr(hand_in.module, given["name"])()
    own = made.named_parameters() if hasattr(made, "named_parameters") else {}
    return {"gates": made.gates, "states": made.states, "own": {n: p.data for n, p in own.items()}}


def cell(hand_in, given, stage):
    """One step: forward and, if an upstream gradient is given, backward twice.

    Here and below, "used" says that it is to be used for other numbers before.
    """
    made = getattr(hand_in.module, given["name"])()
    product = Product(made.gates, given["Wh"], given["bh"])
    own = made.named_parameters() if hasattr(made, "named_parameters") else {}
    for name, parameter in own.items():
        if name in given:
            parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    arrays = {"gx": given["gx"]}
    arrays |= {f"{s}_prev": given[f"{s}_prev"] for s in made.states}
    observed = {"gates": made.gates, "states": tuple(made.states),
             "own": {n: p.data for n, p in own.items()}}  # fmt: skip
    state = tuple(arrays[f"{s}_prev"] for s in made.states)
    if "used" in given:
        _forward_again(made, given, state, stage)
    stage[0], before = "forward", _attributes(made)
    returned = made.forward(arrays["gx"], state, product)
    observed["forward"] = (
        returned[0] if isinstance(returned, tuple) and len(returned) == 2 else None
    )
    observed["returned"] = type(returned).__name__
    if isinstance(returned, tuple):
        observed["returned"] = f"a tuple of {len(returned)}"
    cache = returned[1] if observed["forward"] is not None else None
    observed["class"] = cache.__name__ if isinstance(cache, type) else ""
    fields = () if isinstance(cache, type) else getattr(cache, "_fields", ())
    observed["fields"] = {name: copied(getattr(cache, name)) for name in fields}
    observed["held"] = [part for part in map(copied, _parts(cache)) if isinstance(part, np.ndarray)]
    arrays_held = _arrays(cache)
    observed["v"] = {name or "all": list(v) for name, v in product.inputs.items()}
    observed["after"] = {name: array.copy() for name, array in arrays.items()}
    observed["kept"] = sorted(n for n, v in _attributes(made).items() if before.get(n) is not v)
    real = not any(map(np.iscomplexobj, given.values()))  # else a complex step, one of many
    if given["upstream"] is None and observed["forward"] is not None and real:
        observed["forward"] = copied(returned[0])
        _forward_again(made, given, state, stage)
        observed["lasting"] = _alike(observed["forward"], returned[0])
        observed["written"] = _written(arrays_held)
    if given["upstream"] is None or observed["forward"] is None:
        return observed
    alone = None
    if observed["kept"]:  # the cell is used for another step before this one is undone
        stage[0] = "backward"
        alone = copied(_undone(made, given, cache, product)[0])
        _forward_again(made, given, state, stage)
    stage[0] = "backward"
    for name in ("first", "second"):
        for parameter in own.values():
            parameter.grad[...] = 0
        returned, upstream, undo = _undone(made, given, cache, product)
        observed[name] = copied(returned)
        observed["written"] = _written(arrays_held)
        if alone is not None and _alike(alone, observed[name]):
            observed["kept"] = []  # whatever it is, backward does without
        observed[f"{name} given"] = upstream
        observed["asked"] = "".join(made.gates if g is None else g for g in product.inputs)
        observed["undone"] = "".join(gate for gate, noted in undo.noted.items() if noted)
        stage[0] = "weights"
        observed[f"{name} weights"] = {"Wh": undo.weight_gradient(), "bh": undo.da.sum(axis=1)}
        observed[f"{name} own"] = {n: p.grad.copy() for n, p in own.items()}
        stage[0] = "backward, called a second time"
    stage[0] = "backward, called a third time"
    other = tuple(0.5 - u for u in given["upstream"])
    _undone(made, given | {"upstream": other}, cache, product)
    observed["lasting"] = _alike(observed["second"], returned)
    return observed


def _arrays(cache):
    """[(name, array, copy)] of what the cache holds."""
    if isinstance(cache, dict):
        parts = list(cache.items())
    else:
        names = () if isinstance(cache, type) else getattr(cache, "_fields", ())
        parts = list(zip(names, cache, strict=True)) if names else (
            [(f"part {k}", part) for k, part in enumerate(_parts(cache))])  # fmt: skip
    return [(str(n), a, a.copy()) for n, a in parts if isinstance(a, np.ndarray)]


def _written(arrays):
    """The names of those whose numbers have changed."""
    return [name for name, array, before in arrays if not _alike(before, array)]


def _forward_again(made, given, state, stage):
    """Use the cell for another step."""
    stage[0] = "forward, called a second time"
    product = Product(made.gates, given["Wh"], given["bh"])
    made.forward(0.5 - given["gx"], tuple(0.5 - s for s in state), product)


def _undone(made, given, cache, product):
    """(what backward returns, what it was given from above, the way back of the product)."""
    upstream = tuple(u.copy() for u in given["upstream"])
    undo = ProductBackward(product, given["gx"].shape[1], "float64")
    return made.backward(upstream, cache, undo), upstream, undo


def _alike(one, other):
    """Whether two things hold the same, NaN in the same places."""
    if isinstance(one, (tuple, list)):
        pairs = isinstance(other, (tuple, list)) and len(one) == len(other)
        return pairs and all(map(_alike, one, other))
    if isinstance(one, np.ndarray) and one.dtype.kind in "fc":
        return np.shape(one) == np.shape(other) and np.array_equal(one, other, equal_nan=True)
    return np.array_equal(one, other)


def _parts(cache):
    if isinstance(cache, dict):
        return list(cache.values())
    return list(cache) if isinstance(cache, (tuple, list)) else [cache]


def _attributes(thing):
    return dict(getattr(thing, "__dict__", {}))


def linear(hand_in, given, stage):
    """y [N, K], and with dy: dx, dW, db, and the last two after a second backward."""
    K = given["W"].shape[1]
    layer = hand_in.module.Linear(len(given["W"]), K, rng=np.random.default_rng(0))
    for name in ("W", "b"):
        parameter = getattr(layer, name)
        parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    if "used" in given:
        stage[0] = "Linear, used before with other numbers,"
        _with_other_weights(layer, ("W", "b"), lambda: _used_linear(layer, given))
    stage[0], before = "Linear.forward", _attributes(layer)
    y, cache = several(layer.forward(given["x"]), stage[0], "y, cache")
    observed = {"y": copied(y)} | _another(layer, given, before, stage)
    observed["lasting"] = _alike(observed["y"], y)
    if given["dy"] is not None:
        stage[0] = "Linear.backward"
        observed["x"] = layer.backward(given["dy"], cache)
        observed |= {"W": layer.W.grad.copy(), "b": layer.b.grad.copy()}
        layer.backward(given["dy"], cache)
        observed |= {"W twice": layer.W.grad, "b twice": layer.b.grad}
    observed["after"] = {"x": given["x"], "dy": given["dy"], "self.W.data": layer.W.data,
                      "self.b.data": layer.b.data}  # fmt: skip
    return observed


def _used_linear(layer, given):
    _, cache = layer.forward(np.flip(given["x"]))
    if given["dy"] is not None:
        layer.backward(np.flip(given["dy"]), cache)


def _with_other_weights(made, names, use):
    """Use a layer while its weights are others; then they are as before, without a gradient."""
    parameters = [getattr(made, name) for name in names]
    before = [p.data.copy() for p in parameters]
    for p in parameters:
        p.data[...] = 0.5 - p.data
    use()
    for p, data in zip(parameters, before, strict=True):
        p.data[...] = data
        p.grad[...] = 0


def _another(made, given, before, stage, *rest):
    """Call forward with `another` first argument, where there is one; what it keeps on self."""
    if "another" in given:
        stage[0] += ", called a second time,"
        made.forward(given["another"], *rest)
    return {"kept": sorted(n for n, v in _attributes(made).items() if before.get(n) is not v)}


def loss(hand_in, given, stage):
    """The loss of logits [N, K], and with dloss its gradient."""
    made, labels = hand_in.module.CrossEntropy(), given["labels"].astype(int)
    if "used" in given:
        stage[0] = "CrossEntropy, used before with other numbers,"
        _, cache = made.forward(np.flip(given["logits"]), (labels + 1) % given["logits"].shape[1])
        if given["dloss"] is not None:
            made.backward(cache, 0.5)
    stage[0], before = "CrossEntropy.forward", _attributes(made)
    returned = made.forward(given["logits"], labels)
    value, cache = several(returned, stage[0], "loss, cache")
    observed = {"loss": value, "cache": copied(cache)}
    observed |= _another(made, given, before, stage, (labels + 1) % given["logits"].shape[1])
    if given["dloss"] is not None:
        stage[0] = "CrossEntropy.backward"
        observed["logits"] = copied(made.backward(cache, float(given["dloss"])))
        observed["again"] = made.backward(cache, float(given["dloss"]))
    observed["after"] = {"logits": given["logits"], "labels": labels.astype(float)}
    return observed


def copied(thing):
    """The same with copies of its arrays: it may be written into later."""
    if isinstance(thing, (tuple, list)):
        return (list if isinstance(thing, list) else tuple)(map(copied, thing))
    return thing.copy() if isinstance(thing, np.ndarray) else thing


def recurrent(hand_in, given, stage):
    """Output and final states, and with doutput all gradients, once and after a second backward."""
    D, H = given["Wx"].shape[1:]
    kept, cell = np.random.default_rng(0), CELLS[given.get("cell", "PracticeCell")]
    net = hand_in.module.Recurrent(cell, D, H, rng=kept, dtype="float64")
    names = ("Wx", "Wh", "bx", "bh")
    for name in names:
        parameter = getattr(net, name)
        parameter.data, parameter.grad = given[name], np.zeros(given[name].shape)
    state = given["state"]
    sizes = None if given["sizes"] is None else [int(n) for n in given["sizes"]]
    if "used" in given:
        stage[0] = "Recurrent, used before with other numbers,"
        _with_other_weights(net, names, lambda: _used_recurrent(net, given, sizes, state))
    stage[0], before = "forward", _attributes(net)
    returned = net.forward(given["x"], sizes, state)
    output, final, cache = several(returned, "forward", "output, final, cache")
    observed = {"output": copied(output), "final": copied(final)}
    observed |= _another(net, given, before, stage, sizes, state)
    observed["lasting"] = _alike((observed["output"], observed["final"]), (output, final))
    after = {"x": given["x"]} | dict(zip([f"{s}0" for s in cell.states], state or (),
                                         strict=False))  # fmt: skip
    if given["doutput"] is not None:
        stage[0] = "backward"
        returned = net.backward(given["doutput"], cache, given["dfinal"])
        dx, dstate = several(returned, "backward", "dx, dstate")
        observed |= {"x": copied(dx), "dstate": copied(dstate)}
        observed |= {name: getattr(net, name).grad.copy() for name in names}
        observed["after once"] = {
            "doutput": given["doutput"].copy(),
            "dfinal": copied(given["dfinal"]),
        }
        net.backward(given["doutput"], cache, given["dfinal"])
        observed |= {f"{name} twice": getattr(net, name).grad for name in names}
    observed["after"] = after | {f"self.{name}.data": getattr(net, name).data for name in names}
    return observed


def _used_recurrent(net, given, sizes, state):
    other = None if state is None else tuple(0.5 - s for s in state)
    _, _, cache = net.forward(np.flip(given["x"]), sizes, other)
    if given["doutput"] is not None:
        net.backward(np.flip(given["doutput"]), cache, copied(given["dfinal"]))


def sgd(hand_in, given, stage):
    """The parameters, and what stands in their gradients, after each step."""
    parameters = [Parameter(data) for data in given["data"]]
    stage[0] = "SGD"
    rates = [float(rate) for rate in given["rates"]]
    optimizer = hand_in.module.SGD(parameters, rates[0], float(given["momentum"]))
    has_lr = hasattr(optimizer, "lr")
    path, grads, held = [], [], [p.data for p in parameters]
    stage[0] = "SGD.step"
    for rate, gradients in zip(rates, given["gradients"], strict=True):
        if has_lr:
            optimizer.lr = rate
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad[...] = gradient
        optimizer.step()
        path.append([p.data.copy() for p in parameters])
        grads.append([p.grad.copy() for p in parameters])
    same = [p.data is data for p, data in zip(parameters, held, strict=True)]
    return {"path": path, "grads": grads, "same": same, "has lr": has_lr}


def clip(hand_in, given, stage):
    """The norm that is returned, and the gradients after clipping."""
    parameters = [Parameter(np.zeros(g.shape)) for g in given["gradients"]]
    for p, gradient in zip(parameters, given["gradients"], strict=True):
        p.grad[...] = gradient
    stage[0], held = "clip_grad_norm", [p.grad for p in parameters]
    norm = hand_in.module.clip_grad_norm(parameters, float(given["max_norm"]))
    same = [p.grad is grad for p, grad in zip(parameters, held, strict=True)]
    return {"norm": norm, "grads": [p.grad for p in parameters], "same": same}


TASKS = {f.__name__: f for f in (function, describe, cell, linear, loss, recurrent, sgd, clip)}
