"""What other frameworks compute for the same weights, frozen by `make_gold.py`, is computed here.

Needs NumPy alone: the files in tests/gold hold inputs, weights in the framework's own layout,
outputs and, from PyTorch and Keras, every gradient. Reading them goes through `minirnn.convert`,
so a swapped gate or a transposed weight there shows as well.
"""

from pathlib import Path

import numpy as np
import pytest

from minirnn import convert
from minirnn.errors import CheckpointError, ShapeError
from minirnn.layers import Linear
from minirnn.losses import CrossEntropy
from minirnn.optim import SGD, Adam, AdamW, clip_grad_norm, cosine, one_cycle, step_decay
from minirnn.parameters import Parameter
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN, Stack

GOLD = Path(__file__).parent / "gold"
TOLERANCE = 1e-10


def load(name):
    with np.load(GOLD / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def cases(prefix):
    """The names of the files of one framework's layers, for readable test ids."""
    kinds = ("rnn", "simplernn", "lstm", "gru")
    names = sorted(path.stem for path in GOLD.glob(f"{prefix}_*.npz"))
    found = [name for name in names if name.split("_")[1] in kinds]
    assert found, f"no gold files of {prefix} in {GOLD}: run tests/tools/make_gold.py"
    return found


def error(a, n):
    """|a - n| / max(|a|, |n|) in the 2-norm; 0 where both are 0."""
    a, n = np.asarray(a), np.asarray(n)
    assert a.shape == n.shape, f"shapes {a.shape} and {n.shape}"
    largest = max(np.linalg.norm(a), np.linalg.norm(n))
    return np.linalg.norm(a - n) / largest if largest else 0.0


def assert_same(name, a, n, tolerance=TOLERANCE):
    assert np.linalg.norm(n) > 0, f"{name}: gold is all zeros and would prove nothing"
    assert error(a, n) <= tolerance, f"{name}: relative error {error(a, n):.2e}"


def net_of(gold, input_size=None, biases=None, dtype="float64"):
    """A net of the shape of a gold case, with other weights than it."""
    kind = str(gold["kind"])
    D = gold["x"].shape[-1] if input_size is None else input_size
    H = gold["h0"].shape[-1]
    options = {
        "num_layers": int(gold["num_layers"]),
        "bidirectional": int(gold["directions"]) == 2,
        "biases": (2 if gold["bias"] else 0) if biases is None else biases,
        "rng": np.random.default_rng(0),
        "dtype": dtype,
    }
    if kind == "lstm":
        return LSTM(D, H, **options)
    if kind.startswith("gru"):
        return GRU(D, H, reset_after=kind != "gru_before", **options)
    return RNN(D, H, nonlinearity="relu" if kind == "rnn_relu" else "tanh", **options)


def states(net):
    return net.layers[0].cell.states


def check_forward(net, gold):
    state = tuple(gold[f"{s}0"] for s in states(net))
    sizes = [int(n) for n in gold["sizes"]] if "sizes" in gold else None
    output, final, cache = net.forward(gold["x"], sizes, state)
    assert_same("output", output, gold["output"])
    for name, array in zip(states(net), final, strict=True):
        assert_same(f"{name}n", array, gold[f"{name}n"])
    return cache


def check_backward(net, gold, cache):
    dfinal = tuple(gold[f"d{s}n"] for s in states(net))
    dx, dstate = net.backward(gold["doutput"], cache, dfinal)
    assert_same("dx", dx, gold["dx"])
    for name, array in zip(states(net), dstate, strict=True):
        assert_same(f"d{name}0", array, gold[f"d{name}0"])


def pytorch_weights(gold, part="w"):
    return {key[2:]: array for key, array in gold.items() if key.startswith(f"{part}.")}


def keras_weights(gold, part="w"):
    kinds = (
        ("kernel", "recurrent_kernel", "bias") if gold["bias"] else ("kernel", "recurrent_kernel")
    )
    count = int(gold["num_layers"] * gold["directions"])
    return [[gold[f"{part}.{kind}.{k}"] for kind in kinds] for k in range(count)]


def onnx_weights(gold):
    keys = "WRB" if gold["bias"] else "WR"
    return [{key: gold[f"w.{key}.{k}"] for key in keys} for k in range(gold["num_layers"])]


def fill(net, name, gold):
    """Give the net the weights of a gold case, from whichever framework it came."""
    if name.startswith("pytorch"):
        convert.from_pytorch(net, pytorch_weights(gold))
    elif name.startswith("keras"):
        reset_after = {"gru_after": True, "gru_before": False}.get(str(gold["kind"]))
        convert.from_keras(net, keras_weights(gold), reset_after)
    else:
        convert.from_onnx(net, onnx_weights(gold), int(str(gold["kind"]) == "gru_after"))


# Layers: outputs, states and all gradients


@pytest.mark.parametrize("name", cases("pytorch"))
def test_pytorch_layer(name):
    gold = load(name)
    net = net_of(gold)
    fill(net, name, gold)
    check_backward(net, gold, check_forward(net, gold))
    gradients, expected = convert.gradients_to_pytorch(net), pytorch_weights(gold, "g")
    assert list(gradients) == list(expected)
    for key, array in expected.items():
        assert_same(key, gradients[key], array)


@pytest.mark.parametrize("name", cases("keras"))
def test_keras_layer(name):
    gold = load(name)
    net = net_of(gold)
    fill(net, name, gold)
    check_backward(net, gold, check_forward(net, gold))
    # A net whose weights are its gradients hands these out in Keras's layout. Where Keras has one
    # bias, its gradient is that of our first: the second must not be added.
    for parameter in net.parameters():
        parameter.data[...] = parameter.grad
    if str(gold["kind"]) != "gru_after":
        for layer in net.layers:
            if layer.bh is not None:
                layer.bh.data[...] = 0
    for k, (ours, theirs) in enumerate(
        zip(convert.to_keras(net), keras_weights(gold, "g"), strict=True)
    ):
        for j, (array, expected) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(f"gradient {j} of entry {k}", array, expected)


@pytest.mark.parametrize("name", cases("onnx"))
def test_onnx_nodes(name):
    gold = load(name)
    net = net_of(gold)
    fill(net, name, gold)
    check_forward(net, gold)


ONE_BIAS = [
    name
    for name in cases("*")
    if "nobias" not in name and ("gru" not in name or "gru_before" in name)
]


@pytest.mark.parametrize("name", ONE_BIAS)
def test_one_bias_is_the_sum_of_two(name):
    gold = load(name)
    net = net_of(gold, biases=1)
    fill(net, name, gold)
    check_forward(net, gold)


# Weights there and back


@pytest.mark.parametrize("name", cases("*"))
def test_round_trip_is_exact(name):
    gold = load(name)
    net = net_of(gold)
    fill(net, name, gold)
    if name.startswith("pytorch"):
        ours, theirs = [convert.to_pytorch(net)], [pytorch_weights(gold)]
    elif name.startswith("keras"):
        ours, theirs = ([dict(enumerate(w)) for w in convert.to_keras(net)],
                        [dict(enumerate(w)) for w in keras_weights(gold)])  # fmt: skip
    else:
        ours, theirs = convert.to_onnx(net), onnx_weights(gold)
    for our, their in zip(ours, theirs, strict=True):
        assert list(our) == list(their)
        for key, array in their.items():
            assert our[key].dtype == array.dtype and our[key].flags.c_contiguous
            np.testing.assert_array_equal(our[key], array, err_msg=str(key))


def small(kind="lstm", biases=2, seed=1, **options):
    options |= {"biases": biases, "rng": np.random.default_rng(seed)}
    if kind == "gru_before":
        return GRU(2, 3, reset_after=False, **options)
    return {"rnn": RNN, "lstm": LSTM, "gru": GRU}[kind](2, 3, **options)


WAYS = {
    "pytorch": lambda net, other: convert.from_pytorch(
        other,
        convert.to_pytorch(net, reset_after=not is_before(net)),
        reset_after=not is_before(net),
    ),
    "keras": lambda net, other: convert.from_keras(
        other, convert.to_keras(net), {"n": not is_before(net)}.get(net.layers[0].cell.gates[-1])
    ),
    "onnx": lambda net, other: convert.from_onnx(
        other, convert.to_onnx(net), linear_before_reset=int(not is_before(net))
    ),
}


def is_before(net):
    return type(net.layers[0].cell).__name__ == "GRUBeforeCell"


@pytest.mark.parametrize("biases", [2, 1, 0])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "gru_before"])
@pytest.mark.parametrize("way", WAYS)
def test_another_net_gets_the_same_weights(way, kind, biases):
    options = {"num_layers": 2, "bidirectional": True, "dtype": "float64"}
    net, other = small(kind, biases, **options), small(kind, biases, seed=2, **options)
    if way == "keras" and kind != "gru" and biases == 2:
        for layer in net.layers:  # Keras keeps the sum, which comes back as the first
            layer.bh.data[...] = 0
    WAYS[way](net, other)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array, err_msg=name)


