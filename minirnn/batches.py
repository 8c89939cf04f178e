"""Labelled sequences, drawn in batches without padding."""

from typing import Any, NamedTuple

import numpy as np

from .backend import asarray
from .errors import DataError, floating, generator, in_range, joined, labels_of, places, whole
from .packing import order_of_rows


class Batch(NamedTuple):
    """Some sequences without padding, longest first, with their labels in the same order."""

    x: Any  # ids [S] or features [S, D], packed, on the current backend
    sizes: list  # sequences alive at each step
    labels: Any  # [N], in the order of the packed sequences, on the current backend
    index: np.ndarray  # [N]: the sequences' places in the data, on the host


class Sequences:
    """Sequences with a label each: arrays of ids [T], or of features [T, D], and whole numbers.

    Everything is checked here, once, on the host; a training step then checks nothing. ids must
    be in 0 .. num_symbols - 1 and labels in 0 .. num_classes - 1, else `DataError`. Features take
    the type `dtype`, which ought to be the net's.
    """

    def __init__(self, sequences, labels, num_classes=None, num_symbols=None, dtype="float32"):
        sequences = list(sequences)
        self.labels = labels_of("label", labels, len(sequences), num_classes)
        self.rows, self.lengths = joined(sequences, DataError)
        ids, features = self.rows.dtype.kind in "iu", floating("dtype", dtype)
        if self.rows.ndim != (1 if ids else 2):
            raise DataError(
                f"sequence 0 has shape {np.shape(sequences[0])} of type {self.rows.dtype}, but ids "
                "must be whole numbers [T], and features [T, D] such as x.astype('float32')"
            )
        self.starts = np.cumsum(self.lengths) - self.lengths
        num_symbols = whole("num_symbols", num_symbols, none=True)
        self.num_classes = num_classes or int(self.labels.max()) + 1
        if ids:
            in_range("id", self.rows, num_symbols or 2**62, DataError)
        else:
            self.rows = self.rows.astype(features)
            if not np.isfinite(self.rows).all():
                raise DataError("the sequences hold NaN or infinite numbers, but must be finite")

    def __len__(self):
        return len(self.lengths)

    def batch(self, index):
        """The sequences at `index` as a `Batch` on the current backend.

        index: places [N], or a mask; `DataError` for anything else.
        """
        index = places("index", index, len(self))
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
    index, batch_size = places("index", index, len(sequences)), whole("batch_size", batch_size)
    order = generator(rng).permutation(index)
    return [order[k : k + batch_size] for k in range(0, len(order), batch_size)]


def balanced(sequences, index, batch_size, rng):
    """As many batches as `natural`; each draw takes a class evenly, then a sequence of it."""
    index, batch_size = places("index", index, len(sequences)), whole("batch_size", batch_size)
    labels = sequences.labels[index]
    by_class = [index[labels == c] for c in np.unique(labels)]
    draws = np.ceil(len(index) / batch_size).astype(int) * batch_size
    classes = generator(rng).integers(len(by_class), size=draws)
    sizes = np.array([len(members) for members in by_class])
    starts = np.cumsum(sizes) - sizes
    order = np.concatenate(by_class)[starts[classes] + rng.integers(sizes[classes])]
    return list(order.reshape(-1, batch_size))


def bucketed(sequences, index, batch_size, rng):
    """As `natural`, but each batch holds sequences of nearly the same length: fewer, fuller steps.

    Lengths are compared with a random fraction added, so that the batches differ every epoch.
    """
    index, batch_size = places("index", index, len(sequences)), whole("batch_size", batch_size)
    noisy = sequences.lengths[index] + generator(rng).random(len(index))
    order = index[np.argsort(noisy, kind="stable")]
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


# Each takes places or a mask for `index`, and raises `DataError` where it is neither.
samplers = {"natural": natural, "balanced": balanced, "bucketed": bucketed}
