"""Pictures of a training run. Matplotlib is imported only when one is drawn.

Every function returns a `matplotlib.figure.Figure`, which needs no screen; `figure.savefig(path)`
writes it, and a notebook shows it.
"""

import io
from functools import partial

import numpy as np

from .backend import asnumpy
from .data import printable
from .errors import ArgumentError, ShapeError


def plot_loss(history):
    """Training and validation loss against the epoch."""
    figure, axes = _figure(6, 4)
    axes.plot(history["epoch"], history["train_loss"], "o-", ms=3, label="training")
    axes.plot(history["epoch"], history["validation_loss"], "s-", ms=3, label="validation")
    classes = "train_accuracy" in history.columns
    loss = "cross-entropy, nats" if classes else "mean squared error"
    axes.set(xlabel="epoch", ylabel=loss, title="Loss")
    axes.set_ylim(bottom=0)
    _finish(axes)
    return figure


def plot_measure(history, measure, levels=None):
    """One measure against the epoch, "bits" or "rmse" say; levels, {label: y}, as dashed lines.

    Raises `ArgumentError` where the history has no such column.
    """
    _column(history, f"validation_{measure}")
    figure, axes = _figure(6, 4)
    for part, mark in (("training", "o-"), ("validation", "s-")):
        column = f"{part.removesuffix('ing')}_{measure}"
        if column in history.columns:
            axes.plot(history["epoch"], history[column], mark, ms=3, label=part)
    for k, (label, y) in enumerate((levels or {}).items()):
        axes.axhline(y, color="0.4", ls=("--", ":")[k % 2], lw=1, label=label)
    axes.set(xlabel="epoch", ylabel=measure.replace("_", " "), title=f"By epoch: {measure}")
    _finish(axes)
    return figure


def plot_accuracy(history, baselines=None):
    """Accuracy against the epoch; baselines, {name: accuracy}, as dashed lines.

    Raises `ArgumentError` for the history of numbers.
    """
    _column(history, "validation_accuracy")
    figure, axes = _figure(6, 4)
    curves = {
        "training": "train_accuracy",
        "validation": "validation_accuracy",
        "validation, class-balanced": "validation_balanced_accuracy",
    }
    for (label, column), mark in zip(curves.items(), "os^", strict=True):
        axes.plot(history["epoch"], history[column], f"{mark}-", ms=3, label=label)
    for k, (label, accuracy) in enumerate((baselines or {}).items()):
        axes.axhline(accuracy, color="0.4", ls=("--", ":")[k % 2], lw=1, label=label)
    axes.set(xlabel="epoch", ylabel="share guessed right", title="Accuracy", ylim=(0, 1))
    _finish(axes)
    return figure


def _column(history, column):
    if column not in history.columns:
        there = ", ".join(c for c in history.columns if c.startswith("validation"))
        raise ArgumentError(f"the history has no {column}, but {there}")


def plot_confusion(confusion, classes, title="Share of each language's names"):
    """The confusion matrix, each row divided by its sum: where the names of a language went.

    Raises `ShapeError` unless it is [K, K] for K classes.
    """
    confusion, K = np.asarray(confusion), len(classes)
    if confusion.shape != (K, K):
        raise ShapeError(
            f"confusion has shape {confusion.shape}, but must be {(K, K)} for {K} classes"
        )
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    labels = [printable(name, 20) for name in classes]
    long = 0.1 * max(0, max(map(len, labels)) - 10)  # room for long names, in inches
    figure, axes = _figure(2.4 + 0.34 * K + long, 1.8 + 0.32 * K + long)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(K), labels, rotation=90, parse_math=False)  # a $ is a $ here
    axes.set_yticks(range(K), labels, parse_math=False)
    axes.set(xlabel="guessed", ylabel="true", title=title)
    for true, guessed in zip(*np.nonzero(shares >= 0.095), strict=True):
        share = shares[true, guessed]
        axes.text(
            guessed, true, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
            color="white" if share > 0.5 else "0.2",
        )  # fmt: skip
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, shrink=0.7, label="share")
    return figure


def plot_gates(gates, letters, title=None):
    """Each gate's activations, [T, H], over the letters: one column a letter, one row a unit.

    Units stand in the same order in every panel: by the mean of the first panel. Raises
    `ShapeError` where a gate has not a row for each letter.
    """
    names = list(gates)
    values = {name: asnumpy(gates[name]) for name in names}
    for name, value in values.items():
        if value.ndim != 2 or len(value) != len(letters):
            raise ShapeError(
                f"gate {name} has shape {value.shape}, but for these letters must be "
                f"[{len(letters)}, H]"
            )
    order = np.argsort(values[names[0]].mean(axis=0))[::-1]
    width = max(2.0, 0.25 * len(letters) + 1.2)
    figure = _blank(width * len(names) + 0.6, 4.6)
    for k, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), k + 1)
        high = max(1, np.abs(values[name]).max())  # a relu has no limit
        low = 0 if values[name].min() >= 0 else -high  # sigmoids from 0, tanhs from -1
        image = axes.imshow(
            values[name][:, order].T, aspect="auto", interpolation="nearest", vmin=low, vmax=high,
            cmap="viridis" if low == 0 else "RdBu_r",
        )  # fmt: skip
        shown = [printable(letter, 10) for letter in letters]
        axes.set_xticks(range(len(letters)), shown, parse_math=False)
        axes.set_title(name)
        axes.set_yticks([])
        if k == 0:
            axes.set_ylabel("hidden unit")
        figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.9)
    if title:
        figure.suptitle(printable(title), parse_math=False)
    return figure


