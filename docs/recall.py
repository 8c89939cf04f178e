"""A task of fifty letters for the stepper's page: which one was the first?

python docs/recall.py    train the three nets again, and write docs/results/recall.json
"""

import json
import sys
from pathlib import Path

import numpy as np

from minirnn.batches import Sequences
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.optim import AdamW, clip_grad_norm
from minirnn.stepper.demo import KINDS
from minirnn.stepper.export import kind_of, spelling, weights_of

RESULTS = Path(__file__).resolve().parent / "results" / "recall.json"
ANSWERS, OTHERS = "ABCD", "wxyz"  # the first letter, and all that come after it
LETTERS, LENGTH, HIDDEN, BATCH = ANSWERS + OTHERS, 50, 8, 32
FORGET_BIAS = 3.0  # of the LSTM: sigmoid(3)^49 = 0.09, so c_1 is still felt at the end
BATCHES = [0, 250, 1000, 2500]  # after which the nets are looked at


def task():
    """Return the task as `demo.data` returns the names, with the weights of docs/results."""
    kinds = [kind_of(net_of(label), label) for label in KINDS]
    rng = np.random.default_rng(1)
    listed = []
    for first in (1, 2):
        ids = sequences(rng, 1)[0][0]
        ids[0] = first
        text = "".join(LETTERS[k] for k in ids)
        listed.append({"text": text, "ids": ids.tolist(), "label": first})
    return {
        "title": "Step through a net", "task": "fifty letters: which one was the first?",
        "kinds": kinds, "names": listed, "languages": list(ANSWERS), "alphabet": LETTERS,
        "runs": {}, "weights": json.loads(RESULTS.read_text("utf-8")), "longest": LENGTH,
        "alike": spelling(), "guessed": False,
        "epochs": [f"after {n} batches" if n else "not trained" for n in BATCHES],
    }  # fmt: skip


def sequences(rng, n):
    """(ids [n, LENGTH], labels [n]): one of ANSWERS, the label, and then random OTHERS."""
    ids = rng.integers(len(ANSWERS), len(LETTERS), (n, LENGTH))
    ids[:, 0] = labels = rng.integers(0, len(ANSWERS), n)
    return ids, labels


def batch_of(rng, n):
    """Return n new sequences as a batch."""
    ids, labels = sequences(rng, n)
    return Sequences(list(ids), list(labels), len(ANSWERS), len(LETTERS)).batch(np.arange(n))


def net_of(label, seed=0):
    """An untrained net, with the first values that training begins with."""
    return NameClassifier(
        len(LETTERS), len(ANSWERS), rng=np.random.default_rng(seed), cell=KINDS[label],
        hidden_size=HIDDEN, forget_bias=FORGET_BIAS if label == "LSTM" else None,
    )  # fmt: skip


def looks(label, seed=0):
    """The weights of a net after each number of BATCHES."""
    net, rng = net_of(label, seed), np.random.default_rng(seed)
    loss, optimizer = CrossEntropy(), AdamW(net.parameters(), lr=0.01)
    for number in range(BATCHES[-1] + 1):
        if number in BATCHES:
            yield weights_of(net)
        batch = batch_of(rng, BATCH)
        net.zero_grad()
        logits, cache = net.forward(batch, training=True)
        _, loss_cache = loss.forward(logits, batch.labels)
        net.backward(loss.backward(loss_cache), cache)
        clip_grad_norm(net.parameters(), 1.0)
        optimizer.step()


def main():
    """Train, and write the weights."""
    weights = {}
    for k, label in enumerate(KINDS):
        for e, packed in enumerate(looks(label)):
            weights[f"{k}/{e}"] = packed
    RESULTS.write_text(json.dumps(weights, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
