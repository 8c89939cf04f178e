"""A run that was stopped, killed or interrupted ends with the same bytes as one that was not."""

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import strict
from hypothesis import given, settings
from hypothesis import strategies as st
from training_runs import (
    EPOCHS,
    OPTIMISERS,
    STEPS,
    USUAL,
    array,
    rewritten,
    rng,
    run_fact,
    stopped_run,
    trainer,
)

import minirnn
from minirnn import backend, cli, training
from minirnn.batches import samplers
from minirnn.errors import CheckpointError, DataError, NumberError
from minirnn.storage import checkpoints
from minirnn.storage.checkpoints import Checkpoint, save_net

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "names.py"
LIBRARY = str(Path(minirnn.__file__).resolve().parents[1])

OPTIONS = {
    "sampling": st.sampled_from(sorted(samplers)),
    "dropout": st.sampled_from([0.0, 0.3]),
    "patience": st.sampled_from([None, 1, 2]),
    "schedule": st.booleans(),
    "optimizer": st.sampled_from(sorted(OPTIMISERS)),
    "cell": st.sampled_from(["rnn", "lstm", "gru"]),
}


def ending(run, folder):
    """The bytes of `model.npz` and `history.csv`, as the scripts write them."""
    save_net(folder / "model.npz", run.net, {})
    return (folder / "model.npz").read_bytes(), run.history.csv()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


def whole(folder, **options):
    run = trainer(**options)
    run.fit()
    return ending(run, folder)


def in_pieces(folder, stops, how, **options):
    """The ending of a run that ends at each of these steps, by `stop` or by `kill`."""
    path = folder / "checkpoint.npz"
    path.unlink(missing_ok=True)
    for stop in [*sorted(stops), None]:
        run = trainer(**options)
        if path.exists():
            Checkpoint(path, {"seed": 0}).resume(run)
        kill = Killed() if how == "kill" else None

        def progress(run, stop=stop, kill=kill):
            if run.step == stop and kill:
                raise kill
            run.stopped = run.stopped or run.step == stop

        try:
            run.fit(progress, Checkpoint(path, {"seed": 0}, every_seconds=0 if kill else 1000))
        except Killed:
            continue
        if stop is None or run.is_over() and not run.stopped:
            return ending(run, folder)


class Killed(Exception):
    """A process that ends here, with what is on the disk."""


@given(
    st.fixed_dictionaries(OPTIONS),
    st.sets(st.integers(1, EPOCHS * STEPS), min_size=1, max_size=4),
    st.sampled_from(["stop", "kill"]),
)
@settings(max_examples=min(settings.default.max_examples, 300))
def test_stopped_at_any_steps(folder, options, stops, how):
    assert in_pieces(folder, stops, how, **options) == whole(folder, **options)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_stopped_at_every_step(folder, how):
    assert in_pieces(folder, range(1, EPOCHS * STEPS + 1), how, **USUAL) == whole(folder, **USUAL)


@pytest.mark.parametrize("moment", ["before all", "draw_epoch", "evaluate", "last evaluate"])
def test_stopped_between_steps(folder, monkeypatch, moment):
    """Ctrl-C in the moments around an epoch, where no step is under way."""
    path = folder / "checkpoint.npz"
    path.unlink(missing_ok=True)
    run, calls = trainer(**USUAL), itertools.count(1)
    run.stopped = moment == "before all"
    name = moment.removeprefix("last ")
    owner = run if name == "draw_epoch" else training
    when = EPOCHS if moment.startswith("last") else 2
    if owner is run or name == "evaluate":
        kept = getattr(owner, name)

        def stopping(*args):
            run.stopped = run.stopped or next(calls) == when
            return kept(*args)

        monkeypatch.setattr(owner, name, stopping)
    run.fit(checkpoint=Checkpoint(path, {}))
    assert run.stopped and run.step < EPOCHS * STEPS + (moment == "last evaluate")
    monkeypatch.undo()
    again = trainer(**USUAL)
    Checkpoint(path, {}).resume(again)
    assert again.step == run.step
    again.fit()
    assert ending(again, folder) == whole(folder, **USUAL)


