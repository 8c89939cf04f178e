"""Training as the reports do it: one sequence at a time, drawn by class, and plain SGD.

A class is drawn evenly, then a sequence of it, so a small class is seen as often as a large one.
At one sequence a step, every microsecond beside the net counts: sequences are made into batches
once, before training, and nothing is looked at but the loss.
"""

import math
import time

import numpy as np

from .errors import CheckpointError, NumberError
from .optim import SGD

POINTS = 60  # of a curve: so often in a run, accuracy is measured and a checkpoint written
PATCH = 100  # steps between two signs of life


class OneByOne:
    """SGD on one `Batch` of a single sequence at a time.

    batches: a list of them; classes: for every class the places in it. measure(net) gives the
    numbers that a row of the history holds beside iteration and loss (a mean since the last row);
    where they have a "validation", the weights with the best one are kept in `best`.
    A run that is stopped goes on from its last row, and ends with the same bits.
    """

    def __init__(self, net, loss, batches, classes, *, rng, lr, iterations, measure=None):
        self.net, self.loss, self.batches = net, loss, batches
        self.optimizer, self.rng = SGD(net.parameters(), lr), rng
        self.iterations, self.every = iterations, -(-iterations // POINTS)
        self.sizes = np.array([len(places) for places in classes])
        self.starts, self.order = np.cumsum(self.sizes) - self.sizes, np.concatenate(classes)
        self.measure = measure or (lambda net: {})
        self.iteration, self.history, self.seconds = 0, [], 0.0
        self.best, self.best_score, self.best_iteration = None, -math.inf, 0

    def fit(self, progress=None, checkpoint=None, stopped=None):
        """Train to the end: True; or until stopped() is true: False.

        progress(number of steps) is called every now and then, checkpoint(trainer) after every
        row of the history. Raises `NumberError` where the loss is NaN or infinite.
        """
        while self.iteration < self.iterations:
            steps = min(self.every, self.iterations - self.iteration)
            total, started, draws = 0.0, time.perf_counter(), self.draw(steps)
            for first in range(0, steps, PATCH):
                patch = draws[first : first + PATCH]
                for place in patch:
                    total += self.step(self.batches[place])
                if progress:
                    progress(len(patch))
                if stopped and stopped():
                    return False
            self.seconds += time.perf_counter() - started
            self.iteration += steps
            self.add_row(total / steps)
            if checkpoint:
                checkpoint(self)
        return True

    def draw(self, count):
        """Places of `count` sequences: a class each, then one of its sequences."""
        classes = self.rng.integers(len(self.sizes), size=count)
        chosen = self.order[self.starts[classes] + self.rng.integers(self.sizes[classes])]
        return chosen.tolist()

    def step(self, batch):
        """Forward, backward and the step on one sequence; its loss. Raises `NumberError` where it
        is not finite."""
        for p in self.optimizer.parameters:
            p.grad.fill(0)
        logits, cache = self.net.forward(batch, training=True)
        loss, loss_cache = self.loss.forward(logits, batch.labels)
        loss = float(loss)
        if not math.isfinite(loss):
            raise NumberError(
                f"the loss is {loss} after {self.iteration:,} to {self.iteration + self.every:,} "
                "iterations; try a smaller learning rate"
            )
        self.net.backward(self.loss.backward(loss_cache), cache)
        self.optimizer.step()
        return loss

    def add_row(self, loss):
        """Measure, add a row to the history, and keep the weights if they are the best so far."""
        row = {"iteration": self.iteration, "loss": loss, **self.measure(self.net)}
        self.history.append(row)
        if row.get("validation", -math.inf) > self.best_score:
            self.best_score, self.best_iteration = row["validation"], self.iteration
            self.best = self.net.state_dict()

    _numbers = ("iteration", "history", "seconds", "best_score", "best_iteration")

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        arrays = {f"net.{name}": a for name, a in self.net.state_dict().items()}
        arrays |= {f"best.{name}": a for name, a in (self.best or {}).items()}
        facts = {name: getattr(self, name) for name in self._numbers}
        return arrays, {**facts, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave; raises `CheckpointError` where something is missing."""
        parts = {"net": {}, "best": {}}
        try:
            for name, array in arrays.items():
                part, _, rest = name.partition(".")
                parts[part][rest] = array
            self.net.load_state_dict(parts["net"])
            self.best = parts["best"] or None
            for name in self._numbers:
                setattr(self, name, facts[name])
            self.rng.bit_generator.state = facts["rng"]
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the checkpoint is not whole ({error})") from None
