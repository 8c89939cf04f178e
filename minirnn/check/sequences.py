"""Sequences: their inputs, labels and targets, their lengths, places among them."""

import operator
import unicodedata
from collections import Counter

import numpy as np

from ..errors import ArgumentError, DataError, ShapeError
from .arrays import as_array, as_numbers, finite, in_range
from .parts import part
from .values import ABOVE_0, one_of, real, whole
from .words import is_masked, is_scalar, many, short


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
            of = f" of type {array.dtype}" if array.ndim and array.dtype != object else ""
            raise error(
                f"sequence {k} is {short(given)}{of}, but must be an array: of ids, as "
                "Alphabet.encode gives, or of features [T, D]"
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


def listed(name, given, error, of="arrays"):
    """Return a list of what was given; `error` where it holds nothing that can be gone through."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__") or is_scalar(given):
        raise error(f"{name} is {short(given)}, but must be a list of {of}")
    return list(given)


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
        return finite("the sequences", rows, dtype, step_of(lengths)), lengths
    in_range("id", rows, num_symbols or 2**62, DataError)
    return rows, lengths


def step_of(lengths):
    """A function that says of which sequence, and which step, a row is."""
    ends = np.cumsum(lengths)

    def where(row):
        k = int(np.searchsorted(ends, row, "right"))
        return f"in sequence {k} at step {row - ends[k] + lengths[k]}"

    return where


def encoded(names, alphabet):
    """Return the ids of the letters of each of the `Names`; `ArgumentError` for what is none, or
    no alphabet."""
    part("names", names), part("alphabet", alphabet)
    return [alphabet.encode(name) for name in names.names]


def labels_of(what, labels, number, size):
    """Labels [N] of so many sequences (None: of any number), in 0 .. size - 1 (None: at least 0),
    as int64; or guesses.

    Raises `DataError` for anything else.
    """
    array = as_array(labels)
    number = array.size if number is None else number
    if not number and not array.size:
        raise DataError(f"there are no {many(what)}, but there must be one")
    if array.shape != (number,):
        each, axes = ("steps", "[S]") if what == "target" else ("sequences", "[N]")
        shape = "" if array.ndim == 1 else f" of shape {array.shape}, which is not {axes}"
        raise DataError(f"there are {number} {each}, but {array.size} {many(what)}{shape}")
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
    array = as_array(labels)
    if array.dtype == object and (is_masked(labels) or not array.size):
        raise DataError(f"the {what}s are {short(labels)}, but must be an array")
    if array.size and array.dtype.kind not in "iuf":
        raise DataError(
            f"{what}s must be whole numbers, but are of type {array.dtype}: classes have numbers "
            "(np.unique(names, return_inverse=True)[1]), and what is to be predicted floating ones"
        )
    if array.dtype.kind == "f" and num_classes is not None:
        raise DataError(
            f"{what}s must be whole numbers, but are of type {array.dtype}: num_classes is "
            f"{num_classes}; leave it out for numbers to be predicted"
        )
    if array.dtype.kind != "f" or not array.size:  # classes
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
    numbers = finite(f"the {what}s", array.reshape(number, -1), dtype, "at place {}".format)
    return numbers, numbers.shape[1]


def _joined_targets(sequences, targets):
    if len(targets) != len(sequences):
        raise DataError(
            f"there are {len(sequences)} sequences, but {len(targets)} lists of targets"
        )
    arrays = [as_numbers(f"the targets of sequence {k}", y) for k, y in enumerate(targets)]
    arrays = [y.astype(np.int64) if y.dtype == np.uint64 else y for y in arrays]
    for k, (x, y) in enumerate(zip(sequences, arrays, strict=True)):
        if hasattr(x, "__len__") and not is_scalar(x) and not len(x):
            raise DataError(f"sequence {k} is empty, but must have at least one step")
        if not y.ndim or hasattr(x, "__len__") and not is_scalar(x) and len(y) != len(x):
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


def padded(x, lengths, batch_first):
    """Return (x as [N, T, ...], lengths [N], each 1 to T) of sequences padded to one length.

    Raises `ShapeError` where they do not fit.
    """
    x, lengths = as_numbers("x", x, kinds="iufcbU"), whole_sizes(lengths, "lengths")
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


def balanceable(sequences, index):
    """Raise `DataError` unless each of the sequences has a class, and one of these is not
    ignored."""
    if sequences.every_step or sequences.labels.dtype.kind == "f":
        raise DataError(
            "sampling is balanced, but only sequences with a class each can be balanced"
        )
    if (sequences.labels[index] == sequences.ignore_index).all():
        raise DataError(
            f"all labels to be balanced are {sequences.ignore_index}, the ignore_index: one must "
            "be a class"
        )


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
