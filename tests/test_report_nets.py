"""The nets of the lab reports: as they print themselves, how much they learn, what they compute."""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import minirnn
from minirnn import gradcheck, gradient_flow
from minirnn.batches import Batch, Sequences
from minirnn.cells import GRUCell, LSTMCell, RNNCell
from minirnn.data import Alphabet, Names, load_names
from minirnn.errors import CheckpointError, DataError, NumberError
from minirnn.losses import CrossEntropy
from minirnn.recurrent import Recurrent
from minirnn.reports import copying, generation, nets, online, runs
from minirnn.reports.adding import Adder
from minirnn.reports.adding import draw as draw_adding

ROOT = Path(minirnn.__file__).resolve().parents[1]

PRINTED = {
    "A": """RNN(
  (i2h): Linear(in_features=185, out_features=128, bias=True)
  (i2o): Linear(in_features=185, out_features=18, bias=True)
  (softmax): LogSoftmax(dim=1)
)""",
    "B": """LSTM(
  (i2f): Linear(in_features=185, out_features=128, bias=True)
  (i2i): Linear(in_features=185, out_features=128, bias=True)
  (i2o): Linear(in_features=185, out_features=128, bias=True)
  (i2c): Linear(in_features=185, out_features=128, bias=True)
  (out): Linear(in_features=128, out_features=18, bias=True)
  (softmax): LogSoftmax(dim=1)
)""",
    "C": """GRU(
  (i2z): Linear(in_features=185, out_features=128, bias=True)
  (i2r): Linear(in_features=185, out_features=128, bias=True)
  (i2n): Linear(in_features=185, out_features=128, bias=True)
  (out): Linear(in_features=128, out_features=18, bias=True)
  (softmax): LogSoftmax(dim=1)
)""",
    "D": """BuiltinLSTM(
  (lstm): LSTM(57, 128)
  (linear): Linear(in_features=128, out_features=18, bias=True)
  (softmax): LogSoftmax(dim=1)
)""",
    "E": """OutputGateLSTM(
  (forget_gate): Linear(in_features=185, out_features=128, bias=True)
  (input_gate): Linear(in_features=185, out_features=128, bias=True)
  (cell_update): Linear(in_features=185, out_features=128, bias=True)
  (output_gate): Linear(in_features=185, out_features=128, bias=True)
  (classify): Linear(in_features=128, out_features=18, bias=True)
  (softmax): LogSoftmax(dim=1)
)""",
    "F": """Generator(
  (i2h): Linear(in_features=205, out_features=128, bias=True)
  (i2o): Linear(in_features=205, out_features=59, bias=True)
  (o2o): Linear(in_features=187, out_features=59, bias=True)
  (dropout): Dropout(p=0.1, inplace=False)
  (softmax): LogSoftmax(dim=1)
)""",
}

GATE = 185 * 128 + 128  # a Linear(185, 128)
COUNTS = {
    "A": GATE + 185 * 18 + 18,
    "B": 4 * GATE + 128 * 18 + 18,
    "C": 3 * GATE + 128 * 18 + 18,
    "D": 4 * 128 * (57 + 128 + 2) + 128 * 18 + 18,
    "E": 4 * GATE + 128 * 18 + 18,
    "F": (205 * 128 + 128) + (205 * 59 + 59) + (187 * 59 + 59),
}
VARIANTS = ("A+tanh", "A+new", "A+both", "B+empty")


