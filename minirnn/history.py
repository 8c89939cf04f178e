"""The history of a training run: one row of numbers for each epoch."""

import csv
import io

from .errors import ArgumentError


class History:
    """One row for each epoch: {column: number}."""

    columns = (
        "epoch", "step", "lr", "train_loss", "train_accuracy",
        "validation_loss", "validation_accuracy", "validation_balanced_accuracy",
    )  # fmt: skip

    def __init__(self, rows=()):
        self.rows = list(rows)

    def __getitem__(self, column):
        """The numbers of one column, epoch by epoch."""
        return [row[column] for row in self.rows]

    def best(self):
        """(the best balanced accuracy on the validation part, its epoch): the first of equals.

        Raises `ArgumentError` where there is no epoch.
        """
        if not self.rows:
            raise ArgumentError("the history is empty, but must have a row: train an epoch first")
        scores = self["validation_balanced_accuracy"]
        return max(scores), scores.index(max(scores)) + 1

    def csv(self):
        """The table as text, with numbers written so that reading them back gives the same."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({c: repr(row[c]) for c in self.columns} for row in self.rows)
        return text.getvalue()
