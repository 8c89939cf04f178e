"""Which of 18 languages does a surname come from? Train a net on it, letter by letter.

python examples/names.py                              an LSTM in both directions
python examples/names.py --model gru --epochs 10
python examples/names.py --one-direction --one-hot    the plain net of the textbooks
python examples/names.py --cell my_cell.py:MyCell     your own cell in the same net
python examples/names.py --predict Kowalski Nguyen    what the trained net says
python examples/names.py --compare runs/names-lstm runs/names-gru   which net is better
python examples/names.py --snapshots                  keep the net of every epoch, to look at
mpiexec -n 4 python examples/names.py --mpi           the same, shared among four processes
"""

# ruff: noqa: E402
import argparse
import functools
import os
import sys
from pathlib import Path

# Before NumPy: products this small gain nothing from a second thread, and lose much where another
# program uses the core that it waits for. It also fixes the order of sums, and so every bit.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from minirnn import backend, cli, optim
from minirnn.batches import Sequences
from minirnn.data import Alphabet, load_names, printable, split
from minirnn.errors import DataError
from minirnn.functions import softmax
from minirnn.losses import CrossEntropy
from minirnn.measures import log_shares
from minirnn.models import NameClassifier
from minirnn.mpi import world
from minirnn.mpi.shared import SharedTrainer
from minirnn.storage import comparison, summary
from minirnn.storage.checkpoints import Checkpoint, Snapshots, load_net, save_net
from minirnn.training import Trainer, predict

# what the weights don't depend on; the names themselves count, not where they lie
UNSAVED = "output resume predict prior compare backend cell snapshots data mpi".split()
# the options that a job looks at which trains nothing
USED = {
    "compare": "compare cell backend data",
    "predict": "predict prior model cell output backend",
}


def parse():
    parser = cli.Parser(__doc__)
    add, yes_no = parser.add_argument, argparse.BooleanOptionalAction
    add("--model", choices=["rnn", "lstm", "gru"], default="lstm", help="the cell")
    add("--cell", metavar="FILE.py:CLASS", help="a cell class of your own, instead of --model")
    add("--backend", choices=["numpy", "cupy"], default="numpy", help="cupy: a graphics card")
    add("--data", metavar="DIR", help="a folder of <Language>.txt (default: the embedded names)")
    add("--hidden-size", type=cli.whole, default=128, help="numbers in a state")
    add("--num-layers", type=cli.whole, default=1, help="on top of each other")
    either = parser.add_mutually_exclusive_group().add_argument
    either("--bidirectional", action=yes_no, default=True, help="both ways (the default)")
    either("--one-direction", dest="bidirectional", action="store_false", help="forwards only")
    either = parser.add_mutually_exclusive_group().add_argument
    either("--embedding", type=cli.whole, default=64, help="how many numbers stand for a letter")
    either("--one-hot", dest="embedding", action="store_const", const=None, help="no embedding")
    add("--dropout", type=cli.share, default=0.4, help="share of numbers dropped in training")
    add("--label-smoothing", type=cli.share, default=0.1, help="share given to all languages")
    add("--epochs", type=cli.whole, default=20, help="times through all names, at the most")
    add("--batch-size", type=cli.whole, default=128, help="names in a step")
    add("--optimizer", choices=["sgd", "adam"], default="adam", help="adam is AdamW")
    add("--lr", type=cli.positive, help="highest rate of the cycle (adam: 0.004, sgd: 1)")
    add("--clip", type=cli.positive, default=1.0, help="largest norm of all gradients")
    add("--patience", type=cli.whole, default=8, help="epochs to wait for a better one")
    add("--seed", type=cli.seed, default=0, help="of all random numbers")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--snapshots", action="store_true", help="also write epoch-000.npz, epoch-001.npz, ...")
    add("--mpi", action="store_true", help="share each batch among the processes of mpiexec")
    add("--output", type=Path, metavar="DIR", help="(default: runs/names-<model>)")
    add("--predict", metavar="NAME", nargs="+", help="load the trained net and guess these names")
    frequent = "guess as if languages were as frequent as in training, or equally (the default)"
    add("--prior", choices=["natural", "balanced"], default="balanced", help=frequent)
    add("--compare", type=Path, metavar="DIR", nargs=2, help="two trained nets on the same names")
    args = parser.parse_args()
    idle = {"prior"}, "without --predict"
    for job, options in USED.items():
        if getattr(args, job):
            idle = vars(args).keys() - options.split(), f"with --{job}"
            break
    cli.refuse_idle(parser, args, *idle)
    if args.cell or (args.predict and args.output):
        cli.refuse_idle(parser, args, ["model"], "with --cell" if args.cell else "with --output")
    if args.cell:
        args.model = args.cell.rpartition(":")[2].lower()
    args.output = args.output or Path("runs") / f"names-{args.model}"
    return args


