"""Training: the loss falls, the best weights stay, bad numbers stop it, and nothing is random."""

import csv
import io
import math

import numpy as np
import pytest

from minirnn import training
from minirnn.batches import Sequences
from minirnn.cells import GRUCell, LSTMCell
from minirnn.errors import NumberError
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.optim import SGD, AdamW, one_cycle
from minirnn.recurrent import Recurrent
from minirnn.training import Evaluation, History, Trainer, evaluate, predict


def problem(N=60, seed=0):
    """Words of 2 to 6 letters in two classes: those that begin with an 0, and those that don't."""
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % 2
    words = [
        np.concatenate(
            [[0 if label else rng.integers(1, 5)], rng.integers(0, 5, rng.integers(1, 6))]
        )
        for label in labels
    ]
    return Sequences(words, labels, num_symbols=5)


def trainer(optimizer=None, sequences=None, seed=0, net=None, **options):
    rng = np.random.default_rng(seed)
    sequences = sequences or problem()
    net = net or NameClassifier(5, 2, rng=rng, hidden_size=8, embedding=4, dropout=0.1)
    make = optimizer or (lambda parameters: AdamW(parameters, 0.02))
    index = np.arange(len(sequences))
    options = dict(epochs=3, batch_size=8, clip=1.0, rng=rng) | options
    return Trainer(
        net, CrossEntropy(), make(net.parameters()), sequences, index[:40], index[40:], **options
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", LSTMCell])
def test_a_separable_problem_is_learnt(cell):
    options = dict(
        hidden_size=8, bidirectional=cell != "lstm", num_layers=2 if cell == "gru" else 1
    )
    net = NameClassifier(5, 2, rng=np.random.default_rng(0), cell=cell, **options)
    run = trainer(net=net, epochs=12)
    history = run.fit()
    assert len(history.rows) == 12 and history["epoch"] == list(range(1, 13))
    assert history["train_loss"][0] > 0.4 and history["train_loss"][-1] < 0.1
    assert history["validation_accuracy"][-1] >= 0.9
    assert evaluate(net, run.sequences, run.train).accuracy > 0.97


def test_what_is_counted_on_the_way():
    calls = []
    run = trainer(schedule=lambda step: 0.01 / (1 + step))
    run.fit(lambda t: calls.append((t.position, len(t.batches), t.mean_loss)))
    assert run.step == 3 * 5 and run.epoch == 3 and run.trained == 3 * 40
    assert [call[:2] for call in calls] == [(k, 5) for _ in range(3) for k in range(1, 6)]
    assert all(math.isfinite(call[2]) for call in calls)
    assert run.history["step"] == [5, 10, 15]
    assert run.history["lr"] == [0.01 / 5, 0.01 / 10, 0.01 / 15]
    assert run.history["train_loss"][0] == pytest.approx(calls[4][2], rel=1e-6)
    assert 0.5 < run.first_loss < 1.0
    assert run.per_second == run.trained / run.seconds > 0


def test_seconds_leave_out_what_progress_takes(monkeypatch):
    """A clock that moves by 1 in a step, and by 100 while progress is shown."""
    now = [0.0]
    monkeypatch.setattr(training.time, "perf_counter", lambda: now[0])
    run = trainer(epochs=2)
    step = run.train_step

    def timed_step(index):
        now[0] += 1
        return step(index)

    run.train_step = timed_step
    run.fit(lambda _: now.__setitem__(0, now[0] + 100))
    assert run.seconds == run.step == 10


def test_the_epochs_loss_is_the_mean_over_sequences(monkeypatch):
    """With a rate of nothing, batches of 16, 16 and 8 must give the loss of all 40."""
    net = NameClassifier(5, 2, rng=np.random.default_rng(0), hidden_size=8)
    run = trainer(lambda p: SGD(p, 0.0), net=net, epochs=1, batch_size=16)
    run.fit()
    found = evaluate(net, run.sequences, run.train, run.loss)
    assert run.history["train_loss"][0] == pytest.approx(found.loss, rel=1e-5)
    assert run.history["train_accuracy"][0] == pytest.approx(found.accuracy)


def scripted(monkeypatch, scores):
    """Validation that gives these balanced accuracies, and the weights at each look."""
    weights, left = [], list(scores)

    def look(net, sequences, index, loss=None):
        weights.append({name: array.copy() for name, array in net.state_dict().items()})
        right = round(100 * left.pop(0))
        return Evaluation(0.5, np.array([[right, 100 - right], [100 - right, right]]))

    monkeypatch.setattr(training, "evaluate", look)
    return weights


def test_the_best_weights_are_kept(monkeypatch):
    weights = scripted(monkeypatch, [0.5, 0.8, 0.7, 0.8, 0.6])
    run = trainer(epochs=5)
    run.fit()
    assert run.best_epoch == 2 and run.best_score == 0.8, "the first of equals"
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, weights[1][name])
        assert not np.array_equal(array, weights[4][name])


