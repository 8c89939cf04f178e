"""Nets of one's own: what counts as a parameter, who learns it, and what a trainer takes."""

import numpy as np
import pytest

from minirnn import (
    RNN,
    Adam,
    AdamW,
    CrossEntropy,
    Linear,
    NameClassifier,
    Sequences,
    StepModel,
    Trainer,
    convert,
    gradcheck,
)
from minirnn.errors import ArgumentError, CellError, CheckpointError, DataError, MinirnnError
from minirnn.losses import MeanSquaredError
from minirnn.parameters import Module, Parameter
from minirnn.recurrent import Recurrent
from minirnn.storage.checkpoints import Checkpoint, load_net, save_net

THREE = Sequences([[0, 1, 2], [1, 0], [2, 2, 1, 0]], [0, 1, 0])
ALL = np.arange(3)


class IndCell(Module):
    """h = tanh(gx + u h_prev) with a vector u of its own."""

    gates = "h"
    states = ("h",)

    def __init__(self, H=5):
        self.u = Parameter(np.linspace(-0.9, 0.9, H))

    def forward(self, gx, state, product):
        (h_prev,) = state
        h = np.tanh(gx[0] + self.u.data * h_prev)
        return (h,), (h, h_prev)

    def backward(self, dstate, cache, product):
        h, h_prev = cache
        da = dstate[0] * (1 - h * h)
        self.u.grad += (da * h_prev).sum(axis=0)
        return (da,), (da * self.u.data,)


