"""`examples/names.py`, the main job: its options, what it writes, and what it says of bad input.

Most runs call its functions in this process, which is faster; some start Python anew, as a user
does. All train on a few short names of three invented languages.
"""

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import minirnn
from minirnn import backend, cli
from minirnn.errors import CheckpointError
from minirnn.losses import CrossEntropy
from minirnn.storage import comparison, summary
from minirnn.storage.files import read_npz

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "names.py"
LIBRARY = str(Path(minirnn.__file__).resolve().parents[1])  # the one under test, wherever it is

SMALL = ["--hidden-size", "5", "--embedding", "4", "--epochs", "2", "--batch-size", "16"]
WRITTEN = {
    "accuracy.png", "checkpoint.npz", "confusion.png", "gates.png", "history.csv", "loss.png",
    "model.npz", "summary.json",
}  # fmt: skip
KEYS = {
    "model", "backend", "seed", "parameters", "seconds", "names_per_second",
    "train_balanced_accuracy", "test_balanced_accuracy", "test_accuracy", "majority_accuracy",
    "ngram_accuracy", "ngram_balanced_accuracy", "test_standard_error",
    "test_balanced_standard_error", "loss_first", "loss_last", "data",
}  # fmt: skip

GOOD_CELL = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass
class Note:
    text: str = "dataclasses look their own module up, so it must be findable"


class Cache(NamedTuple):
    g: np.ndarray


class MyCell:
    """h = tanh(x Wx + bx + h_prev Wh + bh), in a student's words."""

    gates = "g"
    states = ("h",)

    def forward(self, gx, state, product):
        (a,) = gx + product(state[0])
        g = np.tanh(a)
        return (g,), Cache(g)

    def backward(self, dstate, cache, product):
        da = dstate[0] * (1 - cache.g**2)
        return (da,), (product.backward((da,)),)


class NoBackward:
    gates, states = "g", ("h",)

    def forward(self, gx, state, product):
        return state, None


class WrongSignature(MyCell):
    def backward(self, dstate, cache):
        pass


class Uncallable(MyCell):
    forward = 5


class NoGates(MyCell):
    gates = None


class NeedsArguments(MyCell):
    def __init__(self, size):
        pass


class Raises(MyCell):
    def __init__(self):
        raise ValueError("not today")


class ReturnsNothing(MyCell):
    def forward(self, gx, state, product):
        pass


class WrongShape(MyCell):
    def forward(self, gx, state, product):
        (h,), cache = super().forward(gx, state, product)
        return (h.T,), cache


class NoGradient(MyCell):
    def backward(self, dstate, cache, product):
        return None, None


