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
        # each row of x goes through W; b is added to every row
        y = x @ self.W.data + self.b.data
        return y, x

    def backward(self, dy, cache):
        """dx; adds (+=) to self.W.grad and self.b.grad."""
        x = cache
        # W meets every row of x: its gradient is a sum over the rows, which the product takes
        self.W.grad += x.T @ dy
        # b is added to every row: the sum over them
        self.b.grad += dy.sum(axis=0)
        # undo the product: back through W, turned
        return dy @ self.W.data.T


def log_softmax(a):
    """log(exp(a_k) / sum_j exp(a_j)) along the last axis of a [N, K]."""
    # a shift of a row changes nothing in the result, and exp of 0 or less cannot overflow
    a = a - a.max(axis=-1, keepdims=True)
    # the log of a quotient is a difference: no log of a number that may be rounded to 0
    return a - np.log(np.exp(a).sum(axis=-1, keepdims=True))


class CrossEntropy:
    """loss = - mean over the rows n of log_softmax(logits)[n, labels[n]]."""

    def forward(self, logits, labels):
        """The loss, one number, and a cache. logits [N, K], labels [N] whole numbers."""
        log_p = log_softmax(logits)
        # one entry of each row, that of the true class
        loss = -log_p[np.arange(len(labels)), labels].mean()
        return loss, (log_p, labels)

    def backward(self, cache, dloss=1.0):
        """dlogits [N, K], scaled by dloss, the gradient of the loss itself."""
        log_p, labels = cache
        # the gradient of the log of the sum is the softmax p, in every class;
        dlogits = np.exp(log_p)
        # that of the logit which was picked is 1, with the minus of the loss
        dlogits[np.arange(len(labels)), labels] -= 1
        # the mean gave each row its share; dloss is what comes from above
        return dlogits * dloss / len(labels)


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_linear

    try_linear(Linear, CrossEntropy)
