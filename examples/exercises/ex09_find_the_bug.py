"""Exercise 9: find the bug.

Five cells, and each is wrong in one line of `backward`: a mistake that somebody really made. All
forward passes are right. Find the five lines and fix them.

    python -P -m minirnn exercises check . 9
    python -m minirnn gradcheck ex09_find_the_bug.py:CellA

The second command shows which gates are off at which steps. Its last lines name the mistake: cover
them, and derive the suspicious line again: docs/04-one-step.md#backward, docs/06-lstm.md#backward,
docs/07-gru.md#backward, docs/07-gru.md#backward-reset-before.
"""

from typing import Any, NamedTuple

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh


class RNNCache(NamedTuple):
    """The cache of `RNNCell` for backward: h [n, H]."""

    h: Any


class LSTMCache(NamedTuple):
    """The cache of `LSTMCell` for backward, each [n, H]."""

    i: Any
    f: Any
    g: Any
    o: Any
    c_prev: Any
    tanh_c: Any


class GRUCache(NamedTuple):
    """The cache of `GRUCell` for backward, each [n, H]."""

    r: Any
    z: Any
    n: Any
    h_prev: Any
    product_n: Any


class GRUBeforeCache(NamedTuple):
    """The cache of `GRUBeforeCell` for backward, each [n, H]."""

    r: Any
    z: Any
    n: Any
    h_prev: Any


class CellA:
    """h = tanh(x Wx + bx + h_prev Wh + bh)."""

    gates = "h"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        (a,) = gx + product(h_prev)
        h = tanh(a)
        return (h,), RNNCache(h)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        (h,) = cache
        # h = tanh(a)
        da = dh * d_tanh(h)
        # a = gx + h_prev Wh + bh
        return (da,), (product.backward((dh,)),)


class CellB:
    """c = f c_prev + i g and h = o tanh(c)."""

    gates = "ifgo"
    states = ("h", "c")

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        g = tanh(ag)
        c = f * c_prev + i * g
        tanh_c = tanh(c)
        h = o * tanh_c
        return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        i, f, g, o, c_prev, tanh_c = cache
        # h = o tanh(c)
        do = dh * tanh_c
        dc = dh * o * d_tanh(tanh_c)
        # c = f c_prev + i g
        df, dc_prev = dc * c_prev, dc * f
        di, dg = dc * g, dc * i
        # i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao) and g = tanh(ag)
        dai, daf, dao = di * d_sigmoid(i), df * d_sigmoid(f), do * d_sigmoid(o)
        dag = dg * d_tanh(g)
        # ai, af, ag, ao = gx + h_prev Wh + bh
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc_prev)


class CellC:
    """c = f c_prev + i g and h = o tanh(c)."""

    gates = "ifgo"
    states = ("h", "c")

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        g = tanh(ag)
        c = f * c_prev + i * g
        tanh_c = tanh(c)
        h = o * tanh_c
        return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        i, f, g, o, c_prev, tanh_c = cache
        # h = o tanh(c)
        do = dh * tanh_c
        dc = dc + dh * o * d_tanh(tanh_c)
        # c = f c_prev + i g
        df, dc_prev = dc * c_prev, dc * f
        di, dg = dc * g, dc * i
        # i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao) and g = tanh(ag)
        dai, daf, dao = di * d_sigmoid(i), df * d_sigmoid(f), do * d_sigmoid(o)
        dag = dg * d_sigmoid(g)
        # ai, af, ag, ao = gx + h_prev Wh + bh
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc_prev)


class CellD:
    """A GRU whose reset gate acts after the product."""

    gates = "rzn"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        gx_r, gx_z, gx_n = gx
        product_r, product_z, product_n = product(h_prev)
        r, z = sigmoid(gx_r + product_r), sigmoid(gx_z + product_z)
        n = tanh(gx_n + r * product_n)
        h = (1 - z) * n + z * h_prev
        # a copy: product_n is a view, which would keep the products of all gates in memory
        return (h,), GRUCache(r, z, n, h_prev, product_n.copy())

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev, product_n = cache
        # h = (1 - z) n + z h_prev
        dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z
        # n = tanh(gx_n + r product_n)
        dan = dn * d_tanh(n)
        dr, dproduct_n = dan * product_n, dan
        # r, z = sigmoid(gx_r + product_r), sigmoid(gx_z + product_z)
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)
        # product_r, product_z, product_n = h_prev Wh + bh
        dh_prev = dh_prev + product.backward((dar, daz, dproduct_n))
        return (dar, daz, dan), (dh_prev,)


class CellE:
    """A GRU whose reset gate acts before the product."""

    gates = "rzn"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        ar, az = gx[:2] + product(h_prev, "rz")
        r, z = sigmoid(ar), sigmoid(az)
        n = tanh(gx[2] + product(r * h_prev, "n"))
        h = (1 - z) * n + z * h_prev
        return (h,), GRUBeforeCache(r, z, n, h_prev)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        r, z, n, h_prev = cache
        # h = (1 - z) n + z h_prev
        dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z
        # n = tanh(gx_n + (r h_prev) Whn + bhn)
        dan = dn * d_tanh(n)
        dreset = product.backward(dan, "n")
        dr, dh_prev = dreset * h_prev, dh_prev
        # r, z = sigmoid(ar), sigmoid(az)
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)
        # ar, az = gx_r, gx_z + h_prev Wh + bh
        dh_prev = dh_prev + product.backward((dar, daz), "rz")
        return (dar, daz, dan), (dh_prev,)