def test_early_stopping(monkeypatch):
    scripted(monkeypatch, [0.5, 0.6, 0.6, 0.55, 0.7, 0.7])
    run = trainer(epochs=6, patience=2)
    run.fit()
    assert run.epoch == 4 and run.best_epoch == 2
    scripted(monkeypatch, [0.5, 0.6, 0.6, 0.55, 0.7, 0.7])
    run = trainer(epochs=6, patience=3)
    run.fit()
    assert run.epoch == 6 and run.best_epoch == 5


class BadAt(CrossEntropy):
    """A loss that becomes `value` from its n-th call on, or its gradient does, or both."""

    def __init__(self, n, value, spoilt):
        super().__init__()
        self.n, self.value, self.spoilt, self.calls = n, value, spoilt, 0

    def forward(self, logits, labels):
        loss, cache = super().forward(logits, labels)
        self.calls += 1
        bad = self.calls >= self.n
        return (loss * self.value if bad and "loss" in self.spoilt else loss), (cache, bad)

    def backward(self, cache):
        cache, bad = cache
        dlogits = super().backward(cache)
        bad = bad and "gradient" in self.spoilt
        return dlogits * dlogits.dtype.type(self.value) if bad else dlogits


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("spoilt", ["loss", "gradient", "loss and gradient"])
@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_bad_number_stops_before_it_spoils(value, spoilt, clip):
    """Call 8 is the second step of epoch 2: 5 training steps, one look, 2 training steps."""
    run = trainer(clip=clip)
    run.loss = BadAt(8, value, spoilt)
    seen = []
    where = r"not finite at step 7 \(epoch 2, batch 2 of 5\)"
    with pytest.raises(NumberError, match=where) as error:
        run.fit(lambda *_: seen.append(run.net.state_dict()))
    if spoilt != "loss":
        assert "the first bad gradient is that of embedding.W" in str(error.value)
    assert "--lr" in str(error.value)
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, seen[-1][name], err_msg="not the weights of before")
    assert len(run.history.rows) == 1 and run.best is not None
    run.restore_best()
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, seen[4][name], err_msg="not those of epoch 1")


def test_same_seed_same_bytes():
    def train(seed):
        run = trainer(seed=seed, schedule=one_cycle(0.02, 15), sampling="balanced", optimizer=AdamW)
        run.fit()
        return {name: a.tobytes() for name, a in run.net.state_dict().items()}, run.history.csv()

    assert train(1) == train(1)
    (weights, text), (others, other_text) = train(1), train(2)
    assert all(weights[name] != others[name] for name in weights) and text != other_text


@pytest.mark.parametrize("sampling", ["natural", "balanced", "bucketed"])
def test_every_sampling_trains(sampling):
    run = trainer(sampling=sampling)
    run.fit()
    assert run.step == 15


# Evaluation


class Fixed:
    """A net whose logits are known: row k of a table for a word that begins with k."""

    table = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [5.0, 0.0, 1.0]])

    def forward(self, batch):
        return self.table[batch.x[: batch.sizes[0]]], None


def test_evaluation_by_hand():
    words = [[0], [1, 1, 1], [2, 0], [0, 2], [1]]
    sequences = Sequences(words, [0, 1, 2, 1, 1], num_classes=3)
    index = np.array([4, 2, 0, 1, 3])
    np.testing.assert_array_equal(
        predict(Fixed(), sequences, index, batch_size=2), Fixed.table[[1, 2, 0, 1, 0]]
    )
    found = evaluate(Fixed(), sequences, index, CrossEntropy())
    # guesses of words 0 to 4: 0, 1, 0, 0, 1
    assert found.confusion.tolist() == [[1, 0, 0], [1, 2, 0], [1, 0, 0]]
    assert found.accuracy == 3 / 5
    assert found.balanced_accuracy == pytest.approx((1 + 2 / 3 + 0) / 3)

    def nll(row, label):
        return math.log(sum(math.exp(a) for a in row)) - row[label]

    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 1)]
    expected = sum(nll(Fixed.table[k].tolist(), label) for k, label in pairs) / 5
    assert found.loss == pytest.approx(expected, rel=1e-12)
    assert math.isnan(evaluate(Fixed(), sequences, index).loss)


def test_a_class_that_does_not_occur_is_left_out_of_the_balance():
    found = Evaluation.of(np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2]), 4)
    assert found.balanced_accuracy == 0.75 and found.accuracy == 0.75
    assert found.confusion.sum() == 4 and found.confusion[0, 1] == 1


def test_looking_changes_nothing():
    run = trainer()
    before, state = run.net.state_dict(), run.rng.bit_generator.state
    first = evaluate(run.net, run.sequences, run.train, run.loss)
    second = evaluate(run.net, run.sequences, run.train, run.loss)
    assert first.loss == second.loss and (first.confusion == second.confusion).all()
    assert run.rng.bit_generator.state == state, "dropout acted, or something was drawn"
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# History


