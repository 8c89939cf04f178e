"""Training on sequences that are drawn again at every step, so that none is seen twice."""

import math

from ..backend import get_array_module
from ..errors import NumberError
from ..layers import Linear
from ..optim import Adam, clip_grad_norm
from ..parameters import Module
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

POINTS = 40  # of a curve: so often in a run, the error is measured


class LastState(Module):
    """y = h_T W + b: K numbers [N, K] from each sequence x [T, N, D], or ids [T, N].

    recurrent: a `Recurrent`, or a `Stack` of one layer; h_T is the last state of each direction.
    """

    def __init__(self, recurrent, outputs, *, rng, dtype="float32"):
        self.recurrent = recurrent
        width = getattr(recurrent, "directions", 1) * recurrent.hidden_size
        self.linear = Linear(width, outputs, rng=rng, dtype=dtype)

    def forward(self, x):
        _, state, cache = self.recurrent.forward(x)
        h = state[0] if state[0].ndim == 2 else get_array_module(state[0]).hstack(list(state[0]))
        y, linear_cache = self.linear.forward(h)
        return y, (cache, linear_cache, state[0].shape, len(state))

    def backward(self, dy, cache):
        cache, linear_cache, shape, states = cache
        dlast = self.linear.backward(dy, linear_cache)
        if len(shape) == 3:
            dlast = dlast.reshape(shape[1], shape[0], shape[2]).swapaxes(0, 1)
        self.recurrent.backward(None, cache, (dlast, *[None] * (states - 1)))


class DrawnTrainer(IterationTrainer):
    """Adam on batches of new sequences, until the error on others is below `solved`.

        draw(rng)      (x, target) of a batch
        measure(net)   the error; the history has (iteration, error) at most forty times in a run
        solved         None: never, all iterations are made
        schedule       a function of the step that gives its learning rate

    Raises `NumberError` where a loss is not finite.
    """

    def __init__(self, net, loss, draw, measure, rng, *, iterations, lr=5e-3, clip=1.0,
                 solved=None, schedule=None):  # fmt: skip
        super().__init__(iterations, POINTS)
        self.net, self.loss, self.draw, self.measure, self.rng = net, loss, draw, measure, rng
        self.clip, self.solved, self.schedule = clip, solved, schedule
        self.optimizer = Adam(net.parameters(), lr)

    def is_over(self):
        """Return whether it is solved, or all iterations are done."""
        solved = self.solved is not None and self.history and self.history[-1][1] < self.solved
        return bool(solved) or super().is_over()

    def advance(self, left):
        """Make one step."""
        self.step()
        return 1

    def add_row(self):
        """Measure the error, and add a row to the history."""
        error = self.finite(self.measure(self.net))
        self.history.append((self.iteration, error))

    def step(self):
        """Forward, backward and Adam's step on one batch."""
        x, target = self.draw(self.rng)
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.iteration + self.position)
        self.net.zero_grad()
        y, cache = self.net.forward(x)
        loss, loss_cache = self.loss.forward(y, target)
        self.finite(loss)
        self.net.backward(self.loss.backward(loss_cache), cache)
        clip_grad_norm(self.optimizer.parameters, self.clip)
        self.optimizer.step()

    def finite(self, error):
        """Return the error as a float; `NumberError` where it is not finite."""
        if not math.isfinite(error := float(error)):
            raise NumberError(
                f"the error is {error} after {self.iteration:,} to "
                f"{self.iteration + self.every:,} iterations; try a smaller learning rate"
            )
        return error

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
        self.optimizer.load_state_dict({**optimizer, **facts["optimizer"]})  # checks the rest
        self.net.load_state_dict(net)
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
        unsolved = self.solved is None or all(row[1] >= self.solved for row in going_on)
        require(unsolved, "its history goes on after the problem was solved")
        own, saved = own_facts["optimizer"], facts["optimizer"]
        check_optimizer(saved, own, iteration + position)
        words = f"its learning rate is {saved['lr']}, but this run's is {own['lr']}"
        require(self.schedule is not None or saved["lr"] == own["lr"], words)
        check_arrays(arrays, own_arrays)
        generator_at(facts["rng"], self.rng)
