"""How a value, or what is missing on disk, is named in a message."""

import os

import numpy as np


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
    shape, kind = getattr(value, "shape", ()), "a masked array" if is_masked(value) else "an array"
    text = f"{kind} of shape {shape}" if shape else " ".join(repr(value).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def many(what):
    """Return the plural of a noun."""
    return f"{what}es" if what.endswith("s") else f"{what}s"


def is_masked(given):
    """Whether this is one of NumPy's masked arrays, whose gaps no computation here knows."""
    return isinstance(given, np.ndarray) and hasattr(given, "mask")


def is_scalar(given):
    """Whether this is an array without axes."""
    return getattr(given, "shape", None) == ()
