"""What is minimised: cross-entropy for classes, mean squared error for numbers.

Every loss takes an explicit normaliser, what the sum over its entries is divided by, because
another choice changes the size of every gradient, and with it what a learning rate means.
"""

from typing import Any

from . import errors as check
from .backend import Array, asarray, get_array_module, taken
from .errors import ABOVE_0, ShapeError, check_shape, in_range, real, whole
from .functions import log_softmax

NORMALISER = "mean, sum or above 0", ABOVE_0[1]


class CrossEntropy:
    """loss = - sum_n log softmax(logits_n)[label_n] / normaliser.

    This is log-softmax followed by the negative log-likelihood. normaliser: "mean" (the number
    of labels that are not ignored, as PyTorch's), "sum" (1), or a number. ignore_index: rows
    with this label give no loss and no gradient. log_prior [K]: added to the logits, so that the
    net itself learns what is left when the classes' frequencies are taken away, and its own
    logits judge as if all classes were equally frequent (Menon et al. 2021, eq. 10). Raises
    `ArgumentError` for another normaliser, an ignore_index that is no whole number, or a log_prior
    that is not [K].

        >>> loss = CrossEntropy()
        >>> value, cache = loss.forward(np.zeros((2, 4)), np.array([0, 3]))
        >>> print(value.round(4), loss.backward(cache)[0])
        1.3863 [-0.375  0.125  0.125  0.125]
    """

    def __init__(self, normaliser: str | float = "mean", ignore_index: int | None = None,
                 log_prior: Any = None) -> None:  # fmt: skip
        self.normaliser = _normaliser(normaliser)
        self.ignore_index = whole("ignore_index", ignore_index, least=None, none=True)
        if log_prior is not None:
            log_prior = asarray(check.prior_of(taken(None, log_prior=log_prior)))  # to a GPU once
        self.log_prior = log_prior

    def forward(self, logits: Array, labels: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache. logits [..., K], labels [...] whole numbers.

        Raises `ShapeError` where the shapes differ, or a label on the host is not in 0 .. K - 1.
        """
        logits = taken(None, whole=False, logits=logits)
        labels, xp = taken(logits, labels=labels), get_array_module(logits)
        K = logits.shape[-1] if logits.ndim else 0
        if labels.shape != logits.shape[:-1] or not K:
            given = f"labels have shape {labels.shape}, but logits have {logits.shape}"
            raise ShapeError(f"{given}: the labels must have {logits.shape[:-1]}")
        check.not_empty("logits", logits)
        shape, logits, labels = logits.shape, logits.reshape(-1, K), labels.reshape(-1)
        keep = None
        if self.ignore_index is not None:
            keep = labels != self.ignore_index
            labels = xp.where(keep, labels, 0)
            usable = keep[:, None] | xp.isfinite(logits)  # a NaN there would be one here
            logits = xp.where(usable, logits, 0)
        in_range("label", labels, K, note=f"with {K} classes ")
        if self.log_prior is not None:
            check_shape("log_prior", self.log_prior, (K,), note=": [K]")
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
        log_p, labels, keep, divisor, shape = check.cache_of(cache, 5)
        xp = get_array_module(log_p)
        dlogits = xp.exp(log_p)
        dlogits[xp.arange(len(labels)), labels] -= 1
        if keep is not None:
            dlogits *= keep[:, None]
        return (dlogits * (dloss / divisor)).reshape(shape)


class MeanSquaredError:
    """loss = sum (y - target)^2 / normaliser, for y and target of the same shape, any.

    normaliser: "mean" (the number of entries, as PyTorch's), "sum" (1), or a number;
    `ArgumentError` for another. Whole numbers are taken for numbers, so that none wraps around.

        >>> loss = MeanSquaredError()
        >>> value, cache = loss.forward(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        >>> print(value, loss.backward(cache))
        2.0 [ 0. -2.]
    """

    def __init__(self, normaliser: str | float = "mean") -> None:
        self.normaliser = _normaliser(normaliser)

    def forward(self, y: Array, target: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache; `ShapeError` where the two shapes differ."""
        y = taken(None, whole=False, y=y)
        target = taken(y, whole=False, target=target)
        check_shape("y", y, target.shape, "the target has")
        check.not_empty("y", y)
        difference = y - target
        divisor = {"mean": difference.size, "sum": 1}.get(self.normaliser, self.normaliser)
        return (difference * difference).sum() / divisor, (difference, divisor)

    def backward(self, cache: Any, dloss: float = 1.0) -> Array:
        """dy = 2 (y - target) / normaliser."""
        difference, divisor = check.cache_of(cache, 2)
        return difference * (2 * dloss / divisor)


def _normaliser(given):
    named = isinstance(given, str) and given in ("mean", "sum")
    return given if named else real("normaliser", given, NORMALISER)
