"""The benchmark's results as text, as Markdown, as a picture, and beside older results."""

import math
import textwrap

from minirnn.errors import DataError

FELL = 0.15  # a ratio that falls by a larger share of itself is worth a look
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
NAMES = {
    "ours": "minirnn", "torch": "torch.nn", "padded": "torch.nn, padded", "jax": "JAX",
    "loop": "loop", "floor": "floor", "numpy": "NumPy",
}  # fmt: skip

# What is aimed at: (what, contestant, which cases, {threads: (least mean, least of all)}).
GOALS = [
    ("names: torch.nn", "torch", lambda c: named(c, "names"), {1: (1.8, 1.3)}),
    ("names: JAX", "jax", lambda c: named(c, "names"), {}),
    *(
        (f"unequal lengths, to {T}: torch.nn, packed", "torch", lambda c, T=T: unequal(c, T),
         {1: (mean, None)})
        for T, mean in ((10, 1.5), (50, 3.0), (200, 5.0))
    ),
    ("unequal lengths: torch.nn, padded", "padded", lambda c: named(c, "unequal"),
     {1: (None, 0.75)}),
    ("unequal lengths: JAX, padded", "jax", lambda c: named(c, "unequal"), {}),
    ("one name at a time: torch.nn", "torch", lambda c: named(c, "reports"), {}),
    ("one name at a time: loop", "loop", lambda c: named(c, "reports"), {1: (None, 3.5)}),
    ("one name at a time: JAX", "jax", lambda c: named(c, "reports"), {}),
    ("dense, LSTM: torch.nn", "torch", lambda c: named(c, "dense", "lstm"), {}),
    ("dense, RNN and GRU: torch.nn", "torch", lambda c: named(c, "dense", "rnn gru"), {}),
    ("dense: JAX", "jax", lambda c: named(c, "dense"), {}),
    ("names: share of the floor", "floor", lambda c: named(c, "names"), {}),
    ("dense: share of the floor", "floor", lambda c: named(c, "dense"), {}),
]  # fmt: skip


def unequal(case, T):
    return named(case, "unequal") and case["T"] == T


def named(case, group, models="rnn lstm gru"):
    return case["group"] == group and case["model"] in models.split()


def summary(results):
    """[(what, threads, mean ratio, least ratio, the case that has it, goal or None)]."""
    rows, goals = [], {what: aims for what, _, _, aims in GOALS}
    for threads in sorted({case["threads"] for case in results["cases"]}):
        for what, ratios in _by_kind(results, threads):
            least = min(ratios, key=ratios.get)
            # the aims are for 1 thread on the CPU
            goal = goals[what].get(threads) if results["backend"] == "numpy" else None
            rows.append((what, threads, _mean(ratios.values()), ratios[least], least, goal))
    return rows


def _by_kind(results, threads):
    """[(what, {case: ratio})] of the kinds of `GOALS` that were timed on so many threads."""
    cases = [case for case in results["cases"] if case["threads"] == threads]
    kinds = [
        (what, {
            case["name"]: case["ratios"]["train"][contestant][1]
            for case in cases
            if belongs(case) and contestant in case["ratios"]["train"]
        })
        for what, contestant, belongs, _ in GOALS
    ]  # fmt: skip
    return [(what, ratios) for what, ratios in kinds if ratios]


def _mean(ratios):
    """The geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def verdict(mean, least, goal):
    """The goal in words, and whether it is met."""
    if goal is None:
        return ""
    wanted = [
        (f"{word} {bound}", value >= bound)
        for word, value, bound in zip(("mean", "least"), (mean, least), goal, strict=True)
        if bound is not None
    ]
    missed = [words for words, met in wanted if not met]
    text = ", ".join(words for words, _ in wanted)
    return f"{text}: {'missed' if missed else 'met'}"


def columns(results):
    """[(heading, training or forward, contestant)] of the ratios that were found."""
    known = [
        ("torch.nn", "train", "torch"),
        ("padded", "train", "padded"),
        ("JAX", "train", "jax"),
        ("loop", "train", "loop"),
        ("floor", "train", "floor"),
        ("limit", "train", "limit"),
        ("NumPy", "train", "numpy"),
        ("torch.nn, forward", "forward", "torch"),
    ]
    return [
        column for column in known if any(ratio(case, *column[1:]) for case in results["cases"])
    ]


def ratio(case, what, contestant):
    """A ratio with its quartiles, as text, or "" where there is none.

    The limit is PyTorch's time over the floor: what ours would be if a step were bare products.
    """
    ratios = case["ratios"][what]
    if contestant == "limit":
        if not {"torch", "floor"} <= ratios.keys():
            return ""
        return f"{ratios['torch'][1] / ratios['floor'][1]:.2f}"
    if contestant not in ratios:
        return ""
    low, middle, high = ratios[contestant]
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def cells(results, case):
    """The case's row: our time with its quartiles, then each ratio with its own."""
    low, median, high = case["times"]["train"]["ours"]
    row = [f"{median:.3g} ({low:.3g}-{high:.3g})"]
    row += [ratio(case, what, contestant) or "-" for _, what, contestant in columns(results)]
    return row


