"""An exercise of one's own, the eleventh: softplus. Its starter lies beside this file.

python -m minirnn exercises start my-work --exercises examples/own_exercise/softplus.py
python -m minirnn exercises check my-work 11 --exercises examples/own_exercise/softplus.py
"""

import numpy as np

from minirnn.exercises.catalogue import Exercise
from minirnn.exercises.judges.parts import known
from minirnn.exercises.judges.result import array, compare, unchanged

MISTAKES = {  # what the student sees after "This is what you get when": what gives it
    "the 1 is missing in the logarithm": lambda a: a,
    "the logarithm is missing": lambda a: 1 + np.exp(a),
    "the sign of a is wrong": lambda a: np.logaddexp(0, -a),
}


def judge_softplus(hand_in, rng):
    """One function, on numbers that are drawn again. Raises `Wrong` with what is wrong first."""
    a = 3 * rng.standard_normal((3, 4))
    reply = hand_in.ask("function", name="softplus", arguments=(a,))
    unchanged({"a": a}, {"a": reply["after"][0]}, "softplus")
    yours = array("softplus", reply["value"], a.shape)
    compare("softplus", yours, np.logaddexp(0, a), lambda: known(MISTAKES, yours, a),
            ("row", "column"), ("a", a))  # fmt: skip


def steps(hand_in, conventions, rng):
    """The rungs from below, each (name, section to read, judge)."""
    section = "docs/04-one-step.md#derivatives"
    return [("softplus", section, lambda: judge_softplus(hand_in, rng))]


EXERCISES = [
    Exercise(
        11, "ex11_softplus.py", "softplus", steps,
        ("Where a is large, what is left of log(1 + exp(a))?",
         "NumPy has a function for the logarithm of a sum of two exponentials.",
         "1 is exp(0): look up np.logaddexp."),
    ),
]  # fmt: skip
