"""Figures are written, can be opened again, are not blank, and say what they should."""

import struct

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from minirnn.errors import CheckpointError
from minirnn.plotting import (
    plot_accuracy,
    plot_confusion,
    plot_gates,
    plot_loss,
    plot_measure,
    plot_medians,
)
from minirnn.storage.files import write_figure
from minirnn.training import Evaluation, History, Regression

HOSTILE = ["$\\frac{$", "a\x1b[31mb", "x\u202ey", "e" + "\u0301" * 50, "_hidden", "a" * 500, "<&>"]


def history(epochs=4):
    rows = []
    for k in range(1, epochs + 1):
        row = dict.fromkeys(History().columns, 0.5)
        row |= {"epoch": k, "train_loss": 2 / k, "validation_loss": 2.1 / k}
        rows.append(row | {"train_accuracy": 1 - 0.9 / k, "validation_accuracy": 1 - 0.95 / k})
    return History(rows)


def errors():
    run = History(measure=Regression)
    for k in range(1, 5):
        run.add(
            9 / k, 4, Regression(2 / k, 1.5 / k, 0.1 * k), epoch=k, step=k, lr=0.1, train_loss=2 / k
        )
    return run


def bits(epochs):
    run = History(monitor="bits")
    for k in range(1, epochs + 1):
        found = Evaluation(2 / k, np.eye(2), 2 / k)
        run.add(3, 4, found, epoch=k, step=k, lr=0.1, train_loss=2 / k)
    return run


def confusion(K=5, seed=0):
    return np.random.default_rng(seed).integers(0, 30, (K, K))


def gates(T=6, H=9):
    rng = np.random.default_rng(0)
    sigmoids = {name: rng.random((T, H)) for name in "ifo"}
    return {**sigmoids, "g": rng.uniform(-1, 1, (T, H))}


FIGURES = {
    "loss": lambda: plot_loss(history()),
    "loss of one epoch": lambda: plot_loss(history(1)),
    "accuracy": lambda: plot_accuracy(history(), {"trigrams": 0.6, "majority": 0.1}),
    "errors": lambda: plot_measure(errors(), "rmse", {"the last value": 0.9}),
    "loss of numbers": lambda: plot_loss(errors()),
    "bits of one epoch": lambda: plot_measure(bits(1), "bits"),
    "accuracy alone": lambda: plot_accuracy(history()),
    "confusion": lambda: plot_confusion(confusion(18), [f"Language{k}" for k in range(18)]),
    "confusion of two": lambda: plot_confusion(confusion(2), ["A", "B"]),
    "gates": lambda: plot_gates(gates(), "Kartas", "Gates over the letters of Kartas"),
    "gates of one letter": lambda: plot_gates(gates(1), "K"),
    "hostile names": lambda: plot_confusion(confusion(7), HOSTILE),
    "hostile letters": lambda: plot_gates(gates(7), HOSTILE, "".join(HOSTILE)),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_written_and_not_blank(tmp_path, make):
    figure = make()
    assert isinstance(figure, Figure)
    path = tmp_path / "figure.png"
    write_figure(path, figure)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", data[16:24])
    assert 200 <= width <= 5000 and 200 <= height <= 3000
    pixels = imread(path)
    assert pixels.shape[:2] == (height, width)
    assert pixels[..., :3].var() > 1e-3 and len(np.unique(pixels[..., 0])) > 20
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == pixels[0, 0]).all(), "something is drawn over the edge"
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]


def test_curves_hold_the_numbers():
    run = history()
    (axes,) = plot_loss(run).axes
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata().T, [run["epoch"], run["train_loss"]])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), run["validation_loss"])
    assert axes.get_ylim()[0] == 0 and axes.get_xlabel() == "epoch"
    assert "nats" in axes.get_ylabel()


def test_baselines_are_dashed_lines():
    (axes,) = plot_accuracy(history(), {"trigrams": 0.6}).axes
    assert axes.get_ylim() == (0, 1)
    line = axes.lines[-1]
    assert line.get_label() == "trigrams" and set(line.get_ydata()) == {0.6}
    assert line.get_linestyle() == "--"
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown[0] == "training" and shown[-1] == "trigrams"
    columns = ["train_accuracy", "validation_accuracy", "validation_balanced_accuracy"]
    for drawn, column in zip(axes.lines, columns, strict=False):
        np.testing.assert_array_equal(drawn.get_ydata(), history()[column])


