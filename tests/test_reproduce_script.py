"""The scripts about the lab reports, run as a user runs them, on names of three invented languages.

`reproduce.py`, `generate.py`, `why_lstm.py`, `long_sequences.py` and `benchmark_reports.py`: what
they write, and what they say of bad input. That they go on after Ctrl-C and worse is in
`test_stored_runs.py`.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from experiments import in_this_process, loaded

import minirnn
from minirnn import cli
from minirnn.errors import CheckpointError, MinirnnError
from minirnn.mpi.pool import outcome
from minirnn.reports import processes, runs, seeds

ROOT = Path(minirnn.__file__).resolve().parents[1]
if not (ROOT / "examples" / "reproduce.py").is_file():
    pytest.skip("needs a checkout: the examples are not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("data") / "names", np.random.default_rng(0)
    path.mkdir()
    for language, ending in {"Ab": "ov", "Cd": "ez", "Ef": "ini"}.items():
        names = set()
        while len(names) < 24:
            names.add("".join(rng.choice(list("bdklmnrst")) + "a" for _ in range(2)) + ending)
        lines = sorted(names)
        (path / f"{language}.txt").write_text("\n".join(lines + lines[:3]).title() + "\n")
    return path


def start(name, *options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / name), *map(str, options)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, encoding="utf-8",
    )  # fmt: skip


def call(name, *options, code=0):
    """(stdout, stderr) of a script that must end with this exit code."""
    process = start(name, *options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


@pytest.fixture
def refused(monkeypatch, capsys):
    """refused(name, options...): what a script says to options that it refuses, with exit code 2.
    In this process: there is nothing to train."""

    def say(name, *options):
        monkeypatch.setattr(sys, "argv", [name, *map(str, options)])
        capsys.readouterr()
        try:
            code = cli.main(loaded(name).run)
        except SystemExit as exit:  # of argparse
            code = exit.code
        err = capsys.readouterr().err
        assert code == 2 and (err.startswith("usage: ") or err.count("\n") == 1)
        *_, last = err.splitlines()
        assert last.startswith("error: ") or last.startswith(f"{name}: error: argument ")
        return last

    return say


def nets(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "nets").glob("*.npz"))}


@pytest.fixture(scope="module")
def reproduced(data, tmp_path_factory):
    """(folder, what was printed) of all nets, hardly trained."""
    folder = tmp_path_factory.mktemp("reports") / "out"
    options = ["--iterations", 12, "--jobs", 2, "--data", data, "--output", folder]
    return folder, *call("reproduce.py", *options)


def test_every_net_every_figure_one_table(reproduced):
    folder, out, _ = reproduced
    figures = {f"{k}-{f}.png" for k in "ABCDE" for f in ("loss", "accuracy", "confusion")}
    figures |= {"F-loss.png", "rnn-beside-lstm-loss.png", "rnn-beside-lstm-accuracy.png"}
    assert {path.name for path in folder.glob("*.png")} == figures
    assert "11 runs of 12 iterations; 0 are done" in out
    text = (folder / "index.md").read_text()
    for title in ("A RNN as printed", "B LSTM", "C GRU", "D built-in LSTM", "E LSTM that"):
        assert f"| {title}" in text
    for name in figures:
        assert f"]({name})" in text
    assert "always one language | - | 0.333 | 0.333" in text and "trigram counts" in text
    assert not list(folder.rglob("*.part.npz"))


def test_results_hold_every_number(reproduced):
    document = json.loads((reproduced[0] / "results.json").read_text())
    assert document["settings"]["seeds"] == [0] and len(document["runs"]) == 11
    assert {run["kind"] for run in document["runs"]} == set("ABCDEF")
    for run in document["runs"]:
        assert [row["iteration"] for row in run["history"]][-1] == 12
        if run["kind"] == "F":
            assert set(run["samples"]) == {"Ab", "Cd", "Ef"} and 0 <= run["right"] <= 1
            continue
        confusion = np.array(run["confusion"])
        shares = np.diagonal(confusion) / confusion.sum(axis=1)
        honest = run["protocol"] == "held-out"
        assert shares.mean() == pytest.approx(run["unseen" if honest else "train"])
        # 24 distinct names a language, 3 of them twice; a fifth of 24 is held back
        assert confusion.sum(axis=1).tolist() == ([5] * 3 if honest else [27] * 3)
    by = {(run["kind"], run["protocol"]): run for run in document["runs"]}
    reports, honest = by["B", "reports"], by["B", "held-out"]
    numbers = [reports["train"], honest["unseen"], honest["unseen_stopped"]]
    cells = " | ".join(f"{number:.3f}" for number in numbers)
    assert f"| B LSTM | 88 to 90 % | {cells} |" in (reproduced[0] / "index.md").read_text()
    assert reports["parameters"] == 4 * (185 * 128 + 128) + 128 * 3 + 3


def test_two_seeds_and_a_net_half_done(data, tmp_path):
    """Means with standard errors; what is not done with all seeds is named, and in no table."""
    options = ["--iterations", 4, "--data", data, "--output", tmp_path, "--jobs", 2]
    call("reproduce.py", *options, "--only", "A,B", "--seeds", 1)
    call("reproduce.py", *options, "--only", "A", "--seeds", 0, 1, 0)
    text = (tmp_path / "index.md").read_text()
    assert "Not finished, so not in the table: B LSTM." in text and "| B LSTM" not in text
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["settings"]["seeds"] == [0, 1] and len(document["runs"]) == 4
    one, two = (r["train"] for r in document["runs"] if r["protocol"] == "reports")
    assert f"| {(one + two) / 2:.3f} ± {abs(one - two) / 2:.3f} |" in text


@pytest.mark.slow
def test_running_again_trains_nothing(reproduced, data):
    folder, before = reproduced[0], nets(reproduced[0])
    files = {p: p.read_bytes() for p in folder.iterdir() if p.suffix in (".md", ".json")}
    options = ["--only", "A,F", "--iterations", 12, "--data", data, "--output", folder]
    out, _ = call("reproduce.py", *options)
    assert "3 runs of 12 iterations; 3 are done" in out
    assert nets(folder) == before
    assert {p: p.read_bytes() for p in files} == files


def test_other_settings_are_not_mixed(reproduced, refused, data, tmp_path):
    folder, before = reproduced[0], nets(reproduced[0])
    options = ["--only", "A", "--output", folder, "--iterations"]
    said = refused("reproduce.py", *options, 13, "--data", data)
    assert "made with iterations = 12, but now it is 13" in said
    for path in data.iterdir():
        (tmp_path / path.name).write_text(path.read_text() + "Newname\n")
    assert "made with names = " in refused("reproduce.py", *options, 12, "--data", tmp_path)
    assert nets(folder) == before


@pytest.mark.parametrize(
    "options, words",
    [
        (["--iterations", "0"], "whole number from 1"),
        (["--iterations", "-3"], "whole number from 1"),
        (["--only", "A,X"], "some of A to F"),
        (["--jobs", "0"], "whole number from 1"),
        (["--seeds", "-1"], "at least 0"),
        (["--seeds", "9" * 300], "at least 0 and below 2^63"),
    ],
)
def test_options_of_reproduce(refused, options, words):
    assert words in refused("reproduce.py", *options)


def test_data_that_is_not_there(refused, tmp_path):
    out = tmp_path / "out"
    said = refused("reproduce.py", "--data", tmp_path / "none", "--output", out)
    assert "there is no folder" in said and not out.exists()


def test_a_damaged_result_is_named(data, tmp_path):
    run = runs.Run("A", "reports", 0, 5, "digest", str(data), str(tmp_path))
    run.path("json").write_text("{")
    with pytest.raises(CheckpointError, match=r"A-reports-0\.json is damaged.*delete it"):
        runs.train(run)


# generate.py


@pytest.fixture(scope="module")
def generator(data, tmp_path_factory):
    """(folder, its options, what was printed) of a generator, hardly trained."""
    folder = tmp_path_factory.mktemp("generator") / "out"
    options = ["--iterations", 300, "--data", data, "--output", folder]
    return folder, options, call("generate.py", *options)[0]


def names_of(out, language):
    (line,) = [line for line in out.splitlines() if line.startswith(f"{language} ")]
    return line.removeprefix(language).strip().split(", ")


def test_generator_trains_writes_and_judges(generator):
    folder, _, out = generator
    for language in ("Ab", "Cd", "Ef"):
        assert len(names_of(out, language)) == 5
    assert "(i2h): Linear(in_features=190, out_features=128, bias=True)" in out
    assert "taken for the right language by a small net" in out
    found = json.loads((folder / "summary.json").read_text())
    assert found["names"] == 900 and 0 <= found["right"] <= 1 and 0 < found["new"] <= 1
    assert (folder / "loss.png").stat().st_size > 5000


@pytest.mark.slow
def test_generator_is_used_again(generator):
    folder, options, first = generator
    before = (folder / "F-reports-0.npz").read_bytes()
    asked = ["--language", "cd", "--start", "Ba", "--count", 4, "--temperature", 1.2]
    out, _ = call("generate.py", *options, *asked, "--seed", 1)
    assert "training" not in out and (folder / "F-reports-0.npz").read_bytes() == before
    names = names_of(out, "Cd")
    assert len(names) == 4 and all(name.startswith("Ba") for name in names)
    again, _ = call("generate.py", *options, *asked, "--seed", 1)
    other, _ = call("generate.py", *options, *asked, "--seed", 2)
    assert again == out and names_of(other, "Cd") != names


@pytest.mark.parametrize(
    "asked, words",
    [
        (["--language", "Klingon"], "no language Klingon; known are: Ab, Cd, Ef"),
        (["--start", "Ñ7"], r"hold '7', '\xd1', but the net knows only these characters: abc"),
        (["--start", ""], "hold nothing"),
        (["--start", "a" * 20], "20 at most"),
        (["--iterations", 301], "made with iterations = 300, but now it is 301"),
    ],
)
def test_generator_refuses(generator, refused, asked, words):
    assert words in refused("generate.py", *generator[1], *asked)


def test_generator_refuses_before_it_trains(refused, data, tmp_path):
    out = tmp_path / "out"
    refused("generate.py", "--language", "Klingon", "--data", data, "--output", out)
    assert not out.exists()


@pytest.mark.parametrize("option", ["--iterations", "--count", "--temperature"])
def test_generator_options_are_above_zero(refused, option):
    assert f"argument {option}" in refused("generate.py", option, "0")


# why_lstm.py


@pytest.mark.slow
def test_why_lstm(data, tmp_path, monkeypatch, capsys):
    """In this process, with fewer nets: two parts at two rates, and one with less memory."""
    script = loaded("why_lstm.py")
    script.PARTS, script.RATES, script.REMEMBERS = ("B", "C"), (0.005, 0.01), ("A+last2",)
    monkeypatch.setattr(script.processes, "run", in_this_process(None))
    options = ["--iterations", 20, "--data", data, "--output", tmp_path]
    call("reproduce.py", *options, "--only", "B", "--seeds", 3)
    before = nets(tmp_path)
    options += ["--seeds", 3, 4]
    monkeypatch.setattr(sys, "argv", ["why_lstm.py", *map(str, options)])
    assert cli.main(script.run) == 0
    out = capsys.readouterr().out
    assert len(before) == 2 and before.items() <= nets(tmp_path).items()  # not trained again
    figures = {"plateau.png", "why-lstm.png", *(p.name for p in tmp_path.glob("B-*.png"))}
    figures |= {f"gates-{net}-{k}.png" for net in ("LSTM", "GRU") for k in (1, 2)}
    assert {path.name for path in tmp_path.glob("*.png")} == figures
    document = json.loads((tmp_path / "why-lstm.json").read_text())
    found = seeds.Results(document, script.APART, "it")
    tried = {(run["kind"], run["lr"]): run["validation"] for run in document["runs"]
             if run["protocol"] == "held-out" and run["seed"] == 3}  # fmt: skip
    for kind, rate in document["rates"].items():
        assert rate in script.RATES and tried[kind, rate] == max(
            value for (other, _), value in tried.items() if other == kind
        )
    assert f"{found.mean('unseen', 'A+last2', 'held-out', 0.005)}" in out
    assert "RNN, the last 2 letters" in out and "LSTM" in out
    written = {path: path.read_bytes() for path in (tmp_path / "nets").iterdir()}
    assert cli.main(script.run) == 0  # nothing is trained, the same is written
    assert {path: path.read_bytes() for path in (tmp_path / "nets").iterdir()} == written


def test_one_part_of_why_lstm_at_the_reports_rates(data, tmp_path, monkeypatch, capsys):
    script = loaded("why_lstm.py")
    script.PARTS, script.REMEMBERS = ("B", "C"), ("A+last2",)
    monkeypatch.setattr(script.processes, "run", in_this_process(None))
    options = ["why_lstm.py", "--iterations", "2", "--data", str(data), "--output", str(tmp_path)]
    for only, kinds in {"memory": {"A+last2"}, "repairs --rates": {"B", "C"}}.items():
        monkeypatch.setattr(sys, "argv", [*options, "--only", *only.split()])
        assert cli.main(script.run) == 0
        document = json.loads((tmp_path / "why-lstm.json").read_text())
        found = {(run["kind"], run["lr"]) for run in document["runs"]}
        assert found == {(kind, script.default_rate(kind)) for kind in kinds}
        out = capsys.readouterr().out
        assert ("1 class-balanced" in out) == (only != "memory") == ("gates" in document)
        assert ("2 with less" in out) == (only == "memory")
        assert "best on the validation part" not in out


def test_both_scripts_share_a_folder(data, tmp_path, monkeypatch, capsys):
    """With a name that one alphabet has and the other has not."""

    def interrupted(*tasks):
        raise KeyboardInterrupt

    names = tmp_path / "names"
    shutil.copytree(data, names)
    with open(names / "Ab.txt", "a", encoding="utf-8") as file:
        file.write("Ba-ka\n")
    for name in ("reproduce.py", "why_lstm.py"):
        script = loaded(name)
        monkeypatch.setattr(script.processes, "run", interrupted)
        options = ["--iterations", "2", "--data", str(names), "--output", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", [name, *options])
        assert cli.main(script.run) == 130, capsys.readouterr().err


@pytest.mark.slow
def test_long_sequences(refused, tmp_path):
    options = ["--batches", 6, "--lengths", 4, 6, "--seeds", 0, 1, "--output", tmp_path]
    out, _ = call("long_sequences.py", *options, "--jobs", 2)
    names = {"adding.png", "copying.png", "gradient-flow.png", "jacobians.png"}
    assert {path.name for path in tmp_path.glob("*.png")} == names
    document = json.loads((tmp_path / "results.json").read_text())
    assert len(document["runs"]) == 2 * 2 * 7  # no seed solves T = 4, so T = 6 is not tried
    assert len(document["gradients"]) == 2 * 7
    for run in document["runs"]:
        assert not run["solved"] and "needed" not in run and len(run["history"]) == 6
    assert out.count("0 of 2") == 2 * 7
    said = refused("long_sequences.py", *options[2:], "--batches", 7)
    assert "made with batches = " in said


@pytest.mark.parametrize("solved, asked", [
    ({}, [2]), ({(2, 0): False}, [2]), ({(2, 0): False, (2, 1): False}, [2]),
    ({(2, 0): False, (2, 1): True}, [2, 3]),
    ({(T, seed): True for T in (2, 3) for seed in (0, 1)}, [2, 3, 5]),
])  # fmt: skip
def test_longer_sequences_wait_for_a_seed_that_solves_shorter_ones(solved, asked, monkeypatch):
    script = loaded("long_sequences.py")
    results = {key: {"solved": value} for key, value in solved.items()}
    monkeypatch.setattr(script.Run, "result", lambda run: results.get((run.T, run.seed)))
    args = SimpleNamespace(
        only=["adding"], nets=["GRU"], lengths=[2, 3, 5], seeds=[0, 1], batches=4
    )
    runs = script.runs_so_far(args, "nowhere")
    assert [(run.T, run.seed) for run in runs] == [(T, seed) for T in asked for seed in (0, 1)]


def test_first_values_of_the_nets_that_remember():
    script = loaded("long_sequences.py")
    nets = {name: make(2, np.random.default_rng(0)) for name, make in script.NETS.items()}
    Wh = nets["RNN orthogonal"].Wh.data[0].astype("float64")
    np.testing.assert_allclose(Wh @ Wh.T, np.eye(64), atol=1e-6)
    identity = nets["RNN identity"]
    np.testing.assert_array_equal(identity.Wh.data[0], np.eye(64))
    assert 0.0005 < identity.Wx.data.std() < 0.0015 and not identity.bx.data.any()
    assert repr(identity.cell) != repr(nets["RNN"].cell)
    biases = {name: net.bx.data + net.bh.data for name, net in nets.items() if "open" in name}
    assert (biases["LSTM f open"][1] == 1).all() and (biases["GRU z open"][1] == 1).all()
    for name in ("LSTM", "GRU"):
        assert abs(nets[name].bx.data + nets[name].bh.data).max() <= 0.25
        assert (
            abs(np.delete(nets[f"{name} {'fz'[name == 'GRU']} open"].bx.data, 1, 0)).max() <= 0.125
        )


@pytest.mark.parametrize(
    "name, options",
    [
        ("why_lstm.py", ["--iterations", "0"]),
        ("long_sequences.py", ["--lengths", "1"]),
        ("long_sequences.py", ["--only", "parity"]),
    ],
)
def test_options_of_the_questions_of_memory(refused, name, options):
    assert f"argument {options[0]}" in refused(name, *options)


# benchmark_reports.py


@pytest.mark.slow
def test_benchmark(data):
    pytest.importorskip("torch")
    options = ["--data", data, "--names", 3, "--rounds", 2, "--only", "a,d"]
    out, _ = call("benchmark_reports.py", *options)
    assert [line[:2] for line in out.splitlines()[2:]] == ["A ", "D "]


# Processes


class Task:
    def __init__(self, name, what):
        self.name, self.what, self.iterations = name, what, 3


def do(task, progress, stopped):
    """What the tasks of these tests do, in processes of their own."""
    progress(1)
    if task.what == "fail":
        raise MinirnnError("it went wrong")
    if task.what == "die":
        os._exit(3)
    if task.what == "wait":
        while not stopped():
            time.sleep(0.01)
    return task.what


class Counter:
    """Instead of a tqdm bar: how far it came."""

    made = {}

    def __init__(self, desc, total, **options):
        self.total, self.steps, self.closed = total, 0, False
        self.made[desc] = self

    def update(self, steps):
        self.steps += steps

    def close(self):
        self.closed = True


def test_a_bar_for_every_task_and_one_for_all(monkeypatch):
    """A task that is solved early brings the whole as far as one that makes all its steps."""
    monkeypatch.setattr(processes, "progress_bar", lambda desc, **options: Counter(desc, **options))
    Counter.made.clear()
    early, late = (SimpleNamespace(name=name, iterations=10) for name in ("early", "late"))
    with processes.Bars([early, late]) as bars:
        bars.update(late, 4), bars.update(early, 3)
        assert Counter.made["all"].total == 20 and Counter.made["all"].steps == 7
        bars.close(early)
        assert Counter.made["all"].steps == 14 and Counter.made["early"].closed
    assert Counter.made["late"].steps == 4 and all(bar.closed for bar in Counter.made.values())
    Counter.made.clear()
    with processes.Bars([early]) as bars:
        bars.update(early, 1)
    assert list(Counter.made) == ["early"]


def test_tasks_and_their_results():
    tasks = [Task(str(k), k) for k in range(3)]
    found = {task.name: result for task, result in processes.run(do, tasks, 2)}
    assert found == {"0": 0, "1": 1, "2": 2}


def test_more_tasks_after_the_first():
    """They may depend on the results of the ones before, and are asked for until there are none."""
    results = {}

    def more():
        tasks = [Task(2 * name, 10 * value) for name, value in results.items() if value in (1, 10)]
        return [task for task in tasks if task.name not in results]

    for task, result in processes.run(do, [Task(f"-{k}", k) for k in range(3)], 2, more):
        results[task.name] = result
    assert results == {"-0": 0, "-1": 1, "-2": 2, "-1-1": 10, "-1-1-1-1": 100}
    with pytest.raises(MinirnnError, match="x was done, but its result is not to be found"):
        list(processes.run(do, [Task("x", 1)], 1, lambda: [Task("x", 1)]))
    given = iter([[Task("only", 1)], []])
    none_first = [task.name for task, _ in processes.run(do, [], 1, lambda: next(given))]
    assert none_first == ["only"]


def test_a_task_may_overflow_without_a_warning():
    """Who trains looks for bad numbers and says so; a warning would stand between the bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind, value = outcome(lambda *_: np.float32([3e38]) * 10, None, None, None)
    assert (kind, list(value)) == ("result", [np.inf])


