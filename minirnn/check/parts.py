"""The parts of training: nets, cells, losses, optimisers, and whether they fit together."""

import copy
import inspect
import warnings

import numpy as np

from ..errors import ArgumentError, CellError, DataError, NumberError, ShapeError
from .arrays import in_range
from .values import one_of, real, whole
from .words import is_scalar, short

PARTS = {  # of training and evaluation: the methods that are called, and how such a thing is made
    "net": (
        ("forward", "backward", "named_parameters", "state_dict"),
        "NameClassifier(...) or a Module of your own",
    ),
    "loss": (("forward", "backward"), "CrossEntropy()"),
    "optimizer": (("step", "zero_grad"), "Adam(net.parameters())"),
    "sequences": (("batch", "counts"), "Sequences(sequences, labels)"),
    "alphabet": (("clean", "encode"), "Alphabet()"),
    "names": (("digest", "counts"), "load_names()"),
}


LISTS = "alphabet", "languages"  # what a net's settings hold beside numbers


def part(name, given, methods=None):
    """Raise `ArgumentError` unless this has the methods of such a part, or those given."""
    usual, cure = PARTS[name]
    methods = methods or usual
    lacking = [m for m in methods if not callable(getattr(given, m, None))]
    if isinstance(given, type) or lacking:
        wanted = f"an object with {' and '.join(methods)}, as {cure}"
        raise ArgumentError(f"{name} is {short(given)}, but must be {wanted}")


def parts_of_evaluation(net, sequences, loss=None, streams=None):
    """Raise `ArgumentError` where one of those that an evaluation joins is something else."""
    part("net", net, ("forward",)), part("sequences", sequences)
    if loss is not None:
        part("loss", loss)
    if whole("streams", streams, none=True):
        carrying(net, f"streams is {streams}")


def parts_of_trainer(net, loss, optimizer, sequences):
    """Raise `ArgumentError` where one of the four that a trainer joins is something else."""
    part("net", net), part("loss", loss, ("forward", "backward", "score"))
    part("optimizer", optimizer), part("sequences", sequences)
    if "training" not in arguments_of(net.forward):
        raise ArgumentError(
            f"{type(net).__name__}.forward takes no training, but must be forward(self, batch, "
            "training=False)"
        )
    if hasattr(optimizer, "parameters"):
        learned_by(optimizer, net)


def known_ids(net, sequences, **parts):
    """Raise `DataError` where one of the parts, places by their names, has an id that the net says
    it does not know."""
    known = getattr(net, "num_symbols", None)
    if known is None or sequences.rows.dtype.kind not in "iu":
        return
    for index in parts.values():
        there = np.zeros(len(sequences), bool)
        there[index] = True
        rows = sequences.rows[np.repeat(there, sequences.lengths)]
        in_range("id", rows, known, DataError, f"the net knows {known:,} symbols, so ")


def arguments_of(function):
    """The names of a function's arguments; with **options, any."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # it is not written in Python
        return ("training",)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return ("training", *parameters) if takes_any else tuple(parameters)


def pair(returned, net):
    """Return what a net's forward has returned; `ArgumentError` unless it is (outputs, cache)."""
    if not isinstance(returned, tuple) or len(returned) != 2:
        given = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else short(returned)
        raise ArgumentError(
            f"{type(net).__name__}.forward returns {given}, but must return (outputs, cache)"
        )
    return returned


def learned_by(optimizer, net):
    """Raise `ArgumentError` unless an optimiser has all parameters of a net but the frozen ones."""
    given, named = set(map(id, optimizer.parameters)), net.named_parameters()
    if not given & set(map(id, named.values())):
        raise ArgumentError(
            "optimizer has no parameter of this net, but must be made of net.parameters()"
        )
    for name, parameter in named.items():
        if parameter.frozen and id(parameter) in given:
            raise ArgumentError(f"{name} is frozen, but the optimizer has it: make that afterwards")
        if not parameter.frozen and id(parameter) not in given:
            raise ArgumentError(
                f"the optimizer has not {name}: make it of net.parameters() when the net is whole, "
                "and freeze what is not to be learned"
            )


def acts_between_layers(dropout, num_layers):
    """Warn where a stack of one layer has a dropout."""
    if dropout and num_layers == 1:
        text = f"dropout={dropout} has no effect with one layer: it acts between layers"
        warnings.warn(text, stacklevel=4)


def is_parameter(thing):
    """Whether this is a `Parameter`, which the core alone can name."""
    return hasattr(thing, "frozen") and hasattr(thing, "grad")


def cell_for_each(cell, number, rng):
    """Return so many cells for as many layers: the one that was given, and copies of it where it
    has parameters of its own; rng stays the same. `CellError` for what cannot be copied."""
    if isinstance(cell, type) or not getattr(cell, "named_parameters", dict)():
        return [cell] * number
    try:
        copies = [copy.deepcopy(cell, {id(rng): rng}) for _ in range(number - 1)]
    except Exception as error:
        name = type(cell).__name__
        text = f"{name} cannot be copied ({error}), but every layer needs one: give its class"
        raise CellError(text) from None
    return [cell, *copies]


