"""The nets of two lab reports on names and languages, with the names and sizes that they print.

The reports lay the letter (57 numbers, one of them 1) and the hidden state (128) side by side and
give every gate an `nn.Linear(185, 128)`. That is a `Recurrent` with one bias whose Wx and Wh are
the first 57 and the last 128 rows, so the nets here are made of the library's own pieces and
print the reports' form. Their LogSoftmax is in the loss, `CrossEntropy`.

    A  ReportRNN       no nonlinearity, and the last state is never read: both as printed
    B  ReportLSTM
    C  ReportGRU       the reset gate acts before the product
    D  BuiltinLSTM     torch.nn.LSTM and a Linear
    E  OutputGateLSTM  classifies the output gate instead of the state: a mistake, kept
    F  Generator       writes names, letter by letter
"""

import functools
import itertools
import string

from .. import convert, stacked
from ..backend import get_array_module
from ..cells import GRUBeforeCell, LSTMCell, RNNCell
from ..errors import CheckpointError
from ..functions import d_sigmoid, d_tanh
from ..layers import Dropout, Linear, one_hot
from ..parameters import Module, uniform

LETTERS = string.ascii_letters + " .,;'"  # what nets A to E read; F reads a hyphen too


class ReportNet(Module):
    """A net that prints itself in the reports' form: its `lines` are [(name, text), ...]."""

    printed_as = None  # where the reports call it by another name than we

    def __repr__(self):
        lines = [f"({name}): {text}" for name, text in self.lines()]
        return "\n  ".join([f"{self.printed_as or type(self).__name__}(", *lines]) + "\n)"


class Classifier(ReportNet):
    """logits [N, K] = out(the first of the cell's states after the last letter)."""

    gate_names = {}  # {a name in the reports: the gate's letter here}
    out_name = "out"

    def __init__(self, cell, num_symbols, num_classes, hidden_size, rng, dtype):
        self.recurrent = side_by_side(cell, num_symbols, hidden_size, rng, dtype)
        self.out = Linear(hidden_size, num_classes, rng=rng, dtype=dtype)

    def forward(self, batch, training=False):
        """logits [N, K] of a `Batch` of ids, and a cache."""
        _, state, cache = self.recurrent.forward(batch.x, batch.sizes)
        logits, out_cache = self.out.forward(state[0])
        return logits, (cache, out_cache)

    def backward(self, dlogits, cache):
        """Adds to every parameter's gradient; letters have none."""
        cache, out_cache = cache
        dlast = self.out.backward(dlogits, out_cache)
        others = len(self.recurrent.cell.states) - 1
        self.recurrent.backward(None, cache, (dlast, *[None] * others))

    def gates(self, batch):
        """{gate: [T, H]} over the letters, for a batch of one name."""
        _, _, cache = self.recurrent.forward(batch.x, batch.sizes)
        return self.recurrent.gates(cache)

    def lines(self):
        """[(name, text)]: a Linear for each gate, as the reports have it, and the output."""
        D, H = self.recurrent.input_size, self.recurrent.hidden_size
        gates = [(name, linear_text(D + H, H)) for name in self.gate_names]
        return [*gates, (self.out_name, repr(self.out)), SOFTMAX]


