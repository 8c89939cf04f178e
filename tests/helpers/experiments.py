"""The trainers of the experiments, and their scripts run in this process."""

import importlib.util
import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest

import minirnn
from minirnn.batches import Sequences
from minirnn.cells import GRUCell
from minirnn.losses import CrossEntropy
from minirnn.reports import online
from minirnn.reports.adding import Adder, AddingTrainer
from minirnn.reports.nets import Classifier, Generator
from minirnn.reports.online import OnlineTrainer
from minirnn.reports.runs import generator_batch
from minirnn.storage.checkpoints import Checkpoint

ROOT = Path(minirnn.__file__).resolve().parents[1]


EXAMPLES = ROOT / "examples"


def one_by_one(seed=0, iterations=252, validation=True):
    """A trainer of a tiny net, one sequence at a time; its measures follow from the weights."""
    generator = np.random.default_rng(seed)
    words = [generator.integers(5, size=size) for size in (1, 2, 2, 3, 3, 4, 4, 5, 6)]
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    sequences = Sequences(words, labels, 3, 5)
    batches = [sequences.batch(np.array([k])) for k in range(9)]
    net = Classifier(GRUCell, 5, 3, 4, generator, "float32")
    measure = {"train": lambda net: float(net.out.W.data.max())}
    if validation:
        measure["validation"] = lambda net: -float(abs(net.out.b.data).sum())
    return OnlineTrainer(
        net, CrossEntropy(), batches, [np.flatnonzero(labels == c) for c in range(3)],
        rng=generator, lr=0.05, iterations=iterations, measure=measure,
    )  # fmt: skip


def adding_trainer(seed=0, iterations=88, T=4):
    generator = np.random.default_rng(seed)
    net = Adder(GRUCell, 3, rng=generator)
    return AddingTrainer(net, T, generator, iterations=iterations, batch_size=4)


def writing_trainer(seed=0, iterations=252):
    """A trainer of net F: its dropout draws from the generator that draws the names."""
    generator = np.random.default_rng(seed)
    words = [generator.integers(5, size=size) for size in (1, 2, 2, 3, 3, 4)]
    batches = [generator_batch(k % 3, word, 3, 5) for k, word in enumerate(words)]
    net = Generator(6, 3, 4, dropout=0.3, rng=generator)
    return OnlineTrainer(
        net, CrossEntropy("sum"), batches, [np.array([k, k + 3]) for k in range(3)],
        rng=generator, lr=0.05, iterations=iterations, decay=True,
    )  # fmt: skip


# Each with rows of several steps, and a last one of fewer.
TRAINERS = {"one by one": one_by_one, "writing": writing_trainer, "adding": adding_trainer}


class Killed(Exception):
    """A process that ends here, with what is on the disk."""


def stopped(make, path, rows, inside=False):
    """A checkpoint of a run that ends, as if killed, after so many rows, or inside the next."""
    trainer, checkpoint = make(), Checkpoint(path, {"a": 1})

    def save(trainer):
        if len(trainer.history) == rows and (trainer.position > 0) == inside:
            checkpoint.save(trainer)
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(online, "PATCH", 2)
        trainer.fit(None, save)


def loaded(name):
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def in_this_process(steps):
    """Instead of `jobs.run`: one task after the other. The first that is not begun yet is
    stopped after so many steps, as by Ctrl-C."""

    def run(function, tasks, jobs, then=list):
        for task in itertools.chain(tasks, more(then)):
            calls = iter(range(steps or 0))
            new = steps is not None and not task.begun()
            result = function(task, None, lambda: new and next(calls, None) is None)  # noqa: B023
            yield task, result
            if result is None:
                raise KeyboardInterrupt

    return run


class Task:
    def __init__(self, name, what, iterations=3):
        self.name, self.what, self.iterations = name, what, iterations


def more(then):
    """The tasks of then(), which is called again until it gives none."""
    while tasks := list(then()):
        yield from tasks


def say_and_wait(task, progress, stopped):
    Path(task.what).write_text(str(os.getpid()))
    time.sleep(600)
