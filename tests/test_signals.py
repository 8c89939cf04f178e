"""SIGTERM, as a scheduler sends it: every command saves, says so, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
MANY = 10**6
COMMANDS = {  # name: arguments, and how the line before the last begins; None without one
    "names.py": (["examples/names.py", "--epochs", 9999, "--patience", 9999], "saved after step "),
    "reproduce.py": (
        ["examples/reproduce.py", "--only", "A", "--iterations", MANY, "--jobs", 2],
        "saved in ",
    ),
    "generate.py": (["examples/generate.py", "--iterations", MANY], "saved in "),
    "why_lstm.py": (["examples/why_lstm.py", "--iterations", MANY, "--jobs", 2], "saved in "),
    "long_sequences.py": (
        ["examples/long_sequences.py", "--batches", MANY, "--jobs", 2],
        "saved in ",
    ),
    "exercises grade": (["-m", "minirnn", "exercises", "grade", "class"], None),
    "exercises check": (["-m", "minirnn", "exercises", "check", "class/ada", 3], None),
    "exercises watch": (["-m", "minirnn", "exercises", "watch", "class/ada", 3], None),
}
SLOW = (
    "generate.py", "why_lstm.py", "long_sequences.py", "exercises grade", "exercises check",
    "exercises watch",
)  # fmt: skip


def of_session(session):
    """The processes of a session that have not ended: {id: command line}."""
    alive = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, *numbers = (place / "stat").read_text().rpartition(")")[2].split()
            if int(numbers[2]) == session and state != "Z":
                alive[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
        except OSError:
            pass  # it has ended meanwhile
    return alive


def wait_for(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begun(folder, process):
    """Whether a command has begun its work: written a checkpoint, or started on a hand-in."""
    assert process.poll() is None, process.communicate()
    return any(folder.glob("out/**/*.npz")) or any(folder.glob("tmp/minirnn-*/runner/child.py"))


@pytest.mark.parametrize(
    "to_all",
    [
        pytest.param(False, id="to the first"),
        pytest.param(True, id="to all", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in COMMANDS]
)
def test_sigterm(name, to_all, tmp_path):
    arguments, saved = COMMANDS[name]
    (tmp_path / "tmp").mkdir()
    (tmp_path / "class" / "ada").mkdir(parents=True)
    (tmp_path / "class" / "ada" / "ex03_rnn_cell.py").write_text("while True: pass\n")
    (tmp_path / "data").mkdir()
    for language, end in {"Ab": "ov", "Cd": "ez"}.items():
        names = [f"{a}{b}{end}" for a in "bdklmnrst" for b in "aeio"]
        (tmp_path / "data" / f"{language}.txt").write_text("\n".join(names))
    place = [ROOT / a if str(a).startswith("examples/") else a for a in arguments]
    output = ["--data", "data", "--output", "out"] if saved else ["--seconds", 4]
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "MINIRNN_CHECKPOINT_SECONDS": "0",
        "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "tmp"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *map(str, [*place, *output])], cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: begun(tmp_path, process))
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, out + err
    *before, last = err.splitlines()
    assert last == "stopped" and len(before) == bool(saved), err
    assert not saved or before[0].startswith(saved) and before[0].endswith("with --resume")
    assert "Traceback" not in out
    wait_for(lambda: not of_session(process.pid))
    assert not list(tmp_path.glob("tmp/*")) and not list(tmp_path.rglob("*.tmp"))
