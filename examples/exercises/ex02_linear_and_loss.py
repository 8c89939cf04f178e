"""Exercise 2: a linear layer, and the loss that most nets end in.

Read docs/04-one-step.md#linear and docs/03-softmax-and-loss.md. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 2
    python ex02_linear_and_loss.py

The second command trains with whatever is there: where `backward` is missing, a numerical
gradient stands in for it.
"""

import numpy as np

from minirnn.parameters import Module, Parameter, uniform


class Linear(Module):
    """y = x W + b, with x [N, D], W [D, K], b [K]."""

    def __init__(self, in_features, out_features, bias=True, *, rng, dtype="float32"):
        bound = in_features**-0.5
        self.W = Parameter(uniform(rng, (in_features, out_features), bound, dtype))
        self.b = Parameter(uniform(rng, (out_features,), bound, dtype)) if bias else None

    def forward(self, x):
        """y and a cache. The arrays are self.W.data and self.b.data."""
        # TODO 2a (2 lines): compute y [N, K], and return y and what backward needs:
        # return y, x
        raise NotImplementedError("exercise 2: Linear.forward is not written yet")

    def backward(self, dy, cache):
        """dx; adds (+=) to self.W.grad and self.b.grad."""
        x = cache
        # TODO 2b (3 lines): add to self.W.grad [D, K] and to self.b.grad [K], and return dx [N,
        # D]. There is only one way in which the shapes fit.
        raise NotImplementedError("exercise 2: Linear.backward is not written yet")


def log_softmax(a):
    """log(exp(a_k) / sum_j exp(a_j)) along the last axis of a [N, K]."""
    # TODO 2c (2 lines): subtract the largest a of each row first, so that exp cannot overflow.
    raise NotImplementedError("exercise 2: log_softmax is not written yet")


class CrossEntropy:
    """loss = - mean over the rows n of log_softmax(logits)[n, labels[n]]."""

    def forward(self, logits, labels):
        """The loss, one number, and a cache. logits [N, K], labels [N] whole numbers."""
        # TODO 2d (3 lines): log_p [N, K], then the loss; np.arange(N) and labels pick one of each
        # row:
        # return loss, (log_p, labels)
        raise NotImplementedError("exercise 2: CrossEntropy.forward is not written yet")

    def backward(self, cache, dloss=1.0):
        """dlogits [N, K], scaled by dloss, the gradient of the loss itself."""
        log_p, labels = cache
        # TODO 2e (3 lines): return dlogits. Mind the mean of forward, and dloss.
        raise NotImplementedError("exercise 2: CrossEntropy.backward is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_linear

    try_linear(Linear, CrossEntropy)
