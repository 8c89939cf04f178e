"""Labelled sequences, drawn in batches without padding."""

from typing import Any, NamedTuple

import numpy as np

from .backend import Dtype, asarray
from .errors import DataError
from .packing import order_of_rows


class Batch(NamedTuple):
    """Some sequences without padding, longest first, with their labels in the same order."""

    x: Any  # ids [S] or features [S, D], packed, on the current backend
    sizes: list  # sequences alive at each step
    labels: Any  # [N], in the order of the packed sequences, on the current backend
    index: Any  # [N]: the sequences' places in the data, on the host


class Sequences:
    """Sequences with a label each: arrays of ids [T], or of features [T, D], and whole numbers.

    Everything is checked here, once, on the host; a training step then checks nothing. ids must
    be in 0 .. num_symbols - 1 and labels in 0 .. num_classes - 1, else `DataError`.

    sequences: a list of N of them. labels: [N]. num_classes, num_symbols: how many there are; left
    out, one more than the largest that occurs. dtype: the type that features take, which ought to
    be the net's.

        >>> sequences = Sequences([[0, 1], [1, 1, 0], [1]], labels=[0, 1, 1])
        >>> x, sizes, labels, index = sequences.batch(np.array([0, 1]))
        >>> len(sequences), x, sizes, labels
        (3, array([1, 0, 1, 1, 0]), [2, 2, 1], array([1, 0]))
    """

    def __init__(self, sequences: Any, labels: Any, num_classes: int | None = None,
                 num_symbols: int | None = None, dtype: Dtype = "float32") -> None:  # fmt: skip
        self.labels = np.asarray(labels)
        self.lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        if len(self.lengths) == 0 or len(self.lengths) != len(self.labels):
            raise DataError(
                f"there are {len(self.lengths)} sequences, but {len(self.labels)} labels"
            )
        if self.lengths.min() == 0:
            raise DataError(f"sequence {int(self.lengths.argmin())} is empty")
        arrays = [np.asarray(sequence) for sequence in sequences]
        for k, array in enumerate(arrays):
            if array.shape[1:] != arrays[0].shape[1:]:
                raise DataError(
                    f"sequence {k} has shape {array.shape}, but sequence 0 has {arrays[0].shape}: "
                    "all but the first axis must agree"
                )
        self.rows = np.concatenate(arrays)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.num_classes = num_classes or int(self.labels.max()) + 1
        _in_range("label", self.labels, self.num_classes)
        if self.rows.dtype.kind in "iu":
            _in_range("id", self.rows, num_symbols or int(self.rows.max()) + 1)
        else:
            self.rows = self.rows.astype(dtype)
            if not np.isfinite(self.rows).all():
                raise DataError("the sequences hold NaN or infinite numbers")

    @classmethod
    def of_names(cls, names: Any, alphabet: Any) -> "Sequences":
        """Take the letters' ids of all names, with their languages (see `data.Names`)."""
        ids = [alphabet.encode(name) for name in names.names]
        return cls(ids, names.labels, len(names.languages), len(alphabet))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, index: np.ndarray) -> Batch:
        """Return the sequences at `index` [N] as a `Batch` on the current backend."""
        rows, sizes, order = order_of_rows(self.starts[index], self.lengths[index])
        index = index[order]
        return Batch(asarray(self.rows[rows]), sizes, asarray(self.labels[index]), index)

    def counts(self):
        """How many sequences each class has [K]."""
        return np.bincount(self.labels, minlength=self.num_classes)

    def log_prior(self):
        """log of each class's share [K], with one sequence added to each, so none is -inf."""
        counts = self.counts() + 1
        return np.log(counts / counts.sum())


def natural(sequences, index, batch_size, rng):
    """Index arrays of one epoch: every sequence of `index` once, in random order."""
    order = rng.permutation(index)
    return [order[k : k + batch_size] for k in range(0, len(order), batch_size)]


def balanced(sequences, index, batch_size, rng):
    """As many batches as `natural`; each draw takes a class evenly, then a sequence of it."""
    labels = sequences.labels[index]
    by_class = [index[labels == c] for c in np.unique(labels)]
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
    noisy = sequences.lengths[index] + rng.random(len(index))
    order = index[np.argsort(noisy, kind="stable")]
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


samplers = {"natural": natural, "balanced": balanced, "bucketed": bucketed}


def _in_range(what, values, size):
    if values.dtype.kind not in "iu":
        raise DataError(f"{what}s must be whole numbers, but are of type {values.dtype}")
    if values.min() < 0 or values.max() >= size:
        wrong = values[(values < 0) | (values >= size)][0]
        raise DataError(f"{what} {wrong} is out of range: it must be 0 to {size - 1}")