def made(kind, seed=0):
    return runs.build(kind, 18, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", PRINTED)
def test_prints_the_reports_form(kind):
    assert repr(made(kind)) == PRINTED[kind]


@pytest.mark.parametrize("kind", [*COUNTS, *VARIANTS])
def test_number_of_parameters(kind):
    assert made(kind).number_of_parameters() == COUNTS[kind[0]]


@pytest.mark.parametrize("kind", [*COUNTS, *VARIANTS])
def test_first_values_are_those_of_the_printed_layers(kind):
    """Weights and biases alike fill the range of `nn.Linear` on all its inputs, or `nn.LSTM`."""
    bounds = {"out": 128, "o2o": 187, "lstm": 128, "recurrent": 185}
    bounds |= {"i2h": 205, "i2o": 205} if kind == "F" else {"i2h": 185, "i2o": 185}
    for name, parameter in made(kind).named_parameters().items():
        bound, data = bounds[name.partition(".")[0]] ** -0.5, parameter.data
        assert abs(data).max() <= bound and abs(data).max() > 0.85 * bound, name
        assert data.size < 1000 or abs(data.std() / bound - 3**-0.5) < 0.03, name
        assert data.dtype == np.float32


def test_reads_is_checked():
    with pytest.raises(ValueError, match="'last'.*previous, new"):
        nets.ReportRNN(rng=np.random.default_rng(0), reads="last")


# Gradients: packed names of 4, 3, 2 and 1 letters, and one alone, as they are trained

SMALL = {
    "A": nets.ReportRNN,
    "A+tanh": lambda *sizes, **o: nets.ReportRNN(*sizes, nonlinearity="tanh", **o),
    "A+new": lambda *sizes, **o: nets.ReportRNN(*sizes, reads="new", **o),
    "A+both": lambda *sizes, **o: nets.ReportRNN(*sizes, nonlinearity="tanh", reads="new", **o),
    "B": nets.ReportLSTM,
    "B+empty": nets.EmptiedLSTM,
    "C": nets.ReportGRU,
    "D": nets.BuiltinLSTM,
    "E": nets.OutputGateLSTM,
}
SIZES = {"four": [4, 3, 2, 1], "one": [1, 1, 1, 1], "one letter": [1], "two of one": [3, 1]}


def ids_batch(rng, sizes, V=7, K=3):
    x = rng.integers(0, V, sum(sizes))
    return Batch(x, sizes, rng.integers(0, K, sizes[0]), None)


def rows_batch(rng, sizes, V=7, K=3):
    """What the generator reads: a category and a letter in each row, a label for each."""
    S = sum(sizes)
    x = np.stack([rng.integers(0, K, S), K + rng.integers(0, V, S)], axis=1)
    return Batch(x, sizes, rng.integers(0, V, S), None)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", SMALL)
def test_gradients(kind, sizes):
    rng = np.random.default_rng(1)
    net = SMALL[kind](7, 3, 5, rng=rng, dtype="float64")
    report = gradcheck.check_model(net, ids_batch(rng, sizes), CrossEntropy())
    assert report, report


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_gradients_of_the_generator(sizes):
    rng = np.random.default_rng(1)
    net = nets.Generator(7, 3, 5, 0.0, rng=rng, dtype="float64")
    report = gradcheck.check_model(net, rows_batch(rng, sizes), CrossEntropy("sum"))
    assert report, report


@pytest.mark.parametrize("cell", [nets.OutputGateCell, nets.EmptiedCell])
def test_gradients_of_the_reports_own_cells(cell):
    report = gradcheck.check_cell(cell)
    assert report, report


def test_the_wide_rnn_has_as_many_parameters_as_the_lstm():
    wide, lstm = (made(kind).number_of_parameters() for kind in ("A+wide", "B"))
    assert abs(wide - lstm) < 100
    (name,) = [n for n, p in made("A+wide").named_parameters().items() if p.shape == (1, 275, 275)]
    assert name == "i2h.Wh"


def test_an_emptied_cell_remembers_nothing_but_h():
    """Another c_prev changes nothing, and gets no gradient; with f open it would."""
    rng = np.random.default_rng(3)
    net = nets.EmptiedLSTM(7, 3, 5, rng=rng, dtype="float64").recurrent
    x, h = rng.integers(0, 7, (4, 2)), rng.standard_normal((2, 5))
    states = [(h, rng.standard_normal((2, 5))) for _ in range(2)]
    (y, _, cache), (other, _, _) = (net.forward(x, state=state) for state in states)
    np.testing.assert_array_equal(y, other)
    _, (dh, dc) = net.backward(np.ones_like(y), cache)
    assert dh.any() and not dc.any()


@pytest.mark.parametrize("kind, words", [("B", "Abel"), ("A+last2", "el"), ("B+last5", "Abel")])
def test_what_a_net_sees_of_a_name(kind, words):
    names = Names(["Abel", "Xu"], np.array([0, 1]), ["En", "Zh"], "here")
    run = runs.Run(kind, "reports", 0, 5, "", None, "")
    assert runs.seen(names, run).names == [words, "Xu"] and names.names[0] == "Abel"


def test_shuffled_letters():
    """The same letters, in an order that belongs to the seed and not to the moment."""
    names = load_names()
    first, again, other = (
        runs.seen(names, runs.Run("B+shuffled", "reports", seed, 5, "", None, "")).names
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert all(sorted(a) == sorted(b) for a, b in zip(first, names.names, strict=True))
    assert sum(a != b for a, b in zip(first, names.names, strict=True)) > 0.95 * len(first)


# Several names at once are the same as one at a time


@pytest.mark.parametrize("kind", SMALL)
def test_a_batch_is_its_names(kind):
    rng = np.random.default_rng(2)
    net = SMALL[kind](7, 3, 5, rng=rng, dtype="float64")
    names = [rng.integers(0, 7, T) for T in (1, 4, 2, 6, 1)]
    sequences = Sequences(names, np.zeros(5, int), 3, 7)
    batch = sequences.batch(np.arange(5))
    together = net.forward(batch)[0]
    for row, k in zip(together, batch.index, strict=True):
        alone = net.forward(sequences.batch(np.array([k])))[0][0]
        np.testing.assert_allclose(row, alone, rtol=1e-12, atol=1e-14)


def test_a_batch_of_the_generator_is_its_names():
    rng = np.random.default_rng(2)
    net = nets.Generator(7, 3, 5, 0.0, rng=rng, dtype="float64")
    batch = rows_batch(rng, [3, 2, 2, 1])
    together = net.forward(batch)[0]
    rows = {0: [0, 3, 5, 7], 1: [1, 4, 6], 2: [2]}
    for mine in rows.values():
        alone = net.forward(Batch(batch.x[mine], [1] * len(mine), None, None))[0]
        np.testing.assert_allclose(together[mine], alone, rtol=1e-12, atol=1e-14)


def test_as_printed_the_last_state_is_never_read():
    """The last letter reaches the logits through i2o alone, so h_T's way does not matter."""
    rng = np.random.default_rng(3)
    net = nets.ReportRNN(7, 3, 5, rng=rng, dtype="float64")
    batch = ids_batch(rng, [1, 1, 1])
    D, (a, b, c) = 7, batch.x
    Wx, Wh, bx = net.i2h.Wx.data[0], net.i2h.Wh.data[0], net.i2h.bx.data[0]
    h = (Wx[a] + bx) @ Wh + Wx[b] + bx
    logits = net.i2o.W.data[c] + h @ net.i2o.W.data[D:] + net.i2o.b.data
    np.testing.assert_allclose(net.forward(batch)[0][0], logits, rtol=1e-13)


def test_the_mistake_of_net_e():
    """It classifies o; the same weights in net B classify o tanh(c)."""
    rng = np.random.default_rng(4)
    wrong = nets.OutputGateLSTM(7, 3, 5, rng=rng, dtype="float64")
    right = nets.ReportLSTM(7, 3, 5, rng=rng, dtype="float64")
    right.load_state_dict(wrong.state_dict())
    batch = ids_batch(rng, [1, 1, 1])
    gates = right.gates(batch)
    np.testing.assert_allclose(
        wrong.forward(batch)[0], gates["o"][-1:] @ wrong.out.W.data + wrong.out.b.data, rtol=1e-13
    )
    assert abs(wrong.forward(batch)[0] - right.forward(batch)[0]).max() > 0.01


# The same nets in PyTorch, as examples/benchmark_reports.py writes them


def benchmark():
    path = ROOT / "examples" / "benchmark_reports.py"
    if not path.is_file():
        pytest.skip("needs a checkout: the examples are not installed")
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("benchmark_reports", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", COUNTS)
def test_same_as_in_pytorch(kind):
    module = benchmark()
    import torch

    net, alphabet = made(kind), runs.alphabet_of(kind)
    V, K = len(alphabet) + (kind == "F"), 18
    twin = module.torch_net(kind, V, K)
    twin.load_state_dict(module.torch_state(kind, net))
    twin.eval()  # no dropout
    assert sum(p.numel() for p in twin.parameters()) == net.number_of_parameters()
    ids = alphabet.encode("Nguyen")
    if kind == "F":
        batch, width = runs.generator_batch(4, ids, K, len(alphabet)), K + V
        loss = CrossEntropy("sum")
    else:
        batch, width = Batch(ids, [1] * len(ids), np.array([4]), None), V
        loss = CrossEntropy()
    logits, cache = net.forward(batch)
    value, loss_cache = loss.forward(logits, batch.labels)
    net.backward(loss.backward(loss_cache), cache)
    output = twin(module.torch_input(kind, batch, width))
    theirs = torch.nn.functional.nll_loss(output, torch.from_numpy(batch.labels), reduction="sum")
    theirs.backward()
    assert abs(float(value) - theirs.item()) < 1e-5 * theirs.item()

    for parameter in net.parameters():  # a net whose weights are its gradients hands these out
        parameter.data[...] = parameter.grad
    gradients = module.torch_state(kind, net)
    for name, parameter in twin.named_parameters():
        ours = gradients[name] if not name.endswith("bias_hh_l0") else gradients["lstm.bias_ih_l0"]
        error = (ours - parameter.grad).norm() / parameter.grad.norm()
        assert error < 1e-5, f"{name}: relative error {error:.1e}"


def test_weights_from_and_to_a_real_lstm():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.linear = torch.nn.LSTM(57, 128), torch.nn.Linear(128, 18)

    theirs, net = Theirs(), made("D")
    state = {name: p.detach().numpy().copy() for name, p in theirs.state_dict().items()}
    net.from_pytorch(state)
    batch = ids_batch(np.random.default_rng(0), [1] * 6, 57, 18)
    rows = torch.eye(57)[torch.from_numpy(batch.x)][:, None]
    expected = theirs.linear(theirs.lstm(rows)[0][-1]).detach().numpy()
    np.testing.assert_allclose(net.forward(batch)[0], expected, atol=1e-6)
    back = net.to_pytorch()
    assert list(back) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array)
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in back.items()})


