"""What `gpu.py` found, as Markdown."""


def markdown(results):
    """Tables of all parts that ran."""
    parts = results["parts"]
    lines = [f"# GPU run of {results['date']}, backend {results['backend']}", ""]
    lines += [f"- {name}: {part.get('outcome', '')}, {part.get('seconds', 0):.0f} s"
              for name, part in parts.items()]  # fmt: skip
    for name, make in SECTIONS.items():
        if len(parts.get(name, {})) > 2:  # more than its outcome and its seconds
            lines += ["", f"## {name}", "", *make(parts[name])]
    return "\n".join(lines) + "\n"


def table(head, rows):
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]


def machine(part):
    known = {k: v for k, v in part.items() if k not in ("outcome", "seconds")}
    return table(["what", "value"], known.items())


def tests(part):
    return [part["said"]]


def correct(part):
    wrong = [row for row in part["checks"] if not row["right"]]
    lines = [f"{len(part['checks'])} checks, {len(wrong)} wrong."]
    worst = sorted(part["checks"], key=lambda row: row["off"] / (row["bound"] or 1))[-8:]
    rows = [(r["what"], f"{r['off']:.1e}", f"{r['bound']:.0e}") for r in [*wrong, *worst]]
    return [*lines, "", *table(["wrong, and nearest to its bound", "off", "bound"], rows)]


def calls(part):
    rows = [(r["n"], r["H"], r["what"], f"{1000 * r['ms'][1]:.1f}", f"{1000 * r['host_ms']:.1f}")
            for r in part["rows"]]  # fmt: skip
    return table(["n", "H", "call", "us", "us of the host"], rows)


def layers(part):
    names = list(part["rows"][0]["train"])
    rows = []
    for row in part["rows"]:
        times = row["train"]
        cells = [f"{times[k]['ms'][1]:.3f}" if k in times else "-" for k in names]
        ours, theirs = times["ours"]["ms"][1], times.get("cuDNN", {}).get("ms", [0, 0])[1]
        rows.append(
            [row["case"], *cells, f"{times['ours']['host_ms']:.3f}", f"{theirs / ours:.2f}"]
        )
    return table(["ms of a training step", *names, "host of ours", "cuDNN / ours"], rows)


def names(part):
    rows = [(r["backend"], r["batch"], r["epochs"], f"{r['names_per_second']:,.0f}", r["seconds"])
            for r in part["speed"]]  # fmt: skip
    lines = table(["backend", "batch", "epochs", "names/s", "seconds in all"], rows)
    rows = []
    for r in part.get("accuracy", []):
        numbers = f"{r['test_accuracy']:.4f}", f"{r['test_balanced_accuracy']:.4f}"
        rows.append((r["backend"], r["seed"], *numbers, f"{r['loss_first']:.6f}"))
    return [*lines, "", *table(["backend", "seed", "natural", "balanced", "first loss"], rows)]


def crossover(part):
    rows = [(r["N"], r["H"], f"{r['card_ms']:.3f}", f"{r['numpy_ms']:.3f}",
             f"{r['numpy_ms'] / r['card_ms']:.2f}") for r in part["rows"]]  # fmt: skip
    return table(["names", "H", "card, ms", "NumPy, ms", "NumPy / card"], rows)


def sanitizer(part):
    return [part["said"]]


SECTIONS = {
    "machine": machine, "tests": tests, "correct": correct, "calls": calls, "layers": layers,
    "names": names, "crossover": crossover, "sanitizer": sanitizer,
}  # fmt: skip
