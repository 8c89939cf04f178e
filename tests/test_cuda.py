"""`minirnn/cuda`: its loops give what `recurrent.py` with `cells.py` gives.

Everywhere with a C++ compiler: it turns the kernels into functions that run one thread after the
other, on NumPy arrays, with NumPy's products. With CuPy and a GPU (or the emulated card, see
`emulated_card/`): as they are.
"""

import contextlib
import ctypes
import shutil
import subprocess
import types

import numpy as np
import pytest

from minirnn.backend import asarray, asnumpy, current, use
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.cuda import kernels, products
from minirnn.cuda import recurrent as cuda_recurrent
from minirnn.cuda.recurrent import CudaCache, CudaRecurrent
from minirnn.gradcheck.ladder import randomised
from minirnn.recurrent import Recurrent, RecurrentCache
from minirnn.stacked import GRU, LSTM, RNN, Stack

CELLS = {
    "tanh": RNNCell("tanh"),
    "relu": RNNCell("relu"),
    "identity": RNNCell("identity"),
    "LSTM": LSTMCell(),
    "GRU": GRUCell(),
    "GRU, reset before": GRUBeforeCell(),
}
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}  # of an array, in the 2-norm

# A card without CuPy

ON_THE_CPU = """
#include <cmath>
using std::exp; using std::tanh;
#define __device__
#define __global__
struct Place { int x; };
static Place blockIdx, blockDim, threadIdx;
extern "C" void set_thread(int block, int threads, int thread)
{ blockIdx.x = block; blockDim.x = threads; threadIdx.x = thread; }
"""


class NumPyProduct:
    """`RowProduct` in NumPy."""

    def __init__(self, A, B, C, add=False):
        self.A, self.B, self.C, self.add = A, B, C, add

    def __call__(self, a, c, n):
        product = self.A[a : a + n] @ self.B
        self.C[c : c + n] = self.C[c : c + n] + product if self.add else product


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """{"-DREAL=float": library of the kernels as C++ functions, ...}."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    folder = tmp_path_factory.mktemp("kernels")
    source = folder / "kernels.cpp"
    source.write_text(ON_THE_CPU + kernels.SOURCE)
    libraries = {}
    for real in ("float", "double"):
        built = folder / f"{real}.so"
        command = [compiler, f"-DREAL={real}", "-O1", "-shared", "-fPIC", str(source)]
        subprocess.run([*command, "-o", str(built)], check=True)
        libraries[f"-DREAL={real}"] = ctypes.CDLL(str(built))
    return libraries


@pytest.fixture
def on_the_host(compiled, monkeypatch):
    """The loops of `cuda` take NumPy arrays for CuPy's."""

    def raw_kernel(source, name, options):
        library, real = compiled[options[0]], options[0].removeprefix("-DREAL=")

        def run(grid, block, arguments):
            passed = []
            for a in arguments:
                if isinstance(a, np.ndarray):
                    assert a.dtype == {"float": "float32", "double": "float64"}[real], name
                    assert a.flags.c_contiguous, name
                    passed.append(a.ctypes.data_as(ctypes.c_void_p))
                else:
                    passed.append(ctypes.c_longlong(a))
            for k in range(grid[0]):
                for thread in range(block[0]):
                    library.set_thread(k, block[0], thread)
                    library[name](*passed)

        return run

    xp = types.SimpleNamespace(__name__="cupy", RawKernel=raw_kernel)
    for (
        name
    ) in "array ascontiguousarray concatenate empty empty_like ones result_type zeros".split():
        setattr(xp, name, getattr(np, name))
    monkeypatch.setattr(kernels, "_compiled", {})
    monkeypatch.setattr(cuda_recurrent, "get_array_module", lambda *arrays, **named: xp)
    monkeypatch.setattr(cuda_recurrent, "RowProduct", NumPyProduct)


@pytest.fixture
def on_a_card():
    use("cupy")
    yield
    use("numpy")


@pytest.fixture(params=["host", pytest.param("card", marks=pytest.mark.gpu)])
def cuda(request):
    """The loops of `cuda` on NumPy arrays, or on a card."""
    request.getfixturevalue(f"on_{'the_host' if request.param == 'host' else 'a_card'}")


# Beside the clear loop

D, H, N, T = 3, 5, 4, 4
SIZES = [4, 4, 3, 1]


def pair(cell, dtype="float64", **options):
    """The same layer as `Recurrent` on NumPy and as `CudaRecurrent` where `cuda` has it run."""
    layers = []
    for kind, backend in ((Recurrent, "numpy"), (CudaRecurrent, current())):
        with using(backend):
            rng = np.random.default_rng(0)
            layer = kind(CELLS[cell], D, H, rng=rng, dtype=dtype, **options)
            layers.append(randomised(layer, rng) if backend == "numpy" else layer)
    layers[1].load_state_dict(layers[0].state_dict())
    return layers


@contextlib.contextmanager
def using(backend):
    before = current()
    use(backend)
    yield
    use(before)


