"""Exercises 5 to 7: a pass that is wrong earns the share of its gates and states that are right."""

from .. import reference_cells
from ..sandbox import Failed, Stopped
from .result import Wrong, equal


def with_credit(steps):
    """The rungs of a cell's exercise, which say of a wrong value how much is right all the same."""

    def rungs(hand_in, conventions, rng):
        return [
            (name, section, _judged(judge, name.endswith("backward")), *unusual)
            for name, section, judge, *unusual in steps(hand_in, conventions, rng)
        ]

    return rungs


def _judged(judge, backward):
    def judged():
        try:
            judge()
        except Wrong as wrong:
            if wrong.mark == "wrong value":
                wrong.credit = _share(judge.__self__, backward)
            raise

    return judged


def _share(judge, backward):
    """The share of the parts that are right, below 1: something is wrong."""
    try:
        reply = judge.ask(backward)
        right = _gradients(judge, reply) if backward else _values(judge, reply)
    except (Failed, Stopped, Wrong, KeyError, TypeError, ValueError):
        return 0.0
    return min(sum(right), len(right) - 1) / len(right)


def _values(judge, reply):
    """Of each gate in the cache, and of each state, whether it is right."""
    _, fields = reference_cells.forward(judge.cell, judge.given)
    gates = [equal(reply["fields"].get(gate), fields[gate]) for gate in judge.cell.gates]
    states = zip(judge.cell.states, reply["forward"], strict=True)
    return gates + [equal(mine, judge.expected[name]) for name, mine in states]


def _gradients(judge, reply):
    """Of the gradient of each gate and of each previous state, whether it is right."""
    dgx, dstate = reply["first"]
    names = [f"dgx {gate}" for gate in judge.cell.gates]
    names += [f"d{state}_prev" for state in judge.cell.states]
    return [equal(mine, judge.expected[n]) for n, mine in zip(names, [*dgx, *dstate], strict=True)]
