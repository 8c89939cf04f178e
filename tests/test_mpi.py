"""Training that the ranks of MPI share: n give what one gives; how they stop, and how they end."""

import ctypes
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import on_ranks
import pytest

from minirnn.errors import BackendError
from minirnn.mpi import world
from minirnn.mpi.masks import Masks
from minirnn.storage.checkpoints import Checkpoint

ROOT = Path(__file__).resolve().parents[1]
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
ENVIRONMENT = {
    **os.environ, "OPENBLAS_NUM_THREADS": "1", "MINIRNN_CHECKPOINT_SECONDS": "0.1",
    "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "helpers"))),
    # as root, in a container; more ranks than cores, which then let each other run
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_mpi_yield_when_idle": "1",
}  # fmt: skip

needs_mpi = pytest.mark.skipif(
    not (importlib.util.find_spec("mpi4py") and MPIEXEC),
    reason='mpi4py or mpiexec is missing: pip install -e ".[mpi]"',
)
ON_RANKS = ROOT / "tests" / "helpers" / "on_ranks.py"
# mpiexec's exit code when its own "listener thread failed to start", before any rank: once in some
# 150 starts, of which this project can change nothing, so it is started again
NOT_STARTED = 213


started = []


def start(n, *command):
    """A process, of mpiexec where n is not None, that ends with the test, and with this one."""
    mpiexec = [] if n is None else [MPIEXEC, "-n", str(n)]
    process = subprocess.Popen(
        [*mpiexec, sys.executable, *map(str, command)], env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=die_with_this if sys.platform == "linux" else None,
    )  # fmt: skip
    started.append(process)
    return process


def die_with_this():
    """For prctl(2): SIGKILL for this process when the one that started it is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    while started:
        with started.pop() as process:  # which also closes its pipes
            process.kill()


def on(n, what, folder, *options, code=0):
    """(stdout, stderr) of a function of `on_ranks` on n ranks, or without mpiexec for None."""
    found, out, err = ended(n, ON_RANKS, what, folder, *options)
    assert found == code, f"exit code {found}\n{out}\n{err}"
    return out, err


def ended(n, *command):
    """(exit code, stdout, stderr) of a command on n ranks."""
    for _ in range(3):
        process = start(n, *command)
        out, err = process.communicate(timeout=200)
        if process.returncode != NOT_STARTED:
            break
    return process.returncode, out, err


def under_way(true, n, *command):
    """The process of a command on n ranks, once what is waited for is true."""
    process, deadline = start(n, *command), time.monotonic() + 60
    while not true():
        if process.poll() == NOT_STARTED:
            process = start(n, *command)
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    return process


@pytest.fixture(scope="module")
def one():
    """{case: what a plain trainer leads to}."""
    found = {}
    for name in on_ranks.CASES:
        trainer = on_ranks.case(name)
        trainer.fit()
        found[name] = on_ranks.outcome(trainer)
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of the same on 1, 2 and 3 ranks."""
    folder = tmp_path_factory.mktemp("trained")
    for n in (1, 2, 3):
        on(n, "train", folder)
    return folder


def near(name):
    """How far n ranks may be off: AdamW divides by the root of what may be nearly zero."""
    return 1e-8 if "AdamW" in name else 1e-12


def apart(one, path):
    """The largest difference between two outcomes, and whether all bits are the same."""
    with np.load(path) as other:
        assert sorted(other) == sorted(one)
        return max(np.abs(one[k] - other[k]).max() for k in one), all(
            np.array_equal(one[k], other[k]) for k in one
        )


@needs_mpi
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", list(on_ranks.CASES))
def test_n_ranks_give_what_one_gives(one, trained, name, n):
    """54 steps or 63: weights, the optimiser's state, history, the best epoch."""
    assert one[name]["history"].shape == (on_ranks.EPOCHS, 8)
    off, same = apart(one[name], trained / f"{name}-{n}.npz")
    assert off < near(name)
    assert same == (n == 1), "one rank must give the very bits, and several must share the work"


@needs_mpi
@pytest.mark.parametrize("name", list(on_ranks.CASES))
def test_stopped_by_one_of_two_ranks_and_gone_on_with_by_three(one, trained, name):
    """And by a trainer without ranks: the checkpoint is that of a plain run."""
    off, _ = apart(one[name], trained / f"{name}-resumed.npz")
    assert off < near(name)
    plain = on_ranks.case(name)
    Checkpoint(trained / f"{name}-cut.npz", {}).resume(plain)
    assert plain.step == on_ranks.CUT + 1
    plain.fit()
    found = on_ranks.outcome(plain)
    assert max(np.abs(found[k] - one[name][k]).max() for k in found) < near(name)


@needs_mpi
def test_arrays_that_are_not_numpys_go_through_the_host_or_straight(one, tmp_path):
    on(2, "where_arrays_go", tmp_path)
    for way in ("host", "straight"):
        assert apart(one["streams"], tmp_path / f"{way}.npz")[0] < 1e-12


