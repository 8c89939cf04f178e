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
        # TODO 5a (7 lines): the four pre-activations, the gates and the candidate, then c, tanh(c)
        # and h:
        # return (h, c), LSTMCache(i, f, g, o, c_prev, tanh_c)
        raise NotImplementedError("exercise 5: LSTMCell.forward is not written yet")

    def backward(self, dstate, cache, product):
        raise NotImplementedError("exercise 6: LSTMCell.backward is the next exercise")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(LSTMCell)
