"""Every gradient of the library against oracles that cannot share its mistakes.

Hypothesis draws the problem: pairwise different sizes, a scale that also saturates gates, a seed.
The rest, parameters, biases, initial states and upstream gradients, is normal noise from the seed.
"""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from other_cells import MGUCell, OutputGateLSTMCell, PeepholeLSTMCell

from minirnn import functions, gradcheck, layers, losses
from minirnn.batches import Sequences
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.gradcheck.judge import EXACT, ROUGH, judge
from minirnn.gradcheck.ladder import check_ladder, randomised
from minirnn.gradcheck.oracles import central_difference, relative_error
from minirnn.gradcheck.problems import (
    cell_problem,
    function_problem,
    layer_problem,
    loss_problem,
    model_problem,
    recurrent_problem,
)
from minirnn.gradcheck.rtrl import rtrl
from minirnn.models import NameClassifier
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN, Stack

CELLS = {
    "rnn-tanh": RNNCell,
    "rnn-relu": lambda: RNNCell("relu"),
    "rnn-identity": lambda: RNNCell("identity"),
    "lstm": LSTMCell,
    "gru": GRUCell,
    "gru-before": GRUBeforeCell,
    "peephole": PeepholeLSTMCell,
    "mgu": MGUCell,
    "output-gate": OutputGateLSTMCell,
}
# The complex step of a whole net costs a forward pass for every weight: fewer draws of those.
fewer = settings(max_examples=max(1, settings.default.max_examples // 4))
scales = st.sampled_from([0.3, 1.0, 2.0, 5.0])
seeds = st.integers(0, 2**32 - 1)


def sizes_of_lengths(lengths):
    return [sum(length > t for length in lengths) for t in range(max(lengths))]


lengths = st.lists(st.integers(1, 5), min_size=2, max_size=3).filter(lambda ls: max(ls) >= 3)


def right(problem, seed):
    """Assert that a problem's verdict is clean, and its bound the complex step's."""
    verdict = judge(problem, np.random.default_rng(seed))
    assert verdict, "\n".join(f.message for f in verdict.findings)
    assert verdict.oracle == "complex step"
    return verdict


def agrees_with_differences(problem, verdict):
    """Assert the other oracle too, at scales where rounding leaves it something to see."""
    for name, claimed in verdict.claimed.items():
        rough = central_difference(problem, verdict.upstream, name, step=1e-5)
        assert relative_error(claimed, rough) <= ROUGH, name


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "identity"])
@given(seed=seeds, scale=scales)
def test_function(name, seed, scale):
    a = scale * np.random.default_rng(seed).standard_normal((3, 4))
    f, d_f = getattr(functions, name), getattr(functions, f"d_{name}")
    problem = function_problem(f, d_f, a)
    verdict = right(problem, seed)
    if scale <= 2:
        agrees_with_differences(problem, verdict)


@given(seed=seeds, bias=st.booleans())
def test_linear(seed, bias):
    rng = np.random.default_rng(seed)
    layer = randomised(layers.Linear(4, 3, bias, rng=rng, dtype="float64"), rng)
    for shape in [(5, 4), (2, 5, 4)]:
        problem = layer_problem(layer, rng.standard_normal(shape))
        agrees_with_differences(problem, right(problem, seed))


@given(seed=seeds)
def test_embedding(seed):
    rng = np.random.default_rng(seed)
    layer = layers.Embedding(6, 4, rng=rng, dtype="float64")
    ids = rng.integers(0, 6, (3, 5))  # 15 ids of 6: some come several times
    problem = layer_problem(layer, ids)
    agrees_with_differences(problem, right(problem, seed))


@given(seed=seeds, ignore=st.booleans(), prior=st.booleans(), weighted=st.booleans(),
       smoothing=st.sampled_from([0.0, 0.3]),
       normaliser=st.sampled_from(["mean", "sum", 7.0]))  # fmt: skip
