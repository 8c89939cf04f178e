"""A blank never blocks: a numerical gradient in the place of a backward that is not written yet.

For small sizes only. A cell's step is nudged one unit at a time, all rows at once, because the
sequences of a batch never mix; what the cell asks `product` for counts as an input of its own.
"""

import numpy as np

STEP = 1e-6


class WithFallback:
    """A cell whose `backward`, where it raises NotImplementedError, is made of differences.

    It may be given to `Recurrent` like any cell. `used` says whether it was needed.
    """

    def __init__(self, cell):
        self.cell = cell() if isinstance(cell, type) else cell
        self.gates, self.states, self.used = self.cell.gates, self.cell.states, False

    def forward(self, gx, state, product):
        note = _Note(product)
        new, cache = self.cell.forward(gx, state, note)
        return new, (cache, gx, state, note.calls)

    def backward(self, dstate, cache, product):
        cache, gx, state, calls = cache
        try:
            return self.cell.backward(dstate, cache, product)
        except NotImplementedError:
            self.used = True
            return self._numerical(dstate, gx, state, calls, product)

    def _numerical(self, dstate, gx, state, calls, product):
        answers, dv = [m for _, _, m in calls], {}

        def rows(gx, state, answers):
            """What one step adds to the loss, for each row: its states, and the v's of products
            that are undone already."""
            replay = _Replay(answers)
            new, _ = self.cell.forward(gx, state, replay)
            total = sum((d * s).sum(axis=1) for d, s in zip(dstate, new, strict=True))
            return total + sum((d * replay.asked[k]).sum(axis=1) for k, d in dv.items())

        for k in reversed(range(len(calls))):
            gates = calls[k][0]

            def moved(m, k=k):
                return rows(gx, state, [*answers[:k], m, *answers[k + 1 :]])

            da = slopes(moved, answers[k])
            dv[k] = product.backward(da if da.ndim == 2 else tuple(da), gates)
        dgx = slopes(lambda moved: rows(moved, state, answers), gx)
        before = []
        for k in range(len(state)):
            before.append(
                slopes(lambda s, k=k: rows(gx, (*state[:k], s, *state[k + 1 :]), answers), state[k])
            )
        return tuple(dgx), tuple(before)


class _Note:
    """A product that notes down every call: the gates, what was given, what came out."""

    def __init__(self, product):
        self.product, self.calls = product, []

    def __call__(self, v, gates=None):
        result = self.product(v) if gates is None else self.product(v, gates)
        self.calls.append((gates, v, result))
        return result


class _Replay:
    """A product that gives answers made beforehand, whatever it is asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def __call__(self, v, gates=None):
        self.asked.append(v)
        return self.answers[len(self.asked) - 1]


def slopes(f, array):
    """The gradient of f(array) [n] for arrays [.., n, H] whose rows do not mix."""
    gradient = np.zeros(array.shape)
    for place in np.ndindex(*array.shape[:-2], array.shape[-1]):
        entry = (*place[:-1], slice(None), place[-1])
        up, down = array.copy(), array.copy()
        up[entry] += STEP
        down[entry] -= STEP
        gradient[entry] = (f(up) - f(down)) / (2 * STEP)
    return gradient


def numerical_gradient(f, array):
    """The gradient of the number f() with respect to an array that f reads, entry by entry."""
    gradient = np.zeros(array.shape)
    for entry in np.ndindex(array.shape):
        kept = array[entry]
        array[entry] = kept + STEP
        up = float(f())
        array[entry] = kept - STEP
        gradient[entry] = (up - float(f())) / (2 * STEP)
        array[entry] = kept
    return gradient
