"""Results for people, in 80 columns, with colour on a terminal."""

import os
import sys
import textwrap

from ..data import printable

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
    missing = sum(r.mark == "missing" for r in results)
    if missing:
        text += f", {missing} missing"
    wrong = len(results) - right - blank - missing
    if wrong:
        text += f", {wrong} wrong"
    return paint(text, "right" if right == len(results) else "bold", colour)
