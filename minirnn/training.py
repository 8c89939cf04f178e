"""Training: batches in, better weights out, and a history of how it went."""

import csv
import io
import math
import time
from dataclasses import dataclass

import numpy as np

from .backend import asarray, asnumpy, current
from .batches import samplers
from .errors import NumberError
from .optim import clip_grad_norm, grad_norm

GPU_READ_EVERY = 50  # steps between two looks at loss and flags: each makes the GPU wait


@dataclass
class Evaluation:
    """How well a net does on a set: the mean loss, and a confusion matrix of counts."""

    loss: float
    confusion: np.ndarray  # [K true, K guessed]

    @classmethod
    def of(cls, labels, guesses, num_classes):
        """The evaluation of guesses that something else made."""
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
    """An `Evaluation` of the net on the sequences at `index`; nothing is trained or dropped out."""
    logits = predict(net, sequences, index)
    labels = sequences.labels[index]
    found = Evaluation.of(labels, logits.argmax(axis=-1), sequences.num_classes)
    if loss is not None:
        found.loss = float(loss.forward(asarray(logits), asarray(labels))[0])
    return found


def predict(net, sequences, index, batch_size=256):
    """The net's logits [N, K] on the host, in the order of `index`."""
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

    def csv(self):
        """The table as text, with numbers written so that reading them back gives the same."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({c: repr(row[c]) for c in self.columns} for row in self.rows)
        return text.getvalue()


class Trainer:
    """Training with early stopping: the best weights on the validation part are kept.

    net.forward(batch, training=True) gives logits; loss, optimizer and schedule are as in
    `losses` and `optim`. clip: the largest norm of all gradients. sampling: see `batches`.
    patience: stop after that many epochs without a better balanced validation accuracy.
    """

    def __init__(
        self, net, loss, optimizer, sequences, train, validation, *, rng, epochs,
        batch_size=128, sampling="natural", schedule=None, clip=None, patience=None,
    ):  # fmt: skip
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.sequences, self.train, self.validation = sequences, train, validation
        self.rng, self.epochs, self.batch_size = rng, epochs, batch_size
        self.sample, self.schedule, self.clip = samplers[sampling], schedule, clip
        self.patience = patience
        self.step = self.epoch = 0
        self.first_loss = None
        self.best, self.best_score, self.best_epoch = None, -math.inf, 0
        self.history = History()
        self.mean_loss = math.nan  # of this epoch, when last read
        self.ok = None  # on a GPU: whether everything was finite so far, read every few steps
        self.seconds, self.trained = 0.0, 0  # of training steps, for sequences per second

    def fit(self, progress=None):
        """Train to the end. `progress(trainer, done, total)` is called after every step.

        Raises `NumberError` when the loss or a gradient is NaN or infinite; the weights are then
        those before the bad step, and the best so far are still there.
        """
        while self.epoch < self.epochs and not self.out_of_patience():
            self.run_epoch(progress)
        self.restore_best()
        return self.history

    def run_epoch(self, progress=None):
        """Every batch of one epoch, then a look at the validation part."""
        batches = self.sample(self.sequences, self.train, self.batch_size, self.rng)
        every = 1 if current() == "numpy" else GPU_READ_EVERY
        losses = right = seen = 0
        unread = []  # the batches since the last look
        for k, index in enumerate(batches):
            started = time.perf_counter()
            loss, correct = self.train_step(index)
            losses, right = losses + loss * len(index), right + correct
            seen += len(index)
            unread.append(index)
            if len(unread) == every or k + 1 == len(batches):
                self.check(unread)
                self.mean_loss, unread = float(losses) / seen, []
                if self.first_loss is None:
                    self.first_loss = self.mean_loss
            self.seconds += time.perf_counter() - started
            self.trained += len(index)
            if progress:
                progress(self, k + 1, len(batches))
        self.epoch += 1
        self.look(self.mean_loss, float(right) / seen)

    def train_step(self, index):
        """One batch forward, backward, and the step; (loss, number right) on the device."""
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.step)
        loss, correct, ok = self.gradients(index, self.clip)
        self.step += 1
        if current() == "numpy":  # looking costs nothing: stop before the step
            self.ok = ok
            self.check([index])
            self.optimizer.step()
        else:  # once something was bad, no later step moves the weights
            self.ok = ok if self.ok is None else self.ok & ok
            self.optimizer.step(self.ok)
        return loss, correct

    def gradients(self, index, clip=None):
        """Forward and backward on one batch; (loss, number right, whether all is finite)."""
        batch = self.sequences.batch(index)
        self.net.zero_grad()
        logits, cache = self.net.forward(batch, training=True)
        loss, loss_cache = self.loss.forward(logits, batch.labels)
        self.net.backward(self.loss.backward(loss_cache), cache)
        if clip:
            norm = clip_grad_norm(self.optimizer.parameters, clip)
        else:
            norm = grad_norm(self.optimizer.parameters)
        total = loss + norm
        ok = total - total == 0  # false for NaN and for infinity
        return loss, (logits.argmax(axis=-1) == batch.labels).sum(), ok

    def check(self, unread):
        """Read the flag; raise `NumberError` that names the first bad step of `unread` batches."""
        if bool(self.ok):
            return
        for k, index in enumerate(unread):  # the weights are still those before the bad step
            if not bool(self.gradients(index)[2]) or k + 1 == len(unread):
                break
        named = self.net.named_parameters().items()
        bad = [name for name, p in named if not np.isfinite(asnumpy(p.grad)).all()]
        where = f"; the first bad gradient is that of {bad[0]}" if bad else ""
        raise NumberError(
            f"the loss or a gradient is not finite at step {self.step - len(unread) + k + 1} "
            f"(epoch {self.epoch + 1}, batch of {len(index)}){where}; "
            "try a smaller --lr, or --clip 1"
        )

    def look(self, train_loss, train_accuracy):
        """Evaluate on the validation part, write the history's row, and keep the best weights."""
        found = evaluate(self.net, self.sequences, self.validation, self.loss)
        self.history.rows.append({
            "epoch": self.epoch, "step": self.step, "lr": float(self.optimizer.lr),
            "train_loss": train_loss, "train_accuracy": train_accuracy,
            "validation_loss": found.loss, "validation_accuracy": found.accuracy,
            "validation_balanced_accuracy": found.balanced_accuracy,
        })  # fmt: skip
        if found.balanced_accuracy > self.best_score:
            self.best_score, self.best_epoch = found.balanced_accuracy, self.epoch
            self.best = self.net.state_dict()

    def out_of_patience(self):
        return self.patience is not None and self.epoch - self.best_epoch >= self.patience

    def restore_best(self):
        """Put the best weights so far back into the net."""
        if self.best is not None:
            self.net.load_state_dict(self.best)

    @property
    def per_second(self):
        """Sequences trained on in a second of training."""
        return self.trained / self.seconds if self.seconds else 0.0
