"""How well a net does: its guesses on a set of sequences, and what they are worth."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import asarray, asnumpy
from .batches import Sequences
from .cuda.faults import is_out_of_memory


@dataclass
class Evaluation:
    """How well a net does on a set: the mean loss, and a confusion matrix of counts."""

    loss: float
    confusion: np.ndarray  # [K true, K guessed]

    @classmethod
    def of(cls, labels, guesses, num_classes):
        """The evaluation of guesses [N] that something else made, beside the labels [N]."""
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


def evaluate(net: Any, sequences: Sequences, index: np.ndarray, loss: Any = None) -> Evaluation:
    """Return an `Evaluation` of the net on the sequences at `index`; nothing is trained.

    net: anything whose forward(batch) gives (logits [N, K], cache); nothing is dropped out.
    index: [N] whole numbers. loss: a `CrossEntropy` for the evaluation's loss, NaN if left out.

        >>> sequences = Sequences([[0, 1], [1, 1, 0], [1]], labels=[0, 1, 1])
        >>> evaluation = evaluate(NameClassifier(2, 2, hidden_size=4), sequences, np.arange(3))
        >>> int(evaluation.confusion.sum()), 0 <= evaluation.accuracy <= 1
        (3, True)
    """
    logits = predict(net, sequences, index)
    labels = sequences.labels[index]
    evaluation = Evaluation.of(labels, logits.argmax(axis=-1), sequences.num_classes)
    if loss is not None:
        evaluation.loss = float(loss.forward(asarray(logits), asarray(labels))[0])
    return evaluation


def predict(net, sequences, index, batch_size=256):
    """The net's logits [N, K] on the host, in the order of `index`.

    Where the memory is too small for a batch, it is tried again with half.
    """
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
