"""What the tests run on every rank: mpiexec -n N python on_ranks.py FUNCTION FOLDER."""

import json
import os
import runpy
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minirnn import cli, optim, plotting
from minirnn.batches import Sequences
from minirnn.errors import MinirnnError
from minirnn.losses import CrossEntropy, MeanSquaredError
from minirnn.measures import Evaluation
from minirnn.models import NameClassifier, StepModel
from minirnn.mpi import agreement, exchange, pool, world
from minirnn.mpi.shared import SharedTrainer
from minirnn.reports import processes
from minirnn.storage import files
from minirnn.storage.checkpoints import Checkpoint
from minirnn.training import Trainer

# Batches of 8 leave one of a single sequence; most of the lengths are 1, so that batches with one
# longer sequence come too; `bidirectional` and two layers have dropout at every place. Of streams,
# the last batch of an epoch has one left, after one with a piece of a single element; for three
# ranks that are given three streams, that one cannot be shared either.
NAMES = dict(embedding=4, num_layers=2, bidirectional=True)
RECIPE = dict(
    embedding=4, bidirectional=True, dropout=0.4, adam=True, monitor="loss", patience=8,
    loss=CrossEntropy(log_prior=[-1, -2, -0.7], label_smoothing=0.1),
)  # fmt: skip
CASES = {
    "SGD": NAMES,
    "AdamW": dict(NAMES, adam=True),
    "sum": dict(cell="gru", loss=CrossEntropy("sum"), sampling="balanced"),
    "number": dict(cell="rnn", loss=CrossEntropy(8), sampling="bucketed", short=0.85),
    "ignored": dict(embedding=3, loss=CrossEntropy(ignore_index=2), short=0.85),
    "weighted": dict(NAMES, loss=CrossEntropy(class_weight=[0.5, 2, 3], label_smoothing=0.1)),
    "AdamW as names.py": RECIPE,
    "frozen": dict(embedding=4, freeze=True),
    "embedding": dict(embedding=4, dropout=0.0),  # 6 letters: each rank reads them its own way
    "targets": dict(cell="gru", targets=CrossEntropy(ignore_index=2, class_weight=[1, 2, 0.5])),
    "numbers": dict(targets=MeanSquaredError()),
    "a number": dict(NAMES, loss=MeanSquaredError()),
    "streams": dict(embedding=4, num_layers=2, streams=True),
    "streams AdamW": dict(cell="gru", streams=True, adam=True, batch_size=3),
}
LONGEST = 240  # seconds of a test
EPOCHS, CUT = 9, 20  # of 6 steps each, of streams 7; the step after which a run is stopped


def case(name, make=Trainer, seed=0, **changes):
    """A trainer of one of the cases, in float64."""
    options = {"cell": "lstm", "short": 0.3, "loss": CrossEntropy(), "sampling": "natural"}
    options |= {"adam": False, "freeze": False, "targets": None, "streams": False, "dropout": 0.3}
    options |= {"batch_size": 8, "monitor": None, "patience": None} | CASES[name] | changes
    short, loss, sampling, adam, freeze, targets, streams = map(
        options.pop, ("short", "loss", "sampling", "adam", "freeze", "targets", "streams")
    )
    given = {key: options.pop(key) for key in ("batch_size", "monitor", "patience")}
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(60) < short, 1, rng.integers(1, 8, 60))
    train, validation = np.arange(41), np.arange(41, 60)
    if streams:
        known = 6 * given["batch_size"] + 1
        lengths = np.where(np.isin(np.arange(60), (known - 1, 59)), 1, 5)
        train, validation, sampling = np.arange(known), np.arange(49, 60), "streams"
    ids = [rng.integers(0, 6, length) for length in lengths]
    loss, every_step = targets or loss, bool(targets or streams)
    size, classes = lengths.sum() if every_step else 60, loss.measure is Evaluation
    said = rng.integers(0, 3, size) if classes else rng.random((size, 3))
    kinds = {"num_classes": 3 if classes else None, "num_symbols": 6, "dtype": "float64"}
    ignored = getattr(loss, "ignore_index", None)
    if every_step:
        said = np.split(said, np.cumsum(lengths)[:-1])
        sequences = Sequences(ids, targets=said, ignore_index=ignored, **kinds)
    else:
        sequences = Sequences(ids, said, ignore_index=ignored, **kinds)
    kind = StepModel if every_step else NameClassifier
    net = kind(6, 3, rng=rng, hidden_size=5, dtype="float64", **options)
    if freeze:
        net.embedding.freeze()
    if adam:
        optimizer = optim.AdamW(net.parameters(), 0.01)
    else:
        optimizer = optim.SGD(net.parameters(), 0.2, momentum=0.5)
    return make(
        net, loss, optimizer, sequences, train, validation, rng=rng, epochs=EPOCHS, clip=0.5,
        sampling=sampling, schedule=optim.one_cycle(optimizer.lr, 6 * EPOCHS), **given,
    )  # fmt: skip


