"""Recurrent layers stacked and in both directions: RNN, LSTM and GRU as people know them."""

from typing import Any

from . import check
from .backend import Array, Dtype, Rng, current, get_array_module, taken
from .cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from .cuda.recurrent import CudaRecurrent
from .errors import ArgumentError
from .layers import Dropout
from .packing import as_rows, reversal
from .parameters import Module
from .recurrent import Recurrent


class Stack(Module):
    """Recurrent layers on top of each other, each in one direction or in both.

    `layers` is flat, in PyTorch's order: layer 0 forward, layer 0 backward, layer 1 forward ...
    With reverse=True the one direction is the backward one. Each layer has a cell of its own where
    that has parameters: the first the one that is given, the others copies of it.
    A state is a tuple of arrays [num_layers * directions, N, H] in the same order. The backward
    direction reads every sequence from its own last element. With two directions the output
    holds both side by side, [.., 2 H]. Dropout acts between layers, on all outputs but the last's.
    Raises `ArgumentError` for a size or an option that cannot be.
    """

    def __init__(
        self, cell, input_size, hidden_size, *, rng=None,
        num_layers=1, bidirectional=False, reverse=False, dropout=0.0, **options,
    ):  # fmt: skip
        self.dropout = Dropout(dropout, rng=rng)
        if check.one_of("reverse", reverse, (False, True)) and bidirectional:
            raise ArgumentError("reverse is True, but must be False where bidirectional is True")
        check.acts_between_layers(dropout, num_layers)
        self.input_size = check.whole("input_size", input_size)
        self.hidden_size = H = check.whole("hidden_size", hidden_size)
        self.num_layers, self.reverse = check.whole("num_layers", num_layers), bool(reverse)
        self.directions = 1 + bool(check.one_of("bidirectional", bidirectional, (False, True)))
        sizes = [self.input_size] + [H * self.directions] * (self.num_layers - 1)
        layer = CudaRecurrent if current() == "cupy" else Recurrent
        cells = check.cell_for_each(cell, self.num_layers * self.directions, rng)
        self.layers = [layer(own, sizes[k // self.directions], H, rng=rng, **options)
                       for k, own in enumerate(cells)]  # fmt: skip

    def forward(self, x: Array, sizes: Any = None, state: Any = None, *,
                truncate: int | None = None,
                training: bool = False) -> tuple[Array, tuple[Array, ...], Any]:  # fmt: skip
        """As `Recurrent.forward`, with the state's arrays [num_layers * directions, N, H].

        Raises `ArgumentError` for truncate where a direction is the backward one.
        """
        turned = self.directions == 2 or self.reverse
        training, _ = check.switch("training", training), check.truncation(truncate, turned)
        xp, x = get_array_module(self.layers[0].Wx.data), taken(self.layers[0].Wx.data, x=x)
        shape = order = None
        if turned:
            x, sizes, shape = as_rows(x, sizes, self.input_size)
            order = xp.asarray(reversal(sizes))
        states = [None] * len(self.layers) if state is None else self._split(state, "state")

        finals, caches, masks = [], [], []
        for first in range(0, len(self.layers), self.directions):
            mask = None
            if first > 0:
                x, mask = self.dropout.forward(x, training)
            masks.append(mask)
            outputs = []
            for k in range(first, first + self.directions):
                backwards = self.reverse or k > first
                output, final, cache = self.layers[k].forward(
                    x[order] if backwards else x, sizes, states[k], truncate
                )
                outputs.append(output[order] if backwards else output)
                finals.append(final)
                caches.append(cache)
            x = outputs[0] if self.directions == 1 else xp.concatenate(outputs, axis=1)
        final = tuple(map(_stacked, zip(*finals, strict=True)))
        output = x.reshape(*shape, -1) if shape else x
        return output, final, (caches, masks, order, output.shape)

    def backward(self, doutput: Array, cache: Any, dfinal: Any = None) -> tuple[Array, Any]:
        """As `Recurrent.backward`: dx, and the gradient of the initial state.

        Raises `ShapeError` where doutput has not the shape of the output.
        """
        caches, masks, order, shape = check.cache_of(cache, self.layers)
        H = self.hidden_size
        if doutput is not None:
            doutput = taken(self.layers[0].Wx.data, whole=False, doutput=doutput)
            check.of_shape("doutput", doutput, shape, "the output had")
            doutput = doutput if order is None else doutput.reshape(-1, shape[-1])
        dfinals = [None] * len(caches) if dfinal is None else self._split(dfinal, "dfinal")
        dstates = [None] * len(caches)
        for first in reversed(range(0, len(caches), self.directions)):
            dx = None
            for k in range(first, first + self.directions):
                side, backwards = k - first, self.reverse or k > first
                part = None if doutput is None else doutput[..., side * H : (side + 1) * H]
                if backwards and part is not None:
                    part = part[order]
                part, dstates[k] = self.layers[k].backward(part, caches[k], dfinals[k])
                if part is not None:
                    part = part[order] if backwards else part
                    dx = part if dx is None else dx + part
            if first > 0:
                dx = self.dropout.backward(dx, masks[first // self.directions])
            doutput = dx
        dstate = tuple(map(_stacked, zip(*dstates, strict=True)))
        if dx is not None and order is not None:
            dx = dx.reshape(*shape[:-1], -1)
        return dx, dstate

    def states(self, cache: Any) -> list[dict[str, Array]]:
        """Return each layer's states after every step, {"h": ..., }, as `layers` has them.

        [S, H] or [T, N, H] as the output; step t of the backward direction stands where it read
        element t. cache: what forward returned.
        """
        caches, _, order, (*shape, _) = check.cache_of(cache, self.layers)
        states_of = [layer.states(one) for layer, one in zip(self.layers, caches, strict=True)]
        if order is not None:
            for k, states in enumerate(states_of):
                for name, s in states.items():
                    s = s[order] if self.reverse or k % self.directions else s
                    states[name] = s.reshape(*shape, -1)
        return states_of

    def _split(self, state, name):
        """[state of layer 0 forward, ...] of a state with a leading layer axis."""
        first, L = self.layers[0], len(self.layers)
        arrays = [
            None if array is None
            else check.of_layers(name, taken(first.Wx.data, whole=False, **{name: array}), L)
            for array in check.parts_of(state, first.cell.states, name)
        ]  # fmt: skip
        return [tuple(None if array is None else array[k] for array in arrays) for k in range(L)]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            text += f", num_layers={self.num_layers}"
        if self.dropout.p:
            text += f", dropout={self.dropout.p}"
        text += ", reverse=True" if self.reverse else ""
        return text + (", bidirectional=True" if self.directions == 2 else "")

    def __repr__(self):
        return f"{type(self).__name__}({self.extra_repr()})"


def _stacked(arrays):
    """The states [N, H] of all layers, [layers, N, H]."""
    return get_array_module(*arrays).stack(arrays) if len(arrays) > 1 else arrays[0][None]


class RNN(Stack):
    """h = f(x Wx + bx + h_prev Wh + bh), carried through time: `torch.nn.RNN`, Elman's net.

        input_size     D, the width of x; of ids, how many there are
        hidden_size    H, the width of a state
        nonlinearity   f: "tanh", "relu" or "identity"
        rng            the NumPy generator of first values and of dropout; left out, a fresh one
        num_layers     how many layers stand on top of each other
        bidirectional  True reads each sequence from its own last element too
        reverse        True reads it from there only
        dropout        the probability with which training drops an output between two layers
        biases         2: bx and bh, as PyTorch; 1: bx, as textbooks; 0: none
        init           the first values: "pytorch" or "keras", see `Recurrent`
        forget_bias    None: an RNN has no gate f
        dtype          the type of the parameters

    `forward(x)` takes x [T, N, D], or ids [T, N] that stand for one-hot rows; `forward(x, sizes)`
    the rows [S, D] or ids [S] that `pack` gives. It returns the output [T, N, H] or [S, H], the
    state (h,), h [num_layers * directions, N, H], and a cache. With two directions the output
    holds both side by side, 2 H wide. `backward(doutput, cache)` adds to the parameters' gradients,
    and returns the gradients of x and of the initial state.
    Raises `ArgumentError` for a size, a type or an option that cannot be, and in forward
    `ShapeError` for an x of another shape.

        >>> rnn = RNN(3, 4, "relu", rng=np.random.default_rng(0))
        >>> output, (h,), cache = rnn.forward(np.ones((7, 2, 3), "float32"))
        >>> output.shape, h.shape, bool((output[-1] == h[0]).all())
        ((7, 2, 4), (1, 2, 4), True)
    """

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str = "tanh", *,
                 rng: Rng = None, num_layers: int = 1, bidirectional: bool = False,
                 reverse: bool = False, dropout: float = 0.0, biases: int = 2,
                 init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        cell = RNNCell(nonlinearity)
        super().__init__(cell, input_size, hidden_size, rng=rng, num_layers=num_layers,
                         bidirectional=bidirectional, reverse=reverse, dropout=dropout, init=init,
                         biases=biases, forget_bias=forget_bias, dtype=dtype)  # fmt: skip


class LSTM(Stack):
    """c = f c_prev + i g and h = o tanh(c), carried through time: `torch.nn.LSTM`, no projections.

        input_size     D, the width of x; of ids, how many there are
        hidden_size    H, the width of a state
        rng            the NumPy generator of first values and of dropout; left out, a fresh one
        num_layers     how many layers stand on top of each other
        bidirectional  True reads each sequence from its own last element too
        reverse        True reads it from there only
        dropout        the probability with which training drops an output between two layers
        biases         2: bx and bh, as PyTorch; 1: bx, as textbooks; 0: none
        init           the first values: "pytorch" or "keras", see `Recurrent`
        forget_bias    another first value for the bias of gate f; 1 is often recommended
        dtype          the type of the parameters

    `forward(x)` takes x [T, N, D], or ids [T, N] that stand for one-hot rows; `forward(x, sizes)`
    the rows [S, D] or ids [S] that `pack` gives. It returns the output [T, N, H] or [S, H], the
    state (h, c), each [num_layers * directions, N, H], and a cache. With two directions the output
    holds both side by side, 2 H wide. `backward(doutput, cache)` adds to the parameters' gradients,
    and returns the gradients of x and of the initial state.
    Raises `ArgumentError` for a size, a type or an option that cannot be, and in forward
    `ShapeError` for an x of another shape.

        >>> lstm = LSTM(3, 4, num_layers=2, bidirectional=True, rng=np.random.default_rng(0))
        >>> output, (h, c), cache = lstm.forward(np.ones((7, 2, 3), "float32"))
        >>> dx, (dh0, dc0) = lstm.backward(np.ones_like(output), cache)
        >>> output.shape, h.shape, dx.shape, dc0.shape
        ((7, 2, 8), (4, 2, 4), (7, 2, 3), (4, 2, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, *, rng: Rng = None, num_layers: int = 1,
                 bidirectional: bool = False, reverse: bool = False, dropout: float = 0.0,
                 biases: int = 2, init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        super().__init__(LSTMCell, input_size, hidden_size, rng=rng, num_layers=num_layers,
                         bidirectional=bidirectional, reverse=reverse, dropout=dropout, init=init,
                         biases=biases, forget_bias=forget_bias, dtype=dtype)  # fmt: skip


class GRU(Stack):
    """h = (1 - z) n + z h_prev, carried through time: `torch.nn.GRU`.

        input_size     D, the width of x; of ids, how many there are
        hidden_size    H, the width of a state
        reset_after    True: the reset gate acts after the product, as in `GRUCell` and PyTorch;
                       False: before it, as in `GRUBeforeCell`
        rng            the NumPy generator of first values and of dropout; left out, a fresh one
        num_layers     how many layers stand on top of each other
        bidirectional  True reads each sequence from its own last element too
        reverse        True reads it from there only
        dropout        the probability with which training drops an output between two layers
        biases         2: bx and bh, as PyTorch; 1: bx, as textbooks; 0: none
        init           the first values: "pytorch" or "keras", see `Recurrent`
        forget_bias    None: a GRU has no gate f
        dtype          the type of the parameters

    `forward(x)` takes x [T, N, D], or ids [T, N] that stand for one-hot rows; `forward(x, sizes)`
    the rows [S, D] or ids [S] that `pack` gives. It returns the output [T, N, H] or [S, H], the
    state (h,), h [num_layers * directions, N, H], and a cache. With two directions the output
    holds both side by side, 2 H wide. `backward(doutput, cache)` adds to the parameters' gradients,
    and returns the gradients of x and of the initial state.
    Raises `ArgumentError` for a size, a type or an option that cannot be, and in forward
    `ShapeError` for an x of another shape.

        >>> gru = GRU(26, 4, rng=np.random.default_rng(0))
        >>> ids, sizes, order = pack([np.array([2, 0, 19]), np.array([14, 23])])
        >>> output, (h,), cache = gru.forward(ids, sizes)
        >>> output.shape, h.shape
        ((5, 4), (1, 2, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, reset_after: bool = True, *,
                 rng: Rng = None, num_layers: int = 1, bidirectional: bool = False,
                 reverse: bool = False, dropout: float = 0.0, biases: int = 2,
                 init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        cell = GRUCell if check.one_of("reset_after", reset_after, (True, False)) else GRUBeforeCell
        super().__init__(cell, input_size, hidden_size, rng=rng, num_layers=num_layers,
                         bidirectional=bidirectional, reverse=reverse, dropout=dropout, init=init,
                         biases=biases, forget_bias=forget_bias, dtype=dtype)  # fmt: skip
