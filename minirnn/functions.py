"""Elementwise functions, each with its derivative *from the output*, and the softmax.

They take arrays of any shape and give arrays of the same, the softmax along the last axis. A
derivative written in terms of y = f(a) needs only what the forward pass has already computed,
which is why every backward pass in `cells.py` can do without the pre-activations.
"""

from .backend import get_array_module, taken


def sigmoid(a):
    """y = 1 / (1 + exp(-a)), computed as e / (1 + e) with e = exp(a).

    So a small y is as exact as a large one. Above 40 y is 1, whatever e: exp(1000) would overflow.
    """
    xp = get_array_module(a)
    e = xp.exp(xp.minimum(a, 40))
    return e / (1 + e)


def d_sigmoid(y):
    """sigmoid'(a) = y (1 - y), where y = sigmoid(a)."""
    return y * (1 - y)


def tanh(a):
    """y = (exp(a) - exp(-a)) / (exp(a) + exp(-a))."""
    return get_array_module(a).tanh(a)


def d_tanh(y):
    """tanh'(a) = 1 - y^2, where y = tanh(a)."""
    return 1 - y * y


def relu(a):
    """y = max(a, 0)."""
    return get_array_module(a).maximum(a, 0)


def d_relu(y):
    """relu'(a) = 1 where y > 0, else 0 (also at the kink, as PyTorch has it)."""
    return (y > 0).astype(y.dtype)


def identity(a):
    """y = a."""
    return a


def d_identity(y):
    """identity'(a) = 1."""
    return get_array_module(y).ones_like(y)


def log_softmax(a):
    """y_k = a_k - log sum_j exp(a_j), along the last axis.

    The largest a is subtracted first: it changes nothing, and exp can no longer overflow.
    """
    a = taken(None, whole=False, a=a)
    a, xp = a - a.max(axis=-1, keepdims=True), get_array_module(a)
    return a - xp.log(xp.exp(a).sum(axis=-1, keepdims=True))


def softmax(a):
    """y_k = exp(a_k) / sum_j exp(a_j), along the last axis: positive, with sum 1."""
    return get_array_module(a).exp(log_softmax(a))
