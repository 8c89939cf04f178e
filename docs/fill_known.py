"""Fill docs/known-results.md and the last section of docs/18-after-the-lstm.md from results.

python docs/fill_known.py                                fill the pages in from docs/results
python docs/fill_known.py --take runs/known-results      first copy the results of such a run
python docs/fill_known.py --take-names runs/cells-*      first copy those of names.py --cell
python docs/fill_known.py --check                        change nothing; exit with 1 if one is stale

In a page, <!-- known: parity --> and <!-- known: names --> stand above a table, <!-- end --> below.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "results"
PAGES = DOCS / "known-results.md", DOCS / "18-after-the-lstm.md"
MARK = re.compile(r"(<!-- known: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)
CELLS = {"lstm": "LSTM", "gru": "GRU", "slstmcell": "sLSTM", "mingrucell": "minGRU"}
SOLVED = 0.02  # of the adding problem, as `minirnn.reports.adding.SOLVED`


class ResultsError(Exception):
    """Results that no table can be made of."""


def take(folder):
    """Copy the runs of `examples/known_results.py`, without their curves."""
    runs = json.loads((folder / "results.json").read_text("utf-8"))
    tables(runs)
    write("known", runs)


def take_names(folders):
    """Copy the accuracies of runs of `examples/names.py`, one for each cell and seed."""
    runs = []
    for folder in folders:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        keys = {"net": "model", "seed": "seed", "parameters": "parameters", "epochs": "epochs",
                "balanced": "test_balanced_accuracy", "natural": "test_accuracy"}  # fmt: skip
        run = {ours: summary[theirs] for ours, theirs in keys.items()}
        runs.append({**run, "net": CELLS.get(run["net"], run["net"])})
    grouped(runs, "net", "epochs")
    write("cells", runs)


def write(name, runs):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def grouped(runs, key, setting):
    """{net: its runs by seed}; `ResultsError` for a seed that is missing or twice, or settings that
    differ between seeds."""
    groups = {}
    for run in runs:
        groups.setdefault(run[key], {}).setdefault(run["seed"], []).append(run)
    every = sorted({run["seed"] for run in runs})
    for net, by_seed in groups.items():
        for seed in every:
            count = len(by_seed.get(seed, []))
            if count != 1:
                raise ResultsError(f"{net} has {count} runs with seed {seed}, but must have one")
        settings = {r[setting] for rows in by_seed.values() for r in rows}
        if len(settings) > 1:
            raise ResultsError(f"{net} has runs with {setting} = {sorted(settings)}; use one")
    return {net: [by_seed[s][0] for s in every] for net, by_seed in groups.items()}


def share(values):
    """Mean and standard error over the seeds."""
    values = np.array(values)
    return f"{values.mean():.3f} &plusmn; {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def tables(runs):
    """{problem: {net: its cells}} of the runs of known_results.py."""
    every = {}
    for problem in dict.fromkeys(run["problem"] for run in runs):
        mine = [run for run in runs if run["problem"] == problem]
        nets = grouped(mine, "net", "iterations")
        if problem == "adding":
            rows = {net: [solved(row) for row in rows] for net, rows in nets.items()}
        else:
            rows = {net: [share([1 - r["error"] for r in rows])] for net, rows in nets.items()}
        every[problem] = rows
    return every


def solved(run):
    return f"{run['steps']:,}" if run["error"] < SOLVED else f"not in {run['iterations']:,}"


def names(runs):
    """Rows of the cells on names: parameters, balanced, natural."""
    return {
        net: [f"{rows[0]['parameters']:,}", share([r["balanced"] for r in rows]),
              share([r["natural"] for r in rows])]
        for net, rows in grouped(runs, "net", "epochs").items()
    }  # fmt: skip


HEADS = {
    "mnist1d": ["units in each direction", "accuracy"],
    "parity": ["net", "accuracy on 41 to 481 letters"],
    "adding": ["net", "solved after batches: seed 0", "seed 1", "seed 2"],
    "names": ["cell", "parameters", "balanced accuracy", "natural accuracy"],
}


def filled(text):
    """The page with every table filled in."""
    known, cells = (
        json.loads((RESULTS / f"{n}.json").read_text("utf-8")) for n in ("known", "cells")
    )
    rows = {**tables(known), "names": names(cells)}

    def fill(match):
        head = HEADS[match[2]]
        lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
        lines += [f"| {net} | {' | '.join(cells)} |" for net, cells in rows[match[2]].items()]
        return match[1] + "\n" + "\n".join(lines) + "\n\n" + match[4]

    return MARK.sub(fill, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--take", type=Path, metavar="DIR")
    parser.add_argument("--take-names", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    try:
        if args.take:
            take(args.take)
        if args.take_names:
            take_names(args.take_names)
        stale = [p for p in PAGES if filled(p.read_text("utf-8")) != p.read_text("utf-8")]
        if not args.check:
            for page in stale:
                page.write_text(filled(page.read_text("utf-8")), encoding="utf-8")
    except (OSError, ResultsError, KeyError, ValueError) as error:
        sys.exit(f"error: {error}; nothing was filled in")
    for page in stale:
        print(f"{page.name}: {'stale' if args.check else 'updated'}")
    return int(args.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
