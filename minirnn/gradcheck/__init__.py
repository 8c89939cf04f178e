"""Gradients anyone can trust: check a function, layer, loss, cell, recurrent net or model.

    from minirnn import gradcheck

    assert gradcheck.check_cell(MyCell)                        # in a test: one assert
    print(gradcheck.check_layer(my_layer, x))                  # in a script: a report
    $ python -m minirnn gradcheck my_file.py:MyCell            # from a shell

Every check draws random upstream gradients; those of a cell and of a recurrent net draw inputs,
parameters and initial states too, and the others take what they are given, in float64. It compares
all gradients with the complex step (to 1e-12; central differences, to 1e-6, where code cannot run
on complex numbers), and looks after everything else that makes a backward pass wrong: arrays
changed in place, shared memory, wrong shapes and types, results that differ from call to call. The
`CheckResult` is true where all is right; printed, it says what is wrong.
"""

import numpy as np

from ..check import batch_of, part
from .diagnosis import diagnose, explanations
from .judge import judge
from .ladder import check_ladder, randomised
from .problems import (
    draw,
    function_problem,
    layer_problem,
    loss_problem,
    model_problem,
    recurrent_problem,
)
from .result import CheckResult, Rung

__all__ = [
    "check_cell",
    "check_function",
    "check_layer",
    "check_loss",
    "check_model",
    "check_problem",
    "check_recurrent",
]


def check_cell(cell, recurrent=None, seed=0):
    """The whole ladder for a cell class (or a cell): one step, T = 1, T > 1, lengths, loss.

    recurrent: a class that carries the cell through time, to check instead of the library's. It
    has five units, or as many as the cell's own parameters are made for. Raises `CellError` for a
    class that cannot be made without arguments.
    """
    options = {} if recurrent is None else {"recurrent": recurrent}
    return check_ladder(cell, seed=seed, **options)


def check_recurrent(net, seed=0, **options):
    """A recurrent layer or stack that is already made, over equal and over different lengths.

    Its parameters are drawn again in a copy in float64; options go to its `forward`:
    training=True checks it with its dropout.
    """
    import copy

    rng = np.random.default_rng(seed)
    net = randomised(copy.deepcopy(net), rng)
    cases = {"T = 4": ([3] * 4, True), "variable lengths": ([3, 3, 2, 1], False)}
    report = CheckResult(repr(net))
    for name, (sizes, dense) in cases.items():
        problem = recurrent_problem(net, rng, sizes, dense, title=name, **options)
        _add(report, name, problem, seed)
        if not report:
            break
    return report


def check_function(f, d_f, a=None, seed=0):
    """An elementwise function y = f(a) and its derivative from the output, d_f(y)."""
    a = draw(np.random.default_rng(seed), 3, 4, scale=2.0) if a is None else a
    return check_problem(function_problem(f, d_f, a, getattr(f, "__name__", "function")), seed)


def check_layer(layer, x, seed=0):
    """A layer with forward(x) -> y, cache and backward(dy, cache) -> dx, on this x.

    A layer whose forward takes `training`, as dropout's does, is checked in training.
    """
    return check_problem(layer_problem(layer, x), seed)


def check_loss(loss, prediction, target, seed=0):
    """A loss with forward(prediction, target) -> loss, cache and backward(cache, dloss)."""
    return check_problem(loss_problem(loss, prediction, target), seed)


def check_model(net, batch, loss, seed=0):
    """A net and its loss on one `Batch`: every parameter, in training where forward takes it.

    Dropout draws the same masks at every evaluation, if its generator is kept in the net. Raises
    `ArgumentError` for another thing than a net, a batch and a loss.
    """
    part("net", net, ("forward", "backward", "named_parameters", "zero_grad"))
    part("loss", loss), batch_of(batch)
    return check_problem(model_problem(net, batch, loss), seed)


def check_problem(problem, seed=0):
    """Any `Problem`."""
    return _add(CheckResult(problem.title), "gradients", problem, seed)


def _add(report, rung, problem, seed):
    verdict = judge(problem, np.random.default_rng(seed + 1))
    report.rungs.append(Rung(rung, [verdict]))
    if not verdict:
        report.bugs = explanations(verdict)
        report.diagnosis = diagnose(verdict, report.bugs)
        report.section = {
            "function": "docs/04-one-step.md#derivatives",
            "layer": "docs/04-one-step.md#linear",
            "loss": "docs/03-softmax-and-loss.md#backward",
        }.get(problem.level, "docs/05-through-time.md#backward-through-time")
    return report
