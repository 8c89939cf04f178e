"""Arrays: what can be one, its shape, its type, the numbers in it."""

import numbers
import warnings

import numpy as np

from ..errors import ArgumentError, DataError, ShapeError
from .words import is_masked, many, short

FEW_IDS = 16  # Python looks at so few faster than NumPy


def as_array(given):
    """Return an array of a list or the like; one of objects where NumPy makes none."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError):  # a ragged list; a tensor with a gradient
        array = np.empty(0, object)
    return np.empty(array.shape, object) if is_masked(given) else array


def as_numbers(name, given, axes=0, kinds="iufc"):
    """Return an array of numbers with at least so many axes, of a list or the like; `ShapeError`
    for the rest."""
    array = as_array(given)
    if array.dtype.kind not in kinds:
        cure = ": take x.detach() of a tensor" if hasattr(given, "detach") else ""
        of = f" of type {array.dtype}" if array.ndim and array.dtype != object else ""
        raise ShapeError(
            f"{name} is {short(given)}{of}, but must be an array or a list of numbers{cure}"
        )
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
            fits = np.ndim(value) == 0 and (dtype.kind not in "iubU" or put == value)
            fits = fits and (dtype.kind not in "fc" or np.isfinite(put) or not np.isfinite(value))
        kinds = {"c": numbers.Number, "U": str}.get(dtype.kind, numbers.Real), np.bool_
        fits = fits and isinstance(value, kinds)
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
    if words or is_masked(given) or (given_kind == "c" != array.dtype.kind):
        raise ShapeError(f"{name} is {short(given)}, but must be an array or a list of numbers")
    return array


def numbers_in(name, given):
    """Return a list as an array of numbers, anything else as it is; `ShapeError` for words."""
    return as_numbers(name, given) if isinstance(given, (list, tuple)) else given


def first_outside(ids, size):
    """The first of `ids`, whole numbers on the host in any shape, that is not in 0 .. size - 1;
    None where all are."""
    if ids.size <= FEW_IDS:
        return next((k for k in ids.ravel().tolist() if not 0 <= k < size), None)
    most = min(size, np.iinfo(ids.dtype).max + 1)  # a small type may have no number as large
    if ids.view(ids.dtype.str.replace("i", "u")).max() < most:  # below 0 is then a large number
        return None
    return next((k for k in ids.ravel().tolist() if not 0 <= k < size), None)


def of_shape(name, array, shape, other="must have", note=""):
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
        raise error(f"{many(what)} must be whole numbers, but are of type {values.dtype}")
    if values.size == 0:
        return
    wrong = first_outside(values, size)
    if wrong is not None:
        raise error(f"{what} {wrong} is out of range: {note}it must be 0 to {size - 1}")


def finite(what, given, dtype, place):
    """The array in this dtype; `DataError` where a number in it is not finite, or where large ones
    become the same. place(k) says where row k is."""
    with np.errstate(over="ignore"):  # said in words
        array = given.astype(dtype)
    good = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not good.all():
        text = f"{what} hold what is no finite number of {np.dtype(dtype)}"
        raise DataError(f"{text}, {place(int(good.argmin()))}, but must not")
    told_apart(what, given.reshape(len(given), -1), array.reshape(len(array), -1))
    return array


LARGE = 1e5  # smaller numbers that become the same are taken for the same, but for rounding


def told_apart(what, given, array):
    """Raise `DataError` where large numbers of a column, seconds since 1970 say, are no longer told
    apart in the type that they are taken in."""
    if given.dtype == array.dtype:
        return
    with np.errstate(over="ignore"):
        low, high = given.min(axis=0), given.max(axis=0)
        largest = np.maximum(high, -low)
        close = (high - low < 1e-4 * largest) & (high - low > 1e-12 * largest) & (largest > LARGE)
    for k in np.flatnonzero(close):
        if len(np.unique(array[:, k])) < len(np.unique(given[:, k])):
            raise DataError(
                f"{what} go from {low[k]} to {high[k]}, which {array.dtype} does not tell apart: "
                "subtract their mean, or take dtype='float64'"
            )


def not_empty(name, array):
    """Raise `ShapeError` where an array has no entry."""
    if not array.size:
        raise ShapeError(f"{name} has shape {array.shape}, but must have at least one entry")


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


def prior_of(log_prior):
    """Return numbers [K] that are not NaN and below infinity, one at least above -infinity;
    `ArgumentError` for others."""
    good = log_prior.ndim == 1 and bool((log_prior < np.inf).all())  # false of NaN too
    if not good or not bool((log_prior > -np.inf).any()):
        given = short(log_prior.tolist())
        raise ArgumentError(f"log_prior is {given}, but must be [K], of numbers or, not all, -inf")
    return log_prior


def class_weight_of(class_weight):
    """Return finite numbers [K], each at least 0; `ArgumentError` for others."""
    if class_weight.ndim != 1:
        raise ArgumentError(f"class_weight is {short(class_weight)}, but must be [K]")
    real_ = class_weight.dtype.kind != "c"
    if not real_ or not bool(((class_weight >= 0) & (class_weight < np.inf)).all()):
        raise ArgumentError("class_weight must hold finite numbers, at least 0, but does not")
    if not bool((class_weight > 0).any()):
        raise ArgumentError("class_weight has no number above 0, so no class would count")
    return class_weight


def embedding_of(given, dtype):
    """Return a list or a tensor as an array, anything else as it is; `ShapeError` for an array with
    what is no real number that this type can hold."""
    if hasattr(given, "dtype") and not hasattr(given.dtype, "kind"):  # a tensor of PyTorch's
        given = as_numbers("embedding", given)
    given = numbers_in("embedding", given)
    if hasattr(given, "dtype") and given.ndim:
        real_ = given.dtype.kind in "iuf" and bool((abs(given) <= np.finfo(dtype).max).all())
        if not real_ or is_masked(given):
            wanted = f"finite real numbers of {np.dtype(dtype)}"
            raise ShapeError(f"embedding is {short(given)}, but must hold {wanted}")
    return given
