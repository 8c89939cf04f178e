"""The one file, examples/microlstm.py: short, alone, right, and equal to the package."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minirnn import CrossEntropy, Linear
from minirnn.cells import LSTMCell
from minirnn.recurrent import Recurrent

FILE = Path(__file__).resolve().parent.parent / "examples" / "microlstm.py"
spec = importlib.util.spec_from_file_location("microlstm", FILE)
microlstm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(microlstm)

LETTERS = "\nabehno"


def test_it_is_one_short_file_with_numpy_alone():
    text = FILE.read_text("utf-8")
    assert len(text.splitlines()) <= 110
    nodes = list(ast.walk(ast.parse(text)))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported == {"sys", "pathlib", "numpy"}


def test_its_own_check_finds_every_gradient_right():
    assert microlstm.check(np.random.default_rng(0)) < 1e-8


def test_its_own_check_notices_every_wrong_gradient(monkeypatch):
    right = microlstm.backward
    for k in range(5):

        def wrong(*args, k=k):
            gradients = right(*args)
            gradients[k].flat[-1] += 1e-6
            return gradients

        monkeypatch.setattr(microlstm, "backward", wrong)
        assert microlstm.check(np.random.default_rng(0)) > 1e-7


def by_gate(array, H):
    """[..., 4H] as [4, ..., H]."""
    return np.moveaxis(array.reshape(*array.shape[:-1], 4, H), -2, 0)


def test_its_loss_and_gradients_are_the_packages():
    """To 1e-12, on names of different lengths: the package's LSTM, Linear and CrossEntropy."""
    rng, V, H = np.random.default_rng(1), len(LETTERS), 6
    x, q, mask = microlstm.batch(["hannah", "bo", "anna", "o"], LETTERS)
    weights = microlstm.new_weights(V, H, rng)
    ours, steps = microlstm.forward(weights, x, q, mask)
    gradients = microlstm.backward(weights, steps, x, q, mask)

    net = Recurrent(LSTMCell, V, H, rng=rng, dtype="float64", biases=1)
    linear = Linear(H, V, rng=rng, dtype="float64")
    loss = CrossEntropy(ignore_index=-1)
    Wx, Wh, b, Wy, by = weights
    for p, value in [(net.Wx, by_gate(Wx, H)), (net.Wh, by_gate(Wh, H)), (net.bx, by_gate(b, H)),
                     (linear.W, Wy), (linear.b, by)]:  # fmt: skip
        p.data[...] = value
    output, _, cache = net.forward(x)
    logits, linear_cache = linear.forward(output)
    theirs, loss_cache = loss.forward(logits.reshape(-1, V), np.where(mask, q, -1).ravel())
    dlogits = loss.backward(loss_cache).reshape(logits.shape)
    net.backward(linear.backward(dlogits, linear_cache), cache)

    assert abs(ours - theirs) < 1e-12
    expected = [net.Wx.grad, net.Wh.grad, net.bx.grad, linear.W.grad, linear.b.grad]
    for k, (mine, other) in enumerate(zip(gradients, expected, strict=True)):
        assert np.abs((by_gate(mine, H) if k < 3 else mine) - other).max() < 1e-12


def test_a_batch_says_what_is_read_and_what_should_follow():
    x, q, mask = microlstm.batch(["abba", "no"], LETTERS)
    read = ["".join(LETTERS[k] for k, m in zip(s[:, n], mask[:, n], strict=True) if m)
            for s in (x, q) for n in (0, 1)]  # fmt: skip
    assert read == ["\nabba", "\nno", "abba\n", "no\n"]


def run(*args):
    done = subprocess.run([sys.executable, FILE, *args], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_it_learns_from_the_names_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(microlstm, "STEPS", 200)
    monkeypatch.setattr(microlstm, "BATCH", 16)
    names = [
        a + b + "a" for a in ("an", "be", "ho", "ne") for b in ("n", "b", "h", "nn", "bb", "hh")
    ]
    (tmp_path / "names.txt").write_text("\ufeff" + "\r\n".join(names) + "\r\n\n", "utf-8")
    for path in (tmp_path / "names.txt", tmp_path):
        microlstm.main(path)
        head, loss, *written = capsys.readouterr().out.splitlines()
        assert head.startswith("gradients: the largest error is ")
        assert float(loss.rpartition(" ")[2]) < 1.2  # a letter of eight at random: 2.1
        assert len(written) == 10 and sum(name.endswith("a") for name in written) >= 9


@pytest.mark.parametrize(
    "content, says",
    [
        (None, "No such file"),
        (b"Anna\nBo\n", "fewer than 20 names"),
        (b"a" * 200 + b"\n", "more than 100 letters"),
        (b"M\xfcller\n" * 30, "'utf-8' codec can't decode"),
    ],
)
def test_bad_input_is_told_in_one_sentence(tmp_path, content, says):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    code, out, error = run(path)
    assert code == 2 and out == "" and error.count("\n") == 1
    assert says in error and error.endswith("; give UTF-8 text, one name a line\n")