def test_resumed_on_another_backend(folder, monkeypatch):
    """Begun on one, ended on the other: as near as two backends are, and no error."""
    backend.register("strict", strict)
    path, found = folder / "moved.npz", []
    try:
        for first, second in [("numpy", "strict"), ("strict", "numpy")]:
            backend.use(first)
            run = trainer(**USUAL)
            run.fit(lambda run: setattr(run, "stopped", run.step == 8), Checkpoint(path, {}))
            backend.use(second)
            run = trainer(**USUAL)
            Checkpoint(path, {}).resume(run)
            assert run.step == 8
            run.fit()
            found.append(run.net.state_dict())
    finally:
        backend.use("numpy")
        backend._modules.pop("strict")
    expected = trainer(**USUAL)
    expected.fit()
    for name, wanted in expected.net.state_dict().items():
        for state in found:
            np.testing.assert_allclose(state[name], wanted, rtol=1e-3, atol=1e-5, err_msg=name)


# What a checkpoint holds, and when it is written


def test_nothing_but_the_state_is_in_it(tmp_path):
    """No clock, no place: two runs that stop at the same step write the same bytes."""
    found = []
    for name in ("one", "two"):
        stopped_run(tmp_path / f"{name}.npz")
        found.append((tmp_path / f"{name}.npz").read_bytes())
    assert found[0] == found[1]


def test_written_at_an_interval(tmp_path, monkeypatch):
    """The clock moves 3 seconds whenever it is asked: once a step, and once a save."""
    clock, saved = itertools.count(0, 3.0), []
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    checkpoint = Checkpoint(tmp_path / "c.npz", {}, every_seconds=10)
    save = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda run: (saved.append(run.step), save(run)))
    trainer(**USUAL).fit(checkpoint=checkpoint)
    assert saved == [4, 8, 12, 16, 20]


def test_the_interval_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", "0.5")
    assert Checkpoint(tmp_path / "c", {}).every == 0.5
    for text in ("soon", "-1", "nan"):
        monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", text)
        with pytest.raises(CheckpointError, match=f"MINIRNN_CHECKPOINT_SECONDS is '{text}'"):
            Checkpoint(tmp_path / "c", {})


@pytest.mark.parametrize("how", ["infinite step", "validation"])
def test_no_checkpoint_of_bad_weights(tmp_path, monkeypatch, how):
    """A finite gradient and a huge rate may throw the weights to infinity: the file stays."""
    path = tmp_path / "c.npz"
    stopped_run(path)
    before = path.read_bytes()
    run = trainer(**USUAL)
    Checkpoint(path, {"a": 1}).resume(run)
    if how == "infinite step":
        run.schedule = lambda step: 1e39
        words = r"(holds NaN or infinity, so no checkpoint|not finite at step \d+)"
    else:
        run.schedule = lambda step: 0.01 if step < 9 else 1e39
        words = r"the validation loss is not finite after step 10 \(epoch 2\); the first bad"
    every = 0 if how == "infinite step" else 1000
    with np.errstate(all="ignore"), pytest.raises(NumberError, match=words):
        run.fit(checkpoint=Checkpoint(path, {"a": 1}, every))
    assert path.read_bytes() == before


# What is refused


def row(column, value):
    return lambda arrays, facts: facts["run"]["history"][0].__setitem__(column, value)


