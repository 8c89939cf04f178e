"""One value: a number, a choice, a text, a function, each by the name of its argument.

It is returned in Python's own types: NumPy's numbers are numbers, True and False are none.
"""

import math
import numbers
from pathlib import Path

import numpy as np

from ..errors import ArgumentError
from .words import short

SWITCH = True, False
LARGEST = float(2**1000)  # a whole number can be larger than any float
NOT_NEGATIVE = "a finite number, at least 0", lambda x: 0 <= x < LARGEST
ABOVE_0 = "a finite number above 0", lambda x: 0 < x < LARGEST
SHARE = "a number, at least 0 and below 1", lambda x: 0 <= x < 1
PART = "a number from 0 to 1", lambda x: 0 <= x <= 1
NORMALISER = "mean, sum or a finite number above 0", ABOVE_0[1]
LIMIT = "a number above 0", lambda x: x > 0  # infinity limits nothing
FINITE = "a finite number", lambda x: abs(x) < 3e38  # that float32 holds too
SIZES = {  # the most that there can be of what takes memory; of other whole numbers 2^62
    **dict.fromkeys(["input_size", "hidden_size", "in_features", "out_features", "embedding",
                     "num_embeddings", "embedding_dim", "num_symbols", "num_classes"], 10**8),
    "num_layers": 1000,
}  # fmt: skip


def whole(name, number, least=1, none=False):
    """A whole number as an int, or None where that is allowed; `ArgumentError` for anything else,
    or one below `least`."""
    if none and number is None:
        return None
    kind = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    most = SIZES.get(name, 2**62)
    if not kind or number > most or number < (-most if least is None else least):
        bound = "" if least is None else f", at least {least}"
        bound = bound if not kind or number <= most else f", at most {most:,}"
        raise ArgumentError(
            f"{name} is {short(number)}, but must be a whole number{bound}{' or None' * none}"
        )
    return int(number)


def real(name, number, kind=FINITE, none=False):
    """A number of this kind, one of those above, or None where that is allowed; `ArgumentError`
    for anything else."""
    if none and number is None:
        return None
    wanted, allowed = kind
    usual = type(number) in (float, int)  # else it takes a microsecond to find out
    is_real = usual or isinstance(number, numbers.Real) and not isinstance(number, bool)
    plain = number if not is_real or isinstance(number, int) else float(number)
    if not is_real or not allowed(plain):
        if is_real and "finite" in wanted and 3e38 <= abs(plain) < math.inf:
            wanted += ", and of a size that can be computed with"
        raise ArgumentError(f"{name} is {short(number)}, but must be {wanted}{' or None' * none}")
    return plain


def not_negative(**given):
    """Return these numbers, each given by its name, all at least 0; else `ArgumentError`."""
    return [real(name, number, NOT_NEGATIVE) for name, number in given.items()]


def above_0(**given):
    """Return a number, given by its name, above 0; else `ArgumentError`."""
    ((name, number),) = given.items()
    return real(name, number, ABOVE_0)


def one_of(name, value, choices):
    """One of these; `ArgumentError`, which lists them, for anything else."""
    if not any(value is choice or _same(value, choice) for choice in choices):
        listed = ", ".join(map(str, choices))
        raise ArgumentError(f"{name} is {short(value)}, but must be one of: {listed}")
    return value


def switch(name, given):
    """Return True or False; `ArgumentError` for anything else."""
    return one_of(name, given, (True, False))


def text_of(name, given):
    """Return a text; `ArgumentError` for anything else."""
    if not isinstance(given, str):
        raise ArgumentError(f"{name} is {short(given)}, but must be text")
    return given


def path_of(name, given):
    """Return a path; `ArgumentError` for what is no text."""
    if not isinstance(given, (str, Path)):
        raise ArgumentError(f"{name} is {short(given)}, but must be a path, such as 'data/names'")
    return Path(given)


def functions_or_none(**given):
    """Raise `ArgumentError` where one of these is neither None nor a function."""
    for name, one in given.items():
        if one is not None and (not callable(one) or isinstance(one, type)):
            raise ArgumentError(f"{name} is {short(one)}, but must be a function or None")


def generator(rng):
    """A `numpy.random.Generator`, for None a fresh one; `ArgumentError` for a seed or the older
    RandomState."""
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        given = short(rng)
        raise ArgumentError(f"rng is {given}, but must be a Generator: np.random.default_rng(0)")
    return rng


def floating(name, dtype):
    """A floating (or complex) dtype; `ArgumentError` for another, or what is none."""
    try:
        result = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # of text that is no UTF-8, or half a type
        result = None
    if dtype is None or result is None or result.kind not in "fc":
        raise ArgumentError(f"{name} is {short(dtype)}, but must be float32 or float64")
    return result


def schedule_of(given):
    """Return a function of the step that gives a learning rate, tried at step 0, or None;
    `ArgumentError` for anything else."""
    if given is not None and not callable(given):
        raise ArgumentError(f"schedule is {short(given)}, but must be a function or None")
    try:
        if given is not None:
            rate_of(given, 0)
    except TypeError as error:
        wanted = "a function of the step alone"
        raise ArgumentError(f"schedule(0) fails ({error}), but must be {wanted}") from None
    return given


def rate_of(schedule, step):
    """Return the learning rate of a step; `ArgumentError` where it is none."""
    return real(f"schedule({step})", schedule(step), NOT_NEGATIVE)


def of_steps(schedule):
    """Return a schedule that raises `ArgumentError` for a step that is no number, or below 0."""

    def rate(step):
        return schedule(real("step", step, NOT_NEGATIVE))

    return rate


def single(name, number):
    """Return a number, or an array that holds one and has no axis; `ArgumentError` for the rest."""
    if isinstance(number, numbers.Real):
        return real(name, number)
    plain = isinstance(number, numbers.Number)
    if not plain and (getattr(number, "shape", None) != () or number.dtype.kind not in "iufc"):
        raise ArgumentError(f"{name} is {short(number)}, but must be a number")
    return number


def truth(name, given):
    """Return True or False as an array without axes, as which it may lie on a GPU; `ArgumentError`
    for anything else."""
    given = np.bool_(given) if isinstance(given, bool) else given
    if getattr(given, "shape", None) != () or given.dtype.kind != "b":
        raise ArgumentError(f"{name} is {short(given)}, but must be True or False")
    return given


def normaliser_of(given):
    """Return "mean", "sum" or a number above 0; `ArgumentError` for anything else."""
    named = isinstance(given, str) and given in ("mean", "sum")
    return given if named else real("normaliser", given, NORMALISER)


def nesterov_of(nesterov, momentum):
    """Return whether SGD looks ahead; `ArgumentError` where there is no momentum to do so."""
    if one_of("nesterov", nesterov, (False, True)) and not momentum:
        raise ArgumentError("momentum is 0, but nesterov needs one above 0")
    return nesterov


def two_betas(betas):
    """Adam's two numbers, each at least 0 and below 1; `ArgumentError` for anything else."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ArgumentError(f"betas is {short(betas)}, but must be two numbers, as (0.9, 0.999)")
    return tuple(real(f"betas[{k}]", beta, SHARE) for k, beta in enumerate(betas))


def _same(value, choice):
    """Whether they mean the same: NumPy's numbers do, but True is no number."""
    if isinstance(value, (bool, np.bool_)) and not isinstance(choice, bool):
        return False
    simple = (str, bool, int, np.bool_, np.integer)
    return isinstance(value, simple) and bool(value == choice)
