"""The adding problem: remember two numbers over a long sequence, and add them.

Hochreiter and Schmidhuber 1997, experiment 4, in the form of Le, Jaitly and Hinton 2015.
"""

import math

import numpy as np

from ..errors import NumberError
from ..layers import Linear
from ..losses import MeanSquaredError
from ..optim import Adam, clip_grad_norm
from ..parameters import Module
from ..stacked import Recurrent
from ..storage.saved_state import (
    check_arrays,
    check_optimizer,
    generator_at,
    is_number,
    joined,
    numbers,
    parted,
    require,
)
from .iterations import IterationTrainer

CHANCE = 1 / 6  # the error of always answering 1: the variance of a sum of two even draws
SOLVED = 0.02  # an eighth of it
POINTS = 40  # of a curve: so often in a run, the error is measured


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


class AddingTrainer(IterationTrainer):
    """Adam on batches of new sequences, until the error on 512 others is below `SOLVED`.

    The history has (iteration, mean squared error on the 512) forty times in a run.
    """

    def __init__(self, net, T, rng, *, iterations, batch_size=32, lr=5e-3, clip=1.0):
        super().__init__(iterations, POINTS)
        self.net, self.T, self.rng = net, T, rng
        self.batch_size, self.clip = batch_size, clip
        self.loss, self.optimizer = MeanSquaredError(), Adam(net.parameters(), lr)
        self.test = draw(rng, T, 512)

    def is_over(self):
        """Return whether it is solved, or all iterations are done."""
        solved = bool(self.history) and self.history[-1][1] < SOLVED
        return solved or super().is_over()

    def advance(self, left):
        """One step."""
        self.step()
        return 1

    def add_row(self):
        """Measure the error on the 512, and add a row to the history."""
        x, target = self.test
        self.history.append((self.iteration, self.error(self.net.forward(x)[0], target)[0]))

    def step(self):
        """Forward, backward and Adam's step on one batch."""
        x, target = draw(self.rng, self.T, self.batch_size)
        self.net.zero_grad()
        y, cache = self.net.forward(x)
        self.net.backward(self.loss.backward(self.error(y, target)[1]), cache)
        clip_grad_norm(self.optimizer.parameters, self.clip)
        self.optimizer.step()

    def error(self, y, target):
        """(mean squared error, cache) of y and target [N, 1].

        Raises `NumberError` where it is not finite.
        """
        error, cache = self.loss.forward(y, target)
        if not math.isfinite(error := float(error)):
            raise NumberError(
                f"the error is {error} after {self.iteration:,} to "
                f"{self.iteration + self.every:,} iterations; try a smaller learning rate"
            )
        return error, cache

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        optimizer = self.optimizer.state_dict()
        return joined(net=self.net.state_dict(), optimizer=optimizer), {
            "optimizer": numbers(optimizer), "history": [list(row) for row in self.history],
            "position": self.position, "rng": self.rng.bit_generator.state,
        }  # fmt: skip

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave. Raises `CheckpointError` where something does not fit,
        before anything is assigned."""
        self.check_state(arrays, facts)
        net, optimizer = parted(arrays, "net", "optimizer")
        self.net.load_state_dict(net)
        self.optimizer.load_state_dict({**optimizer, **facts["optimizer"]})
        self.history = [tuple(row) for row in facts["history"]]
        self.iteration = self.history[-1][0] if self.history else 0
        self.position = facts["position"]
        self.rng.bit_generator.state = facts["rng"]

    def check_state(self, arrays, facts):
        """Raise `CheckpointError` unless `state_dict` could have given these."""
        own_arrays, own_facts = self.state_dict()
        whole = isinstance(facts, dict) and facts.keys() == own_facts.keys()
        require(whole, "its facts are not whole")
        rows = facts["history"]
        self.check_rows(rows)
        for k, row in enumerate(rows):
            where = f"row {k + 1} of its history"
            require(isinstance(row, list) and len(row) == 2, f"{where} is not one")
            self.check_place(k, row[0])
            require(is_number(row[1]) and row[1] >= 0, f"{where} has an error of {row[1]!r}")
        iteration, position = rows[-1][0] if rows else 0, facts["position"]
        self.check_position(position, iteration)
        going_on = rows if position else rows[:-1]
        unsolved = all(row[1] >= SOLVED for row in going_on)
        require(unsolved, "its history goes on after the problem was solved")
        own, saved = own_facts["optimizer"], facts["optimizer"]
        check_optimizer(saved, own, iteration + position)
        words = f"its learning rate is {saved['lr']}, but this run's is {own['lr']}"
        require(saved["lr"] == own["lr"], words)
        check_arrays(arrays, own_arrays)
        generator_at(facts["rng"], self.rng)
