"""The whole library on another backend gives what NumPy gives, without reading anything back.

The backend is the strict stand-in of `strict.py` everywhere, and CuPy where there is a GPU.
"""

import numpy as np
import pytest
import strict

from minirnn import functions, gradient_flow
from minirnn.backend import _modules, asarray, asnumpy, get_array_module, register, use
from minirnn.batches import Sequences
from minirnn.cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell
from minirnn.errors import MixedArraysError
from minirnn.layers import Dropout, Embedding, Linear, one_hot
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.models import NameClassifier, StepModel
from minirnn.optim import SGD, Adam, AdamW, clip_grad_norm, grad_norm
from minirnn.packing import pack, unpack
from minirnn.parameters import Parameter
from minirnn.recurrent import Recurrent
from minirnn.stacked import GRU, LSTM, RNN
from minirnn.training import Trainer

# cuBLAS sums in another order
TOLERANCE = {
    "strict": {"float32": 1e-6, "float64": 1e-12, "int64": 0, "bool": 0},
    "cupy": {"float32": 1e-5, "float64": 1e-11, "int64": 0, "bool": 0},
}

HOST = np.ones((2, 3), dtype="float32")


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def device(request):
    """The name of the backend, in use: the strict stand-in, or CuPy where there is a GPU."""
    if request.param == "strict":
        register("strict", strict)
    use(request.param)
    yield request.param
    use("numpy")
    _modules.pop("strict", None)


@pytest.fixture
def agree(device):
    """A check that a function returns the same list of arrays on both backends, with no read.

    The function makes its arrays with `asarray`, from a generator that it seeds itself.
    """

    def check(function):
        use("numpy")
        expected = function()
        xp = use(device)
        with strict.reads() as count:
            results = function()
        assert count() == 0, count
        assert len(results) == len(expected)
        for k, (result, wanted) in enumerate(zip(results, expected, strict=True)):
            if wanted is None:
                assert result is None
                continue
            assert type(result) is xp.ndarray, f"result {k} is not on the device"
            assert result.dtype == wanted.dtype, f"result {k}"
            assert result.shape == wanted.shape, f"result {k}"
            error = np.abs(asnumpy(result) * 1.0 - wanted * 1.0).max(initial=0)
            assert error <= TOLERANCE[device][wanted.dtype.name] * np.abs(wanted).max(initial=0), (
                f"result {k}"
            )

    return check


def grads(module):
    return [p.grad for p in module.parameters()]


def test_asarray_and_asnumpy_are_the_doors(device):
    x, xp = asarray([[1.0, 2.0]], dtype="float32"), use(device)
    assert get_array_module(x) is xp and type(Parameter(HOST).grad) is xp.ndarray
    assert type(asnumpy(x)) is np.ndarray and asnumpy(x).tolist() == [[1, 2]]
    with pytest.raises(
        MixedArraysError, match=f"Wh is an array of numpy, but x is one of {device}"
    ):
        get_array_module(x=x, Wh=HOST)
    with pytest.raises(MixedArraysError, match=f"Wh is an array of {device}, but argument 1 is"):
        get_array_module(HOST, Wh=x)


