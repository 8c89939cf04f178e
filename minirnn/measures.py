"""What is measured: how well a net does on a set, and how training goes, epoch by epoch.

The loss decides which: a `CrossEntropy` guesses classes (`Evaluation`), a `MeanSquaredError`
numbers (`Regression`).
"""

import csv
import io
import math
import sys
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from .backend import taken
from .check import (
    as_numbers,
    functions_or_none,
    labels_of,
    not_empty,
    of_shape,
    one_for_each_row,
    one_of,
    short,
    whole,
)
from .errors import ArgumentError, DataError

LOWER_IS_BETTER = "loss", "bits", "perplexity", "rmse"


@dataclass
class Evaluation:
    """How well a net guesses classes: the mean loss, and a confusion matrix of counts.

    nats: the mean of -log p of the true class; NaN where there are guesses alone.
    """

    loss: float
    confusion: np.ndarray  # [K true, K guessed]
    nats: float = math.nan

    wanted = "classes, whole numbers such as y.astype('int64')"
    kinds = "iu"  # NumPy's letters of the targets' types
    in_training = "accuracy"
    usual = "accuracy", "balanced_accuracy"  # of the history; the last is the usual monitor
    all = (*usual, "loss", "bits", "perplexity")

    def __repr__(self):
        number = int(self.confusion.sum())
        shown = ("accuracy", "balanced_accuracy", "bits", "loss") if number else ()
        return f"Evaluation({number:,} targets{_finite(self, shown)})"

    @classmethod
    def of(cls, labels, guesses, num_classes):
        """The evaluation of guesses [N] that something else made, beside the labels [N].

        Raises `DataError` where they are not as many whole numbers in 0 .. num_classes - 1.
        """
        labels = labels_of("label", labels, None, whole("num_classes", num_classes))
        guesses = labels_of("guess", guesses, len(labels), num_classes)
        confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        np.add.at(confusion, (labels, guesses), 1)
        return cls(math.nan, confusion)

    @property
    def accuracy(self):
        """The share guessed right: natural accuracy."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def balanced_accuracy(self):
        """The mean of the classes' own accuracies, over the classes that occur."""
        of_class = self.confusion.sum(axis=1)
        present = of_class > 0
        return float((np.diagonal(self.confusion)[present] / of_class[present]).mean())

    @property
    def standard_error(self):
        """sqrt(p (1 - p) / N), of the accuracy p: how far other test parts of this size are off."""
        p = self.accuracy
        return math.sqrt(p * (1 - p) / self.confusion.sum())

    @property
    def balanced_standard_error(self):
        """sqrt(sum_k p_k (1 - p_k) / n_k) / K, of the balanced accuracy: every class has its own
        accuracy p_k, of n_k examples; over the classes that occur."""
        n = self.confusion.sum(axis=1)
        p = np.diagonal(self.confusion) / np.maximum(n, 1)
        return _error_of_mean(p * (1 - p), n)

    @property
    def bits(self):
        """The mean of -log2 p of the true class: bits per symbol."""
        return self.nats / math.log(2)

    @property
    def perplexity(self):
        """exp of the mean of -log p: among how many equally likely classes the net wavers."""
        return math.exp(min(self.nats, 690.0))  # above 1e300 lies infinity, for a checkpoint too

    @staticmethod
    def on_the_way(right, number):
        """The accuracy of so many right guesses among a number of them."""
        return right / number


def _error_of_mean(variance, n):
    """The standard error of the mean over the classes that occur; each is a mean of n [K]."""
    present = n > 0
    return math.sqrt((variance[present] / n[present]).sum()) / int(present.sum())


