"""Runs that are kept: the trainers behind them, their files, and the scripts that go on with them.

`reproduce.py`, `generate.py` and `why_lstm.py` are interrupted and killed as a user would, and
must end with the same bytes as if they had not been.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from experiments import (
    EXAMPLES,
    ROOT,
    TRAINERS,
    Killed,
    Task,
    adding_trainer,
    in_this_process,
    loaded,
    one_by_one,
    stopped,
)
from training_runs import array, rewritten, rng, run_fact

from minirnn import cli
from minirnn.cells import GRUCell, RNNCell
from minirnn.errors import CheckpointError, DataError, NumberError
from minirnn.recurrent import Recurrent
from minirnn.reports import copying, online, processes
from minirnn.reports.adding import SOLVED, Adder, AddingTrainer
from minirnn.storage import checkpoints, stored_runs
from minirnn.storage.checkpoints import Checkpoint
from minirnn.storage.files import read_npz

# The trainers


def ending(trainer):
    """All that a run ends with."""
    arrays = {name: a.tobytes() for name, a in trainer.net.state_dict().items()}
    best = getattr(trainer, "best", None) or {}
    arrays |= {f"best {name}": a.tobytes() for name, a in best.items()}
    return arrays, trainer.history, trainer.rng.bit_generator.state, vars(trainer).get("best_score")


def at(trainer):
    return trainer.iteration + trainer.position


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize(
    "name, patch", [("one by one", 1), ("one by one", 3), ("writing", 3), ("adding", 1)]
)
def test_stopped_at_any_step(tmp_path, monkeypatch, name, patch, how):
    """In one run, at every place where it can be: stopped, which saves; or killed, with what was
    saved where it looked at the clock before. All places at the beginning and at the end, and some
    between."""
    monkeypatch.setattr(online, "PATCH", patch)
    make, path, looks = TRAINERS[name], tmp_path / "part.npz", []
    whole = make()
    whole.fit(None, lambda trainer: looks.append(at(trainer)))
    assert len(looks) > 50 and looks[-1] == whole.iterations
    for stop in [*looks[:14], *looks[14:-14:17], *looks[-14:-1], None]:
        run = make()
        if path.exists():
            Checkpoint(path, {"a": 1}).resume(run)
        checkpoint = Checkpoint(path, {"a": 1}, every_seconds=0 if how == "kill" else 1000)
        steps, over = [at(run)], None

        def look(run, stop=stop, checkpoint=checkpoint):
            if how == "kill" and at(run) == stop:
                raise Killed
            checkpoint(run)

        with contextlib.suppress(Killed):
            over = run.fit(steps.append, look, lambda: how == "stop" and at(run) == stop)  # noqa: B023
        assert sum(steps) == at(run) == (stop or whole.iterations)
        assert over is (True if stop is None else False if how == "stop" else None)
    assert ending(run) == ending(whole)


@pytest.mark.parametrize("make", TRAINERS.values(), ids=TRAINERS)
def test_saved_when_it_is_time(tmp_path, monkeypatch, make):
    """Within a row, at its end, and at the end of all, by a clock that moves 3 seconds whenever it
    is asked: once where the run looks at it, and once a save."""
    monkeypatch.setattr(online, "PATCH", 2)
    clock, looks, saved = itertools.count(0, 3.0), [], []
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    checkpoint = Checkpoint(tmp_path / "part.npz", {}, every_seconds=10)
    save = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda run: (saved.append(len(looks)), save(run)))

    def look(trainer):
        looks.append(trainer.position)
        checkpoint(trainer)

    make().fit(None, look)
    assert saved[:3] == [4, 8, 12] and saved[-1] == len(looks)
    assert {looks[k - 1] > 0 for k in saved} == {True, False}


def test_a_trainer_with_nothing_to_choose_by_keeps_no_best(tmp_path):
    def make():
        return one_by_one(validation=False)

    stopped(make, tmp_path / "part.npz", 5)
    again, whole = make(), make()
    Checkpoint(tmp_path / "part.npz", {"a": 1}).resume(again)
    assert again.best is None and again.fit() and whole.fit()
    assert ending(again) == ending(whole)


def test_the_adding_problem_is_learned_and_ends_there():
    generator = np.random.default_rng(0)
    net = Adder(GRUCell, 16, rng=generator)
    trainer, steps = AddingTrainer(net, 4, generator, iterations=2000), []
    assert trainer.fit(None, lambda trainer: steps.append(at(trainer)))
    assert trainer.is_over() and trainer.iteration < 2000
    rows = [iteration for iteration, _ in trainer.history]
    assert rows == steps[49::50] == list(range(50, trainer.iteration + 1, 50))
    assert [error < SOLVED for _, error in trainer.history] == [False] * (len(rows) - 1) + [True]


def test_copying_is_learned_and_ends_there():
    generator = np.random.default_rng(0)
    inner = Recurrent(RNNCell, copying.SYMBOLS + 2, 64, rng=generator, init="keras")
    net = copying.Copier(inner, rng=generator)
    trainer = copying.CopyingTrainer(net, 5, generator, iterations=1200)
    first = trainer.wrong(net)
    assert trainer.fit() and trainer.iteration < 1200
    assert trainer.history[-1][1] == trainer.wrong(net) < copying.SOLVED < 0.7 < first


def test_an_error_that_is_not_finite_stops_adding():
    trainer = adding_trainer()
    trainer.net.linear.b.data[0] = np.nan
    with pytest.raises(NumberError, match="the error is nan after 0 to 3 iterations"):
        trainer.fit()


def history(value, k=0, column=None):
    """Another row in the history, or another value in one."""

    def change(arrays, facts):
        rows = facts["run"]["history"]
        if column is None:
            rows[k] = value
        else:
            rows[k][column] = value

    return change


def drop(name):
    return lambda arrays, facts: facts["run"].pop(name)


COMMON = [
    (drop("rng"), "its facts are not whole"),
    (drop("history"), "its facts are not whole"),
    (run_fact("more", 1), "its facts are not whole"),
    (lambda arrays, facts: facts.update(run=[1]), "its facts are not whole"),
    (run_fact("history", {}), "its history is not 0 to"),
    (run_fact("history", [[1, 1.0]] * 999), "its history is not 0 to"),
    (history(3), "row 1 of its history is not one"),
    (history(None, -1), "of its history is not one"),
    (run_fact("history", []), None),  # for each its own reason
    (run_fact("rng", None), "no state of the random numbers"),
    (rng(bit_generator="MT19937"), "no state of the random numbers"),
    (rng(state={"state": -1, "inc": 1}), "no state of the random numbers"),
    (array("stray", np.zeros(1)), "it has stray, which this run has not"),
    (lambda arrays, facts: arrays.pop(next(iter(arrays))), "it has no net."),
    (drop("position"), "its facts are not whole"),
    *[
        (run_fact("position", value), f"its position in the row is {value!r}, but must be 0 to")
        for value in (-1, 5, 99, 1.0, True, None, "1")
    ],
]
BAD = {
    "one by one": [
        *COMMON,
        (history(4.0, 0, "iteration"), "row 1 of its history is of iteration 4.0, but must"),
        (history(True, 0, "iteration"), "row 1 of its history is of iteration True"),
        (history(6, 1, "iteration"), "row 2 of its history is of iteration 6, but must be of 10"),
        (history(float("nan"), 0, "loss"), "row 1 of its history has loss = nan"),
        (history("1", 0, "train"), "row 1 of its history has train = '1'"),
        (history(10**400, 3, "validation"), "row 4 of its history has validation = 1000"),
        (history(1.0, 0, "more"), "row 1 of its history is not one"),
        (run_fact("seconds", -1.0), "its seconds are -1.0"),
        (run_fact("seconds", "1"), "its seconds are '1'"),
        (run_fact("losses", None), "its sum of losses is None"),
        (run_fact("losses", float("nan")), "its sum of losses is nan"),
        (run_fact("row_rng", None), "no state of the random numbers"),
        (run_fact("row_rng", {"state": 1}), "no state of the random numbers"),
        (run_fact("position", 0), "it has a state or losses for a row not begun"),
        (array("net.out.b", np.zeros(4, "f4")), r"net.out.b has shape \(4,\), but this run's has"),
        (array("net.out.b", np.zeros(3)), "dtype float64, but this run's has float32"),
        (array("best.out.b", np.full(3, np.nan, "f4")), "its best.out.b holds something that is"),
        (lambda arrays, facts: arrays.pop("best.out.W"), "it has no best.out.W"),
    ],
    "adding": [
        *COMMON,
        (history(7, 0, 0), "row 1 of its history is of iteration 7, but must be of 3"),
        (history(1.0, 0, 0), "row 1 of its history is of iteration 1.0"),
        (history(float("inf"), 2, 1), "row 3 of its history has an error of inf"),
        (history(-1.0, 2, 1), "row 3 of its history has an error of -1.0"),
        (history(0.01, 2, 1), "its history goes on after the problem was solved"),
        (history([1, 1.0, 1], 0), "row 1 of its history is not one"),
        (run_fact("optimizer", {"steps": 5}), "its optimiser is another one"),
        (history(0.01, 4, 1), "its history goes on after the problem was solved"),
        (run_fact("position", 0), "made 16 steps, but the history has 15"),
        (run_fact("position", 2), "made 16 steps, but the history has 17"),
        (run_fact("optimizer", {"steps": 9, "lr": 1.0}), "made 9 steps, but the history has 16"),
        (run_fact("optimizer", {"steps": 16, "lr": "x"}), "its learning rate is 'x'"),
        (run_fact("optimizer", {"steps": 16, "lr": 9e9}), "is 9000000000.0, but this run"),
        (array("optimizer.m.0", np.full((3, 2, 3), np.inf, "f4")), "optimizer.m.0 holds something"),
        (lambda arrays, facts: arrays.pop("optimizer.v.1"), "it has no optimizer.v.1"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, change, words", [(name, *case) for name, cases in BAD.items() for case in cases]
)
def test_a_state_that_the_run_cannot_have_had(tmp_path, name, change, words):
    make, path = TRAINERS[name], tmp_path / "part.npz"
    stopped(make, path, 5, inside=True)
    rewritten(path, change)
    trainer = make(seed=3)
    before = ending(trainer), at(trainer), trainer.state_dict()[1]
    with pytest.raises(CheckpointError, match=words) as error:
        Checkpoint(path, {"a": 1}).resume(trainer)
    assert str(path) in str(error.value) and len(str(error.value)) < 500
    assert (ending(trainer), at(trainer), trainer.state_dict()[1]) == before


# The files of a run


@dataclass(frozen=True)
class Tiny(stored_runs.StoredRun):
    """A run of the adding problem, hardly trained."""

    iterations: int
    folder: str
    data: str = "anywhere"
    name = "tiny"

    def go(self, **options):
        trainer = adding_trainer(iterations=self.iterations)
        return self.train(trainer, lambda: {"history": trainer.history}, **options)


def test_a_run_leaves_its_weights_and_its_result(tmp_path):
    run = Tiny(88, str(tmp_path))
    assert run.settings == {"iterations": 88} and not run.begun() and run.result() is None
    calls = iter([False] * 4)
    assert run.go(stopped=lambda: next(calls, True)) is None
    assert run.begun() and run.result() is None
    steps = []
    found = run.go(progress=steps.append)
    assert steps == [5] + [1] * 83, "progress begins with what was done before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.json", "tiny.npz"]
    assert json.loads(json.dumps(found)) == run.result() and not run.begun()
    with pytest.raises(CheckpointError, match="made with iterations = 88, but now it is 89; use"):
        Tiny(89, str(tmp_path)).result()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', "[" * 100_000, "\xff"])
def test_results_that_are_none(tmp_path, text):
    Tiny(20, str(tmp_path)).path("json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"tiny\.json is damaged, or nothing that minirnn"):
        Tiny(20, str(tmp_path)).result()


def test_what_a_folder_is_kept_for(tmp_path, capsys):
    """New: silent; then it goes on and says so; other settings never; --resume needs something."""
    nets, one = tmp_path / "nets", {"iterations": 20}
    nets.mkdir()
    runs = [Tiny(20, str(nets))]
    with refused(f"no run to go on with in {tmp_path}; omit --resume"):
        enter(tmp_path, one, runs, resume=True)
    assert list(tmp_path.iterdir()) == [nets]
    with (
        pytest.raises(KeyboardInterrupt),
        cli.remaining_runs(tmp_path, one, runs, False) as waiting,
    ):
        assert waiting == runs
        raise KeyboardInterrupt
    said = f"saved in {tmp_path}: 0 of 1 runs done, 0 begun; go on with --resume\n"
    assert capsys.readouterr().err == said
    calls = iter([False] * 4)
    with cli.remaining_runs(tmp_path, one, runs, resume=True):
        runs[0].go(stopped=lambda: next(calls, True))
    assert capsys.readouterr().err == ""
    for place in (tmp_path, nets):
        (place / ".left.npz.1.tmp").write_bytes(b"")
    with cli.remaining_runs(tmp_path, one, runs, resume=False) as waiting:
        assert waiting == runs and runs[0].go()
    said = f"going on in {tmp_path}: 0 of 1 runs done, 1 begun\n"
    assert capsys.readouterr().err == said and not list(tmp_path.rglob("*.tmp"))
    with cli.remaining_runs(tmp_path, one, runs, resume=True) as waiting:
        assert waiting == []
    assert capsys.readouterr().err == "", "nothing is left to go on with"
    with refused(r"settings\.json was made with iterations = 20, but now it is 30"):
        enter(tmp_path, {"iterations": 30}, [Tiny(30, "x")], resume=False)


def refused(words):
    return pytest.raises(CheckpointError, match=words)


def enter(*arguments, **options):
    with cli.remaining_runs(*arguments, **options):
        raise AssertionError("it should have been refused")


def test_two_scripts_in_one_folder(tmp_path):
    pytest.importorskip("fcntl", reason="no locks on this system")
    with cli.alone_in(tmp_path), pytest.raises(DataError, match="another run is writing to"):
        enter(tmp_path, {}, [], resume=False)
    assert list(tmp_path.iterdir()) == []


# Processes


def interrupt_once(task, progress, stopped):
    """Ctrl-C for the first process, as a terminal would send it; then wait to be stopped."""
    os.kill(os.getppid(), signal.SIGINT)
    while not stopped():
        time.sleep(0.01)
    return "let to its end"


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_ctrl_c_lets_tasks_to_their_end():
    found, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        for task, result in processes.run(interrupt_once, [Task(n, 0) for n in "ab"], 1):
            found.append((task.name, result))
    assert found == [("a", "let to its end")] and signal.getsignal(signal.SIGINT) == before


FIRST = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
import experiments
from minirnn.reports import processes
if __name__ == "__main__":
    list(processes.run(experiments.say_and_wait, [experiments.Task("a", sys.argv[1])], 1))
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_a_task_ends_with_the_first_process(tmp_path):
    """The first is killed, so it can tell nobody: what it started ends by itself."""
    path, note = tmp_path / "first.py", tmp_path / "pid"
    path.write_text(FIRST.format(tests=str(ROOT / "tests" / "helpers"), root=str(ROOT)))
    first = subprocess.Popen([sys.executable, str(path), str(note)])
    wait_for(lambda: note.is_file() and note.read_text(), first)
    child = Path("/proc") / note.read_text()
    assert child.exists()
    first.kill()
    first.wait()
    wait_for(lambda: gone(child))


def gone(process):
    try:
        return "\nState:\tZ" in (process / "status").read_text()
    except OSError:
        return True


def wait_for(true, process=None):
    deadline = time.monotonic() + 100
    while not true():
        assert time.monotonic() < deadline and (process is None or process.poll() is None)
        time.sleep(0.01)


# The scripts as a user starts them


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, generator = tmp_path_factory.mktemp("data") / "names", np.random.default_rng(0)
    path.mkdir()
    for language, end in {"Ab": "ov", "Cd": "ez", "Ef": "ini"}.items():
        names = {"".join(generator.choice(list("bdklmnrst")) + "a" for _ in "ab") + end
                 for _ in range(24)}  # fmt: skip
        (path / f"{language}.txt").write_text("\n".join(sorted(names)) + "\n")
    return path


def start(name, folder, *options):
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1",
        "MINIRNN_CHECKPOINT_SECONDS": "0",
    }  # fmt: skip
    command = [sys.executable, str(EXAMPLES / name), *map(str, options), "--output", str(folder)]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        encoding="utf-8",
    )  # fmt: skip


def ended(process, code=0):
    """stderr of a script that must end with this exit code."""
    out, err = process.communicate(timeout=200)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return err


def begun(folder, but=()):
    return {p for p in folder.rglob("*.part.npz") if p.name not in but}


def results(folder):
    """Every number that the script found, but the seconds."""

    def without_seconds(pairs):
        return {k: v for k, v in pairs if k != "seconds"}

    found = {p.name: p.read_bytes() for p in folder.rglob("*.npz")}
    for path in folder.rglob("*.json"):
        found[path.name] = json.loads(path.read_text(), object_pairs_hook=without_seconds)
    return found


def given(name, data):
    """The option for names, where the script takes them."""
    return [] if name == "long_sequences.py" else ["--data", data]


SCRIPTS = {
    "reproduce.py": ["--only", "A", "--iterations", 3000, "--jobs", 2],
    "generate.py": ["--iterations", 2000, "--count", 1],
    "why_lstm.py": ["--iterations", 60, "--jobs", 2],
    "long_sequences.py": ["--batches", 120, "--lengths", 6, "--jobs", 2],
}


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "reproduce.py")) for n in SCRIPTS]
)
def test_interrupted_killed_and_resumed(name, data, tmp_path):
    """Ctrl-C, then kill -9, each while a net is half trained: the same results as in one go."""
    whole, broken, options = (
        tmp_path / "whole",
        tmp_path / "broken",
        [*SCRIPTS[name], *given(name, data)],
    )
    ended(start(name, whole, *options))

    process = start(name, broken, *options)
    wait_for(lambda: begun(broken), process)
    process.send_signal(signal.SIGINT)
    *_, saved, last = ended(process, 130).splitlines()
    assert last == "stopped" and saved.startswith(f"saved in {broken}: ")
    assert saved.endswith(" begun; go on with --resume") and begun(broken)

    before = {path: path.read_bytes() for path in begun(broken)}
    process = start(name, broken, *options, "--resume")
    wait_for(lambda: {p: p.read_bytes() for p in begun(broken)} != before, process)
    process.kill()
    process.communicate()
    assert begun(broken)

    err = ended(start(name, broken, *options, "--resume"))
    assert err.startswith(f"going on in {broken}: ")
    assert results(broken) == results(whole) and len(results(whole)) > 3
    assert not begun(broken) and not list(broken.rglob("*.tmp"))


@pytest.mark.parametrize(
    "name, options",
    [("reproduce.py", ["--only", "A"]), ("generate.py", []), ("why_lstm.py", [])],
)
def test_the_names_by_another_path(name, options, data, tmp_path, monkeypatch, capsys):
    """`../names`, then `/full/names` with --resume: the same names, so the same runs."""

    def interrupted(*tasks):
        raise KeyboardInterrupt

    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    options = [*options, "--iterations", "2", "--output", "out"]
    for k, place in enumerate([os.path.relpath(data, tmp_path), str(data)]):
        script = loaded(name)
        monkeypatch.setattr(script.processes, "run", interrupted)
        arguments = [name, "--data", place, *options, *["--resume"] * k]
        monkeypatch.setattr(sys, "argv", arguments)
        assert cli.main(script.run) == 130, capsys.readouterr().err
    assert "was made with" not in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.slow
def test_twenty_kills(data, tmp_path):
    """kill -9 at random moments, of the first process alone: the same command always goes on."""
    options = [*SCRIPTS["reproduce.py"], "--data", data]
    began = time.monotonic()
    ended(start("reproduce.py", tmp_path / "whole", *options))
    duration, expected = time.monotonic() - began, results(tmp_path / "whole")
    random, kills, finished, resumed = np.random.default_rng(), 0, 0, 0
    while kills < 20:
        folder = tmp_path / f"{finished}"
        process, again = start("reproduce.py", folder, *options), bool(begun(folder))
        try:
            process.communicate(timeout=duration * random.uniform(0.2, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills, resumed = kills + 1, resumed + again
            continue
        assert process.returncode == 0 and results(folder) == expected
        finished += 1
    folder = tmp_path / f"{finished}"
    ended(start("reproduce.py", folder, *options))
    assert results(folder) == expected and not list(folder.rglob("*.tmp"))
    print(f"{kills} kills, {resumed} of them in resumed runs, {finished + 1} runs ended alike")


PARTS = {  # options, and the number of nets
    "why_lstm.py": (["--iterations", 4], 8),
    "long_sequences.py": (["--batches", 3, "--lengths", 3], 4),
    "generate.py": (["--iterations", 4, "--count", 1], 1),
}


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("name", PARTS)
def test_goes_on_in_every_part(name, data, tmp_path, monkeypatch):
    """In this process, and for each net once: begun, stopped, and gone on with in a later call."""
    script, (options, count) = loaded(name), PARTS[name]
    if name == "why_lstm.py":  # 2 kinds at 2 rates, their reports, and one with less memory: 8
        script.PARTS, script.RATES, script.REMEMBERS = ("B", "C"), (0.01, 0.02), ("A+last2",)
        script.best_rates = lambda tasks: {"B": 0.01, "C": 0.02}
    if name == "long_sequences.py":
        script.HIDDEN, script.FLOW_T = 3, 5
        script.NETS = {net: script.NETS[net] for net in ("RNN identity", "LSTM f open")}

    def call(folder, *more):
        argv = [*options, *given(name, data), "--output", tmp_path / folder, *more]
        monkeypatch.setattr(sys, "argv", [name, *map(str, argv)])
        return cli.main(script.run)

    monkeypatch.setattr(script.processes, "run", in_this_process(None))
    assert call("whole") == 0
    monkeypatch.setattr(script.processes, "run", in_this_process(steps=2))
    calls = [call("broken")]
    while calls[-1] == 130:
        assert len(begun(tmp_path / "broken")) == 1
        calls.append(call("broken", "--resume"))
    assert calls == [130] * count + [0]
    found = results(tmp_path / "whole")
    assert found == results(tmp_path / "broken") and len(found) > count


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_to_resume(name, data, tmp_path):
    process = start(name, tmp_path, *SCRIPTS[name], *given(name, data), "--resume")
    said = f"error: there is no run to go on with in {tmp_path}; omit --resume\n"
    assert ended(process, 2) == said
    assert not list(tmp_path.rglob("*.*"))


def test_a_damaged_checkpoint_is_named(data, tmp_path):
    nets = tmp_path / "nets"
    nets.mkdir()
    (nets / "A-reports-0.part.npz").write_bytes(b"PK")
    err = ended(start("reproduce.py", tmp_path, *SCRIPTS["reproduce.py"], "--data", data), 2)
    assert err.splitlines()[-1].startswith(
        f"error: A-reports-0: {nets / 'A-reports-0.part.npz'} is not a whole .npz file of arrays"
    )
    assert (nets / "A-reports-0.part.npz").read_bytes() == b"PK"


@pytest.mark.usefixtures("without_figures")
def test_weights_of_the_results_can_be_read(data, tmp_path, monkeypatch):
    """The file of a net says of which languages it is."""
    script, options = loaded("reproduce.py"), ["--only", "A", "--iterations", 6, "--data", data]
    monkeypatch.setattr(script.processes, "run", in_this_process(None))
    argv = ["reproduce.py", *options, "--output", tmp_path]
    monkeypatch.setattr(sys, "argv", list(map(str, argv)))
    assert cli.main(script.run) == 0
    facts = json.loads(read_npz(tmp_path / "nets" / "A-reports-0.npz")["facts"].tobytes())
    assert facts["settings"]["languages"] == ["Ab", "Cd", "Ef"]
