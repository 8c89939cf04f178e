"""The same loops as `recurrent.py`, written for speed on the CPU.

Delete this file, and the line in `stacked.py` that names it, and only speed changes. For RNN, LSTM
and GRU the loop is written out, with three ideas that the clear version leaves out: every step
writes into arrays made once for all steps; the sigmoids of all gates are one tanh; and in backward
whatever does not depend on the gradient, a local derivative for each gate, is computed for all
steps at once, so that a step is little more than one product. The tests hold it to the clear
version; `docs/performance.md` tells what it gains.
"""

import copy
from bisect import bisect
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .functions import d_sigmoid, d_tanh, identity, tanh
from .kernels import for_arrays
from .pool import copied, empty, empty_like, product
from .recurrent import Recurrent

BLOCK = 128  # columns
CACHED = 2**16  # numbers of one array for a block of steps: a dozen such arrays fit the L2 cache


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
        return product(self.h_prev.T, self.da)


class UndoneBefore(NamedTuple):
    """The same for the GRU that resets before the product: gate n multiplied r h_prev."""

    da: np.ndarray
    h_prev: np.ndarray
    resets: np.ndarray

    def weight_gradient(self):
        """dWh [3, H, H]; the rows that gate n multiplied were r h_prev."""
        H = self.h_prev.shape[1]
        dWh = empty((3, H, H), self.da.dtype)
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
        bias, bh = self._bias(), None
        if loop is GRULoop and self.bh is not None:  # all but gate n's is only added
            bias, bh = bias.copy(), self.bh.data[2]
            bias[:2] += self.bh.data[:2]
        gx = self._project(x, bias)
        if sizes[0] == 1 and len(gx) > 1:  # a step's gates side by side in memory: [S, G, H]
            gx = gx.swapaxes(0, 1).copy().swapaxes(0, 1)
        state = self._initial_state(state, np, sizes[0], gx.dtype)
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

    def _project(self, x, bias):
        Wx = self.Wx.data
        if x.dtype.kind in "iu":
            if bias is not None and len(x) > Wx.shape[1]:  # fewer additions before than after
                Wx, bias = Wx + bias[:, None], None
            out = empty((len(Wx), len(x), Wx.shape[2]), Wx.dtype)
            gx = Wx.take(x, axis=1, out=out, mode="clip")  # checked, so nothing is clipped
        else:
            gx = product(x, Wx)
        if bias is not None:
            gx += bias[:, None]
        return gx

    def _add_gradients(self, x, dgx, undone):
        if x.dtype.kind in "iu":
            ids, x = x, empty((len(x), self.input_size), dgx.dtype)
            x.fill(0)
            x[np.arange(len(x)), ids] = 1
        self.Wx.grad += product(x.T, dgx)
        self.Wh.grad += undone.weight_gradient()
        dbx = dgx.sum(axis=1)
        if self.bx is not None:
            self.bx.grad += dbx
        if self.bh is not None:
            self.bh.grad += dbx if dgx is undone.da else undone.da.sum(axis=1)

    def _dx(self, x, dgx, shape):
        if x.dtype.kind in "iu":
            return None
        first, *others = self.Wx.data.swapaxes(-1, -2)
        dx, more = product(dgx[0], first), None
        for dgate, Wx_T in zip(dgx[1:], others, strict=True):
            more = np.matmul(dgate, Wx_T, out=empty_like(dx) if more is None else more)
            dx += more
        return dx.reshape(*shape, -1) if shape else dx

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
    if n > 16:
        return product(v, W)
    if K == BLOCK or K % BLOCK:
        return v @ W
    result = np.empty((G, n, K), v.dtype)
    blocks = result.reshape(G, n, -1, BLOCK).swapaxes(1, 2)
    v = v if v.ndim == 2 else v[:, None]
    np.matmul(v, W.reshape(G, H, -1, BLOCK).swapaxes(1, 2), out=blocks)
    return result


