"""Does a long run keep its memory? 200,000 training steps, and how much memory the process holds.

python tests/soak.py [--iterations 200000]

A tiny net on one name at a time, with dropout, evaluation every 500 steps and a checkpoint every
second. After the first 1,000 steps the resident memory may grow by 4 MiB at most: the history has
a row for every evaluation, and what is freed is not always given back to the system. Exit code 1
where it grows more. Needs Linux, for /proc.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minirnn.batches import Sequences  # noqa: E402
from minirnn.checkpoints import Checkpoint  # noqa: E402
from minirnn.losses import CrossEntropy  # noqa: E402
from minirnn.models import NameClassifier  # noqa: E402
from minirnn.optim import AdamW  # noqa: E402
from minirnn.training import Trainer  # noqa: E402

FIRST, ALLOWED = 1000, 4.0  # steps, and MiB after them: 24 bytes a step would be more
STEPS_AN_EPOCH = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200_000)
    iterations = max(parser.parse_args().iterations, 2 * FIRST)
    seen = soak(iterations)
    growth = max(seen.values()) - seen[FIRST]
    print(f"{growth:.2f} MiB more at most after {iterations:,} steps than after {FIRST:,}")
    return 0 if growth <= ALLOWED else 1


def soak(iterations):
    """{step: MiB of resident memory} on the way."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=STEPS_AN_EPOCH + 60)
    words = [rng.integers(6, size=size) for size in rng.integers(1, 9, size=len(labels))]
    sequences, index = Sequences(words, labels, 3, 6), np.arange(len(words))
    net = NameClassifier(6, 3, rng=rng, hidden_size=8, embedding=4, dropout=0.2)
    trainer = Trainer(
        net, CrossEntropy(), AdamW(net.parameters(), 1e-3), sequences, index[60:], index[:60],
        rng=rng, epochs=iterations // STEPS_AN_EPOCH, batch_size=1, clip=1.0,
    )  # fmt: skip
    seen = {}

    def look(trainer):
        if trainer.step % FIRST == 0:
            seen[trainer.step] = resident()
            if trainer.step == FIRST or trainer.step % (iterations // 10) == 0:
                print(f"step {trainer.step:8,}: {seen[trainer.step]:.2f} MiB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        trainer.fit(look, Checkpoint(Path(folder) / "checkpoint.npz", {}, every_seconds=1.0))
    return seen


def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
