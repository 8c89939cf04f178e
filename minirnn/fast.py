"""The same loops as `recurrent.py`, written for speed on the CPU.

Delete this file, and the line in `stacked.py` that names it, and only speed changes. For RNN, LSTM
and GRU the loop is written out, with three ideas that the clear version leaves out: every step
writes into arrays made once for all steps; the sigmoids of all gates are one tanh; and in backward
whatever does not depend on the gradient, a local derivative for each gate, is computed for all
steps at once, so that a step is little more than one product. The tests hold it to the clear
version; `docs/performance.md` tells what it gains.
"""

import copy
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .functions import d_sigmoid, d_tanh, identity
from .kernels import for_arrays
from .recurrent import Recurrent

BLOCK = 128  # columns


class FastCache(NamedTuple):
    """What `FastRecurrent.forward` keeps for backward."""

    x: Any
    shape: tuple | None
    loop: Any
    kept: Any  # what the loop keeps: arrays over all rows


class Undone(NamedTuple):
    """What `Recurrent._add_gradients` asks of a loop that has run backward."""

    da: np.ndarray  # [G, S, H], of the products
    h_prev: np.ndarray  # [S, H]

    def weight_gradient(self):
        """dWh [G, H, H], the sum of h_prev^T da over all steps, as one product."""
        return self.h_prev.T @ self.da


class UndoneBefore(NamedTuple):
    """The same for the GRU that resets before the product: gate n multiplied r h_prev."""

    da: np.ndarray
    h_prev: np.ndarray
    resets: np.ndarray

    def weight_gradient(self):
        """dWh [3, H, H]; the rows that gate n multiplied were r h_prev."""
        dWh = np.empty((3, self.h_prev.shape[1], self.h_prev.shape[1]), self.da.dtype)
        np.matmul(self.h_prev.T, self.da[:2], out=dWh[:2])
        np.matmul(self.resets.T, self.da[2], out=dWh[2])
        return dWh


class FastRecurrent(Recurrent):
    """`Recurrent` for cells of this package, with its shapes; in complex numbers it is the clear
    one.

    On a GPU it is the clear one too, with the cell's kernels in place of the cell.
    """

    def forward(self, x, sizes=None, state=None, truncate=None):
        loop, kinds = LOOPS.get(type(self.cell)), x.dtype.kind + self.Wh.data.dtype.kind
        if loop is None or type(x) is not np.ndarray or "c" in kinds:
            return Recurrent.forward(self._with_kernels(), x, sizes, state, truncate)
        x, sizes, shape = self._rows(x, sizes)
        gx = self._project(x)
        if sizes[0] == 1 and len(gx) > 1:  # a step's gates side by side in memory: [S, G, H]
            gx = gx.swapaxes(0, 1).copy().swapaxes(0, 1)
        state = self._initial_state(state, np, sizes[0], gx.dtype)
        bh = None if self._merged or self.bh is None else self.bh.data
        loop = loop(self.cell, sizes, truncate)
        output, final, kept = loop.forward(gx, self.Wh.data, bh, state)
        cache = FastCache(x, shape, loop, kept)
        return output.reshape(*shape, -1) if shape else output, final, cache

    def backward(self, doutput, cache, dfinal=None):
        if not isinstance(cache, FastCache):
            return Recurrent.backward(self._with_kernels(), doutput, cache, dfinal)
        x, shape, loop, kept = cache
        rows_shape, N, dtype = (len(x), self.hidden_size), loop.sizes[0], kept[0].dtype
        doutput, dfinal = self._upstream(doutput, dfinal, rows_shape, N, shape, dtype)
        Wh_T = self.Wh.data.swapaxes(-1, -2)
        if N >= 8:  # BLAS multiplies by a copy in order up to three times as fast
            Wh_T = np.ascontiguousarray(Wh_T)
        dgx, undone, dstate = loop.backward(doutput, dfinal, kept, Wh_T)
        self._add_gradients(x, dgx, undone)
        return self._dx(x, dgx, shape), dstate

    def _with_kernels(self):
        """The same layer, parameters and all, with the kernels of its cell where there are some."""
        layer = copy.copy(self)
        layer.cell = for_arrays(self.cell, self.Wh.data)
        return layer

    def gates(self, cache):
        if not isinstance(cache, FastCache):
            return super().gates(cache)
        return {name: a.copy() for name, a in zip(self.cell.gates, cache.kept[0], strict=True)}


def multiply(v, W):
    """v W [G, n, K], for v [n, H] or [G, n, H] and W [G, H, K].

    OpenBLAS has a kernel for small matrices, up to twice as fast on few rows: so wide ones are
    taken in blocks of columns, in place, without a copy.
    """
    (G, H, K), n = W.shape, v.shape[-2]
    if n > 16 or K == BLOCK or K % BLOCK:
        return v @ W
    product = np.empty((G, n, K), v.dtype)
    blocks = product.reshape(G, n, -1, BLOCK).swapaxes(1, 2)
    v = v if v.ndim == 2 else v[:, None]
    np.matmul(v, W.reshape(G, H, -1, BLOCK).swapaxes(1, 2), out=blocks)
    return product


