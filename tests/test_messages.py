"""Every message in the table of docs/reliability.md is provoked here, with its exit code.

A row is (cause, message, exit code); "..." in a message stands for anything. A row without a
function here fails, and so does a function without a row.
"""

import errno
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.error import HTTPError

import fake_cupy
import numpy as np
import pytest
from archives import archive, encrypted, link
from experiments import in_this_process, loaded
from training_runs import rewritten, run_fact

from minirnn import __main__ as door
from minirnn import backend, cli, data, training
from minirnn.data import Alphabet
from minirnn.exercises import process, sandbox
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.models import NameClassifier
from minirnn.mpi import world as mpi
from minirnn.reports import processes
from minirnn.reports.generation import small_classifier
from minirnn.storage import checkpoints, download, files
from minirnn.storage.checkpoints import load_net, save_net
from minirnn.storage.files import read_npz, write_npz

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "reliability.md"
ROW = re.compile(r"^\| (?P<cause>[^|]+?) \| `(?P<message>[^|]+)` \| (?P<code>\d+) \|$", re.M)


def rows():
    return [(m["cause"], m["message"], int(m["code"])) for m in ROW.finditer(DOCS.read_text())]


provoke = {}  # {cause: function(World)}


def cause(*names):
    def note(function):
        for name in names:
            provoke[name] = function
        return function

    return note


