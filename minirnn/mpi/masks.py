"""Dropout's masks where ranks share a batch: each draws those of all, and uses its own rows."""

from contextlib import contextmanager

import numpy as np

from ..errors import ShapeError
from ..layers import Dropout
from ..packing import sizes_of


@contextmanager
def drawn_for_all(net, lengths, part):
    """Let dropout draw for a batch of these lengths, longest first, while the net is given a part.

    part: a slice of the batch. The generators so go on as those of one process do.
    """
    own = np.zeros(len(lengths), bool)
    own[part] = True
    rows = own[np.concatenate([np.arange(n) for n in sizes_of(lengths)])]
    layers = [module for module in modules(net) if isinstance(module, Dropout)]
    for layer in layers:
        layer.rng = Masks(layer.rng, rows, own)
    try:
        yield
    finally:
        for layer in layers:
            layer.rng = layer.rng.rng


class Masks:
    """Stands for a generator: draws for a whole batch, and returns the rows of one rank.

    rows: for each, True where it is this rank's; those of all steps, and those of the sequences.
    """

    def __init__(self, rng, *rows):
        self.rng, self.rows = rng, rows

    def random(self, shape, dtype):
        """Return this rank's rows of a draw for all.

        Raises `ShapeError` for an array with a row neither for each row of the batch nor for each
        sequence.
        """
        for own in self.rows:
            if shape[0] == np.count_nonzero(own):
                return self.rng.random((len(own), *shape[1:]), dtype=dtype)[own]
        raise ShapeError(
            f"dropout is given shape {shape}, but with --mpi it needs a row for each row of the "
            "batch, or for each sequence"
        )


def modules(net):
    """Return all modules of a net, each once, itself first."""
    inside = [m for child in net.children().values() for m in modules(child)]
    return list({id(m): m for m in [net, *inside]}.values())
