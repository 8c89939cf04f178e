"""How many orders a training step sends to a card, and how long the host takes to send them.

python tests/emulated_card/count.py [--json] [CHECKOUT]

Nothing is computed: launches and products are counted only. CHECKOUT is another folder with this
project, to be counted beside this one. Times are those of this machine without a driver's work,
the median of 15 steps.
"""

import json
import statistics
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def main(arguments):
    places = [Path(a).resolve() for a in arguments if not a.startswith("-")]
    root = places[0] if places else TESTS.parent
    sys.path[:0] = [str(root), str(TESTS), str(root / "examples")]
    from emulated_card import card

    card.insert()
    import numpy as np
    from benchmark_cases import Case, Ours, batches_of

    rows = []
    shapes = [("names", None, 256, 128), ("dense", 100, 64, 512)]
    for case in [Case(model, *shape) for shape in shapes for model in ("rnn", "lstm", "gru")]:
        (batch, *_) = batches_of(case, np.random.default_rng(1))
        ours, T = Ours(case, [batch], "cupy"), len(batch.sizes or range(case.T))
        row = {"case": case.name, "steps": T}
        for what in ("forward", "train"):
            row[what] = counted(card, getattr(ours, what))
        rows.append(row)
    for batch_size in (128, 1024):
        rows.append({"case": f"names.py, batch {batch_size}", "steps": None,
                     "train": counted(card, trainer_step(batch_size))})  # fmt: skip
    if "--json" in arguments:
        print(json.dumps(rows))
        return
    print(f"{'':36s}{'orders':>8s}{'of a step':>11s}{'read':>6s}{'waits':>7s}{'host, ms':>10s}")
    for row in rows:
        for what in ("forward", "train"):
            if what in row:
                r = row[what]
                share = f"{r['orders'] / row['steps']:.2f}" if row["steps"] else ""
                print(
                    f"{row['case'] + ' ' + what:36s}{r['orders']:8d}{share:>11s}"
                    f"{r['to_host']:6d}{r['synchronisations']:7d}{r['host_ms']:10.2f}"
                )


def counted(card, function):
    """The counts of one call, after a first one, and the host's milliseconds."""
    with card.counting(compute=False):
        function()
    with card.counting(compute=False) as counts:
        function()
    seconds = []
    with card.counting(compute=False):
        for _ in range(15):
            began = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - began)
    return dict(counts, orders=counts.orders, host_ms=1000 * statistics.median(seconds))


def trainer_step(batch_size):
    """A function that takes one step of examples/names.py with its default net."""
    import numpy as np

    from minirnn import (
        AdamW,
        Alphabet,
        CrossEntropy,
        NameClassifier,
        Sequences,
        Trainer,
        load_names,
        split,
        use,
    )

    use("cupy")
    rng, alphabet = np.random.default_rng(0), Alphabet()
    names = load_names(None, alphabet)
    train, validation, _ = split(names, rng)
    data = Sequences([alphabet.encode(n) for n in names.names], names.labels, 18, len(alphabet))
    net = NameClassifier(len(alphabet), 18, rng=rng, bidirectional=True, embedding=64, dropout=0.4)
    loss = CrossEntropy(log_prior=data.log_prior())
    trainer = Trainer(net, loss, AdamW(net.parameters()), data, train, validation, rng=rng,
                      epochs=1, batch_size=batch_size, clip=1.0)  # fmt: skip
    index = rng.choice(train, batch_size, replace=False)

    def step():
        _, _, ok = trainer.gradients(index, trainer.clip)
        trainer.optimizer.step(ok)

    return step


if __name__ == "__main__":
    main(sys.argv[1:])
