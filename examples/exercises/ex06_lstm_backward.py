"""Exercise 6: one step of an LSTM, backward. The heart of the matter.

Read docs/06-lstm.md#backward. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 6
    python ex06_lstm_backward.py

When the check says right, it prints the command that trains the cell in earnest, on names.
"""

from typing import Any, NamedTuple

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh


class LSTMCache(NamedTuple):
    i: Any
    f: Any
    g: Any
    o: Any
    c_prev: Any
    tanh_c: Any


class LSTMCell:
    """c = f c_prev + i g and h = o tanh(c). Forward is given here; yours of exercise 5 will do."""

    gates = "ifgo"
    states = ("h", "c")

    def forward(self, gx, state, product):
        h_prev, c_prev = state
        ai, af, ag, ao = gx + product(h_prev)
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        g = tanh(ag)
        c = f * c_prev + i * g
        tanh_c = tanh(c)
        h = o * tanh_c
        return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        """dstate holds the gradients of h and c; returned are those of gx and the states before."""
        dh, dc = dstate
        i, f, g, o, c_prev, tanh_c = cache
        # TODO 6a (2 lines): undo h = o tanh(c). c is used twice, here and in the next step, so the
        # dc that you were given gets a second share. It belongs to the caller: no +=.
        # TODO 6b (2 lines): undo c = f c_prev + i g: four gradients.
        # TODO 6c (2 lines): undo the three sigmoids and the tanh.
        # TODO 6d (2 lines): product.backward(da) is the gradient of h_prev, from the tuple of the
        # gradients of the pre-activations in the order of `gates`:
        # return da, (dh_prev, dc_prev)
        raise NotImplementedError("exercise 6: LSTMCell.backward is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(LSTMCell)
