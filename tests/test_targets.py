"""Targets of three kinds: a class or numbers for a sequence, a class or numbers for every step."""

import math

import numpy as np
import pytest

from minirnn import gradcheck, pack_padded, pad_packed, plotting
from minirnn.batches import Sequences, streams
from minirnn.errors import ArgumentError, DataError, MinirnnError, NumberError, ShapeError
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.measures import Evaluation, History, Regression
from minirnn.models import NameClassifier, StepModel
from minirnn.optim import SGD, AdamW
from minirnn.packing import pack
from minirnn.stacked import GRU, LSTM, RNN
from minirnn.storage.checkpoints import Checkpoint
from minirnn.training import Trainer, evaluate, predict

LENGTHS = [3, 5, 1, 4, 2, 5]


def words(seed=0, lengths=LENGTHS):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 4, length) for length in lengths]


def tags(ignore=False):
    """For every step whether the letter is that of the step before; the first may not count."""
    made = [np.concatenate([[0], (x[1:] == x[:-1]).astype(int)]) for x in words()]
    return [np.concatenate([[-1], y[1:]]) for y in made] if ignore else made


def features(seed=0, lengths=LENGTHS, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((length, 2)).astype(dtype) for length in lengths]


def kinds(dtype="float32"):
    """{name: (sequences, loss, class of net, how many outputs)}."""
    ids, x = words(), features(dtype=dtype)
    sums = [y.sum(axis=1).cumsum() for y in x]
    of = dict(dtype=dtype)
    return {
        "class": (Sequences(ids, [0, 1, 2, 0, 1, 2]), CrossEntropy(), NameClassifier, 3),
        "class a step": (
            Sequences(ids, targets=tags(True), ignore_index=-1),
            CrossEntropy(ignore_index=-1, class_weight=[1.0, 2.0], label_smoothing=0.1),
            StepModel, 2,
        ),
        "number": (Sequences(x, [s[-1] for s in sums], **of), MeanSquaredError(), NameClassifier,
                   1),
        "numbers": (Sequences(x, [y[-1] for y in x], **of), MeanSquaredError(), NameClassifier, 2),
        "number a step": (Sequences(x, targets=sums, **of), MeanSquaredError(), StepModel, 1),
        "numbers a step": (Sequences(x, targets=x, **of), MeanSquaredError(), StepModel, 2),
    }  # fmt: skip


KINDS = sorted(kinds())


def net_for(name, dtype="float32", **options):
    sequences, loss, make, outputs = kinds(dtype)[name]
    inputs = 4 if sequences.rows.ndim == 1 else 2
    rng = np.random.default_rng(1)
    return make(inputs, outputs, rng=rng, hidden_size=5, dtype=dtype, **options), sequences, loss


def trainer(name, epochs=3, seed=0, monitor=None, **options):
    net, sequences, loss = net_for(name)
    settings = dict(rng=np.random.default_rng(seed), epochs=epochs, batch_size=2) | options
    optimizer = AdamW(net.parameters(), 0.02)
    return Trainer(net, loss, optimizer, sequences, [0, 1, 2, 3], [3, 4, 5], monitor=monitor,
                   **settings)  # fmt: skip


# Gradients, and the way of a target through the batch


@pytest.mark.parametrize("name, options", [
    *((name, {}) for name in KINDS), ("class a step", {"bidirectional": True, "num_layers": 2}),
    ("class a step", {"embedding": 3, "dropout": 0.3}), ("numbers", {"bidirectional": True}),
])  # fmt: skip
def test_gradients_of_every_kind(name, options):
    net, sequences, loss = net_for(name, "float64", **options)
    assert gradcheck.check_model(net, sequences.batch([0, 1, 2, 3]), loss)


