"""Training runs of the lab-report nets: net, data split and metrics.

Two protocols. "reports": every name is trained on, as often as it stands in the lists, and the
accuracy is that on the same names, as the reports have it. "held-out": of each language's
distinct names 20 % are never trained on; another 10 % say when it would have been best to stop.
Accuracies are class-balanced, the mean over the languages: the reports draw their names so.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..baselines import TrigramBayes
from ..batches import Batch, Sequences
from ..data import Alphabet, load_names, split
from ..errors import DataError, NumberError
from ..losses import CrossEntropy
from ..storage.checkpoints import load_net
from ..storage.stored_runs import StoredRun
from ..training import Evaluation, evaluate
from . import nets
from .generation import judge_of, quick_classifier, worth, write_names
from .online import OnlineTrainer

PROTOCOLS = ("reports", "held-out")
SHARES = (0.7, 0.1, 0.2)  # of the held-out protocol: training, validation, test
LAST = (1, 2, 3, 5)  # letters that nets with less to remember see
SAMPLE = 50  # names of each language in the accuracy curves


class Kind(NamedTuple):
    """A net of the reports: how to make it, and the learning rate that reaches their figures."""

    make: Any
    lr: float
    title: str
    figure: str = "-"  # what the report says
    sees: Any = None  # of a name: all of it, its last so many letters, or "shuffled" ones


def _rnn(**changes):
    return lambda *sizes, **options: nets.ReportRNN(*sizes, **changes, **options)


_both = _rnn(nonlinearity="tanh", reads="new")


KINDS = {
    "A": Kind(nets.ReportRNN, 0.005, "RNN as printed", "60 % at 100,000, 63 % at 300,000"),
    "B": Kind(nets.ReportLSTM, 0.01, "LSTM", "88 to 90 %"),
    "C": Kind(nets.ReportGRU, 0.01, "GRU", "90 %"),
    "D": Kind(nets.BuiltinLSTM, 0.01, "built-in LSTM", "85 %"),
    "E": Kind(nets.OutputGateLSTM, 0.01, "LSTM that classifies its output gate", "70 %"),
    "F": Kind(nets.Generator, 0.004, "name generator", "structure only"),
    "A+tanh": Kind(_rnn(nonlinearity="tanh"), 0.005, "A with tanh"),
    "A+new": Kind(_rnn(reads="new"), 0.005, "A with the output from h_t"),
    "A+both": Kind(_both, 0.005, "A with both, a proper RNN"),
    "A+wide": Kind(
        _rnn(nonlinearity="tanh", reads="new", hidden_size=275),
        0.005,
        "the same with 275 units: as many parameters as B",
    ),  # fmt: skip
    "B+empty": Kind(nets.EmptiedLSTM, 0.01, "LSTM with f = 0"),
    "B+shuffled": Kind(nets.ReportLSTM, 0.01, "LSTM, letters shuffled", sees="shuffled"),
    "A+shuffled": Kind(_both, 0.005, "RNN, letters shuffled", sees="shuffled"),
    **{
        f"{kind}+last{k}": Kind(
            make,
            lr,
            f"{name}, the last {k} letters" if k > 1 else f"{name}, the last letter",
            sees=k,
        )
        for kind, make, lr, name in [
            ("A", _both, 0.005, "RNN"),
            ("B", nets.ReportLSTM, 0.01, "LSTM"),
        ]
        for k in LAST
    },
}


@dataclass(frozen=True)
class Run(StoredRun):
    """One net, trained once."""

    kind: str
    protocol: str
    seed: int
    iterations: int
    names: str  # the digest of the names, merged
    data: str | None  # a folder of names; None: those that come with minirnn
    folder: str  # where it is kept
    lr: float | None = None  # None: the kind's own

    @property
    def rate(self):
        """The learning rate."""
        return KINDS[self.kind].lr if self.lr is None else self.lr

    @property
    def settings(self):
        return super().settings | {"lr": self.rate}

    @property
    def name(self):
        """The name of its files, without the ending."""
        another = "" if self.rate == KINDS[self.kind].lr else f"-{self.rate:g}"
        return f"{self.kind}{another}-{self.protocol}-{self.seed}"


def runs_of(kind):
    """The protocols that a net is trained by: the generator has no accuracy to hold names for."""
    return ("reports",) if kind == "F" else PROTOCOLS


def alphabet_of(kind):
    """The generator reads a hyphen too: its 59 are 58 characters and the end of the name."""
    return Alphabet() if kind == "F" else Alphabet(nets.LETTERS)


def build(kind, num_classes, rng):
    """The net with the reports' sizes, for this number of languages."""
    num_symbols = len(alphabet_of(kind)) + (kind == "F")
    return KINDS[kind].make(num_symbols, num_classes, rng=rng)


def load(run):
    """(names, parts): every list entry for "reports", distinct names in three parts otherwise."""
    names = load_names(run.data, alphabet_of(run.kind), merge=run.protocol == "held-out")
    everything = np.arange(len(names))
    if run.protocol == "reports":
        return names, {"train": everything}
    parts = split(names, np.random.default_rng([run.seed, 1]), SHARES)
    return names, dict(zip(("train", "validation", "test"), parts, strict=True))


def train(run, progress=None, stopped=None):
    """Train a net, or go on where it stopped; its result, or None if it was stopped.

    A second call only reads the result. A net whose loss becomes infinite has a result too: its
    history until then, and "diverged", the iteration of the last row. Net A may do so, since
    nothing keeps its state small, and the reports do not clip gradients.
    """
    done = run.result()
    if done is not None:
        return done
    names, parts = load(run)
    rng = np.random.default_rng(run.seed)
    net = build(run.kind, len(names.languages), rng)
    make = writing_trainer if run.kind == "F" else guessing_trainer
    trainer, measure = make(run, net, names, parts, rng)

    def finish(diverged=False):
        return {
            "source": names.source, "languages": names.languages,
            "parameters": net.number_of_parameters(), "history": trainer.history,
            "seconds": round(trainer.seconds, 2), **measure(diverged),
        }  # fmt: skip

    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is noticed
            saved = {"languages": names.languages}
            return run.train(trainer, finish, progress, stopped, saved=saved)
    except NumberError:
        return run.store({**finish(diverged=True), "diverged": trainer.iteration})


