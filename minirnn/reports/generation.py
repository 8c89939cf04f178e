"""Names written by a trained generator, and what they are worth."""

import numpy as np

from .. import optim
from ..batches import Batch, Sequences
from ..check import above_0
from ..data import split
from ..errors import DataError
from ..functions import softmax
from ..losses import CrossEntropy
from ..models import NameClassifier
from ..training import Trainer, predict

LONGEST = 20  # letters: what has not ended by then is cut off, as in the PyTorch tutorial


def write_name(net, label, start, rng, temperature=1.0, longest=LONGEST):
    """The ids of a name of language `label` that begins with the ids `start`.

    Each next letter is drawn with probability softmax(logits / temperature): below 1 the likely
    ones gain, above 1 the unlikely. The name ends where the net says so, or after `longest`.
    Raises `ArgumentError` for a temperature that is not above 0.
    """
    above_0(temperature=temperature)
    ids, end, state = list(start), net.num_symbols - 1, None
    unread = ids  # what the net has not seen yet: first all of `start`, then one letter a time
    while len(ids) < longest:
        rows = np.array([[label, net.num_classes + k] for k in unread])
        logits, cache = net.forward(Batch(rows, [1] * len(rows), None, None), state=state)
        state = (cache[0][-1:],)
        a = logits[-1].astype("float64")
        with np.errstate(over="ignore"):  # a temperature near 0: the likeliest letter alone is left
            a = (a - a.max()) / temperature
        letter = int(rng.choice(end + 1, p=softmax(a)))
        if letter == end:
            break
        ids.append(letter)
        unread = [letter]
    return ids


def write_names(
    net, names, alphabet, rng, temperature=0.3, count=50, labels=None, start=None
):  # fmt: skip
    """(texts, labels): `count` names of each language, or of those in `labels`.

    They begin with `start`, or else each with the first letter of a real name of its language.
    """
    texts, written = [], []
    for label in range(len(names.languages)) if labels is None else labels:
        for first in [start] * count if start else first_letters(names, label, rng, count):
            ids = write_name(net, label, alphabet.encode(first), rng, temperature)
            texts.append(text_of(ids, alphabet))
            written.append(label)
    return texts, np.array(written)


def first_letters(names, label, rng, count):
    """First letters as real names of a language have them."""
    known = np.flatnonzero(names.labels == label)
    return [names.names[k][0] for k in rng.choice(known, count)]


def text_of(ids, alphabet):
    """The characters that ids stand for."""
    return "".join(alphabet.characters[k] for k in ids).strip()


def worth(texts, labels, names, judge):
    """Return what written names are worth: {"new": share not in the lists, capitals aside, of any
    language; "distinct": share of different ones; "right": share that judge(texts), which gives
    guesses, takes for the language asked for}."""
    known = {name.casefold() for name in names.names}
    return {
        "new": float(np.mean([text.casefold() not in known for text in texts])),
        "distinct": len({text.casefold() for text in texts}) / len(texts),
        "right": float(np.mean(judge(texts) == labels)),
    }


def judge_of(net, alphabet):
    """texts -> guesses, by a net that classifies names; -1 for a text it cannot read."""

    def judge(texts):
        ids = [alphabet.encode(alphabet.clean(text)) for text in texts]
        readable = [k for k, name in enumerate(ids) if len(name)]
        guesses = np.full(len(texts), -1)
        if readable:
            unknown = np.zeros(len(readable), int)
            sequences = Sequences([ids[k] for k in readable], unknown, num_symbols=len(alphabet))
            logits = predict(net, sequences, np.arange(len(readable)))
            guesses[readable] = logits.argmax(axis=1)
        return guesses

    return judge


def quick_classifier(names, alphabet, epochs=8, progress=None):
    """(net, its class-balanced accuracy on names that it was not trained on): a GRU both ways.

    A few epochs, half a minute: enough to say what language a written name looks like. The epoch
    is the one that is best on these names, so the accuracy is a little too good.
    """
    rng, K = np.random.default_rng(0), len(names.languages)
    net = small_classifier(len(alphabet), K, rng)
    sequences = Sequences.of_names(names, alphabet)
    train, validation, test = split(names, rng)
    prior = np.log(np.bincount(names.labels[train], minlength=K) / len(train))
    steps = epochs * -(-len(train) // 128)
    trainer = Trainer(
        net, CrossEntropy(log_prior=prior), optim.AdamW(net.parameters(), 6e-3), sequences, train,
        np.concatenate([validation, test]), rng=rng, epochs=epochs,
        schedule=optim.one_cycle(6e-3, steps), clip=1.0,
    )  # fmt: skip
    trainer.fit(progress)
    return net, trainer.best_score


def small_classifier(num_symbols, num_classes, rng):
    """The net of `quick_classifier`, not trained yet."""
    return NameClassifier(
        num_symbols, num_classes, rng=rng, cell="gru", hidden_size=96, bidirectional=True,
        dropout=0.3, embedding=32,
    )  # fmt: skip


def check_start(start, alphabet):
    """Raise `DataError` where the first letters are not in the alphabet."""
    unknown = sorted({c for c in start if c not in alphabet.characters})
    if unknown or not start:
        shown = ", ".join(map(ascii, unknown)) or "nothing"
        raise DataError(
            f"the first letters hold {shown}, but the net knows only these characters: "
            f"{alphabet.characters}"
        )