class Loop:
    """What the loops share: which rows of [S, H] belong to a step, and the way back through
    time."""

    def __init__(self, cell, sizes, truncate=None):
        self.cell, self.sizes, self.truncate = cell, sizes, truncate
        self.dense = sizes[0] == sizes[-1]  # no sequence ends before another
        ends = list(accumulate(sizes))
        self.rows = [slice(end - n, end) for n, end in zip(sizes, ends, strict=True)]

    def steps(self, array):
        """Views [..., n, H] of the rows of every step, of an array [..., S, H] over all rows."""
        if self.dense:  # NumPy takes a step out faster than a slice
            shape = len(self.sizes), self.sizes[0], array.shape[-1]
            if array.ndim == 2:
                return list(array.reshape(shape))
            return list(array.reshape(-1, *shape).swapaxes(0, 1))
        return [array[rows] if array.ndim == 2 else array[:, rows] for rows in self.rows]

    def previous(self, array, first):
        """For every row, the row of the step before: `first` [N, H] before step 0."""
        if self.dense:
            return np.concatenate([first, array[: -len(first)]])
        later = zip(self.rows, self.sizes[1:], strict=False)
        return np.concatenate([first, *(array[r.start : r.start + n] for r, n in later)])

    def at_the_end(self, array):
        """The row of every sequence's own last step [N, H]."""
        if self.dense:
            return array[self.rows[-1]].copy()
        later = [*self.sizes[1:], 0]
        parts = [array[r.start + n : r.stop] for r, n in zip(self.rows, later, strict=True)]
        return np.concatenate([part for part in reversed(parts) if len(part)])

    def steps_back(self, doutput, dfinal):
        """(step, gradients of the states so far, changed in place by the caller), the last step
        first; sequences that end at a step begin their way back there."""
        dstate = [d.copy() if self.dense else d[:0] for d in dfinal]
        for t in reversed(range(len(self.sizes))):
            n, alive = self.sizes[t], len(dstate[0])
            if self.truncate and t + 1 < len(self.sizes) and (t + 1) % self.truncate == 0:
                for d in dstate:
                    d[...] = 0
            if n > alive:
                dstate[:] = [
                    np.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                ]
            if doutput is not None:
                dstate[0] += doutput[self.rows[t]]
            yield t, dstate


