"""Hostile and broken hand-ins: each gets its own mark, none passes, and none stops the others."""

import contextlib
import csv
import errno
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
import gauntlet  # noqa: E402
import table  # noqa: E402

from minirnn import cli  # noqa: E402
from minirnn.errors import GraderError  # noqa: E402
from minirnn.exercises import fence, sandbox  # noqa: E402
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
    path.mkdir()
    assert check(BY_NUMBER[3], tmp_path).mark == "missing"
    path.rmdir()
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
    assert grading.stdout.readline().startswith("fence: ")
    assert "hand-in" in grading.stdout.readline() and "ada" in grading.stdout.readline()
    began = time.monotonic()
    grading.send_signal(signal.SIGINT)
    _, said = grading.communicate(timeout=60)
    assert grading.returncode == 130 and said == "stopped\n"
    assert time.monotonic() - began < 20  # forty times 2 s, two at once, would take 40
    assert [row[0] for row in csv.reader(marks.read_text("utf-8").splitlines())] == [
        "hand-in", "ada"
    ]  # fmt: skip


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fences are Linux's")
WAYS = ["bubblewrap", "user", "kernel", "python"]
TRIED_ALWAYS = ["climbs up from its own folder", "imports the package", "writes the result",
                "locks the marks up", "a child by the C library", "kills the grader",
                "leaves the grader no descriptors", "sends a datagram"]  # fmt: skip


def through(way, names=None):
    """What gets through a fence, which is passed over where it cannot be had."""
    before = list(fence._chosen)
    fence.choose(way)
    try:
        holds = sandbox.holding()
    except GraderError as error:
        pytest.skip(f"{way} cannot be had here: {error}")
    finally:
        fence._chosen[:] = before
    if way != "python" and not holds:
        pytest.skip(f"{way} holds nothing here: {holds}")
    return list(gauntlet.faults(way, names))


@LINUX
@pytest.mark.parametrize("way", WAYS)
def test_the_fence_of_the_operating_system_holds(way):
    assert not through(way, TRIED_ALWAYS)


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_nothing_gets_through_a_fence(way):
    assert len(gauntlet.hand_ins()) > 100
    assert not through(way)


@LINUX
def test_no_process_outlives_a_grader_that_is_killed(tmp_path):
    (tmp_path / FILE).write_text("import time\ntime.sleep(61.234)\n", encoding="utf-8")
    code = (f"from minirnn.exercises.sandbox import HandIn; h = HandIn({str(tmp_path / FILE)!r}); "
            "print(1, flush=True); h.__enter__()")  # fmt: skip
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT,
                              env=os.environ | {"TMPDIR": str(tmp_path)})  # fmt: skip
    with grader:
        grader.stdout.readline()
        within(10, lambda: list(gauntlet.left_processes(tmp_path)))
        time.sleep(0.7)  # till the fence is up
        grader.kill()
    if not sandbox.holding():
        pytest.skip("no fence of the operating system can be had here")
    within(5, lambda: not list(gauntlet.left_processes(tmp_path)))


def within(seconds, condition):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


GRANDCHILD = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(6)
    os._exit(0)
