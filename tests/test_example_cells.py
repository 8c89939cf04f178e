"""The cells of `examples/cells`: right by the gradient check, and equal to twins with autograd."""

from pathlib import Path

import numpy as np
import pytest

from minirnn import gradcheck
from minirnn.batches import Sequences
from minirnn.cli import load_cell
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.recurrent import Recurrent

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "cells"
CELLS = {
    path.stem: load_cell(f"{path}:{name}")
    for path, name in [(FOLDER / "slstm.py", "SLSTMCell"), (FOLDER / "mingru.py", "MinGRUCell")]
}


def slstm_twin(torch, gx, h, Wh, bh):
    """The sLSTM without a stabiliser: exponentials as they are."""
    c, n = torch.zeros_like(h), torch.zeros_like(h)
    outputs = []
    for step in gx.unbind(1):
        ai, af, az, ao = step + h @ Wh + bh[:, None]
        i, f = ai.exp(), af.sigmoid()
        c, n = f * c + i * az.tanh(), f * n + i
        h = ao.sigmoid() * c / n
        outputs.append(h)
    return torch.stack(outputs)


def mingru_twin(torch, gx, h, Wh, bh):
    """The minGRU; the weights of the state are not used."""
    outputs = []
    for az, n in gx.unbind(1):
        z = az.sigmoid()
        h = (1 - z) * h + z * n
        outputs.append(h)
    return torch.stack(outputs)


TWINS = {"slstm": slstm_twin, "mingru": mingru_twin}


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_right(name):
    assert gradcheck.check_cell(CELLS[name])


@pytest.mark.parametrize("name", CELLS)
def test_equal_to_a_twin_with_autograd(name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    net = Recurrent(CELLS[name], 4, 5, rng=rng, dtype="float64")
    for p in net.parameters():
        p.data *= 4  # gates that open and shut
    x, upstream = rng.standard_normal((7, 3, 4)), rng.standard_normal((7, 3, 5))
    h0 = rng.standard_normal((3, 5))
    state = (h0, *[None] * (len(net.cell.states) - 1))
    output, _, cache = net.forward(x, state=state)
    dx, dstate = net.backward(upstream, cache)

    given = {name: torch.tensor(p.data, requires_grad=True)
             for name, p in net.named_parameters().items()}  # fmt: skip
    x, h0 = (torch.tensor(array, requires_grad=True) for array in (x, h0))
    gx = torch.stack([x @ W + b for W, b in zip(given["Wx"], given["bx"], strict=True)])
    twin = TWINS[name](torch, gx, h0, given["Wh"], given["bh"])
    twin.backward(torch.tensor(upstream))
    pairs = {"output": (output, twin.detach()), "x": (dx, x.grad), "h0": (dstate[0], h0.grad)}
    for key, p in net.named_parameters().items():
        expected = given[key].grad
        pairs[key] = p.grad, torch.zeros_like(given[key]) if expected is None else expected
    for key, (ours, theirs) in pairs.items():
        theirs = theirs.numpy()
        off = np.abs(ours - theirs).max() / max(1, np.abs(theirs).max())
        assert off < 1e-12, f"{key} is off by {off:.1e}"


def test_exponential_gates_do_not_overflow():
    cell, one = CELLS["slstm"](), np.ones((1, 2), "float32")
    gx = np.array([[900, -900], [0, 0], [1, 1], [9, 9]], "float32")[:, None]
    (h, _, n, m), _ = cell.forward(gx, (one, one, one, 0 * one), lambda v: 0)
    assert np.isfinite(h).all() and (n > 0).all() and m[0, 0] == 900


@pytest.mark.parametrize("ai", [-50, -80])
def test_input_gates_that_are_all_but_shut(ai):
    """In float32 n is then about exp(ai): its square would be 0."""
    gradients = []
    for dtype in ("float32", "float64"):
        cell, zero = CELLS["slstm"](), np.zeros((1, 1), dtype)
        gx = np.array([ai, 4, 0.5, 0.3], dtype)[:, None, None]
        _, cache = cell.forward(gx, (zero,) * 4, lambda v: 0)
        dgx, _ = cell.backward((zero + 1, zero, zero, zero), cache, Nothing())
        gradients.append(np.ravel(dgx))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-6)


class Nothing:
    """The way back of a product that gave nothing."""

    def backward(self, da):
        return 0 * da[0]


@pytest.mark.parametrize("name", CELLS)
def test_a_net_trains_with_it(name):
    """What `examples/names.py --cell` makes of it: two directions, and every weight is reached."""
    rng = np.random.default_rng(0)
    options = {"hidden_size": 4, "bidirectional": True, "dtype": "float64"}
    net = NameClassifier(5, 3, rng=rng, cell=CELLS[name], **options)
    batch = Sequences([[0, 4, 1], [2], [3, 3]], labels=[0, 2, 1]).batch(np.arange(3))
    assert gradcheck.check_model(net, batch, CrossEntropy())


def test_a_cell_is_one_short_file():
    for path in FOLDER.glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 55, path.name