def test_what_is_handed_out_is_no_view():
    net = small()
    before = net.state_dict()
    exported = [convert.to_pytorch(net), convert.gradients_to_pytorch(net), *convert.to_onnx(net)]
    exported += [dict(enumerate(weights)) for weights in convert.to_keras(net)]
    for arrays in exported:
        for array in arrays.values():
            array[...] = 7
    for name, array in before.items():
        np.testing.assert_array_equal(net.state_dict()[name], array)
    assert all((p.grad == 0).all() for p in net.parameters())


def test_gradient_of_one_bias_has_one_name():
    assert list(convert.gradients_to_pytorch(small("gru", biases=1))) == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0",
    ]  # fmt: skip


def test_gradients_are_gradients():
    net = small()
    for parameter in net.parameters():
        parameter.grad[...] = 5
    assert all((array == 5).all() for array in convert.gradients_to_pytorch(net).values())


# What does not fit is refused, and nothing is assigned


def unchanged(net, read, expected, *words):
    """`read()` raises `expected`, with these words in its message, and leaves the net alone."""
    before = net.state_dict()
    with pytest.raises(expected) as caught:
        read()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"
    assert "\n" not in str(caught.value)
    for name, array in before.items():
        np.testing.assert_array_equal(net.state_dict()[name], array)


