"""Results for people, in 80 columns, with colour on a terminal; and for spreadsheets and sites."""

import csv
import json
import os
import sys
import textwrap

from ..data import printable
from .judges.result import PARTIAL

WIDTH = 80
COLOURS = {"right": "32", "wrong": "31", "blank": "33", "dim": "2", "bold": "1"}


def coloured(stream=None):
    """Whether to write colours: on a terminal, unless NO_COLOR is set (no-color.org)."""
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if not (hasattr(stream, "isatty") and stream.isatty()):
        return False
    if os.name == "nt":
        os.system("")  # switches the escape codes of a Windows console on
    return True


def paint(text, colour, on):
    """The text in a colour of `COLOURS`, or as it is where colours are not `on`."""
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if on else text


def kind_of(result):
    """The colour of a result."""
    if result:
        return "right"
    return "blank" if result.mark == "not written" else "wrong"


def describe(result, colour=False):
    """The report on one exercise, lines of at most 80 characters."""
    word = "right" if result else result.mark
    head = f"{result.number:2d}  {result.title}"
    lines = [f"{head:62s} {paint(word, kind_of(result), colour)}"]
    if result:
        return lines[0]
    for step in result.steps:
        word = {True: "ok", False: "--", None: "  "}[step.right]
        painted = paint(word, "right" if step.right else kind_of(result), colour)
        lines.append(f"    {painted} {step.name}" + ("" if step.right is not None else " (later)"))
    lines += wrapped(result.text, "    ")
    if result.code:
        lines += wrapped(f"line {result.code}", "        ")
    if result.pair:
        lines += wrapped(pair_line(result), "        ")
    if result.picture:
        lines.append(f"        {result.picture}")
    if result.mistake:
        lines += wrapped(result.mistake, "    ")
    if result.section:
        lines += [paint(f"    read: {result.section}", "dim", colour)]
    if result.printed:
        lines += wrapped("your file printed:", "    ")
        for line in result.printed.splitlines()[:10]:
            lines += [f"    | {printable(line, 70)}"[:WIDTH]]
    return "\n".join(lines)


def pair_line(result):
    """Where a number is wrong: it and the expected one, with as many digits as tell them apart."""
    if not result.pair:
        return ""
    where, yours, expected = result.pair
    digits = next((k for k in (6, 10) if f"{yours:.{k}g}" != f"{expected:.{k}g}"), 17)
    return f"{where}: yours {yours:+.{digits}g}, expected {expected:+.{digits}g}"


def wrapped(text, indent):
    """The lines of a text, at most 80 wide, without characters that steer a terminal."""
    text = printable(" ".join(text.split()), 1000)
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def summary(results, colour=False):
    """One line: how many are right."""
    right = sum(bool(r) for r in results)
    text = f"{right} of {len(results)} right"
    blank = sum(r.mark == "not written" for r in results)
    if blank:
        text += f", {blank} not written yet"
    wrong = len(results) - right - blank
    if wrong:
        text += f", {wrong} wrong"
    return paint(text, "right" if right == len(results) else "bold", colour)


def write_csv(path, graded):
    """One row a hand-in: the score of each exercise, the total, and the mark of each.

    graded: [(name, results)].
    """
    numbers = [r.number for r in graded[0][1]] if graded else []
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["hand-in", "total", *(f"exercise {n}" for n in numbers),
                        *(f"mark {n}" for n in numbers)])  # fmt: skip
        for name, results in graded:
            scores = [round(r.score, 3) for r in results]
            table.writerow(
                [_cell(name), round(sum(scores), 3), *scores, *(r.mark for r in results)]
            )


def _cell(text):
    """Text that a spreadsheet does not take for a formula."""
    text = printable(text, 100)
    return f"'{text}" if text[:1] in "=+-@" else text


def gradescope(results, seconds, points=10):
    """The dictionary of Gradescope's results.json, one test an exercise."""
    tests = [
        {
            "name": f"Exercise {r.number}: {r.title}",
            "number": str(r.number),
            "score": round(points * r.score, 2),
            "max_score": points,
            "status": "passed" if r else "failed",
            "output": describe(r),
            "output_format": "text",
            "visibility": "visible",
        }
        for r in results
    ]
    return {
        "score": round(sum(t["score"] for t in tests), 2),
        "execution_time": round(seconds),
        "output": summary(results),
        "visibility": "visible",
        "tests": tests,
    }


def write_json(path, results, seconds):
    """Write one hand-in's results as Gradescope's results.json."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(gradescope(results, seconds), file, indent=2)
        file.write("\n")


def hostile(result):
    """Whether a mark says that the file could not be judged at all."""
    return result.mark not in PARTIAL
