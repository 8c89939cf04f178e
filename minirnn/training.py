"""Training: batches in, better weights out, and a history of how it went."""

import csv
import io
import math
import time
from dataclasses import dataclass

import numpy as np

from .backend import asarray, asnumpy, current
from .batches import samplers
from .errors import BackendError, CheckpointError, NumberError
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
    Everything that a later step depends on is in `state_dict`, so a run that is stopped after
    any step and taken up again ends with the same bits as one that was not.
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
        self.step = self.epoch = self.position = 0  # position: batches done in this epoch
        self.sums = None  # of this epoch so far: loss, number right (on the device), number seen
        self.batches = self.epoch_rng = None  # of this epoch, and the generator that drew them
        self.first_loss = None
        self.best, self.best_score, self.best_epoch = None, -math.inf, 0
        self.history = History()
        self.mean_loss = math.nan  # of this epoch, when last read
        self.ok = None  # on a GPU: whether everything was finite so far, read every few steps
        self.stopped = False  # set it, and training stops after the current step
        self.seconds, self.trained = 0.0, 0  # of training steps, for sequences per second

    def fit(self, progress=None, checkpoint=None):
        """Train to the end, or until `stopped`; then the best weights are put into the net.

        progress(trainer) is called after every step, checkpoint(trainer) at moments when all is
        known to be finite. Raises `NumberError` when the loss or a gradient is NaN or infinite;
        the weights are then those before the bad step, and the best so far are still there.
        """
        while self.epoch < self.epochs and not self.out_of_patience() and not self.stopped:
            self.run_epoch(progress, checkpoint)
        if checkpoint:
            checkpoint(self)
        if not self.stopped:
            self.restore_best()
        return self.history

    def run_epoch(self, progress=None, checkpoint=None):
        """What is left of an epoch, then a look at the validation part."""
        if self.batches is None:
            self.draw_epoch()
        every = 1 if current() == "numpy" else GPU_READ_EVERY
        unread = []  # the batches since the last look
        started = time.perf_counter()
        while self.position < len(self.batches) and not (self.stopped and not unread):
            index = self.batches[self.position]
            loss, correct = self.train_step(index)
            losses, right, seen = self.sums
            self.sums = losses + loss * len(index), right + correct, seen + len(index)
            self.position += 1
            unread.append(index)
            if len(unread) == every or self.stopped or self.position == len(self.batches):
                self.check(unread)
                self.mean_loss, unread = float(self.sums[0]) / self.sums[2], []
                if self.first_loss is None:
                    self.first_loss = self.mean_loss
                if checkpoint and self.position < len(self.batches):
                    checkpoint(self)
            self.trained += len(index)
            if progress:
                self.seconds += time.perf_counter() - started
                progress(self)
                started = time.perf_counter()
        self.seconds += time.perf_counter() - started
        if self.position == len(self.batches):
            self.finish_epoch()

    def draw_epoch(self):
        """The batches of the next epoch."""
        self.epoch_rng = self.rng.bit_generator.state
        self.batches = self.sample(self.sequences, self.train, self.batch_size, self.rng)
        self.position, self.sums = 0, (0.0, 0, 0)

    def finish_epoch(self):
        """Evaluate on the validation part, add a row to the history, keep the best weights."""
        self.epoch += 1
        found = evaluate(self.net, self.sequences, self.validation, self.loss)
        self.history.rows.append({
            "epoch": self.epoch, "step": self.step, "lr": float(self.optimizer.lr),
            "train_loss": self.mean_loss, "train_accuracy": float(self.sums[1]) / self.sums[2],
            "validation_loss": found.loss, "validation_accuracy": found.accuracy,
            "validation_balanced_accuracy": found.balanced_accuracy,
        })  # fmt: skip
        if found.balanced_accuracy > self.best_score:
            self.best_score, self.best_epoch = found.balanced_accuracy, self.epoch
            self.best = self.net.state_dict()
        self.batches = None

    def train_step(self, index):
        """One batch forward, backward, and the step; (loss, number right) on the device."""
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.step)
        try:
            loss, correct, ok = self.gradients(index, self.clip)
        except MemoryError:
            raise BackendError(
                f"out of memory with a batch of {len(index)}; "
                f"try --batch-size {max(1, len(index) // 2)}"
            ) from None
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

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        arrays = {f"net.{name}": a for name, a in self.net.state_dict().items()}
        arrays |= {f"best.{name}": a for name, a in (self.best or {}).items()}
        optimizer = self.optimizer.state_dict()
        arrays |= {f"optimizer.{n}": a for n, a in optimizer.items() if isinstance(a, np.ndarray)}
        inside = self.batches is not None
        if inside:
            arrays |= {"sums.loss": asnumpy(self.sums[0]), "sums.right": asnumpy(self.sums[1])}
        facts = {
            "optimizer": {n: a for n, a in optimizer.items() if not isinstance(a, np.ndarray)},
            "rng": self.rng.bit_generator.state,
            "epoch_rng": self.epoch_rng if inside else None,
            "seen": self.sums[2] if inside else 0,
            "position": self.position if inside else 0,
            "history": self.history.rows,
            **{name: getattr(self, name) for name in self._numbers},
        }
        return arrays, facts

    _numbers = ("step", "epoch", "first_loss", "mean_loss", "best_score", "best_epoch")

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave. Raises `CheckpointError` where something does not fit;
        the trainer is then to be thrown away."""
        parts = {part: {} for part in ("net", "best", "optimizer", "sums")}
        for name, array in arrays.items():
            part, _, rest = name.partition(".")
            if part not in parts:
                raise CheckpointError(f"the checkpoint has an unknown array {name}")
            parts[part][rest] = array
        try:
            if parts["best"]:
                self.net.load_state_dict(parts["best"])  # for its checks
                self.best = parts["best"]
            self.net.load_state_dict(parts["net"])
            self.optimizer.load_state_dict({**parts["optimizer"], **facts["optimizer"]})
            for name in self._numbers:
                setattr(self, name, facts[name])
            self.history = History(facts["history"])
            if facts["epoch_rng"] is not None:
                self.rng.bit_generator.state = facts["epoch_rng"]
                self.draw_epoch()
                sums = parts["sums"]["loss"], parts["sums"]["right"]
                self.sums = (*(asarray(a)[()] for a in sums), int(facts["seen"]))
                self.position = int(facts["position"])
            self.rng.bit_generator.state = facts["rng"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the checkpoint is not whole ({error})") from None
