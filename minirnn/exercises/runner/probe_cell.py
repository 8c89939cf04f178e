"""Cells for exercise 4 that are no exercises themselves: they test whatever carries them through
time."""

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


class LeanCell:
    """h = sin(a) + h_prev / 2, where a adds the product: one gate, one state."""

    gates = "a"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        a = gx[0] + product(h_prev)[0]
        return (np.sin(a) + 0.5 * h_prev,), a

    def backward(self, dstate, cache, product):
        (dh,) = dstate
        da = dh * np.cos(cache)
        return (da,), (product.backward((da,)) + 0.5 * dh,)