def stays_parameter(before, name, value):
    """Raise `ArgumentError` where a module's parameter would be lost for something else."""
    if is_parameter(before) and value is not None and not is_parameter(value):
        raise ArgumentError(
            f"{name} is a Parameter, but would become {short(value)}: write into its array, "
            f"{name}.data[...] = ..."
        )


def counted(sequences, **parts):
    """Raise `DataError` where a part, places by its name, has no target that counts."""
    for name, index in parts.items():
        if not sequences.number(index):
            raise DataError(
                f"all targets of {name} are {sequences.ignore_index}, the ignore_index: one must "
                "count"
            )


def batch_of(given, only_one=False):
    """Return a `Batch`, or what has its fields, of one sequence if that is asked for;
    `ArgumentError` for anything else."""
    if not all(hasattr(given, name) for name in ("x", "sizes", "labels")):
        raise ArgumentError(
            f"batch is {short(given)}, but must be a Batch, as sequences.batch([0, 1]) gives"
        )
    if only_one and given.sizes is not None and given.sizes[0] != 1:
        raise ArgumentError(
            f"batch has {given.sizes[0]} sequences, but must have one, as sequences.batch([0])"
        )
    return given


def carried(state, order):
    """Return the state with which sequences begin, in this order, places [n]; what others have
    after them is left out. None for None, `ShapeError` unless it is a tuple of arrays
    [layers, N, H] with N at least n."""
    if state is None:
        return None
    number, moved = len(order), bool((np.diff(order) < 0).any())
    arrays = state if isinstance(state, (tuple, list)) else [None]
    shapes = [getattr(array, "shape", ()) for array in arrays]
    if not arrays or any(len(shape) != 3 or shape[1] < number for shape in shapes):
        wanted = f"a tuple of arrays [layers, N, H] with N at least {number}"
        raise ShapeError(f"state is {short(state)}, but must be {wanted}")
    return tuple(array[:, order if moved else slice(number)] for array in arrays)


def carrying(net, given="sampling is streams"):
    """Raise `ArgumentError` where a net cannot go on with the state of an earlier batch."""
    if not hasattr(net, "first_state"):
        raise ArgumentError(
            f"{given}, but {type(net).__name__} carries no state on; take a StepModel"
        )
    recurrent = getattr(net, "recurrent", None)
    if getattr(recurrent, "directions", 1) == 2 or getattr(recurrent, "reverse", False):
        raise ArgumentError(
            f"{given}, but the net reads backwards, where no state can be carried on: "
            "take one direction"
        )


def one_output_each(outputs, batch, least=0):
    """Raise `ShapeError` unless the net has an output for each target, at least so many wide."""
    if outputs.shape[:1] != batch.labels.shape[:1]:
        given = f"{len(outputs)} outputs, but there are {len(batch.labels)} targets"
        raise ShapeError(
            f"the net has {given}: labels, one for each sequence, go with NameClassifier, and "
            "targets, one for every step, with StepModel"
        )
    if outputs.shape[-1] < least:
        what = "classes" if batch.labels.dtype.kind in "iu" else "numbers to say at once"
        raise ShapeError(f"the net has {outputs.shape[-1]} outputs, but there are {least} {what}")


def forget_bias_of(given, gates, biases):
    """Return a first value for the bias of gate f, or None; `ArgumentError` where there is none."""
    real("forget_bias", given, none=True)
    if given is not None and not ("f" in gates and biases):
        lacks = "no biases" if "f" in gates else f"gates {gates}, no f"
        raise ArgumentError(f"forget_bias is {given}, but must be None: this has {lacks}")
    return given


def truncation(truncate, turned):
    """Return after how many steps gradients are cut, or None; `ArgumentError` for what is neither,
    and for a net that is turned: that reads backwards."""
    if whole("truncate", truncate, none=True) and turned:
        why = "its backward direction starts at the end of the sequence; use one direction"
        net = "a bidirectional or reverse net"
        raise ArgumentError(f"truncate has no meaning for {net}: {why}")
    return truncate


def of_layers(name, array, number):
    """Return the array; `ShapeError` unless it is [number of layers and directions, N, H]."""
    if array.ndim != 3 or len(array) != number:
        wanted = f"[{number}, N, H]: the net has {number} layers and directions"
        raise ShapeError(f"the {name} has shape {array.shape}, but must have {wanted}")
    return array


def made(cell):
    """Return a cell, made where its class is given; `CellError` where that takes arguments."""
    try:
        return cell() if isinstance(cell, type) else cell
    except TypeError as error:
        text = f"{cell.__name__}() fails, but a cell must be made without arguments: {error}"
        raise CellError(text) from error