def pytorch_refuses(change, expected, *words, kind="lstm", prefix="", **options):
    """A state for two layers with one mistake, in the last array so that all others would fit."""
    net = small(kind, num_layers=2, **options)
    state = convert.to_pytorch(small(kind, seed=2, num_layers=2, **options))
    change(state)
    unchanged(net, lambda: convert.from_pytorch(net, state, prefix), expected, *words)


def test_pytorch_missing_name():
    pytorch_refuses(
        lambda s: s.pop("bias_hh_l1"), CheckpointError, "no bias_hh_l1", "of shape (12,)"
    )


def test_pytorch_unknown_name():
    def add(state):
        state["weight_hr_l0"] = np.zeros((2, 3))  # an LSTM with projections

    pytorch_refuses(add, CheckpointError, "weight_hr_l0 of shape (2, 3)", "no place")


def test_pytorch_wrong_shape():
    def transpose(state):
        state["weight_ih_l1"] = state["weight_ih_l1"].T

    pytorch_refuses(transpose, ShapeError, "weight_ih_l1", "(3, 12)", "(12, 3)")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pytorch_bad_number(bad):
    def spoil(state):
        state["bias_hh_l1"][2] = bad

    pytorch_refuses(spoil, CheckpointError, "bias_hh_l1", "float32 with NaN or infinity")


def test_pytorch_whole_numbers():
    def spoil(state):
        state["bias_hh_l1"] = np.arange(12)

    pytorch_refuses(spoil, CheckpointError, "bias_hh_l1", "int64")


