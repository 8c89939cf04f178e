"""What is minimised: cross-entropy for classes, mean squared error for numbers.

Every loss takes an explicit normaliser, what the sum over its entries is divided by, because
another choice changes the size of every gradient, and with it what a learning rate means.
"""

from typing import Any

import numpy as np

from .backend import Array, asarray, get_array_module
from .errors import ShapeError
from .functions import log_softmax
from .layers import first_outside


class CrossEntropy:
    """loss = - sum_n log softmax(logits_n)[label_n] / normaliser.

    This is log-softmax followed by the negative log-likelihood. normaliser: "mean" (the number
    of labels that are not ignored, as PyTorch's), "sum" (1), or a number. ignore_index: rows
    with this label give no loss and no gradient. log_prior [K]: added to the logits, so that the
    net itself learns what is left when the classes' frequencies are taken away, and its own
    logits judge as if all classes were equally frequent (Menon et al. 2021, eq. 10). Raises
    `ValueError` for another normaliser.

        >>> loss = CrossEntropy()
        >>> value, cache = loss.forward(np.zeros((2, 4)), np.array([0, 3]))
        >>> print(value.round(4), loss.backward(cache)[0])
        1.3863 [-0.375  0.125  0.125  0.125]
    """

    def __init__(self, normaliser: str | float = "mean", ignore_index: int | None = None,
                 log_prior: Any = None) -> None:  # fmt: skip
        if normaliser not in ("mean", "sum") and not _positive(normaliser):
            raise ValueError(f"normaliser is {normaliser!r}, but must be mean, sum or above 0")
        self.normaliser: Any = normaliser
        self.ignore_index = ignore_index
        self.log_prior = None if log_prior is None else asarray(log_prior)  # goes to a GPU once

    def forward(self, logits: Array, labels: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache. logits [..., K], labels [...] whole numbers.

        Raises `ShapeError` where the shapes differ, or a label on the host is not in 0 .. K - 1.
        """
        xp = get_array_module(logits=logits, labels=labels)
        K = logits.shape[-1]
        if labels.shape != logits.shape[:-1]:
            raise ShapeError(
                f"labels have shape {labels.shape}, but logits have {logits.shape}: the labels "
                f"must have {logits.shape[:-1]}"
            )
        shape, logits, labels = logits.shape, logits.reshape(-1, K), labels.reshape(-1)
        keep = None
        if self.ignore_index is not None:
            keep = labels != self.ignore_index
            labels = xp.where(keep, labels, 0)
        check_labels(labels, K)
        if self.log_prior is not None:
            logits = logits + xp.asarray(self.log_prior, dtype=logits.dtype)
        log_p = log_softmax(logits)
        losses = -log_p[xp.arange(len(labels)), labels]
        count = len(labels)
        if keep is not None:
            keep = keep.astype(logits.real.dtype)
            losses, count = losses * keep, xp.maximum(keep.sum(), 1)
        divisor = {"mean": count, "sum": 1}.get(self.normaliser, self.normaliser)
        return losses.sum() / divisor, (log_p, labels, keep, divisor, shape)

    def backward(self, cache: Any, dloss: float = 1.0) -> Array:
        """dlogits = (softmax(logits) - one-hot label) / normaliser."""
        log_p, labels, keep, divisor, shape = cache
        xp = get_array_module(log_p)
        dlogits = xp.exp(log_p)
        dlogits[xp.arange(len(labels)), labels] -= 1
        if keep is not None:
            dlogits *= keep[:, None]
        return (dlogits * (dloss / divisor)).reshape(shape)


class MeanSquaredError:
    """loss = sum (y - target)^2 / normaliser, for y and target of the same shape, any.

    normaliser: "mean" (the number of entries, as PyTorch's), "sum" (1), or a number; `ValueError`
    for another.

        >>> loss = MeanSquaredError()
        >>> value, cache = loss.forward(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        >>> print(value, loss.backward(cache))
        2.0 [ 0. -2.]
    """

    def __init__(self, normaliser: str | float = "mean") -> None:
        if normaliser not in ("mean", "sum") and not _positive(normaliser):
            raise ValueError(f"normaliser is {normaliser!r}, but must be mean, sum or above 0")
        self.normaliser: Any = normaliser

    def forward(self, y: Array, target: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache; `ShapeError` where the two shapes differ."""
        get_array_module(y=y, target=target)
        if y.shape != target.shape:
            raise ShapeError(f"y has shape {y.shape}, but the target has {target.shape}")
        difference = y - target
        divisor = {"mean": difference.size, "sum": 1}.get(self.normaliser, self.normaliser)
        return (difference * difference).sum() / divisor, (difference, divisor)

    def backward(self, cache: Any, dloss: float = 1.0) -> Array:
        """dy = 2 (y - target) / normaliser."""
        difference, divisor = cache
        return difference * (2 * dloss / divisor)


def check_labels(labels, K):
    """Raise `ShapeError` where a label [N] (on the host) is not in 0 .. K - 1."""
    if get_array_module(labels) is not np or labels.size == 0:
        return
    if labels.dtype.kind not in "iu":
        raise ShapeError(f"labels must be whole numbers, but are of type {labels.dtype}")
    wrong = first_outside(labels, K)
    if wrong is not None:
        raise ShapeError(f"label {wrong} is out of range: with {K} classes it must be 0 to {K - 1}")


def _positive(number):
    return isinstance(number, (int, float)) and number > 0
