"""How well a net does: its guesses on a set of sequences, and what they are worth."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import asarray, asnumpy
from .batches import Sequences
from .cuda.faults import is_out_of_memory
from .errors import labels_of, places, whole


@dataclass
class Evaluation:
    """How well a net does on a set: the mean loss, and a confusion matrix of counts."""

    loss: float
    confusion: np.ndarray  # [K true, K guessed]

    @classmethod
    def of(cls, labels, guesses, num_classes):
        """The evaluation of guesses [N] that something else made, beside the labels [N].

        Raises `DataError` where they are not as many whole numbers in 0 .. num_classes - 1.
        """
        labels = labels_of("label", labels, np.size(labels), num_classes)
        guesses = labels_of("guess", guesses, len(labels), num_classes)
        confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        np.add.at(confusion, (labels, guesses), 1)
        return cls(math.nan, confusion)

    @property
    def accuracy(self):
        """The share of sequences guessed right: natural accuracy."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def balanced_accuracy(self):
        """The mean of the classes' own accuracies, over the classes that occur."""
        of_class = self.confusion.sum(axis=1)
        present = of_class > 0
        return float((np.diagonal(self.confusion)[present] / of_class[present]).mean())


def evaluate(net: Any, sequences: Sequences, index: Any, loss: Any = None) -> Evaluation:
    """Return an `Evaluation` of the net on the sequences at `index`; nothing is trained.

    net: anything whose forward(batch) gives (logits [N, K], cache); nothing is dropped out.
    index: places [N], or a mask. loss: a `CrossEntropy` for the evaluation's loss, NaN if left out.
    Has the net more outputs than there are classes, the confusion matrix has a column for each.

        >>> sequences = Sequences([[0, 1], [1, 1, 0], [1]], labels=[0, 1, 1])
        >>> evaluation = evaluate(NameClassifier(2, 2, hidden_size=4), sequences, np.arange(3))
        >>> int(evaluation.confusion.sum()), 0 <= evaluation.accuracy <= 1
        (3, True)
    """
    index = places("index", index, len(sequences))
    logits, labels = predict(net, sequences, index), sequences.labels[index]
    classes = max(sequences.num_classes, logits.shape[-1])
    evaluation = Evaluation.of(labels, logits.argmax(axis=-1), classes)
    if loss is not None:
        evaluation.loss = float(loss.forward(asarray(logits), asarray(labels))[0])
    return evaluation


def predict(net, sequences, index, batch_size=256):
    """The net's logits [N, K] on the host, in the order of `index`.

    index: places [N], or a mask. Where the memory is too small for a batch, it is tried again with
    half.
    """
    index, batch_size = places("index", index, len(sequences)), whole("batch_size", batch_size)
    while True:
        try:
            return _predict(net, sequences, index, batch_size)
        except Exception as error:
            if batch_size == 1 or not is_out_of_memory(error):
                raise
        batch_size //= 2  # outside `except`: only now are the failed attempt's arrays freed


def _predict(net, sequences, index, batch_size):
    order = np.argsort(-sequences.lengths[index], kind="stable")  # like lengths together
    logits = None
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        batch = sequences.batch(index[places])
        rows = asnumpy(net.forward(batch)[0])
        if logits is None:
            logits = np.empty((len(index), rows.shape[1]), rows.dtype)
        logits[places] = rows  # lengths never grow within `places`, so the batch keeps its order
    return logits