def test_cross_entropy(seed, ignore, prior, weighted, smoothing, normaliser):
    rng = np.random.default_rng(seed)
    labels = np.array([[2, 0, 3], [3, 1, 2]])
    log_prior = np.log([0.1, 0.2, 0.3, 0.4]) if prior else None
    w = np.array([0.5, 2.0, 0.0, 1.0]) if weighted else None
    loss = losses.CrossEntropy(normaliser, 3 if ignore else None, log_prior, w, smoothing)
    problem = loss_problem(loss, 2 * rng.standard_normal((2, 3, 4)), labels)
    agrees_with_differences(problem, right(problem, seed))


@given(seed=seeds, normaliser=st.sampled_from(["mean", "sum", 7.0]))
def test_mean_squared_error(seed, normaliser):
    y, target = np.random.default_rng(seed).standard_normal((2, 3, 4))
    problem = loss_problem(losses.MeanSquaredError(normaliser), y, target)
    agrees_with_differences(problem, right(problem, seed))


@pytest.mark.parametrize("name", CELLS)
@given(seed=seeds, n=st.integers(2, 4), scale=scales)
def test_one_step(name, seed, n, scale):
    problem = cell_problem(CELLS[name](), np.random.default_rng(seed), n, 5, scale)
    right(problem, seed)


@pytest.mark.parametrize("biases", [0, 1, 2])
@pytest.mark.parametrize("name", CELLS)
@fewer
@given(seed=seeds, ends=lengths, scale=scales)
@example(seed=0, ends=[1, 3], scale=1.0)
def test_through_time(name, biases, seed, ends, scale):
    rng = np.random.default_rng(seed)
    net = Recurrent(CELLS[name](), 2, 5, rng=rng, biases=biases, dtype="float64")
    problem = recurrent_problem(randomised(net, rng), rng, sizes_of_lengths(ends), scale=scale)
    right(problem, seed)


@pytest.mark.parametrize("name", CELLS)
def test_three_oracles_agree(name):
    """BPTT, the complex step, differences and real-time recurrent learning, all of them."""
    rng = np.random.default_rng(3)
    net = randomised(Recurrent(CELLS[name](), 4, 5, rng=rng, dtype="float64"), rng)
    sizes = [3, 3, 2, 1]
    problem = recurrent_problem(net, rng, sizes)
    verdict = right(problem, 3)
    if name != "rnn-relu":
        agrees_with_differences(problem, verdict)
    states = net.cell.states
    forward = rtrl(
        net, problem.arrays["x"], sizes, tuple(problem.arrays[f"{s}0"] for s in states),
        verdict.upstream["output"], tuple(verdict.upstream[f"{s} at the end"] for s in states),
    )  # fmt: skip
    for array, gradient in forward.items():
        assert relative_error(gradient, verdict.claimed[array]) <= EXACT, array


@pytest.mark.parametrize("name", ["rnn-tanh", "lstm", "gru", "gru-before"])
@fewer
@given(seed=seeds, ends=lengths, layers=st.integers(1, 2), both=st.booleans())
def test_stack(name, seed, ends, layers, both):
    rng = np.random.default_rng(seed)
    net = Stack(CELLS[name], 2, 3, rng=rng, num_layers=layers, bidirectional=both, dtype="float64")
    right(recurrent_problem(randomised(net, rng), rng, sizes_of_lengths(ends)), seed)


@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
@given(seed=seeds, truncate=st.integers(1, 5))
def test_truncated_gradient_is_that_of_the_pieces(make, seed, truncate):
    """With the state handed on as a constant, piece by piece, forward is the same function."""
    rng = np.random.default_rng(seed)
    net = randomised(make(2, 3, rng=rng, dtype="float64"), rng)
    x, doutput = rng.standard_normal((5, 2, 2)), rng.standard_normal((5, 2, 3))
    _, _, cache = net.forward(x, truncate=truncate)
    net.zero_grad()
    dx, _ = net.backward(doutput, cache)
    whole = {n: p.grad.copy() for n, p in net.named_parameters().items()}
    net.zero_grad()
    state, pieces = None, []
    for t in range(0, 5, truncate):
        _, state, cache = net.forward(x[t : t + truncate], state=state)
        pieces.append(net.backward(doutput[t : t + truncate], cache)[0])
    assert relative_error(dx, np.concatenate(pieces)) <= EXACT
    for name, p in net.named_parameters().items():
        assert relative_error(whole[name], p.grad) <= EXACT, name


