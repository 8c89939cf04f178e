"""Milestones: what a net of the student's own learns in a minute, after exercises 4, 6 and 7.

The cell and, from exercise 4, the `Recurrent` are the student's; loss and optimiser the library's.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import cli, stacked
from ..errors import DataError, MinirnnError
from ..layers import Linear
from ..losses import CrossEntropy
from ..measures import progress_bar
from ..optim import Adam, clip_grad_norm
from ..parameters import Module
from ..reports.adding import CHANCE, SOLVED, Adder, AddingTrainer
from ..reports.iterations import IterationTrainer
from . import typed
from .catalogue import BY_NUMBER
from .checking import SECONDS, check
from .output import wrapped

HIDDEN = 16
LONGEST, TESTED = 8, 12  # letters of a word, in training and in the test
PARITY = 0.95  # of the words tested must be right
T = 100
AT_MOST = 60  # seconds of training


@dataclass(frozen=True)
class Milestone:
    """What is learned after an exercise: with which cell, of which exercise, in how many steps."""

    exercise: int
    cell: str
    title: str
    iterations: int
    lr: float


PARITY_TITLE = "whether a word of 0 and 1 holds an odd number of ones"
ADDING_TITLE = f"the sum of two marked numbers among {T}"
MILESTONES = {
    4: Milestone(3, "RNNCell", PARITY_TITLE, 2000, 0.01),
    6: Milestone(6, "LSTMCell", ADDING_TITLE, 2500, 0.02),
    7: Milestone(7, "GRUCell", ADDING_TITLE, 1500, 0.02),
}


def reach(number, folder, conventions, seconds=SECONDS, seed=0):
    """Train the net of a milestone, and say in a sentence how far it comes; whether it is reached.

    Raises `DataError` where an exercise that it needs is not right yet.
    """
    milestone = MILESTONES[number]
    right = {exercise: bool(check(BY_NUMBER[exercise], folder, conventions, seconds))
             for exercise in (milestone.exercise, 4)}  # fmt: skip
    for needed in (milestone.exercise, number):
        if not right[needed]:
            raise DataError(
                f"milestone {number} runs your own code, but exercise {needed} in {folder} is not "
                f"right yet; {typed.exercises('check', folder, needed)} says what is wrong"
            )
    files = {exercise: Path(folder) / BY_NUMBER[exercise].file for exercise in right}
    cell = cli.load_cell(f"{files[milestone.exercise]}:{milestone.cell}", f"milestone {number}")
    whose, recurrent = "the library's Recurrent (exercise 4 is not right yet)", stacked.Recurrent
    if right[4]:
        whose, recurrent = "your Recurrent", cli.load_module(files[4], "exercise 4").Recurrent
    say(f"milestone {number}: {milestone.title}; your {milestone.cell} in {whose}")
    rng = np.random.default_rng(seed)
    trainer = (_parity if number == 4 else _adding)(milestone, cell, recurrent, rng)
    try:
        took = _fit(trainer, milestone.iterations)
    except MinirnnError:
        raise
    except Exception as error:  # whatever a student's code may do
        step, fault = trainer.iteration + trainer.position + 1, f"{type(error).__name__}: {error}"
        raise DataError(
            f"milestone {number}: your code fails in step {step:,} ({fault}), though exercise "
            f"{milestone.exercise} is right; is there a size or a state that it takes for granted?"
        ) from None
    words, reached = trainer.said()
    steps = trainer.iteration + trainer.position
    begin = "reached" if reached else "not reached"
    say(f"{begin} after {steps:,} step{'s' * (steps > 1)}, {took:.0f} s: {words}")
    if trainer.stopped:
        say(
            f"It was stopped after {AT_MOST} s, with {took / steps:.2g} s for a step: are there "
            "loops over rows or units in your code?"
        )
    return reached


def say(text):
    """Print a sentence, in lines of at most 80 characters."""
    print("\n".join(wrapped(text, "")), flush=True)


def _fit(trainer, iterations):
    """Train with a bar, for `AT_MOST` seconds; how many it took."""
    began = time.monotonic()

    def seconds():
        return time.monotonic() - began

    with progress_bar(total=iterations, unit="step", leave=False) as bar:
        if not trainer.fit(bar.update, stopped=lambda: seconds() > AT_MOST):
            trainer.add_row()
    return seconds()


class Zeros(Module):
    """A student's `Recurrent`, where None may stand for a gradient of zeros, as in the library."""

    def __init__(self, net):
        self.net, self.cell = net, net.cell

    def forward(self, x, sizes=None):
        """Output, final state and a cache, as of the net itself."""
        output, final, cache = self.net.forward(x, sizes)
        return output, final, (cache, output, final)

    def backward(self, doutput, cache, dfinal=None):
        """The net's own backward pass, with zeros for each None."""
        cache, output, final = cache
        doutput = np.zeros_like(output) if doutput is None else doutput
        pairs = zip(dfinal or [None] * len(final), final, strict=True)
        dfinal = tuple(np.zeros_like(f) if d is None else d for d, f in pairs)
        return self.net.backward(doutput, cache, dfinal)


