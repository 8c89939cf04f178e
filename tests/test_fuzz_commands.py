"""Whatever stands on a command line: an end that the documentation knows, for every command.

In this process, with data and nets so small, and slow parts so short, that thousands of command
lines can be tried. Nothing may be written outside the output folder.
"""

import contextlib
import importlib.util
import json
import math
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from experiments import TRAINERS, in_this_process, stopped
from fuzzing import (
    cases,
    count,
    ended,
    numbers,
    place,
    say_how_many,
    words,
)  # fmt: skip
from hypothesis import example, given
from hypothesis import strategies as st

from minirnn import __main__ as door
from minirnn.errors import CheckpointError
from minirnn.exercises import command as exercises
from minirnn.models import NameClassifier
from minirnn.reports import generation, runs
from minirnn.storage.checkpoints import Checkpoint, save_net
from minirnn.storage.files import read_npz, write_atomic, write_npz

__all__ = ["place", "say_how_many"]  # fixtures

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("needs a checkout: the examples are not installed", allow_module_level=True)

# A user may name any file to write to: only here is it not to leave the output folder.
inside = words.filter(lambda text: "/" not in text and ".." not in text)


def some(text):
    """A few of these options, a comma apart: mostly as they should be, sometimes with another
    value, among words that may stand anywhere."""
    right = st.sampled_from([option.split() for option in text.split(", ")])
    wrong = st.tuples(right.map(lambda option: option[0]), inside).map(list)
    option = st.one_of(right, right, right, right, wrong, inside.map(lambda word: [word]))
    return st.lists(option, max_size=4).map(lambda found: sum(found, []))


@pytest.fixture
def script(request, monkeypatch):
    """The example of this name as a module; what it imports beside it can be found."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    path = EXAMPLES / request.param
    spec = importlib.util.spec_from_file_location(f"fuzzed_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script_named(name):
    return pytest.mark.parametrize("script", [name], indirect=True)


@pytest.fixture
def quick(monkeypatch):
    """What trains and draws, shortened: no processes, no figures, few names."""
    write = generation.write_names
    classifier = generation.quick_classifier

    def write_few(net, names, alphabet, rng, temperature=0.5, count=50, *more):
        return write(net, names, alphabet, rng, temperature, min(count, 2), *more)

    for module in (generation, runs):
        monkeypatch.setattr(module, "write_names", write_few)
        monkeypatch.setattr(module, "quick_classifier", lambda *data: classifier(*data, epochs=1))

    def prepare(script):
        names = "plot_curves", "plot_confusion", "plot_gates", "plot_means", "plot_medians"
        fake = SimpleNamespace(**dict.fromkeys(names, nothing))
        monkeypatch.setattr(script, "plotting", fake)
        monkeypatch.setattr(script, "write_figure", lambda path, _: write_atomic(path, b"drawn"))
        monkeypatch.setattr(script.processes, "run", in_this_process(None))
        return script

    return prepare


def nothing(*args, **options):
    return None


def tried(place, script, argv, anew, codes=(0, 2, None)):
    """Run the script's command line; with `anew` where there is no output yet."""
    count(f"command lines of {argv[0]}")
    if anew:
        shutil.rmtree(place / "out", ignore_errors=True)
    return ended(place, script.run, argv, codes)


LAB = "--data data --output out --iterations 2 --jobs 1".split()


@script_named("reproduce.py")
@given(
    some("--only A, --quick, --jobs 2, --seeds 0 1, --seeds 3, --resume, --help, --iterations 2"),
    st.data(),
)
@example(["--resume"], None)
@cases(25, 700)
def test_reproduce(script, quick, place, options, data):
    argv = ["reproduce.py", *options, *LAB, "--only", "a"]
    anew = data is None or data.draw(st.booleans())
    tried(place, quick(script), argv, anew)


@script_named("generate.py")
@given(
    some(
        "--language ab, --language Cd, --start Ba, --temperature 1.5, --count 2, --seed 1, "
        "--resume, --help"
    ),
    st.data(),
)
@example(["--resume"], None)
@cases(25, 700)
def test_generate(script, quick, place, options, data):
    argv = ["generate.py", *options, *LAB[:6], "--count", "1"]
    anew = data is None or data.draw(st.booleans())
    tried(place, quick(script), argv, anew)


@script_named("why_lstm.py")
@given(some("--quick, --jobs 2, --seeds 1, --seeds 1 0 1, --resume, --help"), st.data())
@example(["--resume"], None)
@example(["--seeds", "0", "1"], None)
@cases(15, 500)
def test_why_lstm(script, quick, place, options, data):
    script.PARTS, script.RATES, script.REMEMBERS = ("A", "B", "C"), (0.005, 0.01), ("A+last2",)
    argv = ["why_lstm.py", *options, *LAB]
    anew = data is None or data.draw(st.booleans())
    tried(place, quick(script), argv, anew)


