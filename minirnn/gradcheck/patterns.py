"""Patterns of wrong gradients that need no known mistake: zero, a multiple, transposed.

Each sentence is true of the numbers; what it suggests as a cause ends in a question mark.
"""

import itertools

import numpy as np

from .oracles import relative_error
from .places import gates_off, wrong_values

SAME = 1e-8
FLOAT32 = 1e-9, 1e-6  # between these lies what rounding to float32 does


def describe_kind(verdict):
    """A sentence on what is wrong beside values."""
    kinds = [finding.kind for finding in verdict.findings]
    if any(f.kind == "value" and f.claimed is None for f in verdict.findings):
        return "Something is divided by zero, grows out of bounds, or is the logarithm of zero."
    if "changed" in kinds:
        return (
            "Your code writes into an array that it was given or must keep: write x = x + y "
            "instead of x += y, and x = x * y instead of x *= y."
        )
    if "alias" in kinds:
        return (
            "Your backward hands out an array that is still in use elsewhere: return a copy, or "
            "compute a new one."
        )
    if "twice" in kinds:
        return (
            "Your backward gives something else at its second call: it overwrites gradients "
            "instead of adding to them, or uses up what forward has kept."
        )
    return ""


def describe_pattern(verdict):
    """A sentence on the first wrong gradient: zero, of wrong sign, a multiple, transposed ...

    Where dgx is off, or over time dx, others are off with it, and what they look like is chance.
    """
    wrong = list(wrong_values(verdict).values())
    if verdict.problem.level in ("cell", "time", "stack") and wrong[:1]:
        wrong = wrong[:1] if wrong[0].where in ("gx", "x") else wrong
    return next(filter(None, (_pattern(verdict, finding) for finding in wrong)), "")


def _pattern(verdict, finding):
    a, n, name = finding.claimed, finding.expected, finding.where
    if not np.any(a):
        return f"Your d{name} is all zeros: nothing is ever added to it, or passed on."
    if not np.any(n):
        return f"Your d{name} must be zero: nothing that comes out depends on {name}."
    off = relative_error(a, n)
    if off < FLOAT32[1]:
        guess = ": is something rounded to float32 on the way?" if off > FLOAT32[0] else "."
        return f"Your d{name} is right to {off:.0e} only{guess}"
    if a.size >= 4:  # of fewer numbers, too much can be said by chance
        sentence = _as_a_whole(verdict, a, n, name)
        if sentence:
            return sentence
    return _of_gates(verdict, finding)


def _as_a_whole(verdict, a, n, name):
    if relative_error(a, -n) < SAME:
        return f"Your d{name} has the wrong sign everywhere."
    ratio = _ratio(a, n)
    if ratio is not None:
        return f"Your d{name} is {ratio:.6g} times what it should be{_guess(ratio)}"
    if a.ndim > 1 and a.shape[-1] == a.shape[-2] and relative_error(a.swapaxes(-1, -2), n) < SAME:
        return f"Your d{name} is transposed: its last two axes are exchanged."
    array = verdict.problem.arrays[name]
    if relative_error(a, array) < SAME:
        return f"Your d{name} holds the values of {name} itself: the array, not its gradient."
    if relative_error(a - n, array) < SAME:
        return f"Your d{name} is its gradient plus {name} itself."
    limit = np.abs(a).max()
    if limit < np.abs(n).max() and relative_error(a, np.clip(n, -limit, limit)) < SAME:
        return f"Your d{name} is cut off at {limit:.3g}: it is clipped inside backward."
    return ""


def _ratio(a, n):
    """The number by which all of n is multiplied in a, or None where there is none."""
    ratio = float((a * n).sum() / max((n * n).sum(), 1e-300))
    return ratio if relative_error(a, ratio * n) < SAME else None


def _guess(ratio):
    """The end of a sentence on a multiple: a guess for those that have a usual cause."""
    if abs(ratio - 2) < 1e-6:
        return ": something counted twice?"
    if 0 < ratio < 1 and abs(1 / ratio - round(1 / ratio)) < 1e-6:
        return ": a mean taken for a sum?"
    return "."


def _of_gates(verdict, finding):
    """Gates in each other's place; or some of wrong sign, zero, or a multiple, the rest right."""
    a, n, name = finding.claimed, finding.expected, finding.where
    off = gates_off(verdict, finding)
    if off is None or not 1 < len(a) <= 5 or a[0].size < 2:
        return ""
    gates, _ = verdict.problem.axes[name]
    for order in itertools.permutations(range(len(gates))):
        if relative_error(a[list(order)], n) < SAME:
            pairs = [
                f"{gates[place]} holds that of {gates[k]}"
                for place, k in enumerate(np.argsort(order))
                if place != k
            ]
            return f"The gates of your d{name} are in another order: {', '.join(pairs)}."
    ratios = [_ratio(a[gates.index(gate)], n[gates.index(gate)]) for gate in off]
    if len(off) == len(gates) or None in ratios or np.ptp(ratios) > SAME:
        return ""
    what = {-1: "has the wrong sign", 0: "is all zeros"}.get(
        round(ratios[0], 7), f"is {ratios[0]:.6g} times what it should be"
    )
    few = f"gate{'s' if len(off) > 1 else ''} {' and '.join(off)}"
    return f"Your d{name} of {few} {what}; the rest of it is right."
