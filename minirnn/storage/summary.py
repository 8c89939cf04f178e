"""The report on a trained name classifier: a table beside two baselines, figures, files."""

import json

import numpy as np

from .. import __version__, plotting
from ..baselines import TrigramBayes, majority
from ..data import printable
from ..functions import softmax
from ..training import Evaluation, evaluate, predict
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
    print(f"\n{'accuracy':28s}{'natural':>8s}{'balanced':>10s}")
    for name, row in rows.items():
        print(f"{name:28s}{row.accuracy:8.3f}{row.balanced_accuracy:10.3f}")

    shown = parts["test"][:: max(1, len(parts["test"]) // 6)][:6]
    print("\nsome names of the test part")
    for k, p in zip(shown, softmax(predict(net, sequences, shown)), strict=True):
        true = names.languages[names.labels[k]]
        print(f"  {names.names[k]:20s} {true:12s} guessed: {likeliest(p, names.languages)}")

    test, bayes = rows["test"], rows[TRIGRAMS]
    example = max(shown, key=lambda k: sequences.lengths[k])
    gates = net.gates(sequences.batch(np.array([example])))
    letters = names.names[example]
    baseline = {"trigram naive Bayes, class-balanced": bayes.balanced_accuracy}
    figures = {
        "loss.png": plotting.plot_loss(history),
        "accuracy.png": plotting.plot_accuracy(history, baseline),
        "confusion.png": plotting.plot_confusion(test.confusion, names.languages),
        "gates.png": plotting.plot_gates(gates, letters, f"Gates over the letters of {letters}"),
    }
    summary = {
        **facts,
        "version": __version__,
        "data": data,
        "parameters": net.number_of_parameters(),
        "epochs": trainer.epoch,
        "seconds": round(trainer.seconds, 2),
        "names_per_second": round(trainer.per_second, 1),
        "loss_first": trainer.first_loss,
        "loss_last": history["train_loss"][-1],
        "train_balanced_accuracy": rows["train"].balanced_accuracy,
        "validation_balanced_accuracy": rows["validation"].balanced_accuracy,
        "test_balanced_accuracy": test.balanced_accuracy,
        "test_accuracy": test.accuracy,
        "majority_accuracy": rows[MAJORITY].accuracy,
        "ngram_accuracy": bayes.accuracy,
        "ngram_balanced_accuracy": bayes.balanced_accuracy,
    }
    for name, figure in figures.items():
        write_figure(output / name, figure)
    write_atomic(output / "history.csv", history.csv().encode())
    write_atomic(output / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")
    print(f"\n{trainer.per_second:,.0f} names/s, {trainer.seconds:.0f} s of training; written:")
    for name in (*figures, "history.csv", "model.npz", "summary.json"):
        print(f"  {output / name}")


TRIGRAMS, MAJORITY = "trigram naive Bayes, test", "majority class, test"


def evaluations(net, sequences, names, parts):
    """{row of the table: Evaluation}: the net on every part, and the baselines on the test part."""
    K, labels, text = len(names.languages), names.labels, np.array(names.names)
    train, test = parts["train"], parts["test"]
    bayes = TrigramBayes(text[train], labels[train], K)
    common = np.full(len(test), majority(labels[train], K))
    rows = {part: evaluate(net, sequences, index) for part, index in parts.items()}
    rows[TRIGRAMS] = Evaluation.of(labels[test], bayes.predict(text[test]), K)
    rows[MAJORITY] = Evaluation.of(labels[test], common, K)
    return rows


def likeliest(p, languages, count=3):
    """The `count` likeliest languages with their probabilities, as text."""
    order = np.argsort(-p, kind="stable")[:count]
    return ", ".join(f"{printable(str(languages[k]), 30)} {p[k]:.2f}" for k in order)
