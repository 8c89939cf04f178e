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
        # TODO 3a (3 lines): the pre-activation a (the gate axis has length 1: unpack it), then h
        # [n, H]:
        # return (h,), RNNCache(h)
        raise NotImplementedError("exercise 3: RNNCell.forward is not written yet")

    def backward(self, dstate, cache, product):
        """dstate holds the gradient of h; returned are those of gx and of the state before."""
        (dh,) = dstate
        (h,) = cache
        # TODO 3b (3 lines): undo h = tanh(a), then a = gx + product(h_prev).
        # product.backward((da,)) is the gradient of what went into the product:
        # return (da,), (dh_prev,)
        raise NotImplementedError("exercise 3: RNNCell.backward is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(RNNCell)