class Loop:
    """What the loops share: which rows of [S, H] belong to a step, and the way back through
    time."""

    def __init__(self, cell, sizes, truncate=None):
        self.cell, self.sizes, self.truncate = cell, sizes, truncate
        self.dense = sizes[0] == sizes[-1]  # no sequence ends before another
        self.ends = list(accumulate(sizes))
        self.rows = [slice(end - n, end) for n, end in zip(sizes, self.ends, strict=True)]

    def steps(self, array):
        """Views [..., n, H] of the rows of every step, of an array [..., S, H] over all rows."""
        if self.dense:  # NumPy takes a step out faster than a slice
            shape = len(self.sizes), self.sizes[0], array.shape[-1]
            if array.ndim == 2:
                return list(array.reshape(shape))
            return list(array.reshape(-1, *shape).swapaxes(0, 1))
        return [array[rows] if array.ndim == 2 else array[:, rows] for rows in self.rows]

    def states(self, first):
        """Room for a state at every step, [N + S, H]: `first` [N, H], then what is still empty."""
        N, H = first.shape
        array = empty((N + self.ends[-1], H), first.dtype)
        array[:N] = first
        return array

    def previous(self, states):
        """For every row [S, H] the state one step before, where the first N states come first."""
        if self.dense:
            return states[: -self.sizes[0]]
        N = self.sizes[0]
        starts = [0, N, *(N + end for end in self.ends)]
        return np.concatenate(
            [states[start : start + n] for start, n in zip(starts, self.sizes, strict=False)]
        )

    def at_the_end(self, array):
        """The row of every sequence's own last step [N, H]."""
        if self.dense:
            return array[-self.sizes[0] :].copy()
        ending = zip(self.ends, self.sizes, [*self.sizes[1:], 0], strict=True)
        parts = [array[end - n + later : end] for end, n, later in ending if n > later]
        return np.concatenate(parts[::-1])

    def steps_back(self, doutput, dfinal, prepare):
        """(step, gradients of the states so far, changed in place by the caller), the last step
        first; sequences that end at a step begin their way back there.

        Before the steps of each block of them prepare(rows) is called: so what can be computed for
        many steps at once is, but for so few that it is still in the cache when it is needed.
        """
        dstate = [d.copy() if self.dense else d[:0] for d in dfinal]
        prepared = self.ends[-1]  # the first row that is
        for t in reversed(range(len(self.sizes))):
            n, rows = self.sizes[t], self.rows[t]
            if rows.start < prepared:
                first = bisect(self.ends, rows.stop - CACHED // dstate[0].shape[1], hi=t)
                start = self.rows[first].start
                prepare(slice(start, prepared))
                prepared = start
            if self.truncate and t + 1 < len(self.sizes) and (t + 1) % self.truncate == 0:
                for d in dstate:
                    d[...] = 0
            if n > len(dstate[0]):
                alive = len(dstate[0])
                dstate[:] = [
                    np.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                ]
            if doutput is not None:
                dstate[0] += doutput[rows]
            yield t, dstate


class RNNLoop(Loop):
    """`RNNCell` through time: a tanh and a product a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,), (gx,), (W,), f = state, gx, Wh, self.cell.f
        hs = self.states(h)
        for n, a, now in zip(self.sizes, self.steps(gx), self.steps(hs[len(h) :]), strict=True):
            np.matmul(h[:n], W, out=now)
            now += a
            if f is tanh:
                np.tanh(now, out=now)
            elif f is not identity:
                now[...] = f(now)
            h = now
        output = hs[self.sizes[0] :]
        return copied(output), (self.at_the_end(output),), (output[None], hs)

    def backward(self, doutput, dfinal, kept, Wh_T):
        (h,), hs = kept
        da, (W_T,) = empty((1, *h.shape), h.dtype), Wh_T

        def prepare(rows):
            da[0, rows] = self.cell.d_f(h[rows])

        das = self.steps(da[0])
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            now = das[t]
            now *= dstate[0]
            np.matmul(now, W_T, out=dstate[0])
        return da, Undone(da, self.previous(hs)), tuple(dstate)


class LSTMLoop(Loop):
    """`LSTMCell` through time, with the sigmoids of i, f and o and the tanh of g as one tanh.

    forward(gx [G, S, H], Wh [G, H, H], bh, state of [N, H]) returns the output [S, H], the final
    states [N, H] and what is kept; it writes into gx. backward(doutput, dfinal, kept, Wh_T) returns
    dgx [G, S, H], the way back of the products, and the gradients of the initial states.
    """

    def forward(self, gx, Wh, bh, state):
        (h, c), N = state, self.sizes[0]
        hs, cs, tanh_cs = self.states(h), self.states(c), empty_like(gx[0])
        # sigmoid(a) = tanh(a / 2) / 2 + 1 / 2; g is a tanh. One sequence alone is three times as
        # fast with constants of its own shape as with ones that are broadcast.
        half = np.empty((4, 1, h.shape[1] if N == 1 else 1), gx.dtype)
        half[...] = np.array([0.5, 0.5, 1, 0.5])[:, None, None]
        offset = 1 - half
        parts = map(self.steps, (gx, cs[N:], tanh_cs, hs[N:]))
        for n, a, c_now, tanh_c, h_now in zip(self.sizes, *parts, strict=True):
            sums = multiply(h[:n], Wh)
            sums += a
            sums *= half
            np.tanh(sums, out=a)
            a *= half
            a += offset
            i, f, g, o = a
            c = np.multiply(f, c[:n], out=c_now)
            c += i * g
            np.tanh(c, out=tanh_c)
            h = np.multiply(o, tanh_c, out=h_now)
        final = self.at_the_end(hs[N:]), self.at_the_end(cs[N:])
        return copied(hs[N:]), final, (gx, cs, tanh_cs, hs)

    def backward(self, doutput, dfinal, kept, Wh_T):
        gates, cs, tanh_cs, hs = kept
        c_prevs, da, to_c = self.previous(cs), empty_like(gates), empty_like(tanh_cs)

        def prepare(rows):
            """What each gradient is multiplied by: dc for i, f and g, dh for o and on its way to
            c."""
            (i, f, g, o), tanh_c = gates[:, rows], tanh_cs[rows]
            np.multiply(g, d_sigmoid(i), out=da[0, rows])
            np.multiply(c_prevs[rows], d_sigmoid(f), out=da[1, rows])
            np.multiply(i, d_tanh(g), out=da[2, rows])
            np.multiply(tanh_c, d_sigmoid(o), out=da[3, rows])
            np.multiply(o, d_tanh(tanh_c), out=to_c[rows])

        das, to_cs, fs = map(self.steps, (da, to_c, gates[1]))
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            (dh, dc), now = dstate, das[t]
            dc += dh * to_cs[t]
            now[:3] *= dc
            now[3] *= dh
            dc *= fs[t]
            np.add.reduce(multiply(now, Wh_T), axis=0, out=dh)
        return da, Undone(da, self.previous(hs)), tuple(dstate)


class GRULoop(Loop):
    """`GRUCell` through time, reset after the product; `bh` [H] is gate n's, the others are in gx.
    Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,), N = state, self.sizes[0]
        hs, product_ns = self.states(h), empty_like(gx[0])
        parts = map(self.steps, (gx, product_ns, hs[N:]))
        for n, a, product_n, h_now in zip(self.sizes, *parts, strict=True):
            h = h[:n]
            r_z, now = a[:2], a[2]
            r_z += multiply(h, Wh[:2])
            r_z *= 0.5
            np.tanh(r_z, out=r_z)
            r_z *= 0.5
            r_z += 0.5
            np.matmul(h, Wh[2], out=product_n)
            if bh is not None:
                product_n += bh
            now += a[0] * product_n
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=h_now)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            h *= a[1]
            h += now
        return copied(hs[N:]), (self.at_the_end(hs[N:]),), (gx, product_ns, hs)

    def backward(self, doutput, dfinal, kept, Wh_T):
        gates, product_ns, hs = kept
        h_prevs, dgx, da = self.previous(hs), empty_like(gates), empty_like(gates)

        def prepare(rows):
            """What dh is multiplied by."""
            (r, z, n), h_prev = gates[:, rows], h_prevs[rows]
            dn = np.multiply(1 - z, d_tanh(n), out=dgx[2, rows])
            np.multiply(dn * product_ns[rows], d_sigmoid(r), out=da[0, rows])
            np.multiply(h_prev - n, d_sigmoid(z), out=da[1, rows])
            np.multiply(dn, r, out=da[2, rows])

        das, dans, zs = map(self.steps, (da, dgx[2], gates[1]))
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            (dh,), now = dstate, das[t]
            now *= dh
            dans[t] *= dh
            dh *= zs[t]
            dh += np.add.reduce(multiply(now, Wh_T), axis=0)
        dgx[:2] = da[:2]
        return dgx, Undone(da, h_prevs), tuple(dstate)


