"""The mistakes that a user can make, each as an exception that scripts print as one sentence; and
the checks that every part shares, of what is given where an object is made."""

import numbers
import operator
import os
import unicodedata
import warnings
from collections import Counter
from pathlib import Path

import numpy as np


class MinirnnError(Exception):
    """Something outside the code is wrong; the message says what, and what to do about it."""


class DataError(MinirnnError, ValueError):
    """A data folder, a file, a name or a label that cannot be used."""


class ArgumentError(MinirnnError, ValueError):
    """A size, a hyper-parameter or another argument that is not what it must be."""


class ShapeError(ArgumentError):
    """Two shapes, sizes or types that do not fit; the message names both."""


class BackendError(MinirnnError, RuntimeError):
    """The array backend that was asked for cannot be used on this machine."""


class MixedArraysError(MinirnnError, TypeError):
    """Arrays of two backends met in one computation."""


class NumberError(MinirnnError, ArithmeticError):
    """A loss or a gradient became NaN or infinite."""


class CellError(MinirnnError, TypeError):
    """A cell class that does not keep the contract of `minirnn.cells`."""


class GraderError(MinirnnError, RuntimeError):
    """The grader's own trouble, a full disk say; it tells nothing about the hand-in."""


class CheckpointError(MinirnnError, ValueError):
    """A file of weights that cannot be read, or does not fit the net."""


# Checks. Each takes the argument's name and what was given, and returns it in Python's own types:
# NumPy's numbers are numbers, True and False are none.

SWITCH = True, False
LARGEST = float(2**1000)  # a whole number can be larger than any float
NOT_NEGATIVE = "a finite number, at least 0", lambda x: 0 <= x < LARGEST
ABOVE_0 = "a finite number above 0", lambda x: 0 < x < LARGEST
SHARE = "a number, at least 0 and below 1", lambda x: 0 <= x < 1
PART = "a number from 0 to 1", lambda x: 0 <= x <= 1
NORMALISER = "mean, sum or a finite number above 0", ABOVE_0[1]
LIMIT = "a number above 0", lambda x: x > 0  # infinity limits nothing
FINITE = "a finite number", lambda x: abs(x) < 3e38  # that float32 holds too
SIZES = {  # the most that there can be of what takes memory; of other whole numbers 2^62
    **dict.fromkeys(["input_size", "hidden_size", "in_features", "out_features", "embedding",
                     "num_embeddings", "embedding_dim", "num_symbols", "num_classes"], 10**8),
    "num_layers": 1000,
}  # fmt: skip
FEW_IDS = 16  # Python looks at so few faster than NumPy


def whole(name, number, least=1, none=False):
    """A whole number as an int, or None where that is allowed; `ArgumentError` for anything else,
    or one below `least`."""
    if none and number is None:
        return None
    kind = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    most = SIZES.get(name, 2**62)
    if not kind or number > most or number < (-most if least is None else least):
        bound = "" if least is None else f", at least {least}"
        bound = bound if not kind or number <= most else f", at most {most:,}"
        raise ArgumentError(
            f"{name} is {short(number)}, but must be a whole number{bound}{' or None' * none}"
        )
    return int(number)


def real(name, number, kind=FINITE, none=False):
    """A number of this kind, one of those above, or None where that is allowed; `ArgumentError`
    for anything else."""
    if none and number is None:
        return None
    wanted, allowed = kind
    is_real = isinstance(number, numbers.Real) and not isinstance(number, bool)
    plain = number if not is_real or isinstance(number, int) else float(number)
    if not is_real or not allowed(plain):
        raise ArgumentError(f"{name} is {short(number)}, but must be {wanted}{' or None' * none}")
    return plain


def not_negative(**given):
    """Return these numbers, each given by its name, all at least 0; else `ArgumentError`."""
    return [real(name, number, NOT_NEGATIVE) for name, number in given.items()]


def above_0(**given):
    """Return a number, given by its name, above 0; else `ArgumentError`."""
    ((name, number),) = given.items()
    return real(name, number, ABOVE_0)


def one_of(name, value, choices):
    """One of these; `ArgumentError`, which lists them, for anything else."""
    if not any(value is choice or _same(value, choice) for choice in choices):
        listed = ", ".join(map(str, choices))
        raise ArgumentError(f"{name} is {short(value)}, but must be one of: {listed}")
    return value


def schedule_of(given):
    """Return a function of the step that gives a learning rate, tried at step 0, or None;
    `ArgumentError` for anything else."""
    if given is not None and not callable(given):
        raise ArgumentError(f"schedule is {short(given)}, but must be a function or None")
    try:
        if given is not None:
            rate_of(given, 0)
    except TypeError as error:
        wanted = "a function of the step alone"
        raise ArgumentError(f"schedule(0) fails ({error}), but must be {wanted}") from None
    return given


def rate_of(schedule, step):
    """Return the learning rate of a step; `ArgumentError` where it is none."""
    return real(f"schedule({step})", schedule(step), NOT_NEGATIVE)


