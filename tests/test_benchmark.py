"""`examples/benchmark.py`: what it writes; and, instead of times, a count of array calls.

Nothing is timed here. How many calls of NumPy a step makes is what plain code pays for on short
sequences, and it is the same on every machine: a slip back shows as a larger count.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minirnn
from minirnn import cli
from minirnn.errors import MinirnnError
from minirnn.stacked import GRU, LSTM, RNN

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
DOCS = EXAMPLES.parent / "docs"
LIBRARY = str(Path(minirnn.__file__).resolve().parents[1])  # the one under test, wherever it is

# Array calls of one time step: (forward, backward), as they were counted. Lower a number
# when the code gets better.
CALLS = {"rnn": (3, 5), "lstm": (20, 30), "gru": (20, 23), "gru before": (18, 23)}
NETS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru before": lambda *sizes, rng: GRU(*sizes, rng=rng, reset_after=False),
}


class Counted(np.ndarray):
    """An array that counts the calls that compute, fill or copy arrays; views are free."""

    calls = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        Counted.calls += 1
        if out is not None:
            options["out"] = tuple(map(plain, out))
        result = getattr(ufunc, method)(*map(plain, inputs), **options)
        return counted(result) if out is None else out[0]

    def __array_function__(self, function, types, arguments, options):
        Counted.calls += 1
        return counted(super().__array_function__(function, types, arguments, options))

    def __setitem__(self, index, value):
        Counted.calls += 1
        super().__setitem__(index, value)


def plain(array):
    return array.view(np.ndarray) if isinstance(array, Counted) else array


def counted(array):
    return np.ndarray.view(array, Counted) if isinstance(array, np.ndarray) else array


def counting(name):
    """The method or function of NumPy with this name, with its calls counted."""
    method = getattr(np.ndarray, name)

    def call(self, *args, **options):
        Counted.calls += 1
        return counted(method(self, *args, **options))

    return call


for _name in ("astype", "copy", "take", "fill", "dot", "repeat"):
    setattr(Counted, _name, counting(_name))


@pytest.fixture
def counts(monkeypatch):
    """Every array that NumPy creates is a counted one, so that none escapes."""
    for name in ("array", "asarray", "ascontiguousarray", "zeros", "empty", "ones", "full"):
        create = getattr(np, name)

        def call(*args, create=create, **options):
            Counted.calls += 1
            return create(*args, **options).view(Counted)

        monkeypatch.setattr(np, name, call)


def calls_of(function, *args):
    """(what it returns, how many array calls it made)."""
    before = Counted.calls
    result = function(*args)
    return result, Counted.calls - before


def calls(name, T):
    """Array calls of forward, and of backward, over T steps of a batch of three."""
    rng = np.random.default_rng(0)
    net = NETS[name](4, 5, rng=rng)
    x, dy = (counted(rng.standard_normal((T, 3, D)).astype("float32")) for D in (4, 5))
    (y, _, cache), forward = calls_of(net.forward, x)
    (dx, dstate), backward = calls_of(net.backward, dy, cache)
    for array in (y, dx, *dstate, *(p.grad for p in net.parameters())):
        assert isinstance(array, Counted)
    return forward, backward


@pytest.mark.parametrize("name", CALLS)
def test_array_calls_of_a_step(name, counts):
    few, many = calls(name, 4), calls(name, 9)
    number = tuple((after - before) / 5 for before, after in zip(few, many, strict=True))
    assert number == CALLS[name], f"a step of {name} makes {number} array calls each way"


def test_the_count_is_right(counts):
    a = np.ones((3, 4))
    _, n = calls_of(lambda: (a @ a.T).sum(axis=0) * 2)
    assert n == 3
    _, n = calls_of(lambda: np.concatenate([a[:2], a[1:]]).reshape(-1))
    assert n == 1

    def in_place():
        b = np.empty_like(a)
        b[...] = a
        b += 1
        np.tanh(b, out=b)
        return np.matmul(b, a.T, out=np.zeros((3, 3))).max()

    result, n = calls_of(in_place)
    assert n == 7 and float(result) == pytest.approx(4 * np.tanh(2.0))


# The script


def benchmark(*arguments):
    environment = os.environ | {"PYTHONPATH": LIBRARY, "MPLBACKEND": "Agg"}
    command = [sys.executable, EXAMPLES / "benchmark.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture
def benchmark_here(monkeypatch, capsys):
    """The same in this process, for what measures nothing: (exit code, stdout, stderr)."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def run(*arguments):
        script = importlib.import_module("benchmark")
        monkeypatch.setattr(sys, "argv", ["benchmark.py", *map(str, arguments)])
        try:
            code = cli.main(script.run)
        except SystemExit as exit:  # of argparse
            code = exit.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """The folder with the results of one small case, without torch."""
    folder = tmp_path_factory.mktemp("benchmark")
    small = ["--only", "rnn", "names", "N=1", "--threads", 1, "--rounds", 2, "--no-torch"]
    done = benchmark(*small, "--json", folder / "found.json", "--plot", folder / "found.png")
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


