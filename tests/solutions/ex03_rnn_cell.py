"""Exercise 3: one step of the simplest recurrent net, forward and backward.

Read docs/04-one-step.md from "The cell contract" on. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 3
    python ex03_rnn_cell.py

The second command trains as soon as `forward` is there: where `backward` is missing, a numerical
gradient stands in for it.
"""

from typing import Any, NamedTuple

from minirnn.functions import d_tanh, tanh


class RNNCache(NamedTuple):
    h: Any


class RNNCell:
    """h = tanh(x Wx + bx + h_prev Wh + bh)."""

    gates = "h"
    states = ("h",)

    def forward(self, gx, state, product):
        """gx [1, n, H] holds x Wx + bx; product(h_prev) [1, n, H] is h_prev Wh + bh."""
        (h_prev,) = state
        # the input's share and the state's; the gate axis has length 1
        (a,) = gx + product(h_prev)
        h = tanh(a)
        return (h,), RNNCache(h)

    def backward(self, dstate, cache, product):
        """dstate holds the gradient of h; returned are those of gx and of the state before."""
        (dh,) = dstate
        (h,) = cache
        # undo the tanh: its derivative is taken from its output h
        da = dh * d_tanh(h)
        # undo the sum: gx gets da as it is, and the product takes it back through Wh
        dh_prev = product.backward((da,))
        return (da,), (dh_prev,)


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(RNNCell)
