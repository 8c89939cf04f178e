"""First values, the bookkeeping of modules, and how nets print."""

import numpy as np
import pytest

from minirnn.cells import LSTMCell
from minirnn.layers import Linear
from minirnn.models import NameClassifier
from minirnn.parameters import Module, Parameter, glorot_uniform, orthogonal, uniform
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_uniform_fills_its_bounds_evenly(rng):
    x = uniform(rng, (200, 100), 0.25)
    assert x.dtype == np.float32 and x.min() < -0.249 and x.max() > 0.249
    assert np.abs(x).max() <= 0.25 and abs(x.std() - 0.25 / 3**0.5) < 1e-3


def test_glorot_has_the_variance_of_the_paper(rng):
    x = glorot_uniform(rng, (2, 300, 100), "float64")
    assert abs(x.var() - 2 / (300 + 100)) < 1e-4
    assert np.abs(x).max() <= (6 / 400) ** 0.5


@pytest.mark.parametrize("shape", [(5, 5), (3, 4, 6), (2, 7, 4)])
def test_orthogonal_keeps_lengths(rng, shape):
    for W in orthogonal(rng, shape, "float64").reshape(-1, *shape[-2:]):
        product = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


def test_orthogonal_prefers_no_sign(rng):
    """Without the correction by R's signs, the diagonals of Q would lean to one side."""
    signs = np.sign([np.diagonal(orthogonal(rng, (3, 3))) for _ in range(400)])
    assert np.abs(signs.mean(axis=0)).max() < 0.2


def test_first_values_as_in_pytorch(rng):
    net = Recurrent(LSTMCell, 7, 16, rng=rng)
    assert all(0.24 < np.abs(p.data).max() <= 0.25 for p in net.parameters())


def test_first_values_of_linear_as_in_pytorch(rng):
    layer = Linear(100, 4, rng=rng)
    for parameter in layer.parameters():
        assert np.abs(parameter.data).max() <= 0.1
    assert np.abs(layer.W.data).max() > 0.095


def test_first_values_as_in_keras(rng):
    net = Recurrent(LSTMCell, 7, 16, rng=rng, init="keras")
    assert not net.bh.data.any() and not net.bx.data[[0, 2, 3]].any()
    assert (net.bx.data[1] == 1).all()  # the forget gate
    for W in net.Wh.data:
        np.testing.assert_allclose(W @ W.T, np.eye(16), atol=1e-5)


def test_forget_bias(rng):
    net = Recurrent(LSTMCell, 7, 16, rng=rng, forget_bias=2.0)
    assert (net.bx.data[1] + net.bh.data[1] == 2).all() and (net.bx.data[0] != 2).all()


@pytest.mark.parametrize("biases, names", [(0, "Wx Wh"), (1, "Wx Wh bx"), (2, "Wx Wh bx bh")])
def test_biases(rng, biases, names):
    net = Recurrent(LSTMCell, 3, 4, rng=rng, biases=biases)
    assert list(net.named_parameters()) == names.split()


def test_parameters_are_found_in_order_and_once():
    class Net(Module):
        def __init__(self):
            self.w = Parameter(np.zeros(2))
            self.inside = Inside()
            self.many = [Inside(), Inside()]
            self.same = self.inside

    class Inside(Module):
        def __init__(self):
            self.v = Parameter(np.zeros((2, 3)))

    net = Net()
    assert list(net.named_parameters()) == ["w", "inside.v", "many.0.v", "many.1.v", "same.v"]
    assert len(net.parameters()) == 4 and net.number_of_parameters() == 2 + 3 * 6


def test_parameters_keep_their_address(rng):
    net = Recurrent(LSTMCell, 3, 4, rng=rng)
    before = [(p.data.ctypes.data, p.grad.ctypes.data) for p in net.parameters()]
    net.load_state_dict(net.state_dict())
    _, final, cache = net.forward(np.ones((2, 1, 3), "float32"))
    net.backward(None, cache, final)
    net.zero_grad()
    assert [(p.data.ctypes.data, p.grad.ctypes.data) for p in net.parameters()] == before


@pytest.mark.parametrize(
    "net, options, text, count",
    [
        (RNN, {}, "RNN(57, 128)", 128 * (57 + 128 + 2)),
        (LSTM, {}, "LSTM(57, 128)", 4 * 128 * (57 + 128 + 2)),
        (LSTM, {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
         "LSTM(57, 128, num_layers=2, dropout=0.5, bidirectional=True)",
         8 * 128 * (57 + 128 + 2) + 8 * 128 * (256 + 128 + 2)),
        (GRU, {}, "GRU(57, 128)", 3 * 128 * (57 + 128 + 2)),
    ],
)  # fmt: skip
def test_nets_print_and_count_as_in_pytorch(rng, net, options, text, count):
    made = net(57, 128, rng=rng, **options)
    assert repr(made) == text and made.number_of_parameters() == count


def test_a_classifier_prints_its_structure(rng):
    net = NameClassifier(57, 18, rng=rng, hidden_size=128)
    assert repr(net) == (
        "NameClassifier(\n  (recurrent): LSTM(57, 128)\n  (dropout): Dropout(p=0.0)\n"
        "  (linear): Linear(in_features=128, out_features=18, bias=True)\n)"
    )


def test_dropout_between_layers_needs_two_of_them(rng):
    with pytest.warns(UserWarning, match="dropout=0.3 has no effect with one layer"):
        LSTM(3, 4, rng=rng, dropout=0.3)
    net = LSTM(3, 4, rng=rng, dropout=0.5, num_layers=2)
    x = np.ones((3, 2, 3), "float32")
    assert not np.array_equal(net.forward(x, training=True)[0], net.forward(x, training=True)[0])
    np.testing.assert_array_equal(net.forward(x)[0], net.forward(x)[0])