@dataclass
class Comparison:
    """Two classifiers that guessed the same examples: how often only one of them is right.

    A pair says more than two accuracies with their errors: what is hard for both cancels.
    """

    first: np.ndarray  # [K] how many of each class only the first has right
    second: np.ndarray  # [K] how many only the second
    of_class: np.ndarray  # [K] how many there are

    @classmethod
    def of(cls, labels, first, second, num_classes):
        """The comparison of two lists of guesses [N] beside the labels [N].

        Raises `DataError` where one is not as many whole numbers in 0 .. num_classes - 1.
        """
        labels = labels_of("label", labels, None, whole("num_classes", num_classes))
        one = labels_of("guess", first, len(labels), num_classes) == labels
        two = labels_of("guess", second, len(labels), num_classes) == labels
        rows = one & ~two, two & ~one, one | True
        return cls(*(np.bincount(labels[row], minlength=num_classes) for row in rows))

    @property
    def difference(self):
        """(b - c) / N: the first's accuracy minus the second's."""
        return float((self.first - self.second).sum() / self.of_class.sum())

    @property
    def standard_error(self):
        """sqrt((b + c - (b - c)^2 / N) / N^2), of the difference in accuracy."""
        N, off = self.of_class.sum(), (self.first + self.second).sum()
        return math.sqrt((off / N - self.difference**2) / N)

    @property
    def balanced_difference(self):
        """The first's balanced accuracy minus the second's, over the classes that occur."""
        present = self.of_class > 0
        return float(self._of_class()[present].mean())

    @property
    def balanced_standard_error(self):
        """sqrt(sum_k v_k / n_k) / K, of the difference in balanced accuracy, where class k has the
        difference d_k = (b_k - c_k) / n_k, and the variance v_k = (b_k + c_k) / n_k - d_k^2."""
        off = (self.first + self.second) / np.maximum(self.of_class, 1)
        return _error_of_mean(off - self._of_class() ** 2, self.of_class)

    @property
    def p_value(self):
        """How likely b and c are at least as far apart if each falls to either side by a fair coin.

        McNemar's test (1947) in its exact form, the binomial one, for both sides: small where
        chance alone can hardly be the reason.
        """
        b, c = int(self.first.sum()), int(self.second.sum())
        n = b + c
        log = math.lgamma(n + 1) - n * math.log(2)  # of n! / 2^n
        tail = (math.lgamma(k + 1) + math.lgamma(n - k + 1) for k in range(min(b, c) + 1))
        return min(1.0, 2 * math.fsum(math.exp(log - chosen) for chosen in tail))

    def _of_class(self):
        return (self.first - self.second) / np.maximum(self.of_class, 1)


def log_shares(counts):
    """log(n_k / sum n) of how many examples each class has [K]: the log prior of the classes.

    Raises `DataError` where there are none, or a number is not above 0 and finite.
    """
    counts = as_numbers("counts", counts)
    if counts.ndim != 1 or not counts.size or not ((counts > 0) & (counts < math.inf)).all():
        raise DataError(f"counts is {short(counts)}, but must be [K], each a number above 0")
    return np.log(counts / counts.sum())


def two_guesses(scores, log_prior):
    """(natural, balanced): the best classes [N] by scores [N, K] with the log prior, and without.

    For scores that do not hold the classes' frequencies, such as the logits of a net that had the
    log prior in its loss: with it, most examples are right; without it, most of the average class
    (Menon et al. 2021, arXiv 2007.07314).
    """
    scores = as_numbers("scores", scores, axes=2)
    log_prior = of_shape("log_prior", as_numbers("log_prior", log_prior), scores.shape[-1:])
    return (scores + log_prior).argmax(axis=-1), scores.argmax(axis=-1)