class Tied(Module):
    """Two linear layers with one W, before a recurrent layer; the last in a list in a dict."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.a, self.b = (Linear(3, 3, rng=rng, dtype="float64") for _ in "ab")
        self.b.W = self.a.W
        self.rnn = RNN(3, 3, rng=rng, dtype="float64")
        self.heads = {"language": [Linear(3, 2, rng=rng, dtype="float64")]}

    def forward(self, batch, training=False):
        x, a = self.a.forward(np.eye(3)[batch.x])
        x, b = self.b.forward(x)
        _, (h,), rnn = self.rnn.forward(x, batch.sizes)
        logits, head = self.heads["language"][0].forward(h[-1])
        return logits, (a, b, rnn, head, h.shape)

    def backward(self, dlogits, cache):
        a, b, rnn, head, shape = cache
        dh = self.heads["language"][0].backward(dlogits, head).reshape(shape)
        dx, _ = self.rnn.backward(None, rnn, (dh,))
        self.a.backward(self.b.backward(dx, b), a)


def trainer(net, optimizer=None, train=ALL, validation=ALL, loss=None, **options):
    optimizer = optimizer or Adam(net.parameters())
    options = {"epochs": 2, "batch_size": 2, "rng": np.random.default_rng(0)} | options
    return Trainer(net, loss or CrossEntropy(), optimizer, THREE, train, validation, **options)


def test_what_two_layers_share_is_one_parameter():
    assert gradcheck.check_model(Tied(), THREE.batch(ALL), CrossEntropy())

    class Twice(Tied):
        def backward(self, dlogits, cache):
            super().backward(dlogits, cache)
            self.a.W.grad *= 2

    assert not gradcheck.check_model(Twice(), THREE.batch(ALL), CrossEntropy())


def test_modules_in_lists_and_dicts_are_learned():
    net = Tied()
    assert "heads.language.0.W" in net.named_parameters() and len(net.parameters()) == 9
    before = net.state_dict()
    trainer(net).fit()
    after = net.state_dict()
    assert all((before[name] != after[name]).any() for name in before)


def test_parameters_in_a_list():
    class Some(Module):
        def __init__(self):
            self.several = [Parameter(np.ones(2)), (Parameter(np.zeros(3)),)]

    assert [*Some().named_parameters()] == ["several.0", "several.1.0"]


def test_each_layer_has_a_cell_of_its_own():
    options = dict(hidden_size=5, num_layers=2, bidirectional=True, rng=np.random.default_rng(0))
    net = NameClassifier(3, 2, cell=IndCell(5), **options)
    own = [p for name, p in net.named_parameters().items() if name.endswith("cell.u")]
    assert len({id(p) for p in own}) == 4
    assert gradcheck.check_model(net, THREE.batch(ALL), CrossEntropy())


def test_a_cell_with_a_parameter_must_be_a_module():
    plain = {n: v for n, v in vars(IndCell).items() if not n.startswith("__dict")}
    plain = type("Plain", (), {n: v for n, v in plain.items() if n != "__weakref__"})
    report = gradcheck.check_cell(plain)
    assert not report and "Plain has a Parameter, u, but is no Module" in str(report)
    with pytest.raises(CellError, match=r"no net would learn it: class Plain\(Module\)"):
        Recurrent(plain, 3, 5)
    assert gradcheck.check_cell(IndCell)


@pytest.mark.parametrize("H", [3, 4, 7])
def test_a_cell_is_checked_with_the_units_that_it_is_made_for(H):
    assert gradcheck.check_cell(IndCell(H))

    class Transposed(IndCell):
        def backward(self, dstate, cache, product):
            dgx, (dh,) = super().backward(dstate, cache, product)
            return dgx, (dh[::-1],)

    assert not gradcheck.check_cell(Transposed(H))


def test_a_single_number_is_no_size():
    """With one unit a sum over the units would be none."""

    class Scalar(Module):
        gates, states = "a", ("h",)

        def __init__(self):
            self.s = Parameter(np.full((1,), 0.5))

        def forward(self, gx, state, product):
            n = np.tanh(gx[0] + product(state[0])[0])
            return (n + self.s.data * state[0].sum(axis=1, keepdims=True),), (n, state[0])

        def backward(self, dstate, cache, product):
            (d,), (n, h_prev) = dstate, cache
            self.s.grad += (d * h_prev.sum(axis=1, keepdims=True)).sum()
            da = d * (1 - n * n)
            return (da,), (product.backward((da,)) + self.s.data * d,)  # the sum over d is missing

    assert not gradcheck.check_cell(Scalar)


def test_a_net_begins_with_the_batchs_state():
    net = NameClassifier(3, 2, hidden_size=4, cell="gru", rng=np.random.default_rng(0))
    state = (np.ones((1, 3, 4), "f4"),)
    plain, carried = (net.forward(THREE.batch(ALL, s))[0] for s in (None, state))
    assert np.abs(plain - carried).max() > 0.01


def with_another_head(net):
    optimizer = Adam(net.parameters())
    net.linear = Linear(4, 2)
    trainer(net, optimizer)


def frozen_too_late(net):
    optimizer = Adam(net.parameters())
    net.embedding.freeze()
    trainer(net, optimizer)


class Forgets:
    """A net that is no Module."""

    def forward(self, batch, training=False):
        return np.zeros((len(batch.labels), 2)), None

    def backward(self, dlogits, cache):
        return None


class Alone(NameClassifier):
    def forward(self, batch, training=False):
        return super().forward(batch, training)[0]


class NoTraining(NameClassifier):
    def forward(self, batch):
        return super().forward(batch)


def made(kind=NameClassifier, **options):
    return kind(3, 2, hidden_size=4, embedding=2, rng=np.random.default_rng(0), **options)


def over(sequences, train, validation):
    net, data = made(), Sequences(sequences, [0] * len(sequences))
    return Trainer(net, CrossEntropy(), Adam(net.parameters()), data, train, validation, epochs=1)


def test_what_no_part_has_is_not_looked_at():
    over([[0], [1], [7]], [0], [1])


class Absolute:
    """A loss for numbers that does not say so."""

    forward = backward = score = lambda self, *_: 0.0


class Numbers:
    data = Sequences([[0], [1]], [0.5, 1.5])


REFUSED = {
    "an array for a parameter": (
        lambda: setattr(made().linear, "W", np.ones((4, 2))),
        r"W is a Parameter, but would become an array .*: write into its array, W.data\[...\] =",
    ),
    "a head after the optimiser": (
        lambda: with_another_head(made()),
        "the optimizer has not linear.W: make it of net.parameters.. when the net is whole",
    ),
    "frozen after the optimiser": (
        lambda: frozen_too_late(made()), "embedding.W is frozen, but the optimizer has it",
    ),
    "no module": (
        lambda: trainer(Forgets(), Adam(made().parameters())),
        "net is .*Forgets.*, but must be an object with forward and backward and named_p",
    ),
    "no cache": (lambda: trainer(made(Alone)).fit(), r"returns an array .*\(outputs, cache"),
    "no training": (lambda: trainer(made(NoTraining)), "NoTraining.forward takes no training"),
    "an id in the validation part": (
        lambda: over([[0], [7]], [0], [1]),
        "id 7 is out of range: the net knows 3 symbols, so it must be 0 to 2",
    ),
    "gates of two sequences": (
        lambda: made().gates(THREE.batch([0, 1])), "batch has 2 sequences, but must have one",
    ),
    "a loss of classes for numbers": (
        lambda: Trainer(net := made(), Absolute(), Adam(net.parameters()), Numbers.data, [0], [1],
                        epochs=1),
        "Absolute needs .*; a loss of numbers says so, Absolute.measure = Regression",
    ),
    "no such column": (
        lambda: trainer(made()).history["val_loss"], "column is 'val_loss', but must be one of: ep",
    ),
    "settings with NumPy's numbers": (
        lambda: Checkpoint("c.npz", {"scale": np.float32(2)}),
        r"settings has 'scale': .*but must hold what JSON can.*x.item\(\)",
    ),
    "settings by numbers": (lambda: Checkpoint("c.npz", {3: 1}), "settings has 3: 1"),
    "no settings": (lambda: Checkpoint("c.npz", None), "settings is None, but must be a dict"),
    "seconds in words": (lambda: Checkpoint("c.npz", {}, "5"), "every_seconds is '5'"),
    "a net for settings": (lambda: save_net("n.npz", {}, made()), "net is {}, but must be"),
    "arrays in the settings": (
        lambda: save_net("n.npz", made(), {"mean": np.ones(3)}), "settings has 'mean'",
    ),
    "a net for build": (lambda: load_net("n.npz", made()), "build is .*but must be a function"),
    "a net to resume": (
        lambda: Checkpoint("c.npz", {}).resume(made()), "trainer is .*but must be a Trainer",
    ),
    "a net for a cell": (
        lambda: gradcheck.check_cell(RNN), r"RNN\(\) fails, but a cell must be made without arg",
    ),
    "sequences for a batch": (
        lambda: gradcheck.check_model(made(), THREE, CrossEntropy()), "batch is Sequences",
    ),
    "a loss that is not made": (
        lambda: gradcheck.check_model(made(), THREE.batch(ALL), CrossEntropy), "loss is .*but must",
    ),
    "a module for its state": (
        lambda: convert.from_pytorch(RNN(2, 3), RNN(2, 3)), "state is RNN.*module.state_dict",
    ),
    "nothing from Keras": (
        lambda: convert.from_keras(RNN(2, 3), None), "Keras's list is None, but must have an entry",
    ),
    "types of two kinds": (
        lambda: Adam([Parameter(np.ones(2)), Parameter(np.ones(3, "f4"))]),
        r"float32 and float64, but must be of one: Parameter\(3,\) of float32, Parameter\(2",
    ),
    "seconds since 1970": (
        lambda: Sequences([[0], [1]], [1.7e9, 1.7e9 + 60]),
        "labels go from 1700000000.0 to 1700000060.0, which float32 does not tell apart",
    ),
    "NaN at a step": (
        lambda: Sequences([np.ones((2, 1)), np.array([[1.0], [np.nan]])], [0, 1]),
        "no finite number of float32, in sequence 1 at step 1, but must not",
    ),
    "numbers and num_classes": (
        lambda: Sequences([[0], [1]], [0.5, 1.5], num_classes=2),
        "num_classes is 2; leave it out for numbers to be predicted",
    ),
    "names of classes": (
        lambda: Sequences([[0], [1]], ["up", "down"]), "of type <U4: classes have numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    act, words = REFUSED[name]
    with pytest.raises(MinirnnError, match=words) as error:
        act()
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_what_rounding_makes_different_is_taken():
    assert len(Sequences(np.array([[[1e6]], [[1e6 + 5]]], "f4"), [0, 1])) == 2
    assert len(Sequences([[[-3e38]], [[3e38]]], [0, 1])) == 2
    for numbers in (
        [1e6, 1e6 + 1],
        [1 + 1e-16, 1],
        [1e6 * (1 + 1e-15), 1e6],
        [5e8, 5e8],
        [2019.5, 2020.5],
    ):
        assert len(Sequences([[0], [1]], numbers)) == 2
    assert Sequences([[0], [1]], [1.7e9, 1.7e9 + 60], dtype="float64").labels.std() == 30


CHANGED = {
    "another optimiser": (dict(optimizer=AdamW), "with optimizer Adam.*but now optimizer is AdamW"),
    "another loss": (
        dict(loss=CrossEntropy(class_weight=[1.0, 9.0])), "made with loss Cross.*weight=#",
    ),
    "another split": (dict(train=[0, 2]), "with train part 2 places, #.*, but now train part is 2"),
    "another validation part": (dict(validation=[2]), "with validation part 3 places"),
    "other batches": (dict(batch_size=1), "made with batch_size 2, but now batch_size is 1; use"),
    "another limit": (dict(clip=1.0), "made with clip None, but now clip is 1.0"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_run_goes_on_with_what_it_was_made_of(name, tmp_path):
    change, words = CHANGED[name]

    def start(optimizer=Adam, **options):
        net = made()
        return trainer(net, optimizer(net.parameters()), **{"train": [0, 1], **options})

    checkpoint = Checkpoint(tmp_path / "c.npz", {})
    start().fit(lambda run: setattr(run, "stopped", run.step == 1), checkpoint)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.resume(start(**change))
    again = start()
    checkpoint.resume(again)
    assert again.step == 1


def test_nothing_is_taken_up_of_a_stranger_whose_optimiser_does_not_fit(tmp_path):
    """The one array of which more is asked than that its numbers are finite."""
    net = made()
    run = trainer(net)
    run.fit()
    arrays, facts = run.state_dict()
    arrays["optimizer.v.0"] = -arrays["optimizer.v.0"] - 1
    other = trainer(made())
    before = other.net.state_dict()
    with pytest.raises(CheckpointError, match="v.0 must be of finite numbers, at least 0"):
        other.load_state_dict(arrays, facts)
    assert all(np.array_equal(a, before[name]) for name, a in other.net.state_dict().items())
    assert other.step == 0 and other.batches is None


def test_own_names_for_what_is_said_at_every_step():
    """The letters of a net belong to it, and an id is a whole number."""
    from minirnn.text.continuation import go_on, written
    from minirnn.text.corpus import Text, ids_of

    net, rng = StepModel(3, 3, hidden_size=4), np.random.default_rng(0)
    assert len(written(net, "abc", [0], rng, 5)) == 5
    for act, error, words in [
        (lambda: written(net, "a", [0], rng, 50), ArgumentError, "1 letters, but the net says num"),
        (lambda: written(net, "abc", [0], rng, "5"), ArgumentError, "length is '5'"),
        (lambda: go_on(net, "the ", rng), ArgumentError, "whole numbers, as ids_of.text, letters."),
        (lambda: go_on(net, [0.5], rng), ArgumentError, "ids has 0.5, but must be a list of whole"),
        (lambda: Text(b"abc", "x"), ArgumentError, "text is b'abc', but must be text"),
        (lambda: ids_of(5, "abc"), ArgumentError, "text is 5, but must be text"),
        (lambda: Text("ab" * 50, "x").pieces(0, 4), ArgumentError, "steps is 0"),
        (lambda: Text("ab" * 50, "x").pieces(16.0, 4), ArgumentError, "steps is 16.0"),
        (lambda: Text("ab" * 50, "x").pieces(16, -1), ArgumentError, "streams is -1"),
        (lambda: Text("a\udc80" * 9, "x").pieces(1, 99), DataError, "x has 18 letters"),
    ]:
        with pytest.raises(error, match=words):
            act()


def test_a_cell_that_is_given_stays_the_first_layers():
    cell, rng = IndCell(5), np.random.default_rng(0)
    cell.rng = rng
    net = NameClassifier(3, 2, cell=cell, hidden_size=5, num_layers=2, rng=rng)
    first, second = (layer.cell for layer in net.recurrent.layers)
    assert first is cell and second is not cell and second.rng is rng

    cell.file = open(__file__)  # noqa: SIM115  closed below
    with cell.file, pytest.raises(CellError, match="IndCell cannot be copied .*: give its class"):
        NameClassifier(3, 2, cell=cell, hidden_size=5, num_layers=2)


def test_what_stands_in_itself_is_gone_through_once():
    net = made()
    net.notes = {"words": ["a"] * 1000}
    net.notes["self"] = net.notes
    assert len(net.parameters()) == len(made().parameters())


def test_a_bias_may_be_left_out():
    net = made()
    net.linear.b = None
    assert "linear.b" not in net.named_parameters()


class Counting(CrossEntropy):
    """It changes while the net is trained."""

    calls = 0

    def forward(self, *arguments):
        self.calls += 1
        return super().forward(*arguments)


@pytest.mark.parametrize("before, after", [
    (dict(clip=5), dict(clip=5.0)), (dict(loss=Counting()), dict(loss=Counting())),
])  # fmt: skip
def test_a_run_goes_on_where_only_the_writing_differs(before, after, tmp_path):
    checkpoint = Checkpoint(tmp_path / "c.npz", {})
    trainer(made(), **before).fit(lambda run: setattr(run, "stopped", run.step == 1), checkpoint)
    again = trainer(made(), **after)
    checkpoint.resume(again)
    assert again.step == 1


def test_an_older_checkpoint_is_taken_up():
    run = trainer(made())
    run.fit(lambda run: setattr(run, "stopped", run.step == 1))
    arrays, facts = run.state_dict()
    del facts["made_of"]
    again = trainer(made(), clip=1.0)
    again.load_state_dict(arrays, facts)
    assert again.step == 1


def test_the_square_error_says_what_it_measures():
    net = NameClassifier(2, 1, hidden_size=4)
    options = dict(epochs=1, batch_size=2)
    run = Trainer(
        net, MeanSquaredError(), Adam(net.parameters()), Numbers.data, [0], [1], **options
    )
    assert run.fit()["validation_rmse"]
