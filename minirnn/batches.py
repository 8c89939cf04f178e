"""Sequences with their targets, drawn in batches without padding."""

from typing import Any, NamedTuple

import numpy as np

from . import check
from .backend import Dtype, asarray
from .errors import DataError
from .measures import log_shares
from .packing import order_of_rows


class Batch(NamedTuple):
    """Some sequences without padding, longest first, with their targets in the same order."""

    x: Any  # ids [S] or features [S, D], packed, on the current backend
    sizes: list  # sequences alive at each step
    labels: Any  # [N, ...] in the order of the packed sequences; or [S, ...], one for every step
    index: Any  # [N]: the sequences' places in the data, on the host
    state: Any = None  # that the net begins with, where it is carried on from the batch before

    def __repr__(self):
        return f"Batch({len(self.index)} sequences, {len(self.x):,} rows, {len(self.sizes)} steps)"


class Sequences:
    """Sequences, arrays of ids [T] or of features [T, D], with what a net shall say to them.

    That is either `labels`, one for each sequence, or `targets`, one for every step. Whole numbers
    are classes, floating ones are numbers to be predicted. Everything is checked here, on the host,
    so that checks need not keep a graphics card waiting in training. ids must be in
    0 .. num_symbols - 1 and classes in 0 .. num_classes - 1, else `DataError`, as for targets of
    another length than their sequence.

        sequences     a list of N of them
        labels        classes [N], or numbers [N] or [N, K]
        num_classes   how many classes there are; left out, one more than the largest that occurs
        num_symbols   how many ids there are; left out, as many as the net knows
        dtype         the type that features and numbers take, which ought to be the net's
        targets       a list of N arrays: classes [T], or numbers [T] or [T, K]
        ignore_index  the class of steps that do not count; it must be the loss's too

        >>> sequences = Sequences([[0, 1], [1, 1, 0], [1]], labels=[0, 1, 1])
        >>> batch = sequences.batch(np.array([0, 1]))
        >>> len(sequences), batch.x, batch.sizes, batch.labels
        (3, array([1, 0, 1, 1, 0]), [2, 2, 1], array([1, 0]))
        >>> Sequences([[0, 1], [1, 1, 0]], targets=[[5, 6], [7, 8, 9]]).batch([0, 1]).labels
        array([7, 5, 8, 6, 9])
    """

    def __init__(self, sequences: Any, labels: Any = None, num_classes: int | None = None,
                 num_symbols: int | None = None, dtype: Dtype = "float32", *, targets: Any = None,
                 ignore_index: int | None = None) -> None:  # fmt: skip
        sequences = check.listed("sequences", sequences, DataError)
        dtype, self.every_step = check.floating("dtype", dtype), labels is None
        self.ignore_index = check.whole("ignore_index", ignore_index, least=None, none=True)
        self.labels, self.num_classes = check.targets_of(
            sequences, labels, targets, num_classes, self.ignore_index, dtype
        )  # num_classes: of numbers, how many there are at once
        self.rows, self.lengths = check.inputs_of(sequences, num_symbols, dtype)
        self.starts = np.cumsum(self.lengths) - self.lengths

    @classmethod
    def of_names(cls, names: Any, alphabet: Any) -> "Sequences":
        """Take the letters' ids of all names, with their languages (see `data.Names`)."""
        ids = check.encoded(names, alphabet)
        return cls(ids, names.labels, len(names.languages), len(alphabet))

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        said = "targets" if self.every_step else "labels"
        return f"Sequences({len(self):,} with {len(self.rows):,} steps, {self.labels.dtype} {said})"

    def batch(self, index: Any, state: Any = None) -> Batch:
        """Return the sequences at `index` as a `Batch` on the current backend.

        index: places [N], or a mask; `DataError` for anything else. state: what the net begins
        with, for these sequences in the order of `index`, and perhaps more after them; see
        `streams`.
        """
        index = check.places("index", index, len(self))
        rows, sizes, order = order_of_rows(self.starts[index], self.lengths[index])
        labels = self.labels[rows if self.every_step else index[order]]
        state = check.carried(state, order)
        return Batch(asarray(self.rows[rows]), sizes, asarray(labels), index[order], state)

    def targets(self, index):
        """The targets of the sequences at `index`, one sequence after the other, on the host."""
        index = check.places("index", index, len(self))
        if not self.every_step:
            return self.labels[index]
        ends = self.starts + self.lengths
        return np.concatenate([self.labels[self.starts[k] : ends[k]] for k in index])

    def number(self, index):
        """How many targets the sequences at `index` have that count."""
        targets = self.targets(index)
        ignored = 0 if self.ignore_index is None else (targets == self.ignore_index).sum()
        return len(targets) - int(ignored)

    def counts(self):
        """How many targets each class has [K]; `DataError` where they are numbers."""
        if self.labels.dtype.kind == "f":
            raise DataError("the targets are numbers, but must be classes to be counted")
        counted = self.labels[self.labels != self.ignore_index]
        return np.bincount(counted, minlength=self.num_classes)

    def log_prior(self):
        """log of each class's share [K], with one target added to each, so none is -inf."""
        return log_shares(self.counts() + 1)


