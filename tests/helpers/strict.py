"""A stand-in for CuPy on a machine without a GPU: NumPy arrays on a pretended device.

It computes what NumPy computes, but refuses what CuPy refuses, and counts what would make a GPU
wait for the host. `minirnn.backend.register("strict", strict)` makes this module a backend.

- Nothing becomes a NumPy array by itself, and NumPy arrays do not mix with arrays of this module.
- Only functions and methods that CuPy has are there, those on the lists below; another one that
  CuPy has for certain may be added to its list.
- A result without axes stays an array on the device, so its dtype takes part in promotion.
- Integer indices that are out of range wrap around, as CuPy's do.
- `reads()` counts what is read back: by float(), int(), bool(), item(), tolist(), get(), asnumpy
  and printing, and by boolean masks and nonzero, whose size the host has to know.

It is stricter than CuPy in five things, to keep the library to its own rules: NumPy's functions
refuse its arrays (the library asks get_array_module), a NumPy array is never the value of an
assignment (CuPy takes it after an index array), repeated indices in an assignment are an error
(CuPy stores any of the values), iterating over a 1-d array counts as a read (CuPy yields 0-d
arrays, one kernel each), and keywords that only some of CuPy's versions know are refused.
"""

import contextlib
import linecache
import operator
import sys
import types

import numpy as np

# Reads back to the host


class Reads:
    """The reads since `reads()` was entered: call it for their number, print it for the places."""

    def __init__(self):
        self.places = []

    def __call__(self):
        return len(self.places)

    def __repr__(self):
        return "\n".join([f"{len(self.places)} reads from the device", *self.places])


_open = []


@contextlib.contextmanager
def reads():
    """`with reads() as count: ...; assert count() == 0, count`."""
    count = Reads()
    _open.append(count)
    try:
        yield count
    finally:
        _open.remove(count)


def _read(how):
    """Note a read, and the line outside this file that asked for it."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == _read.__code__.co_filename:
        frame = frame.f_back
    path, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(path, number).strip()
    for count in _open:
        count.places.append(f"{path}:{number} in {frame.f_code.co_name}, {how}: {line}")


# The way to the device and back

_SCALARS = (bool, int, float, complex, np.generic)
_DTYPES = "?bhilqBHILQefdFD"


def _put(result, arguments=()):
    """What NumPy gave as arrays of this module; one that is an argument's own array is that one."""
    if isinstance(result, (tuple, list)):
        return type(result)(_put(r) for r in result)
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    for argument in arguments:
        if isinstance(argument, ndarray) and argument._host is result:
            return argument
    return ndarray(result)


def _device(name, value):
    """The NumPy array inside an array of this module; anything else is refused."""
    if not isinstance(value, ndarray):
        raise TypeError(f"{name} needs arrays of strict, but was given {type(value)}")
    return value._host


def _operand(name, value):
    """As `_device`, but a single number is one too."""
    return value if isinstance(value, _SCALARS) else _device(name, value)


# Arrays


class ndarray:
    """An array on the pretended device."""

    __array_ufunc__ = None  # np.tanh(x) is refused; np.float64(2) * x comes to __rmul__
    __hash__ = None

    def __init__(self, host):
        self._host = np.asarray(host)

    def __array__(self, *args, **options):
        raise TypeError("no implicit conversion to a NumPy array: use minirnn.asnumpy")

    def __array_function__(self, function, *args):
        raise TypeError(f"np.{function.__name__} got an array of strict: ask get_array_module")

    def __getattr__(self, name):
        raise AttributeError(
            f"ndarray.{name} is not on the list of what CuPy has: tests/helpers/strict.py"
        )

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: ndarray(self._host.T))
    real = property(lambda self: _put(self._host.real, [self]))
    imag = property(lambda self: ndarray(self._host.imag))

    @property
    def flags(self):
        known = {name: self._host.flags[name.upper()] for name in ("c_contiguous", "f_contiguous")}
        return types.SimpleNamespace(**known)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        if self.ndim == 1:
            _read("iteration")
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index):
        key, kind = _key(self, index)
        if kind == "mask":
            _read("mask")
        return ndarray(self._host[key])

    def __setitem__(self, index, value):
        key, kind = _key(self, index)
        value = _operand("assignment", value)
        if kind == "mask":
            _read("mask")
        elif kind == "indices" and np.size(value) > 1:
            cells = np.arange(self.size).reshape(self.shape)[key]
            if len(np.unique(cells)) < cells.size:
                raise ValueError("an index is repeated: on CuPy any of its values may be stored")
        self._host[key] = value

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return asarray, (self.get(),)

    # What reads

    def get(self):
        _read("get")
        return self._host.copy()

    def item(self):  # CuPy's takes no index
        _read("item")
        return self._host.item()

    def tolist(self):
        _read("tolist")
        return self._host.tolist()

    def nonzero(self):
        _read("nonzero")
        return _put(self._host.nonzero())

    def __bool__(self):
        _read("bool")
        return bool(self._host)

    def __int__(self):
        _read("int")
        return int(self._host)

    def __float__(self):
        _read("float")
        return float(self._host)

    def __complex__(self):
        _read("complex")
        return complex(self._host)

    def __repr__(self):
        _read("repr")
        return repr(self._host)

    def __str__(self):
        _read("str")
        return str(self._host)

    def __format__(self, spec):
        _read("format")
        return format(self._host, spec)

    # Methods that need more care than those on the list below

    def take(self, indices, axis=None, out=None):
        if isinstance(indices, ndarray):
            indices = indices._host
        target = None if out is None else _device("take", out)
        return _put(self._host.take(indices, axis, target, mode="wrap"), [out])

    def fill(self, value):
        self._host.fill(_operand("fill", value))


