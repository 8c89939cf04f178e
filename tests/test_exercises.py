"""The exercises: blanks are told from mistakes, right work passes, and nothing hostile does."""

import argparse
import csv
import importlib.util
import inspect
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import collection  # noqa: E402
import table  # noqa: E402

import minirnn  # noqa: E402
from minirnn import __main__ as door  # noqa: E402
from minirnn import cli  # noqa: E402
from minirnn.exercises.catalogue import BY_NUMBER  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.command import run, watch  # noqa: E402
from minirnn.exercises.fallback import WithFallback  # noqa: E402
from minirnn.exercises.output import coloured, describe  # noqa: E402
from minirnn.exercises.tryout import train_cell  # noqa: E402

PACKAGE = [minirnn.functions, minirnn.cells, minirnn.layers, minirnn.losses, minirnn.optim,
           minirnn.recurrent]  # fmt: skip
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


def module(path):
    """The file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def fits(signature, package):
    """Whether a call that the exercise takes is taken by the package, and means the same."""
    theirs = dict(package.parameters)
    names = [name for name in theirs if name in signature.parameters]
    same = all(
        name in theirs
        and theirs[name].kind == p.kind
        and p.default in (p.empty, theirs[name].default)
        for name, p in signature.parameters.items()
    )
    others = [p for name, p in theirs.items() if name not in signature.parameters]
    return (
        same and names == list(signature.parameters) and all(p.default != p.empty for p in others)
    )


@pytest.mark.parametrize("folder", [STARTERS, SOLUTIONS], ids=["starters", "solutions"])
def test_the_interface_is_that_of_the_package(folder):
    seen = set()
    for number in NUMBERS:
        given = module(folder / BY_NUMBER[number].file)
        for name, thing in vars(given).items():
            if getattr(thing, "__module__", "") != given.__name__ or hasattr(thing, "_fields"):
                continue
            theirs = next((getattr(m, name) for m in PACKAGE if hasattr(m, name)), None)
            if theirs is None:  # the cells of exercises 9 and 10, which are nobody's
                assert name.startswith(("Cell", "OwnCell")), name
                theirs = minirnn.cells.RNNCell
            elif hasattr(thing, "gates"):
                assert (thing.gates, thing.states) == (theirs.gates, theirs.states)
            seen.add(name)
            methods = vars(thing) if inspect.isclass(thing) else {"": thing}
            for method, function in methods.items():
                if inspect.isfunction(function):
                    its = getattr(theirs, method) if method else theirs
                    assert fits(inspect.signature(function), inspect.signature(its)), (name, method)
    assert len(seen) == 4 + 3 + 1 + 1 + 1 + 1 + 2 + 5 + 1


def test_right_ways_to_write_it_all_pass():
    counts, hand_ins = {}, collection.right()
    results = table.all_judged([(number, text) for number, *_, text in hand_ins])
    for (number, name, *_), result in zip(hand_ins, results, strict=True):
        assert result, (number, name)
        counts[number] = counts.get(number, 0) + 1
    assert min(counts[k] for k in NUMBERS) >= 3 and min(counts[k] for k in (1, 2, 8, 10)) >= 5
    assert min(counts[k] for k in (3, 4, 5, 6, 7)) >= 10


def test_a_fourth_of_the_wrong_hand_ins_is_told_what_the_table_says():
    judgements = list(table.rows(4))
    assert len(judgements) > 60 and not any(result for _, _, result, *_ in judgements)
    written = table.TABLE.read_text(encoding="utf-8").splitlines()
    for line in table.lines_of(judgements):
        assert line in written, "table.py --write"


@pytest.mark.slow
def test_no_wrong_hand_in_passes_and_most_are_told_what_is_wrong():
    found = list(table.rows())
    passed, places, mistakes = zip(*((bool(r), p, m) for _, _, r, p, m in found), strict=True)
    assert len(found) >= 150 and not any(passed)
    for _, name, result, *_ in found:
        assert max(map(len, describe(result).splitlines())) <= 80, name
    assert np.mean(places) >= 0.9 and np.mean(mistakes) >= 0.85
    assert table.TABLE.read_text(encoding="utf-8") == table.page(found), "table.py --write"


def test_the_course_plan_quotes_what_the_checker_says():
    plan = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    said = table.TABLE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| .* \| (.*) \|$", plan.partition("## What students")[2], re.M)
    assert len(rows) >= 12
    for message in rows:
        assert message in said, message
    passed = re.search(r"(\d+) wrong hand-ins: 0 passed, (\d+) .* place, (\d+) \((\d+)%", said)
    total, place, mistake, share = passed.groups()
    words = " ".join(plan.split())
    assert place == total and f"puts {total} wrong hand-ins" in words
    assert f"and {mistake} ({share} %) the right mistake" in words


def test_start_never_overwrites(tmp_path, capsys):
    assert not run(["start", str(tmp_path / "work")], "exercises")
    mine = tmp_path / "work" / BY_NUMBER[3].file
    mine.write_text("# mine\n", encoding="utf-8")
    run(["start", str(tmp_path / "work")], "exercises")
    assert mine.read_text(encoding="utf-8") == "# mine\n"
    assert len(list((tmp_path / "work").glob("ex*.py"))) == 10


def test_start_begins_with_the_first_that_it_has_copied(tmp_path, capsys):
    for number, files in ((1, "10 files"), (4, "1 file")):
        (tmp_path / BY_NUMBER[number].file).unlink(missing_ok=True)
        run(["start", str(tmp_path)], "exercises")
        assert f"{files} in {tmp_path}. Begin with ex0{number}" in capsys.readouterr().out


def test_check_says_so_in_eighty_columns_and_by_its_exit_code(capsys):
    assert not run(["check", str(SOLUTIONS), "3", "6"], "exercises")
    assert run(["check", str(STARTERS), "3"], "exercises") == 1
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if "python" not in line]  # commands stay whole
    assert "not written" in out and len(lines) > 8 and max(map(len, lines)) <= 80


def test_exit_codes(tmp_path, capsys):
    def code(*arguments):
        """That of the command, and nothing but a sentence where it refuses."""
        done = subprocess.run(
            [sys.executable, "-m", "minirnn", "exercises", *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert "Traceback" not in done.stderr and bool(done.stderr) == (done.returncode == 2)
        return done.returncode

    def code_here(*arguments):
        """The same in this process, and what it says."""
        try:
            found = cli.main(lambda: door.run(["exercises", *map(str, arguments)]))
        except SystemExit as exit:  # of argparse
            found = exit.code
        said = capsys.readouterr().err
        assert "Traceback" not in said and bool(said) == (found == 2)
        return found, said

    assert code("check", STARTERS, 1) == 1
    assert code("check", tmp_path / "none") == 2
    assert code_here("check", SOLUTIONS, 1)[0] == 0
    assert code_here("check", STARTERS, 1)[0] == 1
    assert code_here("check", tmp_path, 1)[0] == 1  # no file of that name
    refused = {
        "start DIR": ("hint", "11"), "there is no folder": ("check", tmp_path / "none"),
        "there are no exercises": ("check", tmp_path),
        "name the folder": ("check", SOLUTIONS / BY_NUMBER[3].file, 3),
        "--json is for one": ("grade", STARTERS, SOLUTIONS, "--json", tmp_path / "x.json"),
        "there is no file": ("start", tmp_path, "--conventions", tmp_path / "none.json"),
        "is no folder": ("start", SOLUTIONS / BY_NUMBER[3].file),
    }  # fmt: skip
    for said, arguments in refused.items():
        found, text = code_here(*arguments)
        assert found == 2 and (said in text or said == "start DIR"), text


def test_watch_checks_what_is_saved_and_nothing_else(tmp_path, capsys):
    def saved(number, text):
        (tmp_path / BY_NUMBER[number].file).write_text(text, encoding="utf-8")

    def between_looks(_):
        """In the place of the pause: what was said goes into `heard`, something is saved."""
        heard.append(re.findall(r"^ *\d+  (\w+).* (\w+)$", capsys.readouterr().out, re.M))
        saves.pop(0)()

    for number in (3, 5):
        saved(number, collection.solution(number))
    saves = [lambda: saved(5, "x = (\n"), lambda: None, lambda: saved(3, "import os\n"), Ctrl_C]
    heard, args = [], argparse.Namespace(folder=tmp_path, numbers=[], seconds=10)
    with pytest.raises(KeyboardInterrupt):
        watch(args, between_looks)
    assert heard == [[], [("LSTM", "syntax")], [], [("RNN", "files")]]
    args.numbers, saves, heard[:] = [3], [Ctrl_C], []
    with pytest.raises(KeyboardInterrupt):  # an exercise that is named is looked at at once
        watch(args, between_looks)
    assert heard == [[("RNN", "files")]]


def Ctrl_C():
    raise KeyboardInterrupt


def test_colour_is_for_terminals_and_for_those_who_want_it(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert coloured(Terminal()) and not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())
    wrong = check(BY_NUMBER[3], STARTERS)
    plain, painted = describe(wrong), describe(wrong, colour=True)
    assert "\033" not in plain and re.sub(r"\033\[\d+m", "", painted) == plain != painted


class Blank:
    """A cell whose backward is still missing."""

    def __init__(self, cell):
        self.cell, self.gates, self.states = cell, cell.gates, cell.states

    def forward(self, gx, state, product):
        return self.cell.forward(gx, state, product)

    def backward(self, dstate, cache, product):
        raise NotImplementedError("not written yet")


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell", "GRUBeforeCell"])
def test_a_blank_backward_is_stood_in_for_and_the_loss_falls(kind):
    cell = getattr(minirnn.cells, kind)()
    with_blank, written = train_cell(Blank(cell), 10), train_cell(cell, 10)
    assert np.allclose(with_blank, written, rtol=1e-5)
    losses = train_cell(Blank(cell), 60)
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])


def test_the_stand_in_is_used_only_where_backward_is_blank():
    right, blank = (
        WithFallback(c) for c in (minirnn.cells.RNNCell(), Blank(minirnn.cells.RNNCell()))
    )
    for cell, used in ((right, False), (blank, True)):
        assert not cell.used
        train_cell(cell, 1)
        assert cell.used is used


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