@dataclass
class Regression:
    """How well a net says numbers: the mean loss, root mean square of the errors, and R^2."""

    loss: float
    rmse: float
    r2: float

    wanted = "numbers, such as y.astype('float32')"
    kinds = "f"
    in_training = "rmse"
    usual = "r2", "rmse"
    all = (*usual, "loss")

    def __repr__(self):
        return f"Regression({_finite(self, ('rmse', 'r2', 'loss')).removeprefix(', ')})"

    @classmethod
    def of(cls, target, y):
        """Of numbers y [N, K] beside what they should be, [N, K].

        rmse is sqrt(mean (y - target)^2), and R^2 = 1 - sum (y - target)^2 / sum (target - mean)^2
        with the mean of each of the K; where the targets are all alike it is 1 for a net that says
        them, else 0. Raises `ShapeError` for another y, `DataError` where there is no target.
        """
        target = as_numbers("target", target, axes=1).astype("float64")
        y = of_shape("y", as_numbers("y", y), target.shape, "target has").astype("float64")
        if not y.size:
            raise DataError("there are no targets, but there must be one")
        squares = float(((y - target) ** 2).sum())
        spread = float(((target - target.mean(axis=0)) ** 2).sum())
        alike = bool((target == target[0]).all())  # their mean may be rounded, and spread not 0
        r2 = float(squares == 0) if alike or not spread else 1 - squares / spread
        return cls(math.nan, math.sqrt(squares / y.size), r2)

    @staticmethod
    def on_the_way(squares, number):
        """The root of the mean of so many squares."""
        return math.sqrt(squares / number)


def _finite(measured, names):
    """These numbers of an evaluation, without those that were not asked for, which are NaN."""
    numbers = {name: getattr(measured, name) for name in names}
    return "".join(f", {name}={x:.4g}" for name, x in numbers.items() if math.isfinite(x))


def guesses_beside(logits, labels):
    """Return logits [..., K] and labels [...] as arrays; `ShapeError` where they do not fit."""
    logits = taken(None, whole=False, logits=logits)
    labels = taken(logits, labels=labels)
    one_for_each_row(labels, logits)
    return logits, labels


def off_by(y, target):
    """y - target; `ShapeError` where the two are not of one shape."""
    y = taken(None, whole=False, y=y)
    target = taken(y, whole=False, target=target)
    of_shape("y", y, target.shape, "the target has")
    not_empty("y", y)
    return y - target


def measure_of(loss, sequences):
    """The class above that this loss measures; for None, the one that the targets ask for.

    Raises `ArgumentError` where the targets are of the other kind, or the loss ignores other ones.
    """
    kind = sequences.labels.dtype.kind
    if loss is None:
        return Evaluation if kind in Evaluation.kinds else Regression
    measure, name = getattr(loss, "measure", Evaluation), type(loss).__name__
    if kind not in measure.kinds:
        given = f"the targets are of type {sequences.labels.dtype}"
        cure = f"; a loss of numbers says so, {name}.measure = Regression"
        cure = cure * (not hasattr(loss, "measure"))
        raise ArgumentError(f"{given}, but {name} needs {measure.wanted}{cure}")
    ignored, own = sequences.ignore_index, getattr(loss, "ignore_index", None)
    if ignored is not None and ignored != own:
        raise ArgumentError(
            f"ignore_index is {ignored} for the sequences, but {own} for {name}: give both the same"
        )
    if own is not None and ignored is None and (sequences.labels == own).any():
        raise ArgumentError(
            f"{name} ignores class {own}, which is a target: give the sequences ignore_index={own} "
            "too"
        )
    return measure


def monitor_of(measure, monitor):
    """The measure that training goes by; `ArgumentError` for one that the loss has not."""
    return measure.usual[-1] if monitor is None else one_of("monitor", monitor, measure.all)


def better(monitor, score, best):
    """Whether a score is better than the best so far, or the first."""
    return best is None or (score < best if monitor in LOWER_IS_BETTER else score > best)


