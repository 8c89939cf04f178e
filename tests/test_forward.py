"""Forward passes against the scalar spec, and types: what goes in comes out."""

import math

import numpy as np
import pytest
import spec
from hypothesis import given
from hypothesis import strategies as st

from minirnn import layers
from minirnn.functions import log_softmax, relu, sigmoid, softmax, tanh
from minirnn.gradcheck.ladder import randomised
from minirnn.losses import CrossEntropy
from minirnn.stacked import GRU, LSTM, RNN

seeds = st.integers(0, 2**32 - 1)
NETS = {
    "rnn": lambda **o: RNN(2, 3, **o),
    "relu": lambda **o: RNN(2, 3, "relu", **o),
    "identity": lambda **o: RNN(2, 3, "identity", **o),
    "lstm": lambda **o: LSTM(2, 3, **o),
    "gru": lambda **o: GRU(2, 3, **o),
    "gru-before": lambda **o: GRU(2, 3, reset_after=False, **o),
}
NONLINEARITIES = {"rnn": math.tanh, "relu": lambda a: max(a, 0.0), "identity": lambda a: a}


@pytest.mark.parametrize("name", NETS)
@given(seed=seeds)
def test_net_is_the_spec(name, seed):
    rng = np.random.default_rng(seed)
    net = randomised(NETS[name](rng=rng, dtype="float64"), rng)
    T, N, H = 4, 2, 3
    x = 2 * rng.standard_normal((T, N, 2))
    state = tuple(rng.standard_normal((1, N, H)) for _ in net.layers[0].cell.states)
    output, final, _ = net.forward(x, state=state)
    weights = [p.data.tolist() for p in net.parameters()]
    for k in range(N):
        now = [s[0, k].tolist() for s in state]
        for t in range(T):
            step = x[t, k].tolist()
            if name == "lstm":
                now = list(spec.lstm_step(step, *now, *weights))
            elif name.startswith("gru"):
                now = [spec.gru_step(step, *now, *weights, reset_after=name == "gru")]
            else:
                now = [spec.rnn_step(step, *now, *weights, f=NONLINEARITIES[name])]
            np.testing.assert_allclose(output[t, k], now[0], rtol=1e-12, atol=1e-14)
        for mine, wanted in zip(final, now, strict=True):
            np.testing.assert_allclose(mine[0, k], wanted, rtol=1e-12, atol=1e-14)


@given(seed=seeds)
def test_loss_is_the_spec(seed):
    rng = np.random.default_rng(seed)
    logits, labels = 3 * rng.standard_normal((4, 5)), rng.integers(0, 5, 4)
    wanted = sum(spec.cross_entropy(a, k) for a, k in zip(logits.tolist(), labels, strict=True))
    assert math.isclose(CrossEntropy("sum").forward(logits, labels)[0], wanted, rel_tol=1e-12)
    assert math.isclose(CrossEntropy("mean").forward(logits, labels)[0], wanted / 4, rel_tol=1e-12)


@given(seed=seeds)
def test_functions_are_the_spec(seed):
    a = 30 * np.random.default_rng(seed).standard_normal(6)
    np.testing.assert_allclose(sigmoid(a), [spec.sigmoid(v) for v in a], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(tanh(a), [math.tanh(v) for v in a], rtol=1e-12)
    np.testing.assert_array_equal(relu(a), [max(v, 0.0) for v in a])
    total = sum(math.exp(v - a.max()) for v in a)
    np.testing.assert_allclose(
        softmax(a), [math.exp(v - a.max()) / total for v in a], rtol=1e-10, atol=1e-300
    )


def test_extremes_do_not_overflow():
    a = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    assert np.isfinite(sigmoid(a)).all()
    assert np.isfinite(log_softmax(a)).all()
    assert sigmoid(a)[0] == 0 and sigmoid(a)[-1] == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", NETS)
def test_type_in_is_type_out(name, dtype):
    rng = np.random.default_rng(0)
    net = NETS[name](rng=rng, dtype="float64", num_layers=2)
    for parameter in net.parameters():
        parameter.data = parameter.data.astype(dtype)
        parameter.grad = np.zeros_like(parameter.data)
    x = rng.standard_normal((3, 2, 2)).astype(dtype)
    output, final, cache = net.forward(x)
    dx, dstate = net.backward(np.ones_like(output), cache, final)
    logits, cache = layers.Linear(3, 4, rng=rng, dtype="float32").forward(
        output.real.astype("float32")
    )
    assert {a.dtype for a in (output, dx, *final, *dstate)} == {np.dtype(dtype)}
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(dtype)}
    assert logits.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_gradient_keep_the_type(dtype):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 4)).astype(dtype), np.array([1, 0, 3])
    for options in ({}, {"ignore_index": 3}, {"log_prior": np.log([0.1, 0.2, 0.3, 0.4])}):
        loss = CrossEntropy(**options)
        value, cache = loss.forward(logits, labels)
        assert value.dtype == dtype
        assert loss.backward(cache).dtype == dtype
