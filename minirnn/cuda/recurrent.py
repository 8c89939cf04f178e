"""Time on a GPU: `Recurrent` again for RNN, LSTM and both GRUs, with few orders a step.

A GPU does what it is ordered to do, one small order after the other, and for nets of usual sizes
the ordering takes longer than the work. So here a step is one product and one kernel (two of each
for the GRU that resets before its product), forward and backward: gates lie side by side, so that
a product serves all of them; it is added where the gates are; and every array is made once for all
steps. `recurrent.py` with `cells.py` is the version to read; the tests hold this one to it.
"""

from itertools import accumulate
from typing import Any, NamedTuple

from ..backend import get_array_module, taken
from ..cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from ..check import cache_of, parts_of, whole
from ..layers import one_hot
from ..recurrent import Recurrent
from .kernels import THREADS, kernel
from .products import RowProduct


class CudaCache(NamedTuple):
    """The cache of `CudaRecurrent.forward` for its backward."""

    x: Any
    shape: tuple | None  # the [T, N] of a dense batch
    loop: Any  # its arrays over all steps
    layer: Any  # whose it is


class CudaRecurrent(Recurrent):
    """`Recurrent` for CuPy's arrays, of the same shapes. Cells of your own, and other types than
    float32 and float64, run the loop of `Recurrent` here too."""

    def forward(self, x, sizes=None, state=None, truncate=None):
        truncate, x = whole("truncate", truncate, none=True), taken(self.Wx.data, x=x)
        loop, xp = LOOPS.get(type(self.cell)), get_array_module(x)
        ids = x.dtype.kind in "iu"
        dtype = self.Wh.data.dtype if ids else xp.result_type(x, self.Wh.data)
        if loop is None or xp.__name__ != "cupy" or dtype.char not in "fd":
            return super().forward(x, sizes, state, truncate)
        x, sizes, shape = self._rows(x, sizes)
        bias, bias_n = self._biases()
        gates = side_by_side(self.Wx.data, dtype)
        if ids and bias is not None and len(x) > len(gates):
            gates += bias  # fewer additions than after picking rows
            bias = None
        gates = gates.take(x, axis=0) if ids else x.astype(dtype, copy=False) @ gates
        if bias is not None:
            gates += bias
        zeros = self._initial_state(state, xp, sizes[0], dtype)
        state = zeros if state is None else [own(s, dtype) for s in zeros]
        loop = loop(self.cell, self.Wh.data, bias_n, gates, sizes, truncate)
        output, final = loop.forward(state)
        cache = CudaCache(x, shape, loop, self)
        return output.reshape(*shape, -1) if shape else output, tuple(final), cache

    def backward(self, doutput, cache, dfinal=None):
        if not isinstance(cache, CudaCache):
            return super().backward(doutput, cache, dfinal)
        x, shape, loop, _ = cache_of(cache, self)
        xp, dtype, N = loop.xp, loop.gates.dtype, loop.sizes[0]
        given = parts_of(dfinal, self.cell.states, "dfinal")
        rows = len(x), self.hidden_size
        doutput, dfinal = self._upstream(doutput, dfinal, rows, N, shape, dtype)
        if doutput is not None:
            doutput = xp.ascontiguousarray(doutput, dtype)
        dstate = [
            known if d is None else own(known, dtype)
            for d, known in zip(given, dfinal, strict=True)
        ]
        dgx, dstate, dWh, da = loop.backward(doutput, dstate)
        ids = x.dtype.kind in "iu"
        self.Wx.grad += apart((one_hot(x, self.input_size, dtype) if ids else x).T @ dgx, loop.G)
        self.Wh.grad += dWh
        # a product with ones is the sum over rows, and 7 times as fast as CuPy's on an H200
        ones = xp.ones(len(x), dtype)
        dbx = (ones @ dgx).reshape(loop.G, -1)
        if self.bx is not None:
            self.bx.grad += dbx
        if self.bh is not None:
            self.bh.grad += dbx if da is dgx else (ones @ da).reshape(loop.G, -1)
        if ids:
            return None, tuple(dstate)
        dx = dgx @ turned(self.Wx.data, dtype)
        return dx.reshape(*shape, -1) if shape else dx, tuple(dstate)

    def gates(self, cache):
        if not isinstance(cache, CudaCache):
            return super().gates(cache)
        loop = cache_of(cache, self).loop
        gates, G = loop.gates, loop.G
        parts = gates.reshape(len(gates), G, -1)
        return {name: parts[:, k].copy() for k, name in enumerate(self.cell.gates)}

    def states(self, cache):
        if not isinstance(cache, CudaCache):
            return super().states(cache)
        gates, loop, shape = self.gates(cache), cache.loop, cache.shape or (-1,)
        states = {"h": gates.get("h")}
        if type(self.cell) is LSTMCell:
            c = gates["f"] * loop.c_prevs + gates["i"] * gates["g"]
            states = {"h": gates["o"] * loop.tanh_cs, "c": c}
        elif "z" in gates:
            states["h"] = (1 - gates["z"]) * gates["n"] + gates["z"] * loop.h_prevs
        return {name: s.reshape(*shape, self.hidden_size) for name, s in states.items()}

    def _biases(self):
        """(what is added to gx [G H], what is added to a GRU's product of gate n [H]); or None."""
        bx, bh = (None if b is None else b.data for b in (self.bx, self.bh))
        if bh is None or bx is None:
            return None if bx is None else bx.reshape(-1), None
        if type(self.cell) is GRUCell:  # r, z: only a sum counts
            bias = bx.copy()
            bias[:2] += bh[:2]
            return bias.reshape(-1), bh[2]
        return (bx + bh).reshape(-1), None


