"""The same loops as `recurrent.py`, written for speed on the CPU.

Delete this file, and the line in `stacked.py` that names it, and only speed changes. For RNN, LSTM
and GRU the loop is written out, with ideas that the clear version leaves out: every step writes
into arrays made once for all steps, in memory of the pool; the sigmoids of all gates are one tanh;
the products take the form in which BLAS is fastest; and in backward whatever does not depend on the
gradient, a local derivative for each gate, is computed for a block of steps at once, so that a step
is little more than one product. The tests hold it to the clear version; `docs/performance.md` tells
what it gains.
"""

from bisect import bisect
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from .blocks import Blocks, sum_of_products, times
from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .functions import identity, tanh
from .layers import one_hot
from .pool import copied, empty, empty_like
from .recurrent import Recurrent

BLOCK_OF_STEPS = 2**16  # numbers of one array: fewer cost calls, more leave the cache (measured)
MOST_SYMBOLS = 1024  # above, an identity matrix takes more memory than it saves time


class FastCache(NamedTuple):
    """What `FastRecurrent.forward` keeps for backward."""

    x: Any
    shape: tuple | None
    loop: Any
    kept: Any  # what the loop keeps: arrays over all rows


class Undone(NamedTuple):
    """What the gradient of Wh is made of, after a loop has run backward."""

    da: np.ndarray  # [G, S, H], of the products
    h_prev: np.ndarray  # [S, H]

    def weight_gradient(self, out):
        """Write dWh [G, H, H], the sum of h_prev^T da over all steps, into `out`."""
        sum_of_products(self.h_prev, self.da, out)


class UndoneBefore(NamedTuple):
    """The same for the GRU that resets before the product: gate n multiplied r h_prev."""

    da: np.ndarray
    h_prev: np.ndarray
    resets: np.ndarray

    def weight_gradient(self, out):
        """Write dWh [3, H, H] into `out`; the rows that gate n multiplied were r h_prev."""
        sum_of_products(self.h_prev, self.da[:2], out[:2])
        sum_of_products(self.resets, self.da[2:], out[2:])


class FastRecurrent(Recurrent):
    """`Recurrent` for cells of this package, with its shapes; in complex numbers it is the clear
    one.
    """

    def forward(self, x, sizes=None, state=None, truncate=None):
        loop, kinds = LOOPS.get(type(self.cell)), x.dtype.kind
        for p in (self.Wx, self.Wh, self.bx, self.bh):
            kinds += p.data.dtype.kind if p is not None else ""
        if loop is None or type(x) is not np.ndarray or "c" in kinds:
            return super().forward(x, sizes, state, truncate)
        x, sizes, shape = self._rows(x, sizes)
        bias, bh = self._bias(), None
        if loop is GRULoop and self.bh is not None:  # all but gate n's is only added
            bias, bh = bias.copy(), self.bh.data[2]
            bias[:2] += self.bh.data[:2]
        gx = self._project_fast(x, bias)
        if sizes[0] == 1 and len(gx) > 1:  # a step's gates side by side in memory: [S, G, H]
            gx = gx.swapaxes(0, 1).copy().swapaxes(0, 1)
        state = self._initial_state(state, np, sizes[0], gx.dtype)
        loop = loop(self.cell, self.Wh.data, sizes, truncate)
        output, final, kept = loop.forward(gx, bh, state)
        cache = FastCache(x, shape, loop, kept)
        return output.reshape(*shape, -1) if shape else output, final, cache

    def backward(self, doutput, cache, dfinal=None):
        if not isinstance(cache, FastCache):
            return super().backward(doutput, cache, dfinal)
        x, shape, loop, kept = cache
        rows_shape, N, dtype = (len(x), self.hidden_size), loop.sizes[0], kept[0].dtype
        doutput, dfinal = self._upstream(doutput, dfinal, rows_shape, N, shape, dtype)
        dgx, undone, dstate = loop.backward(doutput, dfinal, kept)
        self._add_gradients_fast(x, dgx, undone)
        return self._dx_fast(x, dgx, shape), dstate

    # `_project`, `_add_gradients` and `_dx` with the memory of the pool

    def _project_fast(self, x, bias):
        Wx = self.Wx.data
        if x.dtype.kind in "iu":
            if bias is not None and len(x) > Wx.shape[1]:  # fewer additions before than after
                Wx, bias = Wx + bias[:, None], None
            out = empty((len(Wx), len(x), Wx.shape[2]), Wx.dtype)
            gx = Wx.take(x, axis=1, out=out, mode="clip")  # checked, so nothing is clipped
        else:
            gx = Blocks(Wx).product(x)
        if bias is not None:
            gx += bias[:, None]
        return gx

    def _add_gradients_fast(self, x, dgx, undone):
        if x.dtype.kind in "iu":
            x = one_hot_rows(x, self.input_size, dgx.dtype)
        add_to_gradient(self.Wx, lambda out: sum_of_products(x, dgx, out), dgx.dtype)
        add_to_gradient(self.Wh, undone.weight_gradient, dgx.dtype)
        dbx = np.add.reduce(dgx, axis=1)
        if self.bx is not None:
            self.bx.grad += dbx
        if self.bh is not None:
            self.bh.grad += dbx if dgx is undone.da else np.add.reduce(undone.da, axis=1)

    def _dx_fast(self, x, dgx, shape):
        if x.dtype.kind in "iu":
            return None
        dx = None
        for dgate, Wx_T in zip(dgx, turned(self.Wx.data, len(x)), strict=True):
            more = times(Wx_T, len(x))(dgate)
            dx = more if dx is None else np.add(dx, more, out=dx)
        return dx.reshape(*shape, -1) if shape else dx

    def gates(self, cache):
        if not isinstance(cache, FastCache):
            return super().gates(cache)
        return {name: a.copy() for name, a in zip(self.cell.gates, cache.kept[0], strict=True)}


