"""Exercise 10: a cell of your own.

A GRU with one gate for both jobs (the minimal gated unit), an LSTM with one gate less (i = 1 - f),
something that nobody has tried: choose the gates and the states, write forward, derive backward. It
counts that it keeps the contract, that every gate, state and weight matters, that the library has
no such cell, and that its gradients are right; not how well it learns. The three rules are in
docs/04-one-step.md#the-chain-rule.

    python -P -m minirnn exercises check . 10
    python ex10_own_cell.py

The second command lets it race an RNN on the adding problem, the sum of two marked numbers of a
sequence, with a numerical gradient where `backward` is missing.
"""

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh


class OwnCell:
    """What does your cell compute? Write the equations here first."""

    gates = "fn"  # one letter for each block of pre-activations, in their order
    states = ("h",)  # what is handed on; the first is the output

    def forward(self, gx, state, product):
        """gx [G, n, H], state a tuple of [n, H]; product(v), product(v, "f"): v Wh + bh."""
        (h_prev,) = state
        # a minimal gated unit: one gate f for both jobs of a GRU
        f = sigmoid(gx[0] + product(h_prev, "f"))
        # f says how much of the old state the candidate sees
        n = tanh(gx[1] + product(f * h_prev, "n"))
        # and how much of the candidate goes into the new state
        h = (1 - f) * h_prev + f * n
        return (h,), (h_prev, f, n)

    def backward(self, dstate, cache, product):
        """The gradients of gx, a tuple with one [n, H] for each gate, and of the state before."""
        (dh,) = dstate
        h_prev, f, n = cache
        # undo h: f is there twice, with two signs
        df, dn, dh_prev = dh * (n - h_prev), dh * f, dh * (1 - f)
        # undo the candidate's tanh
        dan = dn * d_tanh(n)
        # undo its product: the gradient of f times h_prev
        dgated = product.backward(dan, "n")
        # undo what went into it, a product of two: both have shares from above already
        df, dh_prev = df + dgated * h_prev, dh_prev + dgated * f
        # undo the sigmoid
        daf = df * d_sigmoid(f)
        # undo the gate's product: the third share of h_prev
        dh_prev = dh_prev + product.backward(daf, "f")
        return (daf, dan), (dh_prev,)


if __name__ == "__main__":
    from minirnn.exercises.tryout import race

    race(OwnCell)