def own(array, dtype):
    """A copy of this type, row by row in memory."""
    return get_array_module(array).array(array, dtype, order="C")


def side_by_side(W, dtype):
    """W [G, D, H] as one matrix [D, G H], a copy."""
    return own(W.swapaxes(0, 1), dtype).reshape(W.shape[1], -1)


def turned(W, dtype):
    """W^T of every gate, one below the other: W [G, D, H] as [G H, D], a copy.

    On an H200 a product with it takes 11 microseconds, one with a transposed view 16.
    """
    return own(W.swapaxes(1, 2), dtype).reshape(-1, W.shape[1])


def apart(dW, G):
    """A gradient [D, G H] as a view [G, D, H]: `side_by_side` undone."""
    return dW.reshape(len(dW), G, -1).swapaxes(0, 1)


class Loop:
    """The base of the loops: arrays over all steps, and the rows of each step.

    forward(state) changes the state [N, H] in place and returns (output [S, H], state).
    backward(doutput, dstate) changes dstate in place, and returns (dgx [S, G H], dstate,
    dWh [G, H, H], da [S, G H] of the products).
    """

    saved = ()  # names of the arrays [S, H] that forward writes for backward

    def __init__(self, cell, Wh, bias_n, gates, sizes, truncate):
        self.xp = get_array_module(gates)
        self.cell, self.Wh, self.bias_n, self.gates = cell, Wh, bias_n, gates
        self.sizes, self.truncate = sizes, truncate
        self.starts = [0, *accumulate(sizes[:-1])]
        self.G, self.H = Wh.shape[:2]
        for name in ("h_prevs", *self.saved):
            setattr(self, name, self.rows())

    def rows(self):
        """An array [S, H] that is yet to be written."""
        return self.xp.empty((len(self.gates), self.H), self.gates.dtype)

    def kernel(self, name):
        """A function of (start, n, arguments) that runs a kernel on the n rows of a step."""
        run, H, threads = kernel(self.xp, name, self.gates.dtype), self.H, (THREADS,)

        def launch(start, n, arguments):
            size = n * H
            run((-(-size // THREADS),), threads, (*arguments, start, H, size))

        return launch

    def steps(self):
        """(start, n) of every step: its rows are start .. start + n."""
        return zip(self.starts, self.sizes, strict=True)

    def steps_back(self, dstate):
        """(start, n) of every step, the last first; truncated gradients are cut on the way."""
        sizes, truncate = self.sizes, self.truncate
        for t in reversed(range(len(sizes))):
            if truncate and t + 1 < len(sizes) and (t + 1) % truncate == 0:
                for d in dstate:
                    d[: sizes[t + 1]].fill(0)  # the others have not begun their way back
            yield self.starts[t], sizes[t]

    def weight_gradient(self, da):
        """dWh [G, H, H]."""
        return apart(self.h_prevs.T @ da, self.G)


class RNNLoop(Loop):
    """`RNNCell` through time: da is dgx, both [S, H]."""

    def forward(self, state):
        (h,), output, f = state, self.rows(), self.f()
        product = RowProduct(h, side_by_side(self.Wh, h.dtype), self.gates, add=True)
        step, arguments = self.kernel("rnn_forward"), (self.gates, h, output, self.h_prevs, f)
        for start, n in self.steps():
            product(0, start, n)
            step(start, n, arguments)
        return output, state

    def backward(self, doutput, dstate):
        (dh,), da = dstate, self.xp.empty_like(self.gates)
        product = RowProduct(da, turned(self.Wh, da.dtype), dh)
        arguments = (self.gates, or_null(doutput), dh, da, self.f())
        step = self.kernel("rnn_backward")
        for start, n in self.steps_back(dstate):
            step(start, n, arguments)
            product(start, 0, n)
        return da, dstate, self.weight_gradient(da), da

    def f(self):
        """The number of the cell's nonlinearity in the kernels."""
        return ("tanh", "relu", "identity").index(self.cell.f.__name__)


class LSTMLoop(Loop):
    """`LSTMCell` through time: da is dgx, both [S, 4 H]."""

    saved = "c_prevs", "tanh_cs"

    def forward(self, state):
        (h, c), output = state, self.rows()
        product = RowProduct(h, side_by_side(self.Wh, h.dtype), self.gates, add=True)
        step = self.kernel("lstm_forward")
        arguments = (self.gates, h, c, output, self.h_prevs, self.c_prevs, self.tanh_cs)
        for start, n in self.steps():
            product(0, start, n)
            step(start, n, arguments)
        return output, state

    def backward(self, doutput, dstate):
        (dh, dc), da = dstate, self.xp.empty_like(self.gates)
        product = RowProduct(da, turned(self.Wh, da.dtype), dh)
        step = self.kernel("lstm_backward")
        arguments = (self.gates, self.c_prevs, self.tanh_cs, or_null(doutput), dh, dc, da)
        for start, n in self.steps_back(dstate):
            step(start, n, arguments)
            product(start, 0, n)
        return da, dstate, self.weight_gradient(da), da


class GRULoop(Loop):
    """`GRUCell` through time; da [S, 3 H] is not dgx, since r scales the product of gate n."""

    saved = ("product_ns",)

    def forward(self, state):
        (h,), output = state, self.rows()
        products = self.xp.empty((len(h), self.gates.shape[1]), h.dtype)
        product = RowProduct(h, side_by_side(self.Wh, h.dtype), products)
        step, bias_n = self.kernel("gru_forward"), self.bias_n
        if bias_n is not None:
            bias_n = bias_n.astype(h.dtype, copy=False)
        arguments = (
            self.gates,
            products,
            or_null(bias_n),
            h,
            output,
            self.h_prevs,
            self.product_ns,
        )
        for start, n in self.steps():
            product(0, 0, n)
            step(start, n, arguments)
        return output, state

    def backward(self, doutput, dstate):
        (dh,), dgx, da = dstate, *(self.xp.empty_like(self.gates) for _ in range(2))
        product = RowProduct(da, turned(self.Wh, da.dtype), dh, add=True)
        step = self.kernel("gru_backward")
        arguments = (self.gates, self.product_ns, self.h_prevs, or_null(doutput), dh, dgx, da)
        for start, n in self.steps_back(dstate):
            step(start, n, arguments)
            product(start, 0, n)
        return dgx, dstate, self.weight_gradient(da), da


class GRUBeforeLoop(Loop):
    """`GRUBeforeCell` through time, [S, 3 H]: two products and two kernels a step."""

    saved = ("resets",)

    def forward(self, state):
        (h,), output, rz, n_ = state, self.rows(), *self.parts(self.gates)
        Wh_rz, Wh_n = self.parts(side_by_side(self.Wh, h.dtype))
        product_rz = RowProduct(h, Wh_rz, rz, add=True)
        product_n = RowProduct(self.resets, Wh_n, n_, add=True)
        reset, step = self.kernel("gru_before_forward_reset"), self.kernel("gru_before_forward")
        reset_arguments = self.gates, h, self.resets
        arguments = self.gates, h, output, self.h_prevs
        for start, n in self.steps():
            product_rz(0, start, n)
            reset(start, n, reset_arguments)
            product_n(start, start, n)
            step(start, n, arguments)
        return output, state

    def backward(self, doutput, dstate):
        (dh,), da = dstate, self.xp.empty_like(self.gates)
        dresets, (da_rz, da_n) = dh.copy(), self.parts(da)
        Wh_T = turned(self.Wh, da.dtype)
        product_n = RowProduct(da_n, Wh_T[2 * self.H :], dresets)
        product_rz = RowProduct(da_rz, Wh_T[: 2 * self.H], dh, add=True)
        step, reset = self.kernel("gru_before_backward"), self.kernel("gru_before_backward_reset")
        arguments = self.gates, self.h_prevs, or_null(doutput), dh, da
        reset_arguments = self.gates, self.h_prevs, dresets, dh, da
        for start, n in self.steps_back(dstate):
            step(start, n, arguments)
            product_n(start, 0, n)
            reset(start, n, reset_arguments)
            product_rz(start, 0, n)
        dWh = self.xp.concatenate(
            [apart(self.h_prevs.T @ da_rz, 2), apart(self.resets.T @ da_n, 1)]
        )
        return da, dstate, dWh, da

    def parts(self, array):
        """The columns [.., 2 H] of r and z, and [.., H] of n, of an array [.., 3 H]."""
        return array[:, : 2 * self.H], array[:, 2 * self.H :]


def or_null(array):
    """The array, or the null pointer for `None`."""
    return 0 if array is None else array


LOOPS = {RNNCell: RNNLoop, LSTMCell: LSTMLoop, GRUCell: GRULoop, GRUBeforeCell: GRUBeforeLoop}
