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
        # TODO 8a (4 lines): for each parameter and its velocity: renew the velocity, in place,
        # then move p.data, in place. p.grad stays as it is.
        raise NotImplementedError("exercise 8: SGD.step is not written yet")


def clip_grad_norm(parameters, max_norm):
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), in place; returns the norm before.

    norm is the 2-norm of all gradients together.
    """
    parameters = list(parameters)
    # TODO 8b (5 lines): the norm over all parameters, the factor, and every p.grad scaled in
    # place.
    raise NotImplementedError("exercise 8: clip_grad_norm is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_sgd

    try_sgd(SGD, clip_grad_norm)
