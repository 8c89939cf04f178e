"""What is said about a hand-in: right, or the first thing that is wrong, and where to read.

Judging goes from the outside in: not written yet, before a wrong shape, before a wrong value;
forward before backward. The first thing that is wrong ends it.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from ...gradcheck.judge import EXACT
from ...gradcheck.oracles import relative_error


@dataclass
class Step:
    """One rung of an exercise: its name, and whether it is right, wrong, or was not reached."""

    name: str
    right: bool | None = None


@dataclass
class Result:
    """What was found in one exercise of one hand-in."""

    number: int
    title: str
    file: str
    mark: str = "right"  # right, not written, wrong shape, wrong value, error, or one of MARKS
    steps: list = field(default_factory=list)
    text: str = ""  # what is wrong
    code: str = ""  # the line of the hand-in, where it is known
    pair: tuple = ()  # (where, yours, expected)
    mistake: str = ""  # the likely mistake, in one sentence
    section: str = ""  # where to read
    printed: str = ""  # what the hand-in printed

    def __bool__(self):
        return self.mark == "right"

    @property
    def score(self):
        """The share of the rungs that are right, 0 to 1; nothing for what cannot be judged."""
        if not self.steps or self.mark not in PARTIAL:
            return 0.0
        return sum(step.right is True for step in self.steps) / len(self.steps)


PARTIAL = ("right", "not written", "wrong shape", "wrong value", "error")


class Wrong(Exception):
    """The first thing that is wrong."""

    def __init__(self, mark, text, mistake="", pair=(), section=""):
        super().__init__(text)
        self.mark, self.text, self.mistake = mark, text, mistake
        self.pair, self.section = pair, section


def crash(failed, what):
    """`Wrong` from an exception of the hand-in: a blank, or a mistake with its line."""
    if failed.type == "NotImplementedError":
        return Wrong("not written", failed.text or f"{what} is not written yet")
    missing = re.match(r"module 'hand_in' has no attribute '(\w+)'", failed.text)
    if missing:
        return Wrong(
            "error", f"there is no {missing[1]} in the file",
            "What was handed out must keep its name: the checker asks for it by name.",
        )  # fmt: skip
    at = f"line {failed.line}: " if failed.line else ""
    return Wrong(
        "error", f"{at}{failed.stage} fails with {failed.type}: {failed.text}", advice(failed)
    )


def advice(failed):
    """What an exception usually means in these exercises."""
    text = failed.text
    if "product" in text and ("rows" in text or "must be called" in text):
        return "The product must be called once in forward, and its backward once in backward."
    if failed.type == "KeyError" and failed.stage == "backward":
        return "product.backward was asked for gates that forward has not asked product for."
    if "broadcast" in text or "matmul" in text or "aligned" in text or "core dimension" in text:
        return (
            "Two arrays do not fit in this line. Write down the shape of each: states and gates "
            "are [n, H], and only product multiplies by weights."
        )
    if "unpack" in text:
        return "In this line, as many names must stand on the left as there are parts on the right."
    if "concatenate" in text or "must be called" in text or "zip()" in text:
        return "Something is a single array, or None, where one array for each part is needed."
    if failed.type in ("NameError", "UnboundLocalError"):
        return "This name has no value yet: is it computed in another branch, or spelt otherwise?"
    if failed.type == "TypeError" and "NoneType" in text:
        return "Something is None here: is a `return` missing?"
    return ""


def array(name, thing, shape, what=""):
    """`thing` as an array of this shape, or `Wrong`. what: the words after the name."""
    label = f"{name}{what}"
    if not isinstance(thing, np.ndarray):
        raise Wrong(
            "wrong shape",
            f"{label} is {described(thing)}, but must be an array of shape {shape}",
            "Is a `return` missing, or a value that should be returned?" if thing is None else "",
        )
    if thing.shape != tuple(shape):
        hint = ""
        if thing.ndim and thing.shape == tuple(shape)[::-1]:
            hint = "The axes stand the other way round: a transpose too much, or one too few."
        elif thing.ndim == 0:
            hint = "Everything is summed up, or averaged, to one number."
        elif thing.size == np.prod(shape):
            hint = "The numbers are as many as they should be, but an axis of length 1 is too much."
        elif thing.ndim == len(shape) - 1:
            hint = "An axis is missing: is something summed or indexed that should not be?"
        raise Wrong(
            "wrong shape", f"{label} has shape {thing.shape}, but must have {tuple(shape)}", hint
        )
    if thing.dtype.kind not in "fiub":
        raise Wrong("wrong shape", f"{label} is of type {thing.dtype}, but must hold real numbers")
    if thing.dtype == np.float32:
        raise Wrong(
            "wrong value",
            f"{label} is float32, though everything given is float64",
            "A dtype is written into the code, or an array was made with one.",
        )
    return thing.astype(float)


def described(thing):
    """A thing of the wrong kind in words, for the end of a sentence."""
    if thing is None:
        return "None"
    if isinstance(thing, (tuple, list)):
        return f"a {type(thing).__name__} of {len(thing)}"
    if isinstance(thing, np.ndarray):
        return f"an array of shape {thing.shape}"
    return f"of type {type(thing).__name__}"


def parts(name, thing, names, of="array"):
    """A tuple (or list) with one thing for each of the names, or `Wrong`."""
    if not isinstance(thing, (tuple, list)) or len(thing) != len(names):
        raise Wrong(
            "wrong shape",
            f"{name} is {described(thing)}, but must be a tuple of {len(names)}: "
            f"one {of} for each of {', '.join(names)}",
        )
    return dict(zip(names, thing, strict=True))


def equal(yours, expected, allowed=EXACT):
    """Whether two arrays of the same shape are equal up to a relative error."""
    return np.shape(yours) == np.shape(expected) and relative_error(yours, expected) <= allowed


def compare(name, yours, expected, explain=None, axes=()):
    """Raise `Wrong` where an array is not what it should be, with the worst entry.

    explain(): the likely mistake, a sentence, asked for only then. axes: their names.
    """
    if equal(yours, expected):
        return
    if not np.isfinite(yours).all():
        raise Wrong(
            "wrong value",
            f"{name} holds NaN or infinity",
            (explain() if explain else "") or "Something overflows, or is divided by zero.",
        )
    entry = worst(yours, expected)
    place = ", ".join(
        f"{axes[k]} {e}" if k < len(axes) else str(e) for k, e in enumerate(entry)
    )  # fmt: skip
    error = relative_error(yours, expected)
    if error < 1e-5:
        sentence = (
            f"It is right to {error:.0e} only: is something rounded, float32, or taken by "
            "differences? A formula is exact."
        )
    else:
        sentence = explain() if explain else ""
    raise Wrong(
        "wrong value",
        f"{name} is wrong",
        sentence or general(name, yours, expected),
        (f"{name}[{place}]" if place else name, float(yours[entry]), float(expected[entry])),
    )


def worst(yours, expected):
    """The index of the entry that is farthest off, as a tuple."""
    off = np.abs(yours - expected)
    return np.unravel_index(int(off.argmax()), off.shape) if off.ndim else ()


def general(name, yours, expected):
    """What can be said of a wrong array without knowing the mistake."""
    yours, expected = np.asarray(yours), np.asarray(expected)
    if not yours.any():
        return f"{name} is all zeros: nothing is ever put into it, or added to it."
    if equal(yours, -expected, 1e-9):
        return f"{name} has the wrong sign everywhere."
    scale = (expected * expected).sum()
    ratio = float((yours * expected).sum() / scale) if scale else 0.0
    if yours.size > 1 and ratio and equal(yours, ratio * expected, 1e-9):
        guess = "a mean for a sum?" if abs(ratio) < 1 else "something counted twice?"
        return f"{name} is {ratio:.4g} times what it should be: {guess}"
    if yours.ndim == 2 and yours.shape[0] == yours.shape[1] and equal(yours.T, expected, 1e-9):
        return f"{name} is transposed."
    return ""
