"""Why does an LSTM beat an RNN on names? The lab reports say: memory. Here it is measured.

python examples/why_lstm.py --quick               does it run? 2,000 names, in two minutes
python examples/why_lstm.py --seeds 0 1 2 3 4     300,000 names each, in some hours
python examples/why_lstm.py --only repairs --rates  the first part, at the reports' rates alone
python examples/why_lstm.py --resume              go on after Ctrl-C, or worse
mpiexec -n 5 python examples/why_lstm.py          four nets at a time, on any machines

1  The RNN that stays at 60 % is repaired, one part at a time, and stands beside LSTM and GRU:
   at the learning rate of the reports, and at the one of --rates that is best for it on the
   validation part of the first seed.
2  Memory is taken away: the cell state emptied before every letter, only the last letters shown.
   And the order: the letters in disorder.
3  The gates of LSTM and GRU while a name is read (with 1).

The folder is that of reproduce.py: neither trains again what the other has trained. What is in it
is never trained twice; --resume sees to it that there is something to go on with.
"""

# ruff: noqa: E402
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a rank of MPI has one core

import numpy as np

from minirnn import cli, plotting
from minirnn.batches import Sequences
from minirnn.data import load_names
from minirnn.mpi import pool
from minirnn.reports import processes, runs, seeds
from minirnn.storage.files import write_atomic, write_figure

QUESTIONS = ("repairs", "memory")
PARTS = ("A", "A+tanh", "A+new", "A+both", "A+wide", "B", "C")
RATES = (0.0025, 0.005, 0.01, 0.02)
REMEMBERS = (
    "B+empty",
    "A+shuffled",
    "B+shuffled",
    *(f"{k}+last{n}" for k in "AB" for n in runs.LAST),
)
HONEST = [("never seen", "held-out", "unseen"), ("stopped early", "held-out", "unseen_stopped")]
APART = ("kind", "protocol", "lr")  # what tells the runs apart


def parse():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--iterations", type=cli.whole, help="names that each net sees (default: 300,000)")
    add("--quick", action="store_true", help="2,000 iterations, in a folder of their own")
    add("--jobs", type=cli.whole, default=processes.cores(), help="processes (default: all cores)")
    add("--data", metavar="DIR", help="a folder of <Language>.txt (default: the embedded names)")
    add("--seeds", type=cli.seed, nargs="+", default=[0], metavar="SEED", help="(default: 0)")
    add(
        "--only",
        choices=QUESTIONS,
        nargs="+",
        default=list(QUESTIONS),
        metavar="PART",
        help=f"of {', '.join(QUESTIONS)} (default: both)",
    )
    add(
        "--rates",
        type=cli.positive,
        nargs="*",
        default=RATES,
        metavar="LR",
        help=f"to choose from; none: the reports' (default: {' '.join(map(str, RATES))})",
    )
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", help="(default: runs/reports, or why-lstm-quick)")
    args = parser.parse_args()
    if "repairs" not in args.only:
        cli.refuse_idle(parser, args, ["rates"], "without repairs")
    if args.iterations and args.output:
        cli.refuse_idle(parser, args, ["quick"], "with --iterations and --output")
    args.seeds = list(dict.fromkeys(args.seeds))
    args.iterations = args.iterations or (2_000 if args.quick else 300_000)
    args.output = args.output or Path("runs") / ("why-lstm-quick" if args.quick else "reports")
    return args


def best_rates(tasks):
    """{kind: the learning rate with the best accuracy on the validation part}."""
    tried = {}
    for task in tasks:
        tried.setdefault(task.kind, {})[task.rate] = task.result().get("validation", 0)
    return {kind: max(scores, key=scores.get) for kind, scores in tried.items()}


def tables(by_seed, rates):
    """Print means and standard errors of every net that there is."""
    both = [("trained on", "reports", "train"), *HONEST]
    own = [("its own names", "held-out", "train"), *HONEST]
    for title, kinds, rate_of, columns in [
        ("1 class-balanced accuracy at the reports' learning rates", PARTS, default_rate, both),
        ("  at the rate that is best on the validation part", PARTS, rates.get, both),
        ("2 with less to remember, or less to remember with", REMEMBERS, default_rate, own),
    ]:
        there = {kind: rate_of(kind) for kind in kinds}
        there = {k: rate for k, rate in there.items() if (k, "held-out", rate) in by_seed.runs}
        if not there:
            continue
        print(f"\n{title}\n  {'net':50s}{'lr':>7s}" + "".join(f"{c[0]:>32s}" for c in columns))
        for kind, rate in there.items():
            means = [f"{by_seed.mean(m, kind, protocol, rate)}" for _, protocol, m in columns]
            numbers = "".join(f"{mean:>32s}" for mean in means)
            print(f"  {runs.KINDS[kind].title:50s}{rate:7g}{numbers}")


def default_rate(kind):
    """The learning rate of the reports, or for a variant that of its net."""
    return runs.KINDS[kind].lr