@needs_mpi
def test_each_rank_takes_a_card(tmp_path):
    """Three ranks of a machine with two."""
    on(3, "cards", tmp_path)
    assert json.loads((tmp_path / "cards.json").read_text()) == [[0], [1], [0]]


DIFFERENT = {
    "settings": "other settings", "seed": "other settings", "data": "other data",
    "net": "other data", "version": "another version of minirnn, NumPy or Python",
    "draws": "drawn other random numbers",
}  # fmt: skip


@needs_mpi
def test_ranks_that_differ_are_told_so(tmp_path):
    on(2, "differ", tmp_path)
    first, second = json.loads((tmp_path / "differ.json").read_text())
    assert first == second  # all know, and none is left waiting
    for what, words in DIFFERENT.items():
        assert first[what].startswith(f"rank 1 has {words} than rank 0, but all must"), what
    assert first["few"].startswith("batch_size is 1, but must be at least 2, a sequence for each")


def errors(text):
    """The lines of errors; Open MPI ends its own words with a null character now and then."""
    return re.findall(r"^error: .*$", text.replace("\0", ""), re.M)


@needs_mpi
@pytest.mark.parametrize("what, line", [
    ("fail", "error: rank 1 of 2: it went wrong"), ("all_fail", "error: it went wrong"),
])  # fmt: skip
def test_an_error_ends_all_in_one_line(tmp_path, what, line):
    _, err = on(2, what, tmp_path, code=2)
    assert errors(err) == [line] and "Traceback" not in err


@needs_mpi
@pytest.mark.parametrize("options, line", [
    (["--batch-size", "0"], "names.py: error: argument --batch-size: '0' must be a whole number"),
    (["--data", "nowhere"], "error: there is no folder nowhere with files <Language>.txt"),
])  # fmt: skip
def test_what_all_ranks_find_wrong_is_said_once(options, line):
    code, _, err = ended(3, ROOT / "examples" / "names.py", "--mpi", *options)
    assert code == 2 and err.count("usage:") == ("argument" in line)
    assert len(re.findall(r"error: .*", err)) == 1 and line in err


@pytest.mark.parametrize("size, library, refused", [
    ("4", None, True), ("1", None, False), ("", None, False), ("4", "there", False),
])  # fmt: skip
def test_mpiexec_without_mpi4py_is_noticed(size, library, refused, monkeypatch):
    """Else every rank would run the whole script."""
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", size)
    monkeypatch.setattr(world.importlib.util, "find_spec", lambda name: library)
    with (
        pytest.raises(BackendError, match="mpiexec started this, but") if refused else nullcontext()
    ):
        world.check_started()


@needs_mpi
@pytest.mark.slow  # it waits for the first rank to say it
def test_what_one_rank_alone_finds_wrong_is_said_by_it(tmp_path):
    names = [ROOT / "examples" / "names.py", "--mpi", "--output", tmp_path]
    other = [":", "-n", 1, sys.executable, *names, "--batch-size", 0]
    _, _, err = ended(1, *names, *other)
    assert re.findall(r"error: .*", err) == [
        "error: argument --batch-size: '0' must be a whole number from 1 to 1,000,000"
    ]
    assert not list(tmp_path.iterdir())


