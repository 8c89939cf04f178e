"""Training that the ranks of MPI share: each takes a part of every batch, one all-reduce a step.

Every rank draws the same batches from the same seed, goes through every n-th sequence of them, and
adds its gradient to those of the others. All then take the same step, so that n ranks give what one
gives, but for the rounding of a sum in another order.
"""

import sys
from contextlib import contextmanager

import numpy as np

from .. import __version__
from ..backend import asnumpy, get_array_module
from ..errors import ArgumentError, ShapeError
from ..layers import Dropout
from ..packing import sizes_of
from ..training import Trainer
from .exchange import agree, summed


class SharedTrainer(Trainer):
    """A `Trainer` on every rank: n of them give what one gives.

        comm   mpi4py's communicator, as `world.join` gives it; the others are those of `Trainer`

    To be made on all ranks alike, with one seed. `fit` begins where the first rank is, so a run may
    be gone on with by another number of ranks; only the first should write. Raises `ArgumentError`
    where there are more ranks than sequences in a batch, and `DataError` where ranks have different
    data, settings or versions.
    """

    _agreed = False  # whether all stop after this step

    def __init__(self, comm, *arguments, **options):
        super().__init__(*arguments, **options)
        self.comm, few = comm, self.batch_size
        if few < comm.size:
            raise ArgumentError(
                f"batch_size is {few}, but must be at least {comm.size}, a sequence for each rank; "
                f"use --batch-size {comm.size}, or mpiexec -n {few}"
            )
        if self.carries:
            raise ArgumentError(
                "sampling is 'streams', but ranks cannot share batches whose states are carried "
                "on; use 'natural' or 'bucketed'"
            )
        agree(comm, what_must_agree(self))

    @property
    def stopped(self):
        """Whether all ranks stop now: set it on any of them, and the next step is the last."""
        return self._agreed

    @stopped.setter
    def stopped(self, asked):
        self._asked = asked

    def fit(self, progress=None, checkpoint=None):
        """Train as `Trainer.fit` does, from where the first rank is."""
        state = self.comm.bcast(self.state_dict() if self.comm.rank == 0 else None)
        if self.comm.rank:
            self.load_state_dict(*state)
        return super().fit(progress, checkpoint)

    def accumulate(self, index):
        """Add the gradient of a batch, the sum over all ranks' parts; (loss, score)."""
        part, weight, share = self.part_of(index)
        with self.masks_of(index, part):
            loss, score = super().accumulate(part)
        grad = self.optimizer.whole.grad
        xp, numbers = get_array_module(grad), (loss * weight, score * share, self._asked)
        tail = xp.stack([xp.asarray(number, dtype=grad.dtype) for number in numbers])
        total = summed(self.comm, xp.concatenate([grad * weight, tail]))
        grad[...], self._agreed = total[:-3], bool(total[-1] > 0)
        counts = score.dtype.kind in "iu"
        return total[-3], (xp.rint(total[-2]) if counts else total[-2]).astype(score.dtype)

    def evaluate(self):
        """Return how well the net does on the validation part: what the first rank finds."""
        agree(self.comm, {"drawn other random numbers": [self.rng.bit_generator.state]})
        return self.comm.bcast(super().evaluate())

    def part_of(self, index):
        """Return (this rank's sequences, the weight of their loss in that of all, of their counts).

        Every n-th, longest first, so that all have as much to do. Where there are too few, each
        rank takes all of them; too few of more than one element too, since a rank without any could
        not tell a mask for rows from one for sequences.
        """
        n, lengths = self.comm.size, self.sequences.lengths[index]
        order = np.argsort(-lengths, kind="stable")  # that of a batch
        longest = lengths[order[:n]]
        if n == 1 or len(index) < n or longest[-1] == 1 < longest[0]:
            return index, 1 / n, 1 / n
        part = index[order[self.comm.rank :: n]]
        mean = self.loss.normaliser == "mean"  # else the parts of the loss just add up
        return part, self.counted(part) / (self.counted(index) or 1) if mean else 1.0, 1.0

    def counted(self, index):
        """Return what the mean of the losses of these sequences is divided by."""
        targets, weight = self.sequences.targets(index), getattr(self.loss, "class_weight", None)
        targets = targets[targets != getattr(self.loss, "ignore_index", None)]
        return targets.size if weight is None else float(asnumpy(weight)[targets].sum())

    @contextmanager
    def masks_of(self, index, part):
        """Let dropout draw its masks for all of a batch, and use this rank's rows of them."""
        alive = [np.arange(number) for number in sizes_of(self.sequences.lengths[index])]
        own = np.concatenate(alive) % self.comm.size == self.comm.rank
        layers = [] if part is index else [m for m in modules(self.net) if isinstance(m, Dropout)]
        for layer in layers:
            layer.rng = Masks(layer.rng, own, own[: len(index)])  # every sequence has a first row
        try:
            yield
        finally:
            for layer in layers:
                layer.rng = layer.rng.rng


class Masks:
    """Stands for a generator: draws for a whole batch, and returns the rows of one rank.

    rows: for each, True where it is this rank's; those of all steps, and those of the first.
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


def what_must_agree(trainer):
    """Return {what a rank may have that differs: its parts} of a trainer that was just made."""
    s, numbers = trainer.sequences, (int, float, type(None))
    versions = __version__, np.__version__, sys.version_info[:3]
    settings = [
        {name: value for name, value in vars(owner).items() if isinstance(value, numbers)}
        for owner in (trainer, trainer.optimizer, trainer.loss)
    ]
    settings += [trainer.sample.__name__, trainer.schedule and trainer.schedule(1)]
    settings += [(name, p.shape) for name, p in trainer.net.named_parameters().items()]
    return {
        "another version of minirnn, NumPy or Python": versions,
        "other data": [s.rows, s.lengths, s.labels, trainer.train, trainer.validation],
        "other settings": settings,
        "another seed": [trainer.rng.bit_generator.state, *trainer.net.state_dict().values()],
    }