@pytest.mark.parametrize("embedding", [None, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_name_classifier(cell, embedding):
    rng = np.random.default_rng(1)
    sequences = Sequences([[0, 3, 1], [2, 2, 2, 4], [1]], [2, 0, 1], 3, 5)
    net = NameClassifier(
        5, 3, rng=rng, cell=cell, hidden_size=4, num_layers=2, bidirectional=True,
        embedding=embedding, dtype="float64",
    )  # fmt: skip
    loss = losses.CrossEntropy(log_prior=np.log([0.5, 0.3, 0.2]))
    right(model_problem(randomised(net, rng), sequences.batch(np.arange(3)), loss), 1)


# Dropout: a problem's forward copies the net with its generator, so the masks stay the same.


@given(seed=seeds, p=st.sampled_from([0.2, 0.5, 0.8]))
def test_dropout(seed, p):
    rng = np.random.default_rng(seed)
    layer = layers.Dropout(p, rng=rng)
    problem = layer_problem(layer, rng.standard_normal((4, 5)))
    verdict = right(problem, seed)
    zeros = problem.forward(problem.arrays)[0]["y"] == 0
    assert np.array_equal(verdict.claimed["x"] == 0, zeros)
    agrees_with_differences(problem, verdict)


def test_dropout_in_numbers():
    """Of 10,000 entries a fifth is 0, give or take five standard deviations of 40; the others are
    divided by 4 / 5."""
    y, _ = layers.Dropout(0.2, rng=np.random.default_rng(0)).forward(np.full(10_000, 3.0), True)
    assert abs((y == 0).sum() - 2_000) < 200
    np.testing.assert_allclose(y[y != 0], 3.75, rtol=1e-15)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [2, 3])
def test_dropout_between_layers(layers, both):
    rng = np.random.default_rng(layers)
    net = Stack(GRUCell, 2, 3, rng=rng, num_layers=layers, bidirectional=both, dropout=0.4)
    report = gradcheck.check_recurrent(net, training=True)
    assert report, report
    x = rng.standard_normal((4, 2, 2)).astype("float32")
    assert np.abs(net.forward(x, training=True)[0] - net.forward(x)[0]).max() > 1e-3


@pytest.mark.parametrize("embedding", [None, 3])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_name_classifier_with_dropout(layers, both, embedding):
    """On the embedded letters, between layers and on the last states."""
    rng = np.random.default_rng(1)
    sequences = Sequences([[0, 3, 1], [2, 2, 2, 4], [1]], [2, 0, 1], 3, 5)
    net = NameClassifier(
        5, 3, rng=rng, cell="gru", hidden_size=4, num_layers=layers, bidirectional=both,
        embedding=embedding, dropout=0.4, dtype="float64",
    )  # fmt: skip
    batch = sequences.batch(np.arange(3))
    report = gradcheck.check_model(randomised(net, rng), batch, losses.CrossEntropy())
    assert report, report
    problem = model_problem(net, batch, losses.CrossEntropy())
    dropped, _ = problem.forward(problem.arrays)
    whole = losses.CrossEntropy().forward(net.forward(batch)[0], batch.labels)[0]
    assert abs(dropped["loss"] - whole) > 1e-3  # dropout was on


def test_name_classifier_drops_at_three_places():
    rng = np.random.default_rng(1)
    batch = Sequences([[0, 3, 1], [2, 2, 2, 4], [1]], [2, 0, 1], 3, 5).batch(np.arange(3))
    net = NameClassifier(5, 3, rng=rng, hidden_size=4, num_layers=2, embedding=3, dropout=0.4)
    for training in (True, False):
        _, (read, _, _, last, _) = net.forward(batch, training)
        letters, between = read.letters and read.letters[1], read.cache[1][1]
        for mask, shape in ((letters, (8, 3)), (between, (8, 4)), (last, (3, 4))):
            if training:
                assert mask.shape == shape and (mask == 0).any() and (mask > 1).any()
            else:
                assert mask is None


@pytest.mark.parametrize("name", CELLS)
def test_the_ladder_finds_nothing_in_a_right_cell(name):
    report = check_ladder(CELLS[name](), scale=1.5)
    assert report
    assert len(report.rungs) == 5