def outcome(trainer):
    """{name: array} of all that a run leads to."""
    rows = [[row[c] for c in sorted(row)] for row in trainer.history.rows]
    found = {"history": np.array(rows), "best": np.array(trainer.best_epoch)}
    return found | trainer.state_dict()[0]


def train(folder):
    """Every case to the end, written by the first rank."""
    comm = world.join()
    for name in CASES:
        trainer = case(name, partial(SharedTrainer, comm))
        trainer.fit()
        found = outcome(trainer)
        agreement.agree(comm, {"reached something else": [found[k] for k in sorted(found)]})
        if comm.rank == 0:
            np.savez(folder / f"{name}-{comm.size}.npz", **found)
        if comm.size == 2:
            stop_at_the_cut(name, comm, folder)
        if comm.size == 3:
            go_on(name, comm, folder)


def stop_at_the_cut(name, comm, folder):
    """Two ranks; the last of them alone asks for the stop."""

    def progress(trainer):
        if comm.rank == 1 and trainer.step == CUT:
            trainer.stopped = True

    trainer, path = case(name, partial(SharedTrainer, comm)), folder / f"{name}-cut.npz"
    trainer.fit(progress, Checkpoint(path, {}, 1e9) if comm.rank == 0 else None)
    assert trainer.step == CUT + 1, trainer.step


def go_on(name, comm, folder):
    """Three ranks, of which the first has read what two have left."""
    trainer = case(name, partial(SharedTrainer, comm))
    if comm.rank == 0:
        Checkpoint(folder / f"{name}-cut.npz", {}).resume(trainer)
    trainer.fit()
    if comm.rank == 0:
        np.savez(folder / f"{name}-resumed.npz", **outcome(trainer))


def differ(folder):
    """What is said, by every rank, where one of them is unlike the first."""
    comm = world.join()
    odd = comm.rank == comm.size - 1
    said = {}

    def attempt(what, function):
        try:
            function()
            said[what] = "nothing"
        except MinirnnError as error:
            said[what] = str(error)

    make = partial(SharedTrainer, comm)
    attempt("settings", lambda: case("SGD", make, batch_size=9 if odd else 8))
    attempt("seed", lambda: case("sum", make, seed=0, cell="rnn" if odd else "gru"))
    attempt("few", lambda: case("SGD", make, batch_size=1))

    def other_data():
        one = case("SGD")
        one.sequences.rows[0] += odd
        agreement.agree(comm, agreement.what_must_agree(one))

    attempt("data", other_data)
    attempt("net", lambda: case("SGD", make, seed=int(odd), short=0))
    agreement.__version__ = "9.9" if odd else agreement.__version__
    attempt("version", lambda: case("SGD", make))
    agreement.__version__ = "9.9"

    def other_draws():
        one = case("SGD", make)
        one.rng.random(1 + odd)
        one.evaluate()

    attempt("draws", other_draws)
    said = comm.gather(said)
    if comm.rank == 0:
        (folder / "differ.json").write_text(json.dumps(said))