class ReportRNN(ReportNet):
    """h_t = f(i2h[x_t, h_(t-1)]) and logits = i2o[x_T, h_(T-1)]: net A.

    As the reports have it, f is the identity and the output is computed from the same pair as the
    new state, beside it: the last state is never read. nonlinearity="tanh" and reads="new", which
    gives i2o[x_T, h_T], change one or the other and keep all sizes. Raises `ValueError` for another
    `reads` or nonlinearity.
    """

    printed_as = "RNN"

    def __init__(
        self, num_symbols=57, num_classes=18, hidden_size=128, *, rng,
        nonlinearity="identity", reads="previous", dtype="float32",
    ):  # fmt: skip
        if reads not in ("previous", "new"):
            raise ValueError(f"reads is {reads!r}, but must be one of: previous, new")
        self.reads = reads
        self.i2h = side_by_side(RNNCell(nonlinearity), num_symbols, hidden_size, rng, dtype)
        self.i2o = SideBySide(num_symbols, hidden_size, num_classes, rng=rng, dtype=dtype)

    def forward(self, batch, training=False):
        """logits [N, K] of a `Batch` of ids, and a cache."""
        ids, sizes = batch.x, batch.sizes
        last_letter = ids[last_rows(sizes)][:, None]
        read = get_array_module(ids).zeros((sizes[0], self.i2h.hidden_size), self.i2o.W.data.dtype)
        if self.reads == "previous":  # h_(T-1): the net without the last letter of each name
            ids, sizes = ids[previous_rows(sizes)], sizes[1:]
        alive, h_cache = sizes[0] if sizes else 0, None  # names of one letter end here, at zero
        if alive:
            _, (read[:alive],), h_cache = self.i2h.forward(ids, sizes)
        logits, o_cache = self.i2o.forward(last_letter, read)
        return logits, (h_cache, o_cache, alive)

    def backward(self, dlogits, cache):
        """Adds to every parameter's gradient; letters have none."""
        h_cache, o_cache, alive = cache
        dread = self.i2o.backward(dlogits, o_cache)
        if alive:
            self.i2h.backward(None, h_cache, (dread[:alive],))

    def lines(self):
        """[(name, text)] as the reports print them."""
        D, H = self.i2h.input_size, self.i2h.hidden_size
        return [("i2h", linear_text(D + H, H)), ("i2o", repr(self.i2o)), SOFTMAX]


class ReportLSTM(Classifier):
    """Net B. The reports' i2c is the candidate, here called g."""

    printed_as = "LSTM"
    cell = LSTMCell
    gate_names = {"i2f": "f", "i2i": "i", "i2o": "o", "i2c": "g"}

    def __init__(
        self, num_symbols=57, num_classes=18, hidden_size=128, *, rng, dtype="float32"
    ):  # fmt: skip
        super().__init__(self.cell, num_symbols, num_classes, hidden_size, rng, dtype)


class ReportGRU(Classifier):
    """Net C: the reset gate acts before the product, as it must where r h and x lie side by side.

    The reports let z take the new state, here z keeps the old one; sigmoid(-a) = 1 - sigmoid(a),
    so the two differ by the sign of i2z, which has no part in first values drawn evenly around 0.
    """

    printed_as = "GRU"
    gate_names = {"i2z": "z", "i2r": "r", "i2n": "n"}

    def __init__(
        self, num_symbols=57, num_classes=18, hidden_size=128, *, rng, dtype="float32"
    ):  # fmt: skip
        super().__init__(GRUBeforeCell, num_symbols, num_classes, hidden_size, rng, dtype)


class EmptiedCell(LSTMCell):
    """An `LSTMCell` with f = 0, so c = i g [n, H]: nothing stays in the cell, h alone remembers."""

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        nothing = get_array_module(c_prev).zeros_like(c_prev)
        return super().forward(gx, (h_prev, nothing), product)

    def backward(self, dstate, cache, product):
        da, (dh_prev, dc_prev) = super().backward(dstate, cache, product)
        return da, (dh_prev, get_array_module(dc_prev).zeros_like(dc_prev))


class EmptiedLSTM(ReportLSTM):
    """Net B whose cell state is emptied before every letter: see `EmptiedCell`."""

    cell = EmptiedCell


class BuiltinLSTM(Classifier):
    """Net D: `torch.nn.LSTM(57, 128)`, with its two biases and first values, and a Linear."""

    def __init__(
        self, num_symbols=57, num_classes=18, hidden_size=128, *, rng, dtype="float32"
    ):  # fmt: skip
        self.lstm = stacked.LSTM(num_symbols, hidden_size, rng=rng, dtype=dtype)
        self.out = Linear(hidden_size, num_classes, rng=rng, dtype=dtype)

    @property
    def recurrent(self):
        """The one layer of the stack."""
        return self.lstm.layers[0]

    def lines(self):
        """[(name, text)] as the reports print them."""
        return [("lstm", repr(self.lstm)), ("linear", repr(self.out)), SOFTMAX]

    def from_pytorch(self, state):
        """Take the weights of a PyTorch module with an `lstm` and a `linear`, {name: array}.

        Raises `CheckpointError` for a name that is missing or too many and for a `linear` of
        another shape, `ShapeError` for an `lstm` of another shape.
        """
        weight, bias = state.get("linear.weight"), state.get("linear.bias")
        for name, array, shape in [
            ("linear.weight", weight, self.out.W.shape[::-1]),
            ("linear.bias", bias, self.out.b.shape),
        ]:
            if getattr(array, "shape", None) != shape:
                given = "is missing" if array is None else f"has shape {array.shape}"
                raise CheckpointError(f"the PyTorch state's {name} {given}; it must have {shape}")
        convert.from_pytorch(self.lstm, state, prefix="lstm.")
        self.out.load_state_dict({"W": weight.T, "b": bias})

    def to_pytorch(self):
        """{name: array} for `load_state_dict` of that module (`torch.from_numpy` each)."""
        state = {f"lstm.{name}": a for name, a in convert.to_pytorch(self.lstm).items()}
        linear = self.out.state_dict()
        return {**state, "linear.weight": linear["W"].T.copy(), "linear.bias": linear["b"]}