@script_named("long_sequences.py")
@given(
    some(
        "--lengths 2 3, --quick, --jobs 2, --seeds 1, --seeds 1 0 1, --only adding, --resume, "
        "--help, --only copying adding"
    ),
    st.data(),
)
@example(["--resume"], None)
@example(["--lengths", "2", "3"], None)
@example(["--lengths", "1"], None)
@cases(15, 500)
def test_long_sequences(script, quick, place, options, data):
    script.HIDDEN, script.FLOW_T = 2, 3
    small = ["--lengths", "3", *options, "--output", "out", "--batches", "2", "--jobs", "1"]
    anew = data is None or data.draw(st.booleans())
    tried(place, quick(script), ["long_sequences.py", *small], anew)


# The benchmarks: without a clock


def measured(args, threads, more):
    """Instead of a process that takes the time: every case of the grid, of which some differ."""
    import benchmark
    import benchmark_cases

    if more:
        return [1.5]
    found = []
    for case in benchmark_cases.grid(True):
        if set(args.only) <= set(case.name.split()):
            times = {
                what: {name: [1.0, 2.0, 3.0] for name in ("ours", "floor")}
                for what in ("train", "forward")
            }
            found.append({"name": case.name, "threads": threads, **case._asdict(), "times": times})
    assert benchmark.__name__
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The text of whole results."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import benchmark
    finally:
        sys.path.remove(str(EXAMPLES))
    kept, benchmark.in_own_process = benchmark.in_own_process, measured
    path, argv = tmp_path_factory.mktemp("results") / "found.json", sys.argv
    sys.argv = ["benchmark.py", "--no-torch", "--quick", "--json", str(path)]
    try:
        with contextlib.redirect_stdout(None):
            assert benchmark.run() == 0
    finally:
        benchmark.in_own_process, sys.argv = kept, argv
    return path.read_text()


@script_named("benchmark.py")
@given(
    some(
        "--threads 1 3, --rounds 2, --only lstm, --only rnn dense, --no-torch, --help, "
        "--json new.json, --plot new.png, --compare found.json, --load found.json, "
        "--markdown page.md, --backend numpy"
    )
)
@example(["--load", "found.json", "--plot", "picture"])
@example(["--load", "found.json", "--markdown", "page.md", "--compare", "found.json"])
@cases(40, 1500)
def test_benchmark(script, place, results, options):
    if any(option.startswith(("--w", "--me")) for option in options):  # not for users
        return
    count("command lines of benchmark.py")
    script.in_own_process = measured
    script.tables.plot = lambda results: SimpleNamespace(savefig=lambda file, **_: file.write(b""))
    page = f"# Speed\n{script.tables.BEGIN}{script.tables.END}"
    loads = any(option.startswith("--l") for option in options)  # then nothing is timed
    argv = ["benchmark.py", *["--no-torch", "--quick"] * (not loads), *options]
    in_output(place, script.run, argv, {"found.json": results, "page.md": page})


@script_named("benchmark.py")
@given(st.data())
@cases(40, 1500)
def test_results_of_strangers(script, place, results, data):
    found = json.loads(results)
    found["cases"] = found["cases"][:2]
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(sorted(places(found), key=str)))
        owner = found
        for key in way:
            owner = owner[key]
        owner[last] = data.draw(numbers)
        if isinstance(owner, dict) and data.draw(st.booleans()):
            del owner[last]
    texts = st.sampled_from([json.dumps(found), "[" * 10_000, "3", "null", '{"cases": []}'])
    files = {"found.json": data.draw(texts), "good.json": results}
    count("results of benchmarks")
    argv = ["benchmark.py", "--load", "found.json", "--compare", "good.json"]
    in_output(place, script.run, argv, files)


