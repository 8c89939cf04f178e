"""A class of hand-ins: read, marked, counted, compared; nothing that is done is ever lost."""

import csv
import errno
import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hand_ins"))

import collection  # noqa: E402
import table as judged_table  # noqa: E402

from minirnn import __main__ as door  # noqa: E402
from minirnn import cli  # noqa: E402
from minirnn.errors import DataError, GraderError  # noqa: E402
from minirnn.exercises import checking  # noqa: E402
from minirnn.exercises.catalogue import BY_NUMBER, EXERCISES  # noqa: E402
from minirnn.exercises.checking import check  # noqa: E402
from minirnn.exercises.conventions import Conventions  # noqa: E402
from minirnn.exercises.grading import github, gradescope, mistakes, similarity  # noqa: E402
from minirnn.exercises.grading.hand_ins import students  # noqa: E402
from minirnn.exercises.grading.marks import Graded  # noqa: E402
from minirnn.exercises.grading.table import Table  # noqa: E402
from minirnn.exercises.grading.zip_files import unpack  # noqa: E402
from minirnn.exercises.handouts import solved, starter  # noqa: E402
from minirnn.exercises.judges.result import Result, Step  # noqa: E402

FILES = [exercise.file for exercise in EXERCISES]
THIRD = BY_NUMBER[3].file
OWN = ROOT / "examples" / "own_exercise" / "softplus.py"


def command(*words):
    """The exit code of `exercises WORDS`."""
    try:
        return cli.main(lambda: door.run(["exercises", *map(str, words)]))
    except SystemExit as over:  # of argparse
        return over.code


def put(folder, name=THIRD, text=None):
    """Write a hand-in's file, the solution of exercise 3 or a text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(collection.solution(3) if text is None else text, encoding="utf-8")
    return folder


def zipped(path, *entries):
    """A zip file of (name, text) entries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries:
            archive.writestr(name, text)
    return path


# Who has handed in what


def test_folders_nested_folders_and_zip_files_are_hand_ins(tmp_path):
    class_, scratch = tmp_path / "class", tmp_path / "scratch"
    scratch.mkdir()
    for place in ("ada", "bob/my-work", "cyd/a/b", "_dan"):
        put(class_ / place)
    zipped(class_ / "eve.zip", ("eve/" + THIRD, "x = 1\n"), ("__MACOSX/._" + THIRD, ""))
    inner = zipped(tmp_path / "inner.zip", (THIRD, "x = 1\n")).read_bytes()
    zipped(class_ / "fay.zip", ("work.zip", inner))
    zipped(class_ / "gus.zip", ("gus\\" + THIRD, "x = 1\n"))
    put(class_, "extract.py")  # no exercise, and no hand-in
    read, left_out = students([class_], FILES, scratch)
    assert [s.name for s in read] == ["_dan", "ada", "bob", "cyd", "eve", "fay", "gus"]
    assert all((s.folder / THIRD).is_file() for s in read) and left_out == ["extract.py"]


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    class_, scratch = tmp_path / "class", tmp_path / "scratch"
    scratch.mkdir()
    put(class_ / "two" / "old")
    put(class_ / "two" / "new")
    put(class_ / "notes", "notes.txt")
    (class_ / "none").mkdir()
    (class_ / "eve").symlink_to(put(tmp_path / "ada"))
    (class_ / "fay").mkdir()
    (class_ / "fay" / "work").symlink_to(tmp_path / "ada")
    for name in ("hal.rar", "ida.zip"):
        (class_ / name).write_text("no archive")
    read, _ = students([class_], FILES, scratch)
    assert {s.name: s.remark for s in read} == {
        "eve": "eve is a link, which is not followed",
        "fay": "it is empty, or holds nothing but links",
        "hal": "hal.rar is neither a folder nor a zip file: unpack it",
        "ida": "ida.zip is not a whole zip file (File is not a zip file)",
        "none": "it is empty, or holds nothing but links",
        "notes": "it holds no exercise, but notes.txt",
        "two": "new and old both hold exercises: hand in one folder",
    }
    assert not any(s.folder for s in read)


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


