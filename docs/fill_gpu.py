"""Keep what the pages say of a GPU true: their tables come from a run of tests/tools/gpu.py.

python docs/fill_gpu.py                        fill the pages in from docs/results/gpu.json
python docs/fill_gpu.py --take DIR/gpu.json    first copy the numbers of a run
python docs/fill_gpu.py --check                change nothing; exit with 1 where a page is stale

In a page, `<!-- gpu: NAME -->` says what stands between it and the next `<!-- end -->`.
"""

import argparse
import json
import re
import shutil
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGES = [DOCS / "13-gpu.md", DOCS / "performance.md"]
RESULTS = DOCS / "results" / "gpu.json"
MARK = re.compile(r"(<!-- gpu: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def about(results):
    """The machine, the versions and the day, in a sentence."""
    m = results["parts"]["machine"]
    driver = m["nvidia_smi"].split(", ")[1]
    cudnn = f"{m['cudnn'] // 10000}.{m['cudnn'] // 100 % 100}"
    return "\n".join(textwrap.wrap(
        f"{results['date']}, {m['device']}, driver {driver}, {m['cores']} cores, Python "
        f"{m['python']}, CuPy {m['cupy']}, NumPy {m['numpy']}, PyTorch {m['torch']} with cuDNN "
        f"{cudnn}; float32 without TF32.", 100,
    ))  # fmt: skip


def proven(results):
    """Return what was right, in a sentence."""
    tests, checks = results["parts"]["tests"]["said"], results["parts"]["correct"]["checks"]
    wrong = sum(not check["right"] for check in checks)
    errors = re.search(r"ERROR SUMMARY: (\d+)", results["parts"]["sanitizer"]["said"])[1]
    return "\n".join(textwrap.wrap(
        f"Tests marked `gpu`: {tests.split(',')[0]}. Further comparisons, with NumPy and with "
        f"cuDNN: {len(checks)}, {wrong} of them wrong. Errors that compute-sanitizer found: "
        f"{errors}.", 100,
    ))  # fmt: skip


def layers(results):
    """Milliseconds of a training step: ours, and the others beside it."""
    rows = []
    for row in results["parts"]["layers"]["rows"]:
        ms = {name: times["ms"][1] for name, times in row["train"].items()}
        shares = [f"{ms[name] / ms['ours']:.2f}" for name in ("cuDNN", "eager torch", "clear")]
        rows.append((row["case"], f"{ms['ours']:.2f}", *shares))
    return table(("a training step", "minirnn, ms", "cuDNN", "eager torch", "clear loop"), rows)


def names(results):
    """Names a second of the whole command, on the card and on the same machine's processor."""
    rows = [
        (r["backend"], r["batch"], r["epochs"], f"{r['names_per_second']:,.0f}", f"{r['seconds']}")
        for r in results["parts"]["names"]["speed"]
    ]
    return table(("`examples/names.py`", "batch", "epochs", "names/s", "seconds in all"), rows)


def accuracy(results):
    """Accuracies of whole runs on both backends."""
    rows = [
        (r["backend"], r["seed"], f"{r['test_accuracy']:.4f}", f"{r['test_balanced_accuracy']:.4f}")
        for r in results["parts"]["names"]["accuracy"]
    ]
    rows.sort(key=lambda row: row[1])
    return table(("backend", "seed", "accuracy on test names", "class-balanced"), rows)


def crossover(results):
    """Return NumPy's time over the card's: a row for each N, a column for each H."""
    rows = results["parts"]["crossover"]["rows"]
    ratio = {(r["N"], r["H"]): f"{r['numpy_ms'] / r['card_ms']:.1f}" for r in rows}
    widths = sorted({H for _, H in ratio})
    lines = [(N, *(ratio[N, H] for H in widths)) for N in sorted({N for N, _ in ratio})]
    return table(("names in a batch", *(f"H = {H}" for H in widths)), lines)


def table(head, rows):
    return "\n".join(
        "| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)
    )


PARTS = {function.__name__: function for function in (about, proven, layers, names, accuracy,
                                                      crossover)}  # fmt: skip


def filled(text, results):
    """The page with what stands between its marks made again."""
    return MARK.sub(lambda m: f"{m[1]}\n{PARTS[m[2]](results)}\n\n{m[4]}", text)


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--take", type=Path, metavar="FILE", help="copy the numbers of a run")
    parser.add_argument("--check", action="store_true", help="change nothing")
    args = parser.parse_args()
    if args.take:
        shutil.copyfile(args.take, RESULTS)
    results = json.loads(RESULTS.read_text("utf-8"))
    texts = {page: page.read_text("utf-8") for page in PAGES}
    stale = [page for page, text in texts.items() if filled(text, results) != text]
    for page in stale:
        if not args.check:
            page.write_text(filled(texts[page], results), "utf-8")
        print(f"{page.name}: {'stale' if args.check else 'filled'}")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
