"""Keep docs/reports.md true: its numbers and tables come from files that the examples write.

Chapter 10 has two of the numbers.

python docs/fill_reports.py                       fill the pages in from docs/results/*.json
python docs/fill_reports.py --take embedded runs/reports
                                                  first copy numbers and figures of a run
python docs/fill_reports.py --check               change nothing; exit with 1 where it is stale

In the page, an HTML comment says what stands between it and the next <!-- end -->. NAME is that of
a file in docs/results; a net is a kind of `minirnn.reports.runs`, and its learning rate, where a
file has several, "default" or "best":

    <!-- mean: NAME MEASURE NET PROTOCOL [RATE] -->.89 ± .01<!-- end -->
    <!-- difference: NAME MEASURE NET OTHER PROTOCOL [RATE] -->+.04 (+.01 to +.07)<!-- end -->
                                                  OTHER may be "trigrams", the counts
    <!-- value: NAME settings.iterations ,d -->300,000<!-- end -->
    <!-- table: NAME [memory] --> <!-- end -->
    <!-- picture: embedded/B-loss.png the loss of the LSTM --> <!-- end -->

A mean has its standard error over the seeds; a difference is that of the same seeds, and in
brackets where it lies at 95 % (Student's t). A file in which a seed is missing or twice, or a run
has other settings, is named and nothing is filled in.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np

from minirnn.errors import MinirnnError
from minirnn.reports import runs
from minirnn.reports.seeds import interval_of, read_results

DOCS = Path(__file__).resolve().parent
PAGES = [DOCS / "reports.md", DOCS / "10-data.md"]
RESULTS, FIGURES = DOCS / "results", DOCS / "figures" / "reports"
MARK = re.compile(
    r"(<!-- (value|mean|difference|table|picture): ([^\s>]+)(?: ([^>]+?))? -->)(.*?)(<!-- end -->)",
    re.S,
)
UNKNOWN = "(not run yet)"
WRITTEN = {"results.json": "", "why-lstm.json": "-why-lstm"}  # by a script: what its copy adds
LEFT_OUT = ("history", "confusion", "samples", "languages", "source", "seconds")  # not on a page


def apart(name):
    """What tells the runs of a file apart."""
    if name.startswith("long-sequences"):
        return ("problem", "net", "T")
    return ("kind", "protocol", *["lr"] * name.endswith("-why-lstm"))


def take(name, folder):
    """Copy what the pages need of a run: numbers without the curves, and the figures if they have
    one of them."""
    RESULTS.mkdir(exist_ok=True)
    for written, ending in WRITTEN.items():
        if not (folder / written).is_file():
            continue
        document = json.loads((folder / written).read_text(encoding="utf-8"))
        document["settings"].pop("source", None)  # a path of the machine
        document["runs"] = [
            {key: value for key, value in run.items() if key not in LEFT_OUT}
            for run in document["runs"]
        ]
        path = RESULTS / f"{name}{ending}.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if not any(f"picture: {name}/" in page.read_text(encoding="utf-8") for page in PAGES):
        return
    target = FIGURES / name
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        shutil.copyfile(path, target / path.name)


class Page:
    """What fills a mark in, read from the files in docs/results."""

    def __init__(self):
        self.read = {}

    def results(self, name):
        """The `Results` of a file, or None where there is none."""
        if name not in self.read:
            path = RESULTS / f"{name}.json"
            self.read[name] = read_results(path, apart(name)) if path.is_file() else None
        return self.read[name]

    def key(self, name, net, protocol, rate="default"):
        """What a run of the file goes by."""
        if "lr" not in apart(name):
            return net, protocol
        rates = self.results(name).document["rates"]
        lr = rates.get(net) if rate == "best" else runs.KINDS[net].lr
        return net, protocol, lr

    def mean(self, name, measure, net, *where):
        return format(self.results(name).mean(measure, *self.key(name, net, *where)), "")

    def difference(self, name, measure, net, other, *where):
        results, one = self.results(name), self.key(name, net, *where)
        if other == "trigrams":  # counted on the names that the net of the same seed never saw
            return format(
                interval_of(results.values(measure, *one) - results.values(other, *one)), ""
            )
        return format(results.difference(measure, one, self.key(name, other, *where)), "")

    def value(self, name, path, form):
        """One number: path is one with dots into the JSON."""
        number = self.results(name).document
        for part in path.split("."):
            number = number[part]
        return format(number, form)

    def table(self, name, which=""):
        results = self.results(name)
        if name.endswith("-why-lstm"):
            lines = (memory_table if which == "memory" else parts_table)(self, name)
        elif name.startswith("long-sequences"):
            lines = lengths_table(results)
        else:
            lines = reports_table(results)
        return "\n" + "\n".join(lines) + "\n"


def reports_table(results):
    """The nets of one run of reproduce.py."""
    head = ("net", "the report", "trained on", "never seen", "stopped early")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for kind in dict.fromkeys(kind for kind, _ in results.runs):
        if kind != "F":
            cells = [
                results.mean(measure, kind, protocol) for measure, protocol in [
                    ("train", "reports"), ("unseen", "held-out"), ("unseen_stopped", "held-out")
                ]
            ]  # fmt: skip
            title = f"{kind} {runs.KINDS[kind].title}"
            lines.append(f"| {' | '.join([title, runs.KINDS[kind].figure, *map(format, cells)])} |")
    trigrams = results.mean("trigrams", "B", "held-out")
    return [*lines, f"| trigram counts | - | - | {trigrams} | - |"]


def parts_table(page, name):
    """The nets of one run of why_lstm.py that are trained by both protocols."""
    results = page.results(name)
    both = {(kind, lr) for kind, protocol, lr in results.runs if protocol == "reports"}
    head = ("net", "lr", "trained on", "never seen", "stopped early")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for kind, lr in dict.fromkeys((kind, lr) for kind, _, lr in results.runs):
        if (kind, lr) in both:
            cells = [
                results.mean(measure, kind, protocol, lr) for measure, protocol in [
                    ("train", "reports"), ("unseen", "held-out"), ("unseen_stopped", "held-out")
                ]
            ]  # fmt: skip
            row = [runs.KINDS[kind].title, f"{lr:g}", *map(format, cells)]
            lines.append(f"| {' | '.join(row)} |")
    return lines


def memory_table(page, name):
    """Beside the whole RNN and LSTM, the nets with less memory: by the held-out protocol."""
    results = page.results(name)
    both = {kind for kind, protocol, _ in results.runs if protocol == "reports"}
    head = ("net", "its own names", "never seen", "stopped early")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for kind in dict.fromkeys(["A+both", "B", *(k for k, _, _ in results.runs if k not in both)]):
        lr = runs.KINDS[kind].lr
        cells = [
            results.mean(measure, kind, "held-out", lr)
            for measure in ("train", "unseen", "unseen_stopped")
        ]
        lines.append(f"| {' | '.join([runs.KINDS[kind].title, *map(format, cells)])} |")
    return lines


def lengths_table(results):
    """How many seeds solved each length, and after how many batches: their median."""
    lengths = sorted({T for _, _, T in results.runs})
    lines = [f"| problem, net | {' | '.join(f'T = {T:,}' for T in lengths)} |"]
    lines.append("|" + "---|" * (len(lengths) + 1))
    for problem, net in dict.fromkeys((problem, net) for problem, net, _ in results.runs):
        cells = []
        for T in lengths:
            if (problem, net, T) not in results.runs:
                cells.append("-")
                continue
            batches = results.values("needed", problem, net, T)
            there = batches[np.isfinite(batches)]
            after = f", {np.median(there):,.0f}" if len(there) else ""
            cells.append(f"{len(there)} of {len(batches)}{after}")
        lines.append(f"| {problem}, {net} | {' | '.join(cells)} |")
    return lines


def picture(name, caption):
    """A figure that a run has drawn."""
    drawn = (FIGURES / name).is_file()
    return f"\n![{caption}](figures/reports/{name})\n" if drawn else f"\n{UNKNOWN}\n"


def filled(text):
    """The page with every number as the results have it."""
    page = Page()

    def fill(match):
        opening, kind, name, rest, _, end = match.groups()
        if kind == "picture":
            text = picture(name, rest)
        elif page.results(name) is None:
            text = UNKNOWN
        else:
            try:
                text = getattr(page, kind)(name, *(rest or "").split())
            except KeyError:  # a net that the file has not
                text = UNKNOWN
        return opening + text + end

    return MARK.sub(fill, text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--take", nargs=2, metavar=("NAME", "DIR"), help="copy a run's results")
    parser.add_argument("--check", action="store_true", help="say which pages are stale")
    args = parser.parse_args()
    if args.take:
        take(args.take[0], Path(args.take[1]))
    stale = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        try:
            new = filled(text)
        except MinirnnError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        if new == text:
            continue
        if args.check:
            print(f"{page.name} is stale: run python docs/fill_reports.py")
            stale = 1
        else:
            page.write_text(new, encoding="utf-8")
            print(f"{page.name}: updated")
    return stale


if __name__ == "__main__":
    sys.exit(main())
