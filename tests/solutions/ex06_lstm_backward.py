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
        # undo h, a product: each factor gets dh times the other one
        do = dh * tanh_c
        # c is used twice: dc holds the share of the next step, and here is that of h
        dc = dc + dh * o * d_tanh(tanh_c)
        # undo c, a sum of two products: dc goes into both, and each factor gets it times the other
        df, dc_prev = dc * c_prev, dc * f
        di, dg = dc * g, dc * i
        # undo the three sigmoids and the tanh, each at its own output
        dai, daf, dao = di * d_sigmoid(i), df * d_sigmoid(f), do * d_sigmoid(o)
        dag = dg * d_tanh(g)
        # in the order of `gates`; gx is only added, so its gradient is da itself
        da = (dai, daf, dag, dao)
        return da, (product.backward(da), dc_prev)


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_cell

    try_cell(LSTMCell)
