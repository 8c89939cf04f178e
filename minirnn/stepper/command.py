"""`python -m minirnn stepper NAME --model runs/names-lstm/model.npz -o out.html`"""

import argparse
import sys
from pathlib import Path

import numpy as np

from .. import cli
from ..data import Alphabet, printable
from ..errors import CellError, DataError
from ..models import NameClassifier
from ..storage.checkpoints import load_net
from ..storage.files import write_atomic
from .export import answer, kind_of, run_of, spelling, weights_of
from .page import page

LONGEST = 60  # letters, as in the data
SAME = ("model", *NameClassifier.SIZES, "alphabet", "languages")  # of all nets on one page


def parse(arguments, prog):
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Write a page on which a trained net is stepped through a name."
    )
    add = parser.add_argument
    add("name", metavar="NAME", nargs="+", help="a name, or several to choose from on the page")
    add("--model", type=Path, default=[Path("runs/names-lstm/model.npz")], nargs="+",
        metavar="FILE", help="a net of examples/names.py (default: runs/names-lstm/model.npz); "
        "of several, in the order of training, a slider goes from one to the next")  # fmt: skip
    add("--cell", metavar="FILE.py:CLASS", help="its cell class, where it is one of your own")
    add("--language", help="the answer that the loss is for (default: what the net says)")
    add("-o", "--output", type=Path, default=Path("stepper.html"), metavar="FILE",
        help="the page (default: stepper.html)")  # fmt: skip
    return parser.parse_args(arguments)


def run(arguments, prog):
    """Write the page. Raises `DataError` for a name or a language that won't do, or models that
    don't belong together, `CheckpointError` for a file that holds no such model."""
    args = parse(arguments, prog)
    for model in args.model:
        cli.files_of_their_own(model=model, output=args.output)
    cell = cli.load_cell(args.cell) if args.cell else None
    nets, settings = load(args.model, cell)
    alphabet, languages = Alphabet(settings["alphabet"]), settings["languages"]
    label = None
    if args.language is not None:
        if args.language not in languages:
            known = ", ".join(languages)
            raise DataError(f"there is no language {printable(args.language)}; there are: {known}")
        label = languages.index(args.language)
    kind = kind_of(nets[-1], settings["model"].upper() if cell is None else cell.__name__)
    names, runs = [], {}
    for k, text in enumerate(args.name):
        ids = letters(text, alphabet)
        right = answer(nets[-1], ids) if label is None else label
        text = "".join(alphabet.characters[i] for i in ids)
        names.append({"text": text, "ids": [int(i) for i in ids], "label": right})
        for epoch, net in enumerate(nets):
            for layer in range(len(kind["layers"])):
                runs[f"0/{k}/{epoch}/{layer}"] = run_of(net, kind, ids, right, layer)
    shown = printable(args.name[0], 30) if len(names) == 1 else f"{len(names)} names"
    data = {
        "title": f"{kind['label']} reads {shown}", "kinds": [kind], "names": names,
        "languages": languages, "alphabet": alphabet.characters, "runs": runs,
        "epochs": [printable(path.stem, 30) for path in args.model], "guessed": label is None,
    }  # fmt: skip
    packed = [weights_of(net) for net in nets]
    if None not in packed:  # small enough for the page to read any other name
        data["weights"] = {f"0/{epoch}": text for epoch, text in enumerate(packed)}
        data |= {"alike": spelling(), "longest": LONGEST}
    write_atomic(args.output, page(data).encode("utf-8"))
    print(f"{printable(str(args.output))}: open it in a browser")
    return 0


def load(paths, cell=None):
    """([net], settings) of several files. Raises `DataError` unless all are of one kind of net,
    `CellError` for a cell that they were not trained with."""
    nets, first = [], None

    def build(settings):
        if cell is not None and settings["model"] != cell.__name__.lower():
            text = f"--cell is {cell.__name__}, but the net's cells are {settings['model']}"
            raise CellError(f"{text}; give the class that it was trained with")
        return NameClassifier.from_settings(settings, rng=np.random.default_rng(0), cell=cell)

    for path in paths:
        net, settings = load_net(path, build)
        if "languages" not in settings:
            raise DataError(
                f"{printable(str(path))} holds a {type(net).__name__}, which guesses no language; "
                "give a net that names.py has trained"
            )
        first = first or settings
        for name in SAME:
            if settings[name] != first[name]:
                raise DataError(
                    f"{printable(str(path))} has another {name} than {printable(str(paths[0]))}; "
                    "the models must be of one training run"
                )
        nets.append(net)
    return nets, first


def letters(text, alphabet):
    """The ids [T] of a name in the net's alphabet; `DataError` where no letter is left."""
    clean = alphabet.clean(text)[:LONGEST]
    if not any(c.isalpha() for c in clean):
        raise DataError(f"{printable(text, 30)!r} has no letter of the net's alphabet")
    if lost := alphabet.lost(text):
        read = f"{printable(text, 30)} is read as {clean}, without {printable(lost, 30)}"
        print(read, file=sys.stderr)
    return alphabet.encode(clean)