def draw_words(rng, lengths):
    """(x [S, 1], sizes, labels [S]): words of 0 and 1, packed; a label for each letter, 1 where
    the ones up to there are odd in number."""
    lengths = np.sort(lengths)[::-1]
    bits = rng.integers(2, size=(lengths[0], len(lengths)))
    there = np.arange(lengths[0])[:, None] < lengths
    sizes = [int(n) for n in there.sum(axis=1)]
    return bits[there][:, None].astype("float32"), sizes, (bits.cumsum(axis=0) % 2)[there]


class Parity(IterationTrainer):
    """Adam on words of up to `LONGEST` letters, asked after each letter, until `PARITY` of others,
    of `TESTED` letters, are right."""

    def __init__(self, net, hidden_size, rng, iterations, lr):
        super().__init__(iterations, 40)
        self.net, self.rng, self.loss = net, rng, CrossEntropy()
        self.linear = Linear(hidden_size, 2, rng=rng)
        self.optimizer = Adam([*net.parameters(), *self.linear.parameters()], lr)
        self.test = draw_words(rng, np.full(500, TESTED))

    def is_over(self):
        """Whether it is reached, or all iterations are done."""
        return bool(self.history and self.history[-1] >= PARITY) or super().is_over()

    def advance(self, left):
        """One step."""
        x, sizes, labels = draw_words(self.rng, self.rng.integers(1, LONGEST + 1, size=64))
        self.optimizer.zero_grad()
        output, _, cache = self.net.forward(x, sizes)
        logits, linear_cache = self.linear.forward(output)
        _, loss_cache = self.loss.forward(logits, labels)
        self.net.backward(self.linear.backward(self.loss.backward(loss_cache), linear_cache), cache)
        clip_grad_norm(self.optimizer.parameters, 1.0)
        self.optimizer.step()
        return 1

    def add_row(self):
        """Measure the share of words of which the last answer is right."""
        x, sizes, labels = self.test
        logits, _ = self.linear.forward(self.net.forward(x, sizes)[0])
        last = slice(-sizes[-1], None)
        self.history.append(float((logits.argmax(axis=1) == labels)[last].mean()))

    def said(self):
        """(a sentence on how far it came, whether the milestone is reached)."""
        share = self.history[-1]
        return (
            f"right for {100 * share:.1f} % of words of {TESTED} letters, with words of up to "
            f"{LONGEST} in training; {100 * PARITY:.0f} % is the goal, and guessing gives 50 %"
        ), share >= PARITY


class Adding(AddingTrainer):
    """The adding problem, with a sentence at the end."""

    def said(self):
        """(a sentence on how far it came, whether the milestone is reached)."""
        error = self.history[-1][1]
        return (
            f"the mean squared error is {error:.4f}; below {SOLVED} is the goal, and always "
            f"answering 1 gives {CHANCE:.3f}"
        ), error < SOLVED


def _parity(milestone, cell, recurrent, rng):
    net = Zeros(recurrent(cell, 1, HIDDEN, rng=rng))
    return Parity(net, HIDDEN, rng, milestone.iterations, milestone.lr)


def _adding(milestone, cell, recurrent, rng):
    net = Adder(cell, HIDDEN, rng=rng)
    net.recurrent = Zeros(recurrent(cell, 2, HIDDEN, rng=rng))
    gates = net.recurrent.cell.gates
    if "f" in gates:
        net.recurrent.net.bx.data[gates.index("f")] = 1
    return Adding(net, T, rng, iterations=milestone.iterations, lr=milestone.lr)
