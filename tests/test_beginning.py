"""The numbers of chapter 0, which a reader calculates on paper."""

import re
from math import tanh
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "00-a-beginning.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \| (\S+) \|$", TEXT, re.M)
PRINTED = re.findall(r"-?\d+\.\d+", " ".join(re.findall(r"```text\n(.*?)```", TEXT, re.S)))


def test_all_lines_are_there():
    assert len(ROWS) == 12


@pytest.mark.parametrize("line, calculation, result", ROWS)
def test_the_line_is_calculated_rightly(line, calculation, result):
    """From the rounded numbers in it, as on paper, to the fourth place."""
    assert round(eval(calculation, {"tanh": tanh}), 4) == float(result), line


def test_every_number_is_the_result_of_a_line_above():
    """Or a weight, an input, the answer, or a number of a formula."""
    known = {0.5, 0.7, 0.3, 0.0, 1.0, 2.0}
    for line, calculation, result in ROWS:
        for number in re.findall(r"\d+(?:\.\d+)?", calculation):
            assert float(number) in known, line
        known.add(abs(float(result)))


def test_rounding_changes_nothing():
    """Python, which does not round on the way, prints the same numbers."""
    for line, _, result in ROWS:
        if not line.startswith("$a_"):
            assert result in PRINTED, line