class Numbers:
    """Arguments of a layer: the same numbers on whichever backend is in use."""

    def __init__(self, layer, kind, dtype="float64", **dtypes):
        rng = np.random.default_rng(1)
        self.sizes = SIZES if "packed" in kind else None
        rows = (sum(SIZES),) if self.sizes else (T, N)
        states = layer.cell.states

        def draw(name, *shape):
            return rng.standard_normal(shape).astype(dtypes.get(name, dtype))

        self.x = rng.integers(D, size=rows) if "ids" in kind else draw("x", *rows, D)
        self.state = [draw("state", N, H) for _ in states]
        self.doutput = draw("doutput", *rows, H)
        self.dfinal = [draw("dfinal", N, H) for _ in states]

    def __getattr__(self, name):  # x_, state_ ...: on the backend in use
        value = vars(self)[name.removesuffix("_")]
        return [asarray(v) for v in value] if isinstance(value, list) else asarray(value)


def run(layer, numbers, *, state=True, doutput=True, dfinal=True, truncate=None, twice=False):
    """All results of one call forward and one backward (or two), in float64 on the host."""
    layer.zero_grad()
    y, final, cache = layer.forward(
        numbers.x_, numbers.sizes, numbers.state_ if state else None, truncate
    )
    for _ in range(1 + twice):
        dx, dstate = layer.backward(
            numbers.doutput_ if doutput else None, cache, numbers.dfinal_ if dfinal else None
        )
    grads = [p.grad for p in layer.parameters()]
    results = [y, *final, dx, *dstate, *grads, *layer.gates(cache).values(),
               *layer.states(cache).values()]  # fmt: skip
    return [None if a is None else asnumpy(a).astype("float64") for a in results], cache


def agree(cell, numbers, dtype="float64", biases=2, **options):
    clear, ours = pair(cell, dtype, biases=biases)
    with using("numpy"):
        expected, cache = run(clear, numbers, **options)
    assert isinstance(cache, RecurrentCache)
    found, cache = run(ours, numbers, **options)
    assert isinstance(cache, CudaCache)
    for k, (mine, wanted) in enumerate(zip(found, expected, strict=True)):
        if wanted is None:
            assert mine is None
            continue
        assert mine.shape == wanted.shape, k
        off = np.linalg.norm(mine - wanted)
        assert off <= TOLERANCE[dtype] * np.linalg.norm(wanted), (k, off)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["dense", "dense ids", "packed", "packed ids"])
@pytest.mark.parametrize("cell", CELLS)
def test_results_are_those_of_the_clear_loop(cuda, cell, kind, dtype):
    agree(cell, Numbers(pair(cell)[0], kind, dtype), dtype)


OPTIONS = {
    "no initial state": dict(state=False),
    "no gradient of the output": dict(doutput=False),
    "no gradient of the final state": dict(dfinal=False),
    "truncated at 1": dict(truncate=1),
    "truncated at 2": dict(truncate=2),
    "backward twice": dict(twice=True),
    "no biases": dict(biases=0),
    "one bias": dict(biases=1),
}


@pytest.mark.parametrize("kind", ["dense", "packed"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_options_do_what_they_do_in_the_clear_loop(cuda, cell, options, kind):
    agree(cell, Numbers(pair(cell)[0], kind), **OPTIONS[options])


MIXED = [{name: other} for name in ("x", "state", "doutput", "dfinal") for other in TOLERANCE]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mixed", MIXED, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_arrays_of_another_type_are_converted(cuda, cell, mixed, dtype):
    numbers = Numbers(pair(cell)[0], "packed", dtype, **mixed)
    clear, ours = pair(cell, dtype)
    with using("numpy"):
        expected, _ = run(clear, numbers)
    for mine, wanted in zip(run(ours, numbers)[0], expected, strict=True):
        assert np.linalg.norm(mine - wanted) <= 1e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_many_ids_and_arrays_in_another_order(cuda, cell):
    """More rows than letters, so biases are added first; views that are not row by row."""
    numbers = Numbers(pair(cell)[0], "dense ids")
    numbers.x = np.tile(numbers.x, (3, 1))
    numbers.doutput = np.asfortranarray(np.tile(numbers.doutput, (3, 1, 1)))
    numbers.state = [np.asfortranarray(s) for s in numbers.state]
    numbers.dfinal = [np.repeat(d, 2, axis=0)[::2] for d in numbers.dfinal]
    agree(cell, numbers)


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_that_is_handed_in_or_out_is_written_into(cuda, cell):
    _, layer = pair(cell)
    numbers = Numbers(layer, "packed")
    x, state, doutput, dfinal = (
        numbers.x_, numbers.state_, numbers.doutput_, numbers.dfinal_
    )  # fmt: skip
    handed = [x, *state, doutput, *dfinal]
    before = [asnumpy(a).copy() for a in handed]
    y, final, cache = layer.forward(x, SIZES, state)
    out = [y, *final]
    after_forward = [asnumpy(a).copy() for a in out]
    first = [asnumpy(a).copy() for a in layer.backward(doutput, cache, dfinal)[1]]
    for a, b in zip([*handed, *out], [*before, *after_forward], strict=True):
        assert (asnumpy(a) == b).all()
    for a in out:
        a.fill(7)  # what was handed out is the caller's, so this must not be seen
    again = layer.backward(doutput, cache, dfinal)[1]
    for a, b in zip(again, first, strict=True):
        assert (asnumpy(a) == b).all()


def test_numbers_that_are_not_finite_come_through(cuda):
    for cell in CELLS:
        clear, ours = pair(cell)
        numbers = Numbers(clear, "dense")
        numbers.x[1, 2, 0] = np.nan
        with using("numpy"):
            expected, _ = run(clear, numbers)
        for mine, wanted in zip(run(ours, numbers)[0], expected, strict=True):
            assert (np.isnan(mine) == np.isnan(wanted)).all(), cell


def test_gates_far_from_zero(cuda):
    """sigmoid(-80) is 1.8e-35, not zero."""
    _, layer = pair("LSTM", "float32")
    layer.Wx.data[...] = layer.Wh.data[...] = 0
    layer.bx.data[...] = asarray(np.array([-80.0, -17, 1, -40], "float32"))[:, None]
    layer.bh.data[...] = 0
    _, _, cache = layer.forward(asarray(np.zeros((1, 2, D), "float32")))
    for gate, a in zip("ifo", (-80.0, -17.0, -40.0), strict=True):
        found = asnumpy(layer.gates(cache)[gate])
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-a)), rtol=1e-5)