def test_csv_is_exact():
    run = trainer()
    text = run.fit().csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.splitlines()[0] == (
        "epoch,step,lr,train_loss,train_accuracy,"
        "validation_loss,validation_accuracy,validation_balanced_accuracy"
    )
    assert len(rows) == 3 and text.endswith("\n") and "\r" not in text
    for row, expected in zip(rows, run.history.rows, strict=True):
        assert {name: float(text) for name, text in row.items()} == expected


def test_csv_of_numbers_that_are_hard_to_write():
    row = dict.fromkeys(History().columns, 0.1) | {"epoch": 3, "lr": 1 / 3, "train_loss": math.nan}
    lines = History([row]).csv().splitlines()
    assert lines[1] == "3,0.1,0.3333333333333333,nan,0.1,0.1,0.1,0.1"


# float32 stays float32


@pytest.mark.parametrize("optimizer", [AdamW, lambda p: SGD(p, 0.1, momentum=0.9)])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_no_float64_anywhere_in_training(monkeypatch, optimizer, clip):
    """One NumPy number in the maths would turn all that follows into float64."""
    seen = []

    def watched(cell):
        class Watched(cell):
            def forward(self, gx, state, product):
                new, cache = super().forward(gx, state, product)
                seen.extend([gx, *state, *new, *cache])
                return new, cache

            def backward(self, dstate, cache, product):
                dgx, dprevious = super().backward(dstate, cache, product)
                seen.extend([*dstate, *dgx, *dprevious])
                return dgx, dprevious

        return Watched

    kept = Recurrent.backward

    def backward(self, doutput, cache, dfinal=None):
        dx, dstate = kept(self, doutput, cache, dfinal)
        seen.extend(a for a in (doutput, dx, *dstate, *(dfinal or ())) if a is not None)
        return dx, dstate

    monkeypatch.setattr(Recurrent, "backward", backward)
    for cell in (LSTMCell, GRUCell):
        options = dict(num_layers=2, bidirectional=True, embedding=4, dropout=0.2)
        net = NameClassifier(
            5, 2, rng=np.random.default_rng(0), cell=watched(cell), hidden_size=8, **options
        )
        run = trainer(
            net=net, optimizer=optimizer, clip=clip, schedule=one_cycle(0.02, 5), epochs=1
        )
        run.loss = CrossEntropy(log_prior=np.log([0.5, 0.5]))
        run.fit()
        seen += [a for p in net.parameters() for a in (p.data, p.grad)]
        seen += [a for slot in run.optimizer.state.values() for a in slot]
        seen.append(
            run.loss.forward(
                net.forward(run.sequences.batch(run.train))[0], run.sequences.labels[run.train]
            )[0]
        )
    assert len(seen) > 1000
    assert {a.dtype.name for a in seen} == {"float32"}


def test_the_last_batch_counts_for_what_it_holds():
    run = trainer(epochs=1, batch_size=16)
    run.fit()
    assert run.trained == 40


def test_clip_reaches_the_steps():
    run = trainer(lambda parameters: SGD(parameters, 1.0), epochs=1, clip=1e-9)
    before = run.net.state_dict()
    run.fit()
    assert all(np.abs(before[n] - a).max() < 1e-6 for n, a in run.net.state_dict().items())


@pytest.mark.parametrize("options", [{}, {"embedding": 4}, {"bidirectional": True}])
def test_gates_are_those_of_the_first_layer(options):
    net = NameClassifier(
        5, 2, rng=np.random.default_rng(0), hidden_size=4, num_layers=2, dropout=0.5, **options
    )
    batch = problem().batch(np.array([1]))
    x = net.embedding.forward(batch.x)[0] if "embedding" in options else batch.x
    layer = net.recurrent.layers[0]
    first = layer.gates(layer.forward(x, batch.sizes)[2])
    gates = net.gates(batch)
    assert list(gates) == list("ifgo")
    for name in gates:
        np.testing.assert_array_equal(gates[name], first[name])


def test_a_schedule_gives_each_steps_own_rate():
    asked = []
    run = trainer(epochs=1, schedule=lambda step: asked.append(step) or 0.01 * (step + 1))
    run.fit()
    assert asked == [0, *range(5)]  # once when it is made, then at each step
    assert run.history["lr"] == [0.05]


def test_at_the_end_the_best_weights_are_in_the_net(monkeypatch):
    scripted(monkeypatch, [0.2, 0.9, 0.5])
    run = trainer(epochs=3)
    run.fit()
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, run.best[name])
    last = trainer(epochs=3)
    scripted(monkeypatch, [0.2, 0.5, 0.9])
    last.fit()
    assert any((last.net.state_dict()[n] != run.net.state_dict()[n]).any() for n in run.best)
