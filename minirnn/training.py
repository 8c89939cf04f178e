"""Training: batches in, better weights out, and a history of how it went."""

import math
import time
from typing import Any

import numpy as np

from . import check
from .backend import Rng, asnumpy, current
from .batches import Sequences, samplers, side_by_side
from .cuda.faults import is_out_of_memory, out_of_memory
from .errors import BackendError
from .evaluation import evaluate, predict
from .measures import Evaluation, History, Regression, better, measure_of, shown
from .optim import Optimizer, clip_grad_norm, grad_norm
from .storage.saved_state import state_of, take_up

__all__ = ["Evaluation", "History", "Regression", "Trainer", "evaluate", "predict"]

GPU_READ_EVERY = 50  # steps between reads of the loss and the flag: each makes the GPU wait


class Trainer:
    """Training with early stopping: the best weights on the validation part are kept.

        net              net.forward(batch, training=True) gives (outputs, cache),
                         net.backward(doutputs, cache) adds to the gradients
        loss, optimizer  one of `losses`, which says what is measured; one of `optim`
        sequences        all of them; train, validation: the index arrays of two parts
        rng              the NumPy generator that draws the batches; left out, a fresh one
        epochs           how many at the most
        batch_size       how many sequences there are in a step
        sampling         "natural", "balanced", "bucketed" or "streams", see `batches`; in streams,
                         each batch begins with the state in which the one before has ended
        schedule         a function of the step that gives its learning rate
        clip             the largest norm of all gradients
        patience         stop after that many epochs without a better score
        monitor          the measure of the validation part that is the score: "balanced_accuracy",
                         "accuracy", "bits", "perplexity"; of numbers "rmse", "r2"; or "loss". Left
                         out, the first of each

    Everything that a later step depends on is in `state_dict`, so a run that is stopped after
    any step and taken up again ends with the same bits as one that was not, if net and trainer
    were given one rng. Raises `NumberError` where a loss or a gradient is not finite, `DataError`
    and `ArgumentError` for what cannot be.

        >>> rng = np.random.default_rng(0)
        >>> sequences = Sequences([[0, 1], [1, 0, 1], [0], [1]] * 8, labels=[0, 1, 0, 1] * 8)
        >>> train, validation = np.arange(24), np.arange(24, 32)
        >>> net = NameClassifier(2, 2, hidden_size=8, rng=rng)
        >>> optimizer = Adam(net.parameters(), lr=0.05)
        >>> trainer = Trainer(net, CrossEntropy(), optimizer, sequences, train, validation,
        ...                   rng=rng, epochs=30, batch_size=8)
        >>> history = trainer.fit()
        >>> history["validation_accuracy"][-1]
        1.0
    """

    def __init__(self, net: Any, loss: Any, optimizer: Optimizer, sequences: Sequences,
                 train: np.ndarray, validation: np.ndarray, *, rng: Rng = None, epochs: int,
                 batch_size: int = 128, sampling: str = "natural", schedule: Any = None,
                 clip: float | None = None, patience: int | None = None,
                 monitor: str | None = None) -> None:  # fmt: skip
        check.parts_of_trainer(net, loss, optimizer, sequences)
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.sequences, self.train = sequences, check.places("train", train, len(sequences))
        self.validation = check.places("validation", validation, len(sequences))
        parts = {"train": self.train, "validation": self.validation}
        check.counted(sequences, **parts), check.known_ids(net, sequences, **parts)
        self.rng, self.epochs = check.generator(rng), check.whole("epochs", epochs)
        self.batch_size = check.whole("batch_size", batch_size)
        self.sample = samplers[check.one_of("sampling", sampling, samplers)]
        self.clip = check.real("clip", clip, check.LIMIT, none=True)
        self.patience = check.whole("patience", patience, none=True)
        self.schedule = check.schedule_of(schedule)
        self.step = self.epoch = self.position = 0  # position: batches done in this epoch
        self.sums = None  # of this epoch so far: loss, score (on the device), number of targets
        self.epoch_rng = None  # the generator that drew this epoch's batches
        self._first_loss = self.ok = None  # on the device; ok: whether all was finite so far
        self.carries, self.state = sampling == "streams", None  # from one batch to the next
        if self.carries:
            check.carrying(net), self.draw_epoch()  # so that what cannot be is said now
            side_by_side(sequences.lengths[self.validation], min(batch_size, len(self.validation)))
        self.batches, self.best, self.best_score, self.best_epoch = None, None, None, 0
        self.history = History(measure=measure_of(loss, sequences), monitor=monitor)
        self.mean_loss = math.nan  # of this epoch, when last read
        self.unread = []  # what is needed to say which step went bad, since `ok` was last read
        self.stopped = False  # set it, and training stops after the current step
        self.seconds, self.trained = 0.0, 0  # of training steps, for targets per second

    def fit(self, progress: Any = None, checkpoint: Any = None) -> History:
        """Train to the end, and put the best weights into the net; or until `stopped`.

        A trainer that was stopped goes on where it was when stopped is False again; one that is at
        its end has nothing more to do.

        progress: True shows a bar, in a notebook too; or progress(trainer) is called after every
        step. checkpoint(trainer) is called at moments when the loss and the gradients are known to
        have been finite. Raises `NumberError` where one is NaN or infinite; the weights are then
        those before that step, and `restore_best` brings back the best so far. Raises
        `ArgumentError` where progress is neither.
        """
        with shown(progress, self, checkpoint) as told:
            while not self.is_over() and not self.stopped:
                self.run_epoch(told, checkpoint)
        self.check()
        if checkpoint:
            checkpoint(self)
        if not self.stopped:
            self.restore_best()
        return self.history

    def __repr__(self):
        return f"Trainer(epoch {self.epoch} of {self.epochs}, step {self.step:,}; {self.history})"

    def is_over(self):
        """Whether all epochs are done, or patience is at its end."""
        patient = self.patience is None or self.epoch - self.best_epoch < self.patience
        return self.epoch >= self.epochs or not patient

    def run_epoch(self, progress=None, checkpoint=None):
        """What is left of an epoch, then a look at the validation part."""
        if self.batches is None:
            self.draw_epoch()
        every = 1 if current() == "numpy" else GPU_READ_EVERY
        started = time.perf_counter()
        while self.position < len(self.batches) and not self.stopped:
            index = self.batches[self.position]
            loss, score = self.train_step(index)
            if self._first_loss is None:
                self._first_loss = loss
            number, (losses, scores, seen) = self.sequences.number(index), self.sums
            self.sums = losses + loss * number, scores + score, seen + number
            self.position += 1
            if self.position % every == 0 or self.position == len(self.batches):
                self.check()
                self.mean_loss = float(self.sums[0]) / max(self.sums[2], 1)
                if checkpoint and self.position < len(self.batches):
                    checkpoint(self)
            self.trained += number
            if progress:
                self.seconds += time.perf_counter() - started
                progress(self)
                started = time.perf_counter()
        self.seconds += time.perf_counter() - started
        if self.position == len(self.batches):
            self.finish_epoch()
            if checkpoint and not self.is_over():
                checkpoint(self)

    def batches_per_epoch(self):
        """How many batches every epoch has, whatever the sampling."""
        return -(-len(self.train) // self.batch_size)

    def draw_epoch(self):
        """The batches of the next epoch."""
        self.epoch_rng = self.rng.bit_generator.state
        self.batches = self.sample(self.sequences, self.train, self.batch_size, self.rng)
        self.position, self.sums = 0, (0.0, 0, 0)
        self.state = self.net.first_state(self.batch_size) if self.carries else None

    def finish_epoch(self):
        """Evaluate on the validation part, add a row to the history, keep the best weights.

        Raises `NumberError` where the validation loss is not finite.
        """
        result = self.evaluate()
        if not math.isfinite(result.loss):
            after = f"after step {self.step} (epoch {self.epoch + 1})"
            raise self.not_finite(f"the validation loss is not finite {after}")
        self.epoch += 1
        score = self.history.add(
            *self.sums[1:], result, epoch=self.epoch, step=self.step, lr=float(self.optimizer.lr),
            train_loss=self.mean_loss,
        )  # fmt: skip
        if better(self.history.monitor, score, self.best_score):
            self.best_score, self.best_epoch = score, self.epoch
            self.best = self.net.state_dict()
        self.batches, self.position = None, 0

    def evaluate(self):
        """Return how well the net does on the validation part."""
        streams = {"streams": self.batch_size} if self.carries else {}
        return evaluate(self.net, self.sequences, self.validation, self.loss, **streams)

    def train_step(self, index):
        """One batch forward, backward, and the step; (loss, score) on the device.

        Raises `NumberError` where something is not finite, on the CPU before the weights move, and
        `BackendError` where the memory has no room for the batch.
        """
        if self.schedule is not None:
            self.optimizer.lr = check.rate_of(self.schedule, self.step)
        before = self.rng.bit_generator.state, self.state
        try:
            loss, score, ok = self.gradients(index, self.clip)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise BackendError(out_of_memory(len(index), self.carries)) from None
        self.step += 1
        self.ok = ok if self.ok is None else self.ok & ok
        self.unread.append((self.step, self.position + 1, index, before, self.ok))
        if current() == "numpy":  # looking costs nothing: stop before the step
            self.check()
            self.optimizer.step()
        else:  # once something was bad, no later step moves the weights
            self.optimizer.step(self.ok)
        return loss, score

    def gradients(self, index, clip=None):
        """Fill the gradients from a batch, clipped; (loss, score, whether all is finite).

        The score adds up over batches: how many are right, or the squares of what is off.
        """
        self.optimizer.zero_grad()
        loss, score = self.accumulate(index)
        whole = [self.optimizer.whole]
        norm = clip_grad_norm(whole, clip) if clip else grad_norm(whole)
        ok = (loss + norm) * 0 == 0  # false for NaN and for infinity
        return loss, score, ok

    def accumulate(self, index):
        """Add the gradient of a batch, forward and backward; (loss, score).

        Raises `ShapeError` where the net has not an output for each target, or fewer than there are
        classes.
        """
        batch = self.sequences.batch(index, self.state)
        outputs, cache = check.pair(self.net.forward(batch, training=True), self.net)
        check.one_output_each(outputs, batch, self.sequences.num_classes)
        loss, loss_cache = self.loss.forward(outputs, batch.labels)
        self.net.backward(self.loss.backward(loss_cache), cache)
        if self.carries:
            self.state = cache.state
        return loss, self.loss.score(outputs, batch.labels)

    def check(self):
        """Read the flag; `NumberError` that names the first bad step since the last look."""
        if not self.unread or bool(self.unread[-1][-1]):
            self.unread.clear()
            return
        step, batch, index, before, _ = next(u for u in self.unread if not bool(u[-1]))
        # The weights are still those before that step. Once more, with the same dropout, but
        # not clipped: clipping by a norm that is NaN spoils every gradient.
        self.rng.bit_generator.state, self.state = before
        self.gradients(index)
        at = f"step {step} (epoch {self.epoch + 1}, batch {batch} of {self.batches_per_epoch()})"
        raise self.not_finite(f"the loss or a gradient is not finite at {at}")

    def not_finite(self, what):
        """The error that says this, which parameter is the first, and what to try."""
        gradients = {name: asnumpy(p.grad) for name, p in self.net.named_parameters().items()}
        return check.not_finite_error(what, self.net.state_dict(), gradients, self.clip)

    @property
    def first_loss(self):
        """The loss of the first batch, before any step; None before it. To ask for it waits for a
        GPU."""
        return None if self._first_loss is None else float(self._first_loss)

    def restore_best(self):
        """Put the best weights so far back into the net."""
        if self.best is not None:
            self.net.load_state_dict(self.best)

    @property
    def per_second(self):
        """Targets trained on in a second of training: sequences, or steps where each has one."""
        return self.trained / self.seconds if self.seconds else 0.0

    def state_dict(self):
        """({name: array}, facts for JSON) of everything that a later step depends on."""
        return state_of(self)

    def load_state_dict(self, arrays, facts):
        """Take up what `state_dict` gave. Raises `CheckpointError` where something does not fit,
        before anything is assigned."""
        take_up(self, arrays, facts)
