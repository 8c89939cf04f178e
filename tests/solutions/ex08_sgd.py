"""Exercise 8: SGD with momentum, and clipping.

Read docs/09-sgd.md#sgd, #momentum and #clipping. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 8
    python ex08_sgd.py
"""

import numpy as np


class SGD:
    """w = w - lr v, where v = momentum v + dw. The first v is dw."""

    def __init__(self, parameters, lr, momentum=0.0):
        self.parameters, self.lr, self.momentum = list(parameters), lr, momentum
        self.v = [np.zeros_like(p.data) for p in self.parameters]

    def step(self):
        """Move every parameter once. For each p: p.data is w, p.grad is dw; write into p.data."""
        for p, v in zip(self.parameters, self.v, strict=True):
            # the new v is momentum times the old one, plus dw, written into the array that is kept
            v *= self.momentum
            v += p.grad
            # downhill; lr stands outside v
            p.data -= self.lr * v


def clip_grad_norm(parameters, max_norm):
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), in place; returns the norm before.

    norm is the 2-norm of all gradients together.
    """
    parameters = list(parameters)
    # one norm for all arrays together
    norm = np.sqrt(sum((p.grad * p.grad).sum() for p in parameters))
    # one factor for all keeps the direction; never above 1, so small gradients stay
    scale = min(1.0, max_norm / (norm + 1e-6))
    for p in parameters:
        p.grad *= scale
    return norm


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_sgd

    try_sgd(SGD, clip_grad_norm)
