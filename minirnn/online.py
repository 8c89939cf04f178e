"""Training as the reports do it: one sequence at a time, drawn by class, and plain SGD.

A class is drawn evenly, then a sequence of it, so a small class is seen as often as a large one.
At one sequence a step, every microsecond beside the net counts: sequences are made into batches
once, before training, and nothing is looked at but the loss.
"""

import math
import time

import numpy as np

from .errors import NumberError
from .optim import SGD
from .resume import check_arrays, generator_at, is_number, is_whole, require

POINTS = 60  # of a curve: so often in a run, accuracy is measured and a checkpoint written
PATCH = 100  # steps between two signs of life


class OneByOne:
    """SGD on one `Batch` of a single sequence at a time.

    batches: a list of them; classes: for every class the places in it. measure: {name: function
    of the net}, the numbers that a row of the history holds beside iteration and loss (a mean
    since the last row); where there is a "validation", the weights with the best one are kept in
    `best`.
    A run that is stopped goes on from its last row, and ends with the same bits.
    """

    def __init__(self, net, loss, batches, classes, *, rng, lr, iterations, measure=None):
        self.net, self.loss, self.batches = net, loss, batches
        self.optimizer, self.rng = SGD(net.parameters(), lr), rng
        self.iterations, self.every = iterations, -(-iterations // POINTS)
        self.sizes = np.array([len(places) for places in classes])
        self.starts, self.order = np.cumsum(self.sizes) - self.sizes, np.concatenate(classes)
        self.measure = measure or {}
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
        self.optimizer.zero_grad()
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
        measured = {name: function(self.net) for name, function in self.measure.items()}
        row = {"iteration": self.iteration, "loss": loss, **measured}
        self.history.append(row)
        if row.get("validation", -math.inf) > self.best_score:
            self.best_score, self.best_iteration = row["validation"], self.iteration
            self.best = self.net.state_dict()

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        arrays = {f"net.{name}": a for name, a in self.net.state_dict().items()}
        arrays |= {f"best.{name}": a for name, a in (self.best or {}).items()}
        rng = self.rng.bit_generator.state
        return arrays, {"history": list(self.history), "seconds": self.seconds, "rng": rng}

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave. Raises `CheckpointError` where something does not fit,
        before anything is assigned."""
        self.check_state(arrays, facts)
        parts = {"net": {}, "best": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = array
        self.net.load_state_dict(parts["net"])
        self.history, self.seconds = list(facts["history"]), facts["seconds"]
        self.iteration = self.history[-1]["iteration"] if self.history else 0
        self.best, self.best_score, self.best_iteration = None, -math.inf, 0
        if parts["best"]:
            best = max(self.history, key=lambda row: row["validation"])  # the first of equals
            self.best, self.best_score = parts["best"], best["validation"]
            self.best_iteration = best["iteration"]
        self.rng.bit_generator.state = facts["rng"]

    def check_state(self, arrays, facts):
        """Raise `CheckpointError` unless `state_dict` could have given these."""
        own_arrays, own_facts = self.state_dict()
        whole = isinstance(facts, dict) and facts.keys() == own_facts.keys()
        require(whole, "its facts are not whole")
        rows, columns = facts["history"], {"iteration", "loss", *self.measure}
        check_history(rows, self.iterations, self.every)
        for k, row in enumerate(rows):
            where = f"row {k + 1} of its history"
            require(isinstance(row, dict) and row.keys() == columns, f"{where} is not one")
            check_place(k, row["iteration"], self.iterations, self.every)
            for column, number in row.items():
                require(is_number(number), f"{where} has {column} = {number!r}")
        seconds = facts["seconds"]
        require(is_number(seconds) and seconds >= 0, f"its seconds are {seconds!r}")
        expected = {n: a for n, a in own_arrays.items() if n.startswith("net.")}
        if rows and "validation" in self.measure:
            expected |= {n.replace("net", "best", 1): a for n, a in expected.items()}
        check_arrays(arrays, expected)
        generator_at(facts["rng"], self.rng)


def check_history(rows, iterations, every):
    """A history with a row after `every` iterations and after the last: a list, not too long."""
    most = -(-iterations // every)
    require(isinstance(rows, list) and len(rows) <= most, f"its history is not 0 to {most} rows")


def check_place(k, iteration, iterations, every):
    """Row k of such a history, counted from 0, is of the iteration that it must be of."""
    expected = min((k + 1) * every, iterations)
    require(
        is_whole(iteration) and iteration == expected,
        f"row {k + 1} of its history is of iteration {iteration!r}, but must be of {expected}",
    )