REFUSED = {
    "points outside": [("../" + THIRD, "")],
    "points outside it: '/": [("/tmp/" + THIRD, "")],
    "points outside it: 'C:": [("C:\\" + THIRD, "")],
    "more than 50,000,000 bytes": [(f"{k}.py", "#" * 299_999) for k in range(170)],
    "more than 5,000 entries": [(f"{k}.txt", "") for k in range(5001)],
    "both as a file and as a folder": [("a", ""), ("a/" + THIRD, "")],
    "too long": [("a" * 300 + ".py", "")],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_zip_file_is_not_trusted(tmp_path, reason):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=re.escape(reason)):
        unpack(zipped(tmp_path / "a.zip", *REFUSED[reason]), tmp_path / "out")
    assert not (tmp_path / THIRD).exists()


def test_a_zip_file_leaves_links_out_and_reads_no_more_than_it_must(tmp_path):
    (tmp_path / "out").mkdir()
    path = zipped(tmp_path / "a.zip", (link("b.py"), "/etc/passwd"), ("c.csv", "1" * 10**6),
                  (THIRD, "#" * 10**8))  # fmt: skip
    unpack(path, tmp_path / "out")
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "out").iterdir()}
    assert sizes == {"c.csv": 0, THIRD: 300_001}  # too large, and said so when it is checked


def test_the_same_name_twice_is_told_apart(tmp_path):
    for place in ("mon/ada", "tue/ada", "tue/bob"):
        put(tmp_path / place)
    read, _ = students([tmp_path / "mon", tmp_path / "tue"], FILES, tmp_path)
    assert [s.name for s in read] == ["mon/ada", "tue/ada", "bob"]


def test_a_folder_that_may_be_both_is_refused(tmp_path):
    put(tmp_path / "class" / "ada")
    put(tmp_path / "class")
    with pytest.raises(DataError, match="holds exercises itself and in ada"):
        students([tmp_path / "class"], FILES, tmp_path)
    (read,), _ = students([tmp_path / "class"], FILES, tmp_path, alone=True)
    assert read.folder == tmp_path / "class"


@pytest.mark.parametrize("name", ["ex03_rnn_cell (1).py", "Ex03_RNN_Cell.py.txt", "my ex3.py"])
def test_a_look_alike_is_told(tmp_path, name):
    result = check(BY_NUMBER[3], put(tmp_path, name))
    assert result.mark == "missing"
    assert result.mistake == f"Here is '{name}': give it exactly the name {THIRD}."


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_told(tmp_path, encoding):
    (tmp_path / THIRD).write_text(collection.solution(3), encoding=encoding)
    result = check(BY_NUMBER[3], tmp_path)
    assert result.mark == "syntax" and "save it as UTF-8" in result.mistake


@pytest.mark.parametrize(
    "head, line", [("# coding: undefined", 0), ("# coding: ascii", 0), ("", 2)]
)
def test_other_encodings_are_told(tmp_path, head, line):
    """What is not UTF-8, by the line; what names an encoding that does not fit, by Python."""
    umlaut = "é".encode() if head else b"\xe9"
    text = head.encode() + b"\n# " + umlaut + b"\n" + collection.solution(3).encode()
    (tmp_path / THIRD).write_bytes(text)
    result = check(BY_NUMBER[3], tmp_path)
    assert result.mark == "syntax" and (f"line {line} of {THIRD} is not UTF-8" in result.text) == (
        line > 0
    )


# Marks


def rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_only_points_seed_and_what_was_wrong(tmp_path, capsys):
    right = put(tmp_path / "class" / "ada")
    wrong = collection.solution(3).replace("(dh_prev,)", "(dh,)").replace("d_tanh(h)", "h")
    put(tmp_path / "class" / "bob", text=wrong)
    table, feedback = tmp_path / "marks.csv", tmp_path / "feedback"
    words = ["grade", tmp_path / "class", "--only", 3, 1, "--points", "3=20", "--csv", table,
             "--feedback", feedback, "--seed", 5]  # fmt: skip
    assert command(*words) == 0
    ada, bob = rows(table)
    assert (ada["hand-in"], ada["total"], ada["of"], ada["exercise 3"]) == (
        "ada", "20.0", "30.0", "20.0"
    )  # fmt: skip
    assert "exercise 2" not in ada and ada["mark 1"] == "missing" and ada["seed"] == "5"
    assert "solution of this project, identical" in ada["alike"] and bob["exercise 3"] == "10.0"
    assert bob["place 3"].startswith("RNNCell.backward") and "dgx" in bob["what 3"]
    said = (feedback / "bob.txt").read_text(encoding="utf-8")
    assert "10 of 30 points" in said and bob["what 3"][:30] in said
    put(tmp_path / "last" / "ada", text=wrong)
    command(*words, "--compare", tmp_path / "last")  # the same seed: the same numbers
    assert "3: last/ada, identical" in rows(table)[1]["alike"]
    assert (feedback / "bob.txt").read_text(encoding="utf-8") == said
    assert "seed 5" in capsys.readouterr().out and right.is_dir()


