"""Exercise 5: one step of an LSTM, forward.

Read docs/06-lstm.md#forward. Then fill in the blank, and run

    python -P -m minirnn exercises check . 5
    python ex05_lstm_forward.py

The second command trains your LSTM though it has no backward pass yet: a numerical gradient
stands in for it.
"""

from typing import Any, NamedTuple

from minirnn.functions import sigmoid, tanh


class LSTMCache(NamedTuple):
    i: Any
    f: Any
    g: Any
    o: Any
    c_prev: Any
    tanh_c: Any


class LSTMCell:
    """Three gates i, f, o and a candidate g; the states are h and c. The order is i, f, g, o."""

    gates = "ifgo"
    states = ("h", "c")

    def forward(self, gx, state, product):
        """gx [4, n, H] holds x Wx + bx; product(h_prev) [4, n, H] is h_prev Wh + bh."""
        h_prev, c_prev = state
        # four pre-activations, in the order of `gates`
        ai, af, ag, ao = gx + product(h_prev)
        # three gates, shares between 0 and 1
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        # the candidate, which may be negative
        g = tanh(ag)
        # a share of the old cell state, and a share of the candidate
        c = f * c_prev + i * g
        # c may grow; what is shown of it may not
        tanh_c = tanh(c)
        # the output gate's share of it is shown
        h = o * tanh_c
        return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)

    def backward(self, dstate, cache, product):
        raise NotImplementedError("exercise 6: LSTMCell.backward is the next exercise")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(LSTMCell)