def test_pytorch_biases_of_a_net_without():
    net, state = small(biases=0), convert.to_pytorch(small())
    unchanged(
        net, lambda: convert.from_pytorch(net, state), CheckpointError, "bias_ih_l0", "no place"
    )


def test_pytorch_prefix_chooses():
    net, other = small(), small(seed=2)
    state = {f"lstm.{key}": array for key, array in convert.to_pytorch(other).items()}
    state["out.weight"] = np.zeros((4, 3))
    convert.from_pytorch(net, state, prefix="lstm.")
    np.testing.assert_array_equal(net.layers[0].Wh.data, other.layers[0].Wh.data)
    unchanged(
        net, lambda: convert.from_pytorch(net, state, "rnn."), CheckpointError, "under 'rnn.'"
    )


def test_second_bias_of_gate_n_cannot_join_the_first():
    net = small("gru", biases=1, num_layers=2)
    state = convert.to_pytorch(small("gru", seed=2, num_layers=2))
    state["bias_hh_l0"][6:] = 0  # those of n; r and z may be summed
    words = ("bias_hh_l1", "gate n", "biases=2")
    unchanged(net, lambda: convert.from_pytorch(net, state), CheckpointError, *words)
    state["bias_hh_l1"][6:] = 0
    convert.from_pytorch(net, state)
    for k, layer in enumerate(net.layers):
        expected = state[f"bias_ih_l{k}"].astype("float64") + state[f"bias_hh_l{k}"]
        np.testing.assert_array_equal(layer.bx.data.reshape(-1), expected.astype("float32"))


def test_second_bias_of_gate_n_cannot_join_the_first_from_keras_and_onnx():
    net, other = small("gru", biases=1), small("gru", seed=2)
    keras, onnx = convert.to_keras(other), convert.to_onnx(other)
    unchanged(
        net, lambda: convert.from_keras(net, keras), CheckpointError, "bias[1] of entry 0", "gate n"
    )
    unchanged(
        net,
        lambda: convert.from_onnx(net, onnx, 1),
        CheckpointError,
        "second half of B[0]",
        "gate n",
    )


def test_the_two_grus_are_not_confused():
    before, after = small("gru_before"), small("gru")
    pytorch, onnx, keras = (
        convert.to_pytorch(after),
        convert.to_onnx(after),
        convert.to_keras(after),
    )
    unchanged(
        before, lambda: convert.from_pytorch(before, pytorch), CheckpointError,
        "reset_after=True is a GRU that resets after", "made with reset_after=False",
    )  # fmt: skip
    unchanged(
        after, lambda: convert.from_pytorch(after, pytorch, reset_after=False), CheckpointError,
        "reset_after=False is a GRU that resets before", "made with reset_after=True",
    )  # fmt: skip
    unchanged(
        before, lambda: convert.from_onnx(before, onnx, 1), CheckpointError,
        "linear_before_reset=1", "made with reset_after=False",
    )  # fmt: skip
    unchanged(
        after, lambda: convert.from_onnx(after, onnx), CheckpointError,
        "linear_before_reset=0", "made with reset_after=True",
    )  # fmt: skip
    unchanged(before, lambda: convert.from_keras(before, keras), ShapeError, "(2, 9)", "(9,)")
    unchanged(before, lambda: convert.to_pytorch(before), CheckpointError, "reset_after=True")


def test_keras_wrong_lists():
    net = small(num_layers=2)
    lists = convert.to_keras(small(seed=2, num_layers=2))

    def refuse(lists, expected, *words):
        unchanged(net, lambda: convert.from_keras(net, lists), expected, *words)

    refuse(lists[:1], CheckpointError, "1 entries", "2 layers and directions")
    refuse([lists[0], lists[1][:2]], CheckpointError, "entry 1", "2 arrays", "needs 3")
    kernel, *rest = lists[1]
    refuse([lists[0], [kernel.T, *rest]], ShapeError, "kernel", "(12, 3)", "(3, 12)")
    refuse([lists[0], [kernel * np.nan, *rest]], CheckpointError, "kernel of entry 1", "NaN")


