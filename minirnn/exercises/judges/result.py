"""What is said about a hand-in: right, or the first thing that is wrong, and where to read.

Judging goes from the outside in: not written yet, before a wrong shape, before a wrong value;
forward before backward. The first thing that is wrong ends it.
"""

from dataclasses import dataclass, field

import numpy as np

from ...gradcheck.oracles import relative_error
from .clues import equal, general


@dataclass
class Step:
    """One rung of an exercise: its name, and whether it is right, wrong, or was not reached."""

    name: str
    right: bool | None = None
    credit: float = 0.0  # the share that is right of a rung that is wrong, where parts count


@dataclass
class Result:
    """What is said about one exercise of one hand-in."""

    number: int
    title: str
    file: str
    mark: str = "right"  # right, not written, wrong shape, wrong value, error, or one of MARKS
    steps: list = field(default_factory=list)
    text: str = ""  # what is wrong
    code: str = ""  # the line of the hand-in, where it is known
    pair: tuple = ()  # (where, yours, expected)
    picture: str = ""  # at which steps it is wrong
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
        shares = [1.0 if step.right else step.credit for step in self.steps]
        return sum(shares) / len(self.steps)


ONE_ROW, OTHER_SIZES = "with one row alone", "with other sizes"  # unusual cases
PARTIAL = ("right", "not written", "wrong shape", "wrong value", "error")


NOT_FINITE = (
    "NaN comes from the log or root of a negative number, from 0 / 0, or from infinity less "
    "infinity."
)
INFINITE = "Infinity comes from exp of a large number, log(0), or a division by zero."


class Wrong(Exception):
    """The first thing that is wrong."""

    credit = 0.0  # the share of its rung that is right all the same

    def __init__(self, mark, text, mistake="", pair=(), section="", picture=""):
        super().__init__(text)
        self.mark, self.text, self.mistake = mark, text, mistake
        self.pair, self.section, self.picture = pair, section, picture
        self.place = ""  # where it comes from, if not from where it shows


def array(name, thing, shape, what=""):
    """`thing` as an array of this shape, or `Wrong`. what: the words after the name."""
    label, wanted = f"{name}{what}", f"have {tuple(shape)}" if shape else "be one number"
    if not isinstance(thing, np.ndarray):
        raise Wrong(
            "wrong shape",
            f"{label} is {described(thing)}, but must be "
            + (f"an array of shape {shape}" if shape else "one number"),
            "Is a `return` missing, or a value that should be returned?" if thing is None else "",
        )
    if thing.shape != tuple(shape):
        hint = ""
        if thing.ndim and thing.shape == tuple(shape)[::-1]:
            hint = "The axes stand the other way round: a transpose too much, or one too few."
        elif thing.ndim == 0:
            hint = "It is one number: is everything summed up, or only one entry returned?"
        elif thing.shape == tuple(n for n in shape if n > 1):
            hint = "An axis of length 1 is lost: np.squeeze takes it away, and so does an index."
        elif thing.squeeze().shape == tuple(shape):
            hint = "The numbers are as many as they should be, but an axis of length 1 is too much."
        elif thing.size == np.prod(shape):
            hint = "The numbers are as many as they should be, but lie in another shape."
        elif thing.ndim == len(shape) - 1:
            hint = "An axis is missing: is something summed or indexed that should not be?"
        raise Wrong("wrong shape", f"{label} has shape {thing.shape}, but must {wanted}", hint)
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


def unchanged(before, after, who):
    """Raise `Wrong` where something that belongs to the caller was written into: {name: array}."""
    for name, array in before.items():
        if name in after and not np.array_equal(after[name], array):
            cure = (
                "Nothing that was given may change: no +=, -=, *= or [...] = on it or on a part "
                "of it. Make a new array instead, as in x = x + y."
            )
            if name.endswith(".data") and "backward" in who:
                cure = (
                    f"A gradient is added to {name.removesuffix('data')}grad; only an optimiser "
                    "moves data."
                )
            raise Wrong(
                "wrong value", f"{who} writes into {name}, which belongs to the caller", cure
            )


def lasting(reply, who):
    """Raise `Wrong` where what was returned has changed with the next call."""
    if not reply["lasting"]:
        raise Wrong(
            "wrong value",
            f"what {who} has returned changes when it is called again",
            "It returns an array that is kept, and written into at the next call: make a new one "
            "in each call.",
        )


USED = (
    "Something of an earlier call is kept, on self or in the module, and taken for this one's: "
    "each call must begin with what it is given, and take the weights as they are then."
)


def after_use(judge, who):
    """Judge a reply for which the hand-in was used for other numbers before; `Wrong` where that
    makes a difference."""
    try:
        judge()
    except Wrong:
        text = f"{who} is right when it is new, but not after it was used for other numbers"
        raise Wrong("wrong value", text, USED) from None


def with_another(reply, who, judge):
    """Judge a reply for which forward was called with other numbers before backward; `Wrong`
    where backward looks at those."""
    try:
        judge(reply)
    except Wrong:
        kept = ", ".join(f"self.{name}" for name in reply["kept"][:4]) or "something"
        raise Wrong(
            "wrong value",
            f"{who} gets {kept} of another call of forward, which keeps it outside its cache",
            "Return what backward needs as the cache: forward may be called many times before "
            "backward, and what is kept elsewhere is that of the last call.",
        ) from None


def added(name, yours, expected):
    """Raise `Wrong` where a second backward has not added the same gradient once more."""
    if equal(yours, 2 * expected):
        return
    mistake = "Is something written into that a second backward needs, such as the cache?"
    if equal(yours, expected):
        mistake = "The gradient is overwritten instead of added to: +=, not =."
    text = f"backward called twice does not give twice {name}"
    raise Wrong("wrong value", text, mistake)


def compare(name, yours, expected, explain=None, axes=(), given=None):
    """Raise `Wrong` where an array is not what it should be, with the worst entry.

    explain(): the likely mistake, a sentence, asked for only then. axes: their names. given:
    (name, array) of what goes in, entry by entry.
    """
    if equal(yours, expected):
        return
    if not np.isfinite(yours).all():
        raise Wrong(
            "wrong value",
            f"{name} holds NaN or infinity",
            (explain() if explain else "") or (NOT_FINITE if np.isnan(yours).any() else INFINITE),
        )
    entry = worst(yours, expected)
    place = ", ".join(
        f"{axes[k]} {e}" if k < len(axes) else str(e) for k, e in enumerate(entry)
    )  # fmt: skip
    where = f"{name}[{place}]" if place else name
    if given is not None:
        where += f", {given[0]} = {float(given[1][entry]):.6g}"
    error = relative_error(yours, expected)
    sentence = explain() if explain else ""
    if error < 1e-5 and not sentence:
        sentence = (
            f"It is right to {error:.0e} only: is something rounded, float32, or taken by "
            "differences? A formula is exact."
        )
    raise Wrong(
        "wrong value",
        f"{name} is wrong",
        sentence or general(name, yours, expected, axes),
        (where, float(yours[entry]), float(expected[entry])),
    )


def worst(yours, expected):
    """The index of the entry that is farthest off, as a tuple."""
    off = np.abs(yours - expected)
    return np.unravel_index(int(off.argmax()), off.shape) if off.ndim else ()
