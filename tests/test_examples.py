"""The face of the library: the names of `minirnn.__all__`, each with a whole signature, types, and
an example that runs."""

import doctest
import inspect
import re

import numpy as np
import pytest

import minirnn

NAMES = sorted(minirnn.__all__)
METHODS = ("forward", "backward", "batch", "clean", "encode", "fit")  # what a user calls
PARSER = doctest.DocTestParser()


def typed(name):
    """(name, function) of a public name, and of its methods; cells' methods have no types."""
    thing = getattr(minirnn, name)
    if not inspect.isclass(thing):
        return [(name, thing)]
    found = [(name, thing.__init__)] if thing.__init__ is not object.__init__ else []
    if name.endswith("Cell"):
        return found
    return found + [(f"{name}.{m}", getattr(thing, m)) for m in METHODS if hasattr(thing, m)]


def lacking(thing):
    """What a signature does not say: parameters hidden in ** or without a type, or the result."""
    signature = inspect.signature(thing)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    hidden = [f"**{p.name}" for p in parameters if p.kind is p.VAR_KEYWORD and p.name != "named"]
    untyped = [p.name for p in parameters if p.annotation is p.empty]
    return hidden + untyped + ["->"] * (signature.return_annotation is signature.empty)


def undocumented(thing, text):
    """The parameters that no word of the text names."""
    parameters = inspect.signature(thing).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return [name for name in names if not re.search(rf"\b{name}\b", text)]


def examples_that_fail(name, text):
    """What doctest says of the examples in a docstring, with NumPy and the public names at hand."""
    at_hand = {"np": np} | {public: getattr(minirnn, public) for public in NAMES}
    test = PARSER.get_doctest(inspect.cleandoc(text), at_hand, name, None, 0)
    said = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return len(test.examples), "".join(said)


def test_there_are_so_many():
    assert len(NAMES) == 34


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(name):
    before = minirnn.backend.current()
    try:
        number, said = examples_that_fail(name, getattr(minirnn, name).__doc__)
    finally:
        minirnn.use(before)
    assert number > 0, f"{name} has no example"
    assert not said, said


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_is_whole(name):
    for dotted, function in typed(name):
        assert not lacking(function), f"{dotted}: {lacking(function)}"


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_told(name):
    thing = getattr(minirnn, name)
    missing = undocumented(thing, thing.__doc__)
    assert not missing, f"{name} does not tell {missing}"


def test_what_is_lacking_is_noticed():
    def hides(x: int, y, **options) -> None:
        """x alone."""

    def says_nothing(x: int): ...

    assert lacking(hides) == ["**options", "y", "options"]
    assert lacking(says_nothing) == ["->"]
    assert undocumented(hides, hides.__doc__) == ["y"]
    number, said = examples_that_fail("wrong", "Wrong.\n\n    >>> 1 + 1\n    3\n")
    assert number == 1 and "Expected" in said


@pytest.mark.parametrize("name", NAMES)
def test_rng_may_be_left_out(name):
    for dotted, function in typed(name):
        rng = inspect.signature(function).parameters.get("rng")
        assert rng is None or rng.default is None, dotted


def weights(net):
    return np.concatenate([array.ravel() for array in net.state_dict().values()])


MADE = {
    "LSTM": lambda **rng: minirnn.LSTM(3, 4, **rng),
    "GRU": lambda **rng: minirnn.GRU(3, 4, **rng),
    "RNN": lambda **rng: minirnn.RNN(3, 4, **rng),
    "keras": lambda **rng: minirnn.LSTM(3, 4, init="keras", **rng),
    "Linear": lambda **rng: minirnn.Linear(3, 4, **rng),
    "Embedding": lambda **rng: minirnn.Embedding(3, 4, **rng),
    "NameClassifier": lambda **rng: minirnn.NameClassifier(3, 4, embedding=2, **rng),
}


@pytest.mark.parametrize("name", MADE)
def test_first_values_come_from_rng_or_from_a_fresh_generator(name):
    make = MADE[name]
    one, same = (weights(make(rng=np.random.default_rng(5))) for _ in range(2))
    fresh, other = weights(make()), weights(make())
    assert (one == same).all()
    assert (fresh != other).any() and (fresh != one).any()


@pytest.mark.parametrize("cell", [minirnn.RNN, minirnn.LSTM, minirnn.GRU])
def test_every_option_reaches_the_layers(cell):
    options = {"forget_bias": 2.0} if cell is minirnn.LSTM else {}
    net = cell(3, 4, num_layers=2, bidirectional=True, dropout=0.25, biases=1, init="keras",
               dtype="float64", **options)  # fmt: skip
    assert (net.num_layers, net.directions, net.dropout.p) == (2, 2, 0.25)
    for layer in net.layers:
        assert layer.bh is None and layer.Wx.data.dtype == "float64"
        np.testing.assert_allclose(layer.Wh.data[0] @ layer.Wh.data[0].T, np.eye(4), atol=1e-12)
        if options:
            assert (layer.bx.data[1] == 2).all() and not layer.bx.data[0].any()


def test_every_option_reaches_the_classifier():
    net = minirnn.NameClassifier(
        5, 3, cell="lstm", hidden_size=4, num_layers=2, bidirectional=True, dropout=0.25,
        embedding=2, biases=1, init="keras", forget_bias=2.0, dtype="float64",
    )  # fmt: skip
    assert (net.recurrent.num_layers, net.recurrent.directions) == (2, 2)
    assert (net.dropout.p, net.recurrent.dropout.p) == (0.25, 0.25)
    assert net.embedding.W.shape == (5, 2) and net.linear.W.shape == (8, 3)
    assert {p.data.dtype.name for p in net.parameters()} == {"float64"}
    for layer in net.recurrent.layers:
        assert layer.bh is None and (layer.bx.data[1] == 2).all() and not layer.bx.data[0].any()


USE = """
import numpy as np
from minirnn import LSTM, Adam, load_names, split

lstm = LSTM(3, 4, bidirectional=True, rng=np.random.default_rng(0))
output, state, cache = lstm.forward(np.zeros((7, 2, 3)))
optimizer = Adam(lstm.parameters(), lr=0.01)
train, validation, test = split(load_names(), np.random.default_rng(0))
shape: tuple[int, ...] = output.shape
"""
MISUSE = {
    "LSTM('3', 4)": "arg-type",
    "LSTM(3, 4, hiden_size=5)": "call-arg",
    "LSTM(3, 4, rng=0)": "arg-type",
    "output.shpae": "union-attr",
    "load_names().languges": "attr-defined",
    "Adam(lstm)": "arg-type",
}


def test_a_type_checker_finds_wrong_calls_and_no_others(tmp_path):
    api = pytest.importorskip("mypy.api")
    path = tmp_path / "use.py"
    path.write_text(USE + "\n".join(MISUSE) + "\n")
    said, _, _ = api.run([
        str(path), "--config-file", "pyproject.toml", "--cache-dir", str(tmp_path / "cache"),
        "--follow-imports=silent",
    ])  # fmt: skip
    errors = re.findall(r"use\.py:(\d+): error: .*\[([\w-]+)\]", said)
    first = USE.count("\n") + 1
    assert errors == [(str(first + k), code) for k, code in enumerate(MISUSE.values())], said
