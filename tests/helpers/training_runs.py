"""Runs of a small trainer, stopped and saved, and saved states that are changed."""

import json

import numpy as np

from minirnn.batches import Sequences
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier, StepModel
from minirnn.optim import SGD, Adam, AdamW, one_cycle
from minirnn.storage import checkpoints
from minirnn.storage.checkpoints import Checkpoint
from minirnn.storage.files import read_npz
from minirnn.training import Trainer

EPOCHS, STEPS = 4, 5  # epochs of a run, and steps of an epoch


OPTIMISERS = {
    "SGD": lambda p: SGD(p, 0.1),
    "momentum": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: Adam(p, 0.02),
    "AdamW": lambda p: AdamW(p, 0.02),
}


USUAL = dict(sampling="natural", dropout=0.3, patience=None, schedule=True, optimizer="AdamW",
             cell="lstm")  # fmt: skip


def problem():
    rng = np.random.default_rng(0)
    words = [rng.integers(5, size=size) for size in rng.integers(1, 7, size=50)]
    return Sequences(words, rng.integers(3, size=50), 3, 5)


PROBLEM = problem()
TEXT = Sequences([[0, 1, 2, 3, 4]] * 50, targets=[[1, 2, 0, 1, 2]] * 50, num_symbols=5)


def trainer(sampling, dropout, patience, schedule, optimizer, cell, seed=0):
    rng, index = np.random.default_rng(seed), np.arange(50)
    streams = sampling == "streams"
    net = (StepModel if streams else NameClassifier)(
        5, 3, rng=rng, cell=cell, hidden_size=4, embedding=3, dropout=dropout, num_layers=2
    )
    return Trainer(
        net, CrossEntropy(), OPTIMISERS[optimizer](net.parameters()), TEXT if streams else PROBLEM,
        index[:34], index[34:], rng=rng, epochs=EPOCHS, batch_size=7, clip=1.0, sampling=sampling,
        patience=patience, schedule=one_cycle(0.02, EPOCHS * STEPS) if schedule else None,
    )  # fmt: skip


def stopped_run(path, step=8, **options):
    """A checkpoint of a run that was stopped after this step."""
    run = trainer(**{**USUAL, **options})
    run.fit(lambda run: setattr(run, "stopped", run.step == step), Checkpoint(path, {"a": 1}))
    return run


def rewritten(path, change):
    """The checkpoint at `path` with its arrays and facts changed by change(arrays, facts)."""
    arrays = read_npz(path)
    facts = json.loads(arrays.pop("facts").tobytes())
    change(arrays, facts)
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    checkpoints.write_npz(path, {"facts": text, **arrays})


def run_fact(name, value):
    return lambda arrays, facts: facts["run"].__setitem__(name, value)


def array(name, value):
    return lambda arrays, facts: arrays.__setitem__(name, value)


def rng(**change):
    return lambda arrays, facts: facts["run"]["rng"].update(change)
