"""The stand-in for CuPy does what it promises, and the whole library runs on it without a read."""

import copy
import pickle

import numpy as np
import pytest
import strict

from minirnn.backend import get_array_module

TOLERANCE = {"float32": 1e-6, "float64": 1e-12, "int64": 0, "bool": 0}


# The stand-in itself


def numbers(*shape, dtype="float32", seed=0):
    return strict.asarray(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


HOST = np.ones((2, 3), dtype="float32")

REFUSED = {
    "np.asarray": (lambda x: np.asarray(x), "implicit"),
    "np.array of a list of arrays": (lambda x: np.array([x, x]), "implicit"),
    "np.tanh": (lambda x: np.tanh(x), "__array_ufunc__"),
    "np.sum": (lambda x: np.sum(x), "get_array_module"),
    "np.concatenate": (lambda x: np.concatenate([x, x]), "get_array_module"),
    "array + NumPy array": (lambda x: x + HOST, "strict"),
    "NumPy array * array": (lambda x: HOST * x, "strict"),
    "NumPy array @ array": (lambda x: HOST.T @ x, "strict"),
    "array @ NumPy array": (lambda x: x @ HOST.T, "strict"),
    "array < NumPy array": (lambda x: x < HOST, "strict"),
    "array < 0-d NumPy array": (lambda x: x < np.array(1.0), "strict"),
    "array += NumPy array": (lambda x: x.__iadd__(HOST), "strict"),
    "array + list": (lambda x: x + [1.0, 2.0, 3.0], "unsupported operand"),
    "equal to None": (lambda x: strict.equal(x, None), "strict"),
    "function of a NumPy array": (lambda x: strict.tanh(HOST), "strict"),
    "sum of a NumPy array": (lambda x: strict.sum(HOST), "strict"),
    "sum of a list": (lambda x: strict.sum([1.0, 2.0]), "strict"),
    "maximum with a NumPy array": (lambda x: strict.maximum(x, HOST), "strict"),
    "matmul with a NumPy array": (lambda x: strict.matmul(x, HOST.T), "strict"),
    "einsum with a NumPy array": (lambda x: strict.einsum("ij,ij", x, HOST), "strict"),
    "where with a NumPy condition": (lambda x: strict.where(HOST > 0, x, x), "strict"),
    "where with a NumPy choice": (lambda x: strict.where(x > 0, x, HOST), "strict"),
    "concatenate with a NumPy array": (lambda x: strict.concatenate([x, HOST]), "strict"),
    "stack with a NumPy array": (lambda x: strict.stack([HOST, x]), "strict"),
    "stack of numbers": (lambda x: strict.stack([1.0, 2.0]), "strict"),
    "out= a NumPy array": (lambda x: strict.tanh(x, out=HOST.copy()), "out of tanh"),
    "out= a NumPy array in a method": (lambda x: x.sum(axis=0, out=HOST[0].copy()), "out of sum"),
    "copyto from a NumPy array": (lambda x: strict.copyto(x, HOST), "strict"),
    "copyto into a NumPy array": (lambda x: strict.copyto(HOST.copy(), x), "strict"),
    "copyto where NumPy says": (lambda x: strict.copyto(x, 0, where=HOST > 0), "strict"),
    "assignment of a NumPy array": (lambda x: x.__setitem__(0, HOST[0]), "strict"),
    "assignment of a list": (lambda x: x.__setitem__(0, [1.0, 2.0, 3.0]), "strict"),
    "where= of a ufunc": (lambda x: strict.tanh(x, where=x > 0), "keywords"),
    "initial= of a reduction": (lambda x: x.max(initial=0), "keywords"),
    "an index for item": (lambda x: x.item(0), "argument"),
    "order= of a function": (lambda x: strict.tanh(x, order="C"), "keywords"),
    "dtype= of clip": (lambda x: x.clip(0, 1, dtype="float64"), "keywords"),
    "a shape from the device": (lambda x: strict.zeros(strict.asarray(3)), "integer"),
    "a slice from the device": (lambda x: x[: strict.asarray(1)], "slice indices"),
    "iteration over no axes": (lambda x: list(x.sum()), "0-d"),
    "a dictionary's key": (lambda x: {x: 1}, "unhashable"),
    "an array of texts": (lambda x: strict.asarray(["a"]), "dtype"),
    "an index of floats": (lambda x: x[x], "index array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_cupy_refuses(name):
    attempt, message = REFUSED[name]
    with pytest.raises((TypeError, ValueError, IndexError), match=message):
        attempt(numbers(2, 3))


def test_only_what_is_on_the_list_is_there():
    for name in ("frobnicate", "random", "nditer", "apply_along_axis", "__path__"):
        with pytest.raises(AttributeError, match=f"{name} is not on the list"):
            getattr(strict, name)
    for name in ("frobnicate", "tofile", "flat", "ctypes"):
        with pytest.raises(AttributeError, match=f"ndarray.{name} is not on the list"):
            getattr(numbers(2), name)


READS = {
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.argmax()),
    "bool": lambda x: bool((x > 0).any()),
    "complex": lambda x: complex(x.sum()),
    "if": lambda x: 1 if (x > 0).all() else 0,
    "and": lambda x: (x.sum() > 0) and 1,
    "max of Python": lambda x: max(x[0, 0], x[0, 1]),
    "in": lambda x: 3.0 in x[0, :1][None],
    "item": lambda x: x[0, 0].item(),
    "tolist": lambda x: x.tolist(),
    "get": lambda x: x.get(),
    "asnumpy": lambda x: strict.asnumpy(x),
    "repr": lambda x: repr(x),
    "str": lambda x: str(x),
    "format": lambda x: f"{x.sum():.3f}",
    "iteration": lambda x: list(x[0]),
    "unpacking": lambda x: (lambda a, b, c: a)(*x[0]),
    "mask": lambda x: x[x > 0],
    "mask of one axis": lambda x: x[:, strict.asarray([True, False, True])],
    "assignment by mask": lambda x: x.__setitem__(x > 0, 0),
    "nonzero": lambda x: x.nonzero(),
    "nonzero function": lambda x: strict.nonzero(x),
    "where without choices": lambda x: strict.where(x > 0),
    "pickle": lambda x: pickle.dumps(x),
}


@pytest.mark.parametrize("name", READS)
def test_counts_each_read(name):
    x = numbers(2, 3)
    with strict.reads() as count:
        READS[name](x)
    assert count() == 1, count
    assert "test_strict.py" in count.places[0], count


FREE = {
    "arithmetic": lambda x: (2 * x + x @ x.T @ x - x / 3.0) ** 2,
    "comparison": lambda x: (x > 0) & (x == x) | ~(x <= 1),
    "where": lambda x: strict.where(x > 0, x, 0.0),
    "reductions": lambda x: x.sum() + x.mean(axis=0).max() + x.any() + strict.sqrt(x.var()),
    "index arrays": lambda x: x[strict.asarray([1, 0])] + x.take(strict.asarray([0, 1]), axis=0),
    "assignment": lambda x: x.__setitem__((slice(None), 1), x[:, 0]),
    "iteration over rows": lambda x: [row.sum() for row in x],
    "upload": lambda x: strict.asarray(HOST) + strict.zeros((2, 3)),
    "shape and dtype": lambda x: (x.shape, x.dtype.kind, x.ndim, x.size, len(x), x.T.strides),
    "copies": lambda x: copy.deepcopy(x) + copy.copy(x),
    "get_array_module": lambda x: get_array_module(x),
}


@pytest.mark.parametrize("name", FREE)
def test_counts_nothing_else(name):
    with strict.reads() as count:
        FREE[name](numbers(2, 3))
    assert count() == 0, count


def test_a_read_is_counted_by_the_counters_that_are_open_and_names_its_line():
    x = numbers(3)
    float(x[0])
    with strict.reads() as outer:
        float(x[0])
        with strict.reads() as inner:
            x.tolist()
        x[1].item()
    float(x[0])
    assert (outer(), inner()) == (3, 1)
    assert "tolist: x.tolist()" in inner.places[0] and __file__ in inner.places[0]
    assert "1 reads" in repr(inner) and inner.places[0] in repr(inner)


def test_basic_indices_give_views_and_index_arrays_copies():
    x = strict.zeros((2, 3, 4), "float32")
    x[0][..., slice(1, 3), :][...] = strict.ones((2, 4), "float32")
    assert strict.asnumpy(x.sum()) == 8
    element = x[1, 2, 3]
    element[...] = 5
    assert element.shape == () and float(x[1, 2, 3]) == 5
    for view in (x.T, x.reshape(6, 4), x.swapaxes(0, 1), x.ravel(), x[None], x[1:]):
        view += 1
    assert float(x[1, 2, 3]) == 11
    before = strict.asnumpy(x)
    for copied in (x[strict.asarray([0, 1])], x[[0, 1]], x.take([0], axis=0), x.copy(), x + 0):
        copied += 1
    np.testing.assert_array_equal(strict.asnumpy(x), before)


def test_operators_in_place_keep_the_array():
    x = numbers(2, 3)
    same, view, expected = x, x[0], strict.asnumpy(x)
    x += 1
    x *= x
    x -= strict.asarray(2.0)
    x /= 2
    assert x is same and x.dtype == "float32"
    np.testing.assert_allclose(strict.asnumpy(x), ((expected + 1) ** 2 - 2) / 2, rtol=1e-6)
    np.testing.assert_array_equal(strict.asnumpy(view), strict.asnumpy(x)[0])
    out = strict.empty((2, 3), "float32")
    assert strict.tanh(x, out=out) is out and x.astype("float32", copy=False) is x
    scalar = x.sum()
    scalar_same = scalar
    scalar += 1
    assert scalar is scalar_same


DTYPES = {
    "Python float": (lambda x: x * 0.5, "float32"),
    "Python int first": (lambda x: 2 - x, "float32"),
    "np.float64 scalar": (lambda x: x * np.float64(0.5), "float64"),
    "np.float64 scalar first": (lambda x: np.float64(0.5) * x, "float64"),
    "0-d float64 array": (lambda x: x * strict.asarray(0.5), "float64"),
    "0-d array of the same dtype": (lambda x: x * x.sum(), "float32"),
    "0-d array times 0-d int64": (lambda x: x.sum() * strict.asarray(3), "float64"),
    "a mean": (lambda x: x.mean(), "float32"),
    "a count": (lambda x: (x > 0).sum(), "int64"),
    "argmax": (lambda x: x.argmax(axis=0), "int64"),
    "function of a number": (lambda x: strict.tanh(0.5), "float64"),
    "choice of numbers": (lambda x: strict.where(x > 0, 1.0, 0.0), "float64"),
    "choice of array and number": (lambda x: strict.where(x > 0, x, 0.0), "float32"),
    "created": (lambda x: strict.zeros(3), "float64"),
    "zeros_like": (lambda x: strict.zeros_like(x), "float32"),
    "arange": (lambda x: strict.arange(3), "int64"),
    "comparison": (lambda x: x[0, 0] > 0, "bool"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_are_those_of_numpy_2_and_results_stay_on_the_device(name):
    compute, dtype = DTYPES[name]
    result = compute(numbers(2, 3))
    assert type(result) is strict.ndarray and result.dtype == dtype


def test_indices_out_of_range_wrap_around():
    x = strict.asarray(np.arange(12.0).reshape(3, 4))
    wrapped = x[strict.asarray([3, -4]), ..., strict.asarray([4, 5])]
    np.testing.assert_array_equal(strict.asnumpy(wrapped), [0, 9])
    np.testing.assert_array_equal(strict.asnumpy(x[:, strict.asarray([6])]), [[2], [6], [10]])
    np.testing.assert_array_equal(
        strict.asnumpy(x.take(strict.asarray([7]), axis=1)[:, 0]), [3, 7, 11]
    )
    y = strict.asarray(np.arange(6.0).reshape(1, 2, 3))
    np.testing.assert_array_equal(strict.asnumpy(y[..., strict.asarray([5])]), [[[2], [5]]])
    with pytest.raises(IndexError):
        x[3]


def test_repeated_indices_in_an_assignment_are_an_error():
    x, ids = strict.zeros((3, 2)), strict.asarray([1, 1])
    with pytest.raises(ValueError, match="repeated"):
        x[ids] = strict.ones((2, 2))
    x[ids] = 4  # the same value twice is no question
    x[strict.asarray([0, 2])] = strict.ones((2, 2))
    np.testing.assert_array_equal(strict.asnumpy(x), [[1, 1], [4, 4], [1, 1]])


def test_uploads_and_downloads_are_copies():
    host = np.arange(3.0)
    x = strict.asarray(host)
    host[0] = 7
    back = strict.asnumpy(x)
    back[1] = 7
    np.testing.assert_array_equal(strict.asnumpy(x), [0, 1, 2])
    assert strict.asarray(x) is x and strict.array(x) is not x
    assert strict.asarray(x, dtype="float32").dtype == "float32"
    assert strict.asarray([1, 2]).dtype == "int64"
