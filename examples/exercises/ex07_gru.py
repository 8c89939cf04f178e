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
        # TODO 7a (4 lines): the gates, the candidate (r scales product_n), and h:
        # return (h,), GRUCache(r, z, n, h_prev, product_n)
        raise NotImplementedError("exercise 7: GRUCell.forward is not written yet")

    def backward(self, dstate, cache, product):
        """dstate holds the gradient of h; returned are those of gx and of the state before."""
        (dh,) = dstate
        r, z, n, h_prev, product_n = cache
        # TODO 7b (1 line): undo the last line of forward: dz, dn, and a first share of dh_prev.
        # TODO 7c (2 lines): undo the candidate: the gradient of its pre-activation, then that of r
        # and that of product_n.
        # TODO 7d (1 line): undo the two gates.
        # TODO 7e (2 lines): product.backward takes the gradients of the three *products*; those of
        # gx are returned. In one gate the two differ.
        # return (dar, daz, dan), (dh_prev,)
        raise NotImplementedError("exercise 7: GRUCell.backward is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(GRUCell)
