"""Keep docs/reports.md true: its numbers and tables come from files that the examples write.

Chapter 10 has two of the numbers.

python docs/fill_reports.py                       fill the pages in from docs/results/*.json
python docs/fill_reports.py --take embedded runs/reports
                                                  first copy numbers and figures of a run
python docs/fill_reports.py --check               change nothing; exit with 1 where it is stale

In the page, an HTML comment says what stands between it and the next <!-- end -->:

    <!-- value: classic rows.B.train .2f -->.89<!-- end -->
    <!-- table: classic -->
    <!-- end -->
    <!-- picture: classic/B-loss.png the loss of the LSTM -->
    <!-- end -->
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGES = [DOCS / "reports.md", DOCS / "10-data.md"]
RESULTS, FIGURES = DOCS / "results", DOCS / "figures" / "reports"
MARK = re.compile(
    r"(<!-- (value|table|picture): ([^\s>]+)(?: ([^>]+?))? -->)(.*?)(<!-- end -->)", re.S
)
UNKNOWN = "(not run yet)"


def take(name, folder):
    """Copy what the page needs of a run: numbers without the curves, and the figures."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    results.pop("runs", None)  # of reproduce.py: every row of every curve
    results["settings"].pop("source", None)  # a path of the machine; the digest of the names stays
    for part in ("adding", "gradients"):  # of why_lstm.py likewise
        for entry in results.get(part, {}).values():
            for key in ("history", "norms", "singular_values", "path"):
                entry.pop(key, None)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    target = FIGURES / name
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        shutil.copyfile(path, target / path.name)


def results(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def value(results, key, form):
    """One number: key is a path with dots into the JSON; + may stand for a blank."""
    for part in key.split("."):
        if results is not None:
            results = results.get(part, results.get(part.replace("+", " ")))
    return UNKNOWN if results is None else format(results, form)


def table(results):
    """The nets of one run of reproduce.py."""
    if results is None:
        return f"\n{UNKNOWN}\n"
    head = ("net", "the report", "trained on", "never seen", "stopped early", "loss")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for kind, row in results["rows"].items():
        if kind != "F":
            lost = {name.split("-", 1)[1].rsplit("-", 1)[0] for name in row["diverged"]}
            numbers = [
                format(row[key], ".3f") if row[key] is not None
                else "infinite loss" if protocol in lost else "-"
                for key, protocol in [
                    ("train", "reports"), ("unseen", "held-out"), ("unseen_stopped", "held-out"),
                    ("loss", "reports"),
                ]
            ]  # fmt: skip
            cells = [f"{kind} {row['title']}", row["report"], *numbers]
            lines.append(f"| {' | '.join(cells)} |")
    trigrams = [row["trigrams"] for row in results["rows"].values() if row["trigrams"]]
    if trigrams:
        lines.append(f"| trigram counts | - | - | {trigrams[0]:.3f} | - | - |")
    return "\n" + "\n".join(lines) + "\n"


def picture(name, caption):
    """A figure that a run has drawn."""
    drawn = (FIGURES / name).is_file()
    return f"\n![{caption}](figures/reports/{name})\n" if drawn else f"\n{UNKNOWN}\n"


def filled(text):
    """The page with every number as the results have it."""

    def fill(match):
        opening, kind, name, rest, _, end = match.groups()
        if kind == "value":
            text = value(results(name), *rest.split())
        elif kind == "table":
            text = table(results(name))
        else:
            text = picture(name, rest)
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
        new = filled(text)
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