not_a_class = 5
'''


def load_script():
    spec = importlib.util.spec_from_file_location("names_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names_script = load_script()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three languages of 24 names, each with an ending of its own."""
    path, rng = tmp_path_factory.mktemp("data") / "names", np.random.default_rng(0)
    path.mkdir()
    for language, ending in {"Ab": "ov", "Cd": "ez", "Ef": "ini"}.items():
        names = set()
        while len(names) < 24:
            names.add("".join(rng.choice(list("bdklmnrst")) + "a" for _ in range(2)) + ending)
        (path / f"{language}.txt").write_text("\n".join(sorted(names)).title() + "\n")
    return path


@pytest.fixture
def script(data, tmp_path, monkeypatch, capsys):
    """script(options...): (exit code, stdout, stderr), in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*options, small=True, data=data):
        small = [*SMALL, "--data", str(data)] if small else []
        small = small[-2:] if "--compare" in options else small  # for training alone
        monkeypatch.setattr(sys, "argv", ["names.py", *small, *map(str, options)])
        code = cli.main(names_script.run)
        return code, *capsys.readouterr()

    return run


def python(*options, cwd, **environment):
    """The script as a user starts it."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, options)], cwd=cwd, capture_output=True,
        text=True, timeout=100, env={**os.environ, "PYTHONPATH": LIBRARY, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """(folder, what was printed) of one run, started as a user starts it."""
    folder = tmp_path_factory.mktemp("trained")
    done = python(*SMALL, "--data", data, "--output", "out", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "out", done.stdout


def one_line(result, *words):
    """Exit code 2 and one sentence on stderr, with these words in it; no traceback."""
    code, _, err = result
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n"), err
    assert "Traceback" not in err
    for word in words:
        assert word in err
    return err


# What a run leaves behind


def test_files_and_summary(trained):
    folder, out = trained
    assert {path.name for path in folder.iterdir()} == WRITTEN
    for name in WRITTEN - {"checkpoint.npz"}:
        assert str(Path("out") / name) in out
        if name.endswith(".png"):
            assert (folder / name).read_bytes()[:4] == b"\x89PNG"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary.keys() >= KEYS
    assert (summary["model"], summary["backend"], summary["seed"]) == ("lstm", "numpy", 0)
    assert summary["version"] == minirnn.__version__
    assert "72 names, 3 languages, split 48 / 12 / 12" in summary["data"]
    assert summary["parameters"] == 705
    for key in KEYS - {"model", "backend", "data"}:
        assert math.isfinite(summary[key])
    assert all(0 <= summary[key] <= 1 for key in KEYS if key.endswith("accuracy"))
    assert summary["majority_accuracy"] == pytest.approx(1 / 3)
    lines = (folder / "history.csv").read_text().splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch,step,lr,train_loss")


def test_what_is_printed(trained):
    _, out = trained
    assert out.startswith("NameClassifier(\n  (embedding): Embedding(58, 4)\n")
    assert "LSTM(4, 5, bidirectional=True)" in out and "705 parameters" in out
    assert "72 names, 3 languages, split 48 / 12 / 12" in out
    for row in ("train ", "validation ", "test ", "trigram naive Bayes, test", "majority class"):
        assert any(line.startswith(row) for line in out.splitlines())
    assert out.count("guessed:") == 6 and "names/s" in out


def test_the_table_is_that_of_the_summary(trained):
    folder, out = trained
    summary = json.loads((folder / "summary.json").read_text())
    net, bayes = (
        next(x for x in out.splitlines() if x.startswith(n)) for n in ("test ", "trigram")
    )
    keys = ("accuracy", "standard_error", "balanced_accuracy", "balanced_standard_error")
    assert net.split()[1:] == [f"{summary[f'test_{key}']:.3f}" for key in keys]
    assert bayes.split()[4::2] == [f"{summary[f'ngram_{key}']:.3f}" for key in keys[::2]]


def test_same_seed_same_bytes(trained, data, tmp_path):
    folder, out = trained
    again = python(
        *SMALL, "--data", data, "--output", "out", cwd=tmp_path, PYTHONHASHSEED="7"
    )  # fmt: skip
    for name in ("model.npz", "history.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    one, two = (json.loads((f / "summary.json").read_text()) for f in (folder, tmp_path / "out"))
    for key in ("seconds", "names_per_second"):
        one.pop(key), two.pop(key)
    assert one == two
    assert again.stdout.splitlines()[:-9] == out.splitlines()[:-9], "all but the speed"


@pytest.mark.usefixtures("without_figures")
def test_another_seed_is_another_run(script, trained):
    assert script("--seed", 1, "--output", "out")[0] == 0
    found, other = read_npz("out/model.npz"), read_npz(trained[0] / "model.npz")
    assert not np.array_equal(found["linear.W"], other["linear.W"])


@pytest.mark.usefixtures("without_figures")
def test_it_learns(script, trained):
    """Endings tell the three languages apart: a minute's work for any of the nets."""
    options = "--epochs 30 --hidden-size 16 --dropout 0.1 --lr 0.03 --label-smoothing 0".split()
    code, _, _ = script(*options)
    summary = json.loads(Path("runs/names-lstm/summary.json").read_text())
    assert code == 0 and summary["test_balanced_accuracy"] > 0.9
    assert summary["loss_last"] < 0.3 * summary["loss_first"]


# Options


@pytest.mark.parametrize(
    "options, structure",
    [
        (["--model", "gru", "--one-hot"], "GRU(58, 5, bidirectional=True)"),
        (["--model", "rnn", "--one-direction", "--clip", "0.1"], "RNN(4, 5)"),
        (
            ["--num-layers", 2, "--dropout", 0.3, "--optimizer", "sgd", "--lr", 0.5],
            "LSTM(4, 5, num_layers=2, dropout=0.3, bidirectional=True)",
        ),
        (
            ["--no-bidirectional", "--dropout", 0, "--patience", 1, "--backend", "numpy"],
            "LSTM(4, 5)",
        ),
        (["--bidirectional", "--embedding", 3, "--batch-size", 1], "LSTM(3, 5, bidirectional"),
        (["--epochs", 1, "--batch-size", 1000, "--optimizer", "adam"], "LSTM(4, 5"),
    ],
)
def test_options(script, options, structure, monkeypatch):
    if "--one-hot" in options:  # which excludes --embedding
        monkeypatch.setattr(sys.modules[__name__], "SMALL", [*SMALL[:2], *SMALL[4:]])
    code, out, err = script(*options)
    assert (code, err) == (0, "") and structure in out
    model = options[options.index("--model") + 1] if "--model" in options else "lstm"
    folder = Path("runs") / f"names-{model}"
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert json.loads((folder / "summary.json").read_text())["model"] == model
    code, out, err = script("--predict", "Kalaov", "--output", folder, small=False)
    assert (code, err) == (0, "") and out.startswith("Kalaov ")


def test_one_short_name_each_way(script, data, tmp_path):
    """Names of one letter, and batches of one length, go through as well."""
    folder = tmp_path / "short"
    folder.mkdir()
    for language, letters in {"A": "abcdef", "B": "ghijkl"}.items():
        (folder / f"{language}.txt").write_text("\n".join(letters) + "\n")
    code, out, err = script("--epochs", 1, data=folder)
    assert (code, err) == (0, "") and "12 names, 2 languages" in out


def test_hostile_data_trains(script, tmp_path):
    """What a folder may hold beside names: the run says what it dropped, and prints nothing raw."""
    folder = tmp_path / "d"
    folder.mkdir()
    good = "\n".join(f"{a}{b}" for a in "abcd" for b in "klm")
    try:
        (folder / "$\\frac{$\x1b[31m.txt").write_bytes(f"\ufeff{good}\r\n123\n".encode())
    except OSError:
        (folder / "$x$.txt").write_bytes(f"\ufeff{good}\r\n123\n".encode())
    bad = "\u202e\n" + "x" * 2**20 + "\ne" + "\u0301" * 10**5 + "\nAk\nAk\n"
    (folder / "B.txt").write_text(bad + good[::-1], encoding="utf-8")
    code, out, err = script("--epochs", 1, data=folder)
    assert (code, err) == (0, "")
    for note in ("without a usable letter, dropped: 2", "longer than 60 letters", "merged: 1"):
        assert note in out
    assert all(character.isprintable() or character == "\n" for character in out)


# Guessing


@pytest.mark.usefixtures("without_figures")
def test_snapshots_are_the_nets_of_the_epochs(script, trained):
    """Not trained, then after each epoch; the run itself stays the same, to the bit."""
    folder = Path("runs/names-lstm")
    folder.mkdir(parents=True)
    for name in ("epoch-007.npz", "epoch-1000.npz", "epoch-007-best.npz"):  # the last: a user's own
        (folder / name).write_bytes(b"of an older, longer run")
    assert script("--snapshots")[0] == 0
    epochs = ["epoch-000.npz", "epoch-001.npz", "epoch-002.npz"]
    written = WRITTEN | {*epochs, "epoch-007-best.npz"}
    assert {path.name for path in folder.iterdir()} == written
    assert (folder / "model.npz").read_bytes() == (trained[0] / "model.npz").read_bytes()
    nets = [read_npz(folder / name) for name in epochs]
    fresh = [net["linear.W"] for net in nets]
    assert not np.array_equal(fresh[0], fresh[1]) and not np.array_equal(fresh[1], fresh[2])
    best = read_npz(folder / "model.npz")["linear.W"]
    assert any(np.array_equal(best, W) for W in fresh[1:])  # the best epoch's


def test_predict(script, trained):
    folder, _ = trained
    options = ["--output", folder, "--predict", "Kalaov", "Müller", "...", "A\x1b[31m", "x" * 9999]
    code, out, err = script(*options, small=False)
    assert (code, err) == (0, "A\\x1b[31m is read as Am, without \\x1b[31\n")
    lines = out.splitlines()
    assert lines[0] == "... has no usable letter: skipped"
    assert [line.split()[0] for line in lines[1:4]] == ["Kalaov", "Müller", "A\\x1b[31m"]
    assert len(lines) == 5 and len(lines[4]) < 150
    for line in lines[1:]:
        words = line.replace(",", "").split()[1:]
        assert sorted(words[::2]) == ["Ab", "Cd", "Ef"]
        shares = [float(p) for p in words[1::2]]
        assert shares == sorted(shares, reverse=True) and abs(sum(shares) - 1) < 0.02


def uneven(data, folder):
    """The same data, with half of the second language's names gone."""
    shutil.copytree(data, folder)
    lines = (folder / "Cd.txt").read_text().splitlines()
    (folder / "Cd.txt").write_text("\n".join(lines[::2]) + "\n")
    return folder


@pytest.mark.usefixtures("without_figures")
def test_predict_with_both_priors(script, data, tmp_path):
    """The odds move by the languages' shares among the names that were trained on."""
    code, *_ = script(data=uneven(data, tmp_path / "uneven"))
    net, settings = names_script.load_net(
        "runs/names-lstm/model.npz", names_script.NameClassifier.from_settings
    )
    assert code == 0 and settings["counts"] == [16, 8, 16]
    shares = {}
    for options in [], ["--prior", "balanced"], ["--prior", "natural"]:
        code, out, err = script(*options, "--predict", "Kalaov", small=False)
        words = out.replace(",", "").split()[1:]
        shares[tuple(options[1:])] = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    assert shares[()] == shares["balanced",] != shares["natural",]
    odds = [shares[key]["Ab"] / shares[key]["Cd"] for key in (("natural",), ("balanced",))]
    assert odds[0] / odds[1] == pytest.approx(2, rel=0.1)  # of numbers with two digits


@pytest.mark.usefixtures("without_figures")
def test_compare(script, trained):
    """Both nets' rows, their difference, and nothing written."""
    folder, out = trained
    assert script("--model", "gru", "--output", "gru")[0] == 0
    before = sorted(Path().rglob("*"))
    code, out, err = script("--compare", folder, "gru")
    assert (code, err) == (0, "") and sorted(Path().rglob("*")) == before
    assert out.startswith("12 test names, seen by neither\n") and "McNemar" in out
    rows = [[float(x) for x in line.split()[-4:]] for line in out.splitlines()[3:6]]
    one, two, difference = rows
    summary = json.loads((folder / "summary.json").read_text())
    assert one[0] == pytest.approx(summary["test_accuracy"], abs=0.001)
    assert one[2] == pytest.approx(summary["test_balanced_accuracy"], abs=0.001)
    for k in (0, 2):
        assert one[k] - two[k] == pytest.approx(difference[k], abs=0.002)


@pytest.mark.usefixtures("without_figures")
def test_two_folders_that_begin_alike_have_two_rows(script, trained):
    folder = Path(trained[0])
    alike = [folder.parent / f"experiments-of-this-year-{k}" for k in "ab"]
    for one in alike:
        shutil.copytree(folder, one)
    code, out, _ = script("--compare", *alike)
    assert code == 0
    assert re.search(r"^the first: .*year-a/model.npz$", out, re.M), out
    assert re.search(r"^the second +[\d.]+", out, re.M), out


def test_nets_of_different_names_are_not_sent_from_one_list_to_the_other():
    saved = {f"{k}/model.npz": {"names": k, "languages": ["A"], "seed": 0} for k in "ab"}
    with pytest.raises(CheckpointError, match="were trained on different names, so they cannot"):
        comparison.unseen(types.SimpleNamespace(digest=lambda: "a", languages=["A"]), saved)


@pytest.mark.usefixtures("without_figures")
def test_compare_with_a_cell_of_ones_own(script, trained, cell_file):
    cell = "--cell", f"{cell_file}:MyCell"
    assert script(*cell)[0] == 0
    code, out, err = script(*cell, "--compare", trained[0], "runs/names-mycell")
    assert (code, err) == (0, "") and "names-mycell" in out
    one_line(script("--compare", trained[0], "runs/names-mycell"), "mycell")


@pytest.mark.parametrize(
    "counts", [None, "many", [], [1, 2], [1, 2, 0], [1, True, 3], [1, 2, 1e400]]
)
def test_strange_counts(script, trained, counts):
    path, build = trained[0] / "model.npz", names_script.NameClassifier.from_settings
    net, settings = names_script.load_net(path, build)
    names_script.save_net("model.npz", net, {**settings, "counts": counts})
    options = ["--output", ".", "--predict", "Kalaov"]
    assert script(*options, small=False)[0] == 0
    one_line(script(*options, "--prior", "natural", small=False), "model.npz", "--prior balanced")


def test_the_three_likeliest():
    p = np.array([0.1, 0.4, 0.05, 0.15, 0.3])
    assert summary.likeliest(p, list("ABCDE")) == "B 0.40, E 0.30, D 0.15"


def test_predict_does_not_depend_on_company(script, trained):
    folder, _ = trained
    together = script("--output", folder, "--predict", "Bo", "Kalaov", "Ramini", small=False)[1]
    alone = [
        script("--output", folder, "--predict", name, small=False)[1]
        for name in ("Bo", "Kalaov", "Ramini")
    ]
    assert together == "".join(alone)


def test_predict_with_nothing_to_guess(script, trained):
    options = ["--output", trained[0], "--predict", "123", "..."]
    one_line(script(*options, small=False), "none of the names")


def test_predict_in_an_encoding_that_lacks_the_letters(trained, tmp_path):
    options = ["--output", trained[0], "--predict", "Müller", "Дом-Dom"]
    done = python(*options, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.startswith("M\\xfcller ")


def test_predict_without_a_model(script):
    one_line(script("--predict", "Kalaov", small=False), "there is no trained model", "model.npz")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk" * 99])
def test_predict_with_a_broken_model(script, content):
    Path("model.npz").write_bytes(content)
    one_line(script("--predict", "Kalaov", "--output", ".", small=False), "model.npz")


# A student's cell


@pytest.fixture
def cell_file(tmp_path):
    path = tmp_path / "student.py"
    path.write_text(GOOD_CELL)
    return path


@pytest.mark.usefixtures("without_figures")
def test_a_cell_of_ones_own(script, cell_file):
    code, out, err = script("--cell", f"{cell_file}:MyCell", "--num-layers", 2)
    assert (code, err) == (0, "") and "4, 5" in out
    folder = Path("runs/names-mycell")
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert json.loads((folder / "summary.json").read_text())["model"] == "mycell"
    guess = ["--predict", "Kalaov", "--output", folder]
    code, out, err = script(*guess, "--cell", f"{cell_file}:MyCell", small=False)
    assert (code, err) == (0, "") and out.startswith("Kalaov ")
    one_line(script(*guess, small=False), "mycell")


@pytest.mark.parametrize(
    "name, words",
    [
        ("Missing", ["no class Missing", "MyCell"]),
        ("not_a_class", ["no class not_a_class"]),
        ("NoBackward", ["NoBackward has no method backward(self, dstate, cache, product)"]),
        ("WrongSignature", ["WrongSignature.backward takes (self, dstate, cache)"]),
        ("Uncallable", ["Uncallable has no method forward(self, gx, state, product)"]),
        ("NoGates", ["NoGates.gates must name each gate"]),
        ("NeedsArguments", ["NeedsArguments() fails", "without arguments"]),
        ("Raises", ["Raises() fails", "not today"]),
    ],
)
def test_cells_that_cannot_be_used(script, cell_file, name, words):
    err = one_line(script("--cell", f"{cell_file}:{name}"), *words)
    assert name == "NeedsArguments" or "without arguments: NoGates" not in err
    assert not Path("runs").exists(), "an output folder was made in vain"


@pytest.mark.parametrize(
    "name, words",
    [
        ("ReturnsNothing", ["ReturnsNothing.forward must return"]),
        ("WrongShape", ["WrongShape.forward returned h of shape"]),
        ("NoGradient", ["NoGradient.backward must return"]),
    ],
)
def test_cells_that_break_their_word(script, cell_file, name, words):
    one_line(script("--cell", f"{cell_file}:{name}"), *words)
    assert not list(Path().glob("runs/*/*")), "something was half written"


@pytest.mark.parametrize(
    "content, words",
    [
        ("def f(:\n", ["SyntaxError"]),
        ("import nonsense_xyz\n", ["ModuleNotFoundError", "nonsense_xyz"]),
        ("1 / 0\n", ["ZeroDivisionError"]),
        ("raise SystemExit(0)\n", ["SystemExit"]),
        ("", ["no class MyCell", "none"]),
    ],
)
def test_cell_files_that_fail(script, cell_file, content, words):
    cell_file.write_text(content)
    one_line(script("--cell", f"{cell_file}:MyCell"), "student.py", *words)


@pytest.mark.parametrize("text", ["student.py", "MyCell", ":MyCell", "student.py:", "no.py:MyCell"])
def test_cells_that_are_not_named_well(script, cell_file, text):
    one_line(script("--cell", text), "--cell")
    (cell_file.parent / "student.txt").write_text(GOOD_CELL)
    one_line(script("--cell", "student.txt:MyCell"), "not a Python file")


# Bad input: one line, and nothing lost


def lists(folder, **files):
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.txt").write_bytes(content)
    return folder


def test_data_that_cannot_be_used(script, tmp_path):
    good = b"ab\ncd\nef\ngh\n"
    cases = [
        (tmp_path / "nowhere", ["there is no folder", "nowhere"]),
        (lists(tmp_path / "empty"), ["0 files", "at least 2 languages"]),
        (lists(tmp_path / "single", A=good), ["1 files", "at least 2 languages"]),
        (lists(tmp_path / "latin", A=good, B=b"ab\nM\xfcl\n"), ["B.txt", "0xfc", "line 2"]),
        (lists(tmp_path / "few", A=good, B=b"xy\nzz\n"), ["B has 2 distinct names"]),
        ("x" * 5000, []),
    ]
    for folder, words in cases:
        one_line(script("--output", "out", data=folder), *words)
        assert not Path("out").exists(), "an output folder was made in vain"


def test_a_user_sees_the_same(data, tmp_path):
    """The same through a new process: no traceback from import time, no warning before."""
    (tmp_path / "file").write_text("")
    for options, words in [
        (["--data", "nowhere"], "there is no folder"),
        (["--data", data, "--output", "file/out", *SMALL], "cannot be written"),
        (["--data", data, *SMALL, "--lr", "1e30"], "not finite at step"),
    ]:
        done = python(*options, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ") and words in done.stderr


def test_output_that_cannot_be_written(script, tmp_path):
    Path("file").write_text("mine")
    for output in ("file", "file/out", "x" * 300):
        one_line(script("--output", output), "cannot be written")
    assert Path("file").read_text() == "mine"
    if os.name == "posix" and os.geteuid() != 0:
        Path("locked").mkdir(mode=0o500)
        one_line(script("--output", "locked"), "cannot be written")


@pytest.mark.usefixtures("without_figures")
def test_an_old_model_outlives_a_bad_run(script):
    """A run that fails before its first epoch ends has nothing better to put in its place."""
    assert script("--output", "out")[0] == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    one_line(script("--output", "out", "--lr", "1e30"), "not finite at step", "epoch 1")
    one_line(script("--output", "out", data="nowhere"))
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


def test_a_bad_number_keeps_the_best_model_so_far(script, monkeypatch, trained):
    class Spoilt(CrossEntropy):
        calls = 0

        def forward(self, logits, labels):
            loss, cache = super().forward(logits, labels)
            self.calls += 1
            return (loss * math.nan if self.calls > 5 else loss), cache

    monkeypatch.setattr(names_script, "CrossEntropy", Spoilt)
    # an epoch is 3 steps and a look; so this is the second step of epoch 2
    one_line(script("--output", "out", "--epochs", 9), "not finite at step 5 (epoch 2")
    assert [path.name for path in Path("out").iterdir()] == ["model.npz"]
    code, out, _ = script("--output", "out", "--predict", "Kalaov", small=False)
    assert code == 0 and out.startswith("Kalaov ")


def test_cupy_that_is_not_there(script, monkeypatch):
    monkeypatch.delitem(backend._modules, "cupy", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    one_line(script("--backend", "cupy"), "CuPy cannot be imported", "cuda12", "cuda13")
    assert list(Path().iterdir()) == [] and backend.current() == "numpy"


@pytest.mark.parametrize("devices", [0, RuntimeError("driver\ntoo old")])
def test_cupy_without_a_gpu(script, monkeypatch, devices):
    def count():
        if isinstance(devices, Exception):
            raise devices
        return devices

    runtime = types.SimpleNamespace(getDeviceCount=count)
    cupy = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))
    monkeypatch.delitem(backend._modules, "cupy", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    one_line(script("--backend", "cupy"), "GPU", "use --backend numpy")


def test_sizes_beyond_all_memory(script):
    one_line(script("--hidden-size", 10**6), "nable to allocate")


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden-size", "0"], ["--hidden-size", "1.5"], ["--epochs", "-1"], ["--model", "elman"],
        ["--dropout", "1"], ["--dropout", "nan"], ["--lr", "0"], ["--lr", "inf"], ["--clip", "-1"],
        ["--seed", "-1"], ["--batch-size", "9" * 5000], ["--predict"], ["--backend", "torch"],
        ["--optimizer", "lbfgs"], ["--num-layers", "many"], ["--unknown"], ["--prior", "none"],
        ["--compare", "one"], ["--label-smoothing", "1"],
    ],
)  # fmt: skip
def test_malformed_options(script, capsys, options):
    with pytest.raises(SystemExit) as stopped:
        script(*options)
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: names.py") and "Traceback" not in err
    assert list(Path().iterdir()) == []


def test_stopped_by_hand(script, monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(names_script, "load_names", interrupt)
    assert script() == (130, "", "stopped\n")


# Light to import


def test_import_is_light():
    """Neither matplotlib nor cupy, not even by way of the modules that training needs."""
    code = (
        "import sys, minirnn, minirnn.training, minirnn.models, minirnn.cli\n"
        "import minirnn.storage.summary\n"
        "print(sorted({'matplotlib', 'cupy', 'tqdm'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": LIBRARY},
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