def test_the_gates_that_are_right_count(tmp_path):
    texts = {
        6: collection.solution(6).replace(
            "dc * c_prev, dc * f", "dc * c_prev, dc"
        ),  # dc_prev alone is wrong
        7: collection.solution(7).replace("dh * z", "0 * z"),  # dh_prev alone
        5: collection.solution(5).replace("h = o * tanh_c", "h = o * c"),  # h alone
    }
    results = judged_table.all_judged(list(texts.items()))
    assert [result.mark for result in results] == ["wrong value"] * 3
    shares = [round(result.score, 3) for result in results]
    assert shares == [round(5 / 6, 3), round((1 + 3 / 4) / 2, 3), round(5 / 6, 3)]
    head = "def backward(self, dstate, cache, product):\n"
    unmended = starter(BY_NUMBER[9].file, Conventions()).replace(head, f"{head}        x = 1\n")
    (ninth,) = judged_table.all_judged([(9, unmended)])
    assert (
        ninth.mark == "wrong value" and ninth.score == 0
    )  # most of its gates are right as they were handed out


# Nothing is lost


def graded(name, seed=0, mark="right"):
    result = Result(3, "", THIRD, mark, [Step("a", mark == "right")])
    return Graded(name, [result], {3: 10}, seed)


def test_a_row_takes_the_place_of_its_own_and_of_no_other(tmp_path):
    path = tmp_path / "marks.csv"
    for name in ("zoe", "ada"):
        Table(path, [3], ["ada"]).add(graded(name))
    Table(path, [3], ["ada", "bob"]).add(graded("ada", seed=9))
    assert [(row["hand-in"], row["seed"]) for row in rows(path)] == [("ada", "9"), ("zoe", "0")]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "stranger"])
def test_a_table_that_cannot_be_written_is_told_before_anything_is_graded(tmp_path, kind, capsys):
    target = tmp_path / "marks.csv"
    {"folder": target.mkdir, "pipe": lambda: os.mkfifo(target),
     "link": lambda: target.symlink_to(tmp_path / "x"),
     "stranger": lambda: target.write_text("name,mark\nada,1\n")}[kind]()  # fmt: skip
    before = os.lstat(target)[:4], os.lstat(target).st_mtime_ns
    for option in ("--csv", "--json")[: 1 if kind == "stranger" else 2]:
        assert command("grade", put(tmp_path / "ada"), option, target) == 2
    said = capsys.readouterr()
    assert "hand-in " not in said.out and said.err.startswith("error: ")
    assert (os.lstat(target)[:4], os.lstat(target).st_mtime_ns) == before


def test_the_graders_own_trouble_gives_no_mark_and_keeps_the_rows(tmp_path, capsys, monkeypatch):
    class Full(checking.HandIn):
        def __enter__(self):
            if "bob" in str(self.path):
                for _ in range(200):  # until ada is done
                    if "ada" in table.read_text():
                        break
                    time.sleep(0.05)
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().__enter__()

    monkeypatch.setattr(checking, "HandIn", Full)
    table = tmp_path / "marks.csv"
    Table(table, [3], []).add(graded("bob", seed=1))
    for name in ("ada", "bob"):
        put(tmp_path / "class" / name)
    assert command("grade", tmp_path / "class", "--only", 3, "--csv", table, "--seed", 2) == 2
    said = capsys.readouterr().err
    assert "the grader could not start" in said and "make room in" in said
    assert {row["hand-in"]: row["seed"] for row in rows(table)} == {"ada": "2", "bob": "1"}
    report = tmp_path / "results.json"
    assert command("grade", tmp_path / "class" / "bob", "--only", 3, "--json", report) == 2
    assert "not your work" in json.loads(report.read_text())["output"]
    with pytest.raises(GraderError):
        check(BY_NUMBER[3], tmp_path / "class" / "bob")