def _key(array, index):
    """(the index as NumPy takes it, its kind: "view", "indices" or "mask").

    Lists and NumPy arrays are index arrays too: CuPy copies them to the device by itself.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    for k, item in enumerate(items):
        if isinstance(item, ndarray):
            items[k] = item._host
        elif isinstance(item, (bool, np.bool_, list, tuple, np.ndarray)):
            items[k] = np.asarray(item, dtype=None if np.size(item) else int)
    arrays = [item for item in items if isinstance(item, np.ndarray)]
    if not arrays:
        if Ellipsis not in items:
            items.append(Ellipsis)  # makes x[0] of a 1-d array a 0-d view, as on CuPy
        return tuple(items), "view"
    if any(item.dtype.kind == "b" for item in arrays):
        return tuple(items), "mask"
    axes = sum(item is not None and item is not Ellipsis for item in items)
    axis = 0
    for k, item in enumerate(items):
        if isinstance(item, np.ndarray):
            if item.dtype.kind not in "iu":
                raise IndexError(f"an index array must be whole numbers or bool, not {item.dtype}")
            items[k] = item % max(1, array.shape[axis])
        axis += array.ndim - axes if item is Ellipsis else item is not None
    return tuple(items), "indices"


# Operators


def _binary(symbol):
    function = getattr(operator, symbol)

    def forward(self, other):
        if isinstance(other, (ndarray, np.ndarray, *_SCALARS)):
            return ndarray(function(self._host, _operand(symbol, other)))
        return NotImplemented

    def reverse(self, other):
        if isinstance(other, (np.ndarray, *_SCALARS)):
            return ndarray(function(_operand(symbol, other), self._host))
        return NotImplemented

    return forward, reverse


def _in_place(symbol):
    function = getattr(operator, symbol)

    def change(self, other):
        function(self._host, _operand(symbol, other))
        return self

    return change


def _unary(symbol):
    function = getattr(operator, symbol)
    return lambda self: ndarray(function(self._host))


for _name in "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift".split():
    _forward, _reverse = _binary(_name)
    _name = _name.strip("_")
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _reverse)
    if _name != "matmul":  # `a @= b` is a = a @ b
        setattr(ndarray, f"__i{_name}__", _in_place(f"i{_name}"))
for _name in "eq ne lt le gt ge".split():
    setattr(ndarray, f"__{_name}__", _binary(_name)[0])
for _name in "neg pos abs invert".split():
    setattr(ndarray, f"__{_name}__", _unary(_name))


# Functions and methods. CuPy's take fewer keywords than NumPy's: no initial=, for instance.

_KEYWORDS = {"axis", "axes", "copy", "ddof", "dtype", "k", "keepdims", "order", "out"}
_FEWER = {"clip": {"out"}, "count_nonzero": {"axis"}}  # what CuPy's take


def _wrap(name, function, arrays=None):
    """NumPy's function, with its first `arrays` arguments on the device.

    Where `arrays` is None it is elementwise: every argument is an array or a number.
    """
    keywords = _FEWER.get(name, {"dtype", "out"} if arrays is None else _KEYWORDS)

    def call(*args, **options):
        if unknown := options.keys() - keywords:
            raise TypeError(
                f"{name}: {unknown} not on the list of keywords: tests/helpers/strict.py"
            )
        if arrays is None:
            host = [_operand(name, a) for a in args]
        else:
            host = [_device(name, a) for a in args[:arrays]] + list(args[arrays:])
        out = options.get("out")
        if out is not None:
            options["out"] = _device(f"out of {name}", out)
        return _put(function(*host, **options), [*args, out])

    return call


for _name in (
    "all any argmax argmin argsort astype conj copy cumsum diagonal flatten max mean min prod "
    "ravel repeat reshape round squeeze std sum swapaxes trace transpose var view"
).split():
    setattr(ndarray, _name, _wrap(_name, getattr(np.ndarray, _name), 1))
ndarray.clip = _wrap("clip", np.ndarray.clip)
ndarray.dot = _wrap("dot", np.ndarray.dot, 2)

_ELEMENTWISE = (
    "abs absolute add clip conj conjugate cos cosh divide equal exp expm1 floor floor_divide "
    "greater greater_equal isfinite isinf isnan less less_equal log log1p log2 logaddexp "
    "logical_and logical_not logical_or maximum minimum multiply negative not_equal power "
    "reciprocal remainder rint sign sin sinh sqrt square subtract tan tanh true_divide"
)
_OF_ONE_ARRAY = (
    "all any argmax argmin argsort ascontiguousarray broadcast_to copy count_nonzero cumsum diag "
    "diagonal diff empty_like expand_dims flip imag max mean min moveaxis ones_like prod ravel "
    "real repeat reshape roll sort split squeeze std sum swapaxes tile trace transpose tril triu "
    "var zeros_like"
)
_OF_TWO_ARRAYS = "dot inner matmul outer tensordot vdot"
_CREATION = "arange empty eye identity linspace ones zeros"
_VALUES = (
    "bool_ complex64 complex128 dtype e finfo float16 float32 float64 iinfo inf int8 int16 int32 "
    "int64 integer floating issubdtype nan newaxis pi promote_types uint8"
)

_functions = {name: _wrap(name, getattr(np, name)) for name in _ELEMENTWISE.split()}
_functions |= {name: _wrap(name, getattr(np, name), 1) for name in _OF_ONE_ARRAY.split()}
_functions |= {name: _wrap(name, getattr(np, name), 2) for name in _OF_TWO_ARRAYS.split()}
_functions |= {name: _wrap(name, getattr(np, name), 0) for name in _CREATION.split()}
_functions |= {name: getattr(np, name) for name in _VALUES.split()}


def __getattr__(name):
    """The functions of this module, from a table: their names would hide Python's sum and max."""
    if name in _functions:
        return _functions[name]
    raise AttributeError(f"{name} is not on the list of what CuPy has: tests/helpers/strict.py")