PARTS = {  # of training and evaluation: the methods that are called, and how such a thing is made
    "net": (("forward", "backward"), "NameClassifier(...)"),
    "loss": (("forward", "backward"), "CrossEntropy()"),
    "optimizer": (("step", "zero_grad"), "Adam(net.parameters())"),
    "sequences": (("batch", "counts"), "Sequences(sequences, labels)"),
    "alphabet": (("clean", "encode"), "Alphabet()"),
    "names": (("digest", "counts"), "load_names()"),
}


def part(name, given, methods=None):
    """Raise `ArgumentError` unless this has the methods of such a part, or those given."""
    usual, cure = PARTS[name]
    methods = methods or usual
    lacking = [m for m in methods if not callable(getattr(given, m, None))]
    if isinstance(given, type) or lacking:
        wanted = f"an object with {' and '.join(methods)}, as {cure}"
        raise ArgumentError(f"{name} is {short(given)}, but must be {wanted}")


def evaluated(net, sequences, loss=None, streams=None):
    """Raise `ArgumentError` where one of those that an evaluation joins is something else."""
    part("net", net, ("forward",)), part("sequences", sequences)
    if loss is not None:
        part("loss", loss)
    if whole("streams", streams, none=True):
        carrying(net, f"streams is {streams}")


def batch_of(given):
    """Return a `Batch`, or what has its fields; `ArgumentError` for anything else."""
    if not all(hasattr(given, name) for name in ("x", "sizes", "labels")):
        raise ArgumentError(
            f"batch is {short(given)}, but must be a Batch, as sequences.batch([0, 1]) gives"
        )
    return given


def carried(state, number):
    """Return the state with which so many sequences begin, without what others have after them;
    None for None, `ShapeError` unless it is a tuple of arrays [layers, N, H] with N as many."""
    if state is None:
        return None
    arrays = state if isinstance(state, (tuple, list)) else [None]
    shapes = [getattr(array, "shape", ()) for array in arrays]
    if not arrays or any(len(shape) != 3 or shape[1] < number for shape in shapes):
        wanted = f"a tuple of arrays [layers, N, H] with N at least {number}"
        raise ShapeError(f"state is {short(state)}, but must be {wanted}")
    return tuple(array[:, :number] for array in arrays)


def told(**given):
    """Raise `ArgumentError` where one of these is neither None nor a function."""
    for name, one in given.items():
        if one is not None and (not callable(one) or isinstance(one, type)):
            raise ArgumentError(f"{name} is {short(one)}, but must be a function or None")


def text_of(name, given):
    """Return a text; `ArgumentError` for anything else."""
    if not isinstance(given, str):
        raise ArgumentError(f"{name} is {short(given)}, but must be text")
    return given


def trained(net, loss, optimizer, sequences):
    """Raise `ArgumentError` where one of the four that a trainer joins is something else."""
    part("net", net), part("loss", loss), part("optimizer", optimizer), part("sequences", sequences)
    if hasattr(net, "parameters") and hasattr(optimizer, "parameters"):
        own = set(map(id, net.parameters()))
        if not own & set(map(id, optimizer.parameters)):
            raise ArgumentError(
                "optimizer has no parameter of this net, but must be made of net.parameters()"
            )


def generator(rng):
    """A `numpy.random.Generator`, for None a fresh one; `ArgumentError` for a seed or the older
    RandomState."""
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        given = short(rng)
        raise ArgumentError(f"rng is {given}, but must be a Generator: np.random.default_rng(0)")
    return rng


def floating(name, dtype):
    """A floating (or complex) dtype; `ArgumentError` for another, or what is none."""
    try:
        result = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # of text that is no UTF-8, or half a type
        result = None
    if dtype is None or result is None or result.kind not in "fc":
        raise ArgumentError(f"{name} is {short(dtype)}, but must be float32 or float64")
    return result


def as_array(given):
    """Return an array of a list or the like; one of objects where NumPy makes none."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError):  # a ragged list; a tensor with a gradient
        array = np.empty(0, object)
    return np.empty(array.shape, object) if _is_masked(given) else array


def as_numbers(name, given, axes=0):
    """Return an array of numbers with at least so many axes, of a list or the like; `ShapeError`
    for the rest."""
    array = as_array(given)
    if array.dtype.kind not in "iufc":
        raise ShapeError(f"{name} is {short(given)}, but must be an array or a list of numbers")
    if array.ndim < axes:
        raise ShapeError(f"{name} has shape {array.shape}, but must have at least {axes} axes")
    return array


def as_host(given):
    """Return what NumPy makes of this; `ShapeError` where it makes nothing."""
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        wanted = "an array, or lists of one length each"
        raise ShapeError(f"array is {short(given)}, but must be {wanted}") from None


def filling(value, dtype):
    """Return a value with which an array of this type can be filled; `ShapeError` for others."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            put = np.full((), value, dtype)
            fits = np.ndim(value) == 0 and (dtype.kind not in "iub" or put == value)
        kinds = (numbers.Number if dtype.kind == "c" else numbers.Real), np.bool_
        fits = fits and (dtype.kind not in "iubfc" or isinstance(value, kinds))
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise ShapeError(f"value is {short(value)}, but must be one that {dtype} can hold")
    return value