def test_targets_go_with_their_steps():
    ids = words()
    sequences = Sequences(ids, targets=ids)
    batch = sequences.batch([4, 0, 1, 2])
    assert (batch.labels == batch.x).all() and batch.sizes == [4, 3, 2, 1, 1]
    assert (sequences.targets([4, 0]) == np.concatenate([ids[4], ids[0]])).all()
    assert sequences.num_classes == 4 and sequences.number([4, 0]) == 5
    some = Sequences(ids, targets=tags(True), ignore_index=-1)
    assert some.number([4, 0]) == 3 and some.num_classes == 2
    assert some.counts().sum() == sum(LENGTHS) - len(LENGTHS)
    assert Sequences(ids, targets=[[9] * len(x) for x in ids[:-1]] + [[0] * 5],
                     ignore_index=9).num_classes == 1  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_predictions_are_in_order(name):
    net, sequences, _ = net_for(name)
    index = np.array([5, 2, 0, 1])
    together = predict(net, sequences, index, batch_size=3)
    for k, place in enumerate(index):
        np.testing.assert_allclose(
            together[k], np.squeeze(predict(net, sequences, [place])[0]).reshape(together[k].shape),
            rtol=1e-5, atol=1e-6,
        )  # fmt: skip
        assert len(together[k]) == (
            LENGTHS[place] if sequences.every_step else net.linear.b.shape[0]
        )


# What is measured


class Says:
    """A net that says these outputs, packed or not, whatever it is given."""

    def __init__(self, outputs):
        self.outputs = outputs

    def forward(self, batch):
        rows = [self.outputs[k] for k in batch.index]
        if np.ndim(rows[0]) == 1:
            return np.array(rows), None
        return pack(rows)[0], None


def test_classes_of_steps_by_hand():
    ids, wanted = [[0, 1], [1]], [[0, 1], [-1]]
    sequences = Sequences(ids, targets=wanted, ignore_index=-1)
    logits = [np.log([[0.5, 0.5], [0.75, 0.25]]), np.log([[0.1, 0.9]])]
    loss = CrossEntropy(ignore_index=-1, label_smoothing=0.5)
    found = evaluate(Says(logits), sequences, [1, 0], loss)
    assert isinstance(found, Evaluation) and found.confusion.tolist() == [[1, 0], [1, 0]]
    assert found.bits == pytest.approx((1 + 2) / 2), "-log2 of 1/2 and 1/4, whatever is smoothed"
    assert found.perplexity == pytest.approx(2**1.5)
    assert found.loss == pytest.approx(float(loss.forward(logits[0], np.array([0, 1]))[0]))
    alone = evaluate(Says(logits), sequences, [1, 0])
    assert math.isnan(alone.loss) and alone.bits == found.bits
    assert math.isnan(Evaluation.of([0], [0], 2).bits)
    assert evaluate(Says(np.array([[4e3, 0.0]])), Sequences([[0]], [1]), [0]).perplexity > 1e299
    sure = evaluate(Says(np.array([[0.0]])), Sequences([[0]], [0]), [0])
    assert sure.bits == 0 and math.copysign(1, sure.bits) == 1, "-0.0"


def evaluate_numbers(y, target):
    sequences = Sequences([[0]] * len(y), np.array(target, float), dtype="float64")
    return evaluate(Says(np.array(y, float)), sequences, np.arange(len(y)), MeanSquaredError())


def test_numbers_by_hand():
    found = evaluate_numbers([[1.0], [2.0], [5.0]], [1.0, 2.0, 3.0])
    assert isinstance(found, Regression) and found.loss == pytest.approx(4 / 3)
    assert found.rmse == pytest.approx(math.sqrt(4 / 3)) and found.r2 == pytest.approx(1 - 4 / 2)
    two = evaluate_numbers([[1.0, 10.0], [3.0, 14.0]], [[1.0, 10.0], [3.0, 12.0]])
    assert two.r2 == pytest.approx(1 - 4 / (2 + 2)), "each column around its own mean"
    assert evaluate_numbers([[2.0], [2.0]], [2.0, 2.0]).r2 == 1
    assert evaluate_numbers([[2.0], [3.0]], [2.0, 2.0]).r2 == 0


