"""Training that the ranks of MPI share: each takes a part of every batch, one all-reduce a step.

Every rank draws the same batches from the same seed, goes through every n-th sequence of them, and
adds its gradient to those of the others. All then take the same step, so that n ranks give what one
gives, but for the rounding of a sum in another order.
"""

import numpy as np

from ..backend import asnumpy, get_array_module
from ..errors import ArgumentError
from ..evaluation import AT_ONCE, measured, outputs_of
from ..training import Trainer
from .agreement import agree, what_must_agree
from .exchange import summed
from .masks import drawn_for_all


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
            option = "--streams" if self.carries else "--batch-size"
            raise ArgumentError(
                f"batch_size is {few}, but must be at least {comm.size}, a sequence for each rank; "
                f"use {option} {comm.size}, or mpiexec -n {few}"
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
        index = index[np.argsort(-self.sequences.lengths[index], kind="stable")]  # as in a batch
        before, (part, counts) = self.state, self.part_of(index)
        if self.carries:
            before = [s[:, : len(index)] for s in before]
            self.state = tuple(s[:, part] for s in before)
        with drawn_for_all(self.net, self.sequences.lengths[index], part):
            loss, score = super().accumulate(index[part])
        weight, grad = counts * self.weight_of(index, part), self.optimizer.whole.grad
        tail = [loss * weight, score * counts, self._asked]
        for old, new in zip(before or (), self.state or (), strict=True):
            tail.append(get_array_module(old).zeros_like(old))
            tail[-1][:, part] = counts * new
        grad[...], loss, right, asked, *state = summed(self.comm, [grad * weight, *tail])
        self._agreed, self.state = bool(asked > 0), tuple(state) or None
        return loss, right.astype(score.dtype)

    def evaluate(self):
        """Return how well the net does on the validation part, which the ranks share too."""
        agree(self.comm, {"drawn other random numbers": [self.rng.bit_generator.state]})
        streams = self.batch_size if self.carries else None
        part, counts = self.share(min(len(self.validation), streams or AT_ONCE) < self.comm.size)
        given = self.net, self.sequences, self.validation
        outputs = counts * outputs_of(*given, AT_ONCE, streams, part)
        return self.comm.bcast(measured(*summed(self.comm, [outputs]), *given[1:], self.loss))

    def share(self, few):
        """Return (this rank's part of what all have, whether it counts).

        Every n-th, longest first, so that all have as much to do. Where there are too few, each
        rank takes all of them, and the first's count.
        """
        every_nth = slice(self.comm.rank, None, self.comm.size)
        return (slice(None), self.comm.rank == 0) if few else (every_nth, True)

    def part_of(self, index):
        """Return `share` of a batch, longest first.

        There are too few of more than one element too: a rank without any could not tell a mask for
        rows from one for sequences.
        """
        n, longest = self.comm.size, self.sequences.lengths[index[: self.comm.size]]
        return self.share(len(index) < n or longest[-1] == 1 < longest[0])

    def weight_of(self, index, part):
        """Return the weight of the loss of a part of a batch in that of all."""
        if self.loss.normaliser != "mean":  # the parts of the loss just add up
            return 1.0
        return self.counted(index[part]) / (self.counted(index) or 1)

    def counted(self, index):
        """Return what the mean of the losses of these sequences is divided by."""
        targets, weight = self.sequences.targets(index), getattr(self.loss, "class_weight", None)
        targets = targets[targets != getattr(self.loss, "ignore_index", None)]
        return targets.size if weight is None else float(asnumpy(weight)[targets].sum())