BAD = [
    (run_fact("position", -1), "position in the epoch is -1, but must be 0 to 4"),
    (run_fact("position", 5), "position in the epoch is 5"),
    (run_fact("position", 10**30), "position in the epoch is 1000"),
    (run_fact("position", 3.0), "position in the epoch is 3.0"),
    (run_fact("position", True), "position in the epoch is True"),
    (run_fact("position", 2), "optimiser made 8 steps, but the history has 7"),
    (run_fact("history", []), "optimiser made 8 steps"),
    (run_fact("history", {}), "history is not 0 to 4 rows"),
    (run_fact("history", [{}] * 9), "history is not 0 to 4 rows"),
    (run_fact("history", [3]), "row 1 of its history"),
    (row("epoch", 2), "row 1 of its history is of epoch 2"),
    (row("step", -5), "row 1 of its history is of epoch 1, step -5"),
    (row("lr", float("nan")), "lr = nan"),
    (row("train_loss", "x"), "train_loss = 'x'"),
    (row("train_loss", 10**400), "train_loss = 1000"),
    (row("extra", 1.0), "row 1 of its history"),
    (run_fact("right", -1), "number of right guesses is -1, but must be 0 to 21"),
    (run_fact("right", 22), "number of right guesses is 22"),
    (run_fact("losses", float("inf")), "sum of losses is inf"),
    (run_fact("losses", 3.41e38), r"sum of losses is 3.41e\+38"),
    (run_fact("first_loss", None), "first loss is None"),
    (run_fact("over", "yes"), "over is 'yes'"),
    (run_fact("optimizer", {"steps": 8}), "optimiser is another one"),
    (run_fact("optimizer", {"steps": -8, "lr": 1.0}), "optimiser made -8 steps"),
    (run_fact("optimizer", {"steps": 8, "lr": -1.0}), "learning rate is -1.0"),
    (run_fact("rng", None), "no state of the random numbers"),
    (run_fact("rng", [1, 2]), "no state of the random numbers"),
    (rng(bit_generator="MT19937"), "no state of the random numbers"),
    (rng(state={"state": -1, "inc": 1}), "no state of the random numbers"),
    (rng(state={"state": 2**200, "inc": 1}), "no state of the random numbers"),
    (rng(uinteger=10**30), "no state of the random numbers"),
    (run_fact("epoch_rng", None), "no state of the random numbers"),
    (lambda a, facts: facts["run"].pop("rng"), "facts are not whole"),
    (lambda a, facts: facts.update(run=3), "facts are not whole"),
    (lambda a, facts: facts.pop("run"), "facts are not whole"),
    (lambda a, facts: facts.pop("settings"), "it holds no settings"),
    (lambda a, facts: facts.update(settings=["a"]), "it holds no settings"),
    (lambda a, facts: facts["settings"].update(a=2), "was made with a = 2, but now it is 1"),
    (lambda a, facts: facts["settings"].update(b="x" * 999), "but now it is None"),
    (lambda a, facts: facts.update(kind="net"), "holds a net, but a training run is needed"),
    (lambda a, facts: facts.update(format=2), "format 2, of minirnn .* which reads format 1"),
    (array("net.linear.b", np.full(3, np.nan, "f4")), "net.linear.b holds something that is not"),
    (array("best.linear.b", np.zeros(3)), "dtype float64, but this run's has float32"),
    (array("best.linear.b", np.zeros(4, "f4")), r"shape \(4,\), but this run's has \(3,\)"),
    (array("optimizer.m.0", np.full((5, 3), np.inf, "f4")), "optimizer.m.0 holds something"),
    (array("optimizer.m.0", np.array(["a"])), r"optimizer.m.0 has shape \(1,\)"),
    (array("optimizer.q.0", np.zeros(1)), "it has optimizer.q.0, which this run has not"),
    (array("stray", np.zeros(1)), "it has stray, which this run has not"),
    (lambda arrays, facts: arrays.pop("optimizer.v.1"), "it has no optimizer.v.1"),
    (lambda arrays, facts: arrays.pop("best.linear.W"), "it has no best.linear.W"),
]


@pytest.mark.parametrize("change, words", BAD, ids=[words for _, words in BAD])
def test_a_state_that_this_run_cannot_have_had(tmp_path, change, words):
    path = tmp_path / "c.npz"
    stopped_run(path)
    rewritten(path, change)
    run = trainer(**USUAL)
    arrays, facts = run.state_dict()
    with pytest.raises(CheckpointError, match=words) as error:
        Checkpoint(path, {"a": 1}).resume(run)
    assert str(path) in str(error.value) and len(str(error.value)) < 500
    arrays_after, facts_after = run.state_dict()
    assert facts_after == facts, "something was taken up before all was checked"
    for name, before in arrays.items():
        np.testing.assert_array_equal(arrays_after[name], before, err_msg=name)


