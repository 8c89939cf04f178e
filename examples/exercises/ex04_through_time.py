"""Exercise 4: backpropagation through time, for any cell and for sequences of any length.

Read docs/05-through-time.md. Then fill in the blanks, and run

    python -P -m minirnn exercises check . 4
    python ex04_through_time.py

Do equal lengths first (4a, 4b, 4d, 4e, 4g); 4c and 4f are for sequences that end early. The cells
of exercises 3, 5, 6 and 7 are not needed here: the checker brings a cell of its own.
"""

import numpy as np

from minirnn.packing import as_rows
from minirnn.parameters import Module, Parameter, uniform
from minirnn.product import Product, ProductBackward


class Recurrent(Module):
    """A cell carried through time. G gates, D numbers in, H in the state."""

    def __init__(self, cell, input_size, hidden_size, *, rng, dtype="float32"):
        self.cell = cell() if isinstance(cell, type) else cell
        G, D, H = len(self.cell.gates), input_size, hidden_size
        self.Wx = Parameter(uniform(rng, (G, D, H), H**-0.5, dtype))
        self.Wh = Parameter(uniform(rng, (G, H, H), H**-0.5, dtype))
        self.bx = Parameter(uniform(rng, (G, H), H**-0.5, dtype))
        self.bh = Parameter(uniform(rng, (G, H), H**-0.5, dtype))
        self.input_size, self.hidden_size = input_size, hidden_size

    def forward(self, x, sizes=None, state=None):
        """All outputs, the final states, a cache. x is [T, N, D], or packed [S, D] with sizes."""
        x, sizes, shape = as_rows(x, sizes, self.input_size)  # x is [S, D] from here on
        if state is None:
            zeros = np.zeros((sizes[0], self.hidden_size), x.dtype)
            state = tuple(zeros for _ in self.cell.states)
        # TODO 4a (1 line): gx = x Wx + bx [G, S, H] for all steps at once.
        raise NotImplementedError("exercise 4: 4a, gx, is not written yet")

        product = Product(self.cell.gates, self.Wh.data, self.bh.data)
        outputs, steps, ended, end = [], [], [], 0
        for n in sizes:
            if n < len(state[0]):
                # TODO 4c (2 lines): the sequences n, n + 1, ... have ended. Append the list of
                # their rows, one array for each part of the state, to `ended`; keep a tuple of the
                # first n rows of each part in `state`.
                raise NotImplementedError("exercise 4: 4c, early ends, is not written yet")
            start, end = end, end + n  # the rows of this step
            # TODO 4b (3 lines): one step of self.cell on its part of gx; append the first part of
            # the new state to `outputs`, and the cell's cache to `steps`.
            raise NotImplementedError("exercise 4: 4b, one step, is not written yet")
        ended.append(state)

        final = tuple(np.concatenate(parts) for parts in zip(*reversed(ended), strict=True))
        output = np.concatenate(outputs)
        cache = (x, sizes, shape, steps, product)
        return output.reshape(*shape, -1) if shape else output, final, cache

    def backward(self, doutput, cache, dfinal=None):
        """dx and the gradient of the initial state; adds to the gradients of the parameters.

        doutput is shaped like the output; dfinal is a tuple of the gradients of the final states.
        """
        x, sizes, shape, steps, product = cache
        S, H = len(x), self.hidden_size
        doutput = doutput.reshape(S, H)
        if dfinal is None:
            dfinal = tuple(np.zeros((sizes[0], H)) for _ in self.cell.states)
        undo = ProductBackward(product, S, x.dtype)  # has .backward(da), as the cells need it
        dgx = np.zeros((len(self.cell.gates), S, H), x.dtype)

        dstate, start = tuple(d[: sizes[-1]] for d in dfinal), S
        for t in reversed(range(len(sizes))):
            n, alive = sizes[t], len(dstate[0])
            if n > alive:
                # TODO 4f (4 lines): sequences alive, ..., n - 1 end at this step, and start their
                # way back with their own rows of dfinal: make each part of `dstate` n rows long.
                raise NotImplementedError("exercise 4: 4f, early ends, is not written yet")
            start, end = start - n, start
            # TODO 4d (2 lines): two arrows leave the state of step t. Make `dstate` the gradient
            # of it, a tuple: its first part gets a share from doutput.
            raise NotImplementedError("exercise 4: 4d, a state's gradient, is not written yet")
            # TODO 4e (2 lines): go back through the cell, with `undo` as its product; put the
            # gradients of the gates into dgx[:, start:end].
            raise NotImplementedError("exercise 4: 4e, one step back, is not written yet")

        self.Wh.grad += undo.weight_gradient()
        self.bh.grad += undo.da.sum(axis=1)
        # TODO 4g (3 lines): add to self.Wx.grad [G, D, H] and self.bx.grad [G, H]; compute dx [S,
        # D], a sum over the gates:
        # return dx.reshape(*shape, -1) if shape else dx, dstate
        raise NotImplementedError("exercise 4: 4g, dWx, dbx and dx, is not written yet")


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_recurrent

    try_recurrent(Recurrent)
