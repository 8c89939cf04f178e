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
        # 4a: all steps at once; [S, D] @ [G, D, H] gives [G, S, H], and bx is added to all S rows
        gx = x @ self.Wx.data + self.bx.data[:, None]

        product = Product(self.cell.gates, self.Wh.data, self.bh.data)
        outputs, steps, ended, end = [], [], [], 0
        for n in sizes:
            if n < len(state[0]):
                # 4c: the longest come first, so those that end are the last rows
                ended.append([s[n:] for s in state])
                state = tuple(s[:n] for s in state)
            start, end = end, end + n  # the rows of this step
            # 4b: the new state takes the old one's name, and so goes on to the next step
            state, cache = self.cell.forward(gx[:, start:end], state, product)
            outputs.append(state[0])
            steps.append(cache)
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
                # 4f: those that end here join with their own rows of dfinal, as the last rows
                dstate = tuple(
                    np.concatenate([d, last[alive:n]])
                    for d, last in zip(dstate, dfinal, strict=True)
                )
            start, end = start - n, start
            # 4d: two arrows leave h: to the next step, whose share is in dstate, and to the output
            dstate = (dstate[0] + doutput[start:end], *dstate[1:])
            # 4e: through the cell, with the cache of this very step
            dgates, dstate = self.cell.backward(dstate, steps[t], undo)
            dgx[:, start:end] = dgates

        self.Wh.grad += undo.weight_gradient()
        self.bh.grad += undo.da.sum(axis=1)
        # 4g: Wx is used in every row: a sum over the rows, which the product takes
        self.Wx.grad += x.T @ dgx
        # bx is added to every row: the sum over them
        self.bx.grad += dgx.sum(axis=1)
        # x goes into every gate: back through the weights of each, turned, and their sum
        dx = (dgx @ self.Wx.data.swapaxes(1, 2)).sum(axis=0)
        return dx.reshape(*shape, -1) if shape else dx, dstate


if __name__ == "__main__":
    from minirnn.exercises.tryout import try_recurrent

    try_recurrent(Recurrent)