def test_onnx_wrong_nodes():
    net = small(num_layers=2, bidirectional=True)
    nodes = convert.to_onnx(small(seed=2, num_layers=2, bidirectional=True))

    def refuse(nodes, expected, *words):
        unchanged(net, lambda: convert.from_onnx(net, nodes), expected, *words)

    refuse(nodes[:1], CheckpointError, "1 entries", "2 layers")
    without = {"W": nodes[1]["W"], "B": nodes[1]["B"]}
    refuse([nodes[0], without], CheckpointError, "ONNX node 1 has no R", "(2, 12, 3)")
    refuse([nodes[0], nodes[1] | {"P": np.ones((2, 9))}], CheckpointError, "P of shape (2, 9)")
    one = {key: array[:1] for key, array in nodes[1].items()}
    refuse([nodes[0], one], ShapeError, "W of ONNX node 1", "(1, 12, 6)", "(2, 12, 6)")


class MinimalCell:
    gates, states = "fh", ("h",)

    def forward(self, gx, state, product):
        raise NotImplementedError

    backward = forward


@pytest.mark.parametrize(
    "convert_it",
    [
        lambda net: convert.from_pytorch(net, {}),
        convert.to_pytorch,
        convert.gradients_to_pytorch,
        lambda net: convert.from_keras(net, [[]]),
        convert.to_keras,
        lambda net: convert.from_onnx(net, [{}]),
        convert.to_onnx,
    ],
    ids=[
        "from_pytorch",
        "to_pytorch",
        "gradients",
        "from_keras",
        "to_keras",
        "from_onnx",
        "to_onnx",
    ],
)
def test_a_cell_that_others_have_not(convert_it):
    net = Stack(MinimalCell, 2, 3, rng=np.random.default_rng(1))
    assert isinstance(net.layers[0], Recurrent)
    with pytest.raises(CheckpointError, match="no layer for a MinimalCell"):
        convert_it(net)


# A net that was trained in PyTorch


def classifier(dtype):
    gold = load("pytorch_classifier")
    state = {key[6:]: array for key, array in gold.items() if key.startswith("state.")}
    D, H, K = gold["x"].shape[-1], state["lstm.weight_hh_l0"].shape[1], len(state["out.bias"])
    rng = np.random.default_rng(0)
    lstm, out = LSTM(D, H, rng=rng, dtype=dtype), Linear(H, K, rng=rng, dtype=dtype)
    convert.from_pytorch(lstm, state, prefix="lstm.")
    out.W.data[...], out.b.data[...] = state["out.weight"].T, state["out.bias"]
    _, (h, _), _ = lstm.forward(gold["x"].astype(dtype))
    return out.forward(h[-1])[0], gold


def test_trained_classifier_predicts_the_same():
    logits, gold = classifier("float32")
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits.argmax(axis=1), gold["predictions"])
    assert error(logits, gold["logits"]) < 1e-5
    correct = gold["predictions"] == gold["labels"]
    assert correct.mean() > 0.9 and len(set(gold["predictions"].tolist())) == 3  # it did learn


def test_trained_classifier_has_the_same_logits():
    logits, gold = classifier("float64")
    assert_same("logits", logits, gold["logits"])


@pytest.mark.parametrize("biases", [2, 1, 0])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_our_weights_in_pytorch(kind, biases):
    torch = pytest.importorskip("torch")
    options = {"num_layers": 2, "bidirectional": True}
    net = small(kind, biases, dtype="float64", **options)
    layer = getattr(torch.nn, kind.upper())(2, 3, bias=biases > 0, dtype=torch.float64, **options)
    layer.load_state_dict({k: torch.from_numpy(v) for k, v in convert.to_pytorch(net).items()})
    x = np.random.default_rng(3).standard_normal((5, 4, 2))
    with torch.no_grad():
        assert_same("output", net.forward(x)[0], layer(torch.from_numpy(x))[0].numpy())


