"""Sequences of different lengths in one array, without padding.

The sequences are sorted, longest first, and stored step by step: first the first element of
every sequence, then the second of every one that has a second, and so on. `sizes[t]` is how many
are still alive at step t, so the rows of step t are the next sizes[t] rows:

    bees         sizes = [3, 3, 2, 1]
    cat          rows  = b c o  e a x  e t  s
    ox

The sum of sizes is S, the number of rows. This is PyTorch's `PackedSequence`.
"""

from typing import Any

import numpy as np

from .backend import Array, asnumpy, get_array_module
from .check import filling, joined, one_of, padded, steps_of, unpackable
from .errors import ShapeError


def pack(sequences: list[np.ndarray]) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return (rows [S, ...], sizes, order [N]) of `sequences`, arrays [length, ...] on the host.

    `order[k]` is the index of the sequence that became the k-th; labels and initial states must
    be put in the same order: `labels[order]`.
    Raises `ShapeError` where there is no sequence, or one of them is empty, no array, or of another
    width or kind than the first.

        >>> rows, sizes, order = pack([np.array([1, 2]), np.array([3, 4, 5])])
        >>> print(rows, sizes, order)
        [3 1 4 2 5] [2, 2, 1] [1 0]
    """
    joint, lengths = joined(sequences, ShapeError, "iufcbU")
    rows, sizes, order = order_of_rows(np.cumsum(lengths) - lengths, lengths)
    return joint[rows], sizes, order


def order_of_rows(starts, lengths):
    """(rows [S], sizes, order [N]) of sequences that lie one after the other in one array.

    Sequence k is at starts[k] .. starts[k] + lengths[k]; `rows` picks its elements into the packed
    order.
    """
    order = np.argsort(-lengths, kind="stable")
    sizes = sizes_of(lengths)
    starts = starts[order]
    return np.concatenate([starts[:n] + t for t, n in enumerate(sizes)]), sizes, order


def unpack(rows: Array, sizes: list[int], order: Array) -> list[Array]:
    """Return the list of sequences that `pack` was given, from rows [S, ...], its sizes and order.

    The rows may be others of as many: the outputs of a net, say, on either backend. Raises
    `ShapeError` where the three do not belong together.

        >>> unpack(*pack([np.array([1, 2]), np.array([3, 4, 5])]))
        [array([1, 2]), array([3, 4, 5])]
    """
    rows, sizes, order = unpackable(rows, sizes, asnumpy(order))
    starts = np.cumsum([0, *sizes[:-1]])
    sequences: list[Array] = [None] * sizes[0]
    for k in range(sizes[0]):
        length = sum(n > k for n in sizes)
        sequences[order[k]] = rows[starts[:length] + k]
    return sequences


def pack_padded(
    x: np.ndarray, lengths: Any, *, batch_first: bool
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return what `pack` does for sequences that were padded to one length.

    x: [N, T, ...] if batch_first, else [T, N, ...], on the host; it has to be said, since a wrong
    guess would go unnoticed. lengths: [N], from 1 to T; what follows in x is not looked at.
    Raises `ShapeError` where they do not fit x.

        >>> x = np.array([[1, 2, 0], [3, 4, 5]])
        >>> rows, sizes, order = pack_padded(x, [2, 3], batch_first=True)
        >>> print(rows, sizes, order)
        [3 1 4 2 5] [2, 2, 1] [1 0]
    """
    rows, lengths = padded(x, lengths, batch_first)
    return pack([row[:n] for row, n in zip(rows, lengths, strict=True)])


def pad_packed(
    rows: Array, sizes: list[int], order: Array, *, batch_first: bool, value: float = 0
) -> tuple[Array, list[int]]:
    """Return (x, lengths): sequences that are packed, padded with `value` to one length.

    rows [S, ...], sizes and order are what `pack` gives; the rows may be others of as many.
    x is [N, T, ...] if batch_first, else [T, N, ...]. Raises `ShapeError` as `unpack` does.

        >>> pad_packed(*pack([np.array([1, 2]), np.array([3, 4, 5])]), batch_first=True)
        (array([[1, 2, 0],
               [3, 4, 5]]), [2, 3])
    """
    one_of("batch_first", batch_first, (True, False))
    rows, sizes, order = unpackable(rows, sizes, asnumpy(order))
    sequences = unpack(rows, sizes, order)
    xp, shape = get_array_module(rows), (len(sequences), len(sizes), *rows.shape[1:])
    x = xp.full(shape, filling(value, rows.dtype), rows.dtype)
    for k, sequence in enumerate(sequences):
        x[k, : len(sequence)] = sequence
    return x if batch_first else x.swapaxes(0, 1), [len(sequence) for sequence in sequences]


def sizes_of(lengths):
    """[how many sequences are longer than t, for every step t]."""
    counts = np.bincount(lengths, minlength=max(lengths) + 1)
    return [int(n) for n in len(lengths) - np.cumsum(counts)[:-1]]


def reversal(sizes):
    """The row order [S] in which every sequence runs backwards within its own length.

    Applied twice it is the identity, so the same index puts the results back.
    """
    sizes = np.asarray(sizes)
    starts = np.cumsum(sizes) - sizes
    k = np.concatenate([np.arange(n) for n in sizes])  # which sequence a row belongs to
    t = np.repeat(np.arange(len(sizes)), sizes)  # and at which step
    lengths = (sizes[:, None] > np.arange(sizes[0])).sum(axis=0)
    return starts[lengths[k] - 1 - t] + k


def as_rows(x, sizes, width):
    """(rows, sizes, shape) of x: [S, width] or ids [S] with sizes, or dense without them.

    A dense batch is [T, N, width], or ids [T, N]; its shape [T, N] comes back, else None.
    Raises `ShapeError` where x has another width, or does not fit its sizes, or those are no list
    of whole numbers.
    """
    sizes = steps_of(x, sizes, width)
    if sizes is not None:
        return x, sizes, None
    T, N = x.shape[:2]
    return x.reshape(-1, *x.shape[2:]), [N] * T, (T, N)
