"""The stepper's page holds the library's own numbers, and nothing in a name can break out of it."""

import base64
import json
import re

import numpy as np
import pytest

from minirnn.__main__ import run
from minirnn.batches import Sequences
from minirnn.checkpoints import save_net
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.scripts import main
from minirnn.stepper.export import kind_of, run_of

IDS = [3, 0, 5, 2, 2]


def net_of(cell, hidden_size=4):
    rng = np.random.default_rng(0)
    return NameClassifier(6, 3, rng=rng, cell=cell, hidden_size=hidden_size, embedding=2)


def panels(net, kind, shown, T):
    """{(phase, variable): the values that the page draws}."""
    numbers = np.frombuffer(base64.b64decode(shown["values"]), "float32")
    found, H = {}, kind["hidden"]
    for panel in kind["panels"]:
        rows = H if panel["phase"] == "after" else T
        part, numbers = numbers[: rows * H], numbers[rows * H :]
        found[panel["phase"], panel["variable"]] = part.reshape(rows, H)
    assert not len(numbers)
    return found


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_numbers_are_the_librarys(cell):
    net = net_of(cell)
    kind = kind_of(net, cell)
    shown = panels(net, kind, run_of(net, kind, IDS, 1), len(IDS))
    batch = Sequences([IDS], [1], 3, 6).batch(np.array([0]))
    for gate, values in net.gates(batch).items():
        np.testing.assert_allclose(shown["forward", gate], values, rtol=1e-5, atol=1e-6)
    net.zero_grad()
    logits, cache = net.forward(batch)
    loss = CrossEntropy()
    net.backward(loss.backward(loss.forward(logits, batch.labels)[1]), cache)
    layer = net.recurrent.layers[0]
    for k, gate in enumerate(layer.cell.gates):
        wanted = layer.Wh.grad[k]
        np.testing.assert_allclose(shown["after", f"dWh_{gate}"], wanted, rtol=1e-4, atol=1e-7)


def test_every_panel_names_the_line_that_made_it():
    for cell in ("rnn", "lstm", "gru"):
        for panel in kind_of(net_of(cell), cell)["panels"]:
            assert panel["path"].startswith("minirnn/") and panel["line"] > 0 and panel["code"]


@pytest.fixture
def model(tmp_path):
    net = net_of("lstm", hidden_size=20)
    settings = dict(
        model="lstm", hidden_size=20, num_layers=1, bidirectional=False, embedding=2, dropout=0.0,
        alphabet="abcdef", languages=["Ab", "<script>", "Ef"],
    )  # fmt: skip
    save_net(tmp_path / "model.npz", net, settings)
    return tmp_path / "model.npz"


def test_command_writes_one_page_that_fetches_nothing(model, tmp_path):
    out = tmp_path / "out.html"
    assert not run(["stepper", "bad", "--model", str(model), "-o", str(out)])
    text = out.read_text(encoding="utf-8")
    data = re.search(r'id="stepper-data">(.*?)</script>', text, re.S)[1]
    json.loads(data)
    assert "<script>" not in data and "http" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("arguments", [["!!!"], ["bad", "--model", "nowhere.npz"]])
def test_bad_input_is_one_sentence(model, tmp_path, capsys, arguments):
    arguments = ["stepper", *arguments, "-o", str(tmp_path / "out.html")]
    if "--model" not in arguments:
        arguments += ["--model", str(model)]
    assert main(lambda: run(arguments)) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "out.html").exists()
