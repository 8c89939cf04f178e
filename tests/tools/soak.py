"""Does a long run keep its memory? 200,000 training steps, and how much memory the process holds.

python tests/tools/soak.py [--iterations 200000]

A tiny net on one name at a time, with dropout, evaluation every 500 steps and a checkpoint every
second. The history has a row for every evaluation, so it grows; nothing else should. The run is
made three times, each time in a process of its own:

traced           Python's objects and NumPy's arrays, counted by `tracemalloc`, apart from the
                 history. They may grow by 16 KiB after the first 1,000 steps: an object of 32
                 bytes lost in every 400th step would be as much.
resident         what the system counts, with the history cut to its last row all the time. It may
                 grow by 512 KiB: what is freed is not always given back, and small blocks do not
                 always fit into each other's gaps.
with history     the same with the whole history. It may also grow by the history, and by what
                 writing it takes for a moment: rows that stay lie between what was only needed for
                 that moment. What is free is given back first: the GNU C library keeps the more of
                 it, the larger the pieces were.

Exit code 1 where one of them grows more. The traced run takes several times as long. Needs Linux,
for /proc.
"""

import argparse
import contextlib
import ctypes
import multiprocessing
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from minirnn.batches import Sequences  # noqa: E402
from minirnn.losses import CrossEntropy  # noqa: E402
from minirnn.models import NameClassifier  # noqa: E402
from minirnn.optim import AdamW  # noqa: E402
from minirnn.storage.checkpoints import Checkpoint  # noqa: E402
from minirnn.training import Trainer  # noqa: E402

FIRST, STEPS_AN_EPOCH = 1000, 500
KIB = 2**10
ALLOWED = {"traced": 16 * KIB, "resident": 512 * KIB}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200_000)
    iterations = max(parser.parse_args().iterations, 4 * FIRST)
    context, failed = multiprocessing.get_context("spawn"), False
    with context.Pool(1, maxtasksperchild=1) as pool:
        found, saving = pool.apply(soak, ("traced", iterations))
        failed |= said("traced", found["rest"], ALLOWED["traced"])
        size, rows = found["bytes"], found["rows"]
        print(f"a row of the history: {size / rows:.0f} bytes, {rows} of them; writing a "
              f"checkpoint takes {saving / KIB:.0f} KiB for a moment", flush=True)  # fmt: skip
        found = pool.apply(soak, ("resident", iterations))
        failed |= said("resident", found, ALLOWED["resident"])
        found = pool.apply(soak, ("with history", iterations))
        failed |= said("with history", found, ALLOWED["resident"] + size + saving)
    return int(failed)


def said(what, seen, allowed):
    """Print how it grew; whether that was too much."""
    growth = max(seen.values()) - seen[FIRST]
    last = max(seen)
    print(f"{what}: at most {growth / KIB:,.0f} KiB more up to step {last:,} than at step "
          f"{FIRST:,}; allowed are {allowed / KIB:,.0f} KiB", flush=True)  # fmt: skip
    return growth > allowed


def soak(what, iterations):
    """Train. {step: bytes}, or, "traced": ({"rest": {step: bytes without the history}, "bytes" and
    "rows" of the history}, bytes that writing the last checkpoint took)."""
    trainer, seen, checkpoints = problem(iterations), {}, []

    def look(trainer):
        if trainer.step % FIRST == 0:
            if what == "resident":
                del trainer.history.rows[:-1]
            if what == "traced":
                seen[trainer.step] = tracemalloc.get_traced_memory()[0] - history(trainer)
            else:
                seen[trainer.step] = resident(give_back=what == "with history")
            if trainer.step == FIRST or trainer.step % (iterations // 10) == 0:
                print(f"  {what}, step {trainer.step:8,}: {seen[trainer.step] / KIB:,.1f} KiB",
                      flush=True)  # fmt: skip

    class Watched(Checkpoint):
        """Notes the memory that is taken while a checkpoint is written."""

        def save(self, trainer):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            super().save(trainer)
            checkpoints[:] = [tracemalloc.get_traced_memory()[1] - before]

    if what == "traced":
        tracemalloc.start(1)
    with tempfile.TemporaryDirectory() as folder:
        kind = Watched if what == "traced" else Checkpoint
        trainer.fit(look, kind(Path(folder) / "checkpoint.npz", {}, every_seconds=1.0))
    if what != "traced":
        return seen
    rows = trainer.history.rows
    return {"rest": seen, "bytes": history(trainer), "rows": len(rows)}, checkpoints[0]


def problem(iterations):
    """The trainer."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=STEPS_AN_EPOCH + 60)
    words = [rng.integers(6, size=size) for size in rng.integers(1, 9, size=len(labels))]
    sequences, index = Sequences(words, labels, 3, 6), np.arange(len(words))
    net = NameClassifier(6, 3, rng=rng, hidden_size=8, embedding=4, dropout=0.2)
    return Trainer(
        net, CrossEntropy(), AdamW(net.parameters(), 1e-3), sequences, index[60:], index[:60],
        rng=rng, epochs=iterations // STEPS_AN_EPOCH, batch_size=1, clip=1.0,
    )  # fmt: skip


def history(trainer):
    """The bytes of all rows of the history, with the numbers in them and the list."""
    rows = trainer.history.rows
    size = sys.getsizeof(rows) + sum(map(sys.getsizeof, rows))
    return size + sum(sys.getsizeof(number) for row in rows for number in row.values())


def resident(give_back):
    """Bytes of the process in memory; give_back: without what is free."""
    if give_back:
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
