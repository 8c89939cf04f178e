"""Both lab reports on names and languages, trained again: every net, every figure, one table.

python examples/reproduce.py --quick             all nets in two minutes, far from trained
python examples/reproduce.py                     300,000 iterations each, as the reports
python examples/reproduce.py --only A,B --jobs 4
python examples/reproduce.py --seeds 0 1         the table then shows the means
python examples/reproduce.py --resume            go on after Ctrl-C, or worse
mpiexec -n 5 python examples/reproduce.py        four nets at a time, on any machines

Each net is trained twice: on all names, and asked about the same names, as in the reports; and
with a fifth of the names held back. What is in the folder is never trained again: the same
command goes on, and --resume sees to it that there is something to go on with.
"""

# ruff: noqa: E402
import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a rank of MPI has one core

import numpy as np

from minirnn import cli, plotting
from minirnn.data import load_names
from minirnn.errors import CheckpointError
from minirnn.mpi import pool
from minirnn.reports import processes, runs
from minirnn.storage.files import write_atomic, write_figure

NETS = "ABCDEF"
QUICK = 20_000  # iterations
DIVERGED = "the loss became infinite after {:,} iterations"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=cli.Help)
    add = parser.add_argument
    add("--only", type=nets, default=list(NETS), metavar="A,B", help="which nets (default: A to F)")
    add("--iterations", type=cli.whole, help="names that each net sees (default: 300,000)")
    add("--quick", action="store_true", help=f"{QUICK:,} iterations, in a folder of their own")
    add("--jobs", type=cli.whole, default=processes.cores(), help="processes (default: all cores)")
    add("--data", metavar="DIR", help="a folder of <Language>.txt (default: the embedded names)")
    add("--seeds", type=cli.seed, nargs="+", default=[0], metavar="SEED", help="(default: 0)")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", help="(default: runs/reports, or -quick)")
    args = parser.parse_args()
    if args.iterations and args.output:
        cli.refuse_idle(parser, args, ["quick"], "with --iterations and --output")
    args.iterations = args.iterations or (QUICK if args.quick else 300_000)
    args.output = args.output or Path("runs") / ("reports-quick" if args.quick else "reports")
    return args


def nets(text):
    """An argparse type: letters of nets, with commas."""
    chosen = sorted({part.strip().upper() for part in text.split(",")})
    if not set(chosen) <= set(NETS):
        raise argparse.ArgumentTypeError(f"{text!r} must be some of A to F, with commas: A,B")
    return chosen


