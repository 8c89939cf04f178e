"""The adding problem: remember two numbers over a long sequence, and add them.

Hochreiter and Schmidhuber 1997, experiment 4, in the form of Le, Jaitly and Hinton 2015.
"""

import numpy as np

from .layers import Linear
from .losses import MeanSquaredError
from .optim import Adam, clip_grad_norm
from .parameters import Module
from .stacked import Recurrent

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


class Adder(Module):
    """y = h_T W + b: one number [N, 1] from each sequence x [T, N, 2]."""

    def __init__(self, cell, hidden_size, *, rng, forget_bias=None, dtype="float32"):
        self.recurrent = Recurrent(
            cell, 2, hidden_size, rng=rng, forget_bias=forget_bias, dtype=dtype
        )
        self.linear = Linear(hidden_size, 1, rng=rng, dtype=dtype)

    def forward(self, x):
        _, state, cache = self.recurrent.forward(x)
        y, linear_cache = self.linear.forward(state[0])
        return y, (cache, linear_cache)

    def backward(self, dy, cache):
        cache, linear_cache = cache
        dlast = self.linear.backward(dy, linear_cache)
        others = len(self.recurrent.cell.states) - 1
        self.recurrent.backward(None, cache, (dlast, *[None] * others))


def train(
    net, T, rng, *, iterations, progress=None, stopped=None, batch_size=32, lr=5e-3, clip=1.0
):
    """[(iteration, mean squared error on 512 other sequences), ...], with Adam.

    Ends when the error is below `SOLVED`; None where stopped() became true.
    """
    loss, optimizer = MeanSquaredError(), Adam(net.parameters(), lr)
    test, target = draw(rng, T, 512)
    every, history = max(1, iterations // 40), []
    for k in range(1, iterations + 1):
        x, wanted = draw(rng, T, batch_size)
        net.zero_grad()
        y, cache = net.forward(x)
        net.backward(loss.backward(loss.forward(y, wanted)[1]), cache)
        clip_grad_norm(optimizer.parameters, clip)
        optimizer.step()
        if progress:
            progress(1)
        if stopped and stopped():
            return None
        if k % every == 0:
            history.append((k, float(loss.forward(net.forward(test)[0], target)[0])))
            if history[-1][1] < SOLVED:
                break
    return history
