"""Whole nets: a sequence in; out comes one answer, or one at every step."""

import copy
from functools import partial
from typing import Any, NamedTuple

from .backend import Array, Dtype, Rng, get_array_module, taken
from .check import batch_of, cache_of, embedding_of, floating, net_of, of_shape, switch, whole
from .errors import MinirnnError
from .layers import Dropout, Embedding, Linear
from .parameters import Module
from .stacked import GRU, LSTM, RNN, Stack

cells = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


class ReadCache(NamedTuple):
    """What a model keeps of its recurrent layers for backward."""

    stack: Any  # the layers that ran: the model's own, or what `on_letters` made of them
    cache: Any  # theirs
    letters: Any  # the caches of embedding and dropout; None where the layers read batch.x itself
    layer: Any  # whose it is: the model's own layers


class NameClassifier(Module):
    """logits = [h forward, h backward] W + b: the last states of both directions, classified.

        num_symbols  V, how many letters there are; of features instead of letters, how many
        num_classes  K; of numbers instead of classes, how many at once
        rng          the NumPy generator of first values and of dropout; left out, a fresh one
        cell         "rnn", "lstm", "gru", or a cell: `GRUBeforeCell`, `RNNCell("relu")`, your own
        hidden_size  H
        dropout      its probability: on embedded letters, between layers, on the last states
        embedding    how many learned numbers stand for a letter; None: one-hot rows, or features;
                     or the first values of those numbers [V, E], see `freeze`

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
                 reverse: bool = False, dropout: float = 0.0, embedding: Any = None,
                 biases: int = 2, init: str = "pytorch", forget_bias: float | None = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        if isinstance(cell, str) and cell not in cells:
            raise MinirnnError(f"there is no cell {cell!r}; choose one of: {', '.join(cells)}")
        num_symbols, num_layers = whole("num_symbols", num_symbols), whole("num_layers", num_layers)
        self.num_symbols = num_symbols
        options = dict(num_layers=num_layers, bidirectional=bidirectional, reverse=reverse,
                       biases=biases, init=init, forget_bias=forget_bias, dtype=dtype, rng=rng,
                       dropout=dropout if num_layers > 1 else 0.0)  # fmt: skip
        self.embedding: Any = None
        embedding = embedding_of(embedding, floating("dtype", dtype))
        given, width = hasattr(embedding, "ndim") and embedding.ndim == 2, num_symbols
        if given or whole("embedding", embedding, none=True):
            width = embedding.shape[1] if given else embedding
            self.embedding = Embedding(num_symbols, width, rng=rng, dtype=dtype)
        if given:
            W = self.embedding.W.data
            W[...] = of_shape("embedding", taken(W, embedding=embedding), W.shape)
        layers = cells[cell] if isinstance(cell, str) else partial(Stack, cell)
        self.recurrent = layers(width, hidden_size, **options)
        hidden_size = self.recurrent.hidden_size
        self.dropout = Dropout(dropout, rng=rng)
        directions = self.recurrent.directions
        num_classes = whole("num_classes", num_classes)
        self.linear = Linear(directions * hidden_size, num_classes, rng=rng, dtype=dtype)

    @classmethod
    def from_settings(
        cls, settings: dict, *, rng: Rng = None, cell: Any = None
    ) -> "NameClassifier":
        """Make the net that the settings of an example describe, with a cell of your own.

        settings: what stands beside a net in its file; a cell of one's own is there by name only.
        "net" among them names another class of `nets`.
        """
        kind, sizes, options = net_of(settings, cls, nets)
        return kind(*sizes, rng=rng, cell=cell or settings["model"], **options)

    def forward(self, batch: Any, training: bool = False) -> tuple[Array, Any]:
        """Return logits [N, K] of a `Batch`, and a cache."""
        _, state, cache = self._read(batch_of(batch), getattr(batch, "state", None), training)
        last, h_shape = self._join(state[0])
        last, mask = self.dropout.forward(last, training)
        logits, linear_cache = self.linear.forward(last)
        return logits, (cache, state, h_shape, mask, linear_cache)

    def backward(self, dlogits: Array, cache: Any) -> Any:
        """Add to every parameter's gradient; dx of features comes back, None of letters."""
        cache, state, h_shape, mask, linear_cache = cache_of(cache, 5)
        dlast = self.dropout.backward(self.linear.backward(dlogits, linear_cache), mask)
        dstate = (self._split(dlast, h_shape), *[None] * (len(state) - 1))
        return self._read_back(None, cache, dstate)

    def gates(self, batch: Any) -> dict[str, Array]:
        """Return {gate: [T, H]} of the first layer's first direction, for a batch of one sequence.

        A cell whose cache does not name its gates gives {"output": [T, H]}. Raises `ArgumentError`
        for several sequences.
        """
        x = batch_of(batch, only_one=True).x
        x = x if self.embedding is None else self.embedding.forward(x)[0]
        layer = self.recurrent.layers[0]
        output, _, cache = layer.forward(x[::-1] if self.recurrent.reverse else x, batch.sizes)
        return layer.gates(cache) or {"output": output}

    def states(self, cache: Any) -> list:
        """Return every state of every layer at every step, see `Stack.states`.

        cache: what forward returned.
        """
        (read, *_) = cache_of(cache, tuple) or (None,)
        read = cache_of(read, self.recurrent)
        return read.stack.states(read.cache)

    def _read(self, batch, state, training):
        """The recurrent layers over a batch, with learned numbers for its letters."""
        x, stack, letters = batch.x, self.recurrent, None
        if self.embedding is not None:
            x, (V, D) = taken(self.embedding.W.data, ids=x), self.embedding.W.shape
            drops = switch("training", training) and self.dropout.p > 0
            # on_letters saves the products of x, and has V columns to multiply on the way back
            if x.dtype.kind in "iu" and not drops and min(x.size, 2 * D) >= V:
                stack = on_letters(stack, self.embedding.W.data)
            else:
                x, ids = self.embedding.forward(x)
                x, mask = self.dropout.forward(x, training)
                letters = ids, mask
        output, final, cache = stack.forward(x, batch.sizes, state, training=training)
        return output, final, ReadCache(stack, cache, letters, self.recurrent)

    def _read_back(self, doutput, cache, dfinal):
        """`_read` undone: dx of features, None of letters; the gradient of the embedding."""
        stack, inner, letters, _ = cache_of(cache, self.recurrent)
        dx, _ = stack.backward(doutput, inner, dfinal)
        if letters is not None:
            ids, mask = letters
            return self.embedding.backward(self.dropout.backward(dx, mask), ids)
        if stack is not self.recurrent:
            add_gradients(stack, self.recurrent, self.embedding.W)
        return dx

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


