"""The ten exercises: their files, rungs, chapters and hints."""

import contextlib
from dataclasses import dataclass
from functools import partial

from .judges.cells import CellJudge
from .judges.credit import with_credit
from .judges.own_cell import OwnJudge
from .judges.parts import (
    ANY_SHAPE,
    judge_any_shape,
    judge_function,
    judge_linear,
    judge_log_softmax,
    judge_loss,
)
from .judges.result import ONE_ROW, OTHER_SIZES
from .judges.sgd import (
    MANY,
    MANY_SHAPES,
    RATES_CHANGE,
    SMALL,
    judge_clip,
    judge_rates,
    judge_sgd,
    judge_small,
)
from .judges.through_time import SIZES, TimeJudge


@dataclass(frozen=True)
class Exercise:
    """One exercise. steps(hand_in, conventions, rng) gives [(rung, section, judge)] from below.

    A function that gives [(case in words, judge)] may stand fourth: unusual cases, judged when all
    is right in the usual one.
    """

    number: int
    file: str
    title: str
    steps: object
    hints: tuple
    support: tuple = ()  # what may be imported of minirnn, beside what all exercises may
    unchanged: tuple = ()  # classes that must not be left as they were handed out


def _functions(hand_in, conventions, rng):
    section = "docs/04-one-step.md#derivatives"
    return [
        (name, section, lambda name=name: judge_function(hand_in, name, rng),
         lambda name=name: [(ANY_SHAPE, lambda: judge_any_shape(hand_in, name, rng))])
        for name in ("sigmoid", "d_sigmoid", "tanh", "d_tanh")
    ]  # fmt: skip


def _linear_and_loss(hand_in, conventions, rng):
    linear, softmax = "docs/04-one-step.md#linear", "docs/03-softmax-and-loss.md"
    rungs = [
        ("Linear.forward", linear, partial(judge_linear, hand_in, False, rng)),
        ("Linear.backward", linear, partial(judge_linear, hand_in, True, rng)),
        ("log_softmax", f"{softmax}#log-softmax", partial(judge_log_softmax, hand_in, rng)),
        ("CrossEntropy.forward", f"{softmax}#cross-entropy",
         partial(judge_loss, hand_in, False, rng)),
        ("CrossEntropy.backward", f"{softmax}#backward", partial(judge_loss, hand_in, True, rng)),
    ]  # fmt: skip
    return [
        (*rung, lambda judge=rung[2]: [(ONE_ROW, partial(judge, rows=1)),
                                       (OTHER_SIZES, partial(judge, sizes=(6, 2)))])
        for rung in rungs
    ]  # fmt: skip


def _cell(name, target, chapter, backward=True):
    def steps(hand_in, conventions, rng):
        judge = CellJudge(hand_in, name, target, conventions, rng)
        forward = f"{name}.forward", f"{chapter}#forward"
        if not backward:
            return [(*forward, judge.forward_and_cache, lambda: judge.unusual("forward"))]
        return [
            (*forward, judge.forward_before_backward, lambda: judge.unusual("forward")),
            (f"{name}.backward", f"{chapter}#backward", judge.the_rest,
             lambda: judge.unusual("backward")),
        ]  # fmt: skip

    return steps


def _lstm_backward(hand_in, conventions, rng):
    """Forward is given, so it earns nothing; but it must still be right."""
    judge = CellJudge(hand_in, "LSTMCell", "cells.LSTMCell", conventions, rng)
    section = "docs/06-lstm.md#backward"
    return [("LSTMCell.backward", section, judge.both, lambda: judge.unusual("both"))]


def _time(hand_in, conventions, rng):
    chapter = "docs/05-through-time.md"
    equal, different = TimeJudge(hand_in, rng), TimeJudge(hand_in, rng, SIZES)
    rungs = [
        ("forward, equal lengths", f"{chapter}#the-unrolled-net", equal.forward),
        ("backward, equal lengths", f"{chapter}#backward-through-time", equal.backward),
        ("forward, different lengths", f"{chapter}#variable-lengths", different.forward),
        ("backward, different lengths", f"{chapter}#variable-lengths", different.backward),
    ]
    return [(*rung, lambda judge=rung[2]: judge.__self__.unusual(judge.__name__)) for rung in rungs]