def test_there_is_always_a_report_for_gradescope(tmp_path, capsys):
    put(tmp_path / "up" / "my-work")
    put(tmp_path / "up" / "old")
    report = tmp_path / "results.json"
    assert command("grade", tmp_path / "up", "--json", report, "--only", 3) == 0
    said = json.loads(report.read_text())
    assert said["score"] == 0 and "hand in one folder" in said["output"]
    assert command("grade", tmp_path / "none", "--json", report) == 2
    assert json.loads(report.read_text())["output"].startswith("there is no folder")
    assert command("grade", tmp_path / "up", "--json", report, "--only", 77) == 2
    assert re.match("The autograder failed.*exercise 77", json.loads(report.read_text())["output"])
    term = tmp_path / "term.json"
    term.write_text("{")
    assert command("grade", tmp_path / "up", "--json", report, "--conventions", term) == 2
    assert re.match("The autograder failed.*term.json", json.loads(report.read_text())["output"])
    assert command("grade", tmp_path / "up", "--conventions", term) == 2
    assert "autograder" not in capsys.readouterr().err
    put(tmp_path / "one" / "my-work")
    put(tmp_path / "one" / "runs", "loss.csv")
    assert command("grade", tmp_path / "one", "--json", report, "--only", 3, "--points", 50) == 0
    said = json.loads(report.read_text())
    assert said["score"] == 50 == said["tests"][0]["max_score"]


# The class as a whole


def wrong(name, number, mistake="", mark="wrong value", text="x is wrong"):
    result = Result(number, "", "", mark, [Step("step", False)], text=text, mistake=mistake)
    return Graded(name, [result], {number: 10}, 0)


def test_mistakes_are_counted_by_what_they_share():
    class_ = [
        wrong("a", 6, "Your dgx f is what you get when dc is lost."),
        wrong("b", 6, "Your dgx i is what you get when dc is lost."),
        wrong("c", 6, "Nothing that was given may change.", text="it writes into dc"),
        wrong("d", 6, mark="not written"),
        wrong("e", 3, mark="time"),
        graded("f"),
    ]
    counted = mistakes.counted(class_)
    assert counted == [
        (3, "not to be judged: no end in sight", 1), (6, "dc is lost.", 2),
        (6, "not written yet", 1), (6, "step: it writes into dc", 1),
    ]  # fmt: skip
    lines = mistakes.table(counted)
    assert lines[2].split() == ["6", "2", "dc", "is", "lost."] and max(map(len, lines)) <= 80
    figure = mistakes.picture(counted, 6)
    (axes,) = figure.axes
    assert sorted(bar.get_width() for bar in axes.patches) == [1, 1, 1, 2]
    figure.savefig(io.BytesIO())
    many = [(1, f"mistake {k}", 1 + (k < 5)) for k in range(50)]
    assert "and 20 others" in mistakes.table(many)[-1] and "mistake 4" in str(mistakes.table(many))


def disguised(text):
    """A solution with its names changed, and a comment and a line more."""
    for name in ("da", "dan", "dar", "daz", "dh_prev", "dz", "dn", "dproduct_n", "r", "z", "n"):
        text = re.sub(rf"(?<!\.)\b{name}\b(?!:)", f"my_{name}", text)
    return text.replace("        return", "        # and back\n        unused = 1\n        return")


def folders(tmp_path, texts):
    return {name: put(tmp_path / name, BY_NUMBER[7].file, text) for name, text in texts.items()}


