"""The elementwise part of a step as CUDA kernels: one forward and one backward for each cell.

What a kernel computes is what the cell in `cells.py` computes between two products, in the same
order. Arrays over all steps are handed over whole, with the row at which the step starts; `gates`
and `da` [S, G H] have a row's gates side by side. States are [N, H] and are updated in place, so
a sequence that has ended keeps its last state, and one that has not begun its way back waits.
The source is plain CUDA C, compiled for float or double as REAL. No kernel reads anything back.
"""

THREADS = 128  # of a block

SOURCE = r"""
typedef long long Index;  // 32 bits would overflow from 2^31 numbers on
#define ONE ((REAL)1)     // a bare 1. would make a double of everything

// One thread for each entry k of a state [n, H], the first n of its N rows. The same entry is `at`
// in an array [S, H] over all steps, and `at_gate + g H` is its gate g in one of [S, G H].
#define FOR_EACH_ENTRY(G)                                        \
    Index k = (Index)blockDim.x * blockIdx.x + threadIdx.x;      \
    if (k >= size) return;                                       \
    Index at = start * H + k;                                    \
    Index at_gate = (start + k / H) * G * H + k % H;

__device__ inline REAL sigmoid(REAL a) { return ONE / (ONE + exp(-a)); }  // 1 / infinity is 0

// 0: tanh, 1: relu, 2: identity; NaN stays NaN
__device__ inline REAL nonlinearity(REAL a, Index f)
{
    return f == 0 ? tanh(a) : f == 1 && a <= 0 ? 0 : a;
}

// gates: gx + h_prev Wh in, h out
extern "C" __global__ void rnn_forward(
    REAL* gates, REAL* h, REAL* output, REAL* h_prevs, Index f, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(1)
    h_prevs[at] = h[k];
    output[at] = gates[at_gate] = h[k] = nonlinearity(gates[at_gate], f);
}

extern "C" __global__ void rnn_backward(
    const REAL* gates, const REAL* doutput, REAL* dh, REAL* da,
    Index f, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(1)
    REAL h = gates[at_gate];
    REAL d = doutput ? dh[k] + doutput[at] : dh[k];
    da[at_gate] = f == 0 ? d * (ONE - h * h) : f == 1 && h <= 0 ? 0 : d;
}

// gates: gx + h_prev Wh in; i, f, g, o out
extern "C" __global__ void lstm_forward(
    REAL* gates, REAL* h, REAL* c, REAL* output, REAL* h_prevs, REAL* c_prevs, REAL* tanh_cs,
    Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(4)
    REAL* a = gates + at_gate;
    REAL i = sigmoid(a[0]), f = sigmoid(a[H]), g = tanh(a[2 * H]), o = sigmoid(a[3 * H]);
    REAL c_prev = c[k];
    REAL c_now = f * c_prev + i * g;
    REAL tanh_c = tanh(c_now);
    a[0] = i; a[H] = f; a[2 * H] = g; a[3 * H] = o;
    h_prevs[at] = h[k]; c_prevs[at] = c_prev; tanh_cs[at] = tanh_c;
    c[k] = c_now;
    output[at] = h[k] = o * tanh_c;
}

extern "C" __global__ void lstm_backward(
    const REAL* gates, const REAL* c_prevs, const REAL* tanh_cs, const REAL* doutput,
    REAL* dh, REAL* dc, REAL* da, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(4)
    const REAL* gate = gates + at_gate;
    REAL i = gate[0], f = gate[H], g = gate[2 * H], o = gate[3 * H], tanh_c = tanh_cs[at];
    REAL d = doutput ? dh[k] + doutput[at] : dh[k];
    REAL d_c = dc[k] + d * o * (ONE - tanh_c * tanh_c);
    REAL* a = da + at_gate;
    a[0] = d_c * g * i * (ONE - i);
    a[H] = d_c * c_prevs[at] * f * (ONE - f);
    a[2 * H] = d_c * i * (ONE - g * g);
    a[3 * H] = d * tanh_c * o * (ONE - o);
    dc[k] = d_c * f;
}

// gates: gx in, r, z, n out; products [N, 3 H]: h_prev Wh of this step; bias_n: bh of gate n
extern "C" __global__ void gru_forward(
    REAL* gates, const REAL* products, const REAL* bias_n, REAL* h, REAL* output, REAL* h_prevs,
    REAL* product_ns, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    REAL* a = gates + at_gate;
    const REAL* product = products + at_gate - start * 3 * H;
    REAL product_n = bias_n ? product[2 * H] + bias_n[k % H] : product[2 * H];
    REAL r = sigmoid(a[0] + product[0]), z = sigmoid(a[H] + product[H]);
    REAL n = tanh(a[2 * H] + r * product_n);
    a[0] = r; a[H] = z; a[2 * H] = n;
    h_prevs[at] = h[k]; product_ns[at] = product_n;
    output[at] = h[k] = (ONE - z) * n + z * h[k];
}

// dgx: of gx; da: of the products, which r scales in gate n
extern "C" __global__ void gru_backward(
    const REAL* gates, const REAL* product_ns, const REAL* h_prevs, const REAL* doutput,
    REAL* dh, REAL* dgx, REAL* da, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    const REAL* gate = gates + at_gate;
    REAL r = gate[0], z = gate[H], n = gate[2 * H];
    REAL d = doutput ? dh[k] + doutput[at] : dh[k];
    REAL dan = d * (ONE - z) * (ONE - n * n);
    da[at_gate] = dgx[at_gate] = dan * product_ns[at] * r * (ONE - r);
    da[at_gate + H] = dgx[at_gate + H] = d * (h_prevs[at] - n) * z * (ONE - z);
    da[at_gate + 2 * H] = dan * r;
    dgx[at_gate + 2 * H] = dan;
    dh[k] = d * z;
}

// The GRU that resets before the product has two products a step, and a kernel after each.
// gates: gx + h_prev Wh of r and z in, r and z out; resets: r h_prev
extern "C" __global__ void gru_before_forward_reset(
    REAL* gates, const REAL* h, REAL* resets, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    REAL* a = gates + at_gate;
    REAL r = sigmoid(a[0]);
    a[0] = r; a[H] = sigmoid(a[H]);
    resets[at] = r * h[k];
}

// gates: gx + resets Wh of n in, n out
extern "C" __global__ void gru_before_forward(
    REAL* gates, REAL* h, REAL* output, REAL* h_prevs, Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    REAL* a = gates + at_gate;
    REAL z = a[H], n = tanh(a[2 * H]);
    a[2 * H] = n;
    h_prevs[at] = h[k];
    output[at] = h[k] = (ONE - z) * n + z * h[k];
}

extern "C" __global__ void gru_before_backward(
    const REAL* gates, const REAL* h_prevs, const REAL* doutput, REAL* dh, REAL* da,
    Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    const REAL* gate = gates + at_gate;
    REAL z = gate[H], n = gate[2 * H];
    REAL d = doutput ? dh[k] + doutput[at] : dh[k];
    da[at_gate + H] = d * (h_prevs[at] - n) * z * (ONE - z);
    da[at_gate + 2 * H] = d * (ONE - z) * (ONE - n * n);
    dh[k] = d * z;
}

// dresets [N, H]: da Wh^T of gate n
extern "C" __global__ void gru_before_backward_reset(
    const REAL* gates, const REAL* h_prevs, const REAL* dresets, REAL* dh, REAL* da,
    Index start, Index H, Index size)
{
    FOR_EACH_ENTRY(3)
    REAL r = gates[at_gate];
    da[at_gate] = dresets[k] * h_prevs[at] * r * (ONE - r);
    dh[k] += dresets[k] * r;
}
"""

_compiled = {}  # {(name, type): CuPy's RawKernel}


def kernel(xp, name, dtype):
    """The kernel of this name for arrays of `dtype`, float32 or float64; compiled when first run.

    Call it as `kernel(blocks, threads, arguments)`, with arrays and Python's whole numbers, which
    are 64 bits there. A null pointer is the number 0.
    """
    real = {"f": "float", "d": "double"}[dtype.char]
    if (name, real) not in _compiled:
        _compiled[name, real] = xp.RawKernel(SOURCE, name, options=(f"-DREAL={real}",))
    return _compiled[name, real]
