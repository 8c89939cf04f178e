"""Weights to and from the layouts of PyTorch, Keras and ONNX, as plain NumPy arrays.

No framework is imported: what goes in and out is what `module.state_dict()`, `layer.get_weights()`
or the initialisers of an ONNX node hold. Gates by our letters (Keras and ONNX call g and n "c"
and "h"), with G gates, D inputs and H hidden units:

               weights of the input, used as          LSTM   GRU   biases of a layer
    minirnn    Wx [G, D, H]             x @ Wx[k]     ifgo   rzn   bx and bh [G, H]
    PyTorch    weight_ih (G*H, D)       x @ W.T       ifgo   rzn   two (G*H,)
    Keras      kernel (D, G*H)          x @ kernel    ifgo   zrn   (G*H,); reset_after: (2, 3*H)
    ONNX       W [directions, G*H, D]   x @ W.T       iofg   zrn   both in B [directions, 2*G*H]

A net with one bias (biases=1) takes the sum of two where that changes nothing, and hands out
(b, 0). It changes something only in a GRU with reset_after=True, whose gate n multiplies the
second bias by r: there the second must be zero.

What stands in no array cannot be seen: the nonlinearity of an RNN, the direction of a net that
reads backwards only (reverse=True here), and whatever else is an attribute of their layer. What
matters is an argument; the net must have been made to match, and what minirnn has not is refused.
Everything is checked before anything is assigned, so a net is either filled or left as it was.
"""

import numpy as np

from .backend import asnumpy
from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .check import one_of, short
from .errors import CheckpointError, ShapeError

PYTORCH = {"h": "h", "ifgo": "ifgo", "rzn": "rzn"}  # {our gates: the same letters in their order}
KERAS = {"h": "h", "ifgo": "ifgo", "rzn": "zrn"}
ONNX = {"h": "h", "ifgo": "iofg", "rzn": "zrn"}


def from_pytorch(net, state, prefix="", reset_after=True):
    """Give an RNN, LSTM or GRU the weights of `torch.nn.RNN`, `LSTM` or `GRU`.

    state: {name: array} as `{k: v.numpy() for k, v in module.state_dict().items()}`; only names
    that begin with `prefix` count ("lstm." for the attribute `lstm` of a larger module).
    reset_after: the form of the GRU that the weights come from. `torch.nn.GRU` has True; a
    module of your own, in the same layout, may have False. The nonlinearity of a `torch.nn.RNN` is
    in no array: make the net with the same one.
    Raises `CheckpointError` where PyTorch has no such net, for a name that is missing or too many
    and for numbers that cannot be taken over, `ShapeError` for another shape.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    theirs = _pytorch_order(net)
    _check_reset(net, reset_after, f"reset_after={reset_after}")
    if not hasattr(state, "items"):
        raise CheckpointError(
            f"state is {short(state)}, but must be a dict of arrays, as module.state_dict() gives"
        )
    shapes, filled = {}, []
    for names, layer in _pytorch_names(net):
        W, R, bias = _shapes(layer)
        shapes |= zip(names, (W, R, bias, bias), strict=False)
    state = {name[len(prefix) :]: a for name, a in state.items() if name.startswith(prefix)}
    where = "the PyTorch state" + (f" under {prefix!r}" if prefix else "")
    arrays = _checked(state, shapes, where)
    for names, layer in _pytorch_names(net):
        filled.append(_layer(layer, theirs, f"{names[-1]} of {where}", *map(arrays.get, names)))
    _assign(net, filled)


def to_pytorch(net, reset_after=True):
    """{name: array} for `load_state_dict` of the same net in PyTorch (`torch.from_numpy` each).

    Raises `CheckpointError` where PyTorch has no such net; for a GRU whose reset gate acts before
    the product, `reset_after=False` says that the reader knows.
    """
    _pytorch_order(net)
    _check_reset(net, reset_after, f"reset_after={reset_after}")
    return _to_pytorch(net, "data")


def gradients_to_pytorch(net):
    """{name: gradient} under PyTorch's names and in its layout; that of one bias is `bias_ih`."""
    return _to_pytorch(net, "grad")


