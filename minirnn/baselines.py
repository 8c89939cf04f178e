"""Baselines that any net must beat: always the commonest class, and counted trigrams."""

from collections import Counter

import numpy as np

from .check import labels_of, whole


def majority(labels, num_classes):
    """The class that is commonest among `labels` [N], ids of classes; `DataError` for others."""
    labels = labels_of("label", labels, None, whole("num_classes", num_classes))
    return int(np.bincount(labels, minlength=num_classes).argmax())


class TrigramBayes:
    """score_k = sum over a name's trigrams of log((count of it in class k + 1/2) / total_k).

    Naive Bayes on the trigrams of ^name$ in lower case, every class equally likely beforehand,
    unless a log prior is added; half a count is added for each trigram known, so that none has
    probability zero. Raises
    `DataError` for labels that are not one in 0 .. num_classes - 1 for each name.
    """

    def __init__(self, names, labels, num_classes):
        labels = labels_of("label", labels, len(names), whole("num_classes", num_classes))
        counts = [Counter() for _ in range(num_classes)]
        for name, label in zip(names, labels, strict=True):
            counts[label].update(trigrams(name))
        known = sorted(set().union(*counts))
        self.column = {trigram: k for k, trigram in enumerate(known)}
        table = np.array([[c[trigram] for trigram in known] for c in counts]) + 0.5
        self.log_p = np.log(table / table.sum(axis=1, keepdims=True))  # [K, trigrams]

    def scores(self, names):
        """The score of each class for each name [N, K]; a trigram never seen says nothing."""
        scores = np.zeros((len(names), len(self.log_p)))
        for k, name in enumerate(names):
            columns = [self.column[t] for t in trigrams(name) if t in self.column]
            scores[k] = self.log_p[:, columns].sum(axis=1)
        return scores

    def predict(self, names, log_prior=0):
        """The likeliest class of each name [N]; log_prior [K]: how likely each is beforehand."""
        return (self.scores(names) + log_prior).argmax(axis=1)


def trigrams(name):
    """The overlapping three-letter pieces of ^name$ in lower case."""
    text = f"^{name.lower()}$"
    return [text[k : k + 3] for k in range(len(text) - 2)]