def natural(sequences, index, batch_size, rng):
    """Index arrays of one epoch: every sequence of `index` once, in random order."""
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
    order = rng.permutation(index)
    return [order[k : k + batch_size] for k in range(0, len(order), batch_size)]


def balanced(sequences, index, batch_size, rng):
    """As many batches as `natural`; each draw takes a class evenly, then a sequence of it.

    Raises `DataError` where the sequences have not a class each.
    """
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
    check.balanceable(sequences, index)
    labels, ignored = sequences.labels[index], sequences.ignore_index
    by_class = [index[labels == c] for c in np.unique(labels) if c != ignored]
    draws = np.ceil(len(index) / batch_size).astype(int) * batch_size
    classes = rng.integers(len(by_class), size=draws)
    sizes = np.array([len(members) for members in by_class])
    starts = np.cumsum(sizes) - sizes
    order = np.concatenate(by_class)[starts[classes] + rng.integers(sizes[classes])]
    return list(order.reshape(-1, batch_size))


def bucketed(sequences, index, batch_size, rng):
    """As `natural`, but each batch holds sequences of nearly the same length: fewer, fuller steps.

    Lengths are compared with a random fraction added, so that the batches differ every epoch.
    """
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
    noisy = sequences.lengths[index] + rng.random(len(index))
    order = index[np.argsort(noisy, kind="stable")]
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def streams(sequences, index, batch_size, rng):
    """The sequences in their order, as `batch_size` streams side by side: nothing is drawn.

    A stream is a run of `index`, pieces of one long text, say; batch t holds the t-th piece of
    each, so the state after one batch is where the next begins. Raises `DataError` where there are
    fewer pieces than streams, or one is longer than one before it.
    """
    index, batch_size, _ = _checked(sequences, index, batch_size, rng)
    return [index[batch] for batch in side_by_side(sequences.lengths[index], batch_size)]


def side_by_side(lengths, number):
    """Places in `lengths` [n], those of each batch, for so many streams; see `streams`.

    Raises `DataError` as it does.
    """
    n = len(lengths)
    if n < number:
        raise DataError(f"{number} streams need a sequence each, but there are only {n}")
    each = n // number + (np.arange(number) < n % number)
    rows, sizes, _ = order_of_rows(np.cumsum(each) - each, each)
    batches = np.split(rows, np.cumsum(sizes)[:-1])
    if any((np.diff(lengths[batch]) > 0).any() for batch in batches):
        raise DataError("streams need sequences of one length, but the last may be shorter")
    return batches


def _checked(sequences, index, batch_size, rng):
    """What a sampler is given, with places for a mask."""
    index = check.places_in("index", index, sequences)
    return index, check.whole("batch_size", batch_size), check.generator(rng)


# Each takes places or a mask for `index`, and raises `DataError` where it is neither.
samplers = {"natural": natural, "balanced": balanced, "bucketed": bucketed, "streams": streams}
