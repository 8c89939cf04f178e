"""Every displayed equation of the chapters as plain Python, one number at a time.

A chapter marks an equation with <!-- eq: LABEL -->; the function of that label here computes it
with loops over Python numbers and compares the result with what the library computes. Where an
equation is one line of a cell, it is compared with that very line: with the local variable that
the method holds when it returns. Beside the label stands the equation itself, so that neither the
page nor the check can be changed alone.
"""

import cmath
import copy
import importlib.util
import io
import itertools
import math
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

from minirnn import functions, measures, optim, packing, plotting
from minirnn.baselines import TrigramBayes, trigrams
from minirnn.batches import Sequences, balanced
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.gradcheck import oracles, rtrl
from minirnn.gradcheck.problems import function_problem
from minirnn.layers import Dropout, Linear
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.measures import Regression
from minirnn.models import NameClassifier, StepModel, add_gradients, on_letters
from minirnn.mpi import cost
from minirnn.parameters import Parameter
from minirnn.product import Product, ProductBackward
from minirnn.recurrent import Recurrent
from minirnn.stacked import RNN
from minirnn.text.continuation import go_on
from minirnn.text.corpus import Text
from minirnn.text.ngrams import bits_of_counts
from minirnn.training import Evaluation, Trainer, evaluate

ROOT = Path(__file__).resolve().parent.parent


def load(path):
    """A module that is no part of the package."""
    path = ROOT / path
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


other_cells = load("tests/helpers/other_cells.py")
microlstm = load("examples/microlstm.py")
SLSTMCell = load("examples/cells/slstm.py").SLSTMCell
MinGRUCell = load("examples/cells/mingru.py").MinGRUCell

series = load("examples/series.py")

CHECKS = {}  # {label: function(rng) that raises AssertionError where the equation does not hold}
TEXTS = {}  # {label: the equations as the chapter has them}


def equation(label, *texts):
    """Register a check of the equations that stand under `label`, word for word `texts`."""

    def register(check):
        assert label not in CHECKS, f"two checks for {label}"
        CHECKS[label], TEXTS[label] = check, texts
        return check

    return register


# Plain Python on nested lists


