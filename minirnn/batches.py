"""Labelled sequences, drawn in batches without padding."""

from typing import Any, NamedTuple

import numpy as np

from . import errors as check
from .backend import Dtype, asarray
from .errors import DataError, floating, generator, in_range, joined, labels_of, places, whole
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
        sequences = check.listed("sequences", sequences, DataError)
        self.labels = labels_of("label", labels, len(sequences), num_classes)
        self.rows, self.lengths = joined(sequences, DataError)
        ids, features = self.rows.dtype.kind in "iu", floating("dtype", dtype)
        if self.rows.ndim != (1 if ids else 2):
            given = f"sequence 0 has shape {np.shape(sequences[0])} of type {self.rows.dtype}"
            wanted = "whole numbers [T], and features [T, D] such as x.astype('float32')"
            raise DataError(f"{given}, but ids must be {wanted}")
        self.starts = np.cumsum(self.lengths) - self.lengths
        num_symbols = whole("num_symbols", num_symbols, none=True)
        self.num_classes = num_classes or int(self.labels.max()) + 1
        if ids:
            in_range("id", self.rows, num_symbols or 2**62, DataError)
        else:
            self.rows = self.rows.astype(features)
            if not np.isfinite(self.rows).all():
                raise DataError("the sequences hold NaN or infinite numbers, but must be finite")

    @classmethod
    def of_names(cls, names: Any, alphabet: Any) -> "Sequences":
        """Take the letters' ids of all names, with their languages (see `data.Names`)."""
        ids = [alphabet.encode(name) for name in names.names]
        return cls(ids, names.labels, len(names.languages), len(alphabet))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, index: Any) -> Batch:
        """Return the sequences at `index` as a `Batch` on the current backend.

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
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
    order = rng.permutation(index)
    return [order[k : k + batch_size] for k in range(0, len(order), batch_size)]


def balanced(sequences, index, batch_size, rng):
    """As many batches as `natural`; each draw takes a class evenly, then a sequence of it."""
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
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
    index, batch_size, rng = _checked(sequences, index, batch_size, rng)
    noisy = sequences.lengths[index] + rng.random(len(index))
    order = index[np.argsort(noisy, kind="stable")]
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def _checked(sequences, index, batch_size, rng):
    """What a sampler is given, with places for a mask."""
    return places("index", index, len(sequences)), whole("batch_size", batch_size), generator(rng)


# Each takes places or a mask for `index`, and raises `DataError` where it is neither.
samplers = {"natural": natural, "balanced": balanced, "bucketed": bucketed}
