"""The report on a trained name classifier: a table beside two baselines, figures, files."""

import json
from typing import NamedTuple

import numpy as np

from .. import __version__, plotting
from ..baselines import TrigramBayes, majority
from ..data import printable
from ..functions import softmax
from ..measures import Evaluation, log_shares, two_guesses
from ..training import predict
from .files import write_atomic, write_figure


def write(output, trainer, names, parts, facts):
    """Print the report, and write figures, history.csv and summary.json into `output`.

    parts: {"train", "validation", "test": index array}; facts: more entries for summary.json.
    """
    net, sequences, history = trainer.net, trainer.sequences, trainer.history
    sizes = " / ".join(f"{len(index):,}" for index in parts.values())
    languages = f"{len(names.languages)} languages"
    data = f"{names.source}, {len(names):,} names, {languages}, split {sizes}"
    print(f"{net}\n{net.number_of_parameters():,} parameters")
    print(f"data: {data}", *names.notes, sep="\n  ")

    rows = evaluations(net, sequences, names, parts)
    print(f"\n{table({name: row.numbers() for name, row in rows.items()})}")

    shown = parts["test"][:: max(1, len(parts["test"]) // 6)][:6]
    print("\nsome names of the test part, every language taken to be equally frequent")
    for k, p in zip(shown, softmax(predict(net, sequences, shown)), strict=True):
        true = names.languages[names.labels[k]]
        print(f"  {names.names[k]:20s} {true:12s} guessed: {likeliest(p, names.languages)}")

    test, bayes = rows["test"], rows[TRIGRAMS]
    example = max(shown, key=lambda k: sequences.lengths[k])
    gates = net.gates(sequences.batch(np.array([example])))
    letters = names.names[example]
    baseline = {"trigram naive Bayes, class-balanced": bayes.balanced.balanced_accuracy}
    figures = {
        "loss.png": plotting.plot_loss(history),
        "accuracy.png": plotting.plot_accuracy(history, baseline),
        "confusion.png": plotting.plot_confusion(test.balanced.confusion, names.languages),
        "gates.png": plotting.plot_gates(gates, letters, f"Gates over the letters of {letters}"),
    }
    summary = {
        **facts,
        "version": __version__,
        "data": data,
        "parameters": net.number_of_parameters(),
        "epochs": trainer.epoch,
        **times(trainer, output / "summary.json", "names"),
        "loss_first": trainer.first_loss,
        "loss_last": history["train_loss"][-1],
        **{f"{part}_balanced_accuracy": rows[part].balanced.balanced_accuracy for part in parts},
        "test_balanced_standard_error": test.balanced.balanced_standard_error,
        "test_accuracy": test.natural.accuracy,
        "test_standard_error": test.natural.standard_error,
        "majority_accuracy": rows[MAJORITY].natural.accuracy,
        "ngram_accuracy": bayes.natural.accuracy,
        "ngram_balanced_accuracy": bayes.balanced.balanced_accuracy,
    }
    for name, figure in figures.items():
        write_figure(output / name, figure)
    write_atomic(output / "history.csv", history.csv().encode())
    write_atomic(output / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")
    speed, seconds = summary["names_per_second"], summary["seconds"]
    print(f"\n{speed:,.0f} names/s, {seconds:.0f} s of training; written:")
    for name in (*figures, "history.csv", "model.npz", "summary.json"):
        print(f"  {output / name}")


TRIGRAMS, MAJORITY = "trigram naive Bayes, test", "majority class, test"


class Answers(NamedTuple):
    """What one net, or one baseline, answers to the two questions."""

    natural: Evaluation  # which language, if they are as frequent as in training?
    balanced: Evaluation  # which language, if all are equally frequent?

    @classmethod
    def of(cls, labels, guesses, num_classes):
        """The two evaluations of the guesses of `two_guesses`, beside the labels [N]."""
        return cls(*(Evaluation.of(labels, guess, num_classes) for guess in guesses))

    def numbers(self):
        """(natural accuracy, its standard error, balanced accuracy, its standard error)."""
        natural, balanced = self
        errors = natural.standard_error, balanced.balanced_standard_error
        return natural.accuracy, errors[0], balanced.balanced_accuracy, errors[1]


def evaluations(net, sequences, names, parts):
    """{row of the table: Answers}: the net on every part, and the baselines on the test part."""
    K, labels, text = len(names.languages), names.labels, np.array(names.names)
    train, test = parts["train"], parts["test"]
    log_prior = log_shares(np.bincount(labels[train], minlength=K))
    bayes = TrigramBayes(text[train], labels[train], K)
    common = np.full(len(test), majority(labels[train], K))
    rows = {
        part: Answers.of(labels[index], two_guesses(predict(net, sequences, index), log_prior), K)
        for part, index in parts.items()
    }
    counted = two_guesses(bayes.scores(text[test]), log_prior)
    rows[TRIGRAMS] = Answers.of(labels[test], counted, K)
    rows[MAJORITY] = Answers.of(labels[test], (common, common), K)
    return rows


def table(rows):
    """Accuracies and their standard errors, {row: four numbers of `Answers.numbers`}, as text."""
    lines = [f"{'accuracy':28s} natural    s.e.  balanced    s.e."]
    lines += [f"{n:28s}{a:8.3f}{b:8.3f}{c:10.3f}{d:8.3f}" for n, (a, b, c, d) in rows.items()]
    return "\n".join([*lines, QUESTIONS])


QUESTIONS = """natural: the languages are as frequent as in training (the log prior is added)
balanced: every language is equally frequent; s.e.: the standard error"""


def likeliest(p, languages, count=3):
    """The `count` likeliest languages with their probabilities, as text."""
    order = np.argsort(-p, kind="stable")[:count]
    return ", ".join(f"{printable(str(languages[k]), 30)} {p[k]:.2f}" for k in order)


def times(trainer, path, what):
    """{"seconds": of training, "<what>_per_second": speed} of this run; where nothing was left to
    train, as the summary at `path` has them."""
    speed = f"{what}_per_second"
    measured = {"seconds": round(trainer.seconds, 2), speed: round(trainer.per_second, 1)}
    if trainer.trained or not path.is_file():
        return measured
    try:
        before = json.loads(path.read_text("utf-8"))
        return {name: float(before[name]) for name in measured}
    except (ValueError, KeyError, TypeError, RecursionError):  # not one that was written here
        return measured
