"""Both lab reports on names and languages, trained again: every net, every figure, one table.

python examples/reproduce.py --quick             all nets in two minutes, far from trained
python examples/reproduce.py                     300,000 iterations each, as the reports
python examples/reproduce.py --only A,B --jobs 4
python examples/reproduce.py --seeds 0 1 2 3 4   means with their standard errors, in hours
python examples/reproduce.py --resume            go on after Ctrl-C, or worse
mpiexec -n 5 python examples/reproduce.py        four nets at a time, on any machines

Each net but the generator is trained twice: on all names, and asked about the same names, as in the
reports; and with a fifth of the distinct names held back for the test, and a tenth to say when to
stop. What is in the folder is never trained again: the same command goes on, and --resume sees to
it that there is something to go on with.
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
from minirnn.mpi import pool
from minirnn.reports import processes, runs, seeds
from minirnn.storage.files import write_atomic, write_figure

NETS = "ABCDEF"
QUICK = 20_000  # iterations
DIVERGED = "the loss became infinite after {:,} iterations"


def parse():
    parser = cli.Parser(__doc__)
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
    args.seeds = list(dict.fromkeys(args.seeds))
    args.iterations = args.iterations or (QUICK if args.quick else 300_000)
    args.output = args.output or Path("runs") / ("reports-quick" if args.quick else "reports")
    return args


def nets(text):
    """An argparse type: letters of nets, with commas."""
    chosen = sorted({part.strip().upper() for part in text.split(",")})
    if not set(chosen) <= set(NETS):
        raise argparse.ArgumentTypeError(f"{text!r} must be some of A to F, with commas: A,B")
    return chosen


def done(tasks):
    """(results of the nets all of whose tasks are done, titles of nets with some done only)."""
    by_kind = {kind: [task.result() for task in tasks if task.kind == kind] for kind in NETS}
    whole = [result for results in by_kind.values() if None not in results for result in results]
    begun = [k for k, results in by_kind.items() if None in results and any(results)]
    return whole, [f"{kind} {runs.KINDS[kind].title}" for kind in begun]


def first(results, kind, protocol):
    """The result of the lowest seed, for the figures, or None."""
    those = [r for r in results if (r["kind"], r["protocol"]) == (kind, protocol)]
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


HEAD = (
    "net", "the report", "names trained on", "names never seen", "same, stopped early", "loss",
    "seconds",
)  # fmt: skip


def rows(by_seed, results):
    """The rows of the table in index.md: means over the seeds with their standard errors."""
    for kind in dict.fromkeys(kind for kind, _ in by_seed.runs):
        reports, honest = (kind, "reports"), (kind, "held-out")
        seconds = by_seed.mean("seconds", *reports)
        yield [
            f"{kind} {runs.KINDS[kind].title}", runs.KINDS[kind].figure,
            by_seed.mean("train", *reports), by_seed.mean("unseen", *honest),
            by_seed.mean("unseen_stopped", *honest),
            seeds.mean_of([last_loss(r) for r in by_seed.runs[reports].values()]),
            format(seconds.mean, ".0f"),
        ]  # fmt: skip
    trigrams = next(
        (by_seed.mean("trigrams", *key) for key in by_seed.runs if key[1] != "reports"), ""
    )
    if trigrams:
        yield ["trigram counts", "-", "-", trigrams, "-", "-", "-"]
    K = len(results[0]["languages"])
    yield ["always one language", "-", f"{1 / K:.3f}", f"{1 / K:.3f}", "-", "-", "-"]


def last_loss(result):
    """The loss of the last row, of a letter where names are written; NaN without a row."""
    losses = column(result, "loss")
    return losses[-1] / result.get("letters_a_name", 1) if losses else np.nan


def index(by_seed, results, settings, unfinished, drawn):
    """The text of index.md."""
    asked = ", ".join(map(str, settings["seeds"]))
    lines = [
        "# The lab reports' nets, trained again", "",
        f"Names: {settings['source']}. {settings['iterations']:,} iterations. Accuracies are",
        f"class-balanced, means over the seeds {asked} with their standard errors. The reports'",
        "accuracies were measured on names that were trained on. Seconds are those of training in",
        "one process.", "",
        f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD),
    ]  # fmt: skip
    lines += [
        f"| {' | '.join(format(cell, '') for cell in row)} |" for row in rows(by_seed, results)
    ]
    lines.append("")
    if unfinished:
        lines += [f"Not finished, so not in the table: {', '.join(unfinished)}.", ""]
    for result in results:
        if "diverged" in result:
            name = f"{result['kind']}-{result['protocol']}-{result['seed']}"
            lines += [f"{name}: {DIVERGED.format(result['diverged'])}", ""]
    written = first(results, "F", "reports")
    if written and "samples" in written:
        new, right, judge = (
            by_seed.mean(name, "F", "reports") for name in ("new", "right", "judge")
        )
        lines += [
            "## F: names written by the generator", "",
            f"New, in no list: {new:.1%}. Taken for the right language: {right:.1%}, by a",
            f"classifier that is right on {judge:.1%} of the real names that it never saw.", "",
            *(f"- {name}: {', '.join(texts)}" for name, texts in written["samples"].items()), "",
        ]  # fmt: skip
    lines += [f"![{name.removesuffix('.png')}]({name})" for name in drawn]
    return "\n".join(lines) + "\n"


def run():
    args = parse()
    if pool.serve():
        return
    names = load_names(args.data)
    folder = cli.output_folder(args.output)
    settings = {"iterations": args.iterations, "names": names.digest(), "source": names.source}
    nets_folder = cli.output_folder(folder / "nets")

    def tasks(kinds):
        return [
            runs.Run(kind, protocol, seed, args.iterations, names.digest(), args.data,
                     str(nets_folder))
            for seed in args.seeds for kind in kinds for protocol in runs.runs_of(kind)
        ]  # fmt: skip

    todo = tasks(args.only)
    with cli.remaining_runs(folder, settings, todo, args.resume) as waiting:
        already = len(todo) - len(waiting)
        print(f"{len(todo)} runs of {args.iterations:,} iterations; {already} are done")
        try:
            for one, result in processes.run(runs.train, waiting, args.jobs):
                if result and "diverged" in result:
                    words = DIVERGED.format(result["diverged"])
                    print(f"{one.name}: {words}", file=sys.stderr, flush=True)
                    continue
                what = "stopped" if result is None else summary(result)
                print(f"{one.name:14s}{what}", flush=True)
        finally:
            write(folder, {**settings, "seeds": args.seeds}, tasks(NETS))


def summary(result):
    """One line on a result."""
    parts = {"train": "trained on", "unseen": "never seen", "new": "new", "right": "right"}
    shown = [f"{label} {result[name]:.3f}" for name, label in parts.items() if name in result]
    return f"{', '.join(shown)}; {result['seconds']:.0f} s"


def write(folder, settings, tasks):
    """The table, the figures and the numbers behind them, of every net in the folder that is done
    with these seeds."""
    results, unfinished = done(tasks)
    if not results:
        return
    document = {"settings": settings, "runs": results}
    by_seed = seeds.Results(document, ("kind", "protocol"), "this run")
    drawn = figures(results)
    for name, figure in drawn.items():
        write_figure(folder / name, figure)
    write_atomic(folder / "results.json", json.dumps(document, indent=1).encode() + b"\n")
    text = index(by_seed, results, settings, unfinished, drawn)
    write_atomic(folder / "index.md", text.encode())
    print(f"written: {folder / 'index.md'}, {folder / 'results.json'}, {len(drawn)} figures")


if __name__ == "__main__":
    sys.exit(cli.main(run))
