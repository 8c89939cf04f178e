"""ONNX's own tests of its RNN, LSTM and GRU nodes: each is equal, or refused in words.

They come with the package `onnx`; without it this file is skipped.
"""

import importlib
import importlib.util

import numpy as np
import pytest

from minirnn import convert
from minirnn.errors import MinirnnError
from minirnn.packing import pack
from minirnn.stacked import GRU, LSTM, RNN

HERE = importlib.util.find_spec("onnx") is not None
pytestmark = pytest.mark.skipif(
    not HERE, reason="onnx, whose node tests these are, is not installed"
)
KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
REFUSED = {
    "test_simple_rnn_batchwise": "layout is 1, but must be 0",
    "test_lstm_batchwise": "layout is 1, but must be 0",
    "test_gru_batchwise": "layout is 1, but must be 0",
    "test_lstm_with_peepholes": r"node 0 has P of shape \(1, 9\), but .* no place .* takes W, R, B",
}


def node_tests():
    """ONNX's test cases by their names; those of other nodes are not read, which takes seconds."""
    node = importlib.import_module("onnx.backend.test.case.node")
    for kind in KINDS:
        importlib.import_module(f"{node.__name__}.{kind.lower()}")
    cases = {case.name: case for case in node._NodeTestCases}
    return {n: c for n, c in cases.items() if c.model.graph.node[0].op_type in KINDS}


CASES = node_tests() if HERE else {}


def test_there_are_eighteen():
    assert len(CASES) >= 18 and set(REFUSED) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_node(name):
    node = CASES[name].model.graph.node[0]
    ((given, right),) = CASES[name].data_sets
    inputs = dict(zip(filter(None, node.input), given, strict=True))
    X, lengths = inputs.pop("X"), inputs.pop(node.input[4] if len(node.input) > 4 else "", None)
    start = [inputs.pop(part) for part in node.input[5:7] if part]
    net, fill = net_and_filling(node, X.shape[-1], inputs)
    if name in REFUSED:
        before = net.state_dict()
        with pytest.raises(MinirnnError, match=REFUSED[name]):
            fill()
        for key, array in net.state_dict().items():
            np.testing.assert_array_equal(array, before[key])
        return
    fill()
    rows, sizes, order = X, None, np.arange(X.shape[1])
    if lengths is not None:
        rows, sizes, order = pack([X[:n, k] for k, n in enumerate(lengths)])
    state = tuple(part[:, order] for part in start) or None
    output, final, _ = net.forward(rows, sizes, state)
    names = ["Y_h", "Y_c"][: len(final)]
    ours = {name: part[:, np.argsort(order)] for name, part in zip(names, final, strict=True)}
    if lengths is None:  # Y is [T, directions, N, H]
        ours["Y"] = output.reshape(*X.shape[:2], -1, net.hidden_size).swapaxes(1, 2)
    outputs = [name for name in node.output if name]
    for name, theirs in zip(outputs, right, strict=True):
        assert ours[name].shape == theirs.shape
        np.testing.assert_allclose(ours[name], theirs, rtol=1e-5, atol=1e-6)
    assert outputs


def net_and_filling(node, input_size, arrays):
    """A net of the node's sizes, and the function that gives it the node's weights."""
    value_of = importlib.import_module("onnx.helper").get_attribute_value
    attributes = {a.name: value_of(a) for a in node.attribute}
    attributes = {n: v.decode() if isinstance(v, bytes) else v for n, v in attributes.items()}
    direction = attributes.get("direction", "forward")
    options = {"bidirectional": direction == "bidirectional", "reverse": direction == "reverse"}
    if node.op_type == "GRU":
        options["reset_after"] = bool(attributes.get("linear_before_reset", 0))
    net = KINDS[node.op_type](input_size, attributes["hidden_size"], **options)
    return net, lambda: convert.from_onnx(net, [arrays], **attributes)