def results(folder, settings):
    """Every result in the folder, by name: also those of earlier calls."""
    results = {}
    for path in sorted((folder / "nets").glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            if result["iterations"] == settings["iterations"] and result["kind"] in NETS:
                results[path.stem] = result
        except (ValueError, KeyError, TypeError):
            raise CheckpointError(f"{path} is damaged; delete it and run again") from None
    return results


def of(results, kind, protocol, key):
    """The mean over the seeds of one number, or None."""
    values = [r[key] for r in results.values()
              if r["kind"] == kind and r["protocol"] == protocol and key in r]  # fmt: skip
    return float(np.mean(values)) if values else None


def first(results, kind, protocol):
    """The result of the lowest seed, for the figures, or None."""
    those = [r for r in results.values() if (r["kind"], r["protocol"]) == (kind, protocol)]
    return min(those, key=lambda r: r["seed"], default=None)


def figures(results):
    """{file name: figure} of everything that the reports show."""
    drawn = {}
    for kind in NETS:
        result = first(results, kind, "reports")
        if result is None:
            continue
        title, x = f"{kind}: {runs.KINDS[kind].title}", column(result, "iteration")
        loss = np.array(column(result, "loss")) / result.get("letters_a_name", 1)
        drawn[f"{kind}-loss.png"] = plotting.plot_curves(
            {title: {"training" if kind != "F" else "training, a letter": (x, loss)}},
            "iteration", "cross-entropy, nats",
        )  # fmt: skip
        if kind == "F":
            continue
        curves = {"names trained on": (x, column(result, "train"))}
        honest = first(results, kind, "held-out")
        if honest:
            curves["names never trained on"] = (
                column(honest, "iteration"), column(honest, "validation")
            )  # fmt: skip
        drawn[f"{kind}-accuracy.png"] = plotting.plot_curves(
            {title: curves}, "iteration", "class-balanced accuracy", ylim=(0, 1),
            levels={"guessing": 1 / len(result["languages"])},
        )  # fmt: skip
        if "confusion" in result:
            drawn[f"{kind}-confusion.png"] = plotting.plot_confusion(
                np.array(result["confusion"]), result["languages"]
            )
    pair = {kind: first(results, kind, "reports") for kind in "AB"}
    if all(pair.values()):
        for what, label in {"loss": "cross-entropy, nats", "train": "accuracy"}.items():
            curves = {
                runs.KINDS[kind].title: (column(r, "iteration"), column(r, what))
                for kind, r in pair.items()
            }
            name = "loss" if what == "loss" else "accuracy"
            drawn[f"rnn-beside-lstm-{name}.png"] = plotting.plot_curves(
                {"": curves}, "iteration", label, ylim=(0, None) if what == "loss" else (0, 1)
            )
    return drawn


def column(result, name):
    return [row[name] for row in result["history"]]


def table(results, settings):
    """The rows of the table in index.md, and the numbers behind them for results.json."""
    rows = {}
    for kind in NETS:
        seeds = sorted({r["seed"] for r in results.values() if r["kind"] == kind})
        if not seeds:
            continue
        last = first(results, kind, "reports") or first(results, kind, "held-out")
        rows[kind] = {
            "title": runs.KINDS[kind].title,
            "report": runs.KINDS[kind].figure,
            "train": of(results, kind, "reports", "train"),
            "held_out_train": of(results, kind, "held-out", "train"),
            "unseen": of(results, kind, "held-out", "unseen"),
            "unseen_stopped": of(results, kind, "held-out", "unseen_stopped"),
            "stopped_at": of(results, kind, "held-out", "stopped_at"),
            "trigrams": of(results, kind, "held-out", "trigrams"),
            "new": of(results, kind, "reports", "new"),
            "right": of(results, kind, "reports", "right"),
            "judge": of(results, kind, "reports", "judge"),
            "loss": last_loss(last),
            "parameters": last["parameters"],
            "iterations": settings["iterations"],
            "seconds": of(results, kind, "reports", "seconds"),
            "seeds": seeds,
            "diverged": {
                name: r["diverged"]
                for name, r in results.items()
                if r["kind"] == kind and "diverged" in r
            },
        }
    return rows


def last_loss(result):
    """The loss of the last row, of a letter where names are written; None without a row."""
    losses = column(result, "loss")
    return losses[-1] / result.get("letters_a_name", 1) if losses else None


def index(rows, found, settings, drawn):
    """The text of index.md."""
    head = (
        "net", "the report", "names trained on", "names never seen", "same, stopped early",
        "loss", "iterations", "seconds", "seeds",
    )  # fmt: skip
    lines = [
        "# The lab reports' nets, trained again", "",
        f"Names: {settings['source']}. Accuracies are class-balanced, means over the seeds. The",
        "reports' accuracies were measured on names that were trained on. Seconds are those of",
        "training in one process.", "",
        f"| {' | '.join(head)} |", "|" + "---|" * len(head),
    ]  # fmt: skip
    for kind, row in rows.items():
        if kind == "F":
            continue
        cells = [
            f"{kind} {row['title']}", row["report"], number(row["train"]), number(row["unseen"]),
            number(row["unseen_stopped"]), number(row["loss"]), f"{row['iterations']:,}",
            number(row["seconds"], ".0f"), len(row["seeds"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    trigrams = [row["trigrams"] for row in rows.values() if row["trigrams"]]
    if trigrams:
        lines.append(f"| trigram counts | - | - | {trigrams[0]:.3f} | - | - | - | - | - |")
    K = len(next(iter(found.values()))["languages"])
    guess = f"{1 / K:.3f}"
    lines += [f"| always one language | - | {guess} | {guess} | - | - | - | - | - |", ""]
    for row in rows.values():
        for name, iteration in row["diverged"].items():
            lines += [f"{name}: {DIVERGED.format(iteration)}", ""]
    written = first(found, "F", "reports")
    if written and "samples" in written:
        lines += [
            "## F: names written by the generator", "",
            f"New, in no list: {written['new']:.1%}. Taken for the right language:",
            f"{written['right']:.1%}, by a classifier that is right on {written['judge']:.1%} of",
            f"the real names that it never saw. Loss {rows['F']['loss']:.3f} a letter after",
            f"{written['iterations']:,} iterations, {written['seconds']:.0f} seconds.", "",
            *(f"- {name}: {', '.join(texts)}" for name, texts in written["samples"].items()), "",
        ]  # fmt: skip
    lines += [f"![{name.removesuffix('.png')}]({name})" for name in drawn]
    return "\n".join(lines) + "\n"


def number(value, form=".3f"):
    return "-" if value is None else format(value, form)


def run():
    args = parse()
    if pool.serve():
        return
    names = load_names(args.data)
    folder = cli.output_folder(args.output)
    settings = {"iterations": args.iterations, "names": names.digest(), "source": names.source}
    nets_folder = cli.output_folder(folder / "nets")
    todo = [
        runs.Run(
            kind, protocol, seed, args.iterations, names.digest(), args.data, str(nets_folder)
        )  # fmt: skip
        for seed in args.seeds
        for kind in args.only
        for protocol in runs.runs_of(kind)
    ]
    with cli.remaining_runs(folder, settings, todo, args.resume) as waiting:
        done = len(todo) - len(waiting)
        print(f"{len(todo)} runs of {args.iterations:,} iterations; {done} are done")
        try:
            for one, result in processes.run(runs.train, waiting, args.jobs):
                if result and "diverged" in result:
                    words = DIVERGED.format(result["diverged"])
                    print(f"{one.name}: {words}", file=sys.stderr, flush=True)
                    continue
                what = "stopped" if result is None else summary(result)
                print(f"{one.name:14s}{what}", flush=True)
        finally:
            write(folder, settings)


def summary(result):
    """One line on a result."""
    parts = {"train": "trained on", "unseen": "never seen", "new": "new", "right": "right"}
    shown = [f"{label} {result[name]:.3f}" for name, label in parts.items() if name in result]
    return f"{', '.join(shown)}; {result['seconds']:.0f} s"


def write(folder, settings):
    """The table, the figures and the numbers behind them, from every result in the folder."""
    found = results(folder, settings)
    if not found:
        return
    drawn, rows = figures(found), table(found, settings)
    for name, figure in drawn.items():
        write_figure(folder / name, figure)
    text = json.dumps({"settings": settings, "rows": rows, "runs": found}, indent=1)
    write_atomic(folder / "results.json", text.encode() + b"\n")
    write_atomic(folder / "index.md", index(rows, found, settings, drawn).encode())
    print(f"written: {folder / 'index.md'}, {folder / 'results.json'}, {len(drawn)} figures")


if __name__ == "__main__":
    sys.exit(cli.main(run))
