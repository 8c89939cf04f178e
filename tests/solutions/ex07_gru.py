"""Exercise 7: one step of a GRU, forward and backward.

Read docs/07-gru.md up to "Reset before": this is the form whose reset gate acts after the
product. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 7
    python ex07_gru.py

z near 1 keeps the old state. The order of the gates is r, z, n.
"""

from typing import Any, NamedTuple

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh


class GRUCache(NamedTuple):
    r: Any
    z: Any
    n: Any
    h_prev: Any
    product_n: Any


class GRUCell:
    """Two gates r, z and a candidate n."""

    gates = "rzn"
    states = ("h",)

    def forward(self, gx, state, product):
        """gx [3, n, H] holds x Wx + bx; product(h_prev) [3, n, H] is h_prev Wh + bh."""
        (h_prev,) = state
        gx_r, gx_z, gx_n = gx
        product_r, product_z, product_n = product(h_prev)
        # two gates
        r, z = sigmoid(gx_r + product_r), sigmoid(gx_z + product_z)
        # the candidate: r says how much of the old state's product it sees
        n = tanh(gx_n + r * product_n)
        # a weighted mean of the candidate and the old state
        h = (1 - z) * n + z * h_prev
        return (h,), GRUCache(r, z, n, h_prev, product_n)

    def backward(self, dstate, cache, product):
        """dstate holds the gradient of h; returned are those of gx and of the state before."""
        (dh,) = dstate
        r, z, n, h_prev, product_n = cache
        # undo h: z is there twice, with two signs; this is h_prev's own share, without weights
        dz, dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z
        # undo the candidate's tanh; its sum hands dan to gx_n as it is
        dan = dn * d_tanh(n)
        # and to the product of r and product_n, where each factor gets dan times the other
        dr, dproduct_n = dan * product_n, dan * r
        # undo the two sigmoids
        dar, daz = dr * d_sigmoid(r), dz * d_sigmoid(z)
        # undo the product: h_prev went into it too, so this share is added to its own
        dh_prev = dh_prev + product.backward((dar, daz, dproduct_n))
        return (dar, daz, dan), (dh_prev,)


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(GRUCell)
