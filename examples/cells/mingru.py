"""The minGRU: a GRU whose gate and candidate do not look at the previous state.

Feng et al. 2024, "Were RNNs All We Needed?", section 3.1. Train with it:

    python examples/names.py --cell examples/cells/mingru.py:MinGRUCell
"""

from typing import Any, NamedTuple

from minirnn.functions import d_sigmoid, sigmoid


class MinGRUCache(NamedTuple):
    """The cache of `MinGRUCell` for backward, each [n, H]."""

    z: Any
    n: Any
    h_prev: Any


class MinGRUCell:
    """h = (1 - z) h_prev + z n, where z = sigmoid(x Wxz + bz) and n = x Wxn + bn.

    z near 1 takes the new state. gx [2, n, H] in the order z, n; the state (h [n, H],). The
    product with the state is never asked for: Wh and bh are there, and their gradients are zero.
    """

    gates = "zn"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        az, n = gx
        z = sigmoid(az)
        h = (1 - z) * h_prev + z * n
        return (h,), MinGRUCache(z, n.copy(), h_prev)

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        z, n, h_prev = cache
        # h = (1 - z) h_prev + z n
        dz, dn, dh_prev = dh * (n - h_prev), dh * z, dh * (1 - z)
        # z = sigmoid(az)
        daz = dz * d_sigmoid(z)
        return (daz, dn), (dh_prev,)
