"""The adding problem: remember two numbers over a long sequence, and add them.

Hochreiter and Schmidhuber 1997, experiment 4, in the form of Le, Jaitly and Hinton 2015.
"""

import numpy as np

from ..losses import MeanSquaredError
from ..stacked import Recurrent
from .drawn import DrawnTrainer, LastState

CHANCE = 1 / 6  # the error of always answering 1: the variance of a sum of two even draws
SOLVED = 0.02  # an eighth of it


def draw(rng, T, N, dtype="float32"):
    """(x [T, N, 2], target [N, 1]): numbers from 0 to 1, two of them marked, and their sum.

    The first mark lies in the first half, the second in the other.
    """
    x = np.zeros((T, N, 2), dtype)
    x[:, :, 0] = rng.random((T, N))
    rows = np.arange(N)
    marks = np.stack([rng.integers(T // 2, size=N), rng.integers(T // 2, T, size=N)])
    x[marks, rows, 1] = 1
    return x, x[marks, rows, 0].sum(axis=0)[:, None]


class Adder(LastState):
    """y = h_T W + b: one number [N, 1] from each sequence x [T, N, 2]."""

    def __init__(self, cell, hidden_size, *, rng, forget_bias=None, dtype="float32"):
        options = {"rng": rng, "forget_bias": forget_bias, "dtype": dtype}
        super().__init__(Recurrent(cell, 2, hidden_size, **options), 1, rng=rng, dtype=dtype)


class AddingTrainer(DrawnTrainer):
    """Adam on batches of new sequences, until the error on 512 others is below `SOLVED`.

    The history has (iteration, mean squared error on the 512) at most forty times in a run.
    """

    def __init__(self, net, T, rng, *, iterations, batch_size=32, lr=5e-3, clip=1.0):
        self.test = draw(rng, T, 512)
        super().__init__(
            net, MeanSquaredError(), lambda rng: draw(rng, T, batch_size), self.error, rng,
            iterations=iterations, lr=lr, clip=clip, solved=SOLVED,
        )  # fmt: skip

    def error(self, net):
        """Return the mean squared error on the 512."""
        x, target = self.test
        return self.loss.forward(net.forward(x)[0], target)[0]