class History:
    """One row for each epoch: {column: number}.

    measure: what the loss measures; monitor: the measure by which one epoch is the best.
    train_loss is the mean over the batches' losses while the weights moved, each counted as often
    as it has targets; validation_loss is that of all targets at once, after the epoch.
    """

    def __init__(self, rows=(), measure=Evaluation, monitor=None):
        self.rows, self.measure = list(rows), measure
        self.monitor = monitor_of(measure, monitor)
        measured = dict.fromkeys(("loss", *measure.usual, self.monitor))  # each once
        self.columns = (
            "epoch", "step", "lr", "train_loss", f"train_{measure.in_training}",
            *(f"validation_{name}" for name in measured),
        )  # fmt: skip

    def __repr__(self):
        if not self.rows:
            return "History(0 epochs)"
        score, epoch = self.best()
        best = f"best {self.monitor} {score:.4g} after epoch {epoch}"
        return f"History({len(self.rows)} epochs, {best})"

    def __getitem__(self, column):
        """The numbers of one column, epoch by epoch; `ArgumentError` where there is none."""
        one_of("column", column, dict.fromkeys((*self.columns, *(self.rows or [{}])[0])))
        return [row[column] for row in self.rows]

    def add(self, score, number, result, **columns):
        """One more row: what is given, the score in training of so many targets, and what was
        measured on the validation part. Returns what the monitor measured."""
        on_the_way = self.measure.on_the_way(float(score), max(number, 1))
        row = {**columns, f"train_{self.measure.in_training}": on_the_way}
        for column in self.columns[len(row) :]:
            row[column] = getattr(result, column.removeprefix("validation_"))
        self.rows.append(row)
        return self.scores()[-1]

    def scores(self):
        """What the monitor measured on the validation part, epoch by epoch."""
        return self[f"validation_{self.monitor}"]

    def best(self):
        """(the monitor's best score on the validation part, its epoch): the first of equals.

        Raises `ArgumentError` where there is no epoch.
        """
        if not self.rows:
            raise ArgumentError("the history is empty, but must have a row: train an epoch first")
        scores = self.scores()
        best = (min if self.monitor in LOWER_IS_BETTER else max)(scores)
        return best, scores.index(best) + 1

    def csv(self):
        """The table as text, with numbers written so that reading them back gives the same."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({c: repr(row[c]) for c in self.columns} for row in self.rows)
        return text.getvalue()


def progress_bar(**options):
    """Return a tqdm bar, without the thread that tqdm starts beside it; on a terminal only, unless
    `disable` says otherwise."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    return tqdm(**{"disable": None, **options})


class Progress:
    """A tqdm bar over all epochs: loss, last validation score, sequences a second."""

    def __init__(self, epochs, unit="name", **options):
        self.bar, self.epochs, self.unit = progress_bar(unit="batch", **options), epochs, unit

    def __call__(self, trainer):
        bar, batches = self.bar, len(trainer.batches)
        bar.total = self.epochs * batches
        bar.update(trainer.step - bar.n)
        if trainer.position % 10 == 0 or trainer.position == batches:
            shown = {"epoch": f"{trainer.epoch + 1}/{self.epochs}"}
            shown["loss"] = f"{trainer.mean_loss:.3f}"
            if trainer.history.rows:
                shown["val"] = f"{trainer.history.scores()[-1]:.3f}"
            shown[f"{self.unit}s/s"] = f"{trainer.per_second:,.0f}"
            bar.set_postfix(shown, refresh=False)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.bar.close()


def shown(progress, trainer, checkpoint=None):
    """Return a context with what `fit` calls after every step: a bar for True, or the function.

    The bar is there in a notebook too. Raises `ArgumentError` for what is neither, and for a
    checkpoint that is no function.
    """
    functions_or_none(checkpoint=checkpoint)
    if progress is True:
        unit = "step" if trainer.sequences.every_step else "sequence"
        done = {"total": trainer.epochs * trainer.batches_per_epoch(), "initial": trainer.step}
        return Progress(trainer.epochs, unit, disable=False, file=sys.stdout, **done)
    progress = None if progress is False else progress
    if progress is not None and (not callable(progress) or isinstance(progress, type)):
        raise ArgumentError(f"progress is {short(progress)}, but must be True for a bar, or a "
                            "function that takes the trainer")  # fmt: skip
    return nullcontext(progress)
