"""The worked example: an LSTM with two units, over three steps, and every number of it.

The numbers are those of the library's own lines, read while they run; nothing is computed twice.
"""

import sys
from typing import NamedTuple

import numpy as np

from minirnn.cells import LSTMCell
from minirnn.recurrent import Recurrent

T, H, GATES = 3, 2, "ifgo"
DA = [f"da{gate}" for gate in GATES]

X = [[1, 0], [0, 1], [1, 1]]
Q = [[1, -1], [1, 0], [-1, 1]]  # what h_t should be: L is half the sum of (h_t - q_t)^2
WX = [[[1, 0.5], [-1, 0.5]], [[0.5, 0], [0.5, 1]], [[1, -0.5], [0.5, 1]], [[0.5, 1], [0, -0.5]]]
WH = [[[0.5, -1], [1, 0.5]], [[1, 0.5], [-0.5, 1]], [[1, -0.5], [-1, 0.5]], [[0.5, 1], [1, -1]]]
B = [[0, 0.5], [1, 1], [0, 0], [0.5, 0]]


class Run(NamedTuple):
    """One pass forward and one backward.

    `forward` and `backward` hold, for each step, {variable of the cell's method: its value [H]}.
    """

    forward: list
    backward: list
    doutput: np.ndarray  # [T, H]: h_t - q_t
    loss: float
    gradients: dict  # {"dWx", "dWh", "db": the library's, gate first}


def net(cell=LSTMCell, recurrent=Recurrent):
    """Make the net with the weights above, of a right or of a wrong cell or loop."""
    made = recurrent(cell, 2, H, biases=1, dtype="float64", rng=np.random.default_rng(0))
    made.Wx.data[...], made.Wh.data[...], made.bx.data[...] = WX, WH, B
    return made


def run(cell=LSTMCell, recurrent=Recurrent):
    """Carry the net through the three steps and back."""
    made = net(cell, recurrent)
    x, q = np.array(X, float)[:, None], np.array(Q, float)
    (output, _, cache), forward = watched(cell.forward, lambda: made.forward(x))
    doutput = output[:, 0] - q
    _, backward = watched(cell.backward, lambda: made.backward(doutput[:, None], cache))
    return Run(
        [_entries(values, result[0], ("h", "c")) for values, result in forward],
        [
            _entries(values, [*result[1], *result[0]], ("dh_prev", "dc_prev", *DA))
            for values, result in backward[::-1]
        ],
        doutput,
        float((doutput**2).sum() / 2),
        {"dWx": made.Wx.grad, "dWh": made.Wh.grad, "db": made.bx.grad},
    )


def watched(function, call):
    """Return the result of `call`, and (locals, result) of each run of `function` in it."""
    code, seen = function.__code__, []

    def look(frame, event, result):
        if event == "return" and frame.f_code is code:
            seen.append((dict(frame.f_locals), result))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        return call(), seen
    finally:
        sys.setprofile(before)


def _entries(values, returned, names):
    """Return {name: [H]} of a step: what its lines assigned and, above that, it returned."""
    if "dstate" in values:
        _, values["dc_given"] = values["dstate"]  # `dc` means the sum later on
    values.update(zip(names, returned, strict=True))
    return {
        name: value[0]
        for name, value in values.items()
        if isinstance(value, np.ndarray) and value.shape == (1, H)
    }