def table(results):
    """The results as text."""
    lines = [about(results), ""]
    headings = ["ms a step", *(heading for heading, _, _ in columns(results))]
    for threads in sorted({case["threads"] for case in results["cases"]}):
        lines += [title(results, threads), ""]
        lines.append(f"{'':30s}" + "".join(f"{heading:>20s}" for heading in headings))
        for case in results["cases"]:
            if case["threads"] == threads:
                row = "".join(f"{cell:>20s}" for cell in cells(results, case))
                lines.append(f"{case['name']:30s}{row}")
        lines.append("")
    lines.append(f"{'ratios of training steps':40s}{'threads':>8s}{'mean':>7s}{'least':>7s}")
    for what, threads, mean, least, _, goal in summary(results):
        words = verdict(mean, least, goal)
        lines.append(f"{what:40s}{threads:8d}{mean:7.2f}{least:7.2f}   {words}".rstrip())
    if results["memory"]:
        lines += ["", f"{'MiB that 20 steps take':40s}{'minirnn':>10s}{'torch.nn':>10s}"]
        for row in results["memory"]:
            theirs = f"{row['torch']:10.1f}" if "torch" in row else f"{'-':>10s}"
            lines.append(f"{row['name']:40s}{row['ours']:10.1f}{theirs}")
    lines += ["", *(f"left out: {what}" for what in results["left_out"])]
    return "\n".join(lines).rstrip()


def about(results):
    """The machine and the versions, in a sentence."""
    m = results["machine"]
    torch = f", PyTorch {m['torch']}" if m["torch"] else ""
    torch += f", JAX {m['jax']}" if m.get("jax") else ""
    gpu = f", {m['gpu']}" if m["gpu"] else ""
    return (
        f"{m['date']}, {m['processor']}, {m['threads']} threads{gpu}, {m['system']}, Python "
        f"{m['python']}, NumPy {m['numpy']}{torch}; medians of {results['rounds']} rounds, "
        "quartiles in brackets"
    )


def title(results, threads):
    if results["backend"] == "cupy":
        return "on the GPU"
    return f"{threads} thread{'s' * (threads > 1)}"


def markdown(results):
    """The results as Markdown tables."""
    lines = [*textwrap.wrap(f"{about(results)}.", 100), ""]
    lines += ["| ratios of training steps | threads | mean | least | in | aim |"]
    lines += ["|---|---|---|---|---|---|"]
    for what, threads, mean, least, case, goal in summary(results):
        words = verdict(mean, least, goal)
        lines.append(f"| {what} | {threads} | {mean:.2f} | {least:.2f} | {case} | {words} |")
    headings = ["minirnn, ms", *(heading for heading, _, _ in columns(results))]
    for threads in sorted({case["threads"] for case in results["cases"]}):
        lines += ["", f"| {' | '.join([title(results, threads), *headings])} |"]
        lines.append("|---" * (len(headings) + 1) + "|")
        for case in results["cases"]:
            if case["threads"] == threads:
                lines.append(f"| {' | '.join([case['name'], *cells(results, case)])} |")
    if results["memory"]:
        lines += ["", "| 20 steps, 1 thread | minirnn, MiB | torch.nn, MiB | minirnn / torch.nn |"]
        lines += ["|---|---|---|---|"]
        for row in results["memory"]:
            theirs, share = "-", "-"
            if "torch" in row:
                theirs, share = f"{row['torch']:.0f}", f"{row['ours'] / row['torch']:.2f}"
            lines.append(f"| {row['name']} | {row['ours']:.0f} | {theirs} | {share} |")
    lines += [f"\nLeft out: {what}." for what in results["left_out"]]
    return "\n".join(lines) + "\n"