@pytest.mark.parametrize("missing", ["linear.weight", "linear.bias", "lstm.weight_hh_l0"])
def test_weights_that_do_not_fit_change_nothing(missing):
    net, state = made("D", 1), made("D", 2).to_pytorch()
    before = net.state_dict()
    del state[missing]
    with pytest.raises(CheckpointError, match=missing.partition(".")[2]):
        net.from_pytorch(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# Training one name at a time


def tiny_trainer(iterations=120, lr=0.05, measure=None, decay=False):
    rng = np.random.default_rng(0)
    net = nets.ReportLSTM(5, 3, 6, rng=rng)
    sequences = Sequences([rng.integers(0, 5, 3) for _ in range(9)], np.arange(9) % 3, 3, 5)
    batches = [sequences.batch(np.array([k])) for k in range(9)]
    classes = [np.arange(9)[sequences.labels == c] for c in range(3)]
    return online.OnlineTrainer(
        net, CrossEntropy(), batches, classes, rng=rng, lr=lr, iterations=iterations,
        measure=measure, decay=decay,
    )  # fmt: skip


def test_a_step_is_plain_sgd():
    trainer = tiny_trainer()
    before = trainer.net.state_dict()
    net, batch = copy.deepcopy(trainer.net), trainer.batches[4]
    logits, cache = net.forward(batch)
    _, loss_cache = trainer.loss.forward(logits, batch.labels)
    net.backward(trainer.loss.backward(loss_cache), cache)
    gradients = {name: p.grad.copy() for name, p in net.named_parameters().items()}
    trainer.step(batch)
    for name, array in trainer.net.state_dict().items():
        np.testing.assert_allclose(array, before[name] - 0.05 * gradients[name], atol=1e-7)
    trainer.step(batch)  # gradients do not pile up, and are those of lr times the loss
    assert all(
        np.linalg.norm(p.grad) < 1.5 * 0.05 * np.linalg.norm(gradients[name])
        for name, p in trainer.net.named_parameters().items()
    )


def test_a_learning_rate_of_numpy_leaves_the_gradients_their_type():
    trainer, types = tiny_trainer(lr=np.float64(0.05)), []
    backward = trainer.net.backward
    trainer.net.backward = lambda dy, cache: types.append(dy.dtype) or backward(dy, cache)
    trainer.step(trainer.batches[4])
    assert types == [np.dtype("float32")]


def test_a_learning_rate_that_falls_is_nothing_at_the_end():
    rates = []
    for decay in (False, True):
        trainer = tiny_trainer(decay=decay)
        seen = []
        trainer.fit(progress=lambda _, t=trainer, seen=seen: seen.append(t.optimizer.lr))
        rates.append(seen)
    assert set(rates[0]) == {0.05} and len(rates[1]) == online.POINTS
    np.testing.assert_allclose(rates[1], 0.05 * np.arange(60, 0, -1) / 60)


def test_classes_are_drawn_evenly_then_a_member():
    trainer = tiny_trainer()
    trainer.sizes, trainer.starts = np.array([1, 2, 6]), np.array([0, 1, 3])
    trainer.order = np.arange(9)
    counts = np.bincount(trainer.draw(36_000), minlength=9) / 36_000
    np.testing.assert_allclose(counts, [1 / 3, *[1 / 6] * 2, *[1 / 18] * 6], atol=0.01)


def test_a_stopped_run_goes_on_with_the_same_bits():
    whole, kept = tiny_trainer(), []
    assert whole.fit() is True

    first = tiny_trainer()

    def checkpoint(trainer):
        kept.append(trainer.state_dict())

    assert first.fit(None, checkpoint, stopped=lambda: len(kept) == 30) is False
    second = tiny_trainer()
    second.load_state_dict(*kept[-1])
    assert 0 < second.iteration < 120
    assert second.fit() is True
    assert second.history == whole.history and len(whole.history) == online.POINTS
    for name, array in whole.net.state_dict().items():
        np.testing.assert_array_equal(second.net.state_dict()[name], array)


def test_best_weights_are_kept():
    scores = iter([0.1, 0.5, 0.3, *[0.2] * 57])
    trainer, seen = tiny_trainer(measure={"validation": lambda net: next(scores)}), []
    trainer.fit(None, lambda t: seen.append(t.net.state_dict()))
    assert trainer.best_iteration == 4
    for name, array in trainer.best.items():
        np.testing.assert_array_equal(array, seen[1][name])


def test_a_bad_loss_stops_the_run():
    trainer = tiny_trainer()
    trainer.net.out.b.data[0] = np.nan
    with pytest.raises(NumberError, match="smaller learning rate"):
        trainer.fit()


@pytest.mark.parametrize("protocol", runs.PROTOCOLS)
def test_a_net_that_diverges_has_a_result_too(protocol, tmp_path, monkeypatch):
    """Its loss is finite for two rows; then the weights are what no loss survives."""
    names = load_names()
    monkeypatch.setenv("MINIRNN_CHECKPOINT_SECONDS", "0")
    run = runs.Run("A", protocol, 0, 600, names.digest(), None, str(tmp_path))
    add_row = online.OnlineTrainer.add_row

    def spoil(trainer):
        add_row(trainer)
        if len(trainer.history) == 2:
            trainer.net.i2o.b.data[:] = np.nan

    monkeypatch.setattr(online.OnlineTrainer, "add_row", spoil)
    result = runs.train(run)
    assert result["diverged"] == 20 and len(result["history"]) == 2
    assert "train" not in result and "confusion" not in result and result["lr"] == 0.005
    assert ("unseen_stopped" in result) == (protocol == "held-out")
    assert runs.train(run) == result and run.result() == result  # read, not trained again
    assert not run.path("npz").exists() and not run.begun()


def test_a_learning_rate_of_its_own(tmp_path):
    """It is in the file's name and in the result, and the weights move by it."""
    names = load_names()
    slow, usual, fast = (
        runs.Run("A", "held-out", 0, 120, names.digest(), None, str(tmp_path), lr)
        for lr in (1e-9, None, 0.005)
    )
    assert slow.name == "A-1e-09-held-out-0" and usual.name == fast.name == "A-held-out-0"
    results = [runs.train(run) for run in (slow, usual)]
    assert [result["lr"] for result in results] == [1e-9, 0.005]
    assert results[0]["validation"] != results[1]["validation"]
    losses = [[row["loss"] for row in result["history"]] for result in results]
    assert losses[0] != losses[1] and fast.result() == results[1]


def test_a_damaged_checkpoint_is_refused():
    arrays, facts = tiny_trainer().state_dict()
    del facts["rng"]
    with pytest.raises(CheckpointError, match="not whole"):
        tiny_trainer().load_state_dict(arrays, facts)


# Writing names


def writer(end_bias=0.0):
    net = nets.Generator(5, 2, 4, rng=np.random.default_rng(0))
    net.o2o.b.data[-1] += end_bias
    return net


def test_a_name_begins_as_asked_and_ends_where_the_net_says():
    rng = np.random.default_rng(0)
    assert generation.write_name(writer(50.0), 1, [2, 3], rng) == [2, 3]
    long = generation.write_name(writer(-50.0), 1, [2, 3], rng, longest=9)
    assert long[:2] == [2, 3] and len(long) == 9 and max(long) < 4


def test_writing_letter_by_letter_is_one_forward_pass():
    """At a low temperature each letter is the likeliest one that a pass over all before gives."""
    net = nets.Generator(9, 2, 6, rng=np.random.default_rng(4))
    for parameter in net.parameters():
        parameter.data *= 2.5  # so that what was written before matters
    net.o2o.b.data[-1] -= 99
    ids = generation.write_name(net, 1, [2], np.random.default_rng(0), temperature=1e-6, longest=8)
    assert len(set(ids)) > 2
    rows = np.array([[1, 2 + k] for k in ids])
    logits, _ = net.forward(Batch(rows, [1] * 8, None, None))
    assert logits.argmax(axis=1)[:-1].tolist() == ids[1:]


def test_a_temperature_near_nothing_leaves_the_likeliest_letter():
    net, draws = writer(), [np.random.default_rng(seed) for seed in (0, 1)]
    one, two = (generation.write_name(net, 1, [0], rng, 1e-320) for rng in draws)
    assert one == two and len(one) > 1


def test_what_written_names_are_worth():
    names = Names(["Anna", "Bo", "Cy"], np.array([0, 1, 1]), ["X", "Y"], "test")
    texts, labels = ["ANNA", "Dan", "dan", "Eve"], np.array([0, 0, 1, 1])
    found = generation.worth(texts, labels, names, lambda texts: np.array([0, 1, 1, 1]))
    assert found == {"new": 0.75, "distinct": 0.75, "right": 0.75}


@pytest.mark.parametrize("start", ["é7", "", "a\nb"])
def test_first_letters_that_are_unknown(start):
    with pytest.raises(DataError, match="knows only these characters: abc"):
        generation.check_start(start, Alphabet(string_of_letters()))


def string_of_letters():
    return "abcdefghijklmnopqrstuvwxyz"


# Gradients through time


@pytest.mark.parametrize("cell", [RNNCell, LSTMCell, GRUCell])
def test_jacobians_against_the_complex_step(cell):
    rng = np.random.default_rng(5)
    net = Adder(cell, 4, rng=rng, dtype="float64").recurrent
    x = rng.standard_normal((3, 2))
    jacobians = gradient_flow.step_jacobians(net, x)
    found, _ = gradient_flow.steps(net, x[:, None])
    state = tuple(rng.standard_normal((1, 4)) * 0 for _ in net.cell.states)
    for t in range(3):
        if t:
            state = found[t][0]
        M = 4 * len(state)
        expected = np.empty((M, M))
        for j in range(M):
            moved = np.concatenate(state, axis=1).astype("complex128")
            moved[0, j] += 1e-30j
            parts = tuple(np.split(moved, len(state), axis=1))
            _, after, _ = net.forward(x[t : t + 1, None].astype("complex128"), state=parts)
            expected[:, j] = np.concatenate(after, axis=1)[0].imag / 1e-30
        np.testing.assert_allclose(jacobians[t], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("cell", [RNNCell, LSTMCell, GRUCell])
def test_gradient_norms_follow_the_jacobians(cell):
    rng = np.random.default_rng(6)
    net = Adder(cell, 4, rng=rng, dtype="float64").recurrent
    x, dlast = rng.standard_normal((5, 1, 2)), rng.standard_normal((1, 4))
    norms = gradient_flow.gradient_norms(net, x, dlast)
    d = np.concatenate([dlast, *[np.zeros((1, 4))] * (len(net.cell.states) - 1)], axis=1)
    for t, jacobian in reversed(list(enumerate(gradient_flow.step_jacobians(net, x[:, 0])))):
        for k, name in enumerate(net.cell.states):
            part = np.linalg.norm(d[0, 4 * k : 4 * k + 4])
            np.testing.assert_allclose(norms[name][t], part, rtol=1e-10, atol=1e-14)
        d = d @ jacobian
    assert all(not p.grad.any() for p in net.parameters())


def test_singular_values():
    rng = np.random.default_rng(7)
    jacobians = rng.standard_normal((3, 4, 4))
    one, products = gradient_flow.singular_values(jacobians)
    np.testing.assert_allclose(one, [np.linalg.norm(j, 2) for j in jacobians])
    np.testing.assert_allclose(products[2], one[2])
    np.testing.assert_allclose(
        products[0], np.linalg.norm(jacobians[2] @ jacobians[1] @ jacobians[0], 2)
    )


def test_copy_problem():
    ids, symbols = copying.draw(np.random.default_rng(0), 5, 40)
    assert ids.shape == (11, 40) and symbols.shape == (120,)
    np.testing.assert_array_equal(ids[:3].ravel(), symbols)
    assert set(symbols) == set(range(8)) and (ids[[3, 4, 5, 6]] == 8).all()
    assert (ids[7] == 9).all() and (ids[8:] == 8).all()


def test_gradients_of_the_net_that_copies():
    rng = np.random.default_rng(1)
    net = copying.Copier(
        Recurrent(GRUCell, 10, 4, rng=rng, dtype="float64"), rng=rng, dtype="float64"
    )
    ids, symbols = copying.draw(rng, 3, 2)
    loss = CrossEntropy()
    logits, cache = net.forward(ids)
    net.backward(loss.backward(loss.forward(logits, symbols)[1]), cache)
    for name, parameter in net.named_parameters().items():
        place = tuple(rng.integers(n) for n in parameter.shape)
        values = []
        for step in (1e-6, -2e-6):
            parameter.data[place] += step
            values.append(float(loss.forward(net.forward(ids)[0], symbols)[0]))
        parameter.data[place] += 1e-6
        slope = (values[0] - values[1]) / 2e-6
        assert parameter.grad[place] == pytest.approx(slope, rel=1e-5, abs=1e-9), name


def test_adding_problem():
    x, target = draw_adding(np.random.default_rng(0), 11, 200)
    assert x.shape == (11, 200, 2) and target.shape == (200, 1) and x.dtype == np.float32
    np.testing.assert_array_equal(x[:, :, 1].sum(axis=0), 2)
    assert (x[:5, :, 1].sum(axis=0) == 1).all()
    np.testing.assert_allclose((x[:, :, 0] * x[:, :, 1]).sum(axis=0), target[:, 0], rtol=1e-6)
    assert abs(((target - 1) ** 2).mean() - 1 / 6) < 0.03