def _sgd(hand_in, conventions, rng):
    chapter = "docs/09-sgd.md"
    return [
        ("SGD.step without momentum", f"{chapter}#sgd", lambda: judge_sgd(hand_in, 0.0, rng)),
        ("SGD.step with momentum", f"{chapter}#momentum", lambda: judge_sgd(hand_in, 0.8, rng),
         lambda: [(MANY, lambda: judge_sgd(hand_in, 0.8, rng, MANY_SHAPES)),
                  (RATES_CHANGE, lambda: judge_rates(hand_in, rng))]),
        ("clip_grad_norm", f"{chapter}#clipping", lambda: judge_clip(hand_in, rng),
         lambda: [(SMALL, lambda: judge_small(hand_in))]),
    ]  # fmt: skip


def _find_the_bug(hand_in, conventions, rng):
    from ..gradcheck.zoo import ZOO

    rungs = []
    for letter, name in zip("ABCDE", conventions.bugs, strict=True):
        target = next(b.target for b in ZOO if b.name == name)
        chapter = {
            "cells.RNNCell": "docs/04-one-step.md#backward",
            "cells.LSTMCell": "docs/06-lstm.md#backward",
            "cells.GRUCell": "docs/07-gru.md#backward",
            "cells.GRUBeforeCell": "docs/07-gru.md#backward-reset-before",
        }[target]
        judge = CellJudge(hand_in, f"Cell{letter}", target, conventions, rng)
        rungs.append((f"Cell{letter}", chapter, judge.both, partial(judge.unusual, "both")))
    return rungs


def _own(hand_in, conventions, rng):
    judge, alone = OwnJudge(hand_in, rng), OwnJudge(hand_in, rng, rows=1, units=4)
    chapter = "docs/04-one-step.md"
    return [
        ("the contract, and forward", f"{chapter}#the-cell-contract", judge.contract,
         lambda: [(ONE_ROW, alone.contract)]),
        ("every gate and state matters", f"{chapter}#the-cell-contract", judge.matters),
        ("backward", f"{chapter}#the-chain-rule", judge.gradients,
         lambda: [(ONE_ROW, alone.gradients)]),
    ]  # fmt: skip


