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
        # TODO 10a (5 lines, say): the new state, a tuple, and what backward needs:
        # return (h,), cache
        raise NotImplementedError("exercise 10: OwnCell.forward is not written yet")

    def backward(self, dstate, cache, product):
        """The gradients of gx, a tuple with one [n, H] for each gate, and of the state before."""
        # TODO 10b (8 lines, say): undo forward, the last line first. For every product(v) of
        # forward there is one product.backward(da) here; product.backward(da, "f") for one gate.
        # return (da of each gate), (dh_prev,)
        raise NotImplementedError("exercise 10: OwnCell.backward is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import race

    race(OwnCell)