# Optimisers, schedules, the loss, clipping


def options_of(gold, case):
    """{name: value} of what an optimiser or a schedule was given."""
    start = f"{case}.option."
    options = {k[len(start) :]: v for k, v in gold.items() if k.startswith(start)}
    return {k: tuple(v.tolist()) if v.ndim else v.item() for k, v in options.items()}


@pytest.mark.parametrize("case", load("pytorch_optimisers")["cases"])
def test_optimiser(case):
    gold = load("pytorch_optimisers")
    count = sum(key.startswith("start.") for key in gold)
    parameters = [Parameter(gold[f"start.{k}"].copy()) for k in range(count)]
    kind = {"SGD": SGD, "Adam": Adam, "AdamW": AdamW}[str(gold[f"{case}.kind"])]
    optimiser = kind(parameters, **options_of(gold, case))
    for step in range(int(gold["steps"])):
        for k, parameter in enumerate(parameters):
            parameter.grad[...] = gold[f"grads.{k}"][step]
        optimiser.step()
        for k, parameter in enumerate(parameters):
            name = f"parameter {k} after step {step}"
            assert_same(name, parameter.data, gold[f"{case}.after.{k}"][step])
            moved = gold[f"{case}.after.{k}"][step] - gold[f"start.{k}"]
            assert_same(f"the way of {name}", parameter.data - gold[f"start.{k}"], moved)


def test_adamw_decays_by_default_as_pytorch_does():
    assert (
        load("pytorch_optimisers")["adamw.option.weight_decay"]
        == AdamW([Parameter([1.0])]).weight_decay
    )


def schedule_of(kind, options, base_lr):
    if kind == "StepLR":
        return step_decay(base_lr, options["step_size"], options["gamma"])
    if kind == "CosineAnnealingLR":
        return cosine(base_lr, options["T_max"], options.get("eta_min", 0.0))
    ours = {
        "pct_start": "rise", "div_factor": "start_factor", "final_div_factor": "end_factor",
    }  # fmt: skip
    more = {ours[key]: value for key, value in options.items() if key in ours}
    return one_cycle(options["max_lr"], options["total_steps"], **more)


@pytest.mark.parametrize("case", load("pytorch_schedules")["cases"])
def test_schedule(case):
    gold = load("pytorch_schedules")
    options, base_lr = options_of(gold, case), float(gold["base_lr"])
    schedule = schedule_of(str(gold[f"{case}.kind"]), options, base_lr)
    rates = gold[f"{case}.lr"]
    for step, rate in enumerate(rates):
        assert schedule(step) == pytest.approx(rate, rel=TOLERANCE), f"step {step}"


@pytest.mark.parametrize("normaliser", ["mean", "sum"])
@pytest.mark.parametrize("case", load("pytorch_cross_entropy")["cases"])
def test_cross_entropy(case, normaliser):
    gold = load("pytorch_cross_entropy")
    loss = CrossEntropy(normaliser, ignore_index=int(gold["ignore_index"]))
    value, cache = loss.forward(gold[f"{case}.logits"], gold[f"{case}.targets"])
    assert_same("value", value, gold[f"{case}.{normaliser}.value"])
    assert_same("gradient", loss.backward(cache), gold[f"{case}.{normaliser}.gradient"])


@pytest.mark.parametrize("case", load("pytorch_clip")["cases"])
def test_clip_grad_norm(case):
    gold = load("pytorch_clip")
    count = sum(key.startswith("grads.") for key in gold)
    parameters = [Parameter(np.zeros_like(gold[f"grads.{k}"])) for k in range(count)]
    for k, parameter in enumerate(parameters):
        parameter.grad[...] = gold[f"grads.{k}"]
    norm = clip_grad_norm(parameters, float(gold[f"{case}.max_norm"]))
    assert_same("norm", norm, gold[f"{case}.norm"])
    for k, parameter in enumerate(parameters):
        assert_same(f"gradient {k}", parameter.grad, gold[f"{case}.clipped.{k}"])