def one_for_each(gates, da):
    """Raise `CellError` unless da holds an array for each of these gates."""
    shape = getattr(da, "shape", None)
    if len(da) != len(gates) or shape is not None and len(shape) != 3:
        given = f"{len(da)} arrays" if shape is None else f"one array of shape {shape}"
        raise CellError(
            f"product.backward was given {given}, but must be given a tuple of {len(gates)}, "
            f"one [n, H] for each of {', '.join(gates)}"
        )
    for gate, one in zip(gates, da, strict=True):
        if isinstance(one, (tuple, list)):
            raise CellError(
                f"product.backward was given a {type(one).__name__} for gate {gate}, but must be "
                f"given one array [n, H], as in product.backward(da, {gate!r})"
            )


def first_gate_of(gates, own):
    """Return where these gates begin among the cell's own; `CellError` unless they are there side
    by side."""
    first = own.find(gates) if isinstance(gates, str) else -1
    if first < 0 or not gates:
        raise CellError(
            f"product(v, {gates!r}): the cell's gates are {own!r}; ask for some that stand there "
            "side by side"
        )
    return first


def once_a_step(gates, given, rows):
    """Raise `CellError` where a cell asked for the product of other rows than there are."""
    if given != rows:
        raise CellError(
            f"the cell called product(v, {gates!r}) for {given} rows, but there are {rows}: it "
            "must be called once in every step"
        )


def parts_of(state, names, what):
    """The list of a state's arrays, None for what is left out; a bare array is that of one name.

    Raises `ShapeError` for another number of arrays.
    """
    if state is None:
        return [None] * len(names)
    bare = len(names) == 1 and not isinstance(state, (tuple, list))
    parts = [state] if bare else list(state) if isinstance(state, (tuple, list)) else []
    if len(parts) != len(names):
        given = f"has {len(parts)} arrays" if parts else f"is {short(state)}"
        raise ShapeError(f"the {what} {given}, but the cell's is {names}: a tuple of arrays")
    return parts


def parameters_of(given):
    """Return a list of parameters; `ArgumentError` where there are none, one is there twice, or
    they are something else."""
    parameters = [given] if is_scalar(given) or not hasattr(given, "__iter__") else list(given)
    others = [p for p in parameters if not hasattr(p, "grad")]
    if not parameters or others or len(set(map(id, parameters))) < len(parameters):
        given = f"has {short(others[0])}" if others else "has one twice"
        given = given if parameters else "is empty"
        raise ArgumentError(f"parameters {given}, but must be a list, as net.parameters() gives")
    return parameters


def of_one_type(parameters):
    """Raise `ArgumentError` where parameters have not all one type."""
    dtypes = sorted({str(p.data.dtype) for p in parameters})
    if len(dtypes) > 1:
        types, own = " and ".join(dtypes), {str(p.data.dtype): f"{p!r}" for p in parameters}
        where = ", ".join(f"{own[dtype]} of {dtype}" for dtype in dtypes)
        raise ArgumentError(f"the parameters are of types {types}, but must be of one: {where}")


def net_of(settings, cls, nets):
    """Return what settings say: (the class of a net that they name, or this class; how many
    symbols and classes; its other options). `ArgumentError` unless they are a dict with all that a
    net is made from."""
    name = settings.get("net", cls.__name__) if isinstance(settings, dict) else cls.__name__
    one_of("net", name, nets)
    names = "model", "alphabet", *["languages"] * (name == "NameClassifier"), *cls.SIZES
    lacking = [name for name in names if not isinstance(settings, dict) or name not in settings]
    lacking += [n for n in LISTS if not lacking and n in settings
                and not hasattr(settings[n], "__len__")]  # fmt: skip
    if lacking:
        wanted = f"a dict with {lacking[0]}{', a list or a text' * (lacking[0] in LISTS)}"
        raise ArgumentError(f"settings is {short(settings)}, but must be {wanted}")
    said = settings["languages" if name == "NameClassifier" else "alphabet"]
    options = {"dropout": 0.0, **{n: settings[n] for n in (*cls.SIZES, "dropout") if n in settings}}
    return nets[name], (len(settings["alphabet"]), len(said)), options


def not_finite_error(what, weights, gradients, clip):
    """Return the `NumberError` that says what is not finite, which array of these is the first, and
    what to try. weights, gradients: {name: array}."""
    smaller = clip / 10 if clip and clip < np.inf else 1.0
    cure = f"try a smaller --lr, or --clip {smaller:g} (in code: lr, clip={smaller:g})"
    return NumberError(f"{what}{_first_bad(weights, gradients)}; {cure}")


def _first_bad(weights, gradients):
    with np.errstate(all="ignore"):
        for name, array in weights.items():
            if not np.isfinite(array).all():
                return f"; the first bad parameter is {name}"
        for name, array in gradients.items():
            if not np.isfinite((array**2).sum()):  # overflows before the gradient does
                return f"; the first bad gradient is that of {name}"
    return ""
