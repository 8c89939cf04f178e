"""One CUDA kernel for each cell and direction: a step is a product and a single launch.

Optional: delete this file, and the lines in `fast.py` that ask for it, and only speed changes.
Each class keeps its cell's contract, takes the place of the cell where the arrays are CuPy's, and
computes what the cell in `cells.py` computes, the elementwise part in one pass. The source is
plain CUDA C, compiled for float or double as REAL. No kernel reads anything back.
"""

from .backend import get_array_module
from .cells import GRUCache, GRUCell, LSTMCache, LSTMCell, RNNCache, RNNCell

# k runs over the n H entries of one gate. gx is a view of [G, S, H]: its gates lie gx_stride
# entries apart, while everything made here is contiguous, its gates `size` entries apart.
SOURCE = r"""
#define HALF ((REAL)0.5)
#define ONE ((REAL)1)

__device__ inline REAL sigmoid(REAL a) { return HALF * tanh(HALF * a) + HALF; }

#define FOR_EACH_ENTRY(k)                                        \
    int k = (int)(blockDim.x * blockIdx.x + threadIdx.x);        \
    if (k >= size) return;

extern "C" __global__ void rnn_forward(
    const REAL* gx, const REAL* product, REAL* h, int size)
{
    FOR_EACH_ENTRY(k)
    h[k] = tanh(gx[k] + product[k]);
}

extern "C" __global__ void rnn_backward(
    const REAL* dh, const REAL* h, REAL* da, int size)
{
    FOR_EACH_ENTRY(k)
    da[k] = dh[k] * (ONE - h[k] * h[k]);
}

// out: i, f, g, o, tanh(c), c, h
extern "C" __global__ void lstm_forward(
    const REAL* gx, long long gx_stride, const REAL* product, const REAL* c_prev,
    REAL* out, int size)
{
    FOR_EACH_ENTRY(k)
    REAL i = sigmoid(gx[k] + product[k]);
    REAL f = sigmoid(gx[k + gx_stride] + product[k + size]);
    REAL g = tanh(gx[k + 2 * gx_stride] + product[k + 2 * size]);
    REAL o = sigmoid(gx[k + 3 * gx_stride] + product[k + 3 * size]);
    REAL c = f * c_prev[k] + i * g;
    REAL tanh_c = tanh(c);
    out[k] = i;
    out[k + size] = f;
    out[k + 2 * size] = g;
    out[k + 3 * size] = o;
    out[k + 4 * size] = tanh_c;
    out[k + 5 * size] = c;
    out[k + 6 * size] = o * tanh_c;
}

// kept: out of lstm_forward; da: four gates, da_stride entries apart
extern "C" __global__ void lstm_backward(
    const REAL* dh, const REAL* dc_next, const REAL* kept, const REAL* c_prev,
    REAL* da, long long da_stride, REAL* dc_prev, int size)
{
    FOR_EACH_ENTRY(k)
    REAL i = kept[k], f = kept[k + size], g = kept[k + 2 * size], o = kept[k + 3 * size];
    REAL tanh_c = kept[k + 4 * size];
    REAL dc = dc_next[k] + dh[k] * o * (ONE - tanh_c * tanh_c);
    da[k] = dc * g * i * (ONE - i);
    da[k + da_stride] = dc * c_prev[k] * f * (ONE - f);
    da[k + 2 * da_stride] = dc * i * (ONE - g * g);
    da[k + 3 * da_stride] = dh[k] * tanh_c * o * (ONE - o);
    dc_prev[k] = dc * f;
}

// out: r, z, n, h
extern "C" __global__ void gru_forward(
    const REAL* gx, long long gx_stride, const REAL* product, const REAL* h_prev,
    REAL* out, int size)
{
    FOR_EACH_ENTRY(k)
    REAL r = sigmoid(gx[k] + product[k]);
    REAL z = sigmoid(gx[k + gx_stride] + product[k + size]);
    REAL n = tanh(gx[k + 2 * gx_stride] + r * product[k + 2 * size]);
    out[k] = r;
    out[k + size] = z;
    out[k + 2 * size] = n;
    out[k + 3 * size] = (ONE - z) * n + z * h_prev[k];
}

// da: of the products, da_stride entries apart; dgx_n: of gx of gate n, which the reset gate
// does not scale; dh_kept: dh z
extern "C" __global__ void gru_backward(
    const REAL* dh, const REAL* kept, const REAL* product_n, const REAL* h_prev,
    REAL* da, long long da_stride, REAL* dgx_n, REAL* dh_kept, int size)
{
    FOR_EACH_ENTRY(k)
    REAL r = kept[k], z = kept[k + size], n = kept[k + 2 * size];
    REAL dan = dh[k] * (ONE - z) * (ONE - n * n);
    da[k] = dan * product_n[k] * r * (ONE - r);
    da[k + da_stride] = dh[k] * (h_prev[k] - n) * z * (ONE - z);
    da[k + 2 * da_stride] = dan * r;
    dgx_n[k] = dan;
    dh_kept[k] = dh[k] * z;
}
"""