@pytest.mark.parametrize("name", KINDS)
def test_training_measures_what_the_loss_decides(name):
    run = trainer(name)
    history = run.fit()
    numbers = "number" in name
    assert ("train_rmse" in history.columns) == ("validation_r2" in history.columns) == numbers
    assert ("train_accuracy" in history.columns) == (not numbers)
    assert all(math.isfinite(value) for row in history.rows for value in row.values())
    assert run.trained == 3 * run.sequences.number([0, 1, 2, 3])
    assert history.csv().splitlines()[0] == ",".join(history.columns)


@pytest.mark.parametrize("name", KINDS)
def test_an_epoch_is_measured_over_all_its_targets(name):
    """With a rate of nothing, batches of unlike sizes give what one look at all of them gives."""
    run = trainer(name, epochs=1, batch_size=3)
    run.loss.class_weight, run.optimizer = None, SGD(run.net.parameters(), 0.0)
    run.fit()
    found = evaluate(run.net, run.sequences, run.train, run.loss)
    column = f"train_{run.history.measure.in_training}"
    assert run.history["train_loss"][0] == pytest.approx(found.loss, rel=1e-5)
    expected = getattr(found, column.removeprefix("train_"))
    assert run.history[column][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("monitor, scores, best", [
    ("bits", [3.0, 1.0, 2.0, 1.0], 2), ("perplexity", [3.0, 1.0, 2.0, 1.0], 2),
    ("loss", [3.0, 1.0, 2.0, 1.0], 2), ("accuracy", [0.1, 0.3, 0.9, 0.9], 3),
])  # fmt: skip
def test_the_monitor_names_the_best_epoch(monkeypatch, monitor, scores, best):
    from minirnn import training

    left, weights = list(scores), []

    def look(net, *_):
        found = Evaluation(0.5, np.eye(2), 1.0)
        weights.append(net.state_dict())
        value = left.pop(0)
        found.nats = {"bits": value * math.log(2), "perplexity": math.log(value)}.get(monitor, 1.0)
        found.loss = value if monitor == "loss" else 0.5
        if monitor == "accuracy":
            found.confusion = np.array([[value, 1 - value], [0, 0]])
        return found

    monkeypatch.setattr(training, "evaluate", look)
    run = trainer("class a step", epochs=4, monitor=monitor)
    history = run.fit()
    assert run.best_epoch == best and run.best_score == pytest.approx(scores[best - 1])
    assert history.best() == (run.best_score, best)
    assert history.scores() == pytest.approx(scores)
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, weights[best - 1][name])


def test_patience_goes_by_the_monitor(monkeypatch):
    from minirnn import training

    left = [3.0, 2.0, 2.5, 2.1, 1.0]
    monkeypatch.setattr(training, "evaluate", lambda *_: Regression(1.0, left.pop(0), 0.5))
    run = trainer("number", epochs=5, patience=2)
    run.fit()
    assert run.epoch == 4 and run.best_epoch == 2


# Streams: one long text in pieces, the state carried on


def pieces(T=4, L=30, seed=0):
    ids = np.random.default_rng(seed).integers(0, 4, L + 1)
    return Sequences([ids[k : min(k + T, L)] for k in range(0, L, T)],
                     targets=[ids[k + 1 : min(k + T, L) + 1] for k in range(0, L, T)])  # fmt: skip


def test_streams_lie_side_by_side():
    text = pieces()  # 8 pieces
    batches = streams(text, np.arange(8), 3, np.random.default_rng(0))
    assert [b.tolist() for b in batches] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert [b.tolist() for b in streams(text, [1, 7], 2, None)] == [[1, 7]], "the last is shorter"


def test_the_state_follows_its_sequence():
    rng = np.random.default_rng(3)
    net = StepModel(3, 2, rng=rng, cell="lstm", hidden_size=4, dtype="float64")
    data = Sequences([[0], [1, 2], [2]], targets=[[0], [0, 0], [1]], num_symbols=3)
    state = tuple(rng.standard_normal((1, 3, 4)) for _ in range(2))
    batch = data.batch([0, 1, 2], state)
    y = net.forward(batch)[0]
    assert batch.index.tolist() == [1, 0, 2]
    for row, k in [(0, 1), (1, 0), (2, 2)]:  # the rows of step 0
        alone = net.forward(data.batch([k], tuple(s[:, k : k + 1] for s in state)))[0]
        np.testing.assert_allclose(y[row], alone[0], rtol=1e-12)


