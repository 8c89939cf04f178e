"""The other sense of z: a GRU's code, and what is said of it, where z near 1 takes the new state.

The library keeps the old state where z is near 1, and so do its mistakes (`mistakes.py`, the zoo).
Where a term has it the other way round, the same code is read with z and 1 - z in each other's
place, and dz with the other sign.
"""

import re
from dataclasses import replace

KEEPS = {"old": "keeps the old state", "new": "takes the new state"}
CODE = {
    "(1 - z)": "z", "z": "(1 - z)", "(h_prev - n)": "(n - h_prev)", "(n - h_prev)": "(h_prev - n)",
    "-dh * n": "dh * n", "dh * h_prev": "-dh * h_prev", "(1 - n)": "(n - 1)",
    "(1 - r) * n + r * h_prev": "r * n + (1 - r) * h_prev",
}  # fmt: skip
WORDS = {
    "z lets in the new state; here z near 1 keeps the old one":
        "z near 1 keeps the old state; here it takes the new one",
    "forward lets z take the new state, backward lets it keep the old one":
        "forward lets z keep the old state, backward lets it take the new one",
    "dh z": "dh (1 - z)", "1 - z": "z", "z": "1 - z",
    "h_prev - n": "n - h_prev", "n - h_prev": "h_prev - n",
}  # fmt: skip
LINES = re.compile(r"^.*\b(?:h = .*\bz\b|dz, dn, dh_prev = ).*$", re.M)
ABOUT_Z = ("h = (1 - z)", "dh * (h_prev - n)", "dh * (1 - z)")


def swapped(text, table):
    """Every key of the table in the text gives way to its value, longest first, once."""
    keys = sorted(table, key=len, reverse=True)
    pattern = "|".join(r"(?<!\w)" + re.escape(k) + r"(?!\w)" for k in keys)
    return re.sub(pattern, lambda m: table[m[0]], text)


def turned(source):
    """The source of a GRU cell in the other sense."""
    return LINES.sub(lambda line: swapped(line[0], CODE), source)


def turned_bug(bug):
    """A mistake in a GRU cell, for the source in the other sense."""
    if not any(code in bug.old for code in ABOUT_Z):
        return replace(bug, when=bug.when.replace("dh z", WORDS["dh z"]))
    code = (swapped(text, CODE) for text in (bug.old, bug.new))
    return replace(bug, **dict(zip(("old", "new"), code, strict=True)),
                   when=swapped(bug.when, WORDS))  # fmt: skip
