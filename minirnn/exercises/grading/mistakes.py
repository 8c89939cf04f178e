"""Which mistakes a class has made, and how many have made each."""

import re
import textwrap
from collections import Counter

from ...data import printable
from ...gradcheck.diagnosis import UNKNOWN
from ..output import WIDTH, wrapped
from ..sandbox import MARKS

KNOWN = ("This is", "Your", "In your")  # how a sentence begins that names a mistake
SHOWN = 30  # rows of the table on the screen and in the picture


def counted(class_):
    """[(number of the exercise, what was wrong, how many hand-ins)], the most frequent first in
    each exercise. class_: a list of `Graded`."""
    counts = Counter(
        (result.number, sentence(result))
        for graded in class_
        for result in graded.results
        if not result
    )
    rows = [(number, text, count) for (number, text), count in counts.items()]
    return sorted(rows, key=lambda row: (row[0], -row[2], row[1]))


def sentence(result):
    """What was wrong in an exercise, in words that others with the same mistake share."""
    if result.mark == "not written":
        return "not written yet"
    if result.mark == "missing":
        return "no such file"
    if result.mark == "syntax" and result.mistake:
        return result.mistake
    if result.mark in MARKS:
        return f"not to be judged: {MARKS[result.mark]}"
    if result.mistake.startswith(KNOWN) and result.mistake != UNKNOWN:  # others are advice
        return re.sub(r"^.*? is what you get when ", "", result.mistake)
    step = next((step.name for step in result.steps if step.right is False), "")
    return f"{step}: {result.text}".removeprefix(": ")


def shown(rows):
    """(the rows to be shown, the number of those left out): the most frequent of all, where there
    are many."""
    if len(rows) <= SHOWN:
        return rows, 0
    most = sorted(rows, key=lambda row: -row[2])[:SHOWN]
    return [row for row in rows if row in most], len(rows) - SHOWN


def table(rows):
    """The lines of the table, at most 80 wide."""
    rows, rest = shown(rows)
    lines = ["exercise  hand-ins  what was wrong"]
    for number, text, count in rows:
        first, *more = wrapped(text, " " * 20)
        lines += [f"{number:8d}  {count:8d}  {first.strip()}", *more]
    if rest:
        lines.append(f"and {rest} others, none made by more; a file of --csv has them all")
    return [line[:WIDTH] for line in lines]


def picture(rows, students):
    """A figure of the table: one bar for each mistake, as long as the number of hand-ins."""
    from matplotlib.figure import Figure

    rows, rest = shown(rows)
    labels = [textwrap.fill(printable(text, 160), 70) for _, text, _ in rows]
    places, headings, here = [], {}, 0.0
    for (number, *_), label in zip(rows, labels, strict=True):
        if number not in headings:
            headings[number] = here + 0.5
            here += 1.2
        height = 1 + label.count("\n")
        places.append(here + height / 2)
        here += height + 0.4
    figure = Figure(figsize=(10, 1.2 + 0.17 * here), layout="constrained")
    axes = figure.add_subplot()
    counts = [count for *_, count in rows]
    axes.barh(places, counts, 0.8, color="tab:blue")
    for place, count in zip(places, counts, strict=True):
        axes.text(count, place, f" {count}", va="center", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8, parse_math=False)
    for number, place in headings.items():
        axes.text(0, place, f"exercise {number}  ", ha="right", va="center", fontweight="bold",
                  fontsize=8)  # fmt: skip
    axes.set_ylim(here, -0.3)
    axes.set_xlim(0, 1.1 * max(counts, default=1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"hand-ins, of {students}" + f"; {rest} rarer ones are left out" * bool(rest))
    return figure
