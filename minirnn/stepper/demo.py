"""The site's page: three small nets, trained for a while, and looked at as they learn.

Their weights are in the page, which computes every name from them, also one typed in.
"""

import copy

import numpy as np

from ..batches import Sequences, natural
from ..data import Alphabet, load_names
from ..losses import CrossEntropy
from ..models import NameClassifier
from ..optim import AdamW, clip_grad_norm
from .export import kind_of, spelling, weights_of

LANGUAGES = ["Greek", "Italian", "Japanese", "Polish"]
NAMES = {
    "Kowalski": "Polish", "Bianchi": "Italian", "Papadakis": "Greek", "Sato": "Japanese",
    "Nowak": "Polish", "Yamamoto": "Japanese",
}  # fmt: skip
KINDS = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
EPOCHS = [0, 1, 2, 4, 8, 16]
HIDDEN, PER_LANGUAGE = 8, 300
LONGEST = 60  # letters of a name that is typed in


def data(seed=0):
    """Return what `page` draws: every kind of net after every epoch, and names to begin with."""
    alphabet = Alphabet()
    sequences = some_names(alphabet, np.random.default_rng(seed))
    kinds, weights = [], {}
    for k, (label, cell) in enumerate(KINDS.items()):
        net = NameClassifier(
            len(alphabet), len(LANGUAGES), rng=np.random.default_rng(seed), cell=cell,
            hidden_size=HIDDEN,
        )  # fmt: skip
        kinds.append(kind_of(net, label))
        for e, look in enumerate(looks(net, sequences, np.random.default_rng(seed))):
            weights[f"{k}/{e}"] = weights_of(look)
    listed = [
        {"text": text, "ids": alphabet.encode(text).tolist(), "label": LANGUAGES.index(language)}
        for text, language in NAMES.items()
    ]
    return {
        "title": "Step through a net", "task": "names: of which language?", "kinds": kinds,
        "names": listed, "languages": LANGUAGES, "alphabet": alphabet.characters, "runs": {},
        "weights": weights, "longest": LONGEST, "alike": spelling(), "guessed": False,
        "epochs": [f"after epoch {e}" if e else "not trained" for e in EPOCHS],
    }  # fmt: skip


def some_names(alphabet, rng):
    """`Sequences` of PER_LANGUAGE names of each of the LANGUAGES."""
    names = load_names()
    wanted = [names.languages.index(language) for language in LANGUAGES]
    chosen = np.concatenate([
        rng.permutation(np.flatnonzero(names.labels == k))[:PER_LANGUAGE] for k in wanted
    ])  # fmt: skip
    ids = [alphabet.encode(names.names[k]) for k in chosen]
    labels = [wanted.index(names.labels[k]) for k in chosen]
    return Sequences(ids, labels, len(wanted), len(alphabet))


def looks(net, sequences, rng):
    """The net after each of EPOCHS, as a copy that can be read from while this one learns."""
    loss, optimizer = CrossEntropy(), AdamW(net.parameters(), lr=0.01)
    for epoch in range(EPOCHS[-1] + 1):
        if epoch in EPOCHS:
            yield copy.deepcopy(net)
        for index in natural(sequences, np.arange(len(sequences)), 32, rng):
            batch = sequences.batch(index)
            net.zero_grad()
            logits, cache = net.forward(batch, training=True)
            _, loss_cache = loss.forward(logits, batch.labels)
            net.backward(loss.backward(loss_cache), cache)
            clip_grad_norm(net.parameters(), 1.0)
            optimizer.step()
