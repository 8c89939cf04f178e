"""Right cells that the library has not: what people may write themselves; and random problems."""

import math

import fresh
import numpy as np

from minirnn import cells, layers, losses, recurrent, stacked
from minirnn.functions import d_sigmoid, d_tanh, sigmoid
from minirnn.gradcheck import problems
from minirnn.gradcheck.ladder import classifier_problem, randomised
from minirnn.packing import sizes_of
from minirnn.parameters import Module, Parameter


class PeepholeLSTM(Module):
    """i and f see c_prev, o sees c, through weights of the cell's own (Gers et al. 2002)."""

    gates = "ifgo"
    states = ("h", "c")

    def __init__(self, H=5, seed=0):
        self.peep = Parameter(np.random.default_rng(seed).standard_normal((3, H)))

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        pi, pf, po = self.peep.data
        i, f, g = sigmoid(ai + pi * c_prev), sigmoid(af + pf * c_prev), np.tanh(ag)
        c = f * c_prev + i * g
        o, tanh_c = sigmoid(ao + po * c), np.tanh(c)
        return (o * tanh_c, c), (i, f, g, o, c_prev, c, tanh_c)

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        i, f, g, o, c_prev, c, tanh_c = cache
        pi, pf, po = self.peep.data
        dao = dh * tanh_c * d_sigmoid(o)
        dc = dc + dh * o * d_tanh(tanh_c) + dao * po
        dai, daf, dag = dc * g * d_sigmoid(i), dc * c_prev * d_sigmoid(f), dc * i * d_tanh(g)
        parts = [(dai * c_prev).sum(axis=0), (daf * c_prev).sum(axis=0), (dao * c).sum(axis=0)]
        self.peep.grad += np.stack(parts)
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc * f + dai * pi + daf * pf)


class MinimalGatedUnit:
    """One gate, which both forgets and resets before the product (Zhou et al. 2016)."""

    gates = "fn"
    states = ("h",)

    def forward(self, gx, state, product):
        (h,) = state
        f = sigmoid(gx[0] + product(h, "f"))
        n = np.tanh(gx[1] + product(f * h, "n"))
        return ((1 - f) * h + f * n,), (h, f, n)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        h, f, n = cache
        dan = dh * f * d_tanh(n)
        dreset = product.backward(dan, "n")
        daf = (dh * (n - h) + dreset * h) * d_sigmoid(f)
        dh_prev = dh * (1 - f) + dreset * f + product.backward(daf, "f")
        return (daf, dan), (dh_prev,)