def from_keras(
    net, layers, reset_after=None, *,
    go_backwards=False, activation=None, recurrent_activation="sigmoid",
):  # fmt: skip
    """Give a net the weights of Keras's `SimpleRNN`, `LSTM` or `GRU` layers.

    layers: for every layer and direction of the net, in the order of `net.layers`, the list
    [kernel, recurrent_kernel, bias] of `layer.get_weights()` (without bias where biases=0). A
    `Bidirectional` layer gives two such lists in one: the first half and the second.
    Shapes (D, G*H), (H, G*H), and (G*H,) or, for a GRU with reset_after=True, (2, 3*H).
    reset_after: the GRU's; its bias tells it, so it must be said only where there is none. The
    other arguments are the layer's too: go_backwards needs a net with reverse=True (whose outputs
    stand in the order of x, Keras's in the order of reading), activation is "tanh" or an RNN's
    nonlinearity, and recurrent_activation can only be "sigmoid" (old files have "hard_sigmoid").
    None of these stands in an array: look into `layer.get_config()`.
    Raises `CheckpointError` for arrays that are missing or too many and for numbers that cannot be
    taken over, `ShapeError` for another shape.
    https://keras.io/api/layers/recurrent_layers/gru/
    """
    theirs, cell = _order(net, KERAS, "Keras"), net.layers[0].cell
    if reset_after is not None:
        _check_reset(net, reset_after, f"reset_after={reset_after}")
    elif isinstance(cell, (GRUCell, GRUBeforeCell)) and net.layers[0].bx is None:
        raise CheckpointError(
            "reset_after is None, but must be True or False for a GRU without biases: both forms "
            "have the same arrays; layer.get_config() tells it"
        )
    _check_reverse(net, one_of("go_backwards", go_backwards, (False, True)), "go_backwards")
    _check_activations(net, [activation or _activation(cell)], "activation")
    if gated := not isinstance(cell, RNNCell):
        _check_activations(net, [recurrent_activation], "recurrent_activation", gated)
    _check_length(net.layers, layers, "layers and directions", "Keras")
    filled = []
    for k, (layer, weights) in enumerate(zip(net.layers, layers, strict=True)):
        where = f"entry {k} of Keras's list"
        W, R, bias = _shapes(layer)
        shapes = {"kernel": W[::-1], "recurrent_kernel": R[::-1]}
        if bias:
            shapes["bias"] = (2, *bias) if _two_biases(layer) else bias
        if len(weights) != len(shapes):
            raise CheckpointError(
                f"{where} has {len(weights)} arrays, but this net needs {len(shapes)}: "
                f"{', '.join(shapes)}"
            )
        arrays = _checked(dict(zip(shapes, weights, strict=True)), shapes, where)
        bx = bh = arrays.get("bias")
        if bx is not None:
            bx, bh = bx if _two_biases(layer) else (bx, np.zeros_like(bx))
        W, R = arrays["kernel"].T, arrays["recurrent_kernel"].T
        filled.append(_layer(layer, theirs, f"bias[1] of {where}", W, R, bx, bh))
    _assign(net, filled)


def to_keras(net):
    """[[kernel, recurrent_kernel, bias], ...] for `layer.set_weights`, as `from_keras` takes them.

    A `Bidirectional` layer takes the lists of its two directions joined.
    """
    theirs = _order(net, KERAS, "Keras")
    result = []
    for layer in net.layers:
        W, R, *biases = _rows(layer, theirs)
        if biases:
            bx, bh = biases
            biases = [np.stack([bx, bh]) if _two_biases(layer) else bx + bh]
        result.append([np.ascontiguousarray(W.T), np.ascontiguousarray(R.T), *biases])
    return result


def from_onnx(net, nodes, linear_before_reset=0, *, direction=None, activations=None, **attributes):
    """Give a net the weights of ONNX's RNN, LSTM or GRU nodes.

    nodes: for every layer a dict of W [directions, G*H, D], R [directions, G*H, H] and
    B [directions, 2*G*H] (a missing B is zeros); the direction "bidirectional" is a net with
    bidirectional=True, "reverse" one with reverse=True. linear_before_reset: the attribute of the
    GRU node, whose default in ONNX is 0, the reset before the product; it must fit the net.
    direction, activations and the other attributes of the nodes: give them, as they stand in no
    array; clip, input_forget and layout=1 are refused.
    Raises `CheckpointError` for arrays that are missing or too many and for numbers that cannot be
    taken over, `ShapeError` for another shape.
    https://onnx.ai/onnx/operators/onnx__GRU.html
    """
    theirs = _order(net, ONNX, "ONNX")
    _check_reset(net, bool(linear_before_reset), f"linear_before_reset={linear_before_reset}")
    own = "bidirectional" if net.directions == 2 else "reverse" if net.reverse else "forward"
    if direction is not None and direction != own:
        raise CheckpointError(f"direction is {short(direction)}, but this net's is {own!r}")
    for name, value in attributes.items():
        wanted = {"clip": (None, 0), "input_forget": (0,), "layout": (0,),
                  "hidden_size": (net.hidden_size,)}.get(name, ())  # fmt: skip
        if value not in wanted:
            raise CheckpointError(
                f"{name} is {short(value)}, but minirnn has nothing like it"
                if not wanted else f"{name} is {short(value)}, but must be {wanted[-1]}"
            )  # fmt: skip
    if activations is not None:
        _check_onnx_activations(net, activations)
    _check_length(range(net.num_layers), nodes, "layers", "ONNX")
    filled = []
    for k, node in enumerate(nodes):
        layers = net.layers[k * net.directions : (k + 1) * net.directions]
        W, R, bias = _shapes(layers[0])
        shapes = {"W": (net.directions, *W), "R": (net.directions, *R)}
        if bias:
            shapes["B"] = (net.directions, 2 * bias[0])
            node = dict(node)
            node.setdefault("B", np.zeros(shapes["B"], "float32"))
        arrays = _checked(node, shapes, f"ONNX node {k}")
        for direction, layer in enumerate(layers):
            biases = np.split(arrays["B"][direction], 2) if bias else (None, None)
            name = f"the second half of B[{direction}] of ONNX node {k}"
            W, R = arrays["W"][direction], arrays["R"][direction]
            filled.append(_layer(layer, theirs, name, W, R, *biases))
    _assign(net, filled)