def shaped(make, name, given, dtype):
    """Return make(given, dtype=dtype), an array; `ShapeError` in words where NumPy makes none, or
    none of numbers."""
    try:
        dtype = None if dtype is None else np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        text = f"dtype is {short(dtype)}, but must be one of NumPy's, such as 'float32'"
        raise ShapeError(text) from None
    try:
        array = make(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        wanted = "an array, or lists of numbers, of one length each"
        raise ShapeError(f"{name} is {short(given)}, but must be {wanted}") from None
    words = given is None or isinstance(given, (str, bytes)) or array.dtype.kind not in "biufc"
    given_kind = given.dtype.kind if hasattr(given, "dtype") else as_array(given).dtype.kind
    if words or _is_masked(given) or (given_kind == "c" != array.dtype.kind):
        raise ShapeError(f"{name} is {short(given)}, but must be an array or a list of numbers")
    return array


def numbers_in(name, given):
    """Return a list as an array of numbers, anything else as it is; `ShapeError` for words."""
    return as_numbers(name, given) if isinstance(given, (list, tuple)) else given


def embedding_of(given):
    """Return a list as an array, anything else as it is; `ShapeError` for an array with what is no
    finite real number."""
    given = numbers_in("embedding", given)
    if hasattr(given, "dtype") and given.ndim:
        real_ = given.dtype.kind in "iuf" and bool((given - given == 0).all())
        if not real_ or _is_masked(given):
            raise ShapeError(f"embedding is {short(given)}, but must hold finite real numbers")
    return given


def first_outside(ids, size):
    """The first of `ids`, whole numbers on the host in any shape, that is not in 0 .. size - 1;
    None where all are."""
    if ids.size <= FEW_IDS:
        return next((k for k in ids.ravel().tolist() if not 0 <= k < size), None)
    most = min(size, np.iinfo(ids.dtype).max + 1)  # a small type may have no number as large
    if ids.view(ids.dtype.str.replace("i", "u")).max() < most:  # below 0 is then a large number
        return None
    return next((k for k in ids.ravel().tolist() if not 0 <= k < size), None)


def check_shape(name, array, shape, other="must have", note=""):
    """The array itself; `ShapeError` unless it has this shape, which is that of something other."""
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, but {other} {shape}{note}")
    return array


def in_range(what, values, size, error=ShapeError, note=""):
    """Raises `error` where one of `values`, ids or labels in any shape, is not in 0 .. size - 1.

    Those on a GPU are passed over: reading them would stop it, and those that come from this
    library's data loader were checked on the host.
    """
    if not isinstance(values, np.ndarray):
        return
    if values.dtype.kind not in "iu":
        raise error(f"{_many(what)} must be whole numbers, but are of type {values.dtype}")
    if values.size == 0:
        return
    wrong = first_outside(values, size)
    if wrong is not None:
        raise error(f"{what} {wrong} is out of range: {note}it must be 0 to {size - 1}")


def labels_of(what, labels, number, size):
    """Labels [N] of so many sequences (None: of any number), in 0 .. size - 1 (None: at least 0),
    as int64; or guesses.

    Raises `DataError` for anything else.
    """
    array = as_array(labels)
    number = array.size if number is None else number
    if array.shape != (number,) or not number:
        shape = "" if array.ndim == 1 else f" of shape {array.shape}, which is not [N]"
        raise DataError(f"there are {number} sequences, but {array.size} {_many(what)}{shape}")
    in_range(what, array, 2**62 if size is None else whole("num_classes", size), DataError)
    return array.astype(np.int64, copy=False)


def targets_of(sequences, labels, targets, num_classes, ignore_index, dtype):
    """(what a net shall say, K): classes as int64 and how many, or numbers [.., K] of this dtype.

    labels: one for each of the sequences, [N]; or targets: one for every step of each, which come
    back one sequence after the other, [S]. Raises `ArgumentError` where neither or both are given,
    and `DataError` for anything else that cannot be.
    """
    if (labels is None) == (targets is None):
        given = "neither is" if labels is None else "both are"
        raise ArgumentError(
            "labels are one for each sequence and targets one for every step, but "
            f"{given} given: one must be"
        )
    what, number = "label", len(sequences)
    if targets is not None:
        labels = _joined_targets(sequences, listed("targets", targets, DataError))
        what, number = "target", len(labels)
    try:
        array = np.asarray(labels)
    except (ValueError, TypeError):
        raise DataError(f"the {what}s are {short(labels)}, but must be an array") from None
    if array.dtype.kind != "f" or num_classes is not None or not array.size:  # classes
        ignored = np.zeros(array.shape, bool)
        if ignore_index is not None:
            ignored = array == ignore_index
        filled = np.where(ignored, 0, array) if ignored.any() else array
        classes = labels_of(what, filled, number, num_classes)
        if ignored.all():
            raise DataError(f"all {what}s are {ignore_index}, the ignore_index: none is left")
        most = num_classes or int(classes.max()) + 1
        return (np.where(ignored, ignore_index, classes) if ignored.any() else classes), most
    if array.ndim not in (1, 2) or len(array) != number:
        wanted = f"[{number}] or [{number}, K]"
        raise DataError(f"the {what}s have shape {array.shape}, but must be {wanted}")
    if ignore_index is not None:
        raise ArgumentError(f"ignore_index is {ignore_index}, but numbers have none: leave it out")
    numbers = finite(f"the {what}s", array.reshape(number, -1), dtype)
    return numbers, numbers.shape[1]


def _joined_targets(sequences, targets):
    if len(targets) != len(sequences):
        raise DataError(
            f"there are {len(sequences)} sequences, but {len(targets)} lists of targets"
        )
    arrays = [as_numbers(f"the targets of sequence {k}", y) for k, y in enumerate(targets)]
    for k, (x, y) in enumerate(zip(sequences, arrays, strict=True)):
        if not y.ndim or hasattr(x, "__len__") and not _is_scalar(x) and len(y) != len(x):
            given = f"{len(y)} targets" if y.ndim else f"the target {short(targets[k])}"
            raise DataError(
                f"sequence {k} has {len(x)} steps, but {given}: give one for every step, or "
                "labels, one for each sequence"
            )
        first = arrays[0]
        if (y.shape[1:], y.dtype.kind == "f") != (first.shape[1:], first.dtype.kind == "f"):
            raise DataError(
                f"the targets of sequence {k} have shape {y.shape} of type {y.dtype}, but those of "
                f"sequence 0 {first.shape} of {first.dtype}: all must be alike"
            )
    return np.concatenate(arrays) if arrays else np.empty(0, int)


def inputs_of(sequences, num_symbols, dtype):
    """(rows [S, ...], lengths [N]) of sequences of ids in 0 .. num_symbols - 1 (None: at least 0),
    or of features, in this dtype; `DataError` for anything else."""
    rows, lengths = joined(sequences, DataError)
    ids, num_symbols = rows.dtype.kind in "iu", whole("num_symbols", num_symbols, none=True)
    if rows.ndim != (1 if ids else 2):
        given = f"sequence 0 has shape {np.shape(sequences[0])} of type {rows.dtype}"
        wanted = "whole numbers [T], and features [T, D] such as x.astype('float32')"
        raise DataError(f"{given}, but ids must be {wanted}")
    if not ids:
        return finite("the sequences", rows, dtype), lengths
    in_range("id", rows, num_symbols or 2**62, DataError)
    return rows, lengths


def finite(what, array, dtype):
    """The array in this dtype; `DataError` where a number in it is not finite."""
    with np.errstate(over="ignore"):  # said in words
        array = array.astype(dtype)
    if not np.isfinite(array).all():
        raise DataError(f"{what} hold NaN or infinite numbers, but must be finite")
    return array


def encoded(names, alphabet):
    """Return the ids of the letters of each of the `Names`; `ArgumentError` for what is none, or
    no alphabet."""
    part("names", names), part("alphabet", alphabet)
    return [alphabet.encode(name) for name in names.names]


def places(name, index, size):
    """Places [n] in a list of this size, from what NumPy and scikit-learn take for them: whole
    numbers, below 0 from the end, or a mask with True for each that is meant.

    Raises `DataError` for anything else, and for none.
    """
    array = as_array(index)
    if array.dtype == bool and array.shape == (size,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        given = f"{short(index)} of type {array.dtype}" if array.size else "empty"
        raise DataError(f"{name} is {given}, but must hold whole numbers, or a mask of {size:,}")
    if array.min() < -size or array.max() >= size:
        wrong = next(k for k in array.tolist() if not -size <= k < size)
        raise DataError(f"{name} has {wrong}, but there are {size:,}: it must be 0 to {size - 1:,}")
    array = array.astype(np.int64, copy=False)
    return np.where(array < 0, array + size, array) if array.min() < 0 else array


def places_in(name, index, sequences):
    """Places [n] in these `Sequences`; `ArgumentError` where they are something else."""
    part("sequences", sequences)
    return places(name, index, len(sequences))


def joined(sequences, error, kinds="iuf"):
    """(rows [S, ...], lengths [N]) of a list of arrays [length, ...]: one after the other.

    kinds: NumPy's letters of the types that may be. Raises `error` where there is none, or one is
    empty, no such array, or unlike the first.
    """
    arrays = []
    for k, given in enumerate(listed("sequences", sequences, error)):
        array = as_array(given)
        if array.shape[:1] == (0,) and hasattr(given, "__len__") and not len(given):
            raise error(f"sequence {k} is empty, but every sequence needs at least one element")
        if array.ndim == 0 or array.dtype.kind not in kinds:
            raise error(
                f"sequence {k} is {short(given)}, but must be an array: of ids, as Alphabet.encode "
                "gives, or of features [T, D]"
            )
        if array.dtype == np.uint64:
            if array.size and array.max() >= 2**63:
                raise error(f"sequence {k} has {array.max()}, but must be below 2^63")
            array = array.astype(np.int64)
        first = arrays[0] if arrays else array
        if array.shape[1:] != first.shape[1:]:
            raise error(
                f"sequence {k} has shape {array.shape}, but sequence 0 has {first.shape}: "
                "all but the first axis must agree"
            )
        if array.dtype.kind.replace("u", "i") != first.dtype.kind.replace("u", "i"):
            raise error(
                f"sequence {k} is of type {array.dtype}, but sequence 0 of {first.dtype}: all must "
                "be of one kind"
            )
        arrays.append(array)
    if not arrays:
        raise error("there are no sequences, but there must be one, with at least one element")
    return np.concatenate(arrays), np.array([len(array) for array in arrays])


def listed(name, given, error):
    """Return a list of what was given; `error` where it holds nothing that can be gone through."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__") or _is_scalar(given):
        raise error(f"{name} is {short(given)}, but must be a list of arrays")
    return list(given)


def whole_sizes(sizes, name="sizes"):
    """The sizes in Python's own integers: NumPy's small ones overflow; `ShapeError` for others."""
    try:
        sizes = list(sizes)
        if bool in map(type, sizes):
            raise TypeError
        return list(map(operator.index, sizes))
    except TypeError:
        cure = "; the state goes by name, as state=(h0, ...)" if name == "sizes" else ""
        raise ShapeError(
            f"{name} must be a list of whole numbers, but is {short(sizes)}{cure}"
        ) from None


def padded(x, lengths, batch_first):
    """Return (x as [N, T, ...], lengths [N], each 1 to T) of sequences padded to one length.

    Raises `ShapeError` where they do not fit.
    """
    x, lengths = as_numbers("x", x), whole_sizes(lengths, "lengths")
    first = one_of("batch_first", batch_first, (True, False))
    axes = "[N, T, ...]" if first else "[T, N, ...]"
    if x.ndim < 2:
        raise ShapeError(f"x has shape {x.shape}, but must be {axes}")
    rows = x if first else x.swapaxes(0, 1)
    if len(lengths) != len(rows) or not all(1 <= n <= rows.shape[1] for n in lengths):
        wanted = f"one from 1 to {rows.shape[1]} for each of {len(rows)} sequences"
        given = f"x has shape {x.shape}, {axes}, and lengths {short(lengths)}"
        raise ShapeError(f"{given}, but lengths must hold {wanted}")
    return rows, lengths


def steps_of(x, sizes, width):
    """Return the sizes of packed rows x, [S, width] or ids [S]; None for dense ones, [T, N, width]
    or ids [T, N].

    Raises `ShapeError` where x has another width, or does not fit its sizes, or those are no list
    of whole numbers.
    """
    ids = x.dtype.kind in "iu"
    sizes = None if sizes is None else whole_sizes(sizes)
    if ids and x.ndim != (2 if sizes is None else 1):
        given = f"x has shape {x.shape} of whole numbers, which are ids"
        wanted = "features must be floating-point, as x.astype('float32')"
        raise ShapeError(f"{given}: they must be [T, N], or [S] with sizes; {wanted}")
    if not ids and x.shape[-1:] != (width,):
        raise ShapeError(f"x has shape {x.shape}, but its last axis must be {width} wide")
    if sizes is None:
        if not ids and x.ndim != 3 or 0 in x.shape:
            wanted = f"[T, N, {width}], or [T, N] for ids, with at least one step and one sequence"
            raise ShapeError(f"x has shape {x.shape}; without sizes it must be {wanted}")
        return None
    if not ids and x.ndim != 2:
        wanted = f"[S, {width}], or [S] for ids"
        raise ShapeError(f"x has shape {x.shape}; with sizes it must be {wanted}")
    grows = sizes != sorted(sizes, reverse=True)
    if len(sizes) == 0 or sum(sizes) != len(x) or grows or sizes[-1] < 1:
        given = f"x has {len(x)} rows, but sizes {short(sizes)} add up to {sum(sizes)}"
        raise ShapeError(f"{given}; they must add up to the rows, never grow, and be at least 1")
    return sizes


def forget_bias_of(given, gates, biases):
    """Return a first value for the bias of gate f, or None; `ArgumentError` where there is none."""
    real("forget_bias", given, none=True)
    if given is not None and not ("f" in gates and biases):
        lacks = "no biases" if "f" in gates else f"gates {gates}, no f"
        raise ArgumentError(f"forget_bias is {given}, but must be None: this has {lacks}")
    return given


def one_for_each(gates, da):
    """Raise `CellError` unless da holds an array for each of these gates."""
    if len(da) != len(gates):
        shape = getattr(da, "shape", None)
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


def balanceable(sequences):
    """Raise `DataError` unless each of the sequences has a class."""
    if sequences.every_step or sequences.labels.dtype.kind == "f":
        raise DataError(
            "sampling is balanced, but only sequences with a class each can be balanced"
        )


def carrying(net, given="sampling is streams"):
    """Raises `ArgumentError` where a net can not go on with the state of an earlier batch."""
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


def check_outputs(outputs, batch, least=0):
    """Raise `ShapeError` unless the net has an output for each target, at least so many wide."""
    if outputs.shape[:1] != batch.labels.shape[:1]:
        given = f"{len(outputs)} outputs, but there are {len(batch.labels)} targets"
        raise ShapeError(
            f"the net has {given}: labels, one for each sequence, go with NameClassifier, and "
            "targets, one for every step, with StepModel"
        )
    if outputs.shape[-1] < least:
        raise ShapeError(f"the net has {outputs.shape[-1]} outputs, but there are {least} classes")


def parameters_of(given):
    """Return a list of parameters; `ArgumentError` where there are none, one is there twice, or
    they are something else."""
    parameters = [given] if _is_scalar(given) or not hasattr(given, "__iter__") else list(given)
    others = [p for p in parameters if not hasattr(p, "grad")]
    if not parameters or others or len(set(map(id, parameters))) < len(parameters):
        given = f"has {short(others[0])}" if others else "has one twice"
        given = given if parameters else "is empty"
        raise ArgumentError(f"parameters {given}, but must be a list, as net.parameters() gives")
    return parameters


def net_of(settings, cls, nets):
    """Return the class of a net that these settings name, else this class; `ArgumentError` unless
    they are a dict with all that a net is made from."""
    name = settings.get("net", cls.__name__) if isinstance(settings, dict) else cls.__name__
    one_of("net", name, nets)
    names = "model", "alphabet", *cls.SIZES
    lacking = [name for name in names if not isinstance(settings, dict) or name not in settings]
    lacking += [n for n in ("alphabet", "languages") if not lacking and n in settings
                and not hasattr(settings[n], "__len__")]  # fmt: skip
    if lacking:
        raise ArgumentError(f"settings is {short(settings)}, but must be a dict with {lacking[0]}")
    return nets[name]


def of_one_type(parameters):
    """Raise `ArgumentError` where parameters have not all one type."""
    dtypes = sorted({str(p.data.dtype) for p in parameters})
    if len(dtypes) > 1:
        types = " and ".join(dtypes)
        raise ArgumentError(f"the parameters are of types {types}, but must be of one")


def mapping(what, state):
    """Return what was given, by names; `CheckpointError` for anything else."""
    if not hasattr(state, "items"):
        raise CheckpointError(
            f"{what} is {short(state)}, but must be a dict, as state_dict() gives"
        )
    return state


def saved_arrays(what, state, shapes):
    """Return {name: array} of a saved state; `CheckpointError` unless it has a finite number in
    each place of these shapes."""
    state = mapping(f"the state of {what}", state)
    arrays = {name: as_array(state[name]) for name in shapes if name in state}
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            given = arrays[name].shape if name in arrays else "nothing"
            raise CheckpointError(f"{what}'s {name} has shape {shape}, but the saved one: {given}")
        if arrays[name].dtype.kind not in "iuf" or not np.isfinite(arrays[name]).all():
            raise CheckpointError(
                f"{what}'s {name} must be of finite numbers, but the saved is not"
            )
    return arrays


def check_saved(saved, parameters):
    """Raise `CheckpointError` that names the first saved array that is missing, unknown, of another
    shape than the parameter of its name, or holds what would be no finite number there."""
    for name in parameters:
        if name not in saved:
            raise CheckpointError(f"the saved state has no {name}; it belongs to another net")
    for name, array in saved.items():
        if name not in parameters:
            raise CheckpointError(f"the saved state has {name}, which this net has not")
        shape, dtype = parameters[name].shape, parameters[name].data.dtype
        if array.shape != shape:
            text = f"has shape {array.shape}, but this net's has {shape}"
            raise CheckpointError(f"the saved {name} {text}")
        if not _stays_finite(array, dtype):
            raise CheckpointError(f"the saved {name} holds something that is not a number")


def _stays_finite(array, dtype):
    """Return whether an array holds numbers that are finite in this dtype too."""
    if array.dtype.kind not in "fc" or not np.can_cast(array.dtype, dtype, "same_kind"):
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype)).all())


def cache_of(cache, kind, divisor=None, dloss=1.0):
    """Return the cache of a forward; `ArgumentError` for anything else.

    kind: its class, or how many fields it has, or the layer whose it is, or a list of the layers
    whose it holds. divisor: the place of a number in a loss's, which begins with an array; dloss:
    what its backward is given beside it, a number too.
    """
    single("dloss", dloss)
    if isinstance(kind, type):
        fits = isinstance(cache, kind)
    elif isinstance(kind, int):
        fits = isinstance(cache, tuple) and len(cache) == kind
    elif isinstance(kind, list):
        parts = cache[0] if isinstance(cache, tuple) and len(cache) == 4 else None
        fits = isinstance(parts, list) and [getattr(p, "layer", None) for p in parts] == kind
    else:
        fits = getattr(cache, "layer", None) is kind
        _no_complex(np.dtype(getattr(cache, "dtype", "f")), kind.Wh.grad.dtype)
    if fits and divisor is not None:
        number = cache[divisor]
        fits = isinstance(number, numbers.Number) or getattr(number, "ndim", 1) == 0
        fits = fits and hasattr(cache[0], "ndim")
    return cache if fits else _no_cache(cache)


def cached(x, W):
    """Return the x [..., D] that forward keeps for the gradient of W [D, K]; `ArgumentError` for
    anything else."""
    if getattr(x, "shape", ())[-1:] != W.shape[:1] or x.dtype.kind not in "fc":
        _no_cache(x)
    _no_complex(x.dtype, W.grad.dtype)
    return x


def cached_ids(ids, W):
    """Return the ids that forward keeps for the gradient of W [V, E]; `ArgumentError` for anything
    else."""
    if not hasattr(ids, "dtype") or ids.dtype.kind not in "iu" or _is_masked(ids):
        _no_cache(ids)
    in_range("id", ids, W.shape[0])
    return ids


def mask_of(cache, dy):
    """Return the mask that forward has drawn, of the shape of dy, or None where it has drawn none;
    `ArgumentError` for anything else, `ShapeError` for another dy."""
    if cache is not None and (not hasattr(cache, "dtype") or cache.dtype.kind not in "fc"):
        _no_cache(cache)
    shape = dy.shape if hasattr(dy, "shape") else as_array(dy).shape
    if cache is not None and shape != cache.shape:
        raise ShapeError(f"dy has shape {shape}, but y had {cache.shape}")
    return cache


def switch(name, given):
    """Return True or False; `ArgumentError` for anything else."""
    return one_of(name, given, (True, False))


def _no_complex(given, own):
    if given.kind == "c" != own.kind:
        raise ShapeError(f"x was of type {given}, but the gradients are {own}: take real numbers")


def _no_cache(given):
    text = f"a tuple of {len(given)}" if isinstance(given, tuple) else short(given)
    raise ArgumentError(f"cache is {text}, but must be what forward of this object returned last")


def single(name, number):
    """Return a number, or an array that holds one and has no axis; `ArgumentError` for the rest."""
    if isinstance(number, numbers.Real):
        return real(name, number)
    plain = isinstance(number, numbers.Number)
    if not plain and (getattr(number, "shape", None) != () or number.dtype.kind not in "iufc"):
        raise ArgumentError(f"{name} is {short(number)}, but must be a number")
    return number


def truth(name, given):
    """Return True or False as an array without axes, as which it may lie on a GPU; `ArgumentError`
    for anything else."""
    given = np.bool_(given) if isinstance(given, bool) else given
    if getattr(given, "shape", None) != () or given.dtype.kind != "b":
        raise ArgumentError(f"{name} is {short(given)}, but must be True or False")
    return given


def of_steps(schedule):
    """Return a schedule that raises `ArgumentError` for a step that is no number, or below 0."""

    def rate(step):
        return schedule(real("step", step, NOT_NEGATIVE))

    return rate


def made(cell):
    """Return a cell, made where its class is given; `CellError` where that takes arguments."""
    try:
        return cell() if isinstance(cell, type) else cell
    except TypeError as error:
        text = f"{cell.__name__}() fails, but a cell must be made without arguments: {error}"
        raise CellError(text) from error


def prior_of(log_prior):
    """Return numbers [K] that are not NaN and below infinity; `ArgumentError` for others."""
    if log_prior.ndim != 1 or not bool((log_prior < np.inf).all()):  # false of NaN too
        given = short(log_prior.tolist())
        raise ArgumentError(f"log_prior is {given}, but must be [K], of numbers or -inf")
    return log_prior


def class_weight_of(class_weight):
    """Return numbers [K], each at least 0; `ArgumentError` for others."""
    if class_weight.ndim != 1:
        raise ArgumentError(f"class_weight is {short(class_weight)}, but must be [K]")
    if not bool((class_weight >= 0).all()):
        raise ArgumentError("class_weight holds a number below 0 or NaN, but must not")
    return class_weight


def normaliser_of(given):
    """Return "mean", "sum" or a number above 0; `ArgumentError` for anything else."""
    named = isinstance(given, str) and given in ("mean", "sum")
    return given if named else real("normaliser", given, NORMALISER)


def unpackable(rows, sizes, order):
    """Return the three as arrays and a list; `ShapeError` for what pack does not return."""
    rows = rows if getattr(rows, "ndim", 0) else as_numbers("rows", rows, 1)
    sizes, order = whole_sizes(sizes), as_array(order)
    places = sorted(order.tolist()) if order.dtype.kind in "iu" and order.ndim == 1 else None
    fits = sizes and sizes == sorted(sizes, reverse=True) and sizes[-1] > 0
    if not fits or len(rows) != sum(sizes) or places != list(range(sizes[0])):
        given = f"{len(rows)} rows, sizes {short(sizes)} and an order of {order.size}"
        raise ShapeError(f"{given} do not belong together; pack returns the three")
    return rows, sizes, order


def multiplied(x, W):
    """Raise `ShapeError` where x [..., D] cannot be multiplied with W [D, K]."""
    if x.shape[-1:] != W.shape[:1]:
        wanted = f"the last axis of x must be {W.shape[0]}"
        raise ShapeError(f"x has shape {x.shape}, but W has {W.shape}: {wanted}")


def one_for_each_row(labels, logits):
    """Raise `ShapeError` unless logits [..., K] have a label each, and there is one."""
    if labels.shape != logits.shape[:-1] or not logits.shape[-1:] or not logits.shape[-1]:
        given = f"labels have shape {labels.shape}, but logits have {logits.shape}"
        raise ShapeError(f"{given}: the labels must have {logits.shape[:-1]}")
    not_empty("logits", logits)


def not_empty(name, array):
    """Raise `ShapeError` where an array has no entry."""
    if not array.size:
        raise ShapeError(f"{name} has shape {array.shape}, but must have at least one entry")


def nesterov_of(nesterov, momentum):
    """Return whether SGD looks ahead; `ArgumentError` where there is no momentum to do so."""
    if one_of("nesterov", nesterov, (False, True)) and not momentum:
        raise ArgumentError("momentum is 0, but nesterov needs one above 0")
    return nesterov


def not_finite(what, weights, gradients, clip):
    """Return the `NumberError` that says what is not finite, which array of these is the first, and
    what to try. weights, gradients: {name: array}."""
    cure = f"try a smaller --lr, or --clip {clip / 10 if clip else 1.0:g}"
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


def two_betas(betas):
    """Adam's two numbers, each at least 0 and below 1; `ArgumentError` for anything else."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ArgumentError(f"betas is {short(betas)}, but must be two numbers, as (0.9, 0.999)")
    return tuple(real(f"betas[{k}]", beta, SHARE) for k, beta in enumerate(betas))


def three_shares(shares):
    """Return three numbers above 0 with sum 1; `DataError` for anything else."""
    try:
        given = [real("a share", share, ABOVE_0) for share in listed("shares", shares, DataError)]
    except ArgumentError:
        given = []
    if len(given) != 3 or abs(sum(given) - 1) > 1e-6:
        raise DataError(f"shares is {short(shares)}, but must be three numbers above 0 with sum 1")
    return given


def each_once(name, texts):
    """Return texts none of which is there twice, however its accents are written; else
    `DataError`."""
    counts = Counter(unicodedata.normalize("NFC", text) for text in texts)
    twice = [text for text, number in counts.items() if number > 1]
    if twice:
        raise DataError(f"{name} has {short(twice[0])} twice, but must have each once")
    return texts


def path_of(name, given):
    """Return a path; `ArgumentError` for what is no text."""
    if not isinstance(given, (str, Path)):
        raise ArgumentError(f"{name} is {short(given)}, but must be a path, such as 'data/names'")
    return Path(given)


def absent(path, kind):
    """Return how a sentence begins that says why there is no "file", or no "folder", here."""
    if not os.path.exists(path):
        return f"there is no {kind} {path}"
    other = "device or a pipe"
    if os.path.isdir(path) or os.path.isfile(path):
        other = "folder" if os.path.isdir(path) else "file"
    return f"{path} is a {other}, not a {kind}"


def short(value, longest=60):
    """Return a value as text for a message: cut off where it is long, an array as its shape."""
    shape, kind = getattr(value, "shape", ()), "a masked array" if _is_masked(value) else "an array"
    text = f"{kind} of shape {shape}" if shape else " ".join(repr(value).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _many(what):
    return f"{what}es" if what.endswith("s") else f"{what}s"


def _is_masked(given):
    return isinstance(given, np.ndarray) and hasattr(given, "mask")


def _is_scalar(given):
    return getattr(given, "shape", None) == ()


def _same(value, choice):
    """Whether they mean the same: NumPy's numbers do, but True is no number."""
    if isinstance(value, (bool, np.bool_)) and not isinstance(choice, bool):
        return False
    simple = (str, bool, int, np.bool_, np.integer)
    return isinstance(value, simple) and bool(value == choice)