def test_no_checkpoint_or_a_broken_one(tmp_path):
    path = tmp_path / "c.npz"
    with pytest.raises(CheckpointError, match=f"there is no run to go on with in {path}"):
        Checkpoint(path, {"a": 1}).resume(trainer(**USUAL))
    stopped_run(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a whole .npz file"):
        Checkpoint(path, {"a": 1}).resume(trainer(**USUAL))


def test_a_run_goes_on_with_its_own_monitor(tmp_path):
    path = tmp_path / "c.npz"
    stopped_run(path, 8)
    run = trainer(**USUAL)
    run.history.monitor = "accuracy"
    with pytest.raises(CheckpointError, match="its monitor is .*, but now it is accuracy; use"):
        Checkpoint(path, {"a": 1}).resume(run)
    assert run.step == 0


# What scripts add: Ctrl-C, a run begun anew, two runs at once


def test_an_unfinished_run_is_kept(tmp_path, capsys):
    path, copies = tmp_path / "c.npz", ["c-previous.npz", "c-previous-2.npz"]
    for k, step in enumerate((8, 3)):
        stopped_run(path, step)
        old = path.read_bytes()
        cli.train(trainer(**USUAL), Checkpoint(path, {}), resume=False)
        kept = tmp_path / copies[k]
        assert f"unfinished run; a copy is kept in {kept}" in capsys.readouterr().err
        assert kept.read_bytes() == old
    cli.train(trainer(**USUAL), Checkpoint(path, {}), resume=False)
    assert capsys.readouterr().err == "", "a run that was over has its model: nothing is lost"
    path.write_bytes(b"of another program")
    cli.train(trainer(**USUAL), Checkpoint(path, {}), resume=False)
    assert (tmp_path / "c-previous-3.npz").read_bytes() == b"of another program"
    assert len(list(tmp_path.iterdir())) == 4


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    for name in (".c.npz.123.tmp", ".mine.tmp", "notes.tmp"):
        (tmp_path / name).write_bytes(b"")
    cli.train(trainer(**USUAL), Checkpoint(tmp_path / "c.npz", {}), resume=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".mine.tmp", "c.npz", "notes.tmp"]


def test_two_runs_in_one_folder(tmp_path):
    pytest.importorskip("fcntl", reason="no locks on this system")
    with cli.alone_in(tmp_path), pytest.raises(DataError, match="another run is writing to"):
        cli.train(trainer(**USUAL), Checkpoint(tmp_path / "c.npz", {}), resume=False)
    assert list(tmp_path.iterdir()) == []
    cli.train(trainer(**USUAL), Checkpoint(tmp_path / "c.npz", {}), resume=False)


def test_a_full_disk_stops_the_run(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    stopped_run(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run = trainer(**USUAL)
    with pytest.raises(CheckpointError, match="No space left on device; what it held before"):
        cli.train(run, Checkpoint(path, {"a": 1}, every_seconds=0), resume=True)
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"] and path.read_bytes() == before
    assert run.step == 9


# The script as a user starts it

SMALL = ["--hidden-size", "5", "--embedding", "4", "--batch-size", "16", "--output", "out"]
FILES = ("model.npz", "history.csv")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("data") / "names", np.random.default_rng(0)
    path.mkdir()
    for language, end in {"Ab": "ov", "Cd": "ez", "Ef": "ini"}.items():
        names = {"".join(rng.choice(list("bdklmnrst")) + "a" for _ in "ab") + end for _ in "a" * 30}
        (path / f"{language}.txt").write_text("\n".join(sorted(names)) + "\n")
    return path


def start(data, cwd, *options, **environment):
    environment = {
        **os.environ, "PYTHONPATH": LIBRARY, "MINIRNN_CHECKPOINT_SECONDS": "0",
        "OPENBLAS_NUM_THREADS": "1", **environment,
    }  # fmt: skip
    command = [sys.executable, str(SCRIPT), *SMALL, "--data", str(data), *map(str, options)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process):
    """(exit code, stderr) once it has ended."""
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def files(folder):
    return {name: (folder / "out" / name).read_bytes() for name in FILES}


@pytest.mark.usefixtures("without_figures")
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_one_interrupt_saves_and_says_so(data, tmp_path, monkeypatch, capsys):
    """Ctrl-C in training: 130, one sentence, and --resume ends with the same bytes."""
    epochs = ["--epochs", "40", "--patience", "40"]
    process = start(data, tmp_path, *epochs)
    path = tmp_path / "out" / "checkpoint.npz"
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, err = ended(process)
    assert code == 130, err
    lines = err.splitlines()
    assert lines[-1] == "stopped" and lines[-2].startswith("saved after step ")
    assert "Traceback" not in err and [p.name for p in path.parent.iterdir()] == [path.name]
    step = int(lines[-2].split()[3])
    # the rest in this process, which is faster
    here(monkeypatch, tmp_path, data, *epochs, "--resume")
    assert f"going on after step {step} (epoch {step // 4 + 1})\n" in capsys.readouterr().err
    here(monkeypatch, tmp_path / "whole", data, *epochs)
    assert files(tmp_path) == files(tmp_path / "whole")


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("place", ["load_names", "split", "save_net", "report"])
def test_interrupts_outside_training(data, tmp_path, monkeypatch, capsys, place):
    """130, nothing half written, and --resume (or a new start) ends with the same bytes."""
    options = ["--epochs", "3"]

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    def patch(script):
        owner, name = (script.summary, "write_figure") if place == "report" else (script, place)
        monkeypatch.setattr(owner, name, interrupt)

    here(monkeypatch, tmp_path, data, *options, patch=patch, code=130)
    assert capsys.readouterr().err == "stopped\n"
    left = {path.name for path in (tmp_path / "out").glob("*")}
    assert left <= {"checkpoint.npz", "model.npz"}
    monkeypatch.undo()
    here(monkeypatch, tmp_path, data, *options, *["--resume"] * ("checkpoint.npz" in left))
    here(monkeypatch, tmp_path / "whole", data, *options)
    assert files(tmp_path) == files(tmp_path / "whole")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_no_disk_takes(data, tmp_path):
    """What is printed goes to a full disk: one sentence, and no second attempt at the end."""
    command = [sys.executable, str(SCRIPT), *SMALL, "--data", str(data), "--epochs", "1"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": LIBRARY}, timeout=100,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


def here(monkeypatch, folder, data, *options, patch=None, code=0):
    """The script in this process."""
    spec = importlib.util.spec_from_file_location("names_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["names.py", *SMALL, "--data", str(data), *options])
    if patch:
        patch(script)
    assert cli.main(script.run) == code


@pytest.mark.usefixtures("without_figures")
def test_the_names_by_another_path(data, tmp_path, monkeypatch, capsys):
    """The names count, not where they lie: `../names`, then `/full/names`."""

    def patch(script):
        step = script.Trainer.train_step

        def train_step(trainer, index):
            trainer.stopped = trainer.step == 1
            return step(trainer, index)

        monkeypatch.setattr(script.Trainer, "train_step", train_step)

    relative = os.path.relpath(data, tmp_path)
    here(monkeypatch, tmp_path, relative, "--epochs", "2", patch=patch, code=130)
    monkeypatch.undo()
    here(monkeypatch, tmp_path, data, "--epochs", "2", "--resume")
    assert "going on after step 2" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.slow
def test_fifty_kills(data, tmp_path):
    """kill -9 at random moments, of start, training and report: it always goes on."""
    options = ["--epochs", 60, "--patience", 60]
    (tmp_path / "whole").mkdir()
    began = time.monotonic()
    assert ended(start(data, tmp_path / "whole", *options)) == (0, "")
    duration = time.monotonic() - began
    expected, random = files(tmp_path / "whole"), np.random.default_rng()
    kills = finished = resumed = 0
    while kills < 50:
        folder = tmp_path / f"run{finished}"
        folder.mkdir(exist_ok=True)
        again = (folder / "out" / "checkpoint.npz").exists()
        began = time.monotonic()
        process = start(data, folder, *options, *["--resume"] * again)
        try:
            process.communicate(timeout=duration * random.uniform(0.1, 1.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills, resumed = kills + 1, resumed + again
            continue
        assert process.returncode == 0
        assert files(folder) == expected
        finished += 1
        duration = min(duration, time.monotonic() - began)  # the machine may be less busy now
    folder = tmp_path / f"run{finished}"
    again = (folder / "out" / "checkpoint.npz").exists()
    code, err = ended(start(data, folder, *options, *["--resume"] * again))
    assert code == 0, err
    assert files(folder) == expected and not list((folder / "out").glob(".*"))
    print(f"{kills} kills, {resumed} of them in resumed runs, {finished + 1} runs ended alike")


def mounted(folder, size):
    """Whether a disk of this size could be mounted there: only root may."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name != "posix" or not mounted(disk, "64k"):
        pytest.skip("no small disk can be mounted here: that takes root on Linux")
    try:
        stopped_run(disk / "c.npz")
        before = (disk / "c.npz").read_bytes()
        (disk / "filler").write_bytes(b"x" * (2**16 - 8192 - len(before)))
        run = trainer(**USUAL)
        with pytest.raises(CheckpointError, match="No space left on device; what it held before"):
            cli.train(run, Checkpoint(disk / "c.npz", {"a": 1}, 0), resume=True)
        assert (disk / "c.npz").read_bytes() == before
        assert sorted(p.name for p in disk.iterdir()) == ["c.npz", "filler"]
        (disk / "filler").unlink()
        run = trainer(**USUAL)
        cli.train(run, Checkpoint(disk / "c.npz", {"a": 1}, 0), resume=True)
        assert ending(run, tmp_path) == whole(tmp_path, **USUAL)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
