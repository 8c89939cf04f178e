"""What can be said of a wrong gradient without knowing the mistake: zero, a multiple, transposed.

Each sentence is true of the numbers; what it suggests as a cause ends in a question mark.
"""

import itertools

import numpy as np

from .oracles import relative_error

SAME = 1e-8


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
    """A sentence on the first wrong gradient: zero, of wrong sign, a multiple, transposed ..."""
    for finding in verdict.findings:
        if finding.kind == "value" and finding.claimed is not None:
            sentence = _pattern(verdict, finding)
            if sentence:
                return sentence
    return ""


def _pattern(verdict, finding):
    a, n, name = finding.claimed, finding.expected, finding.where
    if not np.any(a):
        return f"Your d{name} is all zeros: nothing is ever added to it, or passed on."
    if not np.any(n):
        return f"Your d{name} must be zero: nothing that comes out depends on {name}."
    off = relative_error(a, n)
    if off < 1e-6:
        return (
            f"Your d{name} is right to {off:.0e} only: is something rounded to float32 on the way?"
        )
    if a.size >= 4:  # of fewer numbers, too much can be said by chance
        sentence = _as_a_whole(verdict, a, n, name)
        if sentence:
            return sentence
    return _of_gates(verdict, a, n, name)


def _as_a_whole(verdict, a, n, name):
    if relative_error(a, -n) < SAME:
        return f"Your d{name} has the wrong sign everywhere."
    ratio = float((a * n).sum() / (n * n).sum())
    if relative_error(a, ratio * n) < SAME:
        guess = "a mean taken for a sum?" if abs(ratio) < 1 else "something counted twice?"
        return f"Your d{name} is {ratio:.6g} times what it should be: {guess}"
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


def _of_gates(verdict, a, n, name):
    """Gates in each other's place."""
    gates = _gates(verdict, name)
    if not gates or not 1 < len(gates) <= 5 or a[0].size < 2:
        return ""
    for order in itertools.permutations(range(len(gates))):
        if relative_error(a[list(order)], n) < SAME:
            pairs = [
                f"{gates[place]} holds that of {gates[k]}"
                for place, k in enumerate(np.argsort(order))
                if place != k
            ]
            return f"The gates of your d{name} are in another order: {', '.join(pairs)}."
    return ""


def where_wrong(verdict):
    """Which gates the mistake is confined to, if it is to some."""
    for finding in verdict.findings:
        gates = _gates(verdict, finding.where)
        if finding.kind != "value" or finding.claimed is None or not gates:
            continue
        off = np.abs(finding.claimed - finding.expected)
        size = np.abs(finding.expected).max()
        wrong = [g for k, g in enumerate(gates) if off[k].max() > 1e-9 * size]
        if 0 < len(wrong) < len(gates):
            few = f"gate {wrong[0]}" if len(wrong) == 1 else "gates " + " and ".join(wrong)
            return f"Look at {few}: the rest of d{finding.where} is right."
    return ""


def _gates(verdict, name):
    """The gates on the first axis of an array, or None if something else is there."""
    gates, names = verdict.problem.axes.get(name, (None, None))
    return gates if names and names[0] == "gate" else None
