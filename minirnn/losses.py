"""What is minimised: cross-entropy for classes, mean squared error for numbers.

Every loss takes an explicit normaliser, what the sum over its entries is divided by, because
another choice changes the size of every gradient, and with it what a learning rate means.
"""

from typing import Any

import numpy as np

from . import check
from .backend import Array, asarray, get_array_module, taken
from .functions import log_softmax
from .layers import one_hot
from .measures import Evaluation, Regression, guesses_beside, off_by


class CrossEntropy:
    """loss = - sum_n w[label_n] log softmax(logits_n)[label_n] / normaliser.

    This is log-softmax followed by the negative log-likelihood; without class weights, w is 1.

        normaliser       "mean" (the sum of w[label_n] over the labels that are not ignored: their
                         number, without class weights; as PyTorch's), "sum" (1), or a number
        ignore_index     rows with this label give no loss and no gradient
        log_prior        [K], added to the logits, so that the net itself learns what is left when
                         the classes' frequencies are taken away, and its own logits judge as if
                         all classes were equally frequent (Menon et al. 2021, eq. 10)
        class_weight     w [K], at least 0: how much a row of each class counts
        label_smoothing  e: the net shall give this share to all classes alike (Szegedy et al. 2016,
                         section 7): - w[label_n] log p[label_n] counts 1 - e, and the sum over all
                         classes of - w[k] log p[k] / K counts e, as in `torch.nn.CrossEntropyLoss`

    Raises `ArgumentError` for another normaliser, an ignore_index that is no whole number, weights
    or a log_prior that are not [K], or a label_smoothing that is not 0 to 1.

        >>> loss = CrossEntropy()
        >>> value, cache = loss.forward(np.zeros((2, 4)), np.array([0, 3]))
        >>> print(value.round(4), loss.backward(cache)[0])
        1.3863 [-0.375  0.125  0.125  0.125]
    """

    measure = Evaluation  # what is measured where this is the loss

    def __init__(self, normaliser: str | float = "mean", ignore_index: int | None = None,
                 log_prior: Any = None, class_weight: Any = None,
                 label_smoothing: float = 0.0) -> None:  # fmt: skip
        self.normaliser = check.normaliser_of(normaliser)
        self.ignore_index = check.whole("ignore_index", ignore_index, least=None, none=True)
        self.log_prior = _of_classes("log_prior", log_prior, check.prior_of)
        self.class_weight = _of_classes("class_weight", class_weight, check.class_weight_of)
        self.label_smoothing = check.real("label_smoothing", label_smoothing, check.PART)

    def forward(self, logits: Array, labels: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache. logits [..., K], labels [...] whole numbers.

        Raises `ShapeError` where the shapes differ, or a label on the host is not in 0 .. K - 1.
        """
        (logits, labels), xp = guesses_beside(logits, labels), get_array_module(logits)
        shape, K = logits.shape, logits.shape[-1]
        logits, labels = logits.reshape(-1, K), labels.reshape(-1)
        keep = xp.ones(len(labels), bool)
        if self.ignore_index is not None:
            keep = labels != self.ignore_index
            labels = xp.where(keep, labels, 0)
            usable = keep[:, None] | xp.isfinite(logits)  # a NaN there would be one here
            logits = xp.where(usable, logits, 0)
        check.in_range("label", labels, K, note=f"with {K} classes ")
        if self.log_prior is not None:
            logits = logits + self._for_each("log_prior", logits)
        log_p, e, w = log_softmax(logits), self.label_smoothing, xp.ones(K, logits.real.dtype)
        if self.class_weight is not None:
            w = self._for_each("class_weight", logits)
        wanted = keep[:, None] * (w * one_hot(labels, K, w.dtype))
        weight = wanted.sum(axis=1)
        loss = -((1 - e) * weight * log_p[xp.arange(len(labels)), labels]).sum()
        if e:
            alike = keep[:, None] * (w / K)
            loss = loss - e * (alike * log_p).sum()
            wanted = (1 - e) * wanted + e * alike
        count = weight.sum()
        count = xp.where(count == 0, 1, count)
        divisor = {"mean": count, "sum": 1}.get(self.normaliser, self.normaliser)
        return loss / divisor, (log_p, wanted, divisor, shape)

    def backward(self, cache: Any, dloss: float = 1.0) -> Array:
        """dlogits = w[label] (softmax(logits) - one-hot label) / normaliser, if none is smoothed.

        In general (softmax(logits) sum q - q) / normaliser, where q is what log p is weighted with.
        """
        log_p, wanted, divisor, shape = check.cache_of(cache, 4, 2, dloss)
        dlogits = get_array_module(log_p).exp(log_p) * wanted.sum(axis=1, keepdims=True) - wanted
        return (dlogits * (dloss / divisor)).reshape(shape)

    def score(self, logits: Array, labels: Array) -> Array:
        """Return how many rows are guessed right, a 0-d array; those that are ignored are not."""
        logits, labels = guesses_beside(logits, labels)
        right = logits.argmax(axis=-1) == labels
        return (right if self.ignore_index is None else right & (labels != self.ignore_index)).sum()

    def _for_each(self, name, logits):
        """log_prior or class_weight, in the type of the logits; `ShapeError` where not [K]."""
        given, xp = getattr(self, name), get_array_module(logits)
        check.of_shape(name, given, logits.shape[-1:], note=": [K]")
        return xp.asarray(given, dtype=logits.real.dtype)


class MeanSquaredError:
    """loss = sum (y - target)^2 / normaliser, for y and target of the same shape, any.

    normaliser: "mean" (the number of entries, as PyTorch's), "sum" (1), or a number;
    `ArgumentError` for another. Whole numbers are taken for numbers, so that none wraps around.

        >>> loss = MeanSquaredError()
        >>> value, cache = loss.forward(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        >>> print(value, loss.backward(cache))
        2.0 [ 0. -2.]
    """

    measure = Regression

    def __init__(self, normaliser: str | float = "mean") -> None:
        self.normaliser = check.normaliser_of(normaliser)

    def forward(self, y: Array, target: Array) -> tuple[Array, Any]:
        """Return the loss, a 0-d array, and a cache; `ShapeError` where the two shapes differ."""
        difference = off_by(y, target)
        divisor = {"mean": difference.size, "sum": 1}.get(self.normaliser, self.normaliser)
        return (difference * difference).sum() / divisor, (difference, divisor)

    def backward(self, cache: Any, dloss: float = 1.0) -> Array:
        """dy = 2 (y - target) / normaliser."""
        difference, divisor = check.cache_of(cache, 2, 1, dloss)
        return difference * (2 * dloss / divisor)

    def score(self, y: Array, target: Array) -> Array:
        """Return the sum over rows of the mean of (y - target)^2, a 0-d array."""
        difference = off_by(y, target)
        return (difference**2).sum() / (difference.shape or (1,))[-1]


def _of_classes(name, given, checked):
    """Numbers [K], looked at where they are, then on a GPU once and for all; or None."""
    like = np.empty(0) if isinstance(given, (list, tuple)) else None  # a list is of float64
    return None if given is None else asarray(checked(taken(like, **{name: given})))
