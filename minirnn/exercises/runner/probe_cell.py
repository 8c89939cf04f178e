"""A cell for exercise 4 that is no exercise itself: it tests whatever carries it through time."""

import numpy as np


class PracticeCell:
    """c = c_prev / 2 + sin(a) and h = c + b / 4, where a adds the product and b halves it.

    The two states differ, and so do the gradients of gx and of the product: whoever takes one
    for the other is found out.
    """

    gates = "ab"
    states = ("h", "c")

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        product_a, product_b = product(h_prev)
        a, b = gx[0] + product_a, gx[1] + 0.5 * product_b
        c = 0.5 * c_prev + np.sin(a)
        return (c + 0.25 * b, c), a

    def backward(self, dstate, cache, product):
        dh, dc = dstate
        db = 0.25 * dh
        dc = dc + dh
        da = dc * np.cos(cache)
        return (da, db), (product.backward((da, 0.5 * db)), 0.5 * dc)