def fail(folder):
    """The last rank alone has an error, while the others wait for it."""
    world.COURTESY = 0.2

    def run():
        comm = world.join()
        if comm.rank == comm.size - 1:
            raise MinirnnError("it went wrong")
        comm.barrier()

    sys.exit(cli.main(run))


def all_fail(folder):
    """All ranks have the same error."""

    def run():
        world.join()
        raise MinirnnError("it went wrong")

    sys.exit(cli.main(run))


class Task:
    def __init__(self, name, what):
        self.name, self.what, self.iterations = name, what, 3


def do(task, progress, stopped):
    progress(1)
    if task.what == "fail":
        raise MinirnnError("it went wrong")
    if task.what == "wait":
        while not stopped():
            time.sleep(0.01)
    return task.what, world.rank()


def tasks(folder):
    """Tasks handed out; then one that fails, which lets another end."""
    import on_ranks  # where the other ranks look for what they do

    if pool.serve():
        pool.serve()
        return
    given = [on_ranks.Task(str(k), k) for k in range(4)]
    found = {task.name: result for task, result in processes.run(on_ranks.do, given, 1)}
    given, late = [on_ranks.Task("waits", "wait"), on_ranks.Task("bad", "fail")], []
    try:
        late.extend(result for _, result in processes.run(on_ranks.do, given, 1))
    except MinirnnError as error:
        late.append(str(error))
    (folder / "tasks.json").write_text(json.dumps([found, late]))


class Direct:
    """A communicator that takes arrays of the stand-in for CuPy too; and its one stream."""

    def __init__(self, comm):
        self.comm, self.done, self.straight = comm, False, 0

    def __getattr__(self, name):
        return getattr(self.comm, name)

    def get_current_stream(self):
        return self

    def synchronize(self):
        self.done = True

    def Allreduce(self, where, array):
        if hasattr(array, "_host"):
            assert self.done, "what was ordered from the card must be done"
            self.straight, self.done, array = self.straight + 1, False, array._host
        self.comm.Allreduce(where, array)


def where_arrays_go(folder):
    """Arrays of another library go through the host, or straight where MPI takes them."""
    import strict

    from minirnn import backend

    comm = world.join()
    backend.register("strict", strict)
    backend.use("strict")
    direct = Direct(comm)
    for name, one in {"host": comm, "straight": direct}.items():
        trainer = case("streams", partial(SharedTrainer, one))
        trainer.fit()
        if comm.rank == 0:
            np.savez(folder / f"{name}.npz", **outcome(trainer))
        strict.__name__, strict.cuda = "cupy", direct
        exchange.takes_cuda = lambda: True
    assert direct.straight == trainer.step


def cards(folder):
    """Which of two cards each rank of one machine takes."""
    taken = []
    runtime = SimpleNamespace(getDeviceCount=lambda: 2)
    device = lambda k: SimpleNamespace(use=lambda: taken.append(k))  # noqa: E731
    sys.modules["cupy"] = SimpleNamespace(cuda=SimpleNamespace(Device=device, runtime=runtime))
    taken = world.join("cupy").gather(taken)
    if world.rank() == 0:
        (folder / "cards.json").write_text(json.dumps(taken))


def busy(folder):
    """Compute, and hear nothing of the others."""
    (folder / f"{world.join().rank}.pid").write_text(str(os.getpid()))
    while True:
        pass


def script(folder):
    """An example, with its options, in float64, without its figures."""
    NameClassifier.__init__.__kwdefaults__["dtype"] = "float64"
    files.write_figure = lambda *_: None
    for name in [name for name in vars(plotting) if name.startswith("plot_")]:
        setattr(plotting, name, lambda *_, **__: None)
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if hasattr(signal, "alarm"):
        signal.alarm(LONGEST)  # so that no fault leaves a process that turns for ever
    globals()[sys.argv[1]](Path(sys.argv[2]))