def same(ours, theirs, bound=1e-11):
    """Numbers or nested lists of them, compared with what the library computed."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"shapes {ours.shape} and {theirs.shape}"
    off = np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max())
    assert off <= bound, f"off by {off:.1e}"


def each(formula, *arrays):
    """The formula on the entries of arrays of one shape."""
    arrays = [a.tolist() if isinstance(a, np.ndarray) else a for a in arrays]
    if isinstance(arrays[0], list):
        return [each(formula, *parts) for parts in zip(*arrays, strict=True)]
    return formula(*arrays)


def times(x, W):
    """x W: y[n][k] = sum_j x[n][j] W[j][k]."""
    return [[sum(row[j] * W[j][k] for j in range(len(W))) for k in range(len(W[0]))] for row in x]


def transposed(W):
    return [[W[j][k] for j in range(len(W))] for k in range(len(W[0]))]


def add(*tables):
    return each(lambda *numbers: sum(numbers), *tables)


def affine(x, W, b):
    """x W + b, with b added to every row."""
    return [[y + b[k] for k, y in enumerate(row)] for row in times(x, W)]


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


# The library, watched


def watched(function, call):
    """The local variables of `function` each time it returned while `call()` ran."""
    code, frames = function.__code__, []

    def look(frame, event, argument):
        if event == "return" and frame.f_code is code:
            frames.append(SimpleNamespace(**frame.f_locals))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(before)
    return frames


def step(Cell, rng, n=2, D=4, H=3):
    """One step of a cell on random numbers, forward and backward, with the locals of both."""
    cell, G = Cell(), len(Cell.gates)
    s = SimpleNamespace(gates=Cell.gates)
    s.x, s.Wx, s.bx = (rng.standard_normal(shape) for shape in [(n, D), (G, D, H), (G, H)])
    s.Wh, s.bh = rng.standard_normal((G, H, H)), rng.standard_normal((G, H))
    state = tuple(rng.standard_normal((n, H)) for _ in Cell.states)
    s.dstate = tuple(rng.standard_normal((n, H)) for _ in Cell.states)
    gx = s.x @ s.Wx + s.bx[:, None]
    product = Product(Cell.gates, s.Wh, s.bh)
    s.state, cache = cell.forward(gx, state, product)
    (s.forward,) = watched(Cell.forward, lambda: cell.forward(gx, state, product))
    undo = ProductBackward(product, n, "float64")
    (s.backward,) = watched(Cell.backward, lambda: cell.backward(s.dstate, cache, undo))
    undo = ProductBackward(product, n, "float64")
    s.dgx, s.dstate_prev = cell.backward(s.dstate, cache, undo)
    s.h_prev = state[0]
    return s


def pre_activation(s, gate, h=None):
    """x Wx + bx + h Wh + bh of one gate."""
    k = s.gates.index(gate)
    h = s.h_prev.tolist() if h is None else h
    from_x = affine(s.x.tolist(), s.Wx[k].tolist(), s.bx[k].tolist())
    return add(from_x, affine(h, s.Wh[k].tolist(), s.bh[k].tolist()))


def through(s, gate, da):
    """da Wh^T of one gate."""
    da = da.tolist() if isinstance(da, np.ndarray) else da
    return times(da, transposed(s.Wh[s.gates.index(gate)].tolist()))


def over_time(rng, Cell=GRUCell, T=4, N=2, D=3, H=5, ids=False, truncate=None):
    """A cell carried through time and back, with the locals of each backward step, by step."""
    net = Recurrent(Cell, D, H, rng=rng, dtype="float64")
    s = SimpleNamespace(net=net, T=T)
    s.x = rng.integers(D, size=(T, N)) if ids else rng.standard_normal((T, N, D))
    s.doutput, s.dfinal = rng.standard_normal((T, N, H)), rng.standard_normal((N, H))
    state = (rng.standard_normal((N, H)),)
    s.output, _, cache = net.forward(s.x, state=state, truncate=truncate)

    def call():
        s.dx, s.dstate = net.backward(s.doutput, cache, (s.dfinal,))

    s.steps = watched(Cell.backward, call)[::-1]
    return s


# 0 A beginning


def rnn_over_time(rng, T, N, D, H):
    """An RNN with one bias carried through time and back, with the locals of each step."""
    net = Recurrent(RNNCell, D, H, rng=rng, dtype="float64", biases=1)
    s = SimpleNamespace(net=net, T=T, N=N)
    s.x, s.u = rng.standard_normal((T, N, D)), rng.standard_normal((T, N, H))
    s.Wx, s.Wh, s.b = (p.data[0].tolist() for p in net.parameters())
    s.dWx, s.dWh, s.db = (p.grad[0] for p in net.parameters())
    output, _, cache = net.forward(s.x)
    s.h = [np.zeros((N, H)), *output]
    s.steps = watched(RNNCell.backward, lambda: net.backward(s.u, cache))[::-1]
    return s


def one_unit(rng):
    """Two steps of one unit, whose loss is that of the chapter."""
    s = rnn_over_time(rng, 2, 1, 1, 1)
    q, loss = rng.standard_normal((1, 1)), MeanSquaredError()
    _, cache = loss.forward(s.h[2], q)
    for p in s.net.parameters():
        p.grad[...] = 0
    undo = [np.zeros((1, 1)), loss.backward(cache)]
    _, _, cache = s.net.forward(s.x)
    s.steps = watched(RNNCell.backward, lambda: s.net.backward(np.array(undo), cache))[::-1]
    s.w_x, s.w_h, s.bias, s.q = s.Wx[0][0], s.Wh[0][0], s.b[0], q.item()
    s.h1, s.h2, s.x1, s.x2 = s.h[1].item(), s.h[2].item(), s.x[0].item(), s.x[1].item()
    s.da1, s.da2 = (step.da.item() for step in s.steps)
    return s


@equation("unit", r"h_t = \tanh(w_x x_t + w_h h_{t-1} + b)")
def _(rng):
    s = one_unit(rng)
    for x, before, after in [(s.x1, 0.0, s.h1), (s.x2, s.h1, s.h2)]:
        same(math.tanh(s.w_x * x + s.w_h * before + s.bias), after)


@equation(
    "unit-backward",
    r"dh_2 = 2 (h_2 - q)",
    r"da_2 = dh_2 (1 - h_2^2)",
    r"dh_1 = da_2 w_h",
    r"da_1 = dh_1 (1 - h_1^2)",
)
def _(rng):
    s = one_unit(rng)
    first, second = s.steps
    same(2 * (s.h2 - s.q), second.dh.item())
    same(second.dh.item() * (1 - s.h2**2), s.da2)
    same(s.da2 * s.w_h, first.dh.item())
    same(first.dh.item() * (1 - s.h1**2), s.da1)


@equation(
    "unit-weights",
    r"dw_x = da_1 x_1 + da_2 x_2",
    r"dw_h = da_1 h_0 + da_2 h_1",
    r"db = da_1 + da_2",
)
def _(rng):
    s = one_unit(rng)
    same(s.da1 * s.x1 + s.da2 * s.x2, s.dWx.item())
    same(s.da1 * 0 + s.da2 * s.h1, s.dWh.item())
    same(s.da1 + s.da2, s.db.item())


@equation("plain-forward", r"h_t = \tanh(x_t W_x + h_{t-1} W_h + b)")
def _(rng):
    s = rnn_over_time(rng, T=4, N=2, D=3, H=5)
    for t in range(s.T):
        from_h = times(s.h[t].tolist(), s.Wh)
        a = add(affine(s.x[t].tolist(), s.Wx, s.b), from_h)
        same(each(math.tanh, a), s.h[t + 1])


@equation(
    "plain-backward",
    r"dh_t = u_t + da_{t+1} W_h^\top",
    r"da_t = dh_t \odot (1 - h_t^2)",
    r"dW_x = \sum_t x_t^\top da_t",
    r"dW_h = \sum_t h_{t-1}^\top da_t",
    r"db = \sum_t \sum_n da_{tn}",
)
def _(rng):
    s = rnn_over_time(rng, T=4, N=2, D=3, H=5)
    da = [step.da.tolist() for step in s.steps]
    after = [*(times(d, transposed(s.Wh)) for d in da[1:]), np.zeros((2, 5)).tolist()]
    for t, step in enumerate(s.steps):
        same(add(s.u[t].tolist(), after[t]), step.dh)
        same(each(lambda dh, h: dh * (1 - h * h), step.dh, s.h[t + 1]), step.da)
    same(add(*(times(transposed(s.x[t].tolist()), da[t]) for t in range(s.T))), s.dWx)
    same(add(*(times(transposed(s.h[t].tolist()), da[t]) for t in range(s.T))), s.dWh)
    same([sum(row[k] for table in da for row in table) for k in range(5)], s.db)


# 1 Notation, 2 Arrays


@equation("gradient", r"dx = \frac{\partial L}{\partial x}")
def _(rng):
    logits, labels, loss = rng.standard_normal((2, 3)), np.array([2, 0]), CrossEntropy()
    _, cache = loss.forward(logits, labels)
    slopes = np.zeros((2, 3))
    for n in range(2):
        for k in range(3):
            ends = []
            for sign in (1, -1):
                moved = logits.copy()
                moved[n, k] += sign * 1e-6
                ends.append(float(loss.forward(moved, labels)[0]))
            slopes[n, k] = (ends[0] - ends[1]) / 2e-6
    same(slopes, loss.backward(cache), 1e-8)


@equation("sum-axis", r"y_k = \sum_n x_{nk}")
def _(rng):
    layer, _, _, _, dy = linear(rng)  # the gradient of a bias is a sum over the rows
    same([sum(row[k] for row in dy) for k in range(2)], layer.b.grad)


@equation("broadcast", r"y_{nk} = x_{nk} + b_k")
def _(rng):
    v, Wh, bh = (rng.standard_normal(shape) for shape in [(2, 3), (4, 3, 3), (4, 3)])
    without, y = Product("ifgo", Wh, None)(v).tolist(), Product("ifgo", Wh, bh)(v)
    for x, b, gate in zip(without, bh.tolist(), y, strict=True):
        same([[x[n][k] + b[k] for k in range(3)] for n in range(2)], gate)


@equation("matrix-product", r"y_{nk} = \sum_j x_{nj} W_{jk}")
def _(rng):
    x, W = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    same(times(x.tolist(), W.tolist()), x @ W)


@equation("first-values", r"\mathrm{bound} = \frac{1}{\sqrt{H}}")
def _(rng):
    again = copy.deepcopy(rng)
    net = Recurrent(LSTMCell, 3, 7, rng=rng, dtype="float64")
    bound = 1 / math.sqrt(7)
    for p in (net.Wx, net.Wh):
        same(each(lambda u: (2 * u - 1) * bound, again.random(p.shape)), p.data)


# 3 Softmax and loss


@equation("softmax", r"p_k = \frac{e^{a_k}}{\sum_j e^{a_j}}")
def _(rng):
    a = rng.standard_normal(5)
    total = sum(math.exp(v) for v in a.tolist())
    same([math.exp(v) / total for v in a.tolist()], functions.softmax(a))


@equation("log-softmax", r"\log p_k = a_k - \log \sum_j e^{a_j}")
def _(rng):
    a = rng.standard_normal(5)
    total = sum(math.exp(v) for v in a.tolist())
    same([v - math.log(total) for v in a.tolist()], functions.log_softmax(a))


def softmaxes(logits):
    rows = [[math.exp(a) for a in row] for row in logits.tolist()]
    return [[v / sum(row) for v in row] for row in rows]


@equation("cross-entropy", r"L = -\frac{1}{N} \sum_n \log p_{n q_n}")
def _(rng):
    logits, labels = rng.standard_normal((3, 4)), np.array([1, 3, 1])
    p = softmaxes(logits)
    ours = -sum(math.log(p[n][q]) for n, q in enumerate(labels.tolist())) / 3
    same(ours, CrossEntropy().forward(logits, labels)[0])


@equation("cross-entropy-backward", r"da_{nk} = \frac{1}{N} \left( p_{nk} - [k = q_n] \right)")
def _(rng):
    logits, labels = rng.standard_normal((3, 4)), np.array([1, 3, 1])
    p, loss = softmaxes(logits), CrossEntropy()
    ours = [[(p[n][k] - (k == labels[n])) / 3 for k in range(4)] for n in range(3)]
    same(ours, loss.backward(loss.forward(logits, labels)[1]))


@equation("ignored", r"L = -\frac{\sum_n m_n \log p_{n q_n}}{\sum_n m_n}")
def _(rng):
    logits, labels = rng.standard_normal((4, 3)), [1, -1, 0, -1]
    p, m = softmaxes(logits), [float(q != -1) for q in labels]
    ours = -sum(m[n] * math.log(p[n][q]) for n, q in enumerate(labels)) / sum(m)
    same(ours, CrossEntropy(ignore_index=-1).forward(logits, np.array(labels))[0])


@equation(
    "log-prior",
    r"L = -\frac{1}{N} \sum_n \log \frac{e^{a_{n q_n}} \mathrm{share}_{q_n}}"
    r"{\sum_j e^{a_{nj}} \mathrm{share}_j}",
)
def _(rng):
    logits, labels = rng.standard_normal((3, 4)), np.array([1, 3, 1])
    shares = [0.1, 0.2, 0.3, 0.4]
    ours = 0.0
    for row, q in zip(logits.tolist(), labels.tolist(), strict=True):
        total = sum(math.exp(a) * share for a, share in zip(row, shares, strict=True))
        ours -= math.log(math.exp(row[q]) * shares[q] / total) / 3
    same(ours, CrossEntropy(log_prior=np.log(shares)).forward(logits, labels)[0])


@equation("class-weight", r"L = -\frac{\sum_n w_{q_n} \log p_{n q_n}}{\sum_n w_{q_n}}")
def _(rng):
    logits, labels, w = rng.standard_normal((3, 4)), [1, 3, 1], [0.5, 2.0, 0.0, 3.0]
    p = softmaxes(logits)
    ours = -sum(w[q] * math.log(p[n][q]) for n, q in enumerate(labels)) / sum(w[q] for q in labels)
    same(ours, CrossEntropy(class_weight=np.array(w)).forward(logits, np.array(labels))[0])


@equation(
    "label-smoothing",
    r"L = -\frac{1}{N} \sum_n \left( (1 - \varepsilon) \log p_{n q_n} "
    r"+ \frac{\varepsilon}{K} \sum_k \log p_{nk} \right)",
)
def _(rng):
    logits, labels, e = rng.standard_normal((3, 4)), [1, 3, 1], 0.3
    p, ours = softmaxes(logits), 0.0
    for row, q in zip(p, labels, strict=True):
        ours -= ((1 - e) * math.log(row[q]) + e / 4 * sum(map(math.log, row))) / 3
    same(ours, CrossEntropy(label_smoothing=e).forward(logits, np.array(labels))[0])


@equation("mse", r"L = \frac{1}{N} \sum_n (y_n - q_n)^2")
def _(rng):
    y, q = rng.standard_normal((2, 6))
    ours = sum((b - a) ** 2 for a, b in zip(q.tolist(), y.tolist(), strict=True)) / 6
    same(ours, MeanSquaredError().forward(y, q)[0])


@equation("mse-backward", r"dy_n = \frac{2}{N} (y_n - q_n)")
def _(rng):
    (y, q), loss = rng.standard_normal((2, 6)), MeanSquaredError()
    same(each(lambda y, q: 2 / 6 * (y - q), y, q), loss.backward(loss.forward(y, q)[1]))


# 4 One step


@equation("chain-rule", r"dx_j = \sum_k dy_k \frac{\partial y_k}{\partial x_j}")
def _(rng):
    s = step(RNNCell, rng)
    h, dh, W = s.forward.h.tolist(), s.dstate[0].tolist(), s.Wh[0].tolist()
    slope = [[[W[j][k] * (1 - row[k] ** 2) for j in range(3)] for k in range(3)] for row in h]
    ours = [[sum(dh[n][k] * slope[n][k][j] for k in range(3)) for j in range(3)] for n in range(2)]
    same(ours, s.dstate_prev[0])


@equation("sigmoid", r"y = \sigma(a) = \frac{1}{1 + e^{-a}}")
def _(rng):
    a = 3 * rng.standard_normal(6)
    same(each(sigmoid, a), functions.sigmoid(a))


@equation("d-sigmoid", r"\frac{\partial y}{\partial a} = y (1 - y)")
def _(rng):
    a = 3 * rng.standard_normal(6)
    slope = each(lambda a: math.exp(-a) / (1 + math.exp(-a)) ** 2, a)
    same(slope, each(lambda a: sigmoid(a) * (1 - sigmoid(a)), a))
    same(slope, functions.d_sigmoid(functions.sigmoid(a)))


@equation("sigmoid-tanh", r"\sigma(a) = \frac{1}{2} \tanh\left(\frac{a}{2}\right) + \frac{1}{2}")
def _(rng):
    a = 3 * rng.standard_normal(6)
    same(each(lambda a: math.tanh(a / 2) / 2 + 1 / 2, a), functions.sigmoid(a))


@equation("d-tanh", r"\frac{\partial y}{\partial a} = 1 - y^2")
def _(rng):
    a = 2 * rng.standard_normal(6)
    slope = each(lambda a: 1 / math.cosh(a) ** 2, a)
    same(slope, each(lambda a: 1 - math.tanh(a) ** 2, a))
    same(slope, functions.d_tanh(functions.tanh(a)))


@equation("d-relu", r"\frac{\partial y}{\partial a} = [y > 0]")
def _(rng):
    a = rng.standard_normal(6)
    same(each(lambda a: float(a > 0), a), functions.d_relu(functions.relu(a)))


def linear(rng):
    layer = Linear(3, 2, rng=rng, dtype="float64")
    x, dy = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    y, cache = layer.forward(x)
    dx = layer.backward(dy, cache)
    return layer, x.tolist(), y, dx, dy.tolist()


@equation("linear", r"y_{nk} = \sum_j x_{nj} W_{jk} + b_k")
def _(rng):
    layer, x, y, _, _ = linear(rng)
    same(affine(x, layer.W.data.tolist(), layer.b.data.tolist()), y)


@equation("linear-dx", r"dx_{nj} = \sum_k dy_{nk} W_{jk}")
def _(rng):
    layer, x, _, dx, dy = linear(rng)
    W = layer.W.data.tolist()
    same([[sum(dy[n][k] * W[j][k] for k in range(2)) for j in range(3)] for n in range(4)], dx)


@equation("linear-dW", r"dW_{jk} = \sum_n x_{nj} dy_{nk}")
def _(rng):
    layer, x, _, _, dy = linear(rng)
    ours = [[sum(x[n][j] * dy[n][k] for n in range(4)) for k in range(2)] for j in range(3)]
    same(ours, layer.W.grad)


@equation("linear-db", r"db_k = \sum_n dy_{nk}")
def _(rng):
    layer, _, _, _, dy = linear(rng)
    same([sum(dy[n][k] for n in range(4)) for k in range(2)], layer.b.grad)


@equation(
    "rnn-plain",
    r"h_t = \tanh(x_t W_x + h_{t-1} W_h + b)",
    r"da = dh_t \odot (1 - h_t^2)",
    r"dh_{t-1} = da W_h^\top",
    r"dW_h = h_{t-1}^\top da",
)
def _(rng):
    s = step(RNNCell, rng)
    same(each(math.tanh, pre_activation(s, "h")), s.forward.h)
    da = each(lambda dh, h: dh * (1 - h * h), s.dstate[0], s.forward.h)
    same(da, s.backward.da)
    same(through(s, "h", da), s.dstate_prev[0])
    cell, product = RNNCell(), Product("h", s.Wh, s.bh)
    _, cache = cell.forward(s.x @ s.Wx + s.bx[:, None], (s.h_prev,), product)
    undo = ProductBackward(product, len(s.x), "float64")
    cell.backward(s.dstate, cache, undo)
    same(times(transposed(s.h_prev.tolist()), da), undo.weight_gradient()[0])


@equation("product", r"a_{knj} = \sum_i v_{ni} W_{h,kij} + b_{h,kj}")
def _(rng):
    v, Wh, bh = (rng.standard_normal(shape) for shape in [(2, 3), (4, 3, 3), (4, 3)])
    ours = [affine(v.tolist(), Wh[k].tolist(), bh[k].tolist()) for k in range(4)]
    same(ours, Product("ifgo", Wh, bh)(v))


@equation("product-backward", r"dv_{ni} = \sum_k \sum_j da_{knj} W_{h,kij}")
def _(rng):
    v, Wh, da = (rng.standard_normal(shape) for shape in [(2, 3), (4, 3, 3), (4, 2, 3)])
    product = Product("ifgo", Wh, None)
    product(v)
    ours = [
        [sum(da[k, n, j] * Wh[k, i, j] for k in range(4) for j in range(3)) for i in range(3)]
        for n in range(2)
    ]
    same(ours, ProductBackward(product, 2, "float64").backward(tuple(da)))


@equation("rnn-forward", r"a = x W_x + b_x + h_{t-1} W_h + b_h", r"h_t = \tanh(a)")
def _(rng):
    s = step(RNNCell, rng)
    a = pre_activation(s, "h")
    same(a, s.forward.a)
    same(each(math.tanh, a), s.state[0])


@equation("rnn-da", r"da = dh_t \odot (1 - h_t^2)")
def _(rng):
    s = step(RNNCell, rng)
    same(each(lambda dh, h: dh * (1 - h * h), s.dstate[0], s.state[0]), s.backward.da)
    same(s.backward.da, s.dgx[0])


@equation("rnn-dh-prev", r"dh_{t-1} = da W_h^\top")
def _(rng):
    s = step(RNNCell, rng)
    same(through(s, "h", s.backward.da), s.dstate_prev[0])


# 5 Through time


@equation("time-forward", r"h_t = f(x_t, h_{t-1})")
def _(rng):
    s = over_time(rng, RNNCell)
    p = {name: p.data[0].tolist() for name, p in s.net.named_parameters().items()}
    for t in range(1, s.T):
        from_x = affine(s.x[t].tolist(), p["Wx"], p["bx"])
        a = add(from_x, affine(s.output[t - 1].tolist(), p["Wh"], p["bh"]))
        same(each(math.tanh, a), s.output[t])


@equation("time-dh", r"dh_t = u_t + dh_{t+1} \frac{\partial h_{t+1}}{\partial h_t}")
def _(rng):
    s = over_time(rng)
    for t in range(s.T - 1):  # what the step after sent back is its dh_prev
        same(add(s.doutput[t], s.steps[t + 1].dh_prev), s.steps[t].dh)


@equation("time-dh-last", r"dh_T = u_T + dh_{\mathrm{final}}")
def _(rng):
    s = over_time(rng)
    same(add(s.doutput[-1], s.dfinal), s.steps[-1].dh)


@equation("time-dh0", r"dh_0 = dh_1 \frac{\partial h_1}{\partial h_0}")
def _(rng):
    s = over_time(rng, RNNCell)
    Wh = s.net.Wh.data[0].tolist()
    da = each(lambda dh, h: dh * (1 - h * h), s.steps[0].dh, s.output[0])
    same(times(da, transposed(Wh)), s.dstate[0])


@equation("time-truncated", r"dh_k = u_k")
def _(rng):
    s = over_time(rng, truncate=2)
    same(s.doutput[1].tolist(), s.steps[1].dh)  # step 2 of 4; the last has `dfinal` as well
    same(add(s.doutput[0], s.steps[1].dh_prev), s.steps[0].dh)


@equation("one-hot-dWx", r"dW_{x,ij} = \sum_t \sum_n [x_{tn} = i] dgx_{tnj}")
def _(rng):
    s = over_time(rng, RNNCell, ids=True)
    x, dgx = s.x.tolist(), [one.da.tolist() for one in s.steps]
    places = [(t, n) for t in range(s.T) for n in range(2)]
    ours = [
        [sum((x[t][n] == i) * dgx[t][n][j] for t, n in places) for j in range(5)] for i in range(3)
    ]
    same(ours, s.net.Wx.grad[0])


@equation("both-dx", r"dx = dx_{\mathrm{forward}} + dx_{\mathrm{backward}}")
def _(rng):
    net = RNN(3, 4, bidirectional=True, rng=rng, dtype="float64")
    x, doutput = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 2, 8))
    parts = []
    for layer, way, side in [(0, 1, slice(0, 4)), (1, -1, slice(4, 8))]:
        _, _, cache = net.layers[layer].forward(x[::way])
        dx, _ = net.layers[layer].backward(doutput[::way, :, side], cache)
        parts.append(dx[::way])
    same(add(*parts), net.backward(doutput, net.forward(x)[2])[0])


def gate_gradients(one):
    """(da of the products, dgx) of one GRU step: they differ in gate n."""
    return (one.dar, one.daz, one.dproduct_n), (one.dar, one.daz, one.dan)


@equation("time-dWh", r"dW_h = \sum_t v_t^\top da_t")
def _(rng):
    s = over_time(rng)
    for k in range(3):
        parts = [
            times(transposed(one.h_prev.tolist()), gate_gradients(one)[0][k].tolist())
            for one in s.steps
        ]
        same(add(*parts), s.net.Wh.grad[k])


@equation("time-dWx", r"dW_x = \sum_t x_t^\top dgx_t")
def _(rng):
    s = over_time(rng)
    for k in range(3):
        parts = [
            times(transposed(x.tolist()), gate_gradients(one)[1][k].tolist())
            for x, one in zip(s.x, s.steps, strict=True)
        ]
        same(add(*parts), s.net.Wx.grad[k])


@equation("time-db", r"db_x = \sum_t \sum_n dgx_{tn}", r"db_h = \sum_t \sum_n da_{tn}")
def _(rng):
    s = over_time(rng)
    for part, parameter in [(0, s.net.bh), (1, s.net.bx)]:
        for k in range(3):
            rows = [row for one in s.steps for row in gate_gradients(one)[part][k].tolist()]
            same([sum(column) for column in zip(*rows, strict=True)], parameter.grad[k])


@equation("time-dx", r"dx_t = \sum_k dgx_{tk} W_{x,k}^\top")
def _(rng):
    s = over_time(rng)
    Wx = s.net.Wx.data.tolist()
    for t, one in enumerate(s.steps):
        dgx = gate_gradients(one)[1]
        same(add(*(times(dgx[k].tolist(), transposed(Wx[k])) for k in range(3))), s.dx[t])


@equation("time-gx", r"gx_{kt} = x_t W_{x,k} + b_{x,k}")
def _(rng):
    s = over_time(rng)
    gx = s.net._project(s.x.reshape(-1, 3), s.net.bx.data).reshape(3, s.T, 2, 5)
    for k in range(3):
        W, b = s.net.Wx.data[k].tolist(), s.net.bx.data[k].tolist()
        for t in range(s.T):
            same(affine(s.x[t].tolist(), W, b), gx[k, t])


@equation("packed-rows", r"S = \sum_t n_t")
def _(rng):
    lengths = [3, 1, 4, 2]
    rows, sizes, _ = packing.pack([np.zeros(length) for length in lengths])
    alive = [sum(length > t for length in lengths) for t in range(4)]
    assert sizes == alive and len(rows) == sum(alive)


@equation(
    "time-jacobian",
    r"\frac{\partial h_{t,j}}{\partial h_{t-1,i}} = W_{h,ij} (1 - h_{t,j}^2)",
)
def _(rng):
    s = step(RNNCell, rng, n=1)
    h, W = s.state[0][0].tolist(), s.Wh[0].tolist()
    for j in range(3):
        product = Product("h", s.Wh, s.bh)
        cell, gx = RNNCell(), s.x @ s.Wx + s.bx[:, None]
        _, cache = cell.forward(gx, (s.h_prev,), product)
        undo = ProductBackward(product, 1, "float64")
        _, (row,) = cell.backward((np.eye(3)[[j]],), cache, undo)
        same([[W[i][j] * (1 - h[j] ** 2) for i in range(3)]], row)


# 6 LSTM


@equation("lstm-a", r"a_k = x W_{x,k} + b_{x,k} + h_{t-1} W_{h,k} + b_{h,k}")
def _(rng):
    s = step(LSTMCell, rng)
    for gate in "ifgo":
        same(pre_activation(s, gate), getattr(s.forward, f"a{gate}"))


@equation(
    "lstm-gates",
    r"i = \sigma(a_i)",
    r"f = \sigma(a_f)",
    r"o = \sigma(a_o)",
    r"g = \tanh(a_g)",
)
def _(rng):
    f = step(LSTMCell, rng).forward
    same(each(sigmoid, f.ai), f.i)
    same(each(sigmoid, f.af), f.f)
    same(each(sigmoid, f.ao), f.o)
    same(each(math.tanh, f.ag), f.g)


@equation("lstm-c", r"c_t = f \odot c_{t-1} + i \odot g")
def _(rng):
    f = step(LSTMCell, rng).forward
    same(each(lambda f, c, i, g: f * c + i * g, f.f, f.c_prev, f.i, f.g), f.c)


@equation("lstm-h", r"h_t = o \odot \tanh(c_t)")
def _(rng):
    s = step(LSTMCell, rng)
    same(each(lambda o, c: o * math.tanh(c), s.forward.o, s.forward.c), s.state[0])


@equation("lstm-do", r"do = dh_t \odot \tanh(c_t)")
def _(rng):
    s = step(LSTMCell, rng)
    same(each(lambda dh, c: dh * math.tanh(c), s.dstate[0], s.state[1]), s.backward.do)


@equation("lstm-dc", r"dc_t \leftarrow dc_t + dh_t \odot o \odot \left(1 - \tanh^2(c_t)\right)")
def _(rng):
    s = step(LSTMCell, rng)
    ours = each(
        lambda dc, dh, o, c: dc + dh * o * (1 - math.tanh(c) ** 2),
        s.dstate[1], s.dstate[0], s.forward.o, s.state[1],
    )  # fmt: skip
    same(ours, s.backward.dc)


@equation(
    "lstm-dcell",
    r"df = dc_t \odot c_{t-1}",
    r"dc_{t-1} = dc_t \odot f",
    r"di = dc_t \odot g",
    r"dg = dc_t \odot i",
)
def _(rng):
    b = step(LSTMCell, rng).backward
    for name, factor in [("df", b.c_prev), ("dc_prev", b.f), ("di", b.g), ("dg", b.i)]:
        same(each(lambda dc, v: dc * v, b.dc, factor), getattr(b, name))


@equation(
    "lstm-da",
    r"da_i = di \odot i \odot (1 - i)",
    r"da_f = df \odot f \odot (1 - f)",
    r"da_o = do \odot o \odot (1 - o)",
    r"da_g = dg \odot (1 - g^2)",
)
def _(rng):
    b = step(LSTMCell, rng).backward
    for d, y, da in [(b.di, b.i, b.dai), (b.df, b.f, b.daf), (b.do, b.o, b.dao)]:
        same(each(lambda d, y: d * y * (1 - y), d, y), da)
    same(each(lambda dg, g: dg * (1 - g * g), b.dg, b.g), b.dag)


@equation("lstm-dh-prev", r"dh_{t-1} = \sum_k da_k W_{h,k}^\top")
def _(rng):
    s = step(LSTMCell, rng)
    parts = [through(s, gate, s.dgx[k]) for k, gate in enumerate("ifgo")]
    same(add(*parts), s.dstate_prev[0])
    same(s.backward.dc_prev, s.dstate_prev[1])


def diag(row):
    return [[x * (i == j) for j in range(len(row))] for i, x in enumerate(row)]


@equation(
    "lstm-carry",
    r"\text{direct path: } \frac{\partial c_t}{\partial c_{t-1}} = \mathrm{diag}(f)",
)
def _(rng):
    b = step(LSTMCell, rng).backward
    for dc, f, dc_prev in zip(b.dc.tolist(), b.f.tolist(), b.dc_prev, strict=True):
        same(times([dc], diag(f))[0], dc_prev)


@equation("peephole", r"f = \sigma(a_f + w_f \odot c_{t-1})")
def _(rng):
    cell, H = other_cells.PeepholeLSTMCell(3), 3
    gx, (h, c) = rng.standard_normal((4, 2, H)), rng.standard_normal((2, 2, H))
    product = Product("ifgo", rng.standard_normal((4, H, H)), rng.standard_normal((4, H)))
    call = lambda: cell.forward(gx, (h, c), product)  # noqa: E731
    (s,) = watched(other_cells.PeepholeLSTMCell.forward, call)
    w = cell.p.data[1].tolist()
    ours = [[sigmoid(a + w[j] * c[n, j]) for j, a in enumerate(row)] for n, row in enumerate(s.af)]
    same(ours, s.f)


# 7 GRU


@equation(
    "gru-gates",
    r"r = \sigma(x W_{x,r} + b_{x,r} + h_{t-1} W_{h,r} + b_{h,r})",
    r"z = \sigma(x W_{x,z} + b_{x,z} + h_{t-1} W_{h,z} + b_{h,z})",
)
def _(rng):
    for Cell in (GRUCell, GRUBeforeCell):
        s = step(Cell, rng)
        same(each(sigmoid, pre_activation(s, "r")), s.forward.r)
        same(each(sigmoid, pre_activation(s, "z")), s.forward.z)


@equation("gru-n", r"y = h_{t-1} W_{h,n} + b_{h,n}", r"n = \tanh(x W_{x,n} + b_{x,n} + r \odot y)")
def _(rng):
    s = step(GRUCell, rng)
    v = affine(s.h_prev.tolist(), s.Wh[2].tolist(), s.bh[2].tolist())
    same(v, s.forward.product_n)
    from_x = affine(s.x.tolist(), s.Wx[2].tolist(), s.bx[2].tolist())
    same(each(lambda a, r, v: math.tanh(a + r * v), from_x, s.forward.r, v), s.forward.n)


@equation("gru-h", r"h_t = (1 - z) \odot n + z \odot h_{t-1}")
def _(rng):
    for Cell in (GRUCell, GRUBeforeCell):
        s = step(Cell, rng)
        f = s.forward
        same(each(lambda z, n, h: (1 - z) * n + z * h, f.z, f.n, s.h_prev), s.state[0])


@equation(
    "gru-dh",
    r"dz = dh_t \odot (h_{t-1} - n)",
    r"dn = dh_t \odot (1 - z)",
    r"dh_{t-1} = dh_t \odot z",
)
def _(rng):
    for Cell in (GRUCell, GRUBeforeCell):
        s = step(Cell, rng)
        b = s.backward
        same(each(lambda dh, h, n: dh * (h - n), s.dstate[0], s.h_prev, b.n), b.dz)
        same(each(lambda dh, z: dh * (1 - z), s.dstate[0], b.z), b.dn)


@equation("gru-dan", r"da_n = dn \odot (1 - n^2)")
def _(rng):
    for Cell in (GRUCell, GRUBeforeCell):
        b = step(Cell, rng).backward
        same(each(lambda dn, n: dn * (1 - n * n), b.dn, b.n), b.dan)


@equation("gru-dr", r"dr = da_n \odot y", r"dy = da_n \odot r")
def _(rng):
    b = step(GRUCell, rng).backward
    same(each(lambda da, v: da * v, b.dan, b.product_n), b.dr)
    same(each(lambda da, r: da * r, b.dan, b.r), b.dproduct_n)


@equation("gru-da", r"da_r = dr \odot r \odot (1 - r)", r"da_z = dz \odot z \odot (1 - z)")
def _(rng):
    for Cell in (GRUCell, GRUBeforeCell):
        b = step(Cell, rng).backward
        same(each(lambda d, y: d * y * (1 - y), b.dr, b.r), b.dar)
        same(each(lambda d, y: d * y * (1 - y), b.dz, b.z), b.daz)


@equation(
    "gru-dh-prev",
    r"dh_{t-1} = dh_t \odot z + da_r W_{h,r}^\top + da_z W_{h,z}^\top + dy W_{h,n}^\top",
)
def _(rng):
    s = step(GRUCell, rng)
    b, kept = s.backward, each(lambda dh, z: dh * z, s.dstate[0], s.forward.z)
    parts = [through(s, "r", b.dar), through(s, "z", b.daz), through(s, "n", b.dproduct_n)]
    same(add(kept, *parts), s.dstate_prev[0])


@equation("before-n", r"n = \tanh(x W_{x,n} + b_{x,n} + (r \odot h_{t-1}) W_{h,n} + b_{h,n})")
def _(rng):
    s = step(GRUBeforeCell, rng)
    scaled = each(lambda r, h: r * h, s.forward.r, s.h_prev)
    same(each(math.tanh, pre_activation(s, "n", scaled)), s.forward.n)


@equation("before-dv", r"dv = da_n W_{h,n}^\top")
def _(rng):
    s = step(GRUBeforeCell, rng)
    same(through(s, "n", s.backward.dan), s.backward.dreset)


@equation("before-dr", r"dr = dv \odot h_{t-1}")
def _(rng):
    s = step(GRUBeforeCell, rng)
    same(each(lambda dv, h: dv * h, s.backward.dreset, s.h_prev), s.backward.dr)


@equation(
    "before-dh-prev",
    r"dh_{t-1} = dh_t \odot z + dv \odot r + da_r W_{h,r}^\top + da_z W_{h,z}^\top",
)
def _(rng):
    s = step(GRUBeforeCell, rng)
    b = s.backward
    shares = each(lambda dh, z, dv, r: dh * z + dv * r, s.dstate[0], b.z, b.dreset, b.r)
    same(add(shares, through(s, "r", b.dar), through(s, "z", b.daz)), s.dstate_prev[0])


@equation(
    "gru-carry",
    r"\text{direct path: } \frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}(z)",
)
def _(rng):
    s = step(GRUCell, rng)
    b = s.backward
    parts = [through(s, "r", b.dar), through(s, "z", b.daz), through(s, "n", b.dproduct_n)]
    direct = each(lambda all_, *others: all_ - sum(others), s.dstate_prev[0], *parts)
    for dh, z, row in zip(s.dstate[0].tolist(), b.z.tolist(), direct, strict=True):
        same(times([dh], diag(z))[0], row)


# 8 Gradient checking


@equation("upstream", r"L = \sum_j u_j y_j")
def _(rng):
    y, u = rng.standard_normal((2, 5))
    ours = sum(a * b for a, b in zip(u.tolist(), y.tolist(), strict=True))
    same(ours, oracles.scalar({"y": y}, {"y": u}))


@equation(
    "central-difference",
    r"\frac{\partial L}{\partial w} \approx \frac{L(w + s) - L(w - s)}{2s}",
)
def _(rng):
    a, u = rng.standard_normal((2, 4))
    problem, s = function_problem(functions.tanh, functions.d_tanh, a), 1e-4
    ours = each(lambda a, u: u * (math.tanh(a + s) - math.tanh(a - s)) / (2 * s), a, u)
    same(ours, oracles.central_difference(problem, {"y": u}, "a", s), 1e-10)


@equation("v-bottom", r"s = \left(\frac{\varepsilon}{2}\right)^{1/3}")
def _(rng):
    for precision in (np.finfo("float32").eps / 2, np.finfo("float64").eps / 2):
        s = (precision / 2) ** (1 / 3)
        error = lambda s: s * s + precision / s  # noqa: B023, E731
        assert error(s) < min(error(0.99 * s), error(1.01 * s))
    assert s / 10 < oracles.STEP < 10 * s
    a, u = 0.5 + rng.random(4), 0.5 + rng.random(4)  # measured: at s, and far to both sides of it
    problem = function_problem(functions.tanh, functions.d_tanh, a)
    exact = u * functions.d_tanh(functions.tanh(a))
    left, bottom, right = oracles.step_sizes(problem, {"y": u}, "a", exact, [s / 1e3, s, s * 1e3])
    assert bottom < min(left, right) / 10


@equation(
    "complex-step",
    r"\frac{\partial L}{\partial w} \approx \frac{\mathrm{Im} L(w + \mathrm{i} s)}{s}",
)
def _(rng):
    a, u = rng.standard_normal((2, 4))
    problem, s = function_problem(functions.tanh, functions.d_tanh, a), 1e-30
    ours = each(lambda a, u: (u * cmath.tanh(complex(a, s))).imag / s, a, u)
    same(ours, oracles.complex_step(problem, {"y": u}, "a", s))
    same(ours, u * functions.d_tanh(functions.tanh(a)))


@equation("rtrl", r"J_t = A_t J_{t-1} + B_t")
def _(rng):
    net = Recurrent(RNNCell, 2, 3, rng=rng, dtype="float64")
    x, u = rng.standard_normal((3, 1, 2)), rng.standard_normal((3, 1, 3))
    _, _, cache = net.forward(x)
    net.backward(u, cache)
    parameters = {name: p.data for name, p in net.named_parameters().items()}
    gradient = [g for p in net.parameters() for g in p.grad.ravel().tolist()]
    h, J, total = np.zeros((1, 3)), None, [0.0] * len(gradient)
    for t in range(3):
        A, B, h = rtrl._step_jacobians(net, parameters, x[t], h)
        A, B = A[0].tolist(), B[0].tolist()
        J = B if J is None else add(times(A, J), B)
        total = [g + sum(u[t, 0, i] * J[i][w] for i in range(3)) for w, g in enumerate(total)]
    same(total, gradient)


@equation("relative-error", r"\frac{\lVert x - y \rVert}{\max(\lVert x \rVert, \lVert y \rVert)}")
def _(rng):
    x, y = rng.standard_normal((2, 5))
    root = [math.sqrt(sum(v * v for v in a.tolist())) for a in (x - y, x, y)]
    same(root[0] / max(root[1], root[2]), oracles.relative_error(x, y))


# 9 Optimisers


def optimised(rng, make, steps=3):
    """(w at the start, the gradient of each step, w at the end)."""
    p = Parameter(rng.standard_normal(4))
    start, gradients, optimizer = p.data.tolist(), [], make([p])
    for _ in range(steps):
        gradients.append(rng.standard_normal(4).tolist())
        p.grad[...] = gradients[-1]
        optimizer.step()
    return start, gradients, p.data


@equation("sgd", r"w \leftarrow w - \mathrm{lr} \cdot dw")
def _(rng):
    w, gradients, end = optimised(rng, lambda ps: optim.SGD(ps, lr=0.1))
    for dw in gradients:
        w = each(lambda w, dw: w - 0.1 * dw, w, dw)
    same(w, end)


@equation(
    "momentum",
    r"v \leftarrow \mathrm{momentum} \cdot v + dw",
    r"w \leftarrow w - \mathrm{lr} \cdot v",
)
def _(rng):
    w, gradients, end = optimised(rng, lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9))
    v = [0.0] * 4
    for dw in gradients:
        v = each(lambda v, dw: 0.9 * v + dw, v, dw)
        w = each(lambda w, v: w - 0.1 * v, w, v)
    same(w, end)


@equation("nesterov", r"w \leftarrow w - \mathrm{lr} \cdot (dw + \mathrm{momentum} \cdot v)")
def _(rng):
    make = lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True)  # noqa: E731
    w, gradients, end = optimised(rng, make)
    v = [0.0] * 4
    for dw in gradients:
        v = each(lambda v, dw: 0.9 * v + dw, v, dw)
        w = each(lambda w, v, dw: w - 0.1 * (dw + 0.9 * v), w, v, dw)
    same(w, end)


@equation("weight-decay", r"dw \leftarrow dw + \mathrm{decay} \cdot w")
def _(rng):
    w, gradients, end = optimised(rng, lambda ps: optim.SGD(ps, lr=0.1, weight_decay=0.2))
    for dw in gradients:
        dw = each(lambda dw, w: dw + 0.2 * w, dw, w)
        w = each(lambda w, dw: w - 0.1 * dw, w, dw)
    same(w, end)


@equation(
    "adam-means",
    r"m \leftarrow \beta_1 m + (1 - \beta_1) dw",
    r"v \leftarrow \beta_2 v + (1 - \beta_2) dw^2",
)
def _(rng):
    p = Parameter(rng.standard_normal(4))
    optimizer, m, v = optim.Adam([p], lr=0.1), [0.0] * 4, [0.0] * 4
    for _ in range(3):
        p.grad[...] = rng.standard_normal(4)
        m = each(lambda m, dw: 0.9 * m + (1 - 0.9) * dw, m, p.grad)
        v = each(lambda v, dw: 0.999 * v + (1 - 0.999) * dw**2, v, p.grad)
        optimizer.step()
    same(m, optimizer.state["m"])
    same(v, optimizer.state["v"])


@equation(
    "adam-step",
    r"w \leftarrow w - \mathrm{lr} \frac{m / (1 - \beta_1^s)}"
    r"{\sqrt{v / (1 - \beta_2^s)} + \varepsilon}",
)
def _(rng):
    w, gradients, end = optimised(rng, lambda ps: optim.Adam(ps, lr=0.1, eps=1e-3))
    m, v = [0.0] * 4, [0.0] * 4
    for s, dw in enumerate(gradients, 1):
        m = each(lambda m, dw: 0.9 * m + (1 - 0.9) * dw, m, dw)
        v = each(lambda v, dw: 0.999 * v + (1 - 0.999) * dw**2, v, dw)
        k1, k2 = 1 - 0.9**s, 1 - 0.999**s
        w = [w[j] - 0.1 * (m[j] / k1) / (math.sqrt(v[j] / k2) + 1e-3) for j in range(4)]
    same(w, end)


@equation("adamw", r"w \leftarrow w - \mathrm{lr} \cdot \mathrm{decay} \cdot w")
def _(rng):
    p = Parameter(rng.standard_normal(4))
    ours = each(lambda w: w - 0.1 * 0.3 * w, p.data)
    optim.AdamW([p], lr=0.1, weight_decay=0.3).step()  # the gradient is zero: decay alone
    same(ours, p.data)


@equation(
    "clip",
    r"dw \leftarrow dw \cdot \min\left(1, \frac{\mathrm{limit}}{\lVert dw \rVert + 10^{-6}}\right)",
)
def _(rng):
    for limit in (0.5, 50.0):
        ps = [Parameter(np.zeros(3)), Parameter(np.zeros(2))]
        for p in ps:
            p.grad[...] = rng.standard_normal(p.shape)
        norm = math.sqrt(sum(g * g for p in ps for g in p.grad.tolist()))
        ours = [each(lambda g: g * min(1, limit / (norm + 1e-6)), p.grad) for p in ps]  # noqa: B023
        optim.clip_grad_norm(ps, limit)
        for mine, p in zip(ours, ps, strict=True):
            same(mine, p.grad)


@equation("shared-gradient", r"dw = \sum_k \frac{N_k}{N} dw_k")
def _(rng):
    def gradient(rows):
        """dW of a Linear [2, 3] under the mean cross-entropy of these rows."""
        linear.zero_grad()
        logits, cache = linear.forward(x[rows])
        linear.backward(loss.backward(loss.forward(logits, labels[rows])[1]), cache)
        return linear.W.grad.tolist()

    linear, loss = Linear(2, 3, rng=rng, dtype="float64"), CrossEntropy()
    x, labels = rng.standard_normal((7, 2)), rng.integers(0, 3, 7)
    parts = [[0, 2, 4, 6], [1, 3], [5]]
    total = each(lambda a, b, c: 4 / 7 * a + 2 / 7 * b + 1 / 7 * c, *map(gradient, parts))
    same(total, np.array(gradient(list(range(7)))))


@equation(
    "exchange",
    r"\mathrm{exchange} = 2 \log_2(\mathrm{ranks}) \cdot \mathrm{latency} + 2 \frac{\mathrm{ranks}"
    r" - 1}{\mathrm{ranks}} \cdot \frac{\mathrm{bytes}}{\mathrm{bandwidth}}",
)
def _(rng):
    latency, bandwidth = rng.uniform(0.1, 1, 2).tolist()
    for doublings in range(11):  # a round to halve what each holds, and one back, for each
        seconds, size = 0.0, 3.0
        for _ in range(doublings):
            size /= 2
            seconds += 2 * (latency + size / bandwidth)
        same(seconds, cost.exchange(2**doublings, 3.0, latency, bandwidth))


@equation(
    "shared-step",
    r"\mathrm{step} = \mathrm{fixed} + \mathrm{each} \cdot \frac{N}{\mathrm{ranks}} +"
    r" \mathrm{exchange}",
)
def _(rng):
    fixed, one, latency, bandwidth = rng.uniform(0.1, 1, 4).tolist()
    for ranks in (1, 2, 8):
        seconds = fixed + one * 24 / ranks + cost.exchange(ranks, 5.0, latency, bandwidth)
        same(seconds, cost.step(ranks, 24, fixed, one, 5.0, latency, bandwidth))


@equation("batch-noise", r"\mathrm{noise}_N = \frac{\mathrm{noise}_1}{\sqrt{N}}")
def _(rng):
    def noise(batches):
        """The deviation of the mean loss of a batch, over all batches."""
        losses = [float(loss.forward(logits[list(b)], labels[list(b)])[0]) for b in batches]
        mean = sum(losses) / len(losses)
        return math.sqrt(sum((value - mean) ** 2 for value in losses) / len(losses))

    loss, logits, labels = CrossEntropy(), rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    for N in (2, 3):
        every = list(itertools.product(range(5), repeat=N))
        same(noise([(k,) for k in range(5)]) / math.sqrt(N), noise(every))


@equation("cosine", r"\mathrm{lr}_s = \mathrm{lr}_0 \frac{1 + \cos(\pi s / \mathrm{total})}{2}")
def _(rng):
    schedule = optim.cosine(0.3, 20)
    for s in range(21):
        same(0.3 * (1 + math.cos(math.pi * s / 20)) / 2, schedule(s))


@equation(
    "step-decay",
    r"\mathrm{lr}_s = \mathrm{lr}_0 \cdot \mathrm{factor}^{\lfloor s / \mathrm{every} \rfloor}",
)
def _(rng):
    schedule = optim.step_decay(0.3, every=4, factor=0.5)
    for s in range(13):
        same(0.3 * 0.5 ** math.floor(s / 4), schedule(s))


# 10 Data, 11 Training


@equation("trigram", r"a_k = \sum_j \log \frac{n_{kj} + 1/2}{\sum_i (n_{ki} + 1/2)}")
def _(rng):
    names, labels = ["Anna", "Hannah", "Otto"], [0, 0, 1]
    bayes = TrigramBayes(names, labels, 2)
    known = sorted({piece for name in names for piece in trigrams(name)})
    for name in names:
        scores = []
        for k in range(2):
            n = dict.fromkeys(known, 0)
            for other, label in zip(names, labels, strict=True):
                for piece in trigrams(other) if label == k else ():
                    n[piece] += 1
            total = sum(count + 1 / 2 for count in n.values())
            scores.append(sum(math.log((n[j] + 1 / 2) / total) for j in trigrams(name)))
        columns = [bayes.column[piece] for piece in trigrams(name)]
        same(scores, bayes.log_p[:, columns].sum(axis=1))
        assert bayes.predict([name])[0] == scores.index(max(scores))


@equation("balanced-draw", r"p = \frac{1}{K n_k}")
def _(rng):
    labels = np.array([0, 1, 1, 2, 2, 2])  # K = 3, and n = 1, 2, 3
    sequences = Sequences([np.array([0])] * 6, labels)
    draws = np.concatenate(balanced(sequences, np.tile(np.arange(6), 10_000), 1000, rng)).tolist()
    for k, n in enumerate([1, 2, 3]):
        p = 1 / (3 * n)
        for j in np.flatnonzero(labels == k).tolist():  # within 5 standard errors
            off = abs(draws.count(j) / len(draws) - p)
            assert off < 5 * math.sqrt(p * (1 - p) / len(draws))


@equation("classifier", r"a = h_T W + b")
def _(rng):
    net = NameClassifier(5, 3, rng=rng, cell="gru", hidden_size=4, dtype="float64")
    batch = Sequences([np.array([0, 3, 2, 4]), np.array([1, 2])], [2, 0], 3, 5).batch(np.arange(2))
    logits, _ = net.forward(batch)
    _, (h,), _ = net.recurrent.forward(batch.x, batch.sizes)
    same(affine(h[0].tolist(), net.linear.W.data.tolist(), net.linear.b.data.tolist()), logits)


@equation("every-step", r"y_t = h_t W + b")
def _(rng):
    net = StepModel(5, 3, rng=rng, cell="gru", hidden_size=4, dtype="float64")
    batch = Sequences([[0, 3, 2, 4]], targets=[[0, 2, 1, 0]]).batch([0])
    y, cache = net.forward(batch)
    h = net.states(cache)[0]["h"].tolist()
    same(affine(h, net.linear.W.data.tolist(), net.linear.b.data.tolist()), y)


def confusion(rng):
    evaluation = Evaluation.of(rng.integers(3, size=40), rng.integers(3, size=40), 3)
    return evaluation, evaluation.confusion.tolist()


@equation("accuracy", r"\frac{\sum_k n_{kk}}{\sum_i \sum_k n_{ik}}")
def _(rng):
    evaluation, n = confusion(rng)
    same(sum(n[k][k] for k in range(3)) / sum(map(sum, n)), evaluation.accuracy)


@equation("balanced-accuracy", r"\frac{1}{K} \sum_k \frac{n_{kk}}{\sum_j n_{kj}}")
def _(rng):
    evaluation, n = confusion(rng)
    same(sum(n[k][k] / sum(n[k]) for k in range(3)) / 3, evaluation.balanced_accuracy)


@equation(
    "with-prior",
    r"p_k = \frac{e^{a_k} \mathrm{share}_k}{\sum_j e^{a_j} \mathrm{share}_j}",
)
def _(rng):
    scores, counts = rng.standard_normal((20, 3)), [7, 2, 1]
    natural, balanced = measures.two_guesses(scores, measures.log_shares(counts))
    odds = [[math.exp(a) * n / 10 for a, n in zip(row, counts, strict=True)] for row in scores]
    p = [[v / sum(row) for v in row] for row in odds]
    same(p, functions.softmax(scores + measures.log_shares(counts)))
    assert natural.tolist() == [row.index(max(row)) for row in p]
    assert balanced.tolist() == [row.index(max(row)) for row in scores.tolist()]
    assert natural.tolist() != balanced.tolist()


def dropped(rng):
    layer, x = Dropout(0.4, rng=rng), rng.standard_normal((4, 5))
    y, mask = layer.forward(x, training=True)
    m = each(lambda kept: float(kept > 0), mask)
    assert 0 < sum(map(sum, m)) < 20
    return layer, x, y, mask, m


def embedded(rng):
    """A net, its E and the Wx of each gate as lists, and its layers as they read letters, after a
    backward pass."""
    net = NameClassifier(5, 3, rng=rng, hidden_size=4, embedding=2, dtype="float64")
    E, Wx = net.embedding.W.data.tolist(), net.recurrent.layers[0].Wx.data.tolist()
    read = on_letters(net.recurrent, net.embedding.W.data)
    output, _, cache = read.forward(np.array([[0, 3], [2, 2], [4, 1]]))
    read.backward(rng.standard_normal(output.shape), cache)
    return net, E, Wx, read


@equation("embedding", r"x_t = E_{i_t}")
def _(rng):
    net, E, _, _ = embedded(rng)
    letters = [0, 3, 2, 2]
    same([E[i] for i in letters], net.embedding.forward(np.array(letters))[0])


@equation("embedding-product", r"x_t W_{x,k} = (E W_{x,k})_{i_t}")
def _(rng):
    _, E, Wx, read = embedded(rng)
    for k in range(4):
        for i in range(5):
            same(times([E[i]], Wx[k])[0], read.layers[0].Wx.data[k][i])


@equation(
    "embedding-backward",
    r"dW_{x,k} = E^\top d(E W_{x,k})",
    r"dE = \sum_k d(E W_{x,k}) W_{x,k}^\top",
)
def _(rng):
    net, E, Wx, read = embedded(rng)
    dproduct = read.layers[0].Wx.grad.tolist()
    add_gradients(read, net.recurrent, net.embedding.W)
    same([times(transposed(E), one) for one in dproduct], net.recurrent.layers[0].Wx.grad)
    parts = [times(one, transposed(W)) for one, W in zip(dproduct, Wx, strict=True)]
    same(add(*parts), net.embedding.W.grad)


@equation("dropout", r"y = \frac{x \odot m}{1 - p}")
def _(rng):
    _, x, y, _, m = dropped(rng)
    same(each(lambda x, m: x * m / (1 - 0.4), x, m), y)


@equation("dropout-backward", r"dx = \frac{dy \odot m}{1 - p}")
def _(rng):
    layer, x, _, mask, m = dropped(rng)
    dy = rng.standard_normal(x.shape)
    same(each(lambda dy, m: dy * m / (1 - 0.4), dy, m), layer.backward(dy, mask))


# 12 Reading the plots


@equation("nats", r"p = e^{-L}")
def _(rng):
    logits = rng.standard_normal((1, 4))
    loss = float(CrossEntropy().forward(logits, np.array([2]))[0])
    same(math.exp(-loss), functions.softmax(logits)[0, 2])


@equation("standard-error", r"\sqrt{\frac{p (1 - p)}{N}}")
def _(rng):
    N, p = 7, float(rng.random())  # all outcomes of N names, weighed by how likely they are
    chance = [math.comb(N, k) * p**k * (1 - p) ** (N - k) for k in range(N + 1)]
    shares = []
    for k in range(N + 1):
        guesses = np.array([1] * k + [0] * (N - k))
        shares.append(Evaluation.of(np.ones(N, int), guesses, 2).accuracy)
    mean = sum(c * share for c, share in zip(chance, shares, strict=True))
    spread = sum(c * (share - mean) ** 2 for c, share in zip(chance, shares, strict=True))
    same(math.sqrt(p * (1 - p) / N), np.array(math.sqrt(spread)))


@equation("balanced-standard-error", r"\frac{1}{K} \sqrt{\sum_k \frac{p_k (1 - p_k)}{n_k}}")
def _(rng):
    evaluation, n = confusion(rng)
    terms = []
    for k in range(3):
        p = n[k][k] / sum(n[k])
        terms.append(p * (1 - p) / sum(n[k]))
    same(math.sqrt(sum(terms)) / 3, evaluation.balanced_standard_error)


def pair(rng):
    """A comparison of two lists of guesses, with b and c counted one by one."""
    labels, one, two = (rng.integers(3, size=60).tolist() for _ in range(3))
    rows = list(zip(labels, one, two, strict=True))
    b, c = (sum(right == q != wrong for q, right, wrong in r) for r in
            (rows, [(q, y, x) for q, x, y in rows]))  # fmt: skip
    return measures.Comparison.of(labels, one, two, 3), b, c


@equation(
    "paired-error",
    r"\sqrt{\frac{1}{N} \left( \frac{b + c}{N} - \left( \frac{b - c}{N} \right)^2 \right)}",
)
def _(rng):
    comparison, b, c = pair(rng)
    same(math.sqrt(((b + c) / 60 - ((b - c) / 60) ** 2) / 60), comparison.standard_error)


@equation(
    "mcnemar",
    r"p = \min \left( 1,\; 2 \sum_{i=0}^{\min(b, c)} "
    r"\frac{(b + c)!}{i! \, (b + c - i)! \, 2^{b + c}} \right)",
)
def _(rng):
    comparison, b, c = pair(rng)
    tail, of = 0.0, math.factorial
    for i in range(min(b, c) + 1):
        tail += of(b + c) / (of(i) * of(b + c - i) * 2 ** (b + c))
    same(min(1, 2 * tail), comparison.p_value)


@equation("confusion-share", r"p_{ik} = \frac{n_{ik}}{\sum_j n_{ij}}")
def _(rng):
    evaluation, n = confusion(rng)
    draw = lambda: plotting.plot_confusion(evaluation.confusion, ["a", "b", "c"])  # noqa: E731
    (s,) = watched(plotting.plot_confusion, draw)
    same([[n[i][k] / sum(n[i]) for k in range(3)] for i in range(3)], s.shares)


# 15 A language model


def a_text():
    return Text("the cat sat on the mat, and the rat sat on the cat.\n" * 8, "x")


@equation("next-letter", r"q_t = x_{t+1}")
def _(rng):
    text = a_text()
    sequences, known, _ = text.pieces(7, 2)
    same(text.ids[1 : text.known].tolist(), sequences.targets(known))


@equation("carried", r"h_0 = h_T")
def _(rng):
    sequences, known, held = a_text().pieces(7, 2)
    net = StepModel(15, 15, rng=rng, hidden_size=3, cell="gru", dtype="float64")
    optimizer = optim.SGD(net.parameters(), 0.1)
    run = Trainer(
        net, CrossEntropy(), optimizer, sequences, known, held, epochs=1, batch_size=2,
        sampling="streams",
    )  # fmt: skip
    run.draw_epoch()
    states = []
    forward = net.forward

    def watched_forward(batch, **options):
        y, cache = forward(batch, **options)
        states.append((batch.state[0], cache.state[0]))
        return y, cache

    net.forward = watched_forward
    for index in run.batches[:3]:
        run.train_step(index)
    for (_, last), (first, _) in zip(states, states[1:], strict=False):
        same(last.tolist(), first)


@equation("bits", r"-\frac{1}{T} \sum_t \log_2 p_{t q_t}")
def _(rng):
    net = StepModel(4, 4, rng=rng, hidden_size=3, dtype="float64")
    ids = [0, 3, 1, 2, 2]
    sequences = Sequences([ids[:-1]], targets=[ids[1:]], num_classes=4)
    p = softmaxes(net.forward(sequences.batch([0]))[0])
    ours = -sum(math.log2(p[t][q]) for t, q in enumerate(ids[1:])) / 4
    same(ours, evaluate(net, sequences, [0], CrossEntropy()).bits)


@equation(
    "back-off",
    r"p(c | h) = \frac{\mathrm{count}(hc) + \mathrm{different}(h) \, p(c | h')}"
    r"{\mathrm{count}(h) + \mathrm{different}(h)}",
)
def _(rng):
    text = a_text()
    words = "".join(text.letters[k] for k in text.ids)
    known, V = words[: text.known], len(text.letters)

    def p(c, h):
        shorter = p(c, h[1:]) if h else 1 / V
        after = [known[k + len(h)] for k in range(len(known) - len(h)) if known[k:].startswith(h)]
        if not after:
            return shorter
        different = len(set(after))
        return (after.count(c) + different * shorter) / (len(after) + different)

    held = range(text.known + 1, len(words))
    ours = [-sum(math.log2(p(words[t], words[t - n : t])) for t in held) / len(held)
            for n in range(3)]  # fmt: skip
    same(ours, np.array(bits_of_counts(text, 3)))


@equation("temperature", r"p_k = \frac{e^{a_k / s}}{\sum_j e^{a_j / s}}")
def _(rng):
    net = StepModel(4, 4, rng=rng, hidden_size=3, dtype="float64")
    a, s, drawn = net.forward(Sequences([[1]], [0]).batch([0]))[0][0].tolist(), 0.5, {}
    ours = [math.exp(v / s) / sum(math.exp(w / s) for w in a) for v in a]

    class Watched:
        def choice(self, size, p):
            drawn["p"] = p
            return 0

    next(go_on(net, [1], Watched(), s))
    same(ours, drawn["p"])


# 16 Numbers


@equation(
    "mackey-glass",
    r"x_{t+1} = x_t + \frac{1}{10} \left( \frac{0.2 \, x_{t-170}}{1 + x_{t-170}^{10}} "
    r"- 0.1 \, x_t \right)",
)
def _(rng):
    s = watched(series.mackey_glass, lambda: series.mackey_glass(20))[0]
    for t in (170, 1000, 4000):
        late = s.x[t - 170]
        same(s.x[t] + (0.2 * late / (1 + late**10) - 0.1 * s.x[t]) / 10, np.array(s.x[t + 1]))


@equation("rmse", r"\sqrt{\frac{1}{N} \sum_n (y_n - q_n)^2}")
def _(rng):
    y, q = rng.standard_normal((2, 6, 1))
    ours = sum((a - b) ** 2 for a, b in zip(y[:, 0].tolist(), q[:, 0].tolist(), strict=True))
    same(math.sqrt(ours / 6), Regression.of(q, y).rmse)


@equation("free", r"x_{t+1} = y_t")
def _(rng):
    net = StepModel(1, 1, rng=rng, hidden_size=3, cell="gru")
    read, forward = [], net.forward

    def watched_forward(batch):
        y, cache = forward(batch)
        read.append((batch.x[-1, 0], y[-1, 0]))
        return y, cache

    net.forward = watched_forward
    series.run_free(net, rng.standard_normal(4))
    for (_, said), (x, _) in zip(read, read[1:], strict=False):
        same(float(said), np.array(x, "float64"))


# 18 After the LSTM


def slstm(rng):
    """A step of the sLSTM, with the locals of both methods and the gradients of its states."""
    s = step(SLSTMCell, rng)
    b, f = s.backward, s.forward
    s.dc_in, s.dn_in, s.dm_in = s.dstate[1:]
    return s, f, b


@equation(
    "slstm-gates",
    r"z = \tanh(x W_{x,z} + b_{x,z} + h_{t-1} W_{h,z} + b_{h,z})",
    r"o = \sigma(x W_{x,o} + b_{x,o} + h_{t-1} W_{h,o} + b_{h,o})",
)
def _(rng):
    s, f, _ = slstm(rng)
    same(each(math.tanh, pre_activation(s, "z")), f.z)
    same(each(sigmoid, pre_activation(s, "o")), f.o)


@equation("slstm-h", r"h_t = o \odot \frac{c_t}{n_t}")
def _(rng):
    _, f, _ = slstm(rng)
    same(each(lambda o, c, n: o * c / n, f.o, f.c, f.n), f.h)


@equation("slstm-m", r"m_t = \max(\log \sigma(a_f) + m_{t-1}, a_i)")
def _(rng):
    s, f, _ = slstm(rng)
    ai, af = pre_activation(s, "i"), pre_activation(s, "f")
    larger = each(lambda ai, af, m: max(math.log(sigmoid(af)) + m, ai), ai, af, f.m_prev)
    same(larger, s.state[3])


@equation(
    "slstm-if",
    r"i = e^{a_i - m_t}",
    r"f = e^{\log \sigma(a_f) + m_{t-1} - m_t}",
)
def _(rng):
    s, f, _ = slstm(rng)
    ai, af = pre_activation(s, "i"), pre_activation(s, "f")
    same(each(lambda a, m: math.exp(a - m), ai, f.m), f.i)
    forget = lambda a, before, m: math.exp(math.log(sigmoid(a)) + before - m)  # noqa: E731
    same(each(forget, af, f.m_prev, f.m), f.f)


@equation(
    "slstm-cn",
    r"c_t = f \odot c_{t-1} + i \odot z",
    r"n_t = f \odot n_{t-1} + i",
)
def _(rng):
    s, f, _ = slstm(rng)
    same(each(lambda f, c, i, z: f * c + i * z, f.f, f.c_prev, f.i, f.z), s.state[1])
    same(each(lambda f, n, i: f * n + i, f.f, f.n_prev, f.i), s.state[2])


@equation(
    "slstm-do",
    r"do = dh_t \odot \frac{c_t}{n_t}",
    r"dc_t \leftarrow dc_t + dh_t \odot \frac{o}{n_t}",
    r"dn_t \leftarrow dn_t - dh_t \odot \frac{o \odot c_t}{n_t^2}",
)
def _(rng):
    s, _, b = slstm(rng)
    same(each(lambda dh, c, n: dh * c / n, b.dh, b.c, b.n), b.do)
    same(each(lambda dc, dh, o, n: dc + dh * o / n, s.dc_in, b.dh, b.o, b.n), b.dc)
    share = lambda dn, dh, o, c, n: dn - dh * o * c / (n * n)  # noqa: E731
    same(each(share, s.dn_in, b.dh, b.o, b.c, b.n), b.dn)


@equation(
    "slstm-dif",
    r"di = dc_t \odot z + dn_t",
    r"df = dc_t \odot c_{t-1} + dn_t \odot n_{t-1}",
    r"dz = dc_t \odot i",
)
def _(rng):
    _, _, b = slstm(rng)
    same(each(lambda dc, z, dn: dc * z + dn, b.dc, b.z, b.dn), b.di)
    same(each(lambda dc, c, dn, n: dc * c + dn * n, b.dc, b.c_prev, b.dn, b.n_prev), b.df)
    same(each(lambda dc, i: dc * i, b.dc, b.i), b.dz)


@equation("slstm-dm", r"dm_t \leftarrow dm_t - di \odot i - df \odot f")
def _(rng):
    s, _, b = slstm(rng)
    same(each(lambda dm, di, i, df, f: dm - di * i - df * f, s.dm_in, b.di, b.i, b.df, b.f), b.dm)


@equation(
    "slstm-da",
    r"da_i = di \odot i + [m_t = a_i] \odot dm_t",
    r"dm_{t-1} = df \odot f + (1 - [m_t = a_i]) \odot dm_t",
    r"da_f = dm_{t-1} \odot (1 - \sigma(a_f))",
)
def _(rng):
    s, f, b = slstm(rng)
    share = lambda d, y, m, a, dm: d * y + (m == a) * dm  # noqa: E731
    same(each(share, b.di, b.i, f.m, f.ai, b.dm), s.dgx[0])
    share = lambda d, y, m, a, dm: d * y + (1 - (m == a)) * dm  # noqa: E731
    same(each(share, b.df, b.f, f.m, f.ai, b.dm), s.dstate_prev[3])
    same(each(lambda dm, a: dm * (1 - sigmoid(a)), s.dstate_prev[3], f.af), s.dgx[1])
    assert len(set(b.f_is_max.ravel().tolist())) == 2, "only one side of the maximum is tried"


@equation("slstm-scale", r"dm_t - di \odot i - df \odot f = 0")
def _(rng):
    net = Recurrent(SLSTMCell, 4, 3, rng=rng, dtype="float64")
    _, _, cache = net.forward(rng.standard_normal((5, 2, 4)))
    call = lambda: net.backward(rng.standard_normal((5, 2, 3)), cache)  # noqa: E731
    steps = watched(SLSTMCell.backward, call)
    assert len(steps) == 5
    for b in steps:  # the loss sees h alone
        zero = lambda dm, di, i, df, f: dm - di * i - df * f  # noqa: E731
        same(each(zero, b.dstate[3], b.di, b.i, b.df, b.f), np.zeros((2, 3)))


@equation(
    "mingru",
    r"z = \sigma(x W_{x,z} + b_{x,z})",
    r"n = x W_{x,n} + b_{x,n}",
    r"h_t = (1 - z) \odot h_{t-1} + z \odot n",
)
def _(rng):
    s = step(MinGRUCell, rng)
    f, x = s.forward, s.x.tolist()
    same(each(sigmoid, affine(x, s.Wx[0].tolist(), s.bx[0].tolist())), f.z)
    same(affine(x, s.Wx[1].tolist(), s.bx[1].tolist()), f.n)
    same(each(lambda z, n, h: (1 - z) * h + z * n, f.z, f.n, s.h_prev), s.state[0])


@equation(
    "mingru-backward",
    r"dz = dh_t \odot (n - h_{t-1})",
    r"dn = dh_t \odot z",
    r"dh_{t-1} = dh_t \odot (1 - z)",
)
def _(rng):
    s = step(MinGRUCell, rng)
    b = s.backward
    same(each(lambda dh, n, h: dh * (n - h), b.dh, b.n, s.h_prev), b.dz)
    same(each(lambda dh, z: dh * z, b.dh, b.z), b.dn)
    same(each(lambda dh, z: dh * (1 - z), b.dh, b.z), s.dstate_prev[0])


@equation("mingru-same", r"h_t = n + (1 - z)^t \odot (h_0 - n)")
def _(rng):
    net = Recurrent(MinGRUCell, 1, 3, rng=rng, dtype="float64")
    h0 = rng.standard_normal((1, 3))
    output, _, cache = net.forward(np.ones((6, 1, 1)), state=(h0,))
    z, n, _ = cache.steps[0]
    for t in range(6):
        formula = lambda n, z, h, t=t: n + (1 - z) ** (t + 1) * (h - n)  # noqa: E731
        same(each(formula, n, z, h0), output[t])


def scanned(rng):
    """f_t, v_t and h_t of a minGRU over six steps, as nested lists."""
    net = Recurrent(MinGRUCell, 2, 3, rng=rng, dtype="float64")
    output, _, cache = net.forward(rng.standard_normal((6, 1, 2)))
    f = [each(lambda z: 1 - z, step.z) for step in cache.steps]
    v = [each(lambda z, n: z * n, step.z, step.n) for step in cache.steps]
    return f, v, output


@equation("scan-step", r"h_t = f_t \odot h_{t-1} + v_t")
def _(rng):
    f, v, h = scanned(rng)
    for t in range(1, 6):
        same(each(lambda f, h, v: f * h + v, f[t], h[t - 1].tolist(), v[t]), h[t])


@equation(
    "scan-two",
    r"h_t = (f_t \odot f_{t-1}) \odot h_{t-2} + (f_t \odot v_{t-1} + v_t)",
)
def _(rng):
    f, v, h = scanned(rng)
    for t in range(2, 6):
        two = lambda f, g, h, u, v: (f * g) * h + (f * u + v)  # noqa: E731
        same(each(two, f[t], f[t - 1], h[t - 2].tolist(), v[t - 1], v[t]), h[t])


# One file


def micro(rng, T=3, N=2, V=5, H=4):
    """A forward and a backward pass of `examples/microlstm.py`, with the locals of each step.

    Backward's are those of the last step that it makes. So it is run once from each step on, and
    its gradients are brought to the loss of the whole.
    """
    w = microlstm.new_weights(V, H, rng)
    x, q = rng.integers(V, size=(2, T, N))
    mask = np.array([[1, 1], [1, 1], [1, 0]])
    s = SimpleNamespace(w=w, x=x, q=q, mask=mask, T=T, N=N, V=V, H=H)
    s.loss, steps = microlstm.forward(w, x, q, mask)
    s.forward, s.backward = [], []
    for t in range(T):
        call = lambda t=t: microlstm.forward(w, x[: t + 1], q[: t + 1], mask[: t + 1])  # noqa: E731
        s.forward += watched(microlstm.forward, call)
        late = steps[t:], x[t:], q[t:], mask[t:]
        (bundle,) = watched(microlstm.backward, lambda late=late: microlstm.backward(w, *late))
        share = mask[t:].sum() / mask.sum()
        for name in ("dy", "dh", "do", "dc", "df", "di", "dg", "da", "dh_next", "dc_next"):
            setattr(bundle, name, getattr(bundle, name) * share)
        s.backward.append(bundle)
    s.gradients = microlstm.backward(w, steps, x, q, mask)
    return s


def one_hot(ids, V):
    return [[float(k == j) for k in range(V)] for j in ids.tolist()]


def gate(array, k, H):
    """The columns of one of the four gates."""
    return array[..., k * H : (k + 1) * H]


@equation("micro-a", r"a_k = x W_{x,k} + h_{t-1} W_{h,k} + b_k")
def _(rng):
    s = micro(rng)
    Wx, Wh, b, _, _ = s.w
    for t, f in enumerate(s.forward):
        for k, a in enumerate((f.ai, f.af, f.ag, f.ao)):
            from_x = times(one_hot(s.x[t], s.V), gate(Wx, k, s.H).tolist())
            from_h = affine(f.h_prev.tolist(), gate(Wh, k, s.H).tolist(), gate(b, k, s.H).tolist())
            same(add(from_x, from_h), a)


@equation(
    "micro-gates",
    r"i = \sigma(a_i)",
    r"f = \sigma(a_f)",
    r"o = \sigma(a_o)",
    r"g = \tanh(a_g)",
)
def _(rng):
    for f in micro(rng).forward:
        for a, y in [(f.ai, f.i), (f.af, f.f), (f.ao, f.o)]:
            same(each(sigmoid, a), y)
        same(each(math.tanh, f.ag), f.g)


@equation("micro-c", r"c_t = f \odot c_{t-1} + i \odot g")
def _(rng):
    for f in micro(rng).forward:
        c_prev = np.zeros_like(f.c) + f.c_prev  # a bare 0 at the first step
        same(each(lambda f, c, i, g: f * c + i * g, f.f, c_prev, f.i, f.g), f.c)


@equation("micro-h", r"h_t = o \odot \tanh(c_t)")
def _(rng):
    for f in micro(rng).forward:
        same(each(lambda o, c: o * math.tanh(c), f.o, f.c), f.h)


@equation("micro-p", r"y = h_t W_y + b_y", r"p_k = \frac{e^{y_k}}{\sum_j e^{y_j}}")
def _(rng):
    s = micro(rng)
    for f in s.forward:
        y = affine(f.h.tolist(), s.w[3].tolist(), s.w[4].tolist())
        same(y, f.y)
        same(softmaxes(np.array(y)), f.p)


@equation(
    "micro-loss",
    r"L = -\frac{\sum_t \sum_n m_{tn} \log p_{tn q_{tn}}}{\sum_t \sum_n m_{tn}}",
)
def _(rng):
    s = micro(rng)
    places = [(t, n) for t in range(s.T) for n in range(s.N)]
    ours = -sum(s.mask[t, n] * math.log(s.forward[t].p[n, s.q[t, n]]) for t, n in places)
    same(ours / sum(s.mask[t, n] for t, n in places), s.loss)


@equation(
    "micro-dy",
    r"dy_{tnk} = \frac{m_{tn}}{\sum_t \sum_n m_{tn}} \left( p_{tnk} - [k = q_{tn}] \right)",
)
def _(rng):
    s = micro(rng)
    total = sum(map(sum, s.mask.tolist()))
    for t, b in enumerate(s.backward):
        p = s.forward[t].p.tolist()
        ours = [
            [s.mask[t, n] / total * (p[n][k] - (k == s.q[t, n])) for k in range(s.V)]
            for n in range(s.N)
        ]
        same(ours, b.dy)


def over_steps(s, left, right):
    """sum_t left_t^T right_t"""
    shares = [times(transposed(a.tolist()), b.tolist()) for a, b in zip(left, right, strict=True)]
    return add(*shares)


def columns(tables):
    """sum_t sum_n of tables [n, ..]."""
    return [sum(row[k] for table in tables for row in table) for k in range(len(tables[0][0]))]


@equation("micro-dWy", r"dW_y = \sum_t h_t^\top dy_t", r"db_y = \sum_t \sum_n dy_{tn}")
def _(rng):
    s = micro(rng)
    dy = [b.dy for b in s.backward]
    same(over_steps(s, [f.h for f in s.forward], dy), s.gradients[3])
    same(columns([d.tolist() for d in dy]), s.gradients[4])


@equation("micro-dh", r"dh_t = dy_t W_y^\top + dh_{\mathrm{next}}")
def _(rng):
    s = micro(rng)
    nothing = np.zeros((s.N, s.H))
    for b, dh_next in zip(s.backward, [*(b.dh_next for b in s.backward[1:]), nothing], strict=True):
        same(add(times(b.dy.tolist(), transposed(s.w[3].tolist())), dh_next.tolist()), b.dh)


@equation(
    "micro-do",
    r"do = dh_t \odot \tanh(c_t)",
    r"dc_t = dh_t \odot o \odot \left(1 - \tanh^2(c_t)\right) + dc_{\mathrm{next}}",
)
def _(rng):
    s = micro(rng)
    nothing = np.zeros((s.N, s.H))
    for b, dc_next in zip(s.backward, [*(b.dc_next for b in s.backward[1:]), nothing], strict=True):
        same(each(lambda dh, c: dh * math.tanh(c), b.dh, b.c), b.do)
        slope = lambda dh, o, c, later: dh * o * (1 - math.tanh(c) ** 2) + later  # noqa: E731
        same(each(slope, b.dh, b.o, b.c, dc_next), b.dc)


@equation(
    "micro-dgates",
    r"df = dc_t \odot c_{t-1}",
    r"dc_{t-1} = dc_t \odot f",
    r"di = dc_t \odot g",
    r"dg = dc_t \odot i",
)
def _(rng):
    for b in micro(rng).backward:
        c_prev = np.zeros_like(b.dc) + b.c_prev
        pairs = [(c_prev, b.df), (b.f, b.dc_next), (b.g, b.di), (b.i, b.dg)]
        for factor, gradient in pairs:
            same(each(lambda dc, factor: dc * factor, b.dc, factor), gradient)


@equation(
    "micro-da",
    r"da_i = di \odot i \odot (1 - i)",
    r"da_f = df \odot f \odot (1 - f)",
    r"da_g = dg \odot (1 - g^2)",
    r"da_o = do \odot o \odot (1 - o)",
)
def _(rng):
    s = micro(rng)
    for b in s.backward:
        for k, (d, y) in enumerate([(b.di, b.i), (b.df, b.f), (b.dg, b.g), (b.do, b.o)]):
            slope = (lambda y: 1 - y * y) if k == 2 else (lambda y: y * (1 - y))
            same(each(lambda d, y: d * slope(y), d, y), gate(b.da, k, s.H))  # noqa: B023


@equation(
    "micro-dW",
    r"dW_x = \sum_t x_t^\top da_t",
    r"dW_h = \sum_t h_{t-1}^\top da_t",
    r"db = \sum_t \sum_n da_{tn}",
)
def _(rng):
    s = micro(rng)
    da = [b.da for b in s.backward]
    x = [np.array(one_hot(ids, s.V)) for ids in s.x]
    same(over_steps(s, x, da), s.gradients[0])
    same(over_steps(s, [f.h_prev for f in s.forward], da), s.gradients[1])
    same(columns([d.tolist() for d in da]), s.gradients[2])


@equation("micro-dh-prev", r"dh_{t-1} = da W_h^\top")
def _(rng):
    s = micro(rng)
    for b in s.backward:
        same(times(b.da.tolist(), transposed(s.w[1].tolist())), b.dh_next)


@equation("micro-check", r"dw \approx \frac{L(w + s) - L(w - s)}{2s}")
def _(rng):
    s = micro(rng)
    for w, dw in zip(s.w, s.gradients, strict=True):
        k, ends = tuple(rng.integers(w.shape)), []
        for move in (1e-5, -1e-5):
            moved = [other.copy() if other is w else other for other in s.w]
            moved[[other is w for other in s.w].index(True)][k] += move
            ends.append(microlstm.forward(moved, s.x, s.q, s.mask)[0])
        same((ends[0] - ends[1]) / 2e-5, dw[k], 1e-9)


@equation(
    "micro-adam",
    r"m \leftarrow \beta_1 m + (1 - \beta_1) dw",
    r"v \leftarrow \beta_2 v + (1 - \beta_2) dw^2",
    r"w \leftarrow w - \mathrm{lr} \frac{m / (1 - \beta_1^s)}"
    r"{\sqrt{v / (1 - \beta_2^s)} + \varepsilon}",
)
def _(rng):
    begun, gradients = [], []

    def new_weights(*given):
        made = drawn(*given)
        begun[:] = [w.copy() for w in made]
        return made

    def backward(*given):
        gradients.append(undone(*given))
        return gradients[-1]

    drawn, undone = microlstm.new_weights, microlstm.backward
    noting = dict(new_weights=new_weights, backward=backward, H=4, STEPS=4, check=lambda rng: 0.0)
    with mock.patch.multiple(microlstm, **noting), redirect_stdout(io.StringIO()):
        (main,) = watched(microlstm.main, microlstm.main)
    for w, end, all_dw in zip(begun, main.weights, zip(*gradients[-4:], strict=True), strict=True):
        m = v = each(lambda w: 0.0, w)
        for s, dw in enumerate(all_dw, 1):
            m = each(lambda m, dw: 0.9 * m + (1 - 0.9) * dw, m, dw)
            v = each(lambda v, dw: 0.99 * v + (1 - 0.99) * dw**2, v, dw)
            lr, k1, k2 = 0.02 * (1 - s / 4), 1 - 0.9**s, 1 - 0.99**s
            move = lambda w, m, v: w - lr * (m / k1) / (math.sqrt(v / k2) + 1e-8)  # noqa: B023, E731
            w = each(move, w, m, v)
        same(w, end)
