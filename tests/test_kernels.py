"""The CUDA kernels without a GPU: they compile, and their arithmetic is that of the cells.

A C++ compiler turns the same source into functions that run one thread after the other; a module
that looks like CuPy where `kernels` looks launches them on NumPy arrays.
"""

import ctypes
import shutil
import subprocess
import types

import numpy as np
import pytest

from minirnn import kernels
from minirnn.backend import use
from minirnn.cells import GRUCell, LSTMCell, RNNCell
from minirnn.gradcheck.ladder import randomised
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN

ON_THE_CPU = """
#include <cmath>
using std::tanh;
#define __device__
#define __global__
struct Place { int x; };
static Place blockIdx, blockDim, threadIdx;
extern "C" void set_thread(int block, int threads, int thread)
{ blockIdx.x = block; blockDim.x = threads; threadIdx.x = thread; }
"""
CELLS = {RNNCell: kernels.KernelRNN, LSTMCell: kernels.KernelLSTM, GRUCell: kernels.KernelGRU}
SIZES = [4, 4, 3, 1]


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
    for name in ("rnn_forward", "lstm_forward", "lstm_backward", "gru_forward", "gru_backward"):
        assert f".entry {name}" in (tmp_path / "out.ptx").read_text()


@pytest.fixture(scope="module")
def like_cupy(tmp_path_factory):
    """A module with the few names that `kernels` asks of CuPy, whose kernels run on the CPU."""
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

    def raw_kernel(source, name, options):
        library = libraries[options[0]]

        def run(grid, block, arguments):
            passed = []
            for a in arguments:
                if isinstance(a, np.ndarray):
                    passed.append(a.ctypes.data_as(ctypes.c_void_p))
                else:
                    passed.append(ctypes.c_longlong(a) if a.itemsize == 8 else ctypes.c_int(a))
            for k in range(grid[0]):
                for thread in range(block[0]):
                    library.set_thread(k, block[0], thread)
                    library[name](*passed)

        return run

    names = ("empty", "empty_like", "ascontiguousarray", "int32", "int64")
    module = types.SimpleNamespace(__name__="cupy", RawKernel=raw_kernel)
    vars(module).update({name: getattr(np, name) for name in names})
    kernels.KernelCell.compiled.clear()
    yield module
    kernels.KernelCell.compiled.clear()


@pytest.mark.parametrize("biases", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_arithmetic_is_that_of_the_cell(like_cupy, cell, dtype, biases):
    rng = np.random.default_rng(0)
    net = randomised(Recurrent(cell, 3, 5, rng=rng, biases=biases), rng)
    for p in net.parameters():
        p.data, p.grad = p.data.astype(dtype), p.grad.astype(dtype)
    x = rng.standard_normal((sum(SIZES), 3)).astype(dtype)
    state = tuple(rng.standard_normal((4, 5)).astype(dtype) for _ in cell.states)
    doutput = rng.standard_normal((len(x), 5)).astype(dtype)

    def run():
        output, final, cache = net.forward(x, SIZES, state)
        net.zero_grad()
        dx, dstate = net.backward(doutput, cache, final)
        return [output, *final, dx, *dstate, *(p.grad.copy() for p in net.parameters())]

    expected = run()
    net.cell = CELLS[cell](net.cell, like_cupy)
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    for found, wanted in zip(run(), expected, strict=True):
        assert found.dtype == wanted.dtype
        off = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
        assert off < tolerance


def test_numpy_arrays_and_other_cells_get_no_kernel():
    array = np.zeros(3)
    cell = LSTMCell()
    assert kernels.for_arrays(cell, array) is cell


@pytest.mark.gpu
@pytest.mark.parametrize("net", [RNN, LSTM, GRU])
def test_on_a_gpu_kernels_are_chosen_and_agree(net):
    found = {}
    for name in ("numpy", "cupy"):
        xp = use(name)
        try:
            layer = net(3, 5, rng=np.random.default_rng(0), dtype="float64")
            if name == "cupy":
                chosen = kernels.for_arrays(layer.layers[0].cell, layer.layers[0].Wh.data)
                assert isinstance(chosen, kernels.KernelCell)
            x = xp.asarray(np.random.default_rng(1).standard_normal((4, 2, 3)))
            output, final, cache = layer.forward(x)
            layer.backward(output, cache, final)
            found[name] = [layer.layers[0].Wh.grad, layer.layers[0].Wx.grad, output]
        finally:
            use("numpy")
    for mine, wanted in zip(found["cupy"], found["numpy"], strict=True):
        np.testing.assert_allclose(mine.get(), wanted, rtol=1e-10)