def test_copies_are_found_however_their_names_are_changed_and_others_are_not(tmp_path):
    own = [text for number, *_, text in collection.right() if number == 7]
    exercise, usual = BY_NUMBER[7], Conventions()
    blank = starter(exercise.file, usual)
    class_ = {f"own {k}": text for k, text in enumerate(own)} | {
        "ada": solved(exercise.file, usual), "bob": disguised(solved(exercise.file, usual)),
        "cyd": own[3] + "\n# mine\n", "blank 0": blank, "blank 1": blank,
    }  # fmt: skip
    last = folders(tmp_path / "last", {"eve": disguised(own[5])})
    alike = similarity.pairs([exercise], folders(tmp_path, class_), last, usual)
    project = similarity.SOLUTION
    assert {frozenset((pair.first, pair.second)) for pair in alike} == {
        frozenset(pair) for pair in [("ada", project), ("bob", project), ("ada", "bob"),
                                     ("own 3", "cyd"), ("own 5", "eve")]
    }  # fmt: skip
    exact = {frozenset((p.first, p.second)) for p in alike if p.share == 1}
    assert exact == {frozenset(("ada", project)), frozenset(("own 3", "cyd"))}
    assert similarity.of_one(alike, "cyd") == "7: own 3, identical"
    said = "\n".join(similarity.listed(alike))
    assert "cyd, own 3: identical" in said and "eve, own 5: " in said


def test_what_is_no_python_is_compared_as_far_as_it_can_be_read(tmp_path):
    texts = {"ada": "def f(:\n  'abc", "bob": "\0", "cyd": "(" * 10**5, "dan": "é\tx\n y\n  z"}
    assert similarity.pairs([BY_NUMBER[7]], folders(tmp_path, texts), {}, Conventions()) == []


# Other graders


def test_no_package_with_conventions_that_are_none(tmp_path, capsys):
    """Every student would get 0 points for it."""
    (tmp_path / "bad.json").write_text("{")
    for name, words in {"bad.json": "is not JSON", "nowhere.json": "there is no file"}.items():
        path = tmp_path / "autograder.zip"
        assert command("gradescope", path, "--conventions", tmp_path / name) == 2
        assert words in capsys.readouterr().err and not path.exists()


def test_the_package_for_gradescope_grades_by_itself(tmp_path):
    term = tmp_path / "term.json"
    term.write_text('{"lstm_gates": "ofig"}')
    path = tmp_path / "autograder.zip"
    assert command("gradescope", path, "--only", 3, 11, "--points", "3=30", "--exercises", OWN,
                   "--conventions", term) == 0  # fmt: skip
    with zipfile.ZipFile(path) as archive:
        modes = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
        archive.extractall(tmp_path / "source")
    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    source = tmp_path / "source"
    for script in ("setup.sh", "run_autograder"):
        assert subprocess.run(["bash", "-n", source / script]).returncode == 0
    run = (source / "run_autograder").read_text().replace("/opt/minirnn/bin/python", sys.executable)
    (source / "run_autograder").write_text(run.replace("/autograder", str(tmp_path)))
    put(tmp_path / "submission" / "work")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(["bash", source / "run_autograder"], check=True, env=env)
    said = json.loads((tmp_path / "results" / "results.json").read_text())
    assert [(t["number"], t["score"], t["max_score"]) for t in said["tests"]] == [
        ("3", 30, 30), ("11", 0, 10)
    ]  # fmt: skip
    assert command("gradescope", path) == 2  # it is there already
    assert command("gradescope", tmp_path / "a.tar") == 2


def test_a_failure_before_anything_runs_is_reported_too(tmp_path):
    run = gradescope.RUN.replace("/opt/minirnn/bin/python", "/nowhere/python")
    (tmp_path / "run").write_text(run.replace("/autograder", str(tmp_path)))
    for folder in ("source", "submission"):
        (tmp_path / folder).mkdir()
    subprocess.run(["bash", tmp_path / "run"], capture_output=True)
    said = json.loads((tmp_path / "results" / "results.json").read_text())
    assert said["score"] == 0 and "not your work" in said["output"]


def test_the_workflow_for_github_classroom(tmp_path):
    path = tmp_path / "classroom.yml"
    words = ["classroom", path, "--only", 3, 6, "--points", "6=15", "--install", "./a.whl"]
    assert command(*words) == 0 and command(*words) == 2
    text = path.read_text()
    assert text == github.text([BY_NUMBER[3], BY_NUMBER[6]], {3: 10, 6: 15}, "./a.whl")
    assert re.findall(r"exercises check \. (\d+)", text) == ["3", "6"]
    assert "runners: exercise-3,exercise-6" in text and "EXERCISE-6_RESULTS: ${{ steps." in text
    yaml = pytest.importorskip("yaml")
    steps = yaml.safe_load(text)["jobs"]["exercises"]["steps"]
    assert [step["with"]["max-score"] for step in steps if "max-score" in step.get("with", {})] == [
        10, 15
    ]  # fmt: skip


