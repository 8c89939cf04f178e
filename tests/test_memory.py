"""Memory that runs out, wherever it strikes, ends a command in one line."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn import cli
from minirnn.errors import DataError
from minirnn.reports import processes

ROOT = Path(__file__).resolve().parents[1]
LIMITS = 10
COMMANDS = {
    "names.py": ["examples/names.py", "--epochs", "1", "--hidden-size", "64"],
    "names.py, a large batch": [
        "examples/names.py", "--epochs", "1", "--hidden-size", "900", "--batch-size", "5000",
    ],
    "reproduce.py": ["examples/reproduce.py", "--only", "A", "--iterations", "200", "--jobs", "1"],
    "long_sequences.py": [
        "examples/long_sequences.py", "--batches", "40", "--lengths", "6", "--jobs", "1",
    ],
    "exercises check": ["-m", "minirnn", "exercises", "check", "exercises", "3"],
}  # fmt: skip
BLAS = "OpenBLAS error: "  # the library ends the process itself, with this line


@pytest.mark.parametrize(
    "error, words",
    [
        (MemoryError(), r"out of memory \(no more is said\); try smaller sizes"),
        (ImportError("libx.so: failed to map segment from shared object"), r"out of memory \(libx"),
        (RuntimeError("can't start new thread"), r"out of memory \(can't start"),
        (SystemError("error return without exception set"), r"out of memory \(error return"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), r"out of memory \(\[Errno 12\]"),
        (OSError(errno.ENOENT, "No such file"), r"\[Errno 2\] No such file"),
        (DataError("two\nlines"), "two lines"),
    ],
)
def test_what_an_error_says(error, words):
    assert re.match(words, cli.sentence(error))


def test_an_error_that_no_user_causes():
    assert cli.sentence(RuntimeError("a bug")) is None
    assert cli.sentence(ImportError("no module named x")) is None


def test_an_error_that_came_of_no_memory():
    """Some code says something else once memory has run out."""
    try:
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("cannot close") from None
    except ValueError as error:
        assert cli.sentence(error).startswith("out of memory (cannot close)")


def test_a_process_without_memory_for_a_thread(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    codes = []
    monkeypatch.setattr(processes.threading.Thread, "start", start)
    monkeypatch.setattr(processes.signal, "signal", lambda *_: None)
    monkeypatch.setattr(processes.os, "_exit", lambda code: codes.append(code) or sys.exit())
    with pytest.raises(SystemExit):
        processes.work(None, None, None, None)
    assert codes == [errno.ENOMEM]


def limited(arguments, folder, megabytes):
    """The command with so much address space at the most."""
    import resource

    most = megabytes << 20
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)} | dict.fromkeys(threads, "1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def least(tmp_path_factory):
    """The MiB that Python, NumPy and this library themselves take."""
    for megabytes in range(60, 1000, 4):
        code = "import minirnn.__main__, minirnn.reports.runs"
        if limited(["-c", code], tmp_path_factory.getbasetemp(), megabytes).returncode == 0:
            return megabytes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of address space")
@pytest.mark.parametrize("name", COMMANDS)
def test_ten_limits(name, least, tmp_path):
    place, *options = COMMANDS[name]
    fates = []
    for k in range(LIMITS):
        folder = tmp_path / str(k)
        folder.mkdir()
        if place == "-m":
            shutil.copytree(ROOT / "examples" / "exercises", folder / "exercises")
            command = [place, *options]
        else:
            command = [str(ROOT / place), *options, "--output", "out"]
        done = limited(command, folder, least + 4 + 14 * k)
        lines = [line for line in done.stderr.splitlines() if not line.startswith(BLAS)]
        fates.append((done.returncode, lines))
        if BLAS in done.stderr and done.returncode == 1:
            continue  # it ended the first process itself
        assert "Traceback" not in done.stderr, done.stderr
        assert len(lines) == (done.returncode == 2), done.stderr
        assert not list(folder.rglob("*.tmp"))
    assert {code for code, _ in fates} <= {0, 1, 2}
    assert name == "exercises check" or any("memory" in str(lines) for _, lines in fates), fates