class RNNLoop(Loop):
    """`RNNCell` through time: a tanh and a product a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, (hs,), (W,), f = h, gx, Wh, self.cell.f
        for now, n in zip(self.steps(hs), self.sizes, strict=True):
            now += h[:n] @ W
            if f is not identity:
                now[...] = f(now)
            h = now
        return hs.copy(), (self.at_the_end(hs),), (gx, first)

    def backward(self, doutput, dfinal, kept, Wh_T):
        gx, first = kept
        da, (W_T,) = self.cell.d_f(gx), Wh_T
        steps = self.steps(da[0])
        for t, dstate in self.steps_back(doutput, dfinal):
            now = steps[t]
            now *= dstate[0]
            np.matmul(now, W_T, out=dstate[0])
        return da, Undone(da, self.previous(gx[0], first)), tuple(dstate)


class LSTMLoop(Loop):
    """`LSTMCell` through time, with the sigmoids of i, f and o and the tanh of g as one tanh.

    forward(gx [G, S, H], Wh [G, H, H], bh, state of [N, H]) returns the output [S, H], the final
    states [N, H] and what is kept; it writes into gx. backward(doutput, dfinal, kept, Wh_T) returns
    dgx [G, S, H], the way back of the products, and the gradients of the initial states.
    """

    def forward(self, gx, Wh, bh, state):
        h, c = state
        (_, S, H), dtype = gx.shape, gx.dtype
        cs, tanh_cs, hs = (np.empty((S, H), dtype) for _ in range(3))
        # sigmoid(a) = tanh(a / 2) / 2 + 1 / 2; g is a tanh. One sequence alone is three times as
        # fast with constants of its own shape as with ones that are broadcast.
        shape = (4, 1, H if self.sizes[0] == 1 else 1)
        half = np.empty(shape, dtype)
        half[...] = np.array([0.5, 0.5, 1, 0.5])[:, None, None]
        offset = 1 - half
        parts = map(self.steps, (gx, cs, tanh_cs, hs))
        for n, a, c_now, tanh_c, h_now in zip(self.sizes, *parts, strict=True):
            product = multiply(h[:n], Wh)
            product += a
            product *= half
            np.tanh(product, out=a)
            a *= half
            a += offset
            i, f, g, o = a
            c = np.multiply(f, c[:n], out=c_now)
            c += i * g
            np.tanh(c, out=tanh_c)
            h = np.multiply(o, tanh_c, out=h_now)
        final = self.at_the_end(hs), self.at_the_end(cs)
        return hs.copy(), final, (gx, cs, tanh_cs, hs, state)

    def backward(self, doutput, dfinal, kept, Wh_T):
        (i, f, g, o), cs, tanh_cs, hs, (h0, c0) = kept
        c_prev = self.previous(cs, c0)
        # What each gradient is multiplied by: dc for i, f and g, dh for o, and dh on its way to c.
        local = np.empty_like(kept[0])
        np.multiply(g, d_sigmoid(i), out=local[0])
        np.multiply(c_prev, d_sigmoid(f), out=local[1])
        np.multiply(i, d_tanh(g), out=local[2])
        np.multiply(tanh_cs, d_sigmoid(o), out=local[3])
        to_c = o * d_tanh(tanh_cs)
        das, to_cs, fs = map(self.steps, (local, to_c, f))
        for t, dstate in self.steps_back(doutput, dfinal):
            (dh, dc), da = dstate, das[t]
            dc += dh * to_cs[t]
            da[:3] *= dc
            da[3] *= dh
            dc *= fs[t]
            np.add.reduce(multiply(da, Wh_T), axis=0, out=dh)
        return local, Undone(local, self.previous(hs, h0)), tuple(dstate)


class GRULoop(Loop):
    """`GRUCell` through time, reset after the product; `bh` is [3, H]. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, (_, S, H), dtype = h, gx.shape, gx.dtype
        hs, product_ns = np.empty((S, H), dtype), np.empty((S, H), dtype)
        parts = map(self.steps, (gx, product_ns, hs))
        for n, a, product_n, h_now in zip(self.sizes, *parts, strict=True):
            h = h[:n]
            product = multiply(h, Wh)
            if bh is not None:
                product += bh[:, None]
            product_n[...] = product[2]
            r_z, now = a[:2], a[2]
            r_z += product[:2]
            r_z *= 0.5
            np.tanh(r_z, out=r_z)
            r_z *= 0.5
            r_z += 0.5
            product[2] *= a[0]
            now += product[2]
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=h_now)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            h *= a[1]
            h += now
        return hs.copy(), (self.at_the_end(hs),), (gx, product_ns, hs, first)

    def backward(self, doutput, dfinal, kept, Wh_T):
        (r, z, n), product_ns, hs, first = kept
        h_prev = self.previous(hs, first)
        dgx = np.empty_like(kept[0])  # first what dh is multiplied by, then the gradient
        np.multiply(1 - z, d_tanh(n), out=dgx[2])
        np.multiply(dgx[2] * product_ns, d_sigmoid(r), out=dgx[0])
        np.multiply(h_prev - n, d_sigmoid(z), out=dgx[1])
        da = dgx.copy()
        da[2] *= r
        das, dans, zs = map(self.steps, (da, dgx[2], z))
        for t, dstate in self.steps_back(doutput, dfinal):
            (dh,), now = dstate, das[t]
            now *= dh
            dans[t] *= dh
            dh *= zs[t]
            dh += np.add.reduce(multiply(now, Wh_T), axis=0)
        dgx[:2] = da[:2]
        return dgx, Undone(da, h_prev), tuple(dstate)


class GRUBeforeLoop(Loop):
    """`GRUBeforeCell` through time: two products a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, (_, S, H), dtype = h, gx.shape, gx.dtype
        hs, resets = np.empty((S, H), dtype), np.empty((S, H), dtype)
        parts = map(self.steps, (gx, resets, hs))
        for n, a, reset, h_now in zip(self.sizes, *parts, strict=True):
            h = h[:n]
            r_z, now = a[:2], a[2]
            r_z += multiply(h, Wh[:2])
            r_z *= 0.5
            np.tanh(r_z, out=r_z)
            r_z *= 0.5
            r_z += 0.5
            np.multiply(a[0], h, out=reset)
            now += reset @ Wh[2]
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=h_now)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            h *= a[1]
            h += now
        return hs.copy(), (self.at_the_end(hs),), (gx, resets, hs, first)

    def backward(self, doutput, dfinal, kept, Wh_T):
        (r, z, n), resets, hs, first = kept
        h_prev = self.previous(hs, first)
        da = np.empty_like(kept[0])  # first what dh (for r, dreset) is multiplied by
        np.multiply(1 - z, d_tanh(n), out=da[2])
        np.multiply(h_prev, d_sigmoid(r), out=da[0])
        np.multiply(h_prev - n, d_sigmoid(z), out=da[1])
        das, rs, zs = map(self.steps, (da, r, z))
        for t, dstate in self.steps_back(doutput, dfinal):
            (dh,), now = dstate, das[t]
            now[1:] *= dh
            dreset = now[2] @ Wh_T[2]
            now[0] *= dreset
            dh *= zs[t]
            dreset *= rs[t]
            dh += dreset
            dh += np.add.reduce(multiply(now[:2], Wh_T[:2]), axis=0)
        return da, UndoneBefore(da, h_prev, resets), tuple(dstate)


LOOPS = {RNNCell: RNNLoop, LSTMCell: LSTMLoop, GRUCell: GRULoop, GRUBeforeCell: GRUBeforeLoop}
