"""Saved nets, the stepper command, and the nets whose weights are in a page."""

import base64

import numpy as np

from minirnn import __main__ as main
from minirnn import cli
from minirnn.data import Alphabet
from minirnn.models import NameClassifier
from minirnn.stepper.export import run_of
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


def net_on(task, kind, epoch):
    """The net whose weights are in a page's task, in the library and in double precision."""
    label, alphabet = task["kinds"][kind]["label"], task["alphabet"]
    net = NameClassifier(
        len(alphabet), len(task["languages"]), rng=np.random.default_rng(0), cell=label.lower(),
        hidden_size=task["kinds"][kind]["hidden"], dtype="float64",
    )  # fmt: skip
    flat, start = np.frombuffer(base64.b64decode(task["weights"][f"{kind}/{epoch}"]), "<f4"), 0
    layer = net.recurrent.layers[0]
    for p in (layer.Wx, layer.Wh, layer.bx, layer.bh, net.linear.W, net.linear.b):
        p.data[...] = flat[start : start + p.data.size].reshape(p.shape)
        start += p.data.size
    assert start == len(flat)
    return net


class Runs(dict):
    """The runs "KIND/NAME/EPOCH/0" of a task, by the library, from the weights in the page."""

    def __init__(self, task):
        super().__init__(task["runs"])
        self.task = task

    def __missing__(self, key):
        kind, name, epoch, _ = (int(k) for k in key.split("/"))
        one = self.task["names"][name]
        self[key] = run(self.task, kind, epoch, one["text"], one["label"])
        return self[key]


def run(task, kind, epoch, text, label):
    """What the library makes of a text."""
    ids = Alphabet(task["alphabet"]).encode(text)
    return run_of(net_on(task, kind, epoch), task["kinds"][kind], ids, label)


def asked(task, kind, epoch, text, label):
    """The same question, for `node_answers`."""
    return {
        "kind": task["kinds"][kind], "weights": task["weights"][f"{kind}/{epoch}"],
        "V": len(task["alphabet"]), "K": len(task["languages"]),
        "ids": [task["alphabet"].index(c) for c in text], "label": label,
    }  # fmt: skip