@pytest.mark.parametrize("what, words", [("fail", "it went wrong"), ("die", "code 3")])
def test_a_task_that_fails_stops_the_others(what, words):
    found = []
    with pytest.raises(MinirnnError, match=f"bad: .*{words}"):
        for task, _ in processes.run(
            do, [Task("waits", "wait"), Task("bad", what), Task("c", 1)], 2
        ):
            found.append(task.name)
    assert found == ["waits"]


# docs/reports.md


def filler():
    path = ROOT / "docs" / "fill_reports.py"
    spec = importlib.util.spec_from_file_location("fill_reports", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_filled_in():
    module = filler()
    for page in module.PAGES:
        text = page.read_text(encoding="utf-8")
        assert module.filled(text) == text, "run python docs/fill_reports.py"
        kinds = ("value", "mean", "difference", "table", "picture")
        marks = sum(text.count(f"<!-- {kind}:") for kind in kinds)
        assert marks == len(module.MARK.findall(text)) == text.count("<!-- end -->") > 0


def test_the_page_takes_numbers_from_a_run(reproduced, tmp_path, monkeypatch):
    module = filler()
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(module, "PAGES", [tmp_path / "page.md"])
    module.PAGES[0].write_text("<!-- picture: mine/B-loss.png its loss --><!-- end -->")
    module.take("mine", reproduced[0])
    module.take("without a picture", reproduced[0])
    taken = json.loads((tmp_path / "results" / "mine.json").read_text())
    by = {(run["kind"], run["protocol"]): run for run in taken["runs"]}
    assert not {"history", "confusion", "source"} & set(by["B", "reports"])
    train = by["B", "reports"]["train"]
    page = "<!-- mean: mine train B reports -->?<!-- end --> <!-- table: mine --><!-- end -->"
    page += (
        "<!-- value: mine settings.iterations ,d --><!-- end --><!-- table: other --><!-- end -->"
    )
    page += "<!-- difference: mine unseen B A held-out --><!-- end -->"
    page += "<!-- picture: mine/B-loss.png its loss --><!-- end -->"
    text = module.filled(page)
    assert "![its loss](figures/reports/mine/B-loss.png)" in text
    assert f" reports -->{train:.3f}<!-- end -->" in text and text.count("(not run yet)") == 1
    assert ",d -->12<!-- end -->" in text
    gap = by["B", "held-out"]["unseen"] - by["A", "held-out"]["unseen"]
    assert f"{gap:+.3f} (" in text
    assert f"| B LSTM | 88 to 90 % | {train:.3f} | {by['B', 'held-out']['unseen']:.3f} |" in text
    assert module.filled(text) == text
    assert (tmp_path / "figures" / "mine" / "B-confusion.png").is_file()
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["mine"]


def test_a_results_file_that_is_not_whole_fills_nothing_in(
    reproduced, tmp_path, monkeypatch, capsys
):
    module = filler()
    page = tmp_path / "page.md"
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "PAGES", [page])
    monkeypatch.setattr(sys, "argv", ["fill_reports.py"])
    page.write_text("<!-- table: mine --><!-- end -->")
    document = json.loads((reproduced[0] / "results.json").read_text())
    document["settings"]["seeds"] = [0, 1]
    (tmp_path / "mine.json").write_text(json.dumps(document))
    assert module.main() == 1 and page.read_text() == "<!-- table: mine --><!-- end -->"
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "mine.json has A reports without seed 1, but its settings say seeds 0, 1" in err
