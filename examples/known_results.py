"""Known results, again: three small problems with published figures, three seeds each.

python examples/known_results.py                  all, some minutes on two cores
python examples/known_results.py --quick          a twentieth of the steps: does it run?
python examples/known_results.py --only parity    one of them
python examples/known_results.py --resume         go on after Ctrl-C, or worse
mpiexec -n 5 python examples/known_results.py     four nets at a time, on any machines

mnist1d  ten digits as noisy lines of 40 points: a bidirectional GRU of 6 and of 12 units
parity   is the number of ones even? trained on 1 to 40 letters, asked 41 to 481
adding   the sum of two marked numbers among 100: after how many batches is it solved?
"""

# ruff: noqa: E402
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a rank of MPI has one core

import numpy as np

from minirnn import cli
from minirnn.cells import GRUCell, LSTMCell, RNNCell
from minirnn.losses import CrossEntropy
from minirnn.mpi import pool
from minirnn.recurrent import Recurrent
from minirnn.reports import adding, mnist1d, processes
from minirnn.reports.drawn import DrawnTrainer, LastState
from minirnn.stacked import GRU
from minirnn.storage.files import write_atomic
from minirnn.storage.stored_runs import StoredRun

CELLS = {"RNN": RNNCell, "LSTM": LSTMCell, "GRU": GRUCell}
STEPS = {"mnist1d": 9_000, "parity": 3_000, "adding": 3_000}
NETS = {"mnist1d": (6, 12), "parity": ("LSTM", "GRU", "sLSTM", "minGRU"),
        "adding": ("RNN", "LSTM", "GRU")}  # fmt: skip


@dataclass(frozen=True)
class Run(StoredRun):
    """One net on one problem, with one seed."""

    problem: str
    net: str | int
    seed: int
    iterations: int
    folder: str

    @property
    def name(self):
        return f"{self.problem}-{self.net}-{self.seed}"


def cell(name):
    """Return the cell class of this name: one of the library, or an example."""
    path = Path(__file__).resolve().parent / "cells" / f"{name.lower()}.py"
    return CELLS.get(name) or cli.load_cell(f"{path}:{name[0].upper()}{name[1:]}Cell")


def mnist1d_trainer(run, rng):
    """Batches of 100 of the 4,000, a rate that falls to zero; measured on the other 1,000."""
    x, labels = mnist1d.dataset(np.random.default_rng(42))
    net = LastState(GRU(1, run.net, bidirectional=True, rng=rng), 10, rng=rng)

    def draw(rng):
        k = rng.integers(4000, size=100)
        return x[:, k], labels[k]

    def wrong(net):
        return (net.forward(x[:, 4000:])[0].argmax(axis=1) != labels[4000:]).mean()

    return DrawnTrainer(net, CrossEntropy(), draw, wrong, rng, iterations=run.iterations,
                        schedule=lambda step: 0.01 * (1 - step / run.iterations))  # fmt: skip


def bits(rng, T, N):
    """(ids [T, N], how many of them are 1, modulo 2 [N])."""
    x = rng.integers(2, size=(T, N))
    return x, x.sum(axis=0) % 2


def parity_trainer(run, rng):
    """32 units, batches of 128 of one length; measured on 64 of the lengths 41, 61 .. 481."""
    net = LastState(Recurrent(cell(run.net), 2, 32, rng=rng), 2, rng=rng)
    test = [bits(asked, T, 64) for asked in [np.random.default_rng(1)] for T in range(41, 501, 20)]

    def wrong(net):
        return np.mean([(net.forward(x)[0].argmax(axis=1) != even).mean() for x, even in test])

    draw = lambda rng: bits(rng, int(rng.integers(1, 41)), 128)  # noqa: E731
    return DrawnTrainer(net, CrossEntropy(), draw, wrong, rng, iterations=run.iterations, lr=3e-3)


def adding_trainer(run, rng):
    """64 units, batches of 32; the LSTM's forget gate begins open."""
    net = adding.Adder(cell(run.net), 64, rng=rng, forget_bias=1.0 if run.net == "LSTM" else None)
    return adding.AddingTrainer(net, 100, rng, iterations=run.iterations)


def work(run, progress, stopped):
    """Train one of the nets, in a process of its own."""
    makers = {"mnist1d": mnist1d_trainer, "parity": parity_trainer, "adding": adding_trainer}
    trainer = makers[run.problem](run, np.random.default_rng(run.seed))
    finish = lambda: {"error": trainer.history[-1][1], "steps": trainer.iteration}  # noqa: E731
    return run.train(trainer, finish, progress, stopped)


def main():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--only", choices=STEPS, nargs="+", default=[*STEPS], metavar="WHAT", help="(default: all)")
    add("--seeds", type=cli.whole, default=3, help="how many (default: 3)")
    add("--quick", action="store_true", help="a twentieth of the steps")
    add("--jobs", type=cli.whole, default=processes.cores(), help="processes (default: all cores)")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", help="(default: runs/known-results)")
    args = parser.parse_args()
    if pool.serve():
        return
    name = "known-results-quick" if args.quick else "known-results"
    folder, share = cli.output_folder(args.output or Path("runs") / name), 20 if args.quick else 1
    chosen = [(p, net, seed) for p in args.only for seed in range(args.seeds) for net in NETS[p]]
    runs = [Run(p, net, seed, STEPS[p] // share, str(folder)) for p, net, seed in chosen]
    with cli.remaining_runs(folder, {"quick": args.quick}, runs, args.resume) as waiting:
        for run, result in processes.run(work, waiting, args.jobs):
            print(f"{run.name}: {'stopped' if result is None else 'done'}", flush=True)
        show(rows := [run.result() for run in runs])
        write_atomic(folder / "results.json", json.dumps(rows, indent=1).encode() + b"\n")
        print(f"\nwritten: {folder / 'results.json'}")


def show(rows):
    """Print mean and standard error of every net: accuracy, and for adding the batches needed."""
    for problem, net in dict.fromkeys((r["problem"], r["net"]) for r in rows):
        mine = [r for r in rows if (r["problem"], r["net"]) == (problem, net)]
        if problem == "adding":
            solved = [f"{r['steps']:,}" for r in mine if r["error"] < adding.SOLVED]
            text = f"solved {len(solved)} of {len(mine)}, after {', '.join(solved) or '-'} batches"
        else:
            right = 1 - np.array([r["error"] for r in mine])
            error = right.std(ddof=1) / len(right) ** 0.5 if len(right) > 1 else np.nan
            text = f"{right.mean():.3f} right, standard error {error:.3f}"
        print(f"{problem:10s}{net!s:>8s}  {text}")


if __name__ == "__main__":
    sys.exit(cli.main(main))
