"""Array backends: NumPy on the CPU, CuPy on the GPU.

Compute follows the data: every function asks its inputs, through `get_array_module`, which
library made them, and computes there. Only creation names a place: `use("cupy")` once at the
start, and from then on `asarray` puts what it is given on the GPU. `asarray` in and `asnumpy`
out are the only two doors. Nothing is looked for when this file is imported.
"""

import ctypes
import functools
import sys
from typing import Any

import numpy as np

from . import check
from .cuda.faults import working_cupy
from .errors import BackendError, MixedArraysError, ShapeError

Array = np.ndarray | Any  # NumPy's, or CuPy's, which no type checker here knows
Rng = np.random.Generator | None  # None: a fresh one
Dtype = str | type | np.dtype  # "float32", np.float32

KEPT = 2**29  # bytes of freed memory at the most
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt

_modules = {"numpy": np}
_current = "numpy"


def use(name: str) -> Any:
    """Create arrays with `name` ("numpy" or "cupy") from now on, and return that module.

    Raises `BackendError`, with the cure, where CuPy is not installed or has no working GPU.

        >>> use("numpy").__name__
        'numpy'
    """
    global _current
    if check.text_of("name", name) not in _modules:
        if name != "cupy":
            raise BackendError(f"there is no backend {name!r}; choose one of: cupy, numpy")
        _modules[name] = working_cupy()
    _current = name
    return _modules[name]


def current():
    """The name of the backend on which `asarray` creates."""
    return _current


def register(name, module):
    """Make `module`, which offers NumPy's functions for arrays of its own, a backend.

    Its array type is recognised by `module.ndarray`.
    """
    _modules[name] = module


def get_array_module(*arrays: Any, **named: Any) -> Any:
    """The module (numpy, cupy) that made these arrays; `None` and Python numbers are passed over.

    Raises `MixedArraysError` where two modules meet. Arrays given by keyword are called by that
    name in the message. The term is CuPy's: https://docs.cupy.dev/en/stable/user_guide/basic.html

        >>> get_array_module(np.zeros(3), None, 2.0).__name__
        'numpy'
    """
    for array in (*arrays, *named.values()) if named else arrays:
        if type(array) is not np.ndarray:
            break
    else:
        return np  # the usual case, first because it runs in every step
    items = [*((f"argument {k + 1}", a) for k, a in enumerate(arrays)), *named.items()]
    made = [(name, _module_of(array)) for name, array in items]
    (first_name, first), *others = [pair for pair in made if pair[1] is not None] or [("", np)]
    for name, module in others:
        if module is not first:
            raise MixedArraysError(
                f"{name} is an array of {_name(module)}, but {first_name} is one of "
                f"{_name(first)}; bring both to one backend with minirnn.asarray or minirnn.asnumpy"
            )
    return first


def taken(data, whole=True, **named):
    """Return an argument as an array beside `data`, one of floats (None: of float32).

    An array is passed through; a list, or what else NumPy makes an array of, becomes one, of the
    type of `data` unless it is of whole numbers. With whole=False whole numbers are taken for
    numbers too. Raises `ShapeError` for anything that holds no numbers, and `MixedArraysError`.
    """
    ((name, array),) = named.items()
    xp, dtype = get_array_module(**named, data=data), getattr(data, "dtype", "float32")
    if type(array) is not np.ndarray and _module_of(array) in (None, np):  # a list; a subclass
        numbers = check.as_numbers(name, array)
        array = xp.asarray(numbers, dtype=dtype if numbers.dtype.kind == "f" else None)
    if array.dtype.kind not in "iufc":
        raise ShapeError(f"{name} is of type {array.dtype}, but must be of numbers")
    return array if whole or array.dtype.kind in "fc" else array.astype(dtype)


def asarray(array: Any, dtype: Dtype | None = None) -> Array:
    """Return `array` (a list, a NumPy array, or one already in place) on the current backend.

    Of any shape; dtype: the type that it shall have, its own if left out.

        >>> asarray([1, 2], dtype="float32")
        array([1., 2.], dtype=float32)
    """
    return check.shaped(_modules[_current].asarray, "array", array, dtype)


def asnumpy(array: Array) -> np.ndarray:
    """Return `array` as a NumPy array on the host; from a GPU this copies and waits.

    Of any shape; what is in place already, or no array at all, goes through `numpy.asarray`.

        >>> asnumpy(asarray([1, 2]))
        array([1, 2])
    """
    module = _module_of(array)
    if module is None or module is np:
        return check.as_host(array)
    return module.asnumpy(array)


def _module_of(array):
    if isinstance(array, np.ndarray):
        return np
    if array is None or isinstance(array, (bool, int, float, complex, np.generic)):
        return None
    for module in _modules.values():
        if isinstance(array, module.ndarray):
            return module
    if type(array).__module__.split(".")[0] == "cupy":
        return sys.modules["cupy"]
    return None


def _name(module):
    return next((n for n, m in _modules.items() if m is module), module.__name__)


@functools.cache
def keep_freed_memory():
    """Let glibc keep what is freed, half a GiB at the most, for the arrays of the next step.

    Else it gives large blocks back to the system, which hands them out again page by page, 12,000
    pages in a step of 1,024 names. Elsewhere than on Linux with glibc nothing happens. See
    mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, 2**25)  # the highest that it takes
