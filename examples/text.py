"""A language model: a net learns to say the next letter of a text, and then writes on.

python examples/text.py                             a GRU on seven plays by Shakespeare
python examples/text.py --text my_book.txt          on a text of your own, UTF-8
python examples/text.py --model lstm --hidden-size 128 --epochs 2
python examples/text.py --prompt "To be, or "       what the trained net goes on with
python examples/text.py --prompt KING --temperature 0.5 --top-k 5 --length 1000
mpiexec -n 4 python examples/text.py --mpi          the same, shared among four processes
"""

# ruff: noqa: E402
import functools
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy; see names.py

import numpy as np

from minirnn import __version__, backend, cli, optim, plotting
from minirnn.data import legible, printable
from minirnn.errors import DataError
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier, StepModel
from minirnn.mpi import world
from minirnn.mpi.shared import SharedTrainer
from minirnn.storage import summary
from minirnn.storage.checkpoints import Checkpoint, load_net, save_net
from minirnn.storage.files import write_atomic, write_figure
from minirnn.text.continuation import go_on, written
from minirnn.text.corpus import ids_of, load_text
from minirnn.text.ngrams import bits_of_counts
from minirnn.training import Trainer, evaluate

# what the weights don't depend on; the letters of the text count, not where it lies
UNSAVED = "output resume prompt length temperature top_k backend text sample mpi".split()
PIECES = 16  # at least, of each stream by which a net is judged: each begins with no state
WRITING = "length", "temperature", "top_k"  # the options of what goes on with a prompt


def parse():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--text", metavar="FILE", help="any UTF-8 text (default: the embedded plays)")
    add("--model", choices=["rnn", "lstm", "gru"], default="gru", help="the cell")
    add("--backend", choices=["numpy", "cupy"], default="numpy", help="cupy: a graphics card")
    add("--hidden-size", type=cli.whole, default=256, help="numbers in a state")
    add("--num-layers", type=cli.whole, default=1, help="on top of each other")
    add("--embedding", type=cli.whole, default=64, help="how many numbers stand for a letter")
    add("--dropout", type=cli.share, default=0.0, help="share of numbers dropped in training")
    add("--streams", type=cli.whole, default=32, help="places at which the text is read at once")
    add("--steps", type=cli.whole, default=64, help="letters after which gradients are cut")
    add("--epochs", type=cli.whole, default=6, help="times through the text, at the most")
    add("--lr", type=cli.positive, default=4e-3, help="the first rate; the last is a twentieth")
    add("--clip", type=cli.positive, default=1.0, help="largest norm of all gradients")
    add("--patience", type=cli.whole, default=3, help="epochs to wait for a better one")
    add("--seed", type=cli.seed, default=0, help="another one, another net or continuation")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--mpi", action="store_true", help="share the streams among the processes of mpiexec")
    add("--output", type=Path, metavar="DIR", help="(default: runs/text-<model>)")
    add("--sample", type=cli.whole, default=200, help="letters written after every epoch")
    add("--prompt", metavar="TEXT", help="load the trained net, and go on with this text")
    add("--length", type=cli.whole, default=500, help="letters that it goes on with")
    add("--temperature", type=cli.positive, default=0.8, help="below 1 dares less")
    add("--top-k", type=cli.whole, help="draw from so many of the likeliest letters only")
    args = parser.parse_args()
    if args.prompt is None:
        cli.refuse_idle(parser, args, WRITING, "without --prompt")
    else:
        used = {*WRITING, "prompt", "backend", "seed", "output", *["model"] * (not args.output)}
        cli.refuse_idle(parser, args, vars(args).keys() - used, "with --prompt")
    args.output = args.output or Path("runs") / f"text-{args.model}"
    return args


def write_on(args, rng):
    """Print the prompt, and what the trained net goes on with."""
    path = args.output / "model.npz"
    if not path.is_file():
        raise DataError(f"there is no trained model {path}; run without --prompt first")
    net, settings = load_net(path, lambda settings: NameClassifier.from_settings(settings, rng=rng))
    if not isinstance(net, StepModel):
        raise DataError(
            f"{path} holds a {type(net).__name__}, which says no next letter; give as --output the "
            "folder of a net that text.py has trained"
        )
    letters = settings["alphabet"]
    more = go_on(net, ids_of(args.prompt, letters), rng, args.temperature, args.top_k)
    print(legible(args.prompt), end="")
    for _ in range(args.length):
        print(legible(letters[next(more)]), end="", flush=True)
    print()