class World:
    """An empty folder with data, a script to run, and whatever is patched for one test."""

    def __init__(self, folder, monkeypatch, name, trained=None):
        self.folder, self.patch, self.name = folder, monkeypatch.setattr, name
        self.monkeypatch, self.trained = monkeypatch, trained
        self.lists(Ab="ov", Cd="ez")
        spec = importlib.util.spec_from_file_location("names_script", ROOT / "examples/names.py")
        self.names = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.names)

    def lists(self, **endings):
        (self.folder / "data").mkdir(exist_ok=True)
        for language, end in endings.items():
            names = [f"{a}{b}{end}" for a in "bdkl" for b in "aeio"]
            (self.folder / "data" / f"{language}.txt").write_text("\n".join(names) + "\n")

    def run(self, *options):
        """The exit code of names.py."""
        small = ["--hidden-size", "3", "--embedding", "2", "--epochs", "2", "--batch-size", "8"]
        given = [*small, "--data", "data", "--output", "out"]
        if "--predict" in options:
            given = given[-2:]
        if "--compare" in options:
            given = given[-4:-2]
        self.patch(sys, "argv", ["names.py", *given, *map(str, options)])
        try:
            return cli.main(self.names.run)
        except SystemExit as stopped:
            return stopped.code

    def train(self):
        """What `run()` leaves, without training again."""
        shutil.copytree(self.trained, "out")

    def command(self, *arguments):
        try:
            return cli.main(lambda: door.run(list(map(str, arguments))))
        except SystemExit as stopped:
            return stopped.code

    def example(self, name, *options, run=None, data=True):
        """The exit code of another example, with its tasks in this process, or by `run`."""
        self.monkeypatch.syspath_prepend(str(ROOT / "examples"))
        script = loaded(name)
        if hasattr(script, "processes"):
            self.patch(script.processes, "run", run or in_this_process(None))
        where = ["--data", "data"] * data + ["--output", "out"] * data
        self.patch(sys, "argv", [name, *where, *map(str, options)])
        try:
            return cli.main(getattr(script, "run", None) or script.main)
        except SystemExit as stopped:
            return stopped.code

    def reproduce(self, *options, run=None):
        return self.example("reproduce.py", "--only", "A", "--iterations", 2, *options, run=run)

    def stopped(self, step=2):
        """A run that was stopped with Ctrl-C after this step: 130."""
        kept = training.Trainer.train_step

        def train_step(trainer, index):
            trainer.stopped = trainer.step + 1 == step
            return kept(trainer, index)

        self.patch(training.Trainer, "train_step", train_step)
        code = self.run()
        self.patch(training.Trainer, "train_step", kept)
        return code

    def predict(self, *options):
        return self.run(*options, "--predict", "Bo")

    def changed(self, change):
        """Guess with a model whose file was changed by change(arrays, facts)."""
        self.train()
        arrays = read_npz("out/model.npz")
        facts = json.loads(arrays.pop("facts").tobytes())
        change(arrays, facts)
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        write_npz("out/model.npz", {"facts": text, **arrays})
        return self.predict()

    def rewritten(self, folder, change):
        """The trained net in a folder, with its settings changed by change(settings)."""
        if not Path(folder).exists():
            shutil.copytree(self.trained, folder)
        path = Path(folder) / "model.npz"
        net, settings = load_net(path, NameClassifier.from_settings)
        change(settings)
        save_net(path, net, settings)

    def without(self, name):
        self.rewritten("out", lambda settings: settings.pop(name))

    def two_nets(self, **changes):
        """The trained net, and the same in another folder with other settings."""
        self.train()
        self.rewritten("other", lambda settings: settings.update(changes))

    def cell(self, text, name="MyCell"):
        Path("cell.py").write_text(text)
        return self.run("--cell", f"cell.py:{name}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The output folder of names.py, made once: most messages about models need one."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert World(folder, monkeypatch, "").run() == 0
    return folder / "out"


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("name, message, code", rows(), ids=[name for name, _, _ in rows()])
def test_the_table(tmp_path, monkeypatch, capsys, trained, name, message, code):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(backend._modules, "cupy", raising=False)
    monkeypatch.setattr(backend, "_current", "numpy")
    found = provoke[name](World(tmp_path, monkeypatch, name, trained))
    lines = capsys.readouterr().err.splitlines()
    if name in ("Ctrl-C in training", "SIGTERM in training", "an experiment stopped with Ctrl-C"):
        assert lines.pop() == "stopped"
    last = lines[-1]
    pattern = ".*".join(map(re.escape, message.split("...")))
    assert re.fullmatch(pattern, last), last
    assert found == code
    if code == 2:  # argparse names the command first
        assert last.startswith("error: ") or re.match(r"[\w. -]+: error: argument [\w-]+: ", last)
    assert not list(tmp_path.rglob("*.tmp")), "something half written is left"


def test_every_function_has_its_row():
    named = [name for name, _, _ in rows()]
    assert sorted(named) == sorted(provoke) and len(named) > 50


def test_every_promise_names_tests_that_are_there():
    """`tests/test_x.py`: `test_y`, `test_z` in docs/reliability.md; a file alone is enough too."""
    table = DOCS.read_text().partition("## Promises")[2].partition("\n## ")[0]
    promises = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(promises) > 15
    for promise in promises:
        *_, holders, _ = promise.split("|")
        path = None
        for name in re.findall(r"`([^`]+)`", holders):
            if name.startswith(("tests/", "python tests/")):
                path = ROOT / name.removeprefix("python ")
                assert path.is_file(), name
            elif name.startswith("test_"):
                assert f"\ndef {name}(" in path.read_text(), f"{path} has no {name}"
        assert path, promise


# Data and folders


@cause("no such data folder")
def _(world):
    return world.run("--data", "nowhere")


@cause("fewer than two languages")
def _(world):
    Path("data/Ab.txt").unlink()
    return world.run()


@cause("a language with too few names")
def _(world):
    Path("data/Ab.txt").write_text("one\ntwo\n")
    return world.run()


@cause("a list that is not UTF-8")
def _(world):
    Path("data/Ab.txt").write_bytes(b"ab\nM\xfcl\n")
    return world.run()


@cause("a list that is too large")
def _(world):
    world.patch(data, "LARGEST_FILE", 10)
    return world.run()


@cause("a list that cannot be read")
def _(world):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied")

    world.monkeypatch.setattr(data, "open", refuse, raising=False)
    return world.run()


@cause("an output folder that cannot be written")
def _(world):
    Path("out").write_text("mine")
    return world.run()


@cause("two runs in one folder")
def _(world):
    pytest.importorskip("fcntl", reason="no locks on this system")
    Path("out").mkdir()
    with cli.alone_in("out"):
        return world.run()


@cause("a full disk")
def _(world):
    world.train()

    def full(*args):
        raise OSError(28, "No space left on device")

    world.patch(os, "fsync", full)
    return world.run()


@cause("a name with a sign that is dropped")
def _(world):
    world.train()
    return world.run("--predict", "Kow4lski")


@cause("a name without a usable letter")
def _(world):
    world.train()
    return world.run("--predict", "123")


@cause("a malformed option")
def _(world):
    return world.run("--model", "elman")


@cause("a whole number that is none")
def _(world):
    return world.run("--epochs", 0)


@cause("an interval that is none")
def _(world):
    world.monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", "soon")
    return world.run()


@cause("no such command")
def _(world):
    return world.command("train")


# Cells


@cause("a cell that is not named well")
def _(world):
    return world.run("--cell", "cell.py")


@cause("no such cell file")
def _(world):
    return world.run("--cell", "cell.py:MyCell")


@cause("a cell file that fails")
def _(world):
    return world.cell("1 / 0")


@cause("no such cell in the file")
def _(world):
    return world.cell("")


@cause("a cell without a method")
def _(world):
    return world.cell("class MyCell:\n    gates, states = 'g', ('h',)\n")


@cause("a cell file of another kind")
def _(world):
    Path("cell.txt").write_text("")
    return world.run("--cell", "cell.txt:MyCell")


CELLS = {
    "a cell whose method takes something else": "def backward(self, dstate): pass",
    "a cell that is not made without arguments": "def __init__(self, size): pass",
    "a cell without letters for its gates": "gates = None",
}


@cause(*CELLS)
def _(world):
    base = "from minirnn.cells import RNNCell\nclass MyCell(RNNCell):\n    "
    return world.cell(base + CELLS[world.name])


# Backends and memory


@cause("CuPy is not installed")
def _(world):
    world.monkeypatch.setitem(sys.modules, "cupy", None)
    return world.run("--backend", "cupy")


FAULTS = {
    "CuPy without its libraries": "library missing",
    "no NVIDIA driver": "no driver",
    "a driver that is too old": "driver too old",
    "no GPU": "no device",
    "a GPU whose memory is taken": "too little memory",
    "a GPU of another architecture": "wrong architecture",
    "a GPU that fails otherwise": "broken",
    "a GPU that computes wrongly": "wrong results",
}


@cause(*FAULTS)
def _(world):
    world.monkeypatch.delitem(sys.modules, "cupy", raising=False)
    world.monkeypatch.syspath_prepend(fake_cupy.write(world.folder / "stub", FAULTS[world.name]))
    try:
        return world.run("--backend", "cupy")
    finally:
        sys.modules.pop("cupy", None)


@cause("out of memory in training")
def _(world):
    world.patch(CrossEntropy, "forward", raising(MemoryError()))
    return world.run()


@cause("out of memory elsewhere")
def _(world):
    return world.run("--hidden-size", 10**6)


@cause("out of memory while a library is loaded")
def _(world):
    error = ImportError("libtiff.so: failed to map segment from shared object")
    world.patch(world.names.summary, "write", raising(error))
    return world.run()


# Numbers


def raising(error):
    def fail(*args, **options):
        raise error

    return fail


@cause("a loss or gradient that is not finite")
def _(world):
    return world.run("--lr", "1e30")


@cause("the same, after a checkpoint")
def _(world):
    world.monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", "0")
    kept, calls = CrossEntropy.forward, iter(range(99))

    def forward(self, logits, labels):
        loss, cache = kept(self, logits, labels)
        return (loss * np.float32("nan") if next(calls) == 2 else loss), cache

    world.patch(CrossEntropy, "forward", forward)
    return world.run()


@cause("a validation loss that is not finite")
def _(world):
    kept = training.evaluate

    def evaluate(*args):
        found = kept(*args)
        found.loss = float("inf")
        return found

    world.patch(training, "evaluate", evaluate)
    return world.run()


@cause("weights that are not finite")
def _(world):
    world.monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", "0")
    world.patch(world.names.optim, "one_cycle", lambda lr, total: lambda step: 1e39)
    return world.run()


# Models of others


@cause("no trained model")
def _(world):
    return world.predict()


@cause("languages as frequent as in training, of a net that does not tell")
def _(world):
    world.without("counts")
    return world.run("--prior", "natural", "--predict", "Bo")


@cause("an option without effect")
def _(world):
    return world.run("--prior", "natural")


@cause("options of another job")
def _(world):
    return world.run("--epochs", 3, "--predict", "Bo", "--clip", 1)


MINE = "from minirnn.cells import LSTMCell\n\n\nclass Mine(LSTMCell):\n    pass\n"


@cause("a cell that the net has not", "a cell that neither net has")
def _(world):
    world.train()
    shutil.copytree("out", "other")
    Path("cell.py").write_text(MINE)
    job = ["--predict", "Bo"] if "the net" in world.name else ["--compare", "out", "other"]
    return world.run("--cell", "cell.py:Mine", *job)


@cause("one net compared with itself")
def _(world):
    world.train()
    return world.run("--compare", "out", "out")


@cause("nets of other names to compare")
def _(world):
    world.two_nets()
    world.lists(Ab="oz")
    return world.run("--compare", "out", "other")


@cause("nets of two splits to compare")
def _(world):
    world.two_nets(seed=1)
    return world.run("--compare", "out", "other")


@cause("a net without a seed to compare")
def _(world):
    world.two_nets()
    world.without("seed")
    return world.run("--compare", "out", "other")


@cause("a file that is cut off or of another kind")
def _(world):
    world.train()
    path = Path("out/model.npz")
    path.write_bytes(path.read_bytes()[:-50])
    return world.predict()


@cause("a file that cannot be opened")
def _(world):
    world.train()
    world.patch("builtins.open", raising(PermissionError(13, "Permission denied")))
    return world.predict()


@cause("arrays that minirnn did not write")
def _(world):
    Path("out").mkdir()
    np.savez("out/model.npz", a=np.ones(3))
    return world.predict()


@cause("a zip bomb")
def _(world):
    world.train()
    world.patch(files, "LARGEST", 1000)
    return world.predict()


@cause("entries that share their bytes")
def _(world):
    world.train()
    data = bytearray(Path("out/model.npz").read_bytes())
    entries = zipfile.ZipFile("out/model.npz").infolist()
    large = max(entries, key=lambda entry: entry.file_size)
    at = 0
    for _ in entries:  # each entry of the directory claims the largest one's bytes
        at = data.index(b"PK\1\2", at)
        data[at + 20 : at + 28] = 2 * large.file_size.to_bytes(4, "little")
        data[at + 42 : at + 46] = large.header_offset.to_bytes(4, "little")
        at += 4
    Path("out/model.npz").write_bytes(data)
    return world.predict()


@cause("no memory to read a file")
def _(world):
    world.train()
    world.patch(files, "_array", raising(MemoryError()))
    return world.predict()


@cause("no memory to write a file")
def _(world):
    world.train()
    world.patch(np.lib.format, "write_array", raising(MemoryError()))
    return world.run()


@cause("a file that is compressed")
def _(world):
    Path("out").mkdir()
    np.savez_compressed("out/model.npz", facts=np.zeros(3))
    return world.predict()


@cause("an array that stands twice")
def _(world):
    world.train()
    with zipfile.ZipFile("out/model.npz", "a") as file:
        file.writestr("facts", b"")
    return world.predict()


@cause("facts that are too long")
def _(world):
    world.train()
    world.patch(checkpoints, "LARGEST_FACTS", 9)
    return world.predict()


@cause("a newer format")
def _(world):
    return world.changed(lambda arrays, facts: facts.update(format=2, version="9.9.9"))


@cause("a file of another kind")
def _(world):
    return world.changed(lambda arrays, facts: facts.update(kind="training run"))


@cause("a missing setting")
def _(world):
    return world.changed(lambda arrays, facts: facts["settings"].pop("languages"))


@cause("settings of no net")
def _(world):
    return world.changed(lambda arrays, facts: facts["settings"].update(dropout="much"))


@cause("settings of a huge net")
def _(world):
    return world.changed(lambda arrays, facts: facts["settings"].update(hidden_size=10**6))


@cause("weights of another shape")
def _(world):
    return world.changed(lambda arrays, facts: facts["settings"].update(hidden_size=2))


@cause("a weight that is missing")
def _(world):
    return world.changed(lambda arrays, facts: arrays.pop("linear.b"))


@cause("a weight too many")
def _(world):
    return world.changed(lambda arrays, facts: arrays.update(extra=np.zeros(1)))


@cause("weights that are NaN")
def _(world):
    return world.changed(lambda arrays, facts: arrays["linear.b"].fill(np.nan))


# Stopping and going on


@cause("Ctrl-C in training")
def _(world):
    return world.stopped()


@cause("SIGTERM in training")
def _(world):
    kept = training.Trainer.train_step

    def train_step(trainer, index):
        if trainer.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return kept(trainer, index)

    world.patch(training.Trainer, "train_step", train_step)
    return world.run()


@cause("SIGTERM elsewhere")
def _(world):
    def load(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    world.patch(world.names, "load_names", load)
    return world.run()


@cause("Ctrl-C elsewhere")
def _(world):
    world.patch(world.names, "load_names", raising(KeyboardInterrupt()))
    return world.run()


@cause("going on")
def _(world):
    assert world.stopped() == 130
    return world.run("--resume")


@cause("going on with a run that was over")
def _(world):
    world.train()
    return world.run("--resume")


@cause("starting over over an unfinished run")
def _(world):
    assert world.stopped() == 130
    return world.run()


@cause("going on without a checkpoint")
def _(world):
    return world.run("--resume")


@cause("going on with other settings")
def _(world):
    assert world.stopped() == 130
    return world.run("--resume", "--seed", 1)


@cause("going on with other names")
def _(world):
    assert world.stopped() == 130
    world.lists(Ab="ova")
    return world.run("--resume")


@cause("going on from a state that cannot be")
def _(world):
    assert world.stopped() == 130
    arrays = read_npz("out/checkpoint.npz")
    facts = json.loads(arrays.pop("facts").tobytes())
    facts["run"]["position"] = -3
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    write_npz("out/checkpoint.npz", {"facts": text, **arrays})
    return world.run("--resume")


# The experiments


@cause("an experiment stopped with Ctrl-C")
def _(world):
    return world.reproduce(run=in_this_process(1))


@cause("an experiment that goes on")
def _(world):
    assert world.reproduce(run=in_this_process(1)) == 130
    return world.reproduce()


@cause("going on with an experiment not begun")
def _(world):
    return world.reproduce("--resume")


@cause("an experiment with other settings")
def _(world):
    assert world.reproduce() == 0
    return world.reproduce("--iterations", 3)


@cause("a result that is none", "a result of another net that is none")
def _(world):
    assert world.reproduce() == 0
    net = "A" if world.name == "a result that is none" else "B"
    Path(f"out/nets/{net}-reports-0.json").write_text("{")
    return world.reproduce()


@cause("an experiment's checkpoint that is cut off")
def _(world):
    assert world.reproduce(run=in_this_process(1)) == 130
    path = Path("out/nets/A-reports-0.part.npz")
    path.write_bytes(path.read_bytes()[:-50])
    return world.reproduce(run=RUN)


@cause("an experiment from a state that cannot be")
def _(world):
    assert world.reproduce(run=in_this_process(1)) == 130
    path = Path("out/nets/A-reports-0.part.npz")
    rewritten(path, run_fact("position", -3))
    return world.reproduce(run=RUN)


@cause("an experiment on a full disk")
def _(world):
    assert world.reproduce(run=in_this_process(0)) == 130
    world.patch(os, "fsync", raising(OSError(28, "No space left on device")))
    return world.reproduce()


RUN = processes.run


def die_of_memory(task, progress, stopped):
    os._exit(errno.ENOMEM)


def die(task, progress, stopped):
    os._exit(3)


@cause("a process of an experiment without memory to say more")
def _(world):
    return world.reproduce(run=lambda function, tasks, at_once: RUN(die_of_memory, tasks, 1))


@cause("a process of an experiment that dies")
def _(world):
    return world.reproduce(run=lambda function, tasks, at_once: RUN(die, tasks, 1))


@cause("a loss that is not finite in an experiment: the other nets go on, and the table says so")
def _(world):
    world.patch(CrossEntropy, "forward", lambda *args: (np.float32("nan"), None))
    return world.reproduce()


@cause("a loss that is not finite in the generator")
def _(world):
    world.patch(CrossEntropy, "forward", lambda *args: (np.float32("nan"), None))
    return world.example("generate.py", "--iterations", 2)


@cause("an error that is not finite in a known result")
def _(world):
    world.patch(MeanSquaredError, "forward", lambda *args: (np.float32("nan"), None))
    small = ["--only", "adding", "--seeds", 1, "--quick", "--output", "out"]
    return world.example("known_results.py", *small, data=False)


@cause("a net that the reports have not")
def _(world):
    return world.reproduce("--only", "X")


@cause("a length without room for two marks")
def _(world):
    return world.example("long_sequences.py", "--lengths", 1, data=False)


def generate(world, *options):
    return world.example("generate.py", "--iterations", 2, "--count", 1, *options)


@cause("a language that is not there")
def _(world):
    return generate(world, "--language", "Klingon")


@cause("first letters that are unknown")
def _(world):
    return generate(world, "--start", "7")


@cause("too many first letters")
def _(world):
    return generate(world, "--start", "a" * 20)


@cause("a classifier of other names", "a classifier of a stranger")
def _(world):
    Path("out").mkdir()
    settings = {"names": "others", "accuracy": 0.5 if "other" in world.name else "much"}
    net = small_classifier(len(Alphabet()), 2, np.random.default_rng(0))
    save_net("out/classifier.npz", net, settings)
    return generate(world)


# The benchmarks


def benchmark(world, *options, name="benchmark.py"):
    return world.example(name, *options, data=False)


@cause("a benchmark's results that are none")
def _(world):
    Path("found.json").write_text("{}")
    return benchmark(world, "--load", "found.json")


@cause("a page that is not UTF-8", "a page without marks")
def _(world):
    Path("page.md").write_bytes(b"\xff" if "UTF" in world.name else b"# Speed")
    return benchmark(
        world, "--load", ROOT / "docs" / "results" / "cpu.json", "--markdown", "page.md"
    )


@cause("a file that is not there")
def _(world):
    return benchmark(world, "--load", "found.json")


@cause("no case of the benchmark")
def _(world):
    return benchmark(world, "--only", "hare")


@cause("no PyTorch to compare with")
def _(world):
    world.monkeypatch.setattr(os, "environ", dict(os.environ))
    world.monkeypatch.setitem(sys.modules, "torch", None)
    return benchmark(world, name="benchmark_reports.py")


# Stepper and exercises


def stepper(world, *options):
    net = NameClassifier(3, 2, rng=np.random.default_rng(0), cell="rnn", hidden_size=3, embedding=2)
    settings = {"model": "rnn", "hidden_size": 3, "num_layers": 1, "bidirectional": False,
                "dropout": 0.0, "embedding": 2, "alphabet": "abc",
                "languages": ["A", "B"]}  # fmt: skip
    save_net("net.npz", net, settings)
    return world.command("stepper", *options)


@cause("no model to step through")
def _(world):
    return stepper(world, "abc", "--model", "model.npz")


@cause("a language that the net has not")
def _(world):
    return stepper(world, "abc", "--model", "net.npz", "--language", "Klingon")


@cause("a name that the net cannot read")
def _(world):
    return stepper(world, "123", "--model", "net.npz")


@cause("no folder of exercises")
def _(world):
    return world.command("exercises", "check", "mine")


@cause("a folder without exercises")
def _(world):
    Path("mine").mkdir()
    return world.command("exercises", "check", "mine")


@cause("a solution before the exercise is right")
def _(world):
    Path("mine").mkdir()
    return world.command("exercises", "solution", 2, "mine")


@cause("a milestone before its exercises are right")
def _(world):
    Path("mine").mkdir()
    return world.command("exercises", "milestone", "mine", "4")


@cause("no such milestone")
def _(world):
    Path("mine").mkdir()
    return world.command("exercises", "milestone", "mine", "5")


@cause("no process at all for a hand-in")
def _(world):
    def refused(*_, **__):
        raise OSError(38, "Function not implemented")

    process.require_process.cache_clear()
    world.patch(process.subprocess, "run", refused)
    try:
        Path("mine").mkdir()
        return world.command("exercises", "check", "mine", "1")
    finally:
        process.require_process.cache_clear()


@cause("no such exercise")
def _(world):
    return world.command("exercises", "hint", 11)


@cause("a file instead of the folder of exercises")
def _(world):
    Path("mine").write_text("")
    return world.command("exercises", "check", "mine")


CONVENTIONS = {
    "conventions that are not JSON": "[" * 100_000,
    "conventions that are none": "[]",
    "conventions that cannot be": '{"z_keeps": "both"}',
}


@cause(*CONVENTIONS)
def _(world):
    Path("c.json").write_text(CONVENTIONS[world.name])
    return world.command("exercises", "start", "mine", "--conventions", "c.json")


def graded(world, *options):
    from minirnn.exercises.catalogue import BY_NUMBER

    Path("term").mkdir()
    Path("term", BY_NUMBER[3].file).write_text("")
    return world.command("exercises", "grade", "term", *options)


@cause("no fence where one is required")
def _(world):
    from minirnn.exercises import fence

    world.patch(fence, "_chosen", ["python"])
    world.patch(sys, "path", [p for p in sys.path if p])
    return graded(world, "--require-fence")


@cause("a required fence, and modules from the folder at hand")
def _(world):
    world.patch(sys, "path", ["", *sys.path])
    return graded(world, "--require-fence")


def failing(error):
    def fails(*_, **__):
        raise error

    return fails


@cause("no room for a hand-in")
def _(world):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    world.patch(shutil, "copyfile", failing(error))
    return graded(world)


@cause("no process for a hand-in")
def _(world):
    world.patch(sandbox.subprocess, "Popen", failing(BlockingIOError(errno.EAGAIN, "none left")))
    return graded(world)


@cause("a checker's process that does not start")
def _(world):
    from minirnn.exercises import fence

    world.patch(fence, "ways", list)
    return graded(world)


@cause("one report for several hand-ins")
def _(world):
    for name in "ab":
        (Path("term") / name).mkdir(parents=True)
    return world.command("exercises", "grade", "term/a", "term/b", "--json", "results.json")


OWN_EXERCISE = ROOT / "examples" / "own_exercise" / "softplus.py"
OWN_EXERCISES = {
    "a file of exercises that holds none": "",
    "a file of exercises that fails": "1 / 0",
    "an exercise without its starter": OWN_EXERCISE.read_text(encoding="utf-8"),
}


@cause(*OWN_EXERCISES)
def _(world):
    Path("own.py").write_text(OWN_EXERCISES[world.name])
    return world.command("exercises", "check", "mine", "--exercises", "own.py")


def class_of_one(world, *options):
    """The grading of a class of one, with an exercise in it."""
    Path("term/ada").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "tests" / "solutions" / "ex03_rnn_cell.py", "term/ada")
    return world.command("exercises", "grade", "term", "--only", 3, *options)


@cause("marks into a table of other exercises")
def _(world):
    Path("marks.csv").write_text("hand-in,total\nada,3\n")
    return class_of_one(world, "--csv", "marks.csv")


@cause("marks into what is no file")
def _(world):
    Path("marks.csv").mkdir()
    return class_of_one(world, "--csv", "marks.csv")


@cause("a class that is a hand-in as well")
def _(world):
    Path("term").mkdir()
    shutil.copy(ROOT / "tests" / "solutions" / "ex03_rnn_cell.py", "term")
    return class_of_one(world)


@cause("points for what is not graded")
def _(world):
    return class_of_one(world, "--points", "4=10")


@cause("points for an exercise twice")
def _(world):
    return class_of_one(world, "--points", "3=10", "3=20")


@cause("a picture that would be no picture by its name")
def _(world):
    return class_of_one(world, "--picture", "mistakes.pdf")


@cause("two options with one file")
def _(world):
    return class_of_one(world, "--csv", "marks.png", "--picture", "./marks.png")


@cause("a page in the place of the net that it shows")
def _(world):
    return stepper(world, "abc", "--model", "net.npz", "--output", "./net.npz")


@cause("a hand-in that is no whole zip file")
def _(world):
    Path("ada.zip").write_text("PK")
    return world.command("exercises", "grade", "ada.zip")


@cause("no room to begin in")
def _(world):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.patch(tempfile, "TemporaryDirectory", full)
    return class_of_one(world)


@cause("an autograder that is there already")
def _(world):
    Path("autograder.zip").write_text("")
    return world.command("exercises", "gradescope", "autograder.zip")


# The download


def fetched(world, archive, sha256=None):
    """The command, with an archive as if it had been fetched."""
    world.patch(download, "fetch", lambda url: archive)
    return world.command("download", *(["--sha256", sha256] if sha256 else []))


@cause("an archive of another hash")
def _(world):
    return fetched(world, b"PK")


@cause("an archive that is none")
def _(world):
    world.patch(download, "check", lambda archive, sha256: None)
    return fetched(world, b"PK")


@cause("an entry that points outside")
def _(world):
    with zipfile.ZipFile("a.zip", "w") as file:
        file.writestr("data/names/../../Evil.txt", "x")
    world.patch(download, "check", lambda archive, sha256: None)
    return fetched(world, Path("a.zip").read_bytes())


A = "data/names/A.txt"
ARCHIVES = {
    "an entry that is a link": lambda: archive([(link(A), b"/etc/passwd")]),
    "an entry of rarer compression": lambda: archive([(A, b"Good")], zipfile.ZIP_LZMA),
    "an entry that is encrypted": lambda: encrypted(archive([(A, b"Good")])),
    "an entry that stands twice": lambda: archive([(A, b"x"), ("data/names/a.txt", b"y")]),
    "an archive without names": lambda: archive([("names/A.txt", b"x")]),
}


@cause(*ARCHIVES)
def _(world):
    world.patch(download, "check", lambda archive, sha256: None)
    return fetched(world, ARCHIVES[world.name]())


LIMITS = {
    "an archive of too many entries": ("MOST_ENTRIES", 0),
    "an archive that is too large unpacked": ("LARGEST_TOTAL", 1),
}


@cause(*LIMITS)
def _(world):
    world.patch(download, "check", lambda archive, sha256: None)
    world.patch(download, *LIMITS[world.name])
    return fetched(world, archive([(A, b"Good")]))


class Answer(io.BytesIO):
    """What a server sends, two bytes, and how much it promised."""

    headers = {"Content-Length": "9"}


@cause("an archive that is too large", "an archive that is cut off")
def _(world):
    world.patch(download.urllib.request, "urlopen", lambda url, timeout: Answer(b"PK"))
    if "large" in world.name:
        world.patch(download, "LARGEST_ARCHIVE", 1)
    return world.command("download", "--url", "http://127.0.0.1:9/data.zip")


@cause("an address without the archive")
def _(world):
    url = "http://127.0.0.1:9/data.zip"
    error = HTTPError(url, 404, "Not Found", {}, io.BytesIO())
    world.patch(download.urllib.request, "urlopen", raising(error))
    return world.command("download", "--url", url)


@cause("a hash that is none")
def _(world):
    return world.command("download", "--sha256", "abc")


@cause("a download that cannot be written")
def _(world):
    world.patch(download, "check", lambda archive, sha256: None)
    world.patch(download, "fetch", lambda url: archive([(A, b"Good")]))
    return world.command("download", "--output", "nowhere/names")


@cause("an address that is none")
def _(world):
    return world.command("download", "--url", "file:///etc/passwd")


@cause("a server that drips")
def _(world):
    world.patch(download, "LONGEST", 0.05)
    world.patch(download.urllib.request, "urlopen", lambda *args, **options: time.sleep(1))
    return world.command("download", "--url", "http://127.0.0.1:9/data.zip")


@cause("no network")
def _(world):
    return world.command("download", "--url", "http://127.0.0.1:9/data.zip")


@cause("a text that is there already")
def _(world):
    Path("text-classic.txt").write_text("a")
    return world.command("download", "text")


TEXTS = {"short.txt": b"too short", "latin.txt": b"a\xe9b", "ab.txt": b"ab" * 300}


@cause("a text too short for its streams", "a text that is not UTF-8", "a text that is not there",
       "a prompt before training", "a prompt for a net of another script",
       "a letter that the net has not met")  # fmt: skip
def _(world):
    for name, text in TEXTS.items():
        Path(name).write_bytes(text)

    def text(*options):
        return world.example("text.py", "--output", "out", *options, data=False)

    small = "--hidden-size 2 --embedding 2 --streams 2 --steps 8 --epochs 1".split()
    if world.name == "a prompt for a net of another script":
        net = {"model": "rnn", "hidden_size": 2, "num_layers": 1, "bidirectional": False,
               "embedding": None, "alphabet": "ab", "languages": ["Irish", "Polish"]}  # fmt: skip
        Path("out").mkdir()
        save_net("out/model.npz", NameClassifier.from_settings(net), net)
    if world.name == "a letter that the net has not met":
        assert text("--text", "ab.txt", *small) == 0
    return text(*{
        "a text too short for its streams": ("--text", "short.txt"),
        "a text that is not UTF-8": ("--text", "latin.txt"),
        "a text that is not there": ("--text", "nowhere.txt"),
        "a prompt before training": ("--prompt", "a"),
        "a prompt for a net of another script": ("--prompt", "a"),
        "a letter that the net has not met": ("--prompt", "aq"),
    }[world.name])  # fmt: skip


@cause("a folder where a text is wanted", "a device where a text is wanted")
def _(world):
    path = "data" if "folder" in world.name else "/dev/null"
    if not os.path.exists(path):
        pytest.skip("there is no such device here")
    return world.example("text.py", "--output", "out", "--text", path, data=False)


@cause("a page into a pipe")
def _(world):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    world.train()
    os.mkfifo("pipe")
    return world.command("stepper", "Bo", "--model", "out/model.npz", "--output", "pipe")


@cause("a picture of one hand-in")
def _(world):
    return world.command("exercises", "grade", ".", "--json", "a.json", "--picture", "a.png")


@cause("a term's conventions for GitHub Classroom")
def _(world):
    here = "classroom", "a.yml", "--install", "minirnn"
    return world.command("exercises", *here, "--conventions", "c.json")


@cause("a download that is there already")
def _(world):
    Path("names-classic").mkdir()
    return world.command("download")


class Ranks:
    """Stands for mpi4py's communicator: two or more ranks, of which the last has something else."""

    rank = 0

    def __init__(self, size=2, odd=None):
        self.size, self.odd = size, odd

    def allgather(self, digests):
        return [digests, [b"" if k == self.odd else one for k, one in enumerate(digests)]]

    def Abort(self, code):
        pass  # it would end the tests


@cause("`--mpi` without mpi4py", "`--mpi` outside mpiexec", "mpi4py without an MPI library")
def _(world):
    world.patch(mpi.importlib.util, "find_spec", lambda name: "without mpi4py" not in world.name)
    for name in mpi.GIVEN:
        world.monkeypatch.delenv(name, raising=False)
    if "library" in world.name:
        world.monkeypatch.setenv(mpi.GIVEN[0], "0")
        world.monkeypatch.setitem(sys.modules, "mpi4py", None)
    return world.run("--mpi")


@cause(
    "more ranks than sequences in a batch", "ranks with other settings", "ranks with other data",
    "ranks with other versions",
)  # fmt: skip
def _(world):
    odd = {"versions": 0, "data": 1, "settings": 2}.get(world.name.split()[-1])
    comm = Ranks(odd=odd) if odd is not None else Ranks(9)
    world.patch(mpi, "_comm", comm)
    world.patch(mpi, "join", lambda *_: comm)
    return world.run("--mpi")


@cause("more ranks than streams of a text")
def _(world):
    comm = Ranks(33)
    world.patch(mpi, "_comm", comm)
    return world.example("text.py", "--mpi", data=False)


@cause("an error of another rank than the first")
def _(world):
    comm = Ranks()
    comm.rank = 1
    world.patch(mpi, "_comm", comm)
    world.patch(mpi, "join", lambda *_: comm)
    world.patch(mpi, "COURTESY", 0)
    return world.run("--mpi", "--data", "nowhere")
