"""Training as the reports do it: one sequence at a time, drawn by class, and plain SGD.

A class is drawn evenly, then a sequence of it, so a small class is seen as often as a large one.
At one sequence a step, every microsecond beside the net counts: sequences are made into batches
once, before training, and nothing is looked at but the loss.
"""

import math
import time

import numpy as np

from ..errors import NumberError
from ..optim import SGD
from ..storage.saved_state import check_arrays, generator_at, is_number, joined, parted, require
from .iterations import IterationTrainer

POINTS = 60  # of a curve: so often in a run, accuracy is measured
PATCH = 100  # steps between two looks at the clock, and two signs of life


class OnlineTrainer(IterationTrainer):
    """Plain SGD on one `Batch` of a single sequence at a time.

    batches: a list of them; classes: for every class the places in it. measure: {name: function
    of the net}, the numbers that a row of the history holds beside iteration and loss (a mean
    since the last row); where there is a "validation", the weights with the best one are kept in
    `best`. decay: the learning rate falls in a straight line, from row to row, from lr to nothing.
    """

    def __init__(
        self, net, loss, batches, classes, *, rng, lr, iterations, measure=None, decay=False
    ):  # fmt: skip
        super().__init__(iterations, POINTS)
        self.lr, self.decay = float(lr), decay  # NumPy's would make float64 of the gradients
        self.net, self.loss, self.batches = net, loss, batches
        self.optimizer, self.rng = SGD(net.parameters(), self.lr), rng
        self.sizes = np.array([len(places) for places in classes])
        self.starts, self.order = np.cumsum(self.sizes) - self.sizes, np.concatenate(classes)
        self.measure = measure or {}
        self.draws = self.row_rng = None  # places for this row, and the generator that drew them
        self.losses, self.seconds = 0.0, 0.0  # the sum in this row; those of training steps
        self.best, self.best_score, self.best_iteration = None, -math.inf, 0

    def advance(self, left):
        """At most `PATCH` steps; how many there were."""
        started = time.perf_counter()
        if not self.position:
            self.row_rng, self.losses = self.rng.bit_generator.state, 0.0
            self.draws = self.draw(left)
        if self.decay:
            self.optimizer.lr = self.lr * (1 - self.iteration / self.iterations)
        patch = self.draws[self.position : self.position + PATCH]
        for place in patch:
            self.losses += self.step(self.batches[place])
        self.seconds += time.perf_counter() - started
        return len(patch)

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
        # the gradient of lr times the loss: SGD's step is then one pass through the weights
        self.net.backward(self.loss.backward(loss_cache, self.optimizer.lr), cache)
        whole = self.optimizer.whole
        whole.data -= whole.grad
        return loss

    def add_row(self):
        """Measure, add a row to the history, and keep the weights if they are the best so far."""
        loss = self.losses / len(self.draws)
        measured = {name: function(self.net) for name, function in self.measure.items()}
        row = {"iteration": self.iteration, "loss": loss, **measured}
        self.history.append(row)
        if row.get("validation", -math.inf) > self.best_score:
            self.best_score, self.best_iteration = row["validation"], self.iteration
            self.best = self.net.state_dict()

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        arrays = joined(net=self.net.state_dict(), best=self.best or {})
        inside = self.position > 0
        return arrays, {
            "history": list(self.history), "seconds": self.seconds, "position": self.position,
            "losses": self.losses if inside else 0.0,
            "row_rng": self.row_rng if inside else None,
            "rng": self.rng.bit_generator.state,
        }  # fmt: skip

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave. Raises `CheckpointError` where something does not fit,
        before anything is assigned."""
        self.check_state(arrays, facts)
        net, weights = parted(arrays, "net", "best")
        self.net.load_state_dict(net)
        self.history, self.seconds = list(facts["history"]), facts["seconds"]
        self.iteration = self.history[-1]["iteration"] if self.history else 0
        self.best, self.best_score, self.best_iteration = None, -math.inf, 0
        if weights:
            best = max(self.history, key=lambda row: row["validation"])  # the first of equals
            self.best, self.best_score = weights, best["validation"]
            self.best_iteration = best["iteration"]
        self.position, self.losses = facts["position"], facts["losses"]
        self.row_rng = facts["row_rng"]
        if self.position:  # the row is drawn again; what follows it in the stream is not
            self.rng.bit_generator.state = self.row_rng
            self.draws = self.draw(self.row_length())
        self.rng.bit_generator.state = facts["rng"]

    def check_state(self, arrays, facts):
        """Raise `CheckpointError` unless `state_dict` could have given these."""
        own_arrays, own_facts = self.state_dict()
        whole = isinstance(facts, dict) and facts.keys() == own_facts.keys()
        require(whole, "its facts are not whole")
        rows, columns = facts["history"], {"iteration", "loss", *self.measure}
        self.check_rows(rows)
        for k, row in enumerate(rows):
            where = f"row {k + 1} of its history"
            require(isinstance(row, dict) and row.keys() == columns, f"{where} is not one")
            self.check_place(k, row["iteration"])
            for column, number in row.items():
                require(is_number(number), f"{where} has {column} = {number!r}")
        self.check_position(facts["position"], rows[-1]["iteration"] if rows else 0)
        seconds, losses = facts["seconds"], facts["losses"]
        require(is_number(seconds) and seconds >= 0, f"its seconds are {seconds!r}")
        require(is_number(losses), f"its sum of losses is {losses!r}")
        expected = {n: a for n, a in own_arrays.items() if n.startswith("net.")}
        if rows and "validation" in self.measure:
            expected |= {n.replace("net", "best", 1): a for n, a in expected.items()}
        check_arrays(arrays, expected)
        generator_at(facts["rng"], self.rng)
        if facts["position"]:
            generator_at(facts["row_rng"], self.rng)
        else:
            begun = facts["row_rng"] is not None or losses != 0
            require(not begun, "it has a state or losses for a row not begun")