def add_to_gradient(parameter, write, dtype):
    """Add to the gradient of a parameter what write(out) writes into an array of its shape, all
    over it."""
    if parameter.untouched:
        write(parameter.grad)
    else:
        more = empty(parameter.shape, dtype)
        write(more)
        parameter.grad += more


def one_hot_rows(ids, size, dtype):
    """`one_hot` [len(ids), size]: rows of the identity matrix, faster than ones among zeros."""
    if size > MOST_SYMBOLS:
        return one_hot(ids, size, dtype)
    return identity_matrix(size, dtype=dtype).take(
        ids, axis=0, out=empty((len(ids), size), dtype), mode="clip"
    )


identity_matrix = lru_cache(4)(np.eye)
number = lru_cache(16)(np.array)  # number(1, dtype): NumPy takes it faster than a Python number


def d_sigmoid(y):
    """`functions.d_sigmoid` of y, of any shape, with a 1 of its type."""
    return y * (number(1, y.dtype) - y)


def d_tanh(y):
    """`functions.d_tanh` of y, of any shape, with a 1 of its type."""
    return number(1, y.dtype) - y * y


class HiddenProducts:
    """v Wh for v [n, H] and all gates of Wh [G, H, H], and the way back, each as BLAS is fastest.

    One sequence alone has the gates side by side, as one matrix [H, G H]; more have one matrix for
    each gate, in blocks.
    """

    def __init__(self, Wh, N):
        self.Wh, self.N, self.joint, self.blocks, self.blocks_T = Wh, N, None, None, None
        if N == 1:
            self.joint = Wh.swapaxes(0, 1).reshape(Wh.shape[1], -1)
        else:
            self.blocks = Blocks(Wh)

    def forward(self, v):
        """v Wh [G, n, H]."""
        if self.joint is not None:
            return v.dot(self.joint).reshape(len(self.Wh), 1, -1)
        return self.blocks.product(v)

    def backward(self, da):
        """The sum over the gates of da Wh^T [n, H], of da [G, n, H]."""
        if self.joint is not None:
            return da.reshape(1, -1).dot(self.joint.T)
        if self.blocks_T is None:
            self.blocks_T = Blocks(turned(self.Wh, self.N))
        return np.add.reduce(self.blocks_T.product(da), axis=0)


def turned(W, N):
    """W^T [..., K, D] for products with N rows or fewer: from 8 on a copy in order, with which
    BLAS is up to three times as fast."""
    W_T = W.swapaxes(-1, -2)
    return W_T if N < 8 else np.ascontiguousarray(W_T)