def _figure(width, height):
    figure = _blank(width, height)
    return figure, figure.add_subplot()


def _blank(width, height):
    """A figure of so many inches. A notebook asks `_repr_png_` for a picture; by itself it shows
    only figures of pyplot, which keeps each one that it makes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure._repr_png_ = partial(_png, figure)
    return figure


def _png(figure):
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _finish(axes):
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


_DASHES = ("-", (0, (5, 1)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2)))


def plot_curves(
    panels, xlabel, ylabel, *, title=None, log=False, ylim=None, levels=None
):  # fmt: skip
    """Curves side by side: panels {title: {label: (x, y)}}, on one y axis, one legend for all.

    Each has a dash pattern beside its colour, so that they can be told apart in print. log: a
    logarithmic y axis. levels, {label: y}: dashed lines across every panel.
    """
    many = max(map(len, panels.values())) + len(levels or {}) > 5  # they would lie over the curves
    figure = _blank(1.5 + 4.3 * len(panels) + 3 * many, 3.8)
    first = None
    for k, (name, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), k + 1, sharey=first)
        first = first or axes
        for j, (label, (x, y)) in enumerate(curves.items()):
            axes.plot(x, y, label=printable(label, 60), lw=1.5, ls=_DASHES[j % 5])
        for j, (label, y) in enumerate((levels or {}).items()):
            axes.axhline(y, color="0.4", ls=("--", ":")[j % 2], lw=1, label=printable(label, 60))
        axes.set(xlabel=xlabel, ylabel=ylabel if k == 0 else None)
        if name:
            axes.set_title(printable(name), parse_math=False)
        if log:
            axes.set_yscale("log")
        if ylim:
            axes.set_ylim(ylim)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    handles = first.get_legend_handles_labels()
    if many:
        figure.legend(*handles, frameon=False, fontsize="small", loc="outside right center")
    else:
        first.legend(frameon=False, fontsize="small")
    if title:
        figure.suptitle(printable(title), parse_math=False)
    return figure


def plot_medians(curves, xlabel, ylabel):
    """Points with lines through their medians, both axes logarithmic: {label: (x, rows)}.

    rows: at every x a list of numbers; infinity is one that was never reached. Where the median is
    infinite, the line ends. The curves stand a little beside each other, so that none hides
    another.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    figure = _blank(8.8, 3.8)
    axes = figure.add_subplot()
    for j, (label, (x, rows)) in enumerate(curves.items()):
        beside = np.array(x) * 1.035 ** (j - (len(curves) - 1) / 2)
        medians = np.array([np.median(row) for row in rows])
        there = np.isfinite(medians)
        look = {"color": f"C{j}", "marker": "osD^vP*"[j % 7]}
        points = np.repeat(beside, [len(row) for row in rows]), np.concatenate(rows)
        reached = np.isfinite(points[1])
        axes.plot(beside[there], medians[there], lw=1.5, ls=_DASHES[j % 5], ms=5, **look,
                  label=printable(label, 60))  # fmt: skip
        axes.plot(*(part[reached] for part in points), ls="", ms=3, alpha=0.5, **look)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log")
    at = sorted({place for x, _ in curves.values() for place in x})
    axes.set_xticks(at, [f"{place:,}" for place in at])
    axes.set_xlim(at[0] / 1.2, at[-1] * 1.2)
    axes.xaxis.set_minor_locator(NullLocator())
    if any(np.isfinite(row).any() for _, rows in curves.values() for row in rows):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize="small", loc="outside right center")
    return figure


def plot_means(panels, xlabel):
    """Means as dots with their standard errors as bars, a row each: {title: {label: mean}}.

    A mean has `mean` and `error`, either of which may be NaN; the labels are those of the first
    panel, and hold for all.
    """
    labels = list(next(iter(panels.values())))
    figure = _blank(4.5 + 3.4 * len(panels), 1.2 + 0.27 * len(labels))
    for k, (title, means) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), k + 1)
        for row, label in enumerate(labels):
            axes.errorbar(means[label].mean, row, xerr=means[label].error, fmt="o", color="0.1",
                          ecolor="tab:orange", elinewidth=2.5, capsize=3, ms=4)  # fmt: skip
        axes.set(xlabel=xlabel, ylim=(len(labels) - 0.5, -0.5))
        axes.set_yticks(range(len(labels)), map(printable, labels) if k == 0 else [])
        axes.set_title(printable(title), parse_math=False)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
