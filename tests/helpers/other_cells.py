"""Cells that the package does not have, to show what the contract carries."""

from typing import Any, NamedTuple

import numpy as np

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh
from minirnn.parameters import Module, Parameter


class PeepholeLSTMCell(Module):
    """An LSTM whose gates also see the cell state (Gers and Schmidhuber 2000).

    The vectors p are parameters of the cell's own: backward adds to their gradients.
    """

    gates = "ifgo"
    states = ("h", "c")

    def __init__(self, hidden_size=5, seed=0):
        self.p = Parameter(np.random.default_rng(seed).standard_normal((3, hidden_size)))

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        pi, pf, po = self.p.data
        i, f, g = sigmoid(ai + pi * c_prev), sigmoid(af + pf * c_prev), tanh(ag)
        c = f * c_prev + i * g
        o = sigmoid(ao + po * c)
        tanh_c = tanh(c)
        return (o * tanh_c, c), (i, f, g, o, c_prev, c, tanh_c)

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        i, f, g, o, c_prev, c, tanh_c = cache
        pi, pf, po = self.p.data
        dao = dh * tanh_c * d_sigmoid(o)
        dc = dc + dh * o * d_tanh(tanh_c) + dao * po
        dai, daf, dag = dc * g * d_sigmoid(i), dc * c_prev * d_sigmoid(f), dc * i * d_tanh(g)
        for k, (da, seen) in enumerate([(dai, c_prev), (daf, c_prev), (dao, c)]):
            self.p.grad[k] += (da * seen).sum(axis=0)
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc * f + dai * pi + daf * pf)


class MGUCache(NamedTuple):
    f: Any
    n: Any
    h_prev: Any


class MGUCell:
    """The minimal gated unit: a GRU with one gate for both jobs (Zhou et al. 2016)."""

    gates = "fn"
    states = ("h",)
    additive = True

    def forward(self, gx, state, product):
        (h_prev,) = state
        f = sigmoid(gx[0] + product(h_prev, "f"))
        n = tanh(gx[1] + product(f * h_prev, "n"))
        return ((1 - f) * h_prev + f * n,), MGUCache(f, n, h_prev)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        f, n, h_prev = cache
        df, dn, dh_prev = dh * (n - h_prev), dh * f, dh * (1 - f)
        dan = dn * d_tanh(n)
        dreset = product.backward(dan, "n")
        df, dh_prev = df + dreset * h_prev, dh_prev + dreset * f
        daf = df * d_sigmoid(f)
        return (daf, dan), (dh_prev + product.backward(daf, "f"),)


class OutputGateLSTMCell:
    """An LSTM that puts out its output gate instead of h: a state more, which nobody reads."""

    gates = "ifgo"
    states = ("o", "h", "c")
    additive = True

    def forward(self, gx, state, product):
        _, h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        i, f, g, o = sigmoid(ai), sigmoid(af), tanh(ag), sigmoid(ao)
        c = f * c_prev + i * g
        tanh_c = tanh(c)
        return (o, o * tanh_c, c), (i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        do, dh, dc = dstate
        i, f, g, o, c_prev, tanh_c = cache
        do = do + dh * tanh_c
        dc = dc + dh * o * d_tanh(tanh_c)
        da = (dc * g * d_sigmoid(i), dc * c_prev * d_sigmoid(f), dc * i * d_tanh(g),
              do * d_sigmoid(o))  # fmt: skip
        return da, (0 * do, product.backward(da), dc * f)