class OutputGateLSTM:
    """An LSTM that shows its output gate, and hands on (o, c, h): another order, three states."""

    gates = "ogfi"
    states = ("o", "c", "h")

    def forward(self, gx, state, product):
        _, c_prev, h_prev = state
        ao, ag, af, ai = gx + product(h_prev)
        o, f, i, g = sigmoid(ao), sigmoid(af), sigmoid(ai), np.tanh(ag)
        c = f * c_prev + i * g
        tanh_c = np.tanh(c)
        return (o, c, o * tanh_c), (o, g, f, i, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        do, dc, dh = dstate
        o, g, f, i, c_prev, tanh_c = cache
        do = do + dh * tanh_c
        dc = dc + dh * o * d_tanh(tanh_c)
        da = (do * d_sigmoid(o), dc * i * d_tanh(g), dc * c_prev * d_sigmoid(f),
              dc * g * d_sigmoid(i))  # fmt: skip
        return da, (np.zeros_like(do), dc * f, product.backward(da))


class MemoryFirst:
    """`LSTMCell` that shows its memory: states (c, h) instead of (h, c)."""

    gates = "ifgo"
    states = ("c", "h")

    def forward(self, gx, state, product):
        (h, c), cache = cells.LSTMCell().forward(gx, state[::-1], product)
        return (c, h), cache

    def backward(self, dstate, cache, product):
        da, (dh, dc) = cells.LSTMCell().backward(dstate[::-1], cache, product)
        return da, (dc, dh)


class RealBuffer:
    """Writes its state into a float64 array, which drops an imaginary part without a word."""

    gates = "h"
    states = ("h",)

    def forward(self, gx, state, product):
        a = (gx + product(state[0]))[0]
        h = np.zeros(a.shape)
        h[...] = np.tanh(a).real
        return (h,), h

    def backward(self, dstate, cache, product):
        da = (dstate[0] * self.slope(cache),)
        return da, (product.backward(da),)

    def slope(self, h):
        return 1 - h * h


class MathLoop(RealBuffer):
    """Entry by entry with `math`, which knows no complex numbers."""

    def forward(self, gx, state, product):
        a = (gx + product(state[0]))[0]
        h = np.array([[1 / (1 + math.exp(-entry)) for entry in row] for row in a])
        return (h,), h

    def slope(self, h):
        return h * (1 - h)


class SoftSign(RealBuffer):
    """h = a / (1 + |a|): runs on complex numbers, but abs makes the result mean nothing."""

    def forward(self, gx, state, product):
        a = (gx + product(state[0]))[0]
        h = a / (1 + np.abs(a))
        return (h,), h

    def slope(self, h):
        return (1 - np.abs(h)) ** 2


OWN = [PeepholeLSTM, MinimalGatedUnit, OutputGateLSTM, MemoryFirst, RealBuffer, MathLoop, SoftSign]
FRESH = [fresh.Elman, fresh.LoopLSTM, fresh.LateGRU, fresh.EarlyGRU]
LIBRARY = [cells.LSTMCell, cells.GRUCell, cells.GRUBeforeCell, cells.RNNCell,
           lambda: cells.RNNCell("relu"), lambda: cells.RNNCell("identity")]  # fmt: skip


def correct_problem(seed):
    """A random problem about right code: any level, size and scale, saturated ones too."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["cell", "time", "time", "stack", "layer", "loss", "function", "model"])
    scale = float(rng.choice([0.01, 0.5, 1.0, 2.0, 5.0]))
    n, D, H = (int(k) for k in rng.integers(1, 5, 3))
    return MAKERS[kind](rng, scale, n, D, H)


def _cell(rng, H):
    make = [*LIBRARY, *FRESH, *OWN][rng.integers(len(LIBRARY) + len(FRESH) + len(OWN))]
    return make(H) if make is PeepholeLSTM else make()


def _scaled(net, rng, scale):
    randomised(net, rng)
    for parameter in net.parameters():
        parameter.data *= scale
    return net


def _cell_problem(rng, scale, n, D, H):
    return problems.cell_problem(_cell(rng, H), rng, n, H, scale)


def _sizes(rng, n):
    T = int(rng.integers(1, 5))
    if rng.random() < 0.4:
        return [n] * T, True
    return sizes_of(rng.integers(1, T + 1, n)), False


def _time_problem(rng, scale, n, D, H):
    kind = [recurrent.Recurrent, fresh.Unrolled][rng.integers(2)]
    net = kind(_cell(rng, H), D, H, rng=rng, biases=int(rng.integers(3)), dtype="float64")
    sizes, dense = _sizes(rng, n)
    options = {"truncate": int(rng.integers(1, 4))} if rng.random() < 0.3 else {}
    return problems.recurrent_problem(_scaled(net, rng, scale), rng, sizes, dense, scale, **options)


def _stack_problem(rng, scale, n, D, H):
    make = [*LIBRARY, *FRESH][rng.integers(len(LIBRARY) + len(FRESH))]
    if rng.random() < 0.5:
        net = fresh.Tower(make(), D, H, rng=rng, num_layers=int(rng.integers(1, 3)))
    else:
        net = stacked.Stack(
            make(), D, H, rng=rng, num_layers=int(rng.integers(1, 3)),
            bidirectional=rng.random() < 0.5, dtype="float64",
        )  # fmt: skip
    sizes, dense = _sizes(rng, n)
    return problems.recurrent_problem(_scaled(net, rng, scale), rng, sizes, dense, scale)


def _layer_problem(rng, scale, n, D, H):
    ids, x = rng.integers(0, D, n), problems.draw(rng, n, D, scale=scale)
    layer, x = [
        (layers.Linear(D, H, bool(rng.integers(2)), rng=rng, dtype="float64"), x),
        (layers.Embedding(D, H, rng=rng, dtype="float64"), ids),
        (fresh.Affine(D, H, rng), x),
        (fresh.Lookup(D, H, rng), ids),
        (fresh.Thinning(0.4, int(rng.integers(9))), x),
    ][rng.integers(5)]
    return problems.layer_problem(_scaled(layer, rng, scale), x)


def _loss_problem(rng, scale, n, D, H):
    logits, labels = problems.draw(rng, n, D + 1, scale=scale), rng.integers(0, D + 1, n)
    labels[0] = 0  # so that not all are ignored
    loss, target = [
        (losses.CrossEntropy(), labels),
        (losses.CrossEntropy("sum", ignore_index=D), labels),
        (losses.CrossEntropy(2.5), labels),
        (fresh.Surprise(skip=D), labels),
        (losses.MeanSquaredError(), rng.standard_normal((n, D + 1))),
        (fresh.SquaredGap(), rng.standard_normal((n, D + 1))),
    ][rng.integers(6)]
    return problems.loss_problem(loss, logits, target)


def _function_problem(rng, scale, n, D, H):
    from minirnn import functions as f

    a = problems.draw(rng, n, D, scale=scale)
    if rng.random() < 0.2:
        a[0, 0] = 0.0  # relu's kink itself
    pair = [
        (f.sigmoid, f.d_sigmoid), (f.tanh, f.d_tanh), (f.relu, f.d_relu),
        (f.identity, f.d_identity), (fresh.logistic, fresh.logistic_slope),
        (fresh.hyperbolic, fresh.hyperbolic_slope), (fresh.ramp, fresh.ramp_slope),
    ][rng.integers(7)]  # fmt: skip
    return problems.function_problem(*pair, a)


def _model_problem(rng, scale, n, D, H):
    net = recurrent.Recurrent(_cell(rng, H), D, H, rng=rng, dtype="float64")
    return classifier_problem(_scaled(net, rng, scale), rng)


MAKERS = {
    "cell": _cell_problem, "time": _time_problem, "stack": _stack_problem, "layer": _layer_problem,
    "loss": _loss_problem, "function": _function_problem, "model": _model_problem,
}  # fmt: skip