# Exercises of one's own


def test_the_worked_example_is_handed_out_checked_and_graded(tmp_path, capsys):
    work, more = tmp_path / "work", ("--exercises", OWN)
    assert command("start", work, *more) == 0 and command("check", work, 11, *more) == 1
    assert "exercise 11: softplus is not written yet" in capsys.readouterr().out
    text = (work / "ex11_softplus.py").read_text()
    blank = re.search(r"    # TODO.*\n    raise.*\n", text)[0]
    put(work, "ex11_softplus.py", text.replace(blank, "    return np.log(1 + np.exp(-a))\n"))
    assert command("check", work, 11, *more) == 1
    assert "the sign of a is wrong" in capsys.readouterr().out
    put(work, "ex11_softplus.py", (OWN.parent / "solutions" / "ex11_softplus.py").read_text())
    assert command("grade", work, "--only", 11, "--csv", tmp_path / "m.csv", *more) == 0
    assert rows(tmp_path / "m.csv")[0]["mark 11"] == "right"
    assert command("hint", 11, *more) == 0 and command("hint", 11) == 2
    assert len(EXERCISES) == len(BY_NUMBER) == 10  # they are gone again


FAULTS = {
    "EXERCISES = 3": "must hold EXERCISES",
    "1 / 0": "fails: ZeroDivisionError",
    "EXERCISES = [3]": "is no minirnn.exercises.catalogue.Exercise",
    "number": "the number 3 must be",
    "starter": "is not there",
    "hints": "three hints",
    "steps": "of exercise 11 fails",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_holds_no_exercises_is_refused(tmp_path, fault, capsys):
    text = OWN.read_text(encoding="utf-8")
    text = {
        "number": text.replace('11, "ex11', '3, "ex11'), "starter": text,
        "hints": text.replace('"1 is exp(0): look up np.logaddexp."', ""),
        "steps": text.replace('return [("softplus"', "return [(1 / 0"),
    }.get(fault, fault)  # fmt: skip
    if fault != "starter":
        put(tmp_path, "ex11_softplus.py", "")
    put(tmp_path, "own.py", text)
    assert command("hint", 11, "--exercises", tmp_path / "own.py") == 2
    assert FAULTS[fault] in capsys.readouterr().err


# Exercise 10


OWN_PARAMETER = """
    def __init__(self):
        self.p = Parameter(np.ones(3))

    def named_parameters(self):
        return {"p": self.p}

    def forward("""


def test_a_cell_of_ones_own_is_not_the_librarys_with_something_for_show():
    lstm = collection.solution(6).replace("class LSTMCell", "class OwnCell")
    head = "import numpy as np\nfrom minirnn.parameters import Parameter\n"
    unused = head + lstm.replace("\n    def forward(", OWN_PARAMETER, 1)
    hand_ins = {
        "depends on p": unused,
        "this is the LSTMCell": unused.replace(
            "h = o * tanh_c", "h = o * tanh_c + 1e-4 * self.p.data"
        ),
        "is the LSTMCell": lstm.replace("h = o * tanh_c", "h = 1.000001 * o * tanh_c"),
        "the GRUCell": collection.solution(7).replace("class GRUCell", "class OwnCell"),
    }
    results = judged_table.all_judged([(10, text) for text in hand_ins.values()])
    for words, result in zip(hand_ins, results, strict=True):
        assert result.mark == "wrong value" and words in result.text, (words, result.text)


def test_no_feedback_takes_the_place_of_another(tmp_path):
    from minirnn.exercises.grading.feedback import Feedback

    graded = [SimpleNamespace(name=name, total=0, most=10, remark="", results=[])
              for name in ("anna", "anna.", "a/b", "a-b", "Anna")]  # fmt: skip
    feedback = Feedback(tmp_path / "fb")
    for one in graded:
        feedback.add(one)
    texts = [path.read_text("utf-8") for path in (tmp_path / "fb").iterdir()]
    assert len(texts) == 5 and len(set(texts)) == 5