def filled(page, results):
    """The page with the tables between its two marks."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise DataError(f"the page needs one line {BEGIN.strip()} and one {END.strip()}")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{markdown(results)}\n{END}{after}"


def compared(results, old):
    """(the ratios that fell by more than `FELL`, lines that tell of it).

    Times of two days, or machines, say little beside each other; ratios say more.
    """
    before = {(case["name"], case["threads"]): case["ratios"]["train"] for case in old["cases"]}
    fallen, count = [], 0
    for case in results["cases"]:
        then = before.get((case["name"], case["threads"]), {})
        for contestant, (_, now, _) in case["ratios"]["train"].items():
            if contestant in then:
                count += 1
                if now < (1 - FELL) * then[contestant][1]:
                    fallen.append((case, contestant, then[contestant][1], now))
    lines = [f"\n{count} ratios beside those of {old['machine']['date']}"]
    if old["machine"]["processor"] != results["machine"]["processor"]:
        lines.append(f"(on another machine: {old['machine']['processor']})")
    for case, contestant, then, now in fallen:
        threads = title(results, case["threads"])
        lines.append(
            f"fell: {case['name']}, {threads}, {NAMES[contestant]}: {then:.2f} -> {now:.2f}"
        )
    if not fallen:
        lines.append(f"none fell by more than {FELL:.0%}")
    return fallen, lines


MARKS = {"ours": "o-", "torch": "s-", "loop": "^-", "floor": ":", "numpy": "d-"}


def plot(results):
    """Bars of the ratios, one for each kind of work, and below, how the cost grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7.5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.4, 1))
    _bars(top.add_subplot(), results)
    growing = {"N": ("names", None, None, 128), "T": ("dense", None, 16, 128),
               "H": ("dense", 100, 16, None)}  # fmt: skip
    for k, (axis, fixed) in enumerate(growing.items()):
        _growth(bottom.add_subplot(1, 3, k + 1), results, axis, fixed)
    return figure


def _bars(axes, results):
    """The mean ratio of each kind of work, on as few threads as were timed, from least to most."""
    threads = min(case["threads"] for case in results["cases"])
    everything = _by_kind(results, threads)
    rows = [row for row in everything if "share of the floor" not in row[0]] or everything
    for place, (_, ratios) in enumerate(reversed(rows)):
        mean = _mean(ratios.values())
        axes.barh(place, mean, color="C0" if mean >= 1 else "C1")
        axes.plot([min(ratios.values()), max(ratios.values())], [place, place], "0.2", lw=1)
        axes.text(max(ratios.values()) + 0.05, place, f"{mean:.1f}", va="center", fontsize=9)
    axes.axvline(1, color="0.3", lw=0.8)
    axes.set_yticks(range(len(rows)), [what for what, _ in reversed(rows)])
    axes.set_xlabel("their time / time of minirnn: above 1 minirnn is faster")
    axes.set_title(f"A training step, {title(results, threads)}: mean, and from least to greatest")
    axes.spines[["top", "right"]].set_visible(False)


def _growth(axes, results, axis, fixed):
    """Milliseconds of an LSTM step, on as few threads as were timed, as T, N or H grows."""
    group, *shape = fixed
    threads = min(case["threads"] for case in results["cases"])
    picked = [
        case
        for case in results["cases"]
        if (case["model"], case["group"], case["threads"]) == ("lstm", group, threads)
        and all(v in (None, case[k]) for k, v in zip("TNH", shape, strict=True))
    ]
    for contestant, mark in MARKS.items():
        points = [(c[axis], c["times"]["train"][contestant][1])
                  for c in picked if contestant in c["times"]["train"]]  # fmt: skip
        if points:
            axes.loglog(*zip(*sorted(points), strict=True), mark, ms=4, label=NAMES[contestant])
    held = ", ".join(f"{k} = {v}" for k, v in zip("TNH", shape, strict=True) if v)
    axes.set(xlabel=axis, ylabel="ms a step")
    axes.set_title(f"LSTM, {group}, {held}", fontsize=10)
    ticks = sorted({case[axis] for case in picked})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if picked:
        axes.legend(frameon=False, fontsize=8)
