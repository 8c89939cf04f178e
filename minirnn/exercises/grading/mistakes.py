"""Which mistakes a class has made, and how many have made each."""

import re
import textwrap
from collections import Counter

from ...data import printable
from ...gradcheck.diagnosis import UNKNOWN
from ..output import WIDTH, wrapped
from ..sandbox import MARKS

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
    if result.mistake and result.mistake != UNKNOWN:
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
        lines.append(f"and {rest} others, each made by fewer: they are in the CSV file")
    return [line[:WIDTH] for line in lines]


def picture(rows, students):
    """A figure of the table: one bar for each mistake, as long as the number of hand-ins."""
    from matplotlib.figure import Figure

    rows, rest = shown(rows)
    labels = [textwrap.fill(printable(text, 160), 70) for _, text, _ in rows]
    heights = [1 + label.count("\n") for label in labels]
    places, here = [], 0.0
    for height, (number, *_), before in zip(heights, rows, [None, *rows], strict=False):
        here += 0.6 if before and before[0] != number else 0.0  # a gap between exercises
        places.append(here + height / 2)
        here += height + 0.5
    figure = Figure(figsize=(10, 1.3 + 0.17 * here), layout="constrained")
    axes = figure.add_subplot()
    counts = [count for *_, count in rows]
    axes.barh(places, counts, [0.8 * height for height in heights], color="tab:blue")
    for place, count in zip(places, counts, strict=True):
        axes.text(count, place, f" {count}", va="center", fontsize=8)
    texts = [f"{label}   {number}" for label, (number, *_) in zip(labels, rows, strict=True)]
    axes.set_yticks(places, texts, fontsize=8, parse_math=False)
    axes.set_ylim(here, -0.5)
    axes.set_xlim(0, 1.1 * max(counts, default=1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"hand-ins, of {students}" + f"; {rest} rarer ones are left out" * bool(rest))
    axes.set_title("What was wrong, and the exercise", loc="right", fontsize=10)
    return figure
