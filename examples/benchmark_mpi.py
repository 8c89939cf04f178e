"""What a shared training step costs here: the constants of the cost model, on two processes.

mpiexec -n 2 python examples/benchmark_mpi.py --json docs/results/mpi.json

Times the all-reduce of arrays of several sizes, and training steps of three nets on names, on both
processes at once. The constants are fitted to these; shared steps are timed too, and compared with
what the model says. Run it on a machine that does nothing else. It takes about a minute.
"""

# ruff: noqa: E402
import json
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from minirnn import cli
from minirnn.batches import Sequences
from minirnn.data import Alphabet, load_names
from minirnn.errors import ArgumentError
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.mpi import cost, world
from minirnn.mpi.exchange import summed
from minirnn.mpi.shared import SharedTrainer
from minirnn.optim import AdamW
from minirnn.storage.files import write_atomic
from minirnn.training import Trainer

HIDDEN = 32, 128, 512  # units of the nets, otherwise those of examples/names.py
PARTS = 8, 32, 128  # sequences of a rank
SIZES = 1, 2**10, 2**14, 2**18, 2**20, 2**22  # numbers in an array


def median_time(comm, function, seconds):
    """The median time of a call, the slowest rank's each time, in about so many seconds."""
    function()
    times = []
    for _ in range(3 if seconds else 1):
        times.append(timed(comm, function))
    for _ in range(int(seconds / np.median(times))):
        times.append(timed(comm, function))
    return float(np.median(times))


def timed(comm, function):
    from mpi4py import MPI

    comm.barrier()
    began = time.perf_counter()
    function()
    return comm.allreduce(time.perf_counter() - began, MPI.MAX)


def line(x, y):
    """(at 0, slope) of the line with the smallest relative errors through points (x, y)."""
    x, y = np.array(x, float), np.array(y)
    table = np.stack([1 / y, x / y], axis=1)
    return map(float, np.linalg.lstsq(table, np.ones_like(y), rcond=None)[0])


def all_reduces(comm, seconds):
    rows = []
    for size in SIZES:
        array = np.ones(size, "float32")
        took = median_time(comm, partial(summed, comm, [array]), seconds)
        rows.append({"bytes": 4 * size, "seconds": took})
    return rows


def trainer(make, hidden, batch_size, names, sequences):
    rng = np.random.default_rng(0)
    net = NameClassifier(58, 18, rng=rng, hidden_size=hidden, embedding=64, bidirectional=True,
                         dropout=0.4)  # fmt: skip
    index = np.arange(len(names))
    made = make(net, CrossEntropy(), AdamW(net.parameters(), 1e-3), sequences, index, index[:200],
                rng=rng, epochs=1, batch_size=batch_size, clip=1.0)  # fmt: skip
    made.draw_epoch()
    return made


def training_steps(comm, hidden, seconds, names, sequences):
    """The measurements of one net, and what the constants say of them."""
    alone = []
    for part in PARTS:
        one = trainer(Trainer, hidden, part, names, sequences)
        batches = iter(one.batches * 1000)
        took = median_time(comm, lambda: one.train_step(next(batches)), seconds)  # noqa: B023
        alone.append({"sequences": part, "seconds": took})
    fixed, each = line([row["sequences"] for row in alone], [row["seconds"] for row in alone])
    shared = trainer(partial(SharedTrainer, comm), hidden, 128, names, sequences)
    batches = iter(shared.batches * 1000)
    together = median_time(comm, lambda: shared.train_step(next(batches)), seconds)
    return {
        "hidden": hidden, "parameters": shared.net.number_of_parameters(), "alone": alone,
        "fixed": fixed, "each": each, "shared": together,
    }  # fmt: skip


def run():
    parser = cli.Parser(__doc__)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--seconds", type=cli.positive, default=1.5, help="for each time (1.5)")
    args = parser.parse_args()
    comm = world.join(ranks=2, option="")
    if comm.size != 2:
        raise ArgumentError(f"there are {comm.size} ranks, but must be 2: mpiexec -n 2")
    names = load_names()
    sequences = Sequences.of_names(names, Alphabet())
    rows = all_reduces(comm, args.seconds)
    twice, slope = line([row["bytes"] for row in rows], [row["seconds"] for row in rows])
    measured = {
        "about": about(), "exchange": rows, "latency": twice / 2, "bandwidth": 1 / slope,
        "nets": [training_steps(comm, h, args.seconds, names, sequences) for h in HIDDEN],
    }  # fmt: skip
    for net in measured["nets"]:
        net["predicted"] = cost.step(2, 128, net["fixed"], net["each"], 4 * net["parameters"],
                                     measured["latency"], measured["bandwidth"])  # fmt: skip
    if comm.rank == 0:
        show(measured)
        if args.json:
            write_atomic(args.json, json.dumps(measured, indent=1).encode() + b"\n")


def about():
    """Where and with what it was measured."""
    import mpi4py
    from mpi4py import MPI

    library = MPI.Get_library_version().split(",")[0]
    model = "unknown"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((one.partition(": ")[2] for one in lines if "model name" in one), model)
    return {
        "date": time.strftime("%Y-%m-%d"), "processor": model, "cores": os.cpu_count(),
        "python": platform.python_version(), "numpy": np.__version__,
        "mpi": f"{library}, mpi4py {mpi4py.__version__}",
    }  # fmt: skip


def show(measured):
    print(*measured["about"].values(), sep=", ")
    for row in measured["exchange"]:
        print(f"all-reduce of {row['bytes']:>10,} bytes: {1e6 * row['seconds']:9.1f} us")
    latency, bandwidth = 1e6 * measured["latency"], measured["bandwidth"] / 1e9
    print(f"latency {latency:.1f} us, bandwidth {bandwidth:.2f} GB/s")
    for net in measured["nets"]:
        print(
            f"H = {net['hidden']}, {net['parameters']:,} numbers: {1e3 * net['fixed']:.2f} ms and "
            f"{1e6 * net['each']:.0f} us a sequence; 128 shared by two: "
            f"{1e3 * net['shared']:.1f} ms, predicted {1e3 * net['predicted']:.1f}"
        )


if __name__ == "__main__":
    sys.exit(cli.main(run))