def test_results_without_torch(timed):
    results = json.loads((timed / "found.json").read_text())
    assert results.keys() == {
        "machine", "backend", "rounds", "seconds_of_a_loop", "left_out", "cases", "memory",
    }  # fmt: skip
    assert results["machine"].keys() == {
        "date", "processor", "system", "python", "numpy", "torch", "jax", "gpu", "threads",
    }  # fmt: skip
    assert results["machine"]["torch"] is None and "PyTorch" in results["left_out"][0]
    (case,) = results["cases"]
    assert case["name"] == "rnn names N=1 H=128" and case["threads"] == 1
    assert case["times"]["train"].keys() == {"ours", "floor"}
    low, median, high = case["times"]["train"]["ours"]
    assert 0 < low <= median <= high
    theirs = case["times"]["train"]["floor"][1]
    assert case["ratios"]["train"]["floor"][1] == pytest.approx(theirs / median)
    assert 0 < case["ratios"]["train"]["floor"][1] < 1
    printed = (timed / "stdout").read_text()
    assert case["name"] in printed and "left out: PyTorch" in printed


def test_picture(timed):
    png = (timed / "found.png").read_bytes()
    assert png.startswith(b"\x89PNG") and len(png) > 10_000


def test_tables_go_into_a_page(timed, benchmark_here):
    page = timed / "page.md"
    marks = "<!-- results: begin -->\n{}<!-- results: end -->\n"
    page.write_text("above\n" + marks.format("old\n") + "below\n")
    for _ in range(2):
        code, _, err = benchmark_here("--load", timed / "found.json", "--markdown", page)
        assert code == 0, err
        text = page.read_text()
        assert text.startswith("above\n") and text.endswith("below\n") and "old" not in text
        assert text.count("\n| rnn names N=1 H=128 |") == 1


def test_compare_names_what_fell(timed, benchmark_here):
    results = json.loads((timed / "found.json").read_text())
    ratio = results["cases"][0]["ratios"]["train"]["floor"]
    for factor, code, words in ((1.1, 0, "none fell"), (1.3, 1, "fell: rnn names N=1 H=128")):
        results["cases"][0]["ratios"]["train"]["floor"] = [factor * r for r in ratio]
        (timed / "old.json").write_text(json.dumps(results))
        now, old = timed / "found.json", timed / "old.json"
        found, out, err = benchmark_here("--load", now, "--compare", old)
        assert found == code and words in out, out + err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--only", "lstm", "tensor"], "no case has all of these in its name: lstm tensor"),
        (["--load", "nowhere.json"], "nowhere.json"),
        (["--load", "x.json", "--no-torch"], "--no-torch has no effect with --load"),
        (["--load", DOCS / "performance.md"], "holds no results"),
        (["--rounds", "0"], "a whole number from 1"),
        (["--compare", "nowhere.json"], "there is no file nowhere.json"),
        (["--json", "x.json", "--compare", "x.json"], "is the same file"),
        (["--plot", "x.pdf"], "must end in .png"),
    ],
)
def test_bad_input_ends_in_one_line(benchmark_here, arguments, words):
    code, _, err = benchmark_here(*arguments)
    assert code == 2 and "Traceback" not in err
    assert words in err.splitlines()[-1]


def test_the_grid(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    cases = importlib.import_module("benchmark_cases")
    names = [case.name for case in cases.grid()]
    assert len(names) == len(set(names)) == 3 * 16
    assert {case.name for case in cases.grid(quick=True)} < set(names)


def test_wrong_gradients_are_noticed(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    cases = importlib.import_module("benchmark_cases")
    case = cases.Case("gru", "names", None, 16, 128)
    output, gradients = cases.Ours(case, cases.batches_of(case, np.random.default_rng(0))).results()
    cases.check_same((output, gradients), {"a copy": (output.copy(), dict(gradients))})
    name = "weight_hh_l0"
    with pytest.raises(MinirnnError, match=f"d{name}"):
        other = {name: np.roll(gradients[name], 1, axis=1)}
        cases.check_same((output, gradients), {"another": (output, other)})
    with pytest.raises(MinirnnError, match="output"):
        cases.check_same((output, gradients), {"another": (output * np.nan, {})})


def test_the_page_shows_the_committed_results(monkeypatch):
    path, page = DOCS / "results" / "cpu.json", (DOCS / "performance.md").read_text("utf-8")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    tables = importlib.import_module("benchmark_tables")
    if not path.exists():
        assert "Not measured yet." in page
    else:
        assert tables.filled(page, json.loads(path.read_text("utf-8"))) == page