def test_measures_hold_the_numbers():
    run = errors()
    (axes,) = plot_measure(run, "rmse", {"the last value": 0.9}).axes
    assert [line.get_label() for line in axes.lines] == ["training", "validation", "the last value"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), run["train_rmse"])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), run["validation_rmse"])
    assert axes.get_ylabel() == "rmse" and set(axes.lines[2].get_ydata()) == {0.9}
    assert plot_loss(run).axes[0].get_ylabel() == "mean squared error"
    (only,) = plot_measure(bits(2), "bits").axes[0].lines
    np.testing.assert_array_equal(only.get_ydata(), bits(2)["validation_bits"])


def test_confusion_rows_are_shares():
    counts = np.array([[8, 1, 1], [0, 0, 0], [5, 0, 15]])  # nobody speaks the second
    axes = plot_confusion(counts, ["A", "B", "C"]).axes[0]
    image = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(image, [[0.8, 0.1, 0.1], [0, 0, 0], [0.25, 0, 0.75]])
    assert axes.images[0].get_clim() == (0, 1)
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    expected = {(0, 0): "80", (1, 0): "10", (2, 0): "10", (0, 2): "25", (2, 2): "75"}
    assert texts == expected, "x is the guess, y the truth"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("guessed", "true")
    assert counts.dtype.kind == "i" and counts.sum() == 30


def test_every_tick_has_its_own_label():
    names = [f"Language{k}" for k in range(18)]
    axes = plot_confusion(confusion(18), names).axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        assert axis.get_ticklocs().tolist() == list(range(18))
        assert [label.get_text() for label in axis.get_ticklabels()] == names


def test_hostile_names_stay_intact():
    axes = plot_confusion(confusion(7), HOSTILE).axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown[:3] == ["$\\frac{$", "a\\x1b[31mb", "x\\u202ey"]
    assert shown[4:] == ["_hidden", "a" * 17 + "...", "<&>"]
    assert all(text.isprintable() for text in shown)


def test_gates_by_letter_and_unit():
    values = gates()
    figure = plot_gates(values, "Kartas", "title")
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["i", "f", "o", "g"]
    order = np.argsort(values["i"].mean(axis=0))[::-1]
    for axes in panels:
        image, name = axes.images[0], axes.get_title()
        np.testing.assert_array_equal(image.get_array(), values[name][:, order].T)
        assert [label.get_text() for label in axes.get_xticklabels()] == list("Kartas")
        assert image.get_clim() == ((-1, 1) if name == "g" else (0, 1))
    assert figure.get_suptitle() == "title"


def test_no_window_and_no_global_figure():
    import matplotlib.pyplot as plt

    assert matplotlib.get_backend().lower() == "agg"
    for make in FIGURES.values():
        make()
    assert plt.get_fignums() == []


def test_a_figure_that_cannot_be_written(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(CheckpointError, match="figure.png cannot be written"):
        write_figure(tmp_path / "figure.png", plot_loss(history()))
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]


def test_medians_stand_beside_each_other_and_end_where_most_were_not_reached():
    inf = np.inf
    rows = [[3, 1, 2], [4, inf, 6], [inf, inf, 9]]
    figure = plot_medians({"a": ([2, 3, 4], rows), "b": ([2, 3], rows[:2])}, "T", "y")
    (line, points), other = (figure.axes[0].get_lines()[k : k + 2] for k in (0, 2))
    assert list(line.get_ydata()) == [2, 6] and list(points.get_ydata()) == [3, 1, 2, 4, 6, 9]
    np.testing.assert_allclose(line.get_xdata() / [2, 3], line.get_xdata()[0] / 2)
    assert not set(line.get_xdata()) & set(other[0].get_xdata())
    nothing = plot_medians({"a": ([2000], [[inf]])}, "T", "y")
    assert nothing.axes[0].get_yscale() == "linear"
    assert [label.get_text() for label in nothing.axes[0].get_xticklabels()] == ["2,000"]