"""


@LINUX
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="others can start no process")
def test_nobody_waits_for_a_grandchild_that_holds_the_pipes(tmp_path, monkeypatch):
    monkeypatch.setattr(fence, "_chosen", ["python"])
    (tmp_path / FILE).write_text(GRANDCHILD, encoding="utf-8")
    began = time.monotonic()
    with sandbox.HandIn(tmp_path / FILE, scan=False, hook=False):
        inside = time.monotonic()
    assert time.monotonic() - inside < 2 and time.monotonic() - began < 6


@LINUX
def test_the_next_fence_is_taken_where_the_first_does_not_start(monkeypatch):
    monkeypatch.setattr(fence, "_chosen", [])
    monkeypatch.setattr(fence, "bubblewrap", lambda: "/bin/false")
    assert fence.ways()[0] == "bubblewrap"
    first = sandbox.holding()
    assert "bubblewrap" not in first.parts and fence.ways() != ["bubblewrap"]
    assert len(fence.ways()) == 1  # and no later hand-in gets a weaker one
    monkeypatch.setattr(fence, "_chosen", ["bubblewrap"])
    with pytest.raises(GraderError, match="does not start"):
        sandbox.holding()


def test_a_fence_is_real_where_the_system_holds_files_and_processes():
    real = [{"bubblewrap"}, {"user"}, {"landlock", "seccomp"}]
    none = [set(), {"landlock"}, {"seccomp"}]
    assert all(fence.Fence(frozenset(parts)) for parts in real)
    assert not any(fence.Fence(frozenset(parts)) for parts in none)
    assert "no network" not in str(fence.Fence(frozenset({"user"})))


def test_grading_is_refused_without_a_real_fence_where_one_is_required(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / FILE).write_text(collection.solution(3), encoding="utf-8")
    command = ["grade", str(tmp_path), "--csv", str(tmp_path / "marks.csv"), "--require-fence"]
    monkeypatch.setattr(fence, "_chosen", ["python"])
    assert cli.main(lambda: run(command, "exercises")) == 2
    out, err = capsys.readouterr()
    assert "no fence here" in err and not out and not (tmp_path / "marks.csv").exists()
    assert run(command[:-1], "exercises") == 0
    assert capsys.readouterr().out.startswith("fence: none that the operating system holds")


TROUBLE = {
    "no room": (sandbox.shutil, "copyfile", OSError(errno.ENOSPC, "No space left on device")),
    "cannot start a process": (sandbox.subprocess, "Popen", BlockingIOError(errno.EAGAIN, "none")),
    "can't start new thread": (sandbox.threading.Thread, "start",
                               RuntimeError("can't start new thread")),
    "not the hand-in's fault": (sandbox.fence, "ways", []),
}  # fmt: skip


@pytest.mark.parametrize("says", TROUBLE)
def test_the_grader_s_own_trouble_is_no_mark(says, monkeypatch):
    owner, name, trouble = TROUBLE[says]

    def fails(*_, **__):
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    monkeypatch.setattr(owner, name, fails)
    with pytest.raises(GraderError, match=says) as raised:
        check(BY_NUMBER[3], ROOT / "tests" / "solutions")
    assert "\n" not in str(raised.value)


def test_files_beside_are_looked_at_only_where_they_are_imported(tmp_path):
    """Whatever their name, number, encoding or content is."""
    (tmp_path / FILE).write_text(collection.solution(3), encoding="utf-8")
    (tmp_path / "main.py").write_text("import matplotlib.pyplot as plt\n", encoding="utf-8")
    (tmp_path / "x.py").write_text("import os\n", encoding="utf-8")
    for k in range(300):
        (tmp_path / f"other{k}.py").write_bytes(b"#" * 50_000)
    with contextlib.suppress(OSError, UnicodeError):  # some systems know no such name
        Path(os.fsdecode(bytes(tmp_path) + b"/l\xf6sung.py")).write_bytes(b"import os")
    texts = sandbox.files_of(tmp_path / FILE)
    assert list(texts) == [FILE] and check(BY_NUMBER[3], tmp_path)


def test_what_is_imported_from_beside_is_limited(tmp_path):
    text = "".join(f"import other{k}\n" for k in range(sandbox.FILES + 1))
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    for k in range(sandbox.FILES + 1):
        (tmp_path / f"other{k}.py").write_text("", encoding="utf-8")
    result = check(BY_NUMBER[3], tmp_path)
    assert result.mark == "large" and "more than 100 files" in result.text
    for k in range(20):
        (tmp_path / f"other{k}.py").write_text("#" * 200_000, encoding="utf-8")
    assert "3,000,000 bytes" in check(BY_NUMBER[3], tmp_path).text


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links need a right")
def test_a_helper_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / FILE).write_text("from helper import RNNCell\n", encoding="utf-8")
    (tmp_path / "helper.py").symlink_to(ROOT / "tests" / "solutions" / FILE)
    result = check(BY_NUMBER[3], tmp_path)
    assert not result and result.mark == "import"


def test_no_file_of_the_folder_at_hand_is_run(tmp_path):
    """Neither by `python -P -m minirnn`, which is what is printed, nor by the console script."""
    (tmp_path / FILE).write_text(collection.solution(3), encoding="utf-8")
    for name in ("numpy", "random", "json", "minirnn", "bwrap"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w')\n", encoding="utf-8")
    (tmp_path / "bwrap").write_text("#!/bin/sh\ntouch run\n", encoding="utf-8")
    (tmp_path / "bwrap").chmod(0o755)
    script = "import sys; from minirnn.__main__ import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f".:{os.environ['PATH']}"}
    for start in (["-m", "minirnn"], ["-c", script]):
        done = subprocess.run(
            [sys.executable, "-P", *start, "exercises", "check", ".", "3"],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0 and "right" in done.stdout, done.stderr
        assert "-P -m minirnn exercises check" in done.stdout
    assert not (tmp_path / "run").exists()


HOLES = """if __name__ != "__main__": import gc
import dataclasses; dataclasses.builtins.exec("import os")
import enum; enum.bltns.__import__("os")
match abs: case object(__self__=s): pass
g = getattr
import functools; h = functools.partial(setattr, 1)
print.__self__.open("/etc/hostname")
import types; types.FunctionType
if "__main__" in __name__ or True: import gc"""


@pytest.mark.parametrize("text", HOLES.splitlines())
def test_the_look_at_the_text_is_not_passed_by_the_simplest_of_things(text):
    text = text.replace(": case", ":\n    case").replace("; pass", "")
    assert table.judged(3, text + "\n").mark == "loads"


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