def asarray(array, dtype=None):
    """An array of this module as it is; a NumPy array, a list or a number is copied here."""
    if isinstance(array, ndarray):
        return array.astype(dtype or array.dtype, copy=False)
    host = np.array(array, dtype=dtype)
    if host.dtype.char not in _DTYPES:
        raise ValueError(f"unsupported dtype {host.dtype}")
    return ndarray(host)


def array(array, dtype=None):
    return asarray(array, dtype).copy()


def asnumpy(array):
    """A NumPy copy on the host."""
    return array.get() if isinstance(array, ndarray) else np.asarray(array)


def full(shape, fill_value, dtype=None):
    return ndarray(np.full(shape, _operand("full", fill_value), dtype))


def full_like(array, fill_value, dtype=None):
    return ndarray(
        np.full_like(_device("full_like", array), _operand("full_like", fill_value), dtype)
    )


def concatenate(arrays, axis=0):
    return ndarray(np.concatenate([_device("concatenate", a) for a in arrays], axis))


def stack(arrays, axis=0):
    return ndarray(np.stack([_device("stack", a) for a in arrays], axis))


def take(array, indices, axis=None, out=None):
    _device("take", array)
    return array.take(indices, axis, out)


def where(condition, *choices):
    """Elementwise choice; with the condition alone it is nonzero, and reads."""
    if not choices:
        return nonzero(condition)
    return ndarray(
        np.where(_device("where", condition), *(_operand("where", choice) for choice in choices))
    )


def nonzero(array):
    _device("nonzero", array)
    return array.nonzero()


def copyto(target, source, where=None):
    """Write into the target, only where a device array is true."""
    mask = True if where is None else _device("copyto", where)
    np.copyto(_device("copyto", target), _operand("copyto", source), where=mask)


def einsum(subscripts, *operands):
    return _put(np.einsum(subscripts, *(_device("einsum", a) for a in operands)))


def result_type(*values):
    return np.result_type(*(v.dtype if isinstance(v, ndarray) else v for v in values))