def test_the_state_is_carried_on():
    """In two streams over pieces, the net says what it says to the two halves in one go."""
    net = StepModel(4, 4, rng=np.random.default_rng(0), hidden_size=6, num_layers=2)
    text = pieces(4, 32)
    found = np.concatenate(predict(net, text, np.arange(8), streams=2))
    halves = Sequences([text.rows[:16], text.rows[16:]], targets=[text.rows[:16]] * 2)
    expected = np.concatenate(predict(net, halves, [0, 1]))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    cleared = np.concatenate(predict(net, text, np.arange(8)))
    assert abs(cleared - expected)[4:].max() > 1e-3
    carried = evaluate(net, text, np.arange(8), CrossEntropy(), streams=2)
    assert carried.bits != evaluate(net, text, np.arange(8), CrossEntropy()).bits


def stream_trainer(text=None, net=None, val=range(11, 15), **options):
    rng = np.random.default_rng(0)
    text = text or pieces(4, 60)
    net = net or StepModel(4, 4, rng=rng, hidden_size=6)
    settings = dict(rng=rng, epochs=2, batch_size=3, sampling="streams", monitor="bits") | options
    return Trainer(net, CrossEntropy(), SGD(net.parameters(), 0.1), text, np.arange(11), val,
                   **settings)  # fmt: skip


def test_a_smaller_last_batch_takes_the_first_states():
    state = (np.arange(12.0).reshape(1, 4, 3),)
    (found,) = pieces().batch([1, 5], state).state
    np.testing.assert_array_equal(found, state[0][:, :2])
    assert pieces().batch([1, 5]).state is None


def test_ignored_steps_are_never_right():
    logits, labels = np.eye(3), np.array([0, 1, 1])
    assert CrossEntropy().score(logits, labels) == 2
    assert CrossEntropy(ignore_index=0).score(logits, labels) == 1


def test_training_carries_the_state_on():
    run = stream_trainer()
    states = []
    run.fit(lambda run: states.append([s.copy() for s in run.state]))
    assert len(states) == 8 and [s[0].shape[1] for s in states[:4]] == [3, 3, 3, 2]
    seen = []
    forward = run.net.forward
    run.net.forward = lambda batch, **options: seen.append(batch.state) or forward(batch, **options)
    run.epochs += 1
    run.run_epoch()
    assert not any(array.any() for array in seen[0]), "an epoch begins anew"
    assert seen[1][0].any() and run.trained == 3 * 44


