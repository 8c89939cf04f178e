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


class FastCache(NamedTuple):
    """What `FastRecurrent.forward` keeps for backward."""

    x: Any
    sizes: list
    truncate: int | None
    shape: tuple | None
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
        state = self._initial_state(state, np, sizes[0], gx.dtype)
        bh = None if self._merged or self.bh is None else self.bh.data
        output, final, kept = loop(self.cell, sizes).forward(gx, self.Wh.data, bh, state)
        cache = FastCache(x, sizes, truncate, shape, kept)
        return output.reshape(*shape, -1) if shape else output, final, cache

    def backward(self, doutput, cache, dfinal=None):
        if not isinstance(cache, FastCache):
            return Recurrent.backward(self._with_kernels(), doutput, cache, dfinal)
        x, sizes, truncate, shape, kept = cache
        rows_shape, dtype = (len(x), self.hidden_size), kept[0].dtype
        doutput, dfinal = self._upstream(doutput, dfinal, rows_shape, sizes[0], shape, dtype)
        loop = LOOPS[type(self.cell)](self.cell, sizes, truncate)
        Wh_T = self.Wh.data.swapaxes(-1, -2)
        if sizes[0] >= 8:  # BLAS multiplies by a copy in order up to three times as fast
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


class Loop:
    """What the loops share: which rows of [S, H] belong to a step, and the way back through
    time."""

    def __init__(self, cell, sizes, truncate=None):
        self.cell, self.sizes, self.truncate = cell, sizes, truncate
        ends = list(accumulate(sizes))
        self.rows = [slice(end - n, end) for n, end in zip(sizes, ends, strict=True)]

    def previous(self, array, first):
        """For every row, the row of the step before: `first` [N, H] before step 0."""
        later = zip(self.rows, self.sizes[1:], strict=False)
        return np.concatenate([first, *(array[r.start : r.start + n] for r, n in later)])

    def at_the_end(self, array):
        """The row of every sequence's own last step [N, H]."""
        later = [*self.sizes[1:], 0]
        parts = [array[r.start + n : r.stop] for r, n in zip(self.rows, later, strict=True)]
        return np.concatenate([part for part in reversed(parts) if len(part)])

    def steps_back(self, doutput, dfinal):
        """(rows, gradients of the states so far, changed in place by the caller) of every step,
        the last first; sequences that end at a step begin their way back there."""
        dstate = [d[:0] for d in dfinal]
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
            yield self.rows[t], dstate


class RNNLoop(Loop):
    """`RNNCell` through time: a tanh and a product a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, hs = h, gx[0]
        for rows, n in zip(self.rows, self.sizes, strict=True):
            now = hs[rows]
            now += h[:n] @ Wh[0]
            if self.cell.f is not identity:
                now[...] = self.cell.f(now)
            h = now
        return hs.copy(), (self.at_the_end(hs),), (gx, first)

    def backward(self, doutput, dfinal, kept, Wh_T):
        gx, first = kept
        da = self.cell.d_f(gx)
        for rows, dstate in self.steps_back(doutput, dfinal):
            now = da[0, rows]
            now *= dstate[0]
            np.matmul(now, Wh_T[0], out=dstate[0])
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
        for rows, n in zip(self.rows, self.sizes, strict=True):
            product = h[:n] @ Wh
            a = gx[:, rows]
            product += a
            product *= half
            np.tanh(product, out=a)
            a *= half
            a += offset
            i, f, g, o = a
            c = np.multiply(f, c[:n], out=cs[rows])
            c += i * g
            tanh_c = np.tanh(c, out=tanh_cs[rows])
            h = np.multiply(o, tanh_c, out=hs[rows])
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
        for rows, dstate in self.steps_back(doutput, dfinal):
            dh, dc = dstate
            dc += dh * to_c[rows]
            da = local[:, rows]
            da[:3] *= dc
            da[3] *= dh
            dc *= f[rows]
            np.add.reduce(da @ Wh_T, axis=0, out=dh)
        return local, Undone(local, self.previous(hs, h0)), tuple(dstate)


class GRULoop(Loop):
    """`GRUCell` through time, reset after the product; `bh` is [3, H]. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, (_, S, H), dtype = h, gx.shape, gx.dtype
        hs, product_ns = np.empty((S, H), dtype), np.empty((S, H), dtype)
        for rows, n in zip(self.rows, self.sizes, strict=True):
            h = h[:n]
            product = h @ Wh
            if bh is not None:
                product += bh[:, None]
            a = gx[:, rows]
            product_ns[rows] = product[2]
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
            h = np.subtract(before, now, out=hs[rows])  # (1 - z) n + z h_prev = n + z (h_prev - n)
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
        for rows, dstate in self.steps_back(doutput, dfinal):
            (dh,) = dstate
            now = da[:, rows]
            now *= dh
            dgx[2, rows] *= dh
            dh *= z[rows]
            dh += np.add.reduce(now @ Wh_T, axis=0)
        dgx[:2] = da[:2]
        return dgx, Undone(da, h_prev), tuple(dstate)


class GRUBeforeLoop(Loop):
    """`GRUBeforeCell` through time: two products a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,) = state
        first, (_, S, H), dtype = h, gx.shape, gx.dtype
        hs, resets = np.empty((S, H), dtype), np.empty((S, H), dtype)
        for rows, n in zip(self.rows, self.sizes, strict=True):
            h = h[:n]
            a = gx[:, rows]
            r_z, now = a[:2], a[2]
            r_z += h @ Wh[:2]
            r_z *= 0.5
            np.tanh(r_z, out=r_z)
            r_z *= 0.5
            r_z += 0.5
            reset = np.multiply(a[0], h, out=resets[rows])
            now += reset @ Wh[2]
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=hs[rows])  # (1 - z) n + z h_prev = n + z (h_prev - n)
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
        for rows, dstate in self.steps_back(doutput, dfinal):
            (dh,) = dstate
            now = da[:, rows]
            now[1:] *= dh
            dreset = now[2] @ Wh_T[2]
            now[0] *= dreset
            dh *= z[rows]
            dreset *= r[rows]
            dh += dreset
            dh += np.add.reduce(now[:2] @ Wh_T[:2], axis=0)
        return da, UndoneBefore(da, h_prev, resets), tuple(dstate)


LOOPS = {RNNCell: RNNLoop, LSTMCell: LSTMLoop, GRUCell: GRULoop, GRUBeforeCell: GRUBeforeLoop}
