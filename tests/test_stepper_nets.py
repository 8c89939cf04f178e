"""The nets that the stepper's page computes itself: every value is the library's."""

import base64
import json
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest
from stepper_pages import asked, run

from minirnn.cells import GRUBeforeCell, RNNCell
from minirnn.data import Alphabet
from minirnn.models import NameClassifier
from minirnn.stepper import demo
from minirnn.stepper.export import kind_of, spelling, weights_of

SCRIPT = resources.files("minirnn.stepper").joinpath("nets.js")
TYPED = [
    "Kowalski", "  Müller ", "Kow4lski", "Łukaszewicz", "Straße", "O’Brien", "Đặng Văn", "李", "42",
    "x" * 70, "e\u0301", "Иванов a", "İnönü", "’’", "",
]  # fmt: skip


def node(program, asks):
    """What a line of JavaScript makes of each of `asks`."""
    if not shutil.which("node"):
        pytest.skip("node is not installed; the slow tests ask the page itself")
    text = (
        f"const nets = require({json.dumps(str(SCRIPT))});"
        'const asks = JSON.parse(require("fs").readFileSync(0, "utf8"));'
        f"console.log(JSON.stringify(asks.map((ask) => {program})));"
    )
    done = subprocess.run(
        ["node", "-e", text], input=json.dumps(asks), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


READ = """(({ values, ...rest }) => ({ ...rest, values: Array.from(values) }))(
    nets.read(ask.kind, ask.weights, ask.V, ask.K, ask.ids, ask.label))"""


def same(made, right, label, H):
    """Every value is the library's, to 1e-6 of the largest of its step (both as float32)."""
    values = np.frombuffer(base64.b64decode(right["values"]), "<f4")
    got = np.array(made["values"])
    assert got.shape == values.shape
    rows, wanted = got.reshape(-1, H), values.reshape(-1, H)
    most = np.maximum(abs(wanted).max(axis=1, keepdims=True), 1e-30)
    assert (abs(rows - wanted) / most).max() < 1e-6
    assert made["loss"] == pytest.approx(right["loss"], rel=1e-5, abs=1e-6)
    assert made["p"] == pytest.approx(right["p"], abs=1e-4)
    assert made["label"] == label


def small(cell, hidden, seed=0):
    """A task with one net of random weights."""
    alphabet = Alphabet().characters
    rng = np.random.default_rng(seed)
    net = NameClassifier(len(alphabet), 4, rng=rng, cell=cell.lower(), hidden_size=hidden)
    for p in net.parameters():
        p.data[...] = rng.standard_normal(p.shape) / 2
    return {
        "kinds": [kind_of(net, cell)], "weights": {"0/0": weights_of(net)}, "runs": {},
        "alphabet": alphabet, "languages": list("abcd"),
    }  # fmt: skip


@pytest.mark.parametrize("hidden", [1, 8, 32])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_every_value_is_the_librarys(cell, hidden):
    task = small(cell, hidden)
    names = [("Kowalski", 0), ("A", 3), ("Bartholomew O'Hara-Smith", 1)]
    for (text, label), made in zip(
        names, node(READ, [asked(task, 0, 0, *name) for name in names]), strict=True
    ):
        same(made, run(task, 0, 0, text, label), label, hidden)


def test_without_an_answer_the_nets_own_is_taken():
    task = small("LSTM", 8)
    (made,) = node(READ, [asked(task, 0, 0, "Kowalski", None)])
    assert made["label"] == int(np.argmax(made["p"]))
    same(made, run(task, 0, 0, "Kowalski", made["label"]), made["label"], 8)


def test_names_are_read_as_the_library_reads_them():
    alphabet = Alphabet()
    given = {"alphabet": alphabet.characters, "alike": spelling(), "longest": demo.LONGEST}
    program = "nets.cleaned(ask.typed, ask.alphabet, ask.alike, ask.longest)"
    for typed, made in zip(
        TYPED, node(program, [given | {"typed": typed} for typed in TYPED]), strict=True
    ):
        clean = alphabet.clean(typed)
        wanted = clean[: demo.LONGEST] if any(c.isalpha() for c in clean) else ""
        assert made["text"] == wanted, typed
        assert made["lost"] == alphabet.lost(typed), typed
        assert made["cut"] == (len(clean) > demo.LONGEST)


def test_only_small_plain_nets_are_put_into_a_page():
    def weights(**options):
        options = {"cell": "lstm", "hidden_size": 8} | options
        return weights_of(NameClassifier(58, 4, rng=np.random.default_rng(0), **options))

    assert weights() and weights(cell="gru", hidden_size=32)
    for other in [
        {"hidden_size": 33}, {"num_layers": 2}, {"bidirectional": True}, {"embedding": 3},
        {"biases": 1}, {"cell": RNNCell("relu")}, {"cell": GRUBeforeCell}, {"reverse": True},
    ]:  # fmt: skip
        assert weights(**other) is None, other