def trained_net(run):
    """(net, languages) of a run that is over."""
    rng = np.random.default_rng(0)
    net, settings = load_net(
        run.path("npz"), lambda settings: build(settings["kind"], len(settings["languages"]), rng)
    )
    return net, settings["languages"]


def guessing_trainer(run, net, names, parts, rng):
    """(trainer, function that gives the results) of a net that guesses languages."""
    K, alphabet = len(names.languages), alphabet_of(run.kind)
    sequences = Sequences.of_names(seen(names, run), alphabet)
    batches = [sequences.batch(np.array([k])) for k in parts["train"]]
    members = [np.flatnonzero(names.labels[parts["train"]] == c) for c in range(K)]
    draws = np.random.default_rng([run.seed, 2])
    sample = parts["train"][np.concatenate([draws.choice(m, SAMPLE) for m in members])]

    asked = {"train": sample}
    if "validation" in parts:
        asked["validation"] = parts["validation"]

    def accuracy_on(places):
        return lambda net: evaluate(net, sequences, places).balanced_accuracy

    def finish(diverged):
        figures = {} if diverged else at_the_end()
        if trainer.best is not None:
            last = net.state_dict()
            net.load_state_dict(trainer.best)
            stopped = evaluate(net, sequences, parts["test"])
            if not diverged:
                net.load_state_dict(last)
            figures |= {
                "unseen_stopped": stopped.balanced_accuracy,
                "validation": trainer.best_score,
                "stopped_at": trainer.best_iteration,
                "trigrams": trigrams(names, parts).balanced_accuracy,
            }
        return figures

    def at_the_end():
        train = evaluate(net, sequences, parts["train"])
        figures = {"train": train.balanced_accuracy, "confusion": train.confusion.tolist()}
        if "test" in parts:
            test = evaluate(net, sequences, parts["test"])
            figures |= {"unseen": test.balanced_accuracy, "confusion": test.confusion.tolist()}
        return figures

    trainer = OnlineTrainer(
        net, CrossEntropy(), batches, members, rng=rng, lr=run.rate,
        iterations=run.iterations,
        measure={what: accuracy_on(places) for what, places in asked.items()},
    )  # fmt: skip
    return trainer, finish


def seen(names, run):
    """The names as the net of this run sees them: whole, their last letters, or in disorder."""
    sees = KINDS[run.kind].sees
    if sees is None:
        return names
    if sees == "shuffled":  # each name once, so that it looks the same whenever it comes
        rng = np.random.default_rng([run.seed, 4])
        texts = ["".join(rng.permutation(list(name))) for name in names.names]
    else:
        texts = [name[-sees:] for name in names.names]
    return replace(names, names=texts)


def trigrams(names, parts):
    """The `Evaluation` of trigram counts on the names never seen: what a net must beat."""
    text, labels = np.array(names.names), names.labels
    bayes = TrigramBayes(text[parts["train"]], labels[parts["train"]], len(names.languages))
    guesses = bayes.predict(text[parts["test"]])
    return Evaluation.of(labels[parts["test"]], guesses, len(names.languages))


def writing_trainer(run, net, names, parts, rng):
    """(trainer, function that gives the results) of the net that writes names.

    Its learning rate falls to nothing: at one that stays, the last names seen have too much of a
    say in the weights (measured: 48 % of its names are taken for their language, against 54 %).
    The loss of a name is the sum over its letters, as the PyTorch tutorial's; divided by
    "letters_a_name", the mean of the names drawn, the history's is that of a letter.
    """
    K, alphabet = len(names.languages), alphabet_of(run.kind)
    batches = [
        generator_batch(label, alphabet.encode(name), K, len(alphabet))
        for name, label in zip(names.names, names.labels, strict=True)
    ]
    members = [np.flatnonzero(names.labels == c) for c in range(K)]
    lengths = np.array([len(batch.x) for batch in batches])
    letters = float(np.mean([lengths[places].mean() for places in members]))
    trainer = OnlineTrainer(
        net, CrossEntropy("sum"), batches, members, rng=rng, lr=run.rate,
        iterations=run.iterations, decay=True,
    )  # fmt: skip

    def finish(diverged):
        if diverged:
            return {"letters_a_name": letters}
        distinct = load_names(run.data, alphabet)
        classifier, accuracy = quick_classifier(distinct, alphabet)
        draws = np.random.default_rng([run.seed, 3])
        texts, labels = write_names(net, distinct, alphabet, draws)
        samples = {
            language: [texts[k] for k in np.flatnonzero(labels == c)[:5]]
            for c, language in enumerate(names.languages)
        }
        figures = worth(texts, labels, distinct, judge_of(classifier, alphabet))
        return {"letters_a_name": letters, **figures, "judge": accuracy, "samples": samples}

    return trainer, finish


def generator_batch(label, ids, num_classes, end):
    """A name to learn to write: rows (category, letter) [T, 2], and as labels the letters that
    follow.

    Raises `DataError` for a name without letters.
    """
    if len(ids) == 0:
        raise DataError("a name to write needs at least one letter")
    x = np.stack([np.full(len(ids), label), num_classes + ids], axis=1)
    return Batch(x, [1] * len(ids), np.append(ids[1:], end), np.array([label]))
