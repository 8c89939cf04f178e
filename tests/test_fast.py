"""The loops written for speed are the clear one: same outputs, states and gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import fast
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.errors import ShapeError
from minirnn.fast import LOOPS, FastCache, FastRecurrent
from minirnn.gradcheck.ladder import randomised
from minirnn.optim import SGD
from minirnn.recurrent import Recurrent, RecurrentCache

CELLS = {
    "tanh": RNNCell,
    "relu": lambda: RNNCell("relu"),
    "identity": lambda: RNNCell("identity"),
    "lstm": LSTMCell,
    "gru": GRUCell,
    "gru-before": GRUBeforeCell,
}


def results(kind, cell, seed, lengths, dtype, biases, ids, truncate):
    rng = np.random.default_rng(seed)
    sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
    S, N = sum(sizes), sizes[0]
    net = randomised(kind(cell(), 3, 5, rng=rng, biases=biases), rng)
    for p in net.parameters():
        p.data, p.grad = p.data.astype(dtype), rng.standard_normal(p.shape).astype(dtype)
    x = rng.integers(0, 3, S) if ids else rng.standard_normal((S, 3)).astype(dtype)
    state, dfinal = (
        tuple(rng.standard_normal((N, 5)).astype(dtype) for _ in net.cell.states) for _ in range(2)
    )
    output, final, cache = net.forward(x, sizes, state, truncate)
    before = [a.copy() for a in (*state, *dfinal, output)]
    dx, dstate = net.backward(output, cache, dfinal)
    for array, same in zip((*state, *dfinal, output), before, strict=True):
        np.testing.assert_array_equal(array, same)
    found = [output, *final, *dstate, *(p.grad for p in net.parameters())]
    gates = net.gates(cache)
    return found + ([] if ids else [dx]) + [gates[g] for g in sorted(gates)], cache


@pytest.mark.parametrize("name", CELLS)
@given(
    seed=st.integers(0, 2**32 - 1),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    dtype=st.sampled_from(["float32", "float64"]),
    biases=st.integers(0, 2),
    ids=st.booleans(),
    truncate=st.sampled_from([None, 1, 2, 3]),
)
def test_fast_is_clear(name, seed, lengths, dtype, biases, ids, truncate):
    options = (CELLS[name], seed, lengths, dtype, biases, ids, truncate)
    fast, fast_cache = results(FastRecurrent, *options)
    clear, clear_cache = results(Recurrent, *options)
    assert isinstance(fast_cache, FastCache) and isinstance(clear_cache, RecurrentCache)
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    for found, wanted in zip(fast, clear, strict=True):
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= tolerance * max(1, np.abs(wanted).max())


def test_every_cell_of_the_package_has_a_loop_and_no_other():
    assert set(LOOPS) == {RNNCell, LSTMCell, GRUCell, GRUBeforeCell}

    class Mine(LSTMCell):
        pass

    net = FastRecurrent(Mine, 3, 5, rng=np.random.default_rng(0))
    _, _, cache = net.forward(np.zeros((2, 1, 3), "float32"))
    assert isinstance(cache, RecurrentCache)


def test_a_layer_wide_enough_for_blocks():
    rng = np.random.default_rng(0)
    x, up = rng.standard_normal((3, 5, 8)), rng.standard_normal((3, 5, 256))
    results = []
    for layer in (FastRecurrent, Recurrent):
        net = layer(LSTMCell, 8, 256, rng=np.random.default_rng(0), dtype="float64")
        y, _, cache = net.forward(x)
        dx, _ = net.backward(up, cache)
        results.append([y, dx, *(p.grad for p in net.parameters())])
    for quick, clear in zip(*results, strict=True):
        np.testing.assert_allclose(quick, clear, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layer", [FastRecurrent, Recurrent])
def test_gradients_of_another_type_or_order(cell, layer):
    """A final gradient in float64, or in Fortran's order, gives what a float32 one in C's gives."""
    rng = np.random.default_rng(0)
    net, (x, up) = layer(CELLS[cell](), 3, 5, rng=rng), rng.standard_normal((2, 5, 3, 1))
    x = x[:, 0].astype("float32") + np.zeros((5, 3), "float32")
    _, state, cache = net.forward(x, [3, 2])
    up = [rng.standard_normal((3, 5)).astype("float32") for _ in state]
    dx, _ = net.backward(None, cache, up)
    for other in ([d.astype("float64") for d in up], [np.asfortranarray(d) for d in up]):
        np.testing.assert_allclose(net.backward(None, cache, other)[0], dx, rtol=1e-4, atol=1e-6)


def test_sizes_may_be_numpys_and_alphabets_large(monkeypatch):
    ids, up = np.random.default_rng(0).integers(0, 40, (2000, 3)), np.ones((2000, 3, 8), "float32")
    net = FastRecurrent(LSTMCell, ids.max() + 1, 8, rng=np.random.default_rng(0))
    gradients = []
    for most in (fast.MOST_SYMBOLS, 10):  # with the identity matrix and without
        monkeypatch.setattr(fast, "MOST_SYMBOLS", most)
        net.zero_grad()
        net.backward(up, net.forward(ids)[2])
        gradients.append(net.Wx.grad.copy())
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("name", ["Wx", "Wh", "bx", "bh"])
@pytest.mark.parametrize("cell", CELLS)
def test_one_complex_parameter_is_enough_for_the_clear_loop(cell, name):
    net = FastRecurrent(CELLS[cell](), 3, 5, rng=np.random.default_rng(0), dtype="float64")
    parameter = getattr(net, name)
    parameter.data = parameter.data.astype(complex)
    output, _, cache = net.forward(np.ones((2, 3, 3)))
    assert output.dtype == complex and isinstance(cache, RecurrentCache)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_written_over_a_gradient_is_what_would_be_added(cell):
    """After `zero_grad` the first backward writes and the second adds; so does one that finds a
    gradient that somebody has asked for and changed."""
    rng = np.random.default_rng(0)
    net = FastRecurrent(CELLS[cell](), 3, 5, rng=rng, dtype="float64")
    optimizer, x = SGD(net.parameters(), lr=0.1), rng.standard_normal((4, 2, 3))
    y, _, cache = net.forward(x)

    def gradients(backwards, change=0.0):
        for p in net.parameters():
            p.grad[...] = np.nan
        optimizer.zero_grad()
        assert all(p.untouched for p in net.parameters())
        if change:
            net.Wh.grad += change
            net.Wx.grad[0] += change
        for _ in range(backwards):
            net.backward(y, cache)
        assert not any(p.untouched for p in net.parameters())
        return [p.grad.copy() for p in net.parameters()]

    once = gradients(1)
    for one, two in zip(once, gradients(2), strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-12)
    Wx, Wh, *_ = gradients(1, change=3.0)
    np.testing.assert_allclose(Wh, once[1] + 3, rtol=1e-12)
    np.testing.assert_allclose(Wx[0], once[0][0] + 3, rtol=1e-12)
    np.testing.assert_allclose(Wx[1:], once[0][1:], rtol=1e-12)
    assert all(np.shares_memory(p.grad, optimizer.whole.grad) for p in net.parameters())


@pytest.mark.parametrize("way", ["whole", "by hand"])
def test_a_gradient_that_somebody_else_has_changed_is_added_to(way):
    """Through the optimiser's flat array, or by another array put in its place."""
    rng = np.random.default_rng(0)
    net = FastRecurrent(LSTMCell, 3, 5, rng=rng, dtype="float64")
    optimizer, x = SGD(net.parameters(), lr=0.1), rng.standard_normal((4, 2, 3))
    y, _, cache = net.forward(x)
    net.backward(y, cache)
    once = net.Wh.grad.copy()
    if way == "by hand":
        net.Wh.grad = np.full_like(once, 7.0)
        assert (optimizer.whole.grad == 7).sum() == once.size
    optimizer.zero_grad()
    assert not net.Wh._grad.any() and net.Wh.untouched
    if way == "by hand":
        net.Wh.grad = np.full_like(once, 3.0)
    else:
        optimizer.whole.grad += 3.0
    net.backward(y, cache)
    np.testing.assert_allclose(net.Wh.grad, once + 3, rtol=1e-12)
    before = net.Wh.data.copy()
    optimizer.step()
    np.testing.assert_allclose(net.Wh.data, before - 0.1 * (once + 3), rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint64"])
def test_sizes_of_any_type(cell, dtype):
    rng = np.random.default_rng(0)
    net, x = FastRecurrent(CELLS[cell](), 4, 200, rng=rng), np.ones((200, 4), "float32")
    sizes = np.array([100, 60, 40])
    y, _, cache = net.forward(x, sizes.astype(dtype))
    wanted, _, wanted_cache = net.forward(x, sizes.tolist())
    np.testing.assert_array_equal(y, wanted)
    dx, dx_wanted = net.backward(y, cache)[0], net.backward(y, wanted_cache)[0]
    np.testing.assert_array_equal(dx, dx_wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_an_input_without_features(cell):
    y, dx = [], []
    for layer in (FastRecurrent, Recurrent):
        net = layer(CELLS[cell](), 0, 5, rng=np.random.default_rng(0))
        output, _, cache = net.forward(np.zeros((6, 0), "float32"), [3, 2, 1])
        y.append(output)
        dx.append(net.backward(output, cache)[0])
    np.testing.assert_allclose(*y, atol=1e-6)
    assert dx[0].shape == dx[1].shape == (6, 0)


@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("dtype", [">i2", "<i2", ">u4", ">i8"])
def test_ids_in_either_byte_order(dtype, count):
    net = FastRecurrent(RNNCell(), 4, 5, rng=np.random.default_rng(0))
    ids = np.full((count, 1), 3)
    np.testing.assert_array_equal(net.forward(ids.astype(dtype))[0], net.forward(ids)[0])
    with pytest.raises(ShapeError, match="id 512 is out of range"):
        net.forward(np.full((count, 1), 512).astype(dtype))