def own_cell(args):
    """The class that --cell names, tried; None without it."""
    if not args.cell:
        return None
    cell = cli.load_cell(args.cell)
    cli.try_cell(cell())
    return cell


def trained(folder, args, rng):
    """(path, net, settings) of the net in a folder."""
    path = folder / "model.npz"
    if not path.is_file():
        raise DataError(f"there is no trained model {path}; train it first")

    def build(settings):
        if settings.get("net") == "StepModel":
            raise DataError("it is a StepModel, as text.py trains one, and knows no languages")
        cell = own_cell(args) if settings["model"] == args.model else None
        known = {**settings, "languages": settings["languages"]}
        return NameClassifier.from_settings(known, rng=rng, cell=cell)

    return path, *load_net(path, build)


def compare(args, rng):
    """Print how two nets do on the test names that neither has seen."""
    nets = {path: saved for path, *saved in (trained(folder, args, rng) for folder in args.compare)}
    if len(nets) < 2:
        raise DataError(f"--compare is {args.compare[0]} twice, but must be two folders")
    if args.cell and args.model not in {settings["model"] for _, settings in nets.values()}:
        raise DataError(f"--cell is {args.cell}, but neither net has cells called {args.model}")
    comparison.compare(load_names(args.data, Alphabet()), nets)


def guess(args, rng):
    """Print the three likeliest languages of each name on the command line."""
    path, net, settings = trained(args.output, args, rng)
    if args.cell and args.model != settings["model"]:
        raise DataError(f"--cell is {args.cell}, but the cells of {path} are {settings['model']}")
    alphabet = Alphabet(settings["alphabet"])
    cleaned = {name: alphabet.clean(name) for name in args.predict}
    usable = [name for name in args.predict if any(c.isalpha() for c in cleaned[name])]
    for name in args.predict:
        if name not in usable:
            print(f"{printable(name)} has no usable letter: skipped")
        elif lost := alphabet.lost(name):
            read = f"{printable(name)} is read as {cleaned[name]}, without {printable(lost)}"
            print(read, file=sys.stderr)
    if not usable:
        raise DataError("none of the names to predict has a usable letter")
    ids = [alphabet.encode(cleaned[name]) for name in usable]
    sequences = Sequences(ids, np.zeros(len(ids), int), num_symbols=len(alphabet))
    scores = predict(net, sequences, np.arange(len(ids)))
    if args.prior == "natural":
        scores = scores + comparison.log_prior_of(path, settings)
    for name, p in zip(usable, softmax(scores), strict=True):
        print(f"{printable(name):20s} {summary.likeliest(p, settings['languages'])}")


def train(args, rng):
    make_trainer = functools.partial(SharedTrainer, world.join()) if args.mpi else Trainer
    alphabet = Alphabet()
    names = load_names(args.data, alphabet)
    K, settings = len(names.languages), {k: v for k, v in vars(args).items() if k not in UNSAVED}
    settings |= {"alphabet": alphabet.characters, "languages": names.languages}
    parts = dict(zip(("train", "validation", "test"), split(names, rng), strict=True))
    sequences = Sequences.of_names(names, alphabet)
    net = NameClassifier.from_settings(settings, rng=rng, cell=own_cell(args))

    counts = np.bincount(names.labels[parts["train"]], minlength=K)
    settings |= {"counts": counts.tolist(), "names": names.digest()}
    loss = CrossEntropy(log_prior=log_shares(counts), label_smoothing=args.label_smoothing)
    make, lr = {"sgd": (optim.SGD, 1.0), "adam": (optim.AdamW, 4e-3)}[args.optimizer]
    lr, batches = args.lr or lr, -(-len(parts["train"]) // args.batch_size)
    trainer = make_trainer(
        net, loss, make(net.parameters(), lr), sequences, parts["train"], parts["validation"],
        schedule=optim.one_cycle(lr, args.epochs * batches), rng=rng, epochs=args.epochs,
        batch_size=args.batch_size, clip=args.clip, patience=args.patience, monitor="loss",
    )  # fmt: skip
    if world.rank():
        return cli.follow(trainer)
    output = cli.output_folder(args.output)
    kind = Snapshots if args.snapshots else Checkpoint
    checkpoint = kind(output / "checkpoint.npz", settings)
    if args.snapshots and not args.resume:
        checkpoint.begin(trainer)
    save = functools.partial(save_net, output / "model.npz", net, settings)
    cli.train(trainer, checkpoint, args.resume, save=save)
    facts = {"model": args.model, "backend": args.backend, "seed": args.seed}
    summary.write(output, trainer, names, parts, facts)


def run():
    args = parse()
    if args.mpi:
        world.join(args.backend)
    backend.use(args.backend)
    rng = np.random.default_rng(args.seed)
    job = compare if args.compare else guess if args.predict else train
    if world.rank() and job is not train:
        return None  # the first answers for all
    return job(args, rng)


if __name__ == "__main__":
    sys.exit(cli.main(run))