class OutputGateCell(LSTMCell):
    """An `LSTMCell` whose output [n, H] is its output gate o, not its state h = o tanh(c)."""

    states = ("o", "h", "c")

    def forward(self, gx, state, product):
        _, h_prev, c_prev = state
        (h, c), cache = super().forward(gx, (h_prev, c_prev), product)
        return (cache.o.copy(), h, c), cache

    def backward(self, dstate, cache, product):
        do_out, dh, dc = dstate
        i, f, g, o, c_prev, tanh_c = cache
        # the output is o itself, and h = o tanh(c)
        do = do_out + dh * tanh_c
        dc = dc + dh * o * d_tanh(tanh_c)
        # c = f c_prev + i g
        df, dc_prev = dc * c_prev, dc * f
        di, dg = dc * g, dc * i
        # i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao) and g = tanh(ag)
        dai, daf, dao = di * d_sigmoid(i), df * d_sigmoid(f), do * d_sigmoid(o)
        dag = dg * d_tanh(g)
        # ai, af, ag, ao = gx + h_prev Wh + bh
        da = (dai, daf, dag, dao)
        return da, (get_array_module(o).zeros_like(o), product.backward(da), dc_prev)


class OutputGateLSTM(Classifier):
    """Net E: an LSTM that classifies its output gate. The mistake is the report's, and kept.

    The last line of that forward pass classifies `output`, the name of the gate, where
    `hidden` = output * tanh(cell) was meant. The gate depends on x_T and h_(T-1) through one
    sigmoid, so the net still learns; what the last letter does to the cell, it never sees.
    """

    gate_names = {"forget_gate": "f", "input_gate": "i", "cell_update": "g", "output_gate": "o"}
    out_name = "classify"

    def __init__(
        self, num_symbols=57, num_classes=18, hidden_size=128, *, rng, dtype="float32"
    ):  # fmt: skip
        super().__init__(OutputGateCell, num_symbols, num_classes, hidden_size, rng, dtype)


class Generator(ReportNet):
    """logits_t = dropout(o2o[h_t, i2o[category, x_t, h_(t-1)]]): net F, which writes names.

    h_t = i2h[category, x_t, h_(t-1)], without a nonlinearity, as in the PyTorch tutorial. A batch
    holds two ids a row, [S, 2]: the category, and num_classes + the letter. logits_t, one for
    each letter and one for the end of the name, are those of the letter after x_t.
    """

    def __init__(
        self, num_symbols=59, num_classes=18, hidden_size=128, dropout=0.1, *, rng,
        dtype="float32",
    ):  # fmt: skip
        D, H = num_classes + num_symbols, hidden_size
        self.i2h = side_by_side(RNNCell("identity"), D, H, rng, dtype)
        self.i2o = SideBySide(D, H, num_symbols, rng=rng, dtype=dtype)
        self.o2o = Linear(H + num_symbols, num_symbols, rng=rng, dtype=dtype)
        self.dropout = Dropout(dropout, rng=rng)
        self.num_classes, self.num_symbols = num_classes, num_symbols

    def forward(self, batch, training=False, state=None):
        """logits [S, V] of a batch of rows [S, 2], and a cache, whose first part is h [S, H].

        state: a tuple of h [N, H] from which to go on, zeros if left out.
        """
        ids, sizes = batch.x, batch.sizes
        xp, W = get_array_module(ids), self.i2h.Wx.data
        x = many_hot(ids, self.i2h.input_size, W.dtype)
        if state is None:
            state = (xp.zeros((sizes[0], self.i2h.hidden_size), W.dtype),)
        h, _, h_cache = self.i2h.forward(x, sizes, state)
        h_prev = xp.concatenate([state[0], h[previous_rows(sizes)]])
        o, o_cache = self.i2o.forward(ids, h_prev)
        y, y_cache = self.o2o.forward(xp.concatenate([h, o], axis=1))
        logits, mask = self.dropout.forward(y, training)
        return logits, (h, sizes, h_cache, o_cache, y_cache, mask)

    def backward(self, dlogits, cache):
        """Adds to every parameter's gradient; letters and categories have none."""
        _, sizes, h_cache, o_cache, y_cache, mask = cache
        H = self.i2h.hidden_size
        # logits = dropout(o2o[h, o])
        dboth = self.o2o.backward(self.dropout.backward(dlogits, mask), y_cache)
        dh, do = dboth[:, :H].copy(), dboth[:, H:]
        # o = i2o[category, x, h_prev], and h_prev is h one step earlier
        dh_prev = self.i2o.backward(do, o_cache)
        dh[previous_rows(sizes)] += dh_prev[sizes[0] :]  # each row once, so += is right
        self.i2h.backward(dh, h_cache)

    def lines(self):
        """[(name, text)] as the reports print them."""
        D, H = self.i2h.input_size, self.i2h.hidden_size
        return [
            ("i2h", linear_text(D + H, H)), ("i2o", repr(self.i2o)), ("o2o", repr(self.o2o)),
            ("dropout", f"Dropout(p={self.dropout.p}, inplace=False)"), SOFTMAX,
        ]  # fmt: skip