def figure(by_seed):
    """Every net a row, at the reports' rates: names never seen, and those it learned from."""
    every = [(kind, default_rate(kind)) for kind in (*PARTS, *REMEMBERS)]
    shown = [(kind, rate) for kind, rate in every if (kind, "held-out", rate) in by_seed.runs]
    panels = {
        title: {
            f"{runs.KINDS[kind].title}": by_seed.mean(measure, kind, protocol, rate)
            for kind, rate in shown
        }
        for title, protocol, measure in [
            ("names never seen, stopped early", "held-out", "unseen_stopped"),
            ("the names that it learned from", "held-out", "train"),
        ]
    }
    return plotting.plot_means(panels, "class-balanced accuracy")


def curves(tasks):
    """Accuracy on names trained on, of the parts, with the first seed."""
    rows = {runs.KINDS[task.kind].title: task.result()["history"] for task in tasks}
    lines = {
        title: ([row["iteration"] for row in history], [row["train"] for row in history])
        for title, history in rows.items()
    }
    return plotting.plot_curves(
        {"": lines}, "iteration", "accuracy on names trained on", ylim=(0, 1)
    )


def gates(trained, names, output):
    """Part 3: the gates of the trained LSTM and GRU over real names."""
    shown = []
    for k, language in enumerate(("Russian", "Japanese")):
        known = names.languages.index(language) if language in names.languages else k
        theirs = [names.names[place] for place in np.flatnonzero(names.labels == known)]
        shown.append(next((name for name in theirs if len(name) >= 8), theirs[0]))
    means = {}
    for kind, title in {"B": "LSTM", "C": "GRU"}.items():
        net, _ = runs.trained_net(trained[kind])
        alphabet = runs.alphabet_of(kind)
        sequences = Sequences([alphabet.encode(n) for n in shown], np.zeros(len(shown), int))
        for k, name in enumerate(shown):
            gates = net.gates(sequences.batch(np.array([k])))
            drawn = plotting.plot_gates(gates, name, f"{title} over the letters of {name}")
            write_figure(output / f"gates-{title}-{k + 1}.png", drawn)
            means[f"{title}, {name}"] = {g: np.mean(a, axis=1).tolist() for g, a in gates.items()}
            text = ", ".join(f"{gate} {np.mean(a):.2f}" for gate, a in gates.items())
            print(f"  {title:5s}{name:16s} means: {text}")
    return means


def run():
    args = parse()
    if pool.serve():
        return
    names, whole = load_names(args.data, runs.alphabet_of("A")), load_names(args.data)
    output = cli.output_folder(args.output)
    folder = str(cli.output_folder(output / "nets"))
    settings = {"iterations": args.iterations, "names": whole.digest(), "source": whole.source}

    def task(kind, protocol, seed, lr=None):
        return runs.Run(
            kind, protocol, seed, args.iterations, settings["names"], args.data, folder, lr
        )

    parts = PARTS if "repairs" in args.only else ()
    rest = REMEMBERS if "memory" in args.only else ()
    trials = [task(kind, "held-out", args.seeds[0], lr) for kind in parts for lr in args.rates]
    usual = [
        task(kind, protocol, seed, default_rate(kind))
        for seed in args.seeds for kind in (*parts, *rest)
        for protocol in (runs.PROTOCOLS if kind in parts else ["held-out"])
    ]  # fmt: skip

    def at_the_best():
        return [
            task(kind, protocol, seed, lr)
            for kind, lr in best_rates(trials).items() if lr != default_rate(kind)
            for seed in args.seeds for protocol in runs.PROTOCOLS
        ]  # fmt: skip

    def still_to_do():
        return [one for one in at_the_best() if one.result() is None]

    first = list({one.name: one for one in (*trials, *usual)}.values())
    with cli.remaining_runs(output, settings, first, args.resume) as waiting:
        for one, result in processes.run(runs.train, waiting, args.jobs, still_to_do):
            print(f"{one.name}: {'stopped' if result is None else 'done'}", flush=True)
        rates, asked = best_rates(trials), [*usual, *at_the_best()]
        document = {
            "settings": {**settings, "seeds": args.seeds}, "rates": rates,
            "runs": [one.result() for one in asked],
        }  # fmt: skip
        by_seed = seeds.Results(document, APART, "this run")
        tables(by_seed, rates)
        write_figure(output / "why-lstm.png", figure(by_seed))
        if parts:
            trained = [
                one for one in usual if one.seed == args.seeds[0] and one.protocol == "reports"
            ]
            write_figure(output / "plateau.png", curves(trained))
            print("\n3 the gates over names")
            reports = {one.kind: one for one in trained}
            document["gates"] = gates(reports, names, output)
        write_atomic(output / "why-lstm.json", json.dumps(document, indent=1).encode() + b"\n")
        print(f"\nwritten: {output / 'why-lstm.json'} and the figures beside it")


if __name__ == "__main__":
    sys.exit(cli.main(run))