NETS = {
    "tanh": (RNN, {}),
    "relu": (RNN, {"nonlinearity": "relu"}),
    "identity": (RNN, {"nonlinearity": "identity"}),
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "GRU, reset before": (GRU, {"reset_after": False}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers, directions", [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("kind", ["dense", "dense ids", "packed", "packed ids"])
@pytest.mark.parametrize("net", NETS)
def test_recurrent_nets(agree, net, kind, layers, directions, dtype):
    D, H, T, N = 5, 7, 6, 4
    sizes = [4, 4, 2, 1, 1, 1] if "packed" in kind else None

    def run():
        rng = np.random.default_rng(3)

        def draw(*shape):
            return asarray(rng.standard_normal(shape).astype(dtype))

        make, options = NETS[net]
        options = options | {"dropout": 0.4 if layers > 1 else 0.0, "dtype": dtype}
        module = make(
            D, H, num_layers=layers, bidirectional=directions == 2, rng=rng, **options
        )  # fmt: skip
        rows = (sum(sizes),) if sizes else (T, N)
        x = asarray(rng.integers(D, size=rows)) if "ids" in kind else draw(*rows, D)
        names = module.layers[0].cell.states
        state, dfinal = [[draw(layers * directions, N, H) for _ in names] for _ in range(2)]
        truncate = 2 if directions == 1 else None
        y, final, cache = module.forward(x, sizes, state, truncate=truncate, training=True)
        dx, dstate = module.backward(draw(*rows, H * directions), cache, dfinal)
        states = [s for layer in module.states(cache) for s in layer.values()]
        return [y, *final, dx, *dstate, *grads(module), *states]

    agree(run)


@pytest.mark.parametrize("cell", [RNNCell, LSTMCell, GRUCell, GRUBeforeCell])
@pytest.mark.parametrize("biases", [0, 1, 2])
def test_one_layer_without_states_and_with_fewer_biases(agree, cell, biases):
    def run():
        rng = np.random.default_rng(4)
        layer = Recurrent(cell, 3, 5, rng=rng, biases=biases, init="keras")
        x = asarray(rng.standard_normal((4, 2, 3)).astype("float32"))
        y, final, cache = layer.forward(x)
        only_state = layer.backward(None, cache, [asarray(np.ones((2, 5), "float32"))] + [None] * (
            len(final) - 1
        ))  # fmt: skip
        return [y, *final, only_state[0], *only_state[1], *grads(layer)]

    agree(run)


LAYERS = {
    "Linear": (lambda rng: Linear(3, 5, rng=rng), (4, 2, 3), (4, 2, 5)),
    "Linear without bias": (lambda rng: Linear(3, 5, bias=False, rng=rng), (4, 3), (4, 5)),
    "Embedding": (lambda rng: Embedding(6, 5, rng=rng), (4, 2), (4, 2, 5)),
    "Dropout": (lambda rng: Dropout(0.4, rng=rng), (4, 2, 3), (4, 2, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(agree, name):
    make, shape_in, shape_out = LAYERS[name]

    def run():
        rng = np.random.default_rng(5)
        layer = make(rng)
        drawn = rng.integers(6, size=shape_in) if name == "Embedding" else rng.random(shape_in, "f")
        options = {"training": True} if name == "Dropout" else {}
        y, cache = layer.forward(asarray(drawn), **options)
        dx = layer.backward(asarray(rng.standard_normal(shape_out).astype("float32")), cache)
        return [y, dx, *grads(layer)]

    agree(run)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name",
    "sigmoid d_sigmoid tanh d_tanh relu d_relu identity d_identity log_softmax softmax".split(),
)
def test_functions(agree, name, dtype):
    a = np.random.default_rng(6).standard_normal((4, 3)).astype(dtype)
    agree(lambda: [getattr(functions, name)(asarray(a))])


def test_one_hot_rows(agree):
    agree(lambda: [one_hot(asarray(np.array([2, 0, 2])), 4, "float32")])


LOSSES = {
    "mean": CrossEntropy(),
    "sum": CrossEntropy("sum"),
    "a number": CrossEntropy(3.0),
    "ignored labels": CrossEntropy(ignore_index=-1),
    "prior": CrossEntropy(log_prior=np.log([0.1, 0.2, 0.3, 0.4])),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_cross_entropy(agree, name, dtype):
    def run():
        logits = np.random.default_rng(7).standard_normal((3, 2, 4)).astype(dtype)
        labels = np.array([[0, 3], [2, -1 if name == "ignored labels" else 1], [1, 0]])
        loss, cache = LOSSES[name].forward(asarray(logits), asarray(labels))
        return [loss, LOSSES[name].backward(cache)]

    agree(run)


@pytest.mark.parametrize("normaliser", ["mean", "sum", 3.0])
def test_mean_squared_error(agree, normaliser):
    def run():
        y, target = np.random.default_rng(8).standard_normal((2, 3, 4)).astype("float32")
        loss, cache = MeanSquaredError(normaliser).forward(asarray(y), asarray(target))
        return [loss, MeanSquaredError(normaliser).backward(cache)]

    agree(run)


OPTIMISERS = {
    "SGD": lambda p: SGD(p, 0.1),
    "SGD with all": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: Adam(p, weight_decay=0.01),
    "AdamW": lambda p: AdamW(p),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("flag", [None, True, False])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_and_clipping(agree, name, flag, dtype):
    def run():
        rng = np.random.default_rng(9)
        parameters = [
            Parameter(rng.standard_normal(shape).astype(dtype)) for shape in [(4, 3), (3,)]
        ]
        optimiser = OPTIMISERS[name](parameters)
        norms = []
        for _ in range(3):
            for p in parameters:
                p.grad[...] = asarray(rng.standard_normal(p.shape).astype(dtype))
            norms += [clip_grad_norm(parameters, 1.5), grad_norm(parameters)]
            # as the trainer makes the flag: by comparing on the device
            optimiser.step(None if flag is None else (norms[-1] == norms[-1]) == flag)
        slots = list(optimiser.state.values())
        return [*norms, *slots, *(p.data for p in parameters), *(p.grad for p in parameters)]

    agree(run)


def test_weights_go_to_the_host_and_back(device):
    nets = [LSTM(3, 5, num_layers=2, rng=np.random.default_rng(seed)) for seed in (12, 13)]
    saved = nets[0].state_dict()
    assert all(type(array) is np.ndarray for array in saved.values())
    addresses = [p.data for p in nets[1].parameters()]
    nets[1].load_state_dict(saved)
    assert all(p.data is a for p, a in zip(nets[1].parameters(), addresses, strict=True))
    for name, array in nets[1].state_dict().items():
        np.testing.assert_array_equal(array, saved[name])


def test_gates_for_the_plots_are_asked_for_without_a_read(agree):
    def run():
        net = trainer("gru", False, None, 0.0).net
        return list(net.gates(sequences().batch(np.array([2]))).values())

    agree(run)


def test_unpacked_rows_stay_on_the_device(agree):
    def run():
        rows, sizes, order = pack([np.arange(n) + 0.5 for n in (2, 4, 1)])
        return unpack(asarray(rows), sizes, order)

    agree(run)


def sequences():
    rng = np.random.default_rng(10)
    names = [rng.integers(6, size=length) for length in rng.integers(1, 8, size=30)]
    return Sequences(names, rng.integers(4, size=30), num_classes=4, num_symbols=6)


def trainer(cell, bidirectional, embedding, dropout):
    rng, data = np.random.default_rng(11), sequences()
    net = NameClassifier(
        6, 4, rng=rng, cell=cell, hidden_size=5, num_layers=2,
        bidirectional=bidirectional, embedding=embedding, dropout=dropout,
    )  # fmt: skip
    index = np.arange(30)
    return Trainer(
        net, CrossEntropy(log_prior=data.log_prior()), Adam(net.parameters()), data,
        index[:20], index[20:], rng=rng, epochs=2, batch_size=7, clip=1.0,
    )  # fmt: skip


CLASSIFIERS = [
    (cell, bidirectional, embedding, dropout)
    for cell in ("rnn", "lstm", "gru")
    for bidirectional in (False, True)
    for embedding, dropout in [(None, 0.0), (3, 0.3)]
]


@pytest.mark.parametrize("cell, bidirectional, embedding, dropout", CLASSIFIERS)
def test_a_training_step_reads_nothing(agree, cell, bidirectional, embedding, dropout):
    def run():
        training = trainer(cell, bidirectional, embedding, dropout)
        steps = [training.train_step(np.arange(k, k + 7)) for k in range(3)]
        return [part for step in steps for part in step] + [
            p.data for p in training.net.parameters()
        ]  # fmt: skip

    agree(run)


@pytest.mark.parametrize("classes", [True, False])
def test_streams_of_steps_end_at_the_same_weights(device, classes):
    options = {"ignore_index": -1} if classes else {}

    def fit():
        loss = MeanSquaredError()
        if classes:
            w = [1.0, 2.0, 0.5, 1.0]
            loss = CrossEntropy(class_weight=w, label_smoothing=0.1, **options)
        rng = np.random.default_rng(0)
        x = [rng.integers(0, 4, 5) for _ in range(14)]
        y = [np.where(a == 3, -1, a) if options else a.astype("float32") for a in x]
        data = Sequences(x, targets=y, num_symbols=4, **options)
        net = StepModel(4, 4 if options else 1, rng=rng, hidden_size=5, embedding=3, num_layers=2)
        run = Trainer(net, loss, Adam(net.parameters()), data, np.arange(10), np.arange(10, 14),
                      rng=rng, epochs=2, batch_size=3, sampling="streams", clip=1.0)  # fmt: skip
        run.fit()
        return run

    use("numpy")
    expected = fit()
    use(device)
    run = fit()
    for column in run.history.columns:
        np.testing.assert_allclose(
            run.history[column], expected.history[column], rtol=1e-4, atol=1e-6, err_msg=column
        )
    for key, wanted in expected.net.state_dict().items():
        np.testing.assert_allclose(run.net.state_dict()[key], wanted, rtol=1e-3, atol=1e-5)


def test_training_ends_at_the_same_weights(device):
    use("numpy")
    expected = trainer("gru", True, 3, 0.3)
    expected.fit()
    use(device)
    training = trainer("gru", True, 3, 0.3)
    training.fit()
    # To rounding only: the step with a flag multiplies lr on the device, in the weights' dtype.
    for name, wanted in expected.net.state_dict().items():
        found = training.net.state_dict()[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6, err_msg=name)
    for column in training.history.columns:
        np.testing.assert_allclose(
            training.history[column], expected.history[column], rtol=1e-5, err_msg=column
        )


def test_a_hundred_steps_stay_together(device):
    """One seed, two backends: the weights after 100 steps agree to 1e-3 of their size."""
    found = {}
    for name in ("numpy", device):
        use(name)
        training = trainer("lstm", True, 3, 0.3)
        rng = np.random.default_rng(5)
        for _ in range(100):
            training.train_step(rng.integers(20, size=7))
        found[name] = training.net.state_dict()
    for name, wanted in found["numpy"].items():
        off = np.linalg.norm(found[device][name] - wanted) / np.linalg.norm(wanted)
        assert off < 1e-3, name


@pytest.mark.parametrize("layer", [RNN, LSTM, GRU])
def test_gradient_flow_is_that_of_numpy(device, layer):
    def flow():
        rng = np.random.default_rng(0)
        net = layer(3, 4, rng=rng).layers[0]
        x, dlast = (rng.standard_normal((n, 2, size)) for n, size in ((5, 3), (1, 4)))
        norms = gradient_flow.gradient_norms(net, asarray(x), asarray(dlast[0]))
        return norms | dict(enumerate(gradient_flow.step_jacobians(net, asarray(x[:, 0]))))

    expected, results = use("numpy") and flow(), use(device) and flow()
    assert expected.keys() == results.keys() and len(expected) > 4
    for name, wanted in expected.items():
        assert np.allclose(results[name], wanted, rtol=1e-5, atol=1e-6), name