class SideBySide(Linear):
    """y = [one-hot ids, h] W + b: a `Linear` on letters beside a state.

    ids [n, k]: the k columns that are 1, all below `num_ids`; h [n, H].
    """

    def __init__(self, num_ids, hidden_size, out_features, *, rng, dtype="float32"):
        super().__init__(num_ids + hidden_size, out_features, rng=rng, dtype=dtype)
        self.num_ids = num_ids

    def forward(self, ids, h):
        W = self.W.data
        y = h.dot(W[self.num_ids :]) + self.b.data  # @ does without BLAS for one row
        for column in ids.T:
            y += W.take(column, axis=0)
        return y, (ids, h)

    def backward(self, dy, cache):
        """dh; adds to dW and db."""
        ids, h = cache
        D = self.num_ids
        dW = self.W.grad
        if len(ids) == 1:  # no row twice: the columns differ
            self.b.grad += dy[0]
            dW[ids[0]] += dy
        else:
            self.b.grad += dy.sum(axis=0)
            dW[:D] += many_hot(ids, D, dy.dtype).T @ dy
        dW[D:] += h.T.dot(dy)
        return dy.dot(self.W.data[D:].T)

    def __repr__(self):
        return linear_text(*self.W.shape)


SOFTMAX = ("softmax", "LogSoftmax(dim=1)")


def linear_text(D, K):
    """A Linear as it prints itself."""
    return f"Linear(in_features={D}, out_features={K}, bias=True)"


def side_by_side(cell, D, H, rng, dtype):
    """A `Recurrent` with the first values of `nn.Linear(D + H, H)` for every gate."""
    net = stacked.Recurrent(cell, D, H, rng=rng, biases=1, dtype=dtype)
    for parameter in net.parameters():
        parameter.data[...] = uniform(rng, parameter.shape, (D + H) ** -0.5, dtype)
    return net


def many_hot(ids, size, dtype):
    """Rows with a 1 in each of the columns `ids` [n, k], which differ: [n, size]."""
    return sum(one_hot(column, size, dtype) for column in ids.T)


def last_rows(sizes):
    """Return where the last element of each sequence lies in a packed batch: N rows of [S, ...]."""
    return slice(len(sizes) - 1, None) if sizes[0] == 1 else _last_rows(tuple(sizes))


@functools.lru_cache(256)
def _last_rows(sizes):
    starts = [0, *itertools.accumulate(sizes)]
    lengths = [sum(n > k for n in sizes) for k in range(sizes[0])]
    return [starts[length - 1] + k for k, length in enumerate(lengths)]


def previous_rows(sizes):
    """Return the rows of [S, ...] that come before all but each sequence's first."""
    return slice(len(sizes) - 1) if sizes[0] == 1 else _previous_rows(tuple(sizes))


@functools.lru_cache(256)
def _previous_rows(sizes):
    starts = itertools.accumulate(sizes, initial=0)
    return [
        start + k for start, later in zip(starts, sizes[1:], strict=False) for k in range(later)
    ]