class Loop:
    """What the loops share: which rows of [S, H] belong to a step, and the way back through
    time."""

    def __init__(self, cell, Wh, sizes, truncate=None):
        self.cell, self.Wh, self.sizes, self.truncate = cell, Wh, sizes, truncate
        self.dense = sizes[0] == sizes[-1]  # no sequence ends before another
        self.ends = list(accumulate(sizes))

    @cached_property
    def rows(self):
        """A slice for each step."""
        return [slice(end - n, end) for n, end in zip(self.sizes, self.ends, strict=True)]

    def steps(self, array):
        """Views [..., n, H] of the rows of every step, of an array [..., S, H] over all rows."""
        if self.dense:  # NumPy takes a step out faster than a slice
            shape = len(self.sizes), self.sizes[0], array.shape[-1]
            if array.ndim == 2:
                return list(array.reshape(shape))
            return list(array.reshape(-1, *shape).swapaxes(0, 1))
        return [array[rows] if array.ndim == 2 else array[:, rows] for rows in self.rows]

    def previous(self, array, first):
        """For every row [S, H] that of the step before: `first` [N, H] before step 0."""
        if self.dense:
            parts = [first, array[: -len(first)]]
        else:
            later = zip(self.rows, self.sizes[1:], strict=False)
            parts = [first, *(array[r.start : r.start + n] for r, n in later)]
        return np.concatenate(parts, out=empty_like(array))

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
        dstate, alive = [d.copy() if self.dense else d[:0] for d in dfinal], 0
        last, rows = len(self.sizes), BLOCK_OF_STEPS // dfinal[0].shape[1]
        while last:
            first = bisect(self.ends, self.ends[last - 1] - rows, hi=last - 1)
            prepare(slice(self.ends[first] - self.sizes[first], self.ends[last - 1]))
            for t in range(last - 1, first - 1, -1):
                if self.truncate and t + 1 < len(self.sizes) and (t + 1) % self.truncate == 0:
                    for d in dstate:
                        d[...] = 0
                n = self.sizes[t]
                if n > alive and not self.dense:
                    for k, end in enumerate(dfinal):
                        dstate[k] = np.concatenate([dstate[k], end[alive:n]])
                    alive = n
                if doutput is not None:
                    dstate[0] += doutput[self.rows[t]]
                yield t, dstate
            last = first


