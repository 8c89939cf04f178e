"""What a forward pass has kept for its backward pass."""

import numbers

import numpy as np

from ..errors import ArgumentError, ShapeError
from .arrays import as_array, in_range
from .values import single
from .words import is_masked, short


def cache_of(cache, kind, divisor=None, dloss=1.0):
    """Return the cache of a forward; `ArgumentError` for anything else.

    kind: its class, or how many fields it has, or the layer or stack whose it is, or a list of the
    layers whose it holds. divisor: the place of a number in a loss's, which begins with an array;
    dloss: what its backward is given beside it, a number too.
    """
    if divisor is not None:
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
        if hasattr(kind, "Wh"):  # a stack has layers, which look at their own
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
    if not hasattr(ids, "dtype") or ids.dtype.kind not in "iu" or is_masked(ids):
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


def _no_complex(given, own):
    if given.kind == "c" != own.kind:
        raise ShapeError(f"x was of type {given}, but the gradients are {own}: take real numbers")


def _no_cache(given):
    text = f"a tuple of {len(given)}" if isinstance(given, tuple) else short(given)
    raise ArgumentError(f"cache is {text}, but must be what forward of this object returned last")