THREADS = 256


def for_arrays(cell, array):
    """The cell that does `cell`'s work on arrays like this one: itself, or its kernels."""
    xp = get_array_module(array)
    kind = KERNELS.get(type(cell)) if xp.__name__ == "cupy" else None
    if kind is None or array.dtype.kind != "f" or getattr(cell, "f", None) not in (None, RNN_F):
        return cell
    return kind(cell, xp)


class KernelCell:
    """A cell's contract on top of compiled kernels."""

    compiled = {}  # {(name, real): kernel}, for all cells

    def __init__(self, cell, xp):
        self.cell, self.xp = cell, xp
        self.gates, self.states = cell.gates, cell.states
        self.additive = getattr(cell, "additive", False)

    def launch(self, name, size, dtype, *arguments):
        """Run a kernel over `size` entries; it is compiled when it is first needed."""
        real = "float" if dtype == "float32" else "double"
        if (name, real) not in self.compiled:
            options = (f"-DREAL={real}",)
            self.compiled[name, real] = self.xp.RawKernel(SOURCE, name, options=options)
        self.compiled[name, real](
            ((size + THREADS - 1) // THREADS,), (THREADS,), (*arguments, self.xp.int32(size))
        )

    def stride(self, gates):
        """How many entries lie between two gates of a view [G, n, H]."""
        return self.xp.int64(gates.strides[0] // gates.itemsize)

    def contiguous(self, *arrays):
        """The arrays in one block of memory each, as the kernels want them."""
        return [self.xp.ascontiguousarray(array) for array in arrays]


class KernelRNN(KernelCell):
    """`RNNCell` with one kernel forward and one backward; shapes and results are the same."""

    def forward(self, gx, state, product):
        (h_prev,) = state
        (product_h,) = self.contiguous(product(h_prev))
        h = self.xp.empty(h_prev.shape, gx.dtype)
        self.launch("rnn_forward", h.size, h.dtype, gx, product_h, h)
        return (h,), RNNCache(h)

    def backward(self, dstate, cache, product):
        (dh,) = self.contiguous(*dstate)
        da = product.slot()
        self.launch("rnn_backward", dh.size, dh.dtype, dh, cache.h, da)
        return tuple(da), (product.pull(),)


class KernelLSTM(KernelCell):
    """`LSTMCell` with one kernel forward and one backward; shapes and results are the same."""

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        product_h, c_prev = self.contiguous(product(h_prev), c_prev)
        out = self.xp.empty((7, *c_prev.shape), gx.dtype)
        self.launch("lstm_forward", c_prev.size, gx.dtype,
                    gx, self.stride(gx), product_h, c_prev, out)  # fmt: skip
        i, f, g, o, tanh_c, c, h = out
        return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        dh, dc = self.contiguous(*dstate)
        da, dc_prev = product.slot(), self.xp.empty_like(dc)
        # i begins the seven arrays that forward made as one
        self.launch("lstm_backward", dh.size, dh.dtype,
                    dh, dc, cache.i, cache.c_prev, da, self.stride(da), dc_prev)  # fmt: skip
        return tuple(da), (product.pull(), dc_prev)


class KernelGRU(KernelCell):
    """`GRUCell` with one kernel forward and one backward; shapes and results are the same."""

    def forward(self, gx, state, product):
        (h_prev,) = state
        product_h, h_prev = self.contiguous(product(h_prev), h_prev)
        out = self.xp.empty((4, *h_prev.shape), gx.dtype)
        self.launch("gru_forward", h_prev.size, gx.dtype,
                    gx, self.stride(gx), product_h, h_prev, out)  # fmt: skip
        r, z, n, h = out
        return (h,), GRUCache(r, z, n, h_prev, product_h[2])

    def backward(self, dstate, cache, product):
        (dh,) = self.contiguous(*dstate)
        da, dgx_n, dh_kept = product.slot(), self.xp.empty_like(dh), self.xp.empty_like(dh)
        self.launch("gru_backward", dh.size, dh.dtype, dh, cache.r, cache.product_n, cache.h_prev,
                    da, self.stride(da), dgx_n, dh_kept)  # fmt: skip
        return (da[0], da[1], dgx_n), (dh_kept + product.pull(),)


KERNELS = {RNNCell: KernelRNN, LSTMCell: KernelLSTM, GRUCell: KernelGRU}
RNN_F = RNNCell().f  # the kernel knows tanh alone
