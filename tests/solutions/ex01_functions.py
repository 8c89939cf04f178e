"""Exercise 1: sigmoid, tanh, and their derivatives written from the output.

Read docs/04-one-step.md#derivatives. Then fill in the four blanks, and run

    python -P -m minirnn exercises check . 1
    python ex01_functions.py

A derivative "from the output" gets y = f(a), not a: the forward pass has y anyway.
"""

import numpy as np


def sigmoid(a):
    """y = 1 / (1 + exp(-a)), for an array of any shape; a = -1000 must give 0, not NaN."""
    # the S-curve of tanh, half as high, shifted up, twice as wide; nothing here overflows
    return 0.5 * np.tanh(0.5 * a) + 0.5


def d_sigmoid(y):
    """sigmoid'(a), where y = sigmoid(a)."""
    # y = 1 / (1 + e), e = exp(-a): sigmoid'(a) = e / (1 + e)^2, and e / (1 + e) is 1 minus y
    return y * (1 - y)


def tanh(a):
    """y = tanh(a), for an array of any shape."""
    return np.tanh(a)


def d_tanh(y):
    """tanh'(a), where y = tanh(a)."""
    # y = sinh / cosh: the quotient rule gives (cosh^2 - sinh^2) / cosh^2
    return 1 - y * y


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_functions

    try_functions(sigmoid, d_sigmoid, tanh, d_tanh)
