"""One step of a recurrent net, forward and backward. No time here: time is in `recurrent.py`.

A cell is a pure function with two methods and two class attributes:

    gates   one letter for each gate, in the order in which weights and pre-activations hold them
    states  the names of what is handed on to the next step; the first is also the step's output

    forward(gx, state, product)      -> state, cache
    backward(dstate, cache, product) -> dgx, dstate_prev

`gx` [G, n, H] holds x_t Wx + bx for every gate: the part of the pre-activations that does not
depend on the previous state, computed before the loop for all steps at once. The part that does
is asked for: `product(v)` [G, n, H] is v Wh + bh for all gates, `product(v, "rz")` for some
neighbouring ones, `product(v, "n")` [n, H] for one. On the way back, `product.backward(da)`, with
one [n, H] array for each gate, is the sum of da Wh^T over the gates: the gradient of that v.

`dgx` is a tuple of the gradients of gx, one [n, H] array for each gate. No method writes into
what it was given; the cache is whatever `backward` needs, here a named tuple whose fields the
plots can ask for by name.

A cell may set `additive = True` if every one of its pre-activations is just gx + product(...).
Nothing depends on it but speed: bh may then be added before the loop, and dgx is kept once, as
what reached product.backward; the numbers of the dgx that backward returns are then not used.

These lines are what runs, on NumPy and for every cell of your own. There is one exception: on
CuPy's arrays `RNN`, `LSTM` and `GRU` run the same equations as kernels, in `cuda/recurrent.py`.
"""

from typing import Any, NamedTuple

from .check import one_of
from .functions import d_identity, d_relu, d_sigmoid, d_tanh, identity, relu, sigmoid, tanh


class RNNCache(NamedTuple):
    """The cache of `RNNCell` for backward: h [n, H]."""

    h: Any


class RNNCell:
    """h = f(x Wx + bx + h_prev Wh + bh), with f tanh, relu or the identity.

    Elman 1990; with tanh or relu this is `torch.nn.RNN`. nonlinearity: "tanh", "relu" or
    "identity", else `ArgumentError`. gx [1, n, H], the state (h [n, H],).

        >>> net = Recurrent(RNNCell("relu"), input_size=2, hidden_size=3)
        >>> net, net.cell.gates, net.cell.states
        (Recurrent(RNNCell, 2, 3), 'h', ('h',))
    """

    gates = "h"
    states = ("h",)
    additive = True
    _functions = {
        "tanh": (tanh, d_tanh),
        "relu": (relu, d_relu),
        "identity": (identity, d_identity),
    }

    def __init__(self, nonlinearity: str = "tanh") -> None:
        self.nonlinearity = one_of("nonlinearity", nonlinearity, self._functions)
        self.f, self.d_f = self._functions[nonlinearity]

    def forward(self, gx, state, product):
        (h_prev,) = state
        (a,) = gx + product(h_prev)
        h = self.f(a)
        return (h,), RNNCache(h)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        (h,) = cache
        # h = f(a)
        da = dh * self.d_f(h)
        # a = gx + h_prev Wh + bh
        return (da,), (product.backward((da,)),)


class LSTMCache(NamedTuple):
    """The cache of `LSTMCell` for backward, each [n, H]."""

    i: Any
    f: Any
    g: Any
    o: Any
    c_prev: Any
    tanh_c: Any


class LSTMCell:
    """c = f c_prev + i g and h = o tanh(c), where i, f, o = sigmoid(...) and g = tanh(...).

    Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000: `torch.nn.LSTM`.
    gx [4, n, H] in the order i, f, g, o; the state (h, c), each [n, H].

    One step without an input, and with a product that is zero: every gate is sigmoid(0) = 0.5.

        >>> gx, state = np.zeros((4, 1, 2)), (np.zeros((1, 2)), np.ones((1, 2)))
        >>> (h, c), cache = LSTMCell().forward(gx, state, lambda v: 0)
        >>> print(c, h.round(3), cache.f)
        [[0.5 0.5]] [[0.231 0.231]] [[0.5 0.5]]
    """

    gates = "ifgo"
    states = ("h", "c")
    additive = True

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
        dag = dg * d_tanh(g)
        # ai, af, ag, ao = gx + h_prev Wh + bh
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc_prev)


class GRUCache(NamedTuple):
    """The cache of `GRUCell` for backward, each [n, H]."""

    r: Any
    z: Any
    n: Any
    h_prev: Any
    product_n: Any


class GRUCell:
    """h = (1 - z) n + z h_prev, where n = tanh(x Wxn + bxn + r (h_prev Whn + bhn)).

    r, z = sigmoid(...). The reset gate acts *after* the product (Cho et al. 2014, first version),
    as in `torch.nn.GRU`, cuDNN and Keras; z near 1 keeps the old state.
    gx [3, n, H] in the order r, z, n; the state (h [n, H],).

        >>> net = Recurrent(GRUCell, input_size=2, hidden_size=3)
        >>> {name: p.shape for name, p in net.named_parameters().items()}
        {'Wx': (3, 2, 3), 'Wh': (3, 3, 3), 'bx': (3, 3), 'bh': (3, 3)}
    """

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
        dr, dproduct_n = dan * product_n, dan * r
        # r, z = sigmoid(gx_r + product_r), sigmoid(gx_z + product_z)
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)
        # product_r, product_z, product_n = h_prev Wh + bh
        dh_prev = dh_prev + product.backward((dar, daz, dproduct_n))
        return (dar, daz, dan), (dh_prev,)


class GRUBeforeCache(NamedTuple):
    """The cache of `GRUBeforeCell` for backward, each [n, H]."""

    r: Any
    z: Any
    n: Any
    h_prev: Any


class GRUBeforeCell:
    """h = (1 - z) n + z h_prev, where n = tanh(x Wxn + bxn + (r h_prev) Whn + bhn).

    r, z = sigmoid(...). The reset gate acts *before* the product (Cho et al. 2014, third version);
    z near 1 keeps the old state here too, while in Chung et al. 2014, and in some books, it takes
    the new one. gx [3, n, H] in the order r, z, n; the state (h [n, H],).

        >>> GRU(2, 3, reset_after=False).layers
        [Recurrent(GRUBeforeCell, 2, 3)]
        >>> NameClassifier(26, 2, cell=GRUBeforeCell, hidden_size=3).recurrent.layers
        [Recurrent(GRUBeforeCell, 26, 3)]
    """

    gates = "rzn"
    states = ("h",)
    additive = True

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
        dr, dh_prev = dreset * h_prev, dh_prev + dreset * r
        # r, z = sigmoid(ar), sigmoid(az)
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)
        # ar, az = gx_r, gx_z + h_prev Wh + bh
        dh_prev = dh_prev + product.backward((dar, daz), "rz")
        return (dar, daz, dan), (dh_prev,)
