"""How well a net does: its guesses on a set of sequences, and what they are worth."""

import math
from dataclasses import dataclass

import numpy as np

from .backend import asarray, asnumpy
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


def evaluate(net, sequences, index, loss=None):
    """An `Evaluation` of the net on the sequences at `index`; nothing is trained or dropped out.

    index: places [N], or a mask. Has the net more outputs than there are classes, the confusion
    matrix has a column for each.
    """
    index = places("index", index, len(sequences))
    logits = predict(net, sequences, index)
    labels = sequences.labels[index]
    classes = max(sequences.num_classes, logits.shape[-1])
    found = Evaluation.of(labels, logits.argmax(axis=-1), classes)
    if loss is not None:
        found.loss = float(loss.forward(asarray(logits), asarray(labels))[0])
    return found


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
        batch_size //= 2  # only here has all that the failed one held been let go


def _predict(net, sequences, index, batch_size):
    order = np.argsort(-sequences.lengths[index], kind="stable")  # like lengths together
    logits = None
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        batch = sequences.batch(index[places])
        found = asnumpy(net.forward(batch)[0])
        if logits is None:
            logits = np.empty((len(index), found.shape[1]), found.dtype)
        logits[places] = found  # lengths never grow within `places`, so the batch keeps its order
    return logits
