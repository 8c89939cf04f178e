"""Whole nets: letters in, a language out."""

from .backend import get_array_module
from .errors import MinirnnError, whole
from .layers import Dropout, Embedding, Linear
from .parameters import Module
from .stacked import GRU, LSTM, RNN, Stack

cells = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


class NameClassifier(Module):
    """logits = [h forward, h backward] W + b: the last states of both directions, classified.

    cell: "rnn", "lstm", "gru", or a cell class (see `cells`). embedding: how many learned numbers
    stand for a letter; None feeds letters as one-hot rows. Dropout acts on the embedded letters,
    between layers, and on the last states. Raises `MinirnnError` for another name of a cell, and
    `ArgumentError` for sizes that cannot be.
    """

    def __init__(
        self, num_symbols, num_classes, *, rng, cell="lstm", hidden_size=128, num_layers=1,
        bidirectional=False, dropout=0.0, embedding=None, **options,
    ):  # fmt: skip
        if isinstance(cell, str) and cell not in cells:
            raise MinirnnError(f"there is no cell {cell!r}; choose one of: {', '.join(cells)}")
        num_symbols, num_layers = whole("num_symbols", num_symbols), whole("num_layers", num_layers)
        embedding = whole("embedding", embedding, none=True)
        options |= dict(num_layers=num_layers, bidirectional=bidirectional, rng=rng)
        options["dropout"] = dropout if num_layers > 1 else 0.0
        if embedding is not None:
            self.embedding = Embedding(num_symbols, embedding, rng=rng, **_dtype(options))
        else:
            self.embedding = None
        width = embedding or num_symbols
        if isinstance(cell, str):
            self.recurrent = cells[cell](width, hidden_size, **options)
        else:
            self.recurrent = Stack(cell, width, hidden_size, **options)
        hidden_size = self.recurrent.hidden_size
        self.dropout = Dropout(dropout, rng=rng)
        directions = self.recurrent.directions
        num_classes = whole("num_classes", num_classes)
        self.linear = Linear(directions * hidden_size, num_classes, rng=rng, **_dtype(options))

    def forward(self, batch, training=False):
        """logits [N, K] of a `Batch` of ids, and a cache."""
        x, x_cache, x_mask = batch.x, None, None
        if self.embedding is not None:
            x, x_cache = self.embedding.forward(x)
            x, x_mask = self.dropout.forward(x, training)
        _, state, cache = self.recurrent.forward(x, batch.sizes, training=training)
        last, h_shape = self._join(state[0])
        last, mask = self.dropout.forward(last, training)
        logits, linear_cache = self.linear.forward(last)
        return logits, (x_cache, x_mask, cache, state, h_shape, mask, linear_cache)

    def backward(self, dlogits, cache):
        """Adds to every parameter's gradient; letters have none."""
        x_cache, x_mask, cache, state, h_shape, mask, linear_cache = cache
        dlast = self.dropout.backward(self.linear.backward(dlogits, linear_cache), mask)
        dstate = (self._split(dlast, h_shape), *[None] * (len(state) - 1))
        dx, _ = self.recurrent.backward(None, cache, dstate)
        if self.embedding is not None:
            self.embedding.backward(self.dropout.backward(dx, x_mask), x_cache)

    def gates(self, batch):
        """{gate: [T, H]} of the first direction of the first layer, for a batch of one sequence.

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
        if len(dh) == h_shape[0]:
            return dh
        xp = get_array_module(dlast)
        return xp.concatenate([xp.zeros((h_shape[0] - len(dh), N, H), dlast.dtype), dh])


def _dtype(options):
    return {"dtype": options["dtype"]} if "dtype" in options else {}
