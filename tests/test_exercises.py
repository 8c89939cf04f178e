"""The exercises: blanks are told from mistakes, right work passes, and nothing hostile does."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import collection  # noqa: E402
import table  # noqa: E402

from minirnn.exercises.catalogue import BY_NUMBER  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.command import run  # noqa: E402

NUMBERS = sorted(BY_NUMBER)
STARTERS, SOLUTIONS = ROOT / "examples" / "exercises", ROOT / "tests" / "solutions"


def test_there_are_ten():
    assert list(range(1, 11)) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_a_starter_is_not_written_and_a_solution_is_right(number):
    exercise = BY_NUMBER[number]
    starter, solution = (check(exercise, folder) for folder in (STARTERS, SOLUTIONS))
    assert not starter
    assert starter.mark == "not written" and f"exercise {number}" in starter.text
    assert solution and solution.mark == "right"


def test_right_ways_to_write_it_all_pass():
    counts = {}
    for number, name, _, _, text in collection.right():
        assert table.judged(number, text), (number, name)
        counts[number] = counts.get(number, 0) + 1
    assert counts.keys() >= {3, 4, 5, 6, 7} and min(counts[k] for k in (3, 4, 5, 6, 7)) >= 10


def test_no_wrong_hand_in_passes_and_most_are_told_what_is_wrong():
    found = list(table.rows())
    passed, places, mistakes = zip(*((bool(r), p, m) for _, _, r, p, m in found), strict=True)
    assert len(found) >= 60 and not any(passed)
    assert np.mean(places) >= 0.85 and np.mean(mistakes) >= 0.7


def test_start_never_overwrites(tmp_path, capsys):
    assert not run(["start", str(tmp_path / "work")], "exercises")
    mine = tmp_path / "work" / BY_NUMBER[3].file
    mine.write_text("# mine\n", encoding="utf-8")
    run(["start", str(tmp_path / "work")], "exercises")
    assert mine.read_text(encoding="utf-8") == "# mine\n"
    assert len(list((tmp_path / "work").glob("ex*.py"))) == 10


def test_check_says_so_in_eighty_columns_and_by_its_exit_code(capsys):
    assert not run(["check", str(SOLUTIONS), "3", "6"], "exercises")
    assert run(["check", str(STARTERS), "3"], "exercises") == 1
    out = capsys.readouterr().out
    assert "not written" in out and max(map(len, out.splitlines())) <= 80


def test_three_hints_and_never_the_answer(capsys):
    for number in NUMBERS:
        answer = (SOLUTIONS / BY_NUMBER[number].file).read_text(encoding="utf-8")
        starter = (STARTERS / BY_NUMBER[number].file).read_text(encoding="utf-8")
        lines = {line.strip() for line in answer.splitlines()} - {
            line.strip() for line in starter.splitlines()
        }
        for level in (1, 2, 3):
            run(["hint", str(number), "--level", str(level)], "exercises")
            hint = capsys.readouterr().out
            assert hint.strip()
            assert not any(line in hint for line in lines if len(line) > 25)


def test_grade_writes_a_row_for_every_student(tmp_path, capsys):
    folders = []
    for name, number, text in [("ada", 3, None), ("bob", 3, "import os\nos._exit(0)\n")]:
        folder = tmp_path / name
        folder.mkdir()
        file = BY_NUMBER[number].file
        text = text or (SOLUTIONS / file).read_text(encoding="utf-8")
        (folder / file).write_text(text, encoding="utf-8")
        folders.append(str(folder))
    table_file, json_file = tmp_path / "marks.csv", tmp_path / "marks.json"
    run(["grade", *folders, "--csv", str(table_file)], "exercises")
    rows = list(csv.reader(table_file.read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows[1:]] == ["ada", "bob"]
    assert "right" in rows[1] and "right" not in rows[2]
    run(["grade", folders[0], "--json", str(json_file)], "exercises")
    results = json.loads(json_file.read_text(encoding="utf-8"))
    assert len(results["tests"]) == 10 and sum(t["score"] > 0 for t in results["tests"]) == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_a_solution_runs_as_a_program(number):
    """A starter's last part trains something small, or shows what was written."""
    done = subprocess.run(
        [sys.executable, str(SOLUTIONS / BY_NUMBER[number].file)],
        capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