def to_onnx(net):
    """[{"W": .., "R": .., "B": ..}, ...], one dict for the node of each layer.

    The nodes of a GRU need linear_before_reset=1 unless the net was made with reset_after=False.
    A node's output Y is [T, directions, N, H]; the next node wants [T, N, directions * H].
    """
    theirs = _order(net, ONNX, "ONNX")
    rows = [_rows(layer, theirs) for layer in net.layers]
    nodes = []
    for first in range(0, len(rows), net.directions):
        directions = rows[first : first + net.directions]
        W, R, *biases = (np.stack(arrays) for arrays in zip(*directions, strict=True))
        nodes.append({"W": W, "R": R})
        if biases:
            nodes[-1]["B"] = np.concatenate(biases, axis=1)
    return nodes


def _order(net, orders, framework):
    """Their order of this net's gates."""
    if not hasattr(net, "directions"):
        raise CheckpointError(f"net is {short(net)}, but must be an RNN, LSTM or GRU")
    cell = net.layers[0].cell
    if not isinstance(cell, (RNNCell, LSTMCell, GRUCell, GRUBeforeCell)):
        raise CheckpointError(
            f"{framework} has no layer for a {type(cell).__name__}; it has RNN, LSTM and GRU"
        )
    return orders[cell.gates]


def _pytorch_order(net):
    """PyTorch's order of this net's gates; `CheckpointError` for a net that PyTorch has not."""
    order, cell = _order(net, PYTORCH, "PyTorch"), net.layers[0].cell
    if net.reverse:
        raise CheckpointError(
            "PyTorch has no net that reads from the end alone, but this one was made with "
            "reverse=True; turn the sequences around instead"
        )
    if isinstance(cell, RNNCell) and cell.nonlinearity == "identity":
        raise CheckpointError("PyTorch's RNN has tanh or relu, but this net's has the identity")
    return order


def _check_reset(net, reset_after, argument):
    """Both forms of the GRU have the same shapes, so only this check tells them apart."""
    made_after = isinstance(net.layers[0].cell, GRUCell)
    made_before = isinstance(net.layers[0].cell, GRUBeforeCell)
    if made_after and not reset_after or made_before and reset_after:
        raise CheckpointError(
            f"{argument} is a GRU that resets {'after' if reset_after else 'before'} the product "
            f"with the state, but this net was made with reset_after={made_after}"
        )


def _check_reverse(net, reverse, argument):
    if bool(reverse) != net.reverse and net.directions == 1:
        raise CheckpointError(
            f"{argument} is {reverse}, but this net was made with reverse={net.reverse}"
        )


def _activation(cell):
    """The name of the function that makes a cell's output, or its candidate."""
    return cell.nonlinearity if isinstance(cell, RNNCell) else "tanh"


def _check_activations(net, given, argument, gates=False):
    """Each must be what this net has: the sigmoid in gates, else its `_activation`."""
    wanted = "sigmoid" if gates else _activation(net.layers[0].cell)
    for name in given:
        activation = {"linear": "identity", "affine": "identity"}.get(str(name).lower(), name)
        if str(activation).lower() != wanted:
            raise CheckpointError(f"{argument} is {short(name)}, but this net's is {wanted!r}")


