"""Write names that sound like one of 18 languages, letter by letter, with the reports' generator.

python examples/generate.py                                    train it, then a few names of each
python examples/generate.py --language Russian --start RUS --count 5
python examples/generate.py --language Irish --temperature 0.8 --seed 1

The first call trains the net, some minutes; later ones with the same options use it again. After
Ctrl-C, or worse, the same command goes on with the training; --resume sees to it that there is
something to go on with.
"""

import json
import sys
from pathlib import Path

import numpy as np

from minirnn import __version__, cli, plotting
from minirnn.data import Alphabet, load_names, printable
from minirnn.errors import CheckpointError, DataError, NumberError
from minirnn.models import NameClassifier
from minirnn.reports import generation, processes, runs
from minirnn.storage.checkpoints import load_net, save_net
from minirnn.storage.files import write_atomic, write_figure

CLASSIFIER = Path("runs/names-lstm/model.npz")  # what examples/names.py writes


def parse():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--language", help="(default: all of them)")
    add("--start", metavar="LETTERS", help="the first letters (default: those of real names)")
    add("--temperature", type=cli.positive, default=0.3, help="below 1 dares less")
    add("--count", type=cli.whole, default=5, help="names of each language")
    add("--seed", type=cli.seed, default=0, help="another one, other names")
    add("--iterations", type=cli.whole, default=100_000, help="names trained on")
    add("--data", metavar="DIR", help="a folder of <Language>.txt (default: the embedded names)")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", default=Path("runs/generator"), help="the net's")
    return parser.parse_args()


def check(args, names, alphabet):
    """The languages that are asked for; raises `DataError` for letters or a language unknown."""
    if args.start is not None:
        generation.check_start(args.start, alphabet)
        if len(args.start) >= generation.LONGEST:
            raise DataError(
                f"the first letters are {len(args.start)}, but a name has {generation.LONGEST} at "
                "most"
            )
    if args.language is None:
        return names.languages
    matching = [n for n in names.languages if n.casefold() == args.language.casefold()]
    if not matching:
        known = ", ".join(names.languages)
        raise DataError(f"there is no language {printable(args.language)}; known are: {known}")
    return matching


def trained(args, names):
    """(net, result) from the output folder, trained first where it is not there yet."""
    run = runs.Run("F", "reports", 0, args.iterations, names.digest(), args.data, str(args.output))
    settings = {"iterations": args.iterations, "names": names.digest(), "source": names.source}
    with cli.remaining_runs(args.output, settings, [run], args.resume) as waiting:
        if waiting:
            print(f"training on {args.iterations:,} names; later calls use the result again")
        for _, result in processes.run(runs.train, waiting, 1):
            if result is not None and "diverged" not in result:
                draw_loss(args.output / "loss.png", result)
    if "diverged" in run.result():
        raise NumberError(
            f"the loss became infinite after {run.result()['diverged']:,} iterations, so there is "
            f"no net in {args.output}; try fewer --iterations, or other names, and another --output"
        )
    return runs.trained_net(run)[0], run.result()


def draw_loss(path, result):
    """The loss of a letter while it was trained, as a figure and in a line."""
    letters = np.array([row["loss"] for row in result["history"]]) / result["letters_a_name"]
    x = [row["iteration"] for row in result["history"]]
    figure = plotting.plot_curves(
        {"Name generator": {"training": (x, letters)}}, "iteration",
        "cross-entropy of a letter, nats",
    )  # fmt: skip
    write_figure(path, figure)
    print(f"loss of a letter {letters[0]:.3f} to {letters[-1]:.3f}, {result['seconds']:.0f} s")
    print(f"written: {path}")


def classifier(args, names):
    """(function from texts to guesses, words about it): our own net that guesses languages."""
    path, alphabet = CLASSIFIER, Alphabet()
    if path.is_file():
        net, settings = load_net(
            path,
            lambda settings: NameClassifier.from_settings(settings, rng=np.random.default_rng(0)),
        )
        if settings.get("languages") == names.languages:
            return generation.judge_of(net, Alphabet(settings["alphabet"])), f"the net in {path}"
    path = args.output / "classifier.npz"
    if not path.is_file():
        print(f"there is no {CLASSIFIER} for these languages: training a small one")
        net, accuracy = generation.quick_classifier(names, alphabet)
        save_net(path, net, {"names": names.digest(), "accuracy": accuracy})
    net, settings = load_net(path, lambda settings: small(settings, len(names.languages)))
    if settings["names"] != names.digest():
        raise CheckpointError(f"{path} was trained on other names; use another --output")
    words = f"a small net, right on {settings['accuracy']:.1%} of real names it never saw"
    return generation.judge_of(net, alphabet), words


def small(settings, num_classes):
    """The small net, where the settings in its file are those that were written above."""
    f"{settings['names']} {settings['accuracy']:.1%}"  # what will be asked for
    return generation.small_classifier(len(Alphabet()), num_classes, np.random.default_rng(0))


def run():
    args = parse()
    alphabet = Alphabet()
    names = load_names(args.data, alphabet)
    languages = check(args, names, alphabet)
    cli.output_folder(args.output)
    net, result = trained(args, names)
    print(f"{net}\n{net.number_of_parameters():,} parameters\n")
    rng = np.random.default_rng(args.seed)
    for language in languages:
        label = names.languages.index(language)
        starts = [args.start] * args.count if args.start else generation.first_letters(
            names, label, rng, args.count
        )  # fmt: skip
        written = [
            generation.write_name(net, label, alphabet.encode(start), rng, args.temperature)
            for start in starts
        ]
        texts = [generation.text_of(ids, alphabet) for ids in written]
        print(f"{language:12s} {', '.join(texts)}")

    judge, words = classifier(args, names)
    shown = [names.languages.index(language) for language in languages]
    count = max(args.count, 900 // len(shown))
    draws = np.random.default_rng([args.seed, 1])
    texts, labels = generation.write_names(
        net, names, alphabet, draws, args.temperature, count, shown, args.start
    )
    worth = generation.worth(texts, labels, names, judge)
    print(f"\nof {len(texts):,} names: {worth['new']:.1%} new, in no list; "
          f"{worth['distinct']:.1%} different from each other")  # fmt: skip
    print(f"{worth['right']:.1%} taken for the right language by {words}")
    facts = {
        "version": __version__, "iterations": args.iterations, "temperature": args.temperature,
        "seed": args.seed, "names": len(texts), "classifier": words, **worth,
        "loss": result["history"][-1]["loss"] / result["letters_a_name"],
    }  # fmt: skip
    write_atomic(args.output / "summary.json", json.dumps(facts, indent=1).encode() + b"\n")
    print(f"written: {args.output / 'summary.json'}")


if __name__ == "__main__":
    sys.exit(cli.main(run))