FUNCTIONS = ("functions",)
EXERCISES = [
    Exercise(
        1, "ex01_functions.py", "sigmoid, tanh and their derivatives", _functions,
        ("A derivative from the output is a formula in y alone; a does not appear in it.",
         "Which of the four can be had from np.tanh? For a sigmoid, compare its curve with that "
         "of tanh: half as high, shifted up, twice as wide.",
         "Differentiate 1 / (1 + exp(-a)) on paper, and look for y and for 1 - y in the result. "
         "For tanh use the quotient rule on sinh / cosh. y is given: apply no function to it."),
    ),
    Exercise(
        2, "ex02_linear_and_loss.py", "Linear, log-softmax and cross-entropy", _linear_and_loss,
        ("Ask of each array: in which places of forward does it appear, and with which factor?",
         "Write the shapes next to each other: x [N, D], dy [N, K], W [D, K]. The gradient of an "
         "array has the array's shape, and a sum over N must be somewhere in dW and db. A sum or a "
         "maximum with keepdims=True fits the array that it was taken of.",
         "The gradient of the logits is the probabilities, less something at the true class; then "
         "think of what forward did after picking: the mean, and of dloss above it."),
    ),
    Exercise(
        3, "ex03_rnn_cell.py", "RNN cell, forward and backward",
        _cell("RNNCell", "cells.RNNCell", "docs/04-one-step.md"),
        ("Forward is two lines: a sum, and a function of it. Backward undoes the second first.",
         "gx and product(h_prev) have a gate axis of length 1. d_tanh takes the output of tanh.",
         "Two things come out of backward. One is the gradient of a, which is also that of gx, "
         "because gx is only added. The other is what product.backward makes of it: it wants a "
         "tuple, with one array for each gate."),
        FUNCTIONS,
    ),
    Exercise(
        4, "ex04_through_time.py", "backpropagation through time", _time,
        ("Draw three steps side by side, and every arrow. Backward walks each arrow once.",
         "Two arrows leave the state of a step: up to the output, and on to the next step. What "
         "the cell's backward returned for the step after this one is already in dstate.",
         "For different lengths: rows are sorted, longest first, so those that end are the last "
         "rows. Forward cuts them off and puts them aside; backward puts rows of dfinal on at the "
         "end of each part of dstate, at the step where forward cut."),
        FUNCTIONS,
    ),
    Exercise(
        5, "ex05_lstm_forward.py", "LSTM, forward",
        with_credit(_cell("LSTMCell", "cells.LSTMCell", "docs/06-lstm.md", backward=False)),
        ("Four pre-activations, three gates and a candidate, then c, then h.",
         "Gates are shares, between 0 and 1; the candidate may be negative. Which function gives "
         "which? The order of the four blocks is that of `gates`.",
         "The new c has two terms: a share of the old c, and a share of the candidate. h shows a "
         "share of the new c, after it has gone through a tanh."),
        FUNCTIONS,
    ),
    Exercise(
        6, "ex06_lstm_backward.py", "LSTM, backward",
        with_credit(_lstm_backward),
        ("Take the lines of forward from the last to the first; each is a product, a sum or a "
         "function of one entry.",
         "In a product each factor gets the other one. c goes two ways: into h, and to the next "
         "step; the given dc is the share of the second.",
         "Check four things: does dc get its second share before it is used for anything? Is every "
         "derivative taken of the gate's own output? Does c_prev get a gradient at all, and is the "
         "tuple for the product in the order of `gates`?"),
        FUNCTIONS,
    ),
    Exercise(
        7, "ex07_gru.py", "GRU, forward and backward",
        with_credit(_cell("GRUCell", "cells.GRUCell", "docs/07-gru.md")),
        ("h is a weighted mean of the candidate and the old state, with z as the weight.",
         "Backward: z appears twice in the last line of forward, with two signs. h_prev appears "
         "there too, and once more in the product: its gradient is a sum.",
         "Inside the candidate's tanh stands a sum. One term is gx, the other is r times a "
         "product: gx gets the gradient of the sum as it is, the product gets it times something, "
         "and r gets it times something else. Only the two gates go through a sigmoid."),
        FUNCTIONS,
    ),
    Exercise(
        8, "ex08_sgd.py", "SGD with momentum, and clipping", _sgd,
        ("Both functions write into arrays that somebody else holds: p.data and p.grad.",
         "The velocity is renewed first, and the learning rate stands outside it. With momentum 0 "
         "it is just the gradient.",
         "For clipping, add up the squares of *all* entries of *all* gradients before you take the "
         "root; one factor for all; never a factor above 1; return the norm from before."),
    ),
    Exercise(
        9, "ex09_find_the_bug.py", "find the bug, five times", _find_the_bug,
        ("Each comment in backward names the line of forward that it undoes. Derive it again.",
         "Run `python -m minirnn gradcheck ex09_find_the_bug.py:CellA`: the picture shows which "
         "gates are off, and so which lines cannot be to blame.",
         "Ask of each line: is every factor of the product there? Is every path added that leads "
         "to this value? Is the derivative that of the right function, taken at the right output?"),
        FUNCTIONS, tuple(f"Cell{letter}" for letter in "ABCDE"),
    ),
    Exercise(
        10, "ex10_own_cell.py", "a cell of your own", _own,
        ("Start small: two gates, one state. Couple two gates of a GRU, or leave one out.",
         "Keep in the cache both factors of every product, and the output of every function.",
         "For every product(v, gates) in forward, one product.backward(da, gates) in backward; if "
         "v was itself computed, undo that computation next. Add up all shares of h_prev."),
        FUNCTIONS,
    ),
]  # fmt: skip
BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}


@contextlib.contextmanager
def with_more(exercises):
    """Inside, these exercises belong to the catalogue too."""
    EXERCISES.extend(exercises)
    BY_NUMBER.update({exercise.number: exercise for exercise in exercises})
    try:
        yield
    finally:
        for exercise in exercises:
            EXERCISES.remove(exercise)
            del BY_NUMBER[exercise.number]
