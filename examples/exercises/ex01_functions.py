"""Exercise 1: sigmoid, tanh, and their derivatives written from the output.

Read docs/04-one-step.md#derivatives. Then fill in the four blanks, and run

    python -P -m minirnn exercises check . 1
    python ex01_functions.py

A derivative "from the output" gets y = f(a), not a: the forward pass has y anyway.
"""

import numpy as np


def sigmoid(a):
    """y = 1 / (1 + exp(-a)), for an array of any shape; a = -1000 must give 0, not NaN."""
    # TODO 1a (1 line): return y. exp of a large number is infinite; np.tanh never overflows, and a
    # sigmoid is a tanh that is scaled and shifted.
    raise NotImplementedError("exercise 1: sigmoid is not written yet")


def d_sigmoid(y):
    """sigmoid'(a), where y = sigmoid(a)."""
    # TODO 1b (1 line): return the derivative, in terms of y.
    raise NotImplementedError("exercise 1: d_sigmoid is not written yet")


def tanh(a):
    """y = tanh(a), for an array of any shape."""
    # TODO 1c (1 line): return y. NumPy has it.
    raise NotImplementedError("exercise 1: tanh is not written yet")


def d_tanh(y):
    """tanh'(a), where y = tanh(a)."""
    # TODO 1d (1 line): return the derivative, in terms of y.
    raise NotImplementedError("exercise 1: d_tanh is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_functions

    try_functions(sigmoid, d_sigmoid, tanh, d_tanh)