class Samples(Checkpoint):
    """A checkpoint that prints what the net writes after every epoch."""

    def __init__(self, path, settings, letters, args):
        super().__init__(path, settings)
        self.letters, self.args, self.shown = letters, args, 0

    def __call__(self, trainer):
        super().__call__(trainer)
        if trainer.position == 0 and trainer.epoch > self.shown and not trainer.stopped:
            self.shown, row = trainer.epoch, trainer.history.rows[-1]
            rng = np.random.default_rng([self.args.seed, trainer.epoch])
            text = written(trainer.net, self.letters, [0], rng, self.args.sample, 0.8)
            head = f"epoch {trainer.epoch}: {row['validation_bits']:.3f} bits a letter held out"
            cli.say_beside_bars(f"\n{head}\n{legible(text)}\n")


def train(args, rng):
    make_trainer = functools.partial(SharedTrainer, world.join()) if args.mpi else Trainer
    text = load_text(args.text)
    settings = {k: v for k, v in vars(args).items() if k not in UNSAVED}
    settings |= {"net": "StepModel", "alphabet": text.letters, "bidirectional": False}
    sequences, known, held = text.pieces(args.steps, args.streams)
    net = NameClassifier.from_settings(settings, rng=rng)
    steps = args.epochs * -(-len(known) // args.streams)
    trainer = make_trainer(
        net, CrossEntropy(), optim.AdamW(net.parameters(), args.lr), sequences, known, held,
        schedule=optim.cosine(args.lr, steps, args.lr / 20), rng=rng, epochs=args.epochs,
        batch_size=args.streams, sampling="streams", clip=args.clip, patience=args.patience,
        monitor="bits",
    )  # fmt: skip
    if world.rank():
        return cli.follow(trainer)
    output = cli.output_folder(args.output)
    print(f"{net}\n{net.number_of_parameters():,} parameters")
    print(f"text: {text.source}, {len(text):,} letters, {len(text.letters)} different ones; "
          f"the last {len(text) - text.known:,} are held out")  # fmt: skip
    counts = bits_of_counts(text)
    best = int(np.argmin(counts))
    print("bits a letter held out, by counts of n-grams:")
    print("  " + "  ".join(f"{n}: {bits:.3f}" for n, bits in enumerate(counts, 1)))
    path = output / "checkpoint.npz"
    checkpoint = Samples(path, {**settings, "hash of the text": text.digest()}, text.letters, args)
    save = functools.partial(save_net, output / "model.npz", net, settings)
    cli.train(trainer, checkpoint, args.resume, unit="letter", save=save)

    streams = max(1, min(args.streams, len(held) // PIECES))
    carried = evaluate(net, sequences, held, trainer.loss, streams=streams)
    cleared = evaluate(net, sequences, held, trainer.loss)
    rows = {
        f"counts of {best + 1} letters, the best of 1 to {len(counts)}": counts[best],
        f"the net, its state cleared every {args.steps} letters": cleared.bits,
        "the net, its state carried on": carried.bits,
    }
    print(f"\n{'held out':52s}{'bits':>8s}{'nats':>8s}{'perplexity':>12s}")
    for name, bits in rows.items():
        print(f"{name:52s}{bits:8.3f}{bits * np.log(2):8.3f}{2**bits:12.2f}")
    print(f"{carried.accuracy:.1%} of the letters held out are guessed right")
    levels = {f"counts of {best + 1} letters": counts[best]}
    facts = {
        "version": __version__, "text": text.source, "letters": len(text),
        "parameters": net.number_of_parameters(), "epochs": trainer.epoch,
        "bits_carried": carried.bits, "bits_cleared": cleared.bits, "bits_of_counts": counts,
        **summary.times(trainer, output / "summary.json", "letters"),
        "loss_first": trainer.first_loss,
    }  # fmt: skip
    write_figure(output / "bits.png", plotting.plot_measure(trainer.history, "bits", levels))
    write_figure(output / "loss.png", plotting.plot_loss(trainer.history))
    write_atomic(output / "history.csv", trainer.history.csv().encode())
    write_atomic(output / "summary.json", json.dumps(facts, indent=1).encode() + b"\n")
    print(f"\n{facts['letters_per_second']:,.0f} letters/s, {facts['seconds']:.0f} s of training; "
          "written:")  # fmt: skip
    for name in ("bits.png", "loss.png", "history.csv", "model.npz", "summary.json"):
        print(f"  {output / name}")
    print(f'\ngo on with: python examples/text.py --output "{printable(str(output))}" '
          '--prompt "..."')  # fmt: skip


def run():
    args = parse()
    if args.mpi:
        world.join(args.backend)
    backend.use(args.backend)
    rng = np.random.default_rng(args.seed)
    job = train if args.prompt is None else write_on
    if world.rank() and job is not train:
        return None  # the first answers for all
    return job(args, rng)


if __name__ == "__main__":
    sys.exit(cli.main(run))
