"""Hostile and broken hand-ins: each gets its own mark, none passes, and none stops the others."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import classroom  # noqa: E402
import collection  # noqa: E402
import table  # noqa: E402

from minirnn.exercises import sandbox  # noqa: E402
from minirnn.exercises.catalogue import BY_NUMBER  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.command import run  # noqa: E402

HOSTILE = collection.hostile()
ENDLESS = [hand_in for hand_in in HOSTILE if hand_in[3] == "time"]
OTHERS = [hand_in for hand_in in HOSTILE if hand_in[3] != "time"]
FILE = BY_NUMBER[3].file
SECONDS = 3  # an endless loop is waited for so long
LEFT_BEHIND = [Path("/tmp/minirnn-hostile"), Path("/tmp/minirnn-hostile.npy")]


def test_every_one_gets_its_mark_and_the_others_are_graded_all_the_same(tmp_path, capsys):
    solution = collection.solution(3)
    for k, (*_, text) in enumerate([*HOSTILE, (3, "", "", "", solution)]):
        (tmp_path / "class" / f"{k:02d}").mkdir(parents=True)
        (tmp_path / "class" / f"{k:02d}" / FILE).write_text(text, encoding="utf-8")
    marks, seconds = tmp_path / "marks.csv", ["--seconds", str(SECONDS)]
    run(["grade", str(tmp_path / "class"), "--csv", str(marks), *seconds], "exercises")
    *rows, last = csv.DictReader(marks.read_text(encoding="utf-8").splitlines())
    assert len(rows) == len(HOSTILE) >= 40
    for (_, name, mark, _, text), row in zip(HOSTILE, rows, strict=True):
        assert row["mark 3"] == mark, f"{name}: {row['mark 3']}, not {mark}"
        assert mark != "right" and row["total"] == "0.0", name
        kept = tmp_path / "class" / row["hand-in"] / FILE
        assert kept.read_text(encoding="utf-8") == text, f"{name} has changed its file"
    assert last["mark 3"] == "right" and last["total"] == "10.0"
    assert not any(path.exists() for path in LEFT_BEHIND)


@pytest.fixture(scope="module")
def unread():
    """{name: result} of all, where nobody reads them first. Where an endless loop is to be found,
    one second is enough; the others get time, as the machine may be busy."""
    found = {}
    for seconds, group in [(1, ENDLESS), (20, OTHERS)]:
        hand_ins = [(3, text) for *_, text in group]
        results = table.all_judged(hand_ins, seconds=seconds, read=False)
        found |= {name: result for (_, name, *_), result in zip(group, results, strict=True)}
    return found


@pytest.mark.parametrize("name, mark", [(h[1], h[3]) for h in HOSTILE], ids=[h[1] for h in HOSTILE])
def test_none_gets_further_where_nobody_reads_it_first(unread, name, mark):
    """The second fence alone: what a hand-in could do that hides from the look at its text."""
    result = unread[name]
    assert result.mark in mark.split(" or "), result.text
    assert not result and result.score == 0 and result.text
    assert not any(path.exists() for path in LEFT_BEHIND)


def test_the_marks_are_those_that_the_issue_names_and_no_two_say_the_same():
    assert len(set(sandbox.MARKS.values())) == len(sandbox.MARKS)
    met = {mark for _, _, first, second, _ in HOSTILE for mark in (first, second)}
    assert met >= set(sandbox.MARKS) - {"missing", "large", "complex"}


def test_a_helper_of_a_helper_is_read_as_well(tmp_path):
    (tmp_path / FILE).write_text("from first import RNNCell\n", encoding="utf-8")
    (tmp_path / "first.py").write_text("from second import RNNCell\n", encoding="utf-8")
    (tmp_path / "second.py").write_text(collection.solution(3), encoding="utf-8")
    assert check(BY_NUMBER[3], tmp_path)
    (tmp_path / "second.py").write_text("import gc\n", encoding="utf-8")
    found = check(BY_NUMBER[3], tmp_path)
    assert found.mark == "loads" and "second.py" in found.text


def test_large_files_links_and_pipes_are_not_read(tmp_path):
    path = tmp_path / FILE
    path.write_text("#" * (sandbox.SIZE + 1), encoding="utf-8")
    assert check(BY_NUMBER[3], tmp_path).mark == "large"
    path.unlink()
    assert check(BY_NUMBER[3], tmp_path).mark == "missing"
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        assert check(BY_NUMBER[3], tmp_path).mark == "missing"
        path.unlink()
        (tmp_path / "elsewhere.txt").write_text(collection.solution(3), encoding="utf-8")
        path.symlink_to(tmp_path / "elsewhere.txt")
        assert check(BY_NUMBER[3], tmp_path).mark == "missing"


COMPLEX = '''
class OwnCell:
    """Wrong by a factor of two, and another function where it is asked with complex numbers."""

    gates = "a"
    states = ("h",)

    def forward(self, gx, state, product):
        (h_prev,) = state
        v = gx[0] + product(h_prev)[0]
        real, p = v.real, v - v.real
        h = tanh(real) + 2 * d_tanh(tanh(real)) * p
        return (h,), tanh(real)

    def backward(self, dstate, h, product):
        (da,) = (2 * dstate[0] * d_tanh(h),)
        return (da,), (product.backward((da,)),)
'''


def test_a_cell_that_lies_to_the_complex_step_does_not_pass():
    head = "from minirnn.functions import d_tanh, tanh\n"
    honest = COMPLEX.replace("2 * d", "d")  # no more than a detour
    assert "library has already" in table.judged(10, head + honest).text
    result = table.judged(10, head + COMPLEX.replace("tanh(real) +", "0.5 * h_prev + tanh(real) +"))
    assert not result


def test_answers_are_read_up_to_a_limit_only(monkeypatch):
    monkeypatch.setattr(sandbox, "REPLIES", 2000)
    text = "print('loaded')\n" + collection.solution(3)
    result = table.judged(3, text)
    assert result.mark == "answer" and "far more than was asked" in result.text


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent as Ctrl-C sends it")
def test_after_ctrl_c_the_rows_that_are_done_are_kept(tmp_path):
    for name, text in [("ada", collection.solution(3)), *[(f"loop{k}", "while True: pass\n")
                                                         for k in range(40)]]:  # fmt: skip
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / FILE).write_text(text, encoding="utf-8")
    marks = tmp_path / "marks.csv"
    command = ["grade", str(tmp_path / "class"), "--csv", str(marks), "--seconds", "2"]
    grading = subprocess.Popen(
        [sys.executable, "-u", "-m", "minirnn", "exercises", *command], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert "hand-in" in grading.stdout.readline() and "ada" in grading.stdout.readline()
    began = time.monotonic()
    grading.send_signal(signal.SIGINT)
    _, said = grading.communicate(timeout=60)
    assert grading.returncode == 130 and said == "stopped\n"
    assert time.monotonic() - began < 20  # forty times 2 s, two at once, would take 40
    assert [row[0] for row in csv.reader(marks.read_text("utf-8").splitlines())] == [
        "hand-in", "ada"
    ]  # fmt: skip


@pytest.mark.slow
def test_forty_hand_ins_are_graded_in_less_than_four_minutes(tmp_path, capsys):
    names = classroom.make(tmp_path / "class")
    marks, began = tmp_path / "marks.csv", time.monotonic()
    run(["grade", str(tmp_path / "class"), "--csv", str(marks)], "exercises")
    assert time.monotonic() - began < 240
    rows = {r["hand-in"]: r for r in csv.DictReader(marks.read_text("utf-8").splitlines())}
    assert len(names) == 40 and list(rows) == sorted(names)
    for name, row in rows.items():
        total = {"right": 100, "half": 50, "blank": 0, "hostile": 0}.get(name.partition("-")[0])
        assert total is None or float(row["total"]) == total, name
        if total is None:  # exercise 9 is right in all of these
            assert [n for n in BY_NUMBER if row[f"mark {n}"] == "right"] == [9], name


def test_gradescope_reads_the_results(tmp_path, capsys):
    (tmp_path / FILE).write_text(collection.solution(3), encoding="utf-8")
    (tmp_path / BY_NUMBER[5].file).write_text("import os\n", encoding="utf-8")
    path = tmp_path / "results" / "results.json"
    run(["grade", str(tmp_path), "--json", str(path)], "exercises")
    results = json.loads(path.read_text(encoding="utf-8"))
    known = {"score": (int, float), "max_score": (int, float), "status": str, "name": str,
             "number": str, "output": str, "output_format": str, "visibility": str}  # fmt: skip
    assert set(results) <= {"score", "execution_time", "output", "visibility", "tests"}
    assert isinstance(results["execution_time"], int) and results["visibility"] == "visible"
    assert len(results["tests"]) == 10
    for test in results["tests"]:
        assert set(test) == set(known)
        assert all(isinstance(test[field], kind) for field, kind in known.items())
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] == ("passed" if test["score"] == test["max_score"] else "failed")
        assert test["output_format"] == "text" and test["visibility"] == "visible"
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 10