# Who runs what


class Mine(LSTMCell):
    pass


def test_other_cells_and_types_run_the_clear_loop(on_the_host):
    x = np.random.default_rng(0).standard_normal((T, N, D))
    for cell, x_type, dtype in [
        (Mine(), "float64", "float64"),
        (LSTMCell(), "complex128", "float64"),
        (LSTMCell(), "float16", "float16"),
    ]:
        layer = CudaRecurrent(cell, D, H, rng=np.random.default_rng(0), dtype=dtype)
        _, _, cache = layer.forward(x.astype(x_type))
        assert isinstance(cache, RecurrentCache)


def test_numpy_arrays_run_the_clear_loop():
    layer = CudaRecurrent(LSTMCell(), D, H, rng=np.random.default_rng(0))
    y, _, cache = layer.forward(np.zeros((T, N, D), "float32"))
    assert isinstance(cache, RecurrentCache)
    layer.backward(y, cache)
    assert set(layer.gates(cache)) == set("ifgo")


@pytest.mark.gpu
def test_nets_made_on_a_card_run_the_loops_for_it(on_a_card):
    for net in (RNN, LSTM, GRU, lambda *sizes, rng: GRU(*sizes, rng=rng, reset_after=False)):
        layer = net(D, H, rng=np.random.default_rng(0))
        y, _, cache = layer.forward(asarray(np.zeros((T, N, D), "float32")))
        assert isinstance(cache[0][0], CudaCache)
        layer.backward(y, cache)
    mine = Stack(Mine, D, H, rng=np.random.default_rng(0))
    y, _, cache = mine.forward(asarray(np.zeros((T, N, D), "float32")))
    assert isinstance(cache[0][0], RecurrentCache)
    mine.backward(y, cache)


# Products


@pytest.mark.gpu
@pytest.mark.parametrize("thin", [True, False])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("columns", ["all", "some"])
def test_products_of_rows(on_a_card, monkeypatch, thin, add, columns):
    """The thin call of cuBLAS and the public one: both write those rows and no others."""
    if not thin:
        monkeypatch.setattr(products.RowProduct, "_take_cublas", lambda self: None)
    rng = np.random.default_rng(0)
    A, B, C = (rng.standard_normal(shape) for shape in [(6, 4), (4, 3), (7, 5)])
    device = [asarray(A), asarray(B), asarray(C)]
    if columns == "some":
        A, B, device[:2] = A[:, 1:], B[1:], [device[0][:, 1:], device[1][1:]]
    C_part, device_part = C[:, 1:4], device[2][:, 1:4]
    product = products.RowProduct(device[0], device[1], device_part, add=add)
    product(2, 1, 3)
    C_part[1:4] = A[2:5] @ B + (C_part[1:4] if add else 0)
    np.testing.assert_allclose(asnumpy(device[2]), C, rtol=1e-12)
    with pytest.raises(ValueError, match="do not fit"):
        products.RowProduct(device[0], device[1], device[2])
    with pytest.raises(ValueError, match="row by row"):
        products.RowProduct(device[0], asarray(np.asfortranarray(B)), device_part)


# The source


@pytest.mark.parametrize("real", ["float", "double"])
def test_the_source_compiles_for_a_gpu(tmp_path, real):
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("no CUDA compiler (nvcc) on this machine")
    path = tmp_path / "kernels.cu"
    path.write_text(kernels.SOURCE)
    command = [compiler, f"-DREAL={real}", "-Werror", "all-warnings", "-ptx", str(path)]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out.ptx")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    code = (tmp_path / "out.ptx").read_text()
    for name in ("rnn", "lstm", "gru", "gru_before"):
        assert f".entry {name}_forward(" in code and f".entry {name}_backward(" in code
    if real == "float":
        assert ".f64" not in code, "a constant without a type makes doubles of all"