@needs_mpi
def test_tasks_on_ranks(tmp_path):
    """Each rank but the first takes some; a failure lets the others to their end."""
    _, err = on(3, "tasks", tmp_path)
    found, late = json.loads((tmp_path / "tasks.json").read_text())
    assert {name: what for name, (what, _) in found.items()} == {str(k): k for k in range(4)}
    assert {rank for _, rank in found.values()} == {1, 2}
    assert [late[0][0], late[1]] == ["wait", "bad: it went wrong"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("data") / "names", np.random.default_rng(0)
    path.mkdir()
    for language, end in {"Ab": "ov", "Cd": "ez"}.items():
        names = {"".join(rng.choice(list("bdklmnrst")) + "a" for _ in "ab") + end for _ in "x" * 24}
        (path / f"{language}.txt").write_text("\n".join(sorted(names)) + "\n")
    return path


def names(data, output, *options):
    settings = "--epochs 60 --hidden-size 4 --embedding 4 --batch-size 8 --patience 60".split()
    return ROOT / "examples" / "names.py", *settings, "--data", data, "--output", output, *options


def process_of_rank(rank, output):
    """The process id of a rank of the run that writes there."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            given = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if str(output).encode() in given[0] and f"PMIX_RANK={rank}\0".encode() in given[1]:
            return int(process.name)


@needs_mpi
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["kill -9", "SIGUSR1"])
def test_a_rank_that_is_killed_ends_all_and_the_run_is_gone_on_with(data, tmp_path, how):
    checkpoint = tmp_path / "checkpoint.npz"
    process = under_way(checkpoint.exists, 2, *names(data, tmp_path, "--mpi"))
    if how == "kill -9":
        os.kill(process_of_rank(1, tmp_path), signal.SIGKILL)
    else:
        process.send_signal(signal.SIGUSR1)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == (137 if how == "kill -9" else 130), err
    assert "Traceback" not in err and not (tmp_path / "model.npz").exists()
    assert ("saved after step" in err) == (how == "SIGUSR1")
    code, _, err = ended(1, *names(data, tmp_path, "--mpi", "--resume"))
    assert code == 0, err
    assert "going on after step" in err and (tmp_path / "model.npz").exists()


TEXT = "--hidden-size 5 --embedding 3 --streams 5 --steps 4 --epochs 3 --dropout 0.3 --sample 20"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("text") / "book.txt", np.random.default_rng(0)
    path.write_text("".join(rng.choice(list("aeiou bdkl"), 12_000)))
    return path


def saved(folder):
    """What a script's run left: {name: array} of its net, and the history without its times."""
    with np.load(folder / "model.npz") as file:
        arrays = {name: file[name] for name in file if name != "facts"}
    return arrays | {"history": np.genfromtxt(folder / "history.csv", delimiter=",", names=True)}


def same(one, other):
    assert list(one) == list(other)
    for name in one:
        a, b = (np.array(found[name].tolist()) for found in (one, other))
        assert np.abs(a - b).max() < 1e-8, name


@needs_mpi
def test_text_stopped_on_two_ranks_and_gone_on_with_by_three(book, tmp_path):
    """The first alone writes, and prints samples; what comes out is what one process gives."""
    command = [ROOT / "examples" / "text.py", *TEXT.split(), "--text", book, "--output"]
    on(None, "script", tmp_path, *command, tmp_path / "one")
    command += [tmp_path / "shared", "--mpi"]
    checkpoint = tmp_path / "shared" / "checkpoint.npz"
    process = under_way(checkpoint.exists, 2, ON_RANKS, "script", tmp_path, *command)
    process.send_signal(signal.SIGUSR1)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "go on with --resume" in err, err
    out, err = on(3, "script", tmp_path, *command, "--resume")
    assert "going on after step" in err
    assert out.count("epoch 3:") == out.count("parameters") == out.count("written:") == 1
    same(saved(tmp_path / "one"), saved(tmp_path / "shared"))


@needs_mpi
def test_names_on_two_ranks(data, tmp_path):
    """The script's own recipe, in float64."""
    options = "--epochs 4 --hidden-size 4 --embedding 4 --batch-size 8".split()
    command = [ROOT / "examples" / "names.py", *options, "--data", data, "--output"]
    on(None, "script", tmp_path, *command, tmp_path / "one")
    on(2, "script", tmp_path, *command, tmp_path / "shared", "--mpi")
    same(saved(tmp_path / "one"), saved(tmp_path / "shared"))


RUNS = {
    "reproduce": "--only A --iterations 12000",
    "known_results": "--only adding --seeds 1 --quick",
    "long_sequences": "--batches 40 --lengths 9",
}


@needs_mpi
@pytest.mark.parametrize("name", [
    "reproduce", *(pytest.param(name, marks=pytest.mark.slow) for name in list(RUNS)[1:]),
])  # fmt: skip
def test_runs_stopped_on_three_ranks_and_gone_on_with_by_two(name, data, tmp_path):
    folder, options = tmp_path / "runs", RUNS[name].split()
    options += ["--output", folder] + (["--data", data] if name == "reproduce" else [])
    command = [ROOT / "examples" / f"{name}.py", *options]

    def begun():
        return list(folder.rglob("*.part.npz"))

    process = under_way(begun, 3, ON_RANKS, "script", tmp_path, *command)
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and re.search(r"\d+ begun; go on with --resume", err), err
    out, err = on(2, "script", tmp_path, *command, "--resume")
    assert "going on in" in err and not list(folder.rglob("*.part.npz"))
    assert (folder / "results.json").exists()


@needs_mpi
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_no_rank_survives_mpiexec(tmp_path):
    """Not even one that computes without a message to the others."""
    files = [tmp_path / f"{rank}.pid" for rank in (0, 1)]

    def both():
        return all(one.exists() and one.read_text() for one in files)

    process = under_way(both, 2, ON_RANKS, "busy", tmp_path)
    process.kill()
    deadline = time.monotonic() + 10
    while any(alive(int(one.read_text())) for one in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_masks_are_this_ranks_rows_of_those_of_all():
    """Without MPI: of rows and of sequences, and nothing else."""
    own = np.array([False, True, False, True, False])
    masks = Masks(np.random.default_rng(0), own, own[:3])
    whole = np.random.default_rng(0)
    assert np.array_equal(masks.random((2, 4), "float32"), whole.random((5, 4), "float32")[own])
    assert np.array_equal(masks.random((1, 4), "float32"), whole.random((3, 4), "float32")[own[:3]])
    with pytest.raises(ValueError, match="needs a row for each row of the batch"):
        masks.random((4, 4), "float32")