class GRUBeforeLoop(Loop):
    """`GRUBeforeCell` through time: two products a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, Wh, bh, state):
        (h,), N = state, self.sizes[0]
        hs, resets = self.states(h), empty_like(gx[0])
        parts = map(self.steps, (gx, resets, hs[N:]))
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
        return copied(hs[N:]), (self.at_the_end(hs[N:]),), (gx, resets, hs)

    def backward(self, doutput, dfinal, kept, Wh_T):
        gates, resets, hs = kept
        h_prevs, da = self.previous(hs), empty_like(gates)

        def prepare(rows):
            """What dh is multiplied by, and dreset for r."""
            (r, z, n), h_prev = gates[:, rows], h_prevs[rows]
            np.multiply(h_prev, d_sigmoid(r), out=da[0, rows])
            np.multiply(h_prev - n, d_sigmoid(z), out=da[1, rows])
            np.multiply(1 - z, d_tanh(n), out=da[2, rows])

        das, rs, zs = map(self.steps, (da, gates[0], gates[1]))
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            (dh,), now = dstate, das[t]
            now[1:] *= dh
            dreset = now[2] @ Wh_T[2]
            now[0] *= dreset
            dh *= zs[t]
            dreset *= rs[t]
            dh += dreset
            dh += np.add.reduce(multiply(now[:2], Wh_T[:2]), axis=0)
        return da, UndoneBefore(da, h_prevs, resets), tuple(dstate)


LOOPS = {RNNCell: RNNLoop, LSTMCell: LSTMLoop, GRUCell: GRULoop, GRUBeforeCell: GRUBeforeLoop}
