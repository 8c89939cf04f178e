"""Whole nets: letters in, a language out."""

from typing import Any

from .backend import Array, Dtype, Rng, get_array_module
from .errors import MinirnnError, whole
from .layers import Dropout, Embedding, Linear
from .parameters import Module
from .stacked import GRU, LSTM, RNN, Stack

cells = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


class NameClassifier(Module):
    """logits = [h forward, h backward] W + b: the last states of both directions, classified.

        num_symbols  V, how many letters there are
        num_classes  K
        rng          the NumPy generator of first values and of dropout; left out, a fresh one
        cell         "rnn", "lstm", "gru", or a cell: `GRUBeforeCell`, `RNNCell("relu")`, your own
        hidden_size  H
        dropout      its probability: on embedded letters, between layers, on the last states
        embedding    how many learned numbers stand for a letter; None: one-hot rows

    num_layers, bidirectional, reverse, biases, init, forget_bias and dtype are those of `LSTM`.
    Raises `MinirnnError` for another name of a cell, `ArgumentError` for sizes that cannot be.

        >>> net = NameClassifier(26, 3, cell="gru", hidden_size=8, embedding=4)
        >>> batch = Sequences([[2, 0, 19], [14, 23]], labels=[0, 2]).batch(np.array([0, 1]))
        >>> logits, cache = net.forward(batch)
        >>> logits.shape, net.number_of_parameters()
        ((2, 3), 467)
    """

    SIZES = "hidden_size", "num_layers", "bidirectional", "embedding"

    def __init__(self, num_symbols: int, num_classes: int, *, rng: Rng = None, cell: Any = "lstm",
                 hidden_size: int = 128, num_layers: int = 1, bidirectional: bool = False,
                 reverse: bool = False, dropout: float = 0.0, embedding: int | None = None,
                 biases: int = 2, init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        if isinstance(cell, str) and cell not in cells:
            raise MinirnnError(f"there is no cell {cell!r}; choose one of: {', '.join(cells)}")
        num_symbols, num_layers = whole("num_symbols", num_symbols), whole("num_layers", num_layers)
        embedding = whole("embedding", embedding, none=True)
        options = dict(num_layers=num_layers, bidirectional=bidirectional, reverse=reverse,
                       biases=biases, init=init, forget_bias=forget_bias, dtype=dtype, rng=rng,
                       dropout=dropout if num_layers > 1 else 0.0)  # fmt: skip
        self.embedding: Any = None
        if embedding is not None:
            self.embedding = Embedding(num_symbols, embedding, rng=rng, dtype=dtype)
        width = embedding or num_symbols
        if isinstance(cell, str):
            self.recurrent = cells[cell](width, hidden_size, **options)
        else:
            self.recurrent = Stack(cell, width, hidden_size, **options)
        hidden_size = self.recurrent.hidden_size
        self.dropout = Dropout(dropout, rng=rng)
        directions = self.recurrent.directions
        num_classes = whole("num_classes", num_classes)
        self.linear = Linear(directions * hidden_size, num_classes, rng=rng, dtype=dtype)

    @classmethod
    def from_settings(
        cls, settings: dict, *, rng: Rng = None, cell: Any = None
    ) -> "NameClassifier":
        """Make the net that the settings of `examples/names.py` describe, with a cell of your own.

        settings: what stands beside a net in its file; a cell of one's own is there by name only.
        """
        sizes = {name: settings[name] for name in cls.SIZES}
        symbols, classes = len(settings["alphabet"]), len(settings["languages"])
        return cls(symbols, classes, rng=rng, cell=cell or settings["model"],
                   dropout=settings.get("dropout", 0.0), **sizes)  # fmt: skip

    def forward(self, batch: Any, training: bool = False) -> tuple[Array, Any]:
        """Return logits [N, K] of a `Batch` of ids, and a cache."""
        x, x_cache, x_mask = batch.x, None, None
        if self.embedding is not None:
            x, x_cache = self.embedding.forward(x)
            x, x_mask = self.dropout.forward(x, training)
        _, state, cache = self.recurrent.forward(x, batch.sizes, training=training)
        last, h_shape = self._join(state[0])
        last, mask = self.dropout.forward(last, training)
        logits, linear_cache = self.linear.forward(last)
        return logits, (x_cache, x_mask, cache, state, h_shape, mask, linear_cache)

    def backward(self, dlogits: Array, cache: Any) -> None:
        """Add to every parameter's gradient; letters have none."""
        x_cache, x_mask, cache, state, h_shape, mask, linear_cache = cache
        dlast = self.dropout.backward(self.linear.backward(dlogits, linear_cache), mask)
        dstate = (self._split(dlast, h_shape), *[None] * (len(state) - 1))
        dx, _ = self.recurrent.backward(None, cache, dstate)
        if self.embedding is not None:
            self.embedding.backward(self.dropout.backward(dx, x_mask), x_cache)

    def gates(self, batch: Any) -> dict[str, Array]:
        """Return {gate: [T, H]} of the first layer's first direction, for a batch of one sequence.

        A cell whose cache does not name its gates gives {"output": [T, H]}.
        """
        x = batch.x if self.embedding is None else self.embedding.forward(batch.x)[0]
        layer = self.recurrent.layers[0]
        output, _, cache = layer.forward(x[::-1] if self.recurrent.reverse else x, batch.sizes)
        return layer.gates(cache) or {"output": output}

    def _join(self, h):
        """The last layer's states [directions, N, H], side by side: [N, directions * H]."""
        last = h[-self.recurrent.directions :]
        return last.swapaxes(0, 1).reshape(h.shape[1], -1), h.shape

    def _split(self, dlast, h_shape):
        """`_join` undone: zeros for the layers below."""
        _, N, H = h_shape
        dh = dlast.reshape(N, -1, H).swapaxes(0, 1)
        xp = get_array_module(dlast)
        return xp.concatenate([xp.zeros((h_shape[0] - len(dh), N, H), dlast.dtype), dh])
