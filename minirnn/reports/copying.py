"""The copy problem: read a few symbols, wait, and say them again.

Hochreiter and Schmidhuber 1997 have tasks of this kind; the form is that of Arjovsky, Shah and
Bengio 2016 with 3 symbols instead of 10.
"""

import numpy as np

from ..layers import Linear
from ..losses import CrossEntropy
from ..parameters import Module
from .drawn import DrawnTrainer

SYMBOLS, LENGTH = 8, 3  # how many there are, and how many are read
WAIT, GO = SYMBOLS, SYMBOLS + 1  # two more ids: nothing new, and the sign to begin
CHANCE = 1 - 1 / SYMBOLS  # the share of wrong symbols of a net that guesses
SOLVED = 0.01


def draw(rng, T, N):
    """(ids [T + 2 LENGTH, N], the symbols [LENGTH N]): read, T ids to wait of which the last is GO,
    and then the symbols are to be said, one a step."""
    symbols = rng.integers(SYMBOLS, size=(LENGTH, N))
    ids = np.full((T + 2 * LENGTH, N), WAIT)
    ids[:LENGTH] = symbols
    ids[LENGTH + T - 1] = GO
    return ids, symbols.ravel()


class Copier(Module):
    """logits [LENGTH N, SYMBOLS] = h_t W + b of the last LENGTH steps, for ids [T, N]."""

    def __init__(self, recurrent, *, rng, dtype="float32"):
        self.recurrent = recurrent
        self.linear = Linear(recurrent.hidden_size, SYMBOLS, rng=rng, dtype=dtype)

    def forward(self, ids):
        h, _, cache = self.recurrent.forward(ids)
        logits, linear_cache = self.linear.forward(h[-LENGTH:].reshape(-1, h.shape[2]))
        return logits, (cache, linear_cache, h.shape)

    def backward(self, dlogits, cache):
        cache, linear_cache, shape = cache
        dh = np.zeros(shape, dlogits.dtype)
        dh[-LENGTH:] = self.linear.backward(dlogits, linear_cache).reshape(LENGTH, *shape[1:])
        self.recurrent.backward(dh, cache)


class CopyingTrainer(DrawnTrainer):
    """Adam on batches of new sequences, until of 256 others fewer than `SOLVED` of the symbols are
    wrong.

    The history has (iteration, share of wrong symbols) at most forty times in a run.
    """

    def __init__(self, net, T, rng, *, iterations, batch_size=32, lr=5e-3, clip=1.0):
        self.test = draw(rng, T, 256)
        super().__init__(
            net, CrossEntropy(), lambda rng: draw(rng, T, batch_size), self.wrong, rng,
            iterations=iterations, lr=lr, clip=clip, solved=SOLVED,
        )  # fmt: skip

    def wrong(self, net):
        """Return the share of wrong symbols of the 256."""
        ids, symbols = self.test
        return float((net.forward(ids)[0].argmax(axis=1) != symbols).mean())