class RNNLoop(Loop):
    """`RNNCell` through time: a tanh and a product a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, bh, state):
        (h,), (hs,), f, product = state, gx, self.cell.f, times(self.Wh[0], self.sizes[0])
        for n, now in zip(self.sizes, self.steps(hs), strict=True):
            now += product(h[:n] if n < len(h) else h)
            if f is tanh:
                np.tanh(now, out=now)
            elif f is not identity:
                now[...] = f(now)
            h = now
        return copied(hs), (self.at_the_end(hs),), (gx, *state)

    def backward(self, doutput, dfinal, kept):
        (hs,), first = kept
        da, N = empty((1, *hs.shape), hs.dtype), self.sizes[0]
        undo_product = times(turned(self.Wh[0], N), N)

        def prepare(rows):
            da[0, rows] = self.cell.d_f(hs[rows])

        das = self.steps(da[0])
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            now = das[t]
            now *= dstate[0]
            dstate[0] = undo_product(now)
        return da, Undone(da, self.previous(hs, first)), tuple(dstate)


@lru_cache(16)
def sigmoids(gates, width, dtype):
    """Two arrays p and q [G, 1, width], with which p tanh(p a) + q is tanh(a) for gate g and
    sigmoid(a) for all others, since sigmoid(a) = tanh(a / 2) / 2 + 1 / 2.

    One sequence alone is three times as fast with arrays of its own shape as with ones that are
    broadcast.
    """
    p = np.full((len(gates), 1, width), 0.5, dtype)
    p[gates.index("g")] = 1
    return p, 1 - p


class LSTMLoop(Loop):
    """`LSTMCell` through time, with the sigmoids of i, f and o and the tanh of g as one tanh.

    forward(gx [G, S, H], bh, state of [N, H]) returns the output [S, H], the final states [N, H]
    and what is kept; it writes into gx. backward(doutput, dfinal, kept) returns dgx [G, S, H], what
    the gradient of Wh is made of, and the gradients of the initial states.
    """

    def forward(self, gx, bh, state):
        (h, c), N = state, self.sizes[0]
        products = HiddenProducts(self.Wh, N)
        cs, tanh_cs, hs = (empty((gx.shape[1], h.shape[1]), gx.dtype) for _ in range(3))
        half, offset = sigmoids("ifgo", h.shape[1] if N == 1 else 1, gx.dtype)
        parts = map(self.steps, (gx, cs, tanh_cs, hs))
        for n, a, c_now, tanh_c, h_now in zip(self.sizes, *parts, strict=True):
            if n < len(h):
                h, c = h[:n], c[:n]
            sums = products.forward(h)
            sums += a
            sums *= half
            np.tanh(sums, out=a)
            a *= half
            a += offset
            i, f, g, o = a
            c = np.multiply(f, c, out=c_now)
            c += i * g
            np.tanh(c, out=tanh_c)
            h = np.multiply(o, tanh_c, out=h_now)
        final = self.at_the_end(hs), self.at_the_end(cs)
        return copied(hs), final, (gx, cs, tanh_cs, hs, state, products)

    def backward(self, doutput, dfinal, kept):
        gates, cs, tanh_cs, hs, (h0, c0), products = kept
        c_prevs, da, to_c = self.previous(cs, c0), empty_like(gates), empty_like(tanh_cs)

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
            dstate[0] = products.backward(now)
        return da, Undone(da, self.previous(hs, h0)), tuple(dstate)


class GRULoop(Loop):
    """`GRUCell` through time, reset after the product; `bh` [H] is gate n's, the others are in gx.
    Shapes as in `LSTMLoop`."""

    def forward(self, gx, bh, state):
        (h,), products = state, HiddenProducts(self.Wh, self.sizes[0])
        hs, product_ns = (empty((gx.shape[1], h.shape[1]), gx.dtype) for _ in range(2))
        half = number(0.5, gx.dtype)
        parts = map(self.steps, (gx, product_ns, hs))
        for n, a, product_n, h_now in zip(self.sizes, *parts, strict=True):
            if n < len(h):
                h = h[:n]
            sums, r_z, now = products.forward(h), a[:2], a[2]
            r_z += sums[:2]
            r_z *= half
            np.tanh(r_z, out=r_z)
            r_z *= half
            r_z += half
            if bh is None:
                product_n[...] = sums[2]
            else:
                np.add(sums[2], bh, out=product_n)
            now += a[0] * product_n
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=h_now)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            h *= a[1]
            h += now
        return copied(hs), (self.at_the_end(hs),), (gx, product_ns, hs, *state, products)

    def backward(self, doutput, dfinal, kept):
        gates, product_ns, hs, first, products = kept
        h_prevs, dgx, da = self.previous(hs, first), empty_like(gates), empty_like(gates)

        def prepare(rows):
            """What dh is multiplied by."""
            (r, z, n), h_prev = gates[:, rows], h_prevs[rows]
            dn = np.multiply(number(1, z.dtype) - z, d_tanh(n), out=dgx[2, rows])
            np.multiply(dn * product_ns[rows], d_sigmoid(r), out=da[0, rows])
            np.multiply(h_prev - n, d_sigmoid(z), out=da[1, rows])
            np.multiply(dn, r, out=da[2, rows])

        das, dans, zs = map(self.steps, (da, dgx[2], gates[1]))
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            (dh,), now = dstate, das[t]
            now *= dh
            dans[t] *= dh
            dh *= zs[t]
            dh += products.backward(now)
        dgx[:2] = da[:2]
        return dgx, Undone(da, h_prevs), tuple(dstate)


class GRUBeforeLoop(Loop):
    """`GRUBeforeCell` through time: two products a step. Shapes as in `LSTMLoop`."""

    def forward(self, gx, bh, state):
        (h,), N = state, self.sizes[0]
        products, product_n = HiddenProducts(self.Wh[:2], N), times(self.Wh[2], N)
        hs, resets = (empty((gx.shape[1], h.shape[1]), gx.dtype) for _ in range(2))
        half = number(0.5, gx.dtype)
        parts = map(self.steps, (gx, resets, hs))
        for n, a, reset, h_now in zip(self.sizes, *parts, strict=True):
            if n < len(h):
                h = h[:n]
            r_z, now = a[:2], a[2]
            r_z += products.forward(h)
            r_z *= half
            np.tanh(r_z, out=r_z)
            r_z *= half
            r_z += half
            np.multiply(a[0], h, out=reset)
            now += product_n(reset)
            np.tanh(now, out=now)
            before = h
            h = np.subtract(before, now, out=h_now)  # (1 - z) n + z h_prev = n + z (h_prev - n)
            h *= a[1]
            h += now
        return copied(hs), (self.at_the_end(hs),), (gx, resets, hs, *state, products)

    def backward(self, doutput, dfinal, kept):
        gates, resets, hs, first, products = kept
        h_prevs, da, N = self.previous(hs, first), empty_like(gates), self.sizes[0]
        undo_product_n = times(turned(self.Wh[2], N), N)

        def prepare(rows):
            """What dh is multiplied by, and dreset for r."""
            (r, z, n), h_prev = gates[:, rows], h_prevs[rows]
            np.multiply(h_prev, d_sigmoid(r), out=da[0, rows])
            np.multiply(h_prev - n, d_sigmoid(z), out=da[1, rows])
            np.multiply(number(1, z.dtype) - z, d_tanh(n), out=da[2, rows])

        das, rs, zs = map(self.steps, (da, gates[0], gates[1]))
        for t, dstate in self.steps_back(doutput, dfinal, prepare):
            (dh,), now = dstate, das[t]
            now[1:] *= dh
            dreset = undo_product_n(now[2])
            now[0] *= dreset
            dh *= zs[t]
            dreset *= rs[t]
            dh += dreset
            dh += products.backward(now[:2])
        return da, UndoneBefore(da, h_prevs, resets), tuple(dstate)


LOOPS = {RNNCell: RNNLoop, LSTMCell: LSTMLoop, GRUCell: GRULoop, GRUBeforeCell: GRUBeforeLoop}
