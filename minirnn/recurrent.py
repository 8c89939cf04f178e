"""Time: a cell carried along sequences, and backpropagation through time, once for every cell.

What does not depend on the previous state stays out of the loop: the product with the inputs is
one product before it, and each weight gradient is one product after it.
"""

from typing import Any, NamedTuple

from . import check
from .backend import Array, Dtype, Rng, get_array_module, keep_freed_memory, taken
from .check.contract import check_cell, check_gradients, check_state
from .layers import one_hot
from .packing import as_rows
from .parameters import Module, Parameter, glorot_uniform, orthogonal, uniform
from .product import Product, ProductBackward, in_time, plus_bias


class RecurrentCache(NamedTuple):
    """The cache of `Recurrent.forward` for its backward."""

    x: Any
    sizes: list
    steps: list  # the cell's cache of each step
    states: list  # after each step
    product: Product
    truncate: int | None
    shape: tuple | None  # the [T, N] of a dense batch
    dtype: Any
    layer: Any  # whose it is


class Recurrent(Module):
    """A cell carried through time in one direction.

    Wx [G, D, H] and bx [G, H] act on the input, Wh [G, H, H] and bh [G, H] on the state.

        cell         a class that keeps the contract of `cells.py`, or an object of one
        input_size   D
        hidden_size  H
        rng          the NumPy generator that draws the first values; left out, a fresh one
        biases       2: bx and bh, as PyTorch and cuDNN; 1: bx, as textbooks; 0: none
        init         "pytorch": all uniform within 1 / sqrt(H); "keras": Wx Glorot-uniform,
                     Wh orthogonal, gate by gate (Keras draws all gates as one matrix),
                     biases zero, but 1 for gate f
        forget_bias  another first value for the bias of gate f
                     (Jozefowicz et al. 2015 recommend 1)
        dtype        the type of the parameters

    Raises `ArgumentError` for a size, a type or an option that cannot be, and `CellError` for a
    cell that does not keep the contract.

        >>> net = Recurrent(LSTMCell, 3, 4, rng=np.random.default_rng(0))
        >>> output, (h, c), cache = net.forward(np.ones((7, 2, 3), "float32"))
        >>> dx, (dh0, dc0) = net.backward(np.ones_like(output), cache)
        >>> output.shape, h.shape, dx.shape, dh0.shape
        ((7, 2, 4), (2, 4), (7, 2, 3), (2, 4))
    """

    def __init__(self, cell: Any, input_size: int, hidden_size: int, *, rng: Rng = None,
                 biases: int = 2, init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        keep_freed_memory()
        self.cell = check.made(cell)
        check_cell(self.cell)
        gates, dtype, G = self.cell.gates, check.floating("dtype", dtype), len(self.cell.gates)
        D, H = check.whole("input_size", input_size), check.whole("hidden_size", hidden_size)
        check.one_of("biases", biases, (0, 1, 2)), check.one_of("init", init, ("pytorch", "keras"))
        check.forget_bias_of(forget_bias, gates, biases)
        rng = check.generator(rng)
        if init == "pytorch":
            self.Wx = Parameter(uniform(rng, (G, D, H), H**-0.5, dtype))
            self.Wh = Parameter(uniform(rng, (G, H, H), H**-0.5, dtype))
            bx, bh = uniform(rng, (2, G, H), H**-0.5, dtype)
        else:
            self.Wx = Parameter(glorot_uniform(rng, (G, D, H), dtype))
            self.Wh = Parameter(orthogonal(rng, (G, H, H), dtype))
            bx, bh = uniform(rng, (2, G, H), 0, dtype)
            forget_bias = 1 if forget_bias is None and "f" in gates else forget_bias
        if forget_bias is not None:
            f = gates.index("f")
            bx[f], bh[f] = forget_bias, 0
        self.bx = Parameter(bx) if biases >= 1 else None
        self.bh = Parameter(bh) if biases >= 2 else None
        self.input_size, self.hidden_size = D, H

    def forward(self, x: Array, sizes: Any = None, state: Any = None,
                truncate: int | None = None) -> tuple[Array, tuple[Array, ...], Any]:  # fmt: skip
        """Return the output of every step, the state of every sequence after its last, a cache.

        x: dense [T, N, D], or packed [S, D] with `sizes` (see `packing`); ids, [T, N] or [S],
        stand for one-hot rows. state: a tuple of [N, H] arrays, zeros for None, as a whole or in
        the tuple; where the cell has one, the bare array will do.
        truncate: gradients go back at most that many steps (to the last multiple of it); the
        state goes on. Returns [T, N, H] or [S, H], a tuple of [N, H], and the cache, which looks
        at x, the state and the weights: write into none of them before backward, or the gradients
        are wrong without a word. Raises `ShapeError` for another shape, or sizes or a state that do
        not fit x.
        """
        truncate = check.whole("truncate", truncate, none=True)
        x, sizes, shape = self._rows(x, sizes)
        gx = self._project(x, self._bias())
        xp, dtype = get_array_module(gx), gx.dtype
        state = self._initial_state(state, xp, sizes[0], dtype)
        product = Product(self.cell.gates, self.Wh.data, None if self._merged else _data(self.bh))

        outputs, steps, ended, end = [], [], [], 0
        states = []
        for n in sizes:
            if n < len(state[0]):  # some sequences ended: set their states aside
                ended.append([s[n:] for s in state])
                state = tuple([s[:n] for s in state])
            start, end = end, end + n
            state, cache = self.cell.forward(gx[:, start:end], state, product)
            if start == 0:
                check_state(self.cell, state, (n, self.hidden_size))
            outputs.append(state[0])
            steps.append(cache)
            states.append(state)
        ended.append(state)

        final = tuple(xp.concatenate(parts) for parts in zip(*reversed(ended), strict=True))
        output = xp.concatenate(outputs)
        cache = RecurrentCache(x, sizes, steps, states, product, truncate, shape, dtype, self)
        return output.reshape(*shape, -1) if shape else output, final, cache

    def backward(self, doutput: Array, cache: Any, dfinal: Any = None) -> tuple[Array, Any]:
        """Return dx (None for ids) and the gradient of the initial state, from the results' own.

        Either of doutput and dfinal, and any part of dfinal, may be None: zero.
        """
        x, sizes, steps, _, product, truncate, shape, dtype, _ = check.cache_of(cache, self)
        xp, S, H = get_array_module(product.Wh), len(x), self.hidden_size
        doutput, dfinal = self._upstream(doutput, dfinal, (S, H), sizes[0], shape, dtype)
        undo, dgates = ProductBackward(product, S, dtype), []

        dstate, start = [d[:0] for d in dfinal], S
        for t in reversed(range(len(sizes))):
            n, alive = sizes[t], len(dstate[0])
            if truncate and t + 1 < len(sizes) and (t + 1) % truncate == 0:
                dstate = [xp.zeros_like(d) for d in dstate]
            if n > alive:  # sequences that end here start their way back
                dstate = [
                    xp.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                ]
            start, end = start - n, start
            if doutput is not None:
                dstate = [dstate[0] + doutput[start:end], *dstate[1:]]
            dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)
            if end == S:
                check_gradients(self.cell, dgx, dstate, (n, H))
            dgates.append(dgx)
        da = undo.da
        dgx = da if self._merged else in_time(list(zip(*dgates, strict=True)))
        self._add_gradients(x, dgx, da, undo)
        return self._dx(x, dgx, shape), dstate

    def gates(self, cache):
        """{gate: [S, H]} where the cell's caches are named tuples with a field for each gate."""
        xp, steps = get_array_module(self.Wx.data), check.cache_of(cache, self).steps
        return {
            name: xp.concatenate([getattr(step, name) for step in steps])
            for name in self.cell.gates
            if name in getattr(steps[0], "_fields", ())
        }

    def states(self, cache: Any) -> dict[str, Array]:
        """Return {"h": ...}, each state after every step, [S, H] or [T, N, H] as the output."""
        xp, shape = get_array_module(self.Wx.data), check.cache_of(cache, self).shape or (-1,)
        parts = zip(self.cell.states, zip(*cache.states, strict=True), strict=True)
        return {
            name: xp.concatenate(part).reshape(*shape, self.hidden_size) for name, part in parts
        }

    @property
    def _merged(self):
        """Whether the two biases act as one, so that da and dgx are the same."""
        return getattr(self.cell, "additive", False)

    def _rows(self, x, sizes):
        """x as rows [S, D] or ids [S], its sizes, and the [T, N] of a dense batch."""
        x, sizes, shape = as_rows(taken(self.Wx.data, x=x), sizes, self.input_size)
        if x.dtype.kind in "iu":
            check.in_range("id", x, self.input_size)
            x = x.astype("int64") if x.dtype == "uint64" else x  # no index for `take`
        return x, sizes, shape

    def _project(self, x, bias):
        """gx = x Wx + bias [G, S, H] for all steps."""
        Wx = self.Wx.data
        if x.dtype.kind in "iu":  # a one-hot row picks a row of Wx
            if bias is not None and len(x) > Wx.shape[1]:  # fewer additions before than after
                return (Wx + bias[:, None]).take(x, axis=1)
            return plus_bias(Wx.take(x, axis=1), bias)
        return plus_bias(x @ Wx, bias)

    def _bias(self):
        """Return what x Wx gets added [G, H]: bx, or bx + bh if the cell is `additive`, or None."""
        bx, bh = _data(self.bx), _data(self.bh)
        return bx + bh if self._merged and bh is not None else bx

    def _initial_state(self, state, xp, N, dtype):
        names, shape = self.cell.states, (N, self.hidden_size)
        state = check.parts_of(state, names, "state")
        for k, name in enumerate(names):
            if state[k] is None:
                state[k] = xp.zeros(shape, dtype)
            state[k] = self._checked(state[k], shape, f"{name}0", "must have", ": [N, H]")
        return tuple(state)

    def _upstream(self, doutput, dfinal, rows_shape, N, shape, dtype):
        """The gradients that come from above, checked: doutput as rows, zeros for what is None."""
        xp, (S, H), names = get_array_module(self.Wh.data), rows_shape, self.cell.states
        if doutput is not None:
            full = (*shape, H) if shape else (S, H)
            doutput = self._checked(doutput, full, "doutput", "the output had").reshape(S, H)
        dfinal = [
            xp.zeros((N, H), dtype) if d is None
            else self._checked(d, (N, H), f"dfinal[{k}]", f"the final {names[k]} had")
            for k, d in enumerate(check.parts_of(dfinal, names, "dfinal"))
        ]  # fmt: skip
        return doutput, dfinal

    def _add_gradients(self, x, dgx, da, undo):
        """Add to the gradients of the four parameters: one product for each weight."""
        if x.dtype.kind in "iu":
            x = one_hot(x, self.input_size, dgx.dtype)
        self.Wx.grad += x.T @ dgx
        undo.add_weight_gradient(self.Wh.grad, da)
        dbx = dgx.sum(axis=1)
        if self.bx is not None:
            self.bx.grad += dbx
        if self.bh is not None:
            self.bh.grad += dbx if dgx is da else da.sum(axis=1)

    def _dx(self, x, dgx, shape):
        if x.dtype.kind in "iu":
            return None
        dx = dgx[0] @ self.Wx.data[0].T
        for dgate, Wx_gate in zip(dgx[1:], self.Wx.data[1:], strict=True):
            dx += dgate @ Wx_gate.T
        return dx.reshape(*shape, -1) if shape else dx

    def _checked(self, array, shape, name, other, note=""):
        array = taken(self.Wh.data, whole=False, **{name: array})
        return check.of_shape(name, array, shape, other, note)

    def extra_repr(self):
        return f"{type(self.cell).__name__}, {self.input_size}, {self.hidden_size}"


def _data(parameter):
    return None if parameter is None else parameter.data