class StepCache(NamedTuple):
    """What `StepModel.forward` keeps for backward; `state` is where a next batch goes on."""

    recurrent: Any
    mask: Any
    linear: Any
    state: tuple


class StepModel(NameClassifier):
    """y_t = h_t W + b: something is said at every step, classes or numbers.

    A language model says the next letter, a tagger what each letter is. It begins with the batch's
    state where there is one, and `states` gives every state that it went through.

    num_symbols: how many letters there are, or features. num_classes: K, how many classes, or
    numbers at once. rng, cell, hidden_size, num_layers, bidirectional, reverse, dropout, embedding,
    biases, init, forget_bias and dtype are those of `NameClassifier`, and so is what it raises; the
    dropout acts on every output.

        >>> net = StepModel(26, 3, cell="gru", hidden_size=8)
        >>> data = Sequences([[2, 0, 19], [14, 23]], targets=[[0, 1, 0], [2, 2]])
        >>> y, cache = net.forward(data.batch([0, 1]))
        >>> y.shape, net.states(cache)[0]["h"].shape
        ((5, 3), (5, 8))
    """

    def forward(self, batch: Any, training: bool = False) -> tuple[Array, Any]:
        """Return y [S, K] of a `Batch`, packed as its x is, and a cache."""
        output, state, cache = self._read(batch_of(batch), batch.state, training)
        output, mask = self.dropout.forward(output, training)
        y, linear_cache = self.linear.forward(output)
        return y, StepCache(cache, mask, linear_cache, state)

    def backward(self, dy: Array, cache: Any) -> Any:
        """Add to every parameter's gradient; dx of features comes back, None of ids.

        No gradient goes into the state that the batch began with: that is truncated BPTT.
        """
        doutput = self.linear.backward(dy, cache_of(cache, StepCache).linear)
        doutput = self.dropout.backward(doutput, cache.mask)
        return self._read_back(doutput, cache.recurrent, None)

    def first_state(self, N):
        """Zeros for the state of N sequences: a tuple of arrays [layers, N, H]."""
        layer, layers, N = self.recurrent.layers[0], len(self.recurrent.layers), whole("N", N)
        xp, shape = get_array_module(layer.Wh.data), (layers, N, self.recurrent.hidden_size)
        return tuple(xp.zeros(shape, layer.Wh.data.dtype) for _ in layer.cell.states)


def on_letters(stack, E):
    """The same layers for ids: where x is rows of E [V, D], x Wx is rows of E Wx [G, V, H].

    So forward, each letter of the alphabet is multiplied once, not every place in the text.
    """
    folded = copy.copy(stack)
    folded.input_size, folded.layers = len(E), [copy.copy(layer) for layer in stack.layers]
    for layer in folded.layers[: stack.directions]:
        layer.input_size, layer.Wx = len(E), copy.copy(layer.Wx)
        layer.Wx.data = E @ layer.Wx.data
        layer.Wx.grad = get_array_module(E).zeros_like(layer.Wx.data)
    return folded


def add_gradients(folded, stack, embedding):
    """Add to the gradients of E, the parameter `embedding`, and of Wx what `on_letters(stack, E)`
    has found for E Wx."""
    for layer, own in zip(folded.layers[: stack.directions], stack.layers, strict=False):
        own.Wx.grad += embedding.data.T @ layer.Wx.grad
        embedding.grad += (layer.Wx.grad @ own.Wx.data.swapaxes(1, 2)).sum(axis=0)
        layer.Wx.grad[...] = 0  # the next backward adds again


nets = {"NameClassifier": NameClassifier, "StepModel": StepModel}