def places(value, path=()):
    """The places in nested dicts and lists."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


@script_named("benchmark_reports.py")
@given(some("--only A,f, --names 3, --rounds 2, --help"))
@cases(25, 700)
def test_benchmark_reports(script, place, options):
    count("command lines of benchmark_reports.py")
    script.torch = SimpleNamespace(__version__="0", set_num_threads=nothing)
    script.compare = lambda kind, names, count, rounds: ([1.0, 2.0], [2.0, math.pi])
    ended(place, script.run, ["benchmark_reports.py", *options, "--data", "data"])


def in_output(place, function, argv, files=(), codes=(0, 1, 2, None)):
    """Run it in the output folder, with these files in it."""
    output = place / "out"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    for name, text in dict(files).items():
        (output / name).write_text(text)

    def run():
        os.chdir(output)
        return function()

    return ended(place, run, argv, codes)


# The commands of the door


@pytest.fixture
def short(monkeypatch):
    """`watch` looks twice, and then somebody types Ctrl-C."""
    watch = exercises.COMMANDS["watch"]

    def twice(args):
        looks = iter("ab")

        def wait(seconds):
            if next(looks) == "b":
                raise KeyboardInterrupt

        return watch(args, wait)

    monkeypatch.setitem(exercises.COMMANDS, "watch", twice)


CONVENTIONS = st.one_of(
    st.just("{}"),
    st.dictionaries(
        st.sampled_from("lstm_gates gru_gates z_keeps bugs other".split()),
        st.one_of(numbers, st.permutations("rzn"), st.lists(numbers, max_size=5)),
    ).map(json.dumps),
)
STARTER = "def sigmoid(a):\n    return a\n"


@given(
    st.sampled_from("start check hint watch grade none --help".split()),
    some(
        "mine, empty, new, 1, 3, --level 2, --conventions conventions.json, --csv marks.csv, "
        "--json marks.json, --seconds 3, --help"
    ),
    CONVENTIONS,
)
@example("check", ["mine", "1"], "{}")
@example("check", ["mine", "9" * 5000], "{}")
@example("grade", ["mine", "--only", "9" * 5000], "{}")
@example("start", ["new", "--conventions", "conventions.json"], "[" * 100_000)
@example("start", ["new", "--conventions", "conventions.json"], '{"bugs": [[1], 2, 3, 4, 5]}')
@example("start", ["new", "--conventions", "conventions.json"], '{"lstm_gates": 3}')
@example("grade", ["mine", "--csv", "marks.csv"], "{}")
@cases(40, 1500)
def test_exercises(place, short, command, options, conventions):
    count("command lines of exercises")
    files = {"conventions.json": conventions}

    def run():
        Path("empty").mkdir()
        Path("mine").mkdir()
        Path("mine/ex01_functions.py").write_text(STARTER)
        return door.run(["exercises", command, *options])

    in_output(place, run, ["minirnn"], files, (0, 1, 2, 130))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The bytes of a net of `names.py`, its settings and the net."""
    settings = {
        "model": "rnn", "hidden_size": 3, "num_layers": 1, "bidirectional": True,
        "embedding": 2, "dropout": 0.0, "alphabet": "abc", "languages": ["A", "B"],
    }  # fmt: skip
    net = NameClassifier(3, 2, rng=np.random.default_rng(0), cell="rnn", hidden_size=3, embedding=2,
                         bidirectional=True)  # fmt: skip
    return settings, net


@given(
    some("abc, cab, --language A, --language B, -o page.html, --output page.html, --help, ++"),
    st.data(),
)
@example(["abc", "--model", "model.npz"], None)
@cases(40, 1500)
def test_stepper(place, model, options, data):
    """Every other time with the model of a stranger, in which one setting is anything."""
    settings, net = model
    if data is not None and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(settings)))
        value = data.draw(st.one_of(numbers, words, st.lists(words, max_size=3)))
        settings = {**settings, name: value}
    count("command lines of stepper")

    def run():
        save_net("model.npz", net, settings)
        return door.run(["stepper", *options, *["--model", "model.npz"] * ("--" not in options)])

    in_output(place, run, ["minirnn"])


# Checkpoints of the trainers that the experiments use


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """{trainer: (arrays, facts as text)} of whole files, and a path for broken ones."""
    path, found = tmp_path_factory.mktemp("parts") / "part.npz", {}
    for name, make in TRAINERS.items():
        stopped(make, path, 5)
        arrays = read_npz(path)
        found[name] = arrays, arrays.pop("facts").tobytes()
    return found, path


@given(st.sampled_from(sorted(TRAINERS)), st.data())
@cases(60, 3000)
def test_parts_with_other_facts(parts, name, data):
    """A whole file in which a fact or two, or an array, are anything else."""
    found, path = parts
    arrays, whole = found[name]
    arrays, facts = dict(arrays), json.loads(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(sorted(places(facts), key=str)))
        owner = facts
        for key in way:
            if not isinstance(owner := owner[key], (dict, list)):
                break
        else:
            owner[last] = data.draw(numbers)
    if data.draw(st.booleans()):
        arrays[data.draw(st.sampled_from(sorted(arrays)))] = data.draw(
            st.sampled_from([np.zeros(3), np.full((3, 4), np.nan, "f4"), np.array("a"), np.eye(3)])
        )
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    write_npz(path, {"facts": text, **arrays})
    count("parts with other facts")
    taker = TRAINERS[name](seed=5)
    before = taker.state_dict()
    try:
        Checkpoint(path, {"a": 1}).resume(taker)
    except CheckpointError as error:
        assert str(path) in str(error) and len(str(error)) < 1000
        after = taker.state_dict()
        assert after[1] == before[1] and before[0].keys() == after[0].keys()
        assert all((after[0][name] == array).all() for name, array in before[0].items())
    else:
        assert kinds(taker.state_dict()[1]) == kinds(json.loads(whole)["run"])
        taker.fit()


def kinds(value):
    """Nested dicts and lists with the kind of each value in its place."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [kinds(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "not finite"
    return "number" if type(value) in (int, float) else type(value).__name__