def _check_onnx_activations(net, activations):
    """ONNX lists f, g, h: the gates' first, the candidate's, and the LSTM's of c."""
    gates = 0 if isinstance(net.layers[0].cell, RNNCell) else 1
    of_one = gates + 1 + isinstance(net.layers[0].cell, LSTMCell)
    if isinstance(activations, str) or len(activations) != of_one * net.directions:
        raise CheckpointError(
            f"activations is {short(activations)}, but must be a list of {of_one * net.directions}"
        )
    for k, name in enumerate(activations):
        _check_activations(net, [name], "activations", k % of_one < gates)


def _check_length(expected, given, what, framework):
    if not isinstance(given, (list, tuple)):
        raise CheckpointError(
            f"{framework}'s list is {short(given)}, but must have an entry for each of {what}"
        )
    if len(given) != len(expected):
        raise CheckpointError(
            f"{framework}'s list has {len(given)} entries, but this net has {len(expected)} {what}"
        )


def _checked(arrays, shapes, where):
    """{name: NumPy array} in which names, shapes and numbers are what `shapes` asks for."""
    for name, shape in shapes.items():
        if name not in arrays:
            raise CheckpointError(f"{where} has no {name}, but this net needs one of shape {shape}")
    result = {}
    for name, array in arrays.items():
        array = asnumpy(array)
        if name not in shapes:
            raise CheckpointError(
                f"{where} has {name} of shape {array.shape}, but this net has no place for it; "
                f"it takes {', '.join(shapes)}"
            )
        if array.shape != shapes[name]:
            raise ShapeError(
                f"{name} of {where} has shape {array.shape}, but this net needs {shapes[name]}"
            )
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise CheckpointError(
                f"{name} of {where} must hold finite floating-point numbers, but is of type "
                f"{array.dtype}" + (" with NaN or infinity" if array.dtype.kind == "f" else "")
            )
        result[name] = array
    return result


def _assign(net, layers):
    state = {f"layers.{k}.{name}": a for k, layer in enumerate(layers) for name, a in layer.items()}
    net.load_state_dict(state)


def _layer(layer, theirs, bias_name, W, R, bx=None, bh=None):
    """{name: array} for one layer's parameters, of rows (G*H, D) and biases in their order."""
    ours = layer.cell.gates
    result = {"Wx": _from_rows(W, theirs, ours), "Wh": _from_rows(R, theirs, ours)}
    if layer.bx is None:
        return result
    bx, bh = _from_rows(bx, theirs, ours), _from_rows(bh, theirs, ours)
    if layer.bh is not None:
        return result | {"bx": bx, "bh": bh}
    if _two_biases(layer) and bh[ours.index("n")].any():
        raise CheckpointError(
            f"{bias_name} is not zero for gate n, where the reset gate multiplies it, so this "
            "net's one bias cannot hold it; make the net with biases=2"
        )
    return result | {"bx": np.add(bx, bh, dtype="float64")}


def _rows(layer, theirs, part="data"):
    """[W, R, bx, bh] as rows (G*H, ..) in their order; the second bias is 0 where there is one."""
    ours = layer.cell.gates
    arrays = [asnumpy(getattr(p, part)) for p in layer.named_parameters().values()]
    if len(arrays) == 3 and part == "data":
        arrays.append(np.zeros_like(arrays[2]))
    return [_to_rows(array, ours, theirs) for array in arrays]


def _to_pytorch(net, part):
    theirs = _order(net, PYTORCH, "PyTorch")
    return {
        name: array
        for names, layer in _pytorch_names(net)
        for name, array in zip(names, _rows(layer, theirs, part), strict=False)
    }


def _from_rows(rows, theirs, ours):
    """[G, D, H] of rows (G*H, D), or [G, H] of a bias (G*H,)."""
    split = rows.reshape(len(theirs), -1, *rows.shape[1:])
    return split[[theirs.index(gate) for gate in ours]].swapaxes(1, -1)


def _to_rows(array, ours, theirs):
    """The way back: a new array, contiguous as other libraries like it."""
    split = array.swapaxes(1, -1)[[ours.index(gate) for gate in theirs]]
    return np.array(split.reshape(-1, *split.shape[2:]), order="C")


def _shapes(layer):
    """The shapes of one layer as rows: of W, of R, and of each bias."""
    G, D, H = layer.Wx.shape
    return (G * H, D), (G * H, H), None if layer.bx is None else (G * H,)


def _two_biases(layer):
    """Return whether the second bias acts on its own, so that two cannot be one."""
    return isinstance(layer.cell, GRUCell)


def _pytorch_names(net):
    """[(names, layer)] in the net's order."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for k, layer in enumerate(net.layers):
        suffix = f"_l{k // net.directions}" + "_reverse" * (k % net.directions)
        has_bias = layer.bx is not None
        yield [kind + suffix for kind in (kinds if has_bias else kinds[:2])], layer
