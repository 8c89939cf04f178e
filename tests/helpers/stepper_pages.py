"""Saved nets, and the stepper command."""

import numpy as np

from minirnn import __main__ as main
from minirnn import cli
from minirnn.data import Alphabet
from minirnn.models import NameClassifier
from minirnn.storage.checkpoints import save_net


def saved(path, seed=0, **options):
    alphabet = Alphabet()
    settings = {
        "model": "lstm", "hidden_size": 5, "num_layers": 1, "bidirectional": True, "embedding": 3,
        "dropout": 0.4, "alphabet": alphabet.characters,
        "languages": ["Portuguese", "</script><b>", "Vietnamese"],
    } | options  # fmt: skip
    kept = ("hidden_size", "num_layers", "bidirectional", "embedding", "dropout")
    net = NameClassifier(
        len(alphabet), 3, rng=np.random.default_rng(seed), cell="lstm",
        **{name: settings[name] for name in kept},
    )  # fmt: skip
    save_net(path, net, settings)
    return path


def command(*arguments):
    return cli.main(lambda: main.run(["stepper", *map(str, arguments)]))