def test_a_bad_step_is_found_with_the_state_of_before():
    run = stream_trainer()
    run.run_epoch()
    run.draw_epoch()
    run.train_step(run.batches[0])
    before = run.state
    run.position = 1
    run.net.linear.W.data[0, 0] = np.nan
    with pytest.raises(NumberError, match="step 6 .* the first bad parameter is linear.W"):
        run.train_step(run.batches[1])
    run.net.linear.W.data[0, 0] = 0
    seen = []
    forward = run.net.forward
    run.net.forward = lambda batch, **options: seen.append(batch.state) or forward(batch, **options)
    run.net.linear.W.data[0, 0] = np.nan
    run.state = before
    with pytest.raises(NumberError):
        run.train_step(run.batches[1])
    assert len(seen) == 2
    for first, again in zip(*seen, strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_stopped_run_goes_on_in_its_streams(tmp_path, stop):
    whole, path = stream_trainer(), tmp_path / "c.npz"
    whole.fit()
    first = stream_trainer()
    first.fit(lambda run: setattr(run, "stopped", run.step == stop), Checkpoint(path, {}))
    second = stream_trainer()
    Checkpoint(path, {}).resume(second)
    second.fit()
    assert second.history.rows == whole.history.rows and second.best_score == whole.best_score
    for name, array in whole.net.state_dict().items():
        np.testing.assert_array_equal(array, second.net.state_dict()[name], err_msg=name)


@pytest.mark.parametrize("name", KINDS)
def test_a_stopped_run_goes_on(tmp_path, name):
    whole, path = trainer(name), tmp_path / "c.npz"
    whole.fit()
    first = trainer(name)
    first.fit(lambda run: setattr(run, "stopped", run.step == 3), Checkpoint(path, {}))
    second = trainer(name)
    Checkpoint(path, {}).resume(second)
    assert second.sums[2] == first.sums[2]
    second.fit()
    assert second.history.rows == whole.history.rows
    for key, array in whole.net.state_dict().items():
        np.testing.assert_array_equal(array, second.net.state_dict()[key], err_msg=key)


# States, frozen parameters, an embedding that is given, padded batches


@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
@pytest.mark.parametrize("options", [
    {}, {"num_layers": 2}, {"bidirectional": True, "num_layers": 2}, {"reverse": True},
])  # fmt: skip
def test_states_of_every_step(make, options):
    """The state after step t is that with which the first t + 1 steps alone end."""
    rng = np.random.default_rng(0)
    net = make(2, 3, rng=rng, dtype="float64", **options)
    x = rng.standard_normal((5, 2, 2))
    output, final, cache = net.forward(x)
    states = net.states(cache)
    assert len(states) == len(net.layers) and list(states[0]) == list(net.layers[0].cell.states)
    width = 3 * net.directions
    last = np.concatenate([s["h"] for s in states[-net.directions :]], axis=-1)
    np.testing.assert_array_equal(last, output)
    assert last.shape == (5, 2, width)
    for k, layer in enumerate(states):
        backwards = net.reverse or k % net.directions == 1
        for name, end in zip(layer, final, strict=True):
            np.testing.assert_array_equal(layer[name][0 if backwards else -1], end[k])
    if not options:
        for t in range(5):
            for name, s in zip(states[0], net.forward(x[: t + 1])[1], strict=True):
                np.testing.assert_allclose(states[0][name][t], s[0], rtol=1e-12)
    states[0]["h"][...] = 7.0
    assert not (net.states(cache)[0]["h"] == 7).any() and not (output == 7).any()


def test_states_of_packed_sequences():
    net = LSTM(4, 3, rng=np.random.default_rng(0), bidirectional=True)
    rows, sizes, order = pack(words())
    output, final, cache = net.forward(rows, sizes)
    back = net.states(cache)[1]
    assert back["c"].shape == (len(rows), 3)
    np.testing.assert_array_equal(back["h"], output[:, 3:])
    np.testing.assert_array_equal(back["c"][: sizes[0]], final[1][1]), "it ends where it is first"


def test_frozen_parameters_stay():
    W = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    net = StepModel(4, 2, hidden_size=5, embedding=W, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(net.embedding.W.data, W)
    assert net.embedding.W.data is not W
    before = net.number_of_parameters()
    assert net.embedding.freeze() is net.embedding
    assert net.number_of_parameters() == before - W.size
    sequences = Sequences(words(), targets=tags())
    run = Trainer(net, CrossEntropy(), AdamW(net.parameters(), 0.1), sequences, [0, 1, 2], [3, 4],
                  epochs=2)  # fmt: skip
    start = net.state_dict()
    run.fit()
    for name, array in net.state_dict().items():
        assert np.array_equal(array, start[name]) == (name == "embedding.W"), name
    net.zero_grad()
    assert not net.embedding.W.grad.any()


@pytest.mark.parametrize("batch_first", [True, False])
def test_padded_batches(batch_first):
    x = features()
    rows, sizes, order = pack(x)
    padded, lengths = pad_packed(rows, sizes, order, batch_first=batch_first, value=-9)
    assert padded.shape == ((6, 5, 2) if batch_first else (5, 6, 2)) and lengths == LENGTHS
    for k, one in enumerate(x):
        mine = padded[k] if batch_first else padded[:, k]
        np.testing.assert_array_equal(mine[: len(one)], one)
        assert (mine[len(one) :] == -9).all()
    again = pack_padded(padded, np.array(lengths), batch_first=batch_first)
    np.testing.assert_array_equal(again[0], rows)
    assert again[1] == sizes and (again[2] == order).all()


@pytest.mark.parametrize("one, other, value", [
    (list("ab"), list("cde"), "_"), ([True], [False, True], False), ([1j], [2, 3j], 0),
])  # fmt: skip
def test_whatever_can_be_packed_can_be_padded(one, other, value):
    packed = pack([np.array(one), np.array(other)])
    again = pack_padded(*pad_packed(*packed, batch_first=True, value=value), batch_first=True)
    assert all(np.array_equal(a, b) for a, b in zip(again, packed, strict=True))


# What cannot be


def sequences(labels=None, **options):
    return Sequences([[0, 1], [2], [1, 1, 0]], labels, **options)


def numbers(**options):
    return Sequences([[0, 1], [2], [1, 1, 0]], [0.5, 1.5, 2.5], **options)


def train(data, loss, net=None, **options):
    net = net or NameClassifier(3, 3, hidden_size=2)
    return Trainer(net, loss, SGD(net.parameters(), 0.1), data, [0, 1], [2], epochs=1, **options)


STEPS = [[0, 1], [2], [1, 1, 0]]
x = np.zeros((2, 3))


def ignored():
    """Sequences of which the last does not count."""
    return sequences([0, 0, 1], ignore_index=1)


class NoScore:
    """A loss that cannot be added up over an epoch."""

    def forward(self, y, target):
        return y.sum(), y

    def backward(self, cache, dloss=1.0):
        return np.ones_like(cache)


REFUSED = {
    "targets of another length": (lambda: sequences(targets=[[0, 1], [2, 0], [1, 1, 0]]),
        "sequence 1 has 1 steps, but 2 targets: give one for every step, or labels"),
    "one target for a sequence": (lambda: sequences(targets=[0, 1, 1]),
        "sequence 0 has 2 steps, but the target 0: give one for every step, or labels"),
    "targets of too few": (lambda: sequences(targets=STEPS[:2]), "3 sequences, but 2 lists"),
    "both": (lambda: sequences([0, 1, 1], targets=STEPS), "both are given: one must be"),
    "neither": (lambda: sequences(), "neither is given: one must be"),
    "targets of two kinds": (lambda: sequences(targets=[[0, 1], [2.0], [1, 1, 0]]),
        "targets of sequence 1 have shape .* float64, but those of sequence 0"),
    "targets of two widths": (lambda: sequences(targets=[[[0.0], [1.0]], [2.0], [1.0, 1.0, 0.0]]),
        "targets of sequence 1 have shape"),
    "targets of text": (lambda: sequences(targets=["ab", "c", "dda"]), "targets of sequence 0 is"),
    "a target out of range": (lambda: sequences(targets=STEPS, num_classes=2), "target 2 is out"),
    "all are ignored": (lambda: sequences([5, 5, 5], ignore_index=5), "all labels are 5"),
    "NaN in numbers": (lambda: sequences([0.0, np.nan, 1.0]), "labels hold what is no finite"),
    "numbers to ignore": (lambda: numbers(ignore_index=0), "but numbers have none"),
    "numbers of too few": (lambda: sequences([0.5, 1.5]), r"labels have shape \(2,\), but must be"),
    "ragged labels": (lambda: sequences([[0], [1, 2], [3]]), "labels are .*, but must be an array"),
    "an ignore index of words": (lambda: sequences([0, 1, 1], ignore_index="pad"), "ignore_index"),
    "counts of numbers": (lambda: numbers().counts(), "targets are numbers, but must be classes"),
    "classes in a regression": (lambda: train(sequences([0, 1, 2]), MeanSquaredError()),
        "targets are of type int64, but MeanSquaredError needs numbers, such as y.astype"),
    "numbers as classes": (lambda: train(numbers(), CrossEntropy()),
        "targets are of type float32, but CrossEntropy needs classes"),
    "evaluated with another": (lambda: evaluate(Says([]), numbers(), [0], CrossEntropy()),
        "CrossEntropy needs classes"),
    "another ignore index": (
        lambda: train(sequences(targets=STEPS, ignore_index=0), CrossEntropy(ignore_index=2)),
        "ignore_index is 0 for the sequences, but 2 for CrossEntropy: give both the same"),
    "balanced steps": (
        lambda: train(sequences(targets=STEPS), CrossEntropy(), sampling="balanced").fit(),
        "sampling is balanced, but only sequences with a class each"),
    "another monitor": (lambda: train(numbers(), MeanSquaredError(), monitor="bits"),
        "monitor is 'bits', but must be one of: r2, rmse, loss"),
    "one answer for many steps": (lambda: train(sequences(targets=STEPS), CrossEntropy()).fit(),
        "2 outputs, but there are 3 targets: labels, .* NameClassifier, and targets, .* StepM"),
    "an answer a step for one": (
        lambda: predict(StepModel(3, 3, hidden_size=2), sequences([0, 1, 2]), [0, 1]),
        "3 outputs, but there are 2 targets"),
    "fewer numbers than targets": (
        lambda: train(sequences(np.ones((3, 4))), MeanSquaredError()).fit(), "3 outputs, but .* 4"),
    "a state that is not carried": (
        lambda: train(sequences(targets=STEPS), CrossEntropy(), sampling="streams"),
        "NameClassifier carries no state on; take a StepModel"),
    "streams that read backwards": (
        lambda: train(sequences(targets=STEPS), CrossEntropy(), sampling="streams",
                      net=StepModel(3, 3, hidden_size=2, bidirectional=True)),
        "sampling is streams, but the net reads backwards"),
    "more streams than pieces": (
        lambda: stream_trainer(batch_size=12), "12 streams need a sequence each, but .* only 11"),
    "pieces that grow": (lambda: streams(sequences([0, 1, 2]), [1, 2], 2, None), "of one length"),
    "weights of classes": (lambda: CrossEntropy(class_weight=[[1.0]]), r"class_weight is .*\[K\]"),
    "weights below 0": (lambda: CrossEntropy(class_weight=[1.0, -1.0]), "numbers, at least 0"),
    "weights of other classes": (
        lambda: CrossEntropy(class_weight=[1.0]).forward(np.zeros((1, 3)), np.array([0])),
        r"class_weight has shape \(1,\), but must have \(3,\): \[K\]"),
    "smoothing": (lambda: CrossEntropy(label_smoothing=2), "label_smoothing is 2, but must be"),
    "an embedding of others": (lambda: StepModel(3, 2, embedding=np.ones((4, 2), "float32")),
        r"embedding has shape \(4, 2\), but must have \(3, 2\)"),
    "a net from no class": (
        lambda: NameClassifier.from_settings({"net": "Sequences"}), "net is 'Sequences', but"),
    "which axis is first": (lambda: pack_padded(x, [1, 2], batch_first=None), "batch_first is No"),
    "lengths": (lambda: pack_padded(x, [1], batch_first=True), r"x has shape \(2, 3\), \[N, T"),
    "a single sequence": (lambda: pack_padded([1, 2], [1], batch_first=False),
                          r"x has shape \(2,\), but must be \[T, N"),
    "lengths of time first": (lambda: pack_padded(x, [1, 2], batch_first=False),
        r"\[T, N, \.\.\.\], and lengths \[1, 2\], but lengths must hold one from 1 to 2 for each"),
    "a length of nothing": (lambda: pack_padded(x, [0, 2], batch_first=True), "one from 1 to 3"),
    "lengths of halves": (lambda: pack_padded(x, [0.5, 2], batch_first=True), "lengths must be a"),
    "states of no cache": (lambda: LSTM(2, 3).states((1, 2)), "cache is"),
    "ignored by the loss alone": (
        lambda: train(sequences([0, 1, 1]), CrossEntropy(ignore_index=0)),
        "CrossEntropy ignores class 0, which is a target: give the sequences ignore_index=0 too"),
    "streams that do not fit in validation": (
        lambda: stream_trainer(pieces(4, 58), val=[14, 11, 12]), "streams need sequences of one"),
    "nothing counts in validation": (
        lambda: train(ignored(), CrossEntropy(ignore_index=1)),
        "all targets of validation are 1, the ignore_index: one must count"),
    "nothing counts in an evaluation": (
        lambda: evaluate(NameClassifier(3, 2, hidden_size=2), ignored(), [2],
                         CrossEntropy(ignore_index=1)),
        "all targets of index are 1, the ignore_index"),
    "a loss without a score": (lambda: train(sequences([0, 1, 1]), NoScore()),
        "loss is .*, but must be an object with forward and backward and score"),
    "weights of nothing": (lambda: CrossEntropy(class_weight=[0.0, 0.0]), "no class would count"),
    "complex weights": (lambda: CrossEntropy(class_weight=[1j, 1]), "must hold finite numbers"),
    "masked labels": (
        lambda: sequences(np.ma.masked_array([0, 1], [False, True])), "labels are .*, but must"),
    "an empty sequence with targets": (
        lambda: Sequences([[], [1]], targets=[[], [1]]), "sequence 0 is empty"),
    "targets of two axes": (lambda: Sequences([[0, 1], [1]], targets=[[[0], [1]], [[1]]]),
        r"there are 3 steps, but 3 targets of shape \(3, 1\), which is not \[S\]"),
    "an embedding too large": (lambda: StepModel(2, 2, embedding=np.full((2, 2), 1e300)),
        "must hold finite real numbers of float32"),
    "fewer outputs than numbers": (
        lambda: train(sequences(np.zeros((3, 2))), MeanSquaredError(),
                      NameClassifier(3, 1, hidden_size=2)).fit(),
        "1 outputs, but there are 2 numbers to say"),
    "states of an empty cache": (lambda: StepModel(2, 2).states(()), "cache is None"),
    "accuracy of numbers": (lambda: plotting.plot_accuracy(History(measure=Regression)),
        "the history has no validation_accuracy, but validation_loss"),
    "bits of numbers": (lambda: plotting.plot_measure(History(measure=Regression), "bits"),
        "the history has no validation_bits"),
    "padding beyond float32": (
        lambda: pad_packed(*pack([np.ones(2, "f")]), batch_first=True, value=1e300),
        r"value is 1e\+300, but must be one that float32 can hold"),
    "a frozen net": (lambda: SGD(LSTM(2, 3).freeze().parameters(), 0.1), "parameters is empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name):
    act, words = REFUSED[name]
    with pytest.raises(MinirnnError, match=words) as error:
        act()
    assert isinstance(error.value, (ArgumentError, DataError, ShapeError))
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


@pytest.mark.parametrize("model", [NameClassifier, StepModel])
def test_every_model_tells_its_states(model):
    net = model(3, 2, hidden_size=4, num_layers=2, embedding=[[0.5, 1.0], [0.0, 1.0], [1.0, 0.0]])
    batch = Sequences([[0, 1, 2], [2, 1]], labels=[0, 1]).batch([0, 1])
    states = net.states(net.forward(batch)[1])
    output = net.recurrent.forward(net.embedding.forward(batch.x)[0], batch.sizes)[0]
    assert [s["c"].shape for s in states] == [(5, 4)] * 2
    np.testing.assert_allclose(states[1]["h"], output, rtol=1e-6)


def test_a_history_of_numbers():
    history = History(measure=Regression, monitor="r2")
    assert history.columns[-3:] == ("validation_loss", "validation_r2", "validation_rmse")
    history.add(8.0, 2, Regression(1.0, 0.5, 0.75), epoch=1, step=1, lr=0.1, train_loss=4.0)
    assert history["train_rmse"] == [2.0] and history.best() == (0.75, 1)
