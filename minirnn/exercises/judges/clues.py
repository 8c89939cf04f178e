"""What the numbers of a wrong array tell by themselves, where no known mistake explains them."""

import itertools

import numpy as np

from ...gradcheck.judge import EXACT
from ...gradcheck.oracles import relative_error

CLOSE = 1e-9  # relative: nothing but a rule gives so many numbers so exactly


def equal(yours, expected, allowed=EXACT):
    """Whether two arrays of the same shape are equal up to a relative error."""
    with np.errstate(all="ignore"):  # there may be infinity in it
        return np.shape(yours) == np.shape(expected) and (
            relative_error(yours, expected) <= allowed
        )


def general(name, yours, expected, axes=()):
    """What can be said of a wrong array without knowing the mistake; axes: their names."""
    yours, expected = np.asarray(yours), np.asarray(expected)
    if not yours.any():
        return (
            f"{name} is zero everywhere: is nothing written into it, does what is added cancel, or "
            "does the array hold whole numbers?"
        )
    if equal(yours, np.trunc(expected), CLOSE):
        return (
            f"{name} is cut down to whole numbers: does an array that it is put into hold "
            "integers, or is it cast to int?"
        )
    if equal(yours, -expected, CLOSE):
        return f"{name} has the wrong sign everywhere."
    scale = (expected * expected).sum()
    ratio = float((yours * expected).sum() / scale) if scale else 0.0
    if yours.size > 1 and ratio and equal(yours, ratio * expected, CLOSE):
        guess = "a mean for a sum?" if abs(ratio) < 1 else "is something counted more than once?"
        return f"{name} is {ratio:.4g} times what it should be: {guess}"
    if yours.ndim == 2 and yours.shape[0] == yours.shape[1] and equal(yours.T, expected, CLOSE):
        return f"{name} is transposed."
    return _cut_off(name, yours, expected) or _along_an_axis(name, yours, expected, axes)


def _cut_off(name, yours, expected):
    low, high = yours.min(initial=np.inf), yours.max(initial=-np.inf)
    inside = (low < yours) & (yours < high)
    if inside.sum() > 1 and equal(yours, np.clip(expected, low, high), CLOSE):
        ends = (low, expected.min() < low), (high, expected.max() > high)
        cut = " and ".join(f"{end:.4g}" for end, is_cut in ends if is_cut)
        return f"{name} is cut off at {cut}, and right elsewhere: is it clipped?"
    return ""


def _along_an_axis(name, yours, expected, axes):
    """A part for all: where only the first place along an axis is right, or all are the same."""
    for axis in range(yours.ndim) if yours.size > 2 else ():
        mine, right = np.moveaxis(yours, axis, 0), np.moveaxis(expected, axis, 0)
        along = axes[axis] if axis < len(axes) else f"axis {axis}"
        if len(mine) > 1 and equal(mine, np.broadcast_to(mine[:1], mine.shape), CLOSE):
            return (
                f"{name} is the same all along {along}, but should not be: is a sum over it taken "
                "too early, or one part of it taken for all?"
            )
        first = [equal(*pair, CLOSE) for pair in zip(mine, right, strict=True)]
        if len(first) > 2 and first == [True] + [False] * (len(first) - 1):
            return f"Only {along} 0 of {name} is right: is its part of something taken for all?"
    return ""


def related(name, yours, expected, known):
    """What a wrong array has to do with one that is known, {words: array}: a summand or a factor
    that is missing, or too much; or nothing."""
    for what, array in known.items():
        if equal(yours, expected + array, CLOSE):
            return f"{name} is too large by {what}, which is added to it."
        if equal(yours, expected - array, CLOSE):
            return f"{name} is too small by {what}."
        if equal(yours, expected * array, CLOSE):
            return f"{name} is right but for the factor {what}, which is too much."
        if equal(yours * array, expected, CLOSE) and (array != 0).all():
            return f"{name} is right but for the factor {what}, which is missing."
    return ""


def factors(known):
    """{words: array} of what stands in derivatives: these arrays, 1 less each, and the slopes of
    sigmoid and tanh from their outputs."""
    words = {}
    for name, a in known.items():
        words |= {name: a, f"1 - {name}": 1 - a}
        words[f"{name} (1 - {name}), a sigmoid's derivative"] = a * (1 - a)
        words[f"1 - {name}^2, tanh's derivative"] = 1 - a * a
    return words


def in_others_place(claimed, expected):
    """Which arrays hold what others should, up to a number, {name: (other, number)}; or nothing.

    All must hold that of one, and at least one that of another.
    """
    for order in itertools.permutations(expected):
        pairs = list(zip(claimed, order, strict=True))
        ratios = [_ratio(claimed[mine], expected[other]) for mine, other in pairs]
        if all(ratios) and any(mine != other for mine, other in pairs):
            return {mine: (other, ratio)
                    for (mine, other), ratio in zip(pairs, ratios, strict=True)}  # fmt: skip
    return {}


def _ratio(mine, other):
    scale = (other * other).sum()
    ratio = float((mine * other).sum() / scale) if scale else 0.0
    return ratio if ratio and equal(mine, ratio * other, CLOSE) else 0.0
