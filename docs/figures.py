"""Draw the pictures of the chapters: `python docs/figures.py [FOLDER]` (default: docs/figures)."""

import io
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from minirnn import plotting  # noqa: E402
from minirnn.batches import Sequences  # noqa: E402
from minirnn.cells import GRUCell, LSTMCell, RNNCell  # noqa: E402
from minirnn.data import Alphabet  # noqa: E402
from minirnn.gradcheck import oracles  # noqa: E402
from minirnn.gradcheck.ladder import randomised  # noqa: E402
from minirnn.gradcheck.problems import recurrent_problem  # noqa: E402
from minirnn.models import NameClassifier  # noqa: E402
from minirnn.mpi import cost  # noqa: E402
from minirnn.packing import sizes_of  # noqa: E402
from minirnn.recurrent import Recurrent  # noqa: E402
from minirnn.stepper import demo  # noqa: E402

FORWARD, BACKWARD, VALUE, OPERATION = "#1f5fa8", "#b3321c", "#e8eef6", "#ffffff"
STEPS = ["#cfe0f3", "#d9ead3", "#fce8c5", "#f4d3cf"]


def canvas(width, height, x, y):
    """A figure without axes, in units of its own."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=x, ylim=y)
    axes.set_axis_off()
    return figure, axes


def node(axes, x, y, label, value=False, size=11):
    """A box at a place; its text is returned, so that arrows can end at its edge."""
    style = "round,pad=0.35" if value else "circle,pad=0.25" if len(label) < 12 else "round,pad=0.3"
    return axes.text(
        x, y, label, ha="center", va="center", fontsize=size, zorder=3,
        bbox=dict(boxstyle=style, fc=VALUE if value else OPERATION, ec="0.35", lw=1),
    )  # fmt: skip


def arrow(axes, start, end, label="", color=FORWARD, bend=0.0, at=0.5, shift=(0, 0), boxes=()):
    """An arrow between two places; boxes: the texts at its two ends, or None."""
    patches = [box.get_bbox_patch() if box else None for box in boxes or (None, None)]
    axes.annotate(
        "", end, start, zorder=1,
        arrowprops=dict(
            arrowstyle="-|>", color=color, lw=1.3, shrinkA=2, shrinkB=2,
            patchA=patches[0], patchB=patches[1],
            linestyle="-" if color == FORWARD else (0, (4, 2)),
            connectionstyle=f"arc3,rad={bend}",
        ),
    )  # fmt: skip
    if label:
        (x0, y0), (x1, y1) = start, end
        x, y = x0 + (x1 - x0) * at + shift[0], y0 + (y1 - y0) * at + shift[1]
        axes.text(
            x, y, label, ha="center", va="center", fontsize=9.5, color=color, zorder=2,
            bbox=dict(boxstyle="square,pad=0.12", fc="white", ec="none"),
        )  # fmt: skip


def data_flow(nodes, edges, width, height, x, y):
    """Forward above, backward below: the same graph with its arrows turned round.

    nodes: {name: (x, y, label, is a value)}; edges: (from, to, forward, backward, options).
    """
    figure = Figure(figsize=(width, 2 * height), layout="constrained")
    for k, color in enumerate((FORWARD, BACKWARD)):
        axes = figure.add_subplot(2, 1, k + 1)
        axes.set(xlim=x, ylim=y)
        axes.set_axis_off()
        axes.set_title(("forward", "backward")[k], loc="left", color=color, fontsize=11)
        boxes = {
            name: node(axes, x0, y0, "$d" + label[1:] if k == 1 and value else label, value)
            for name, (x0, y0, label, value) in nodes.items()
        }
        for start, end, forward, backward, *options in edges:
            ends, options = (start, end), dict(*options)
            if k == 1:
                ends = ends[::-1]
                options["bend"] = -options.get("bend", 0.0)
                options["at"] = 1 - options.get("at", 0.5)
            places, at_ends = [nodes[e][:2] for e in ends], [boxes[e] for e in ends]
            arrow(axes, *places, (forward, backward)[k], color, boxes=at_ends, **options)
    return figure


def rnn_cell():
    nodes = {
        "h": (0, 1, "$h_{t-1}$", True),
        "gx": (0, 0, "$gx$", True),
        "product": (1.7, 1, r"$v\,W_h + b_h$", False),
        "plus": (3.4, 0.5, "$+$", False),
        "tanh": (5.0, 0.5, r"$\tanh$", False),
        "out": (6.7, 0.5, "$h_t$", True),
    }
    edges = [
        ("h", "product", "", ""),
        ("product", "plus", "", "$da$"),
        ("gx", "plus", "", "$da$"),
        ("plus", "tanh", "$a$", "$da$"),
        ("tanh", "out", "", ""),
    ]
    return data_flow(nodes, edges, 7, 1.75, (-0.5, 7.2), (-0.4, 1.4))


def lstm_cell():
    nodes = {
        "c": (0, 4, "$c_{t-1}$", True),
        "h": (0, 2, "$h_{t-1}$", True),
        "gx": (0, 0.6, "$gx$", True),
        "affine": (1.9, 1.3, "$gx + h_{t-1} W_h + b_h$", False),
        "f": (4.1, 3.0, r"$\sigma$", False),
        "i": (4.1, 2.0, r"$\sigma$", False),
        "g": (4.1, 1.0, r"$\tanh$", False),
        "o": (4.1, 0.0, r"$\sigma$", False),
        "keep": (5.6, 4, r"$\odot$", False),
        "write": (5.6, 1.5, r"$\odot$", False),
        "plus": (6.9, 4, "$+$", False),
        "tanh": (8.0, 2, r"$\tanh$", False),
        "show": (8.0, 0, r"$\odot$", False),
        "c_out": (9.5, 4, "$c_t$", True),
        "h_out": (9.5, 0, "$h_t$", True),
    }
    edges = [
        ("c", "keep", "", r"$dc_t \odot f$"),
        ("h", "affine", "", ""),
        ("gx", "affine", "", ""),
        ("affine", "f", "$a_f$", "$da_f$", {"at": 0.72}),
        ("affine", "i", "$a_i$", "$da_i$", {"at": 0.72}),
        ("affine", "g", "$a_g$", "$da_g$", {"at": 0.72}),
        ("affine", "o", "$a_o$", "$da_o$", {"at": 0.72}),
        ("f", "keep", "$f$", "$df$"),
        ("i", "write", "$i$", "$di$"),
        ("g", "write", "$g$", "$dg$"),
        ("keep", "plus", "", "$dc_t$"),
        ("write", "plus", r"$i \odot g$", "$dc_t$"),
        ("plus", "c_out", "", ""),
        ("plus", "tanh", "$c_t$", r"$dh_t \odot o \odot (1 - \tanh^2(c_t))$", {"shift": (0.35, 0)}),
        ("tanh", "show", r"$\tanh(c_t)$", r"$dh_t \odot o$"),
        ("o", "show", "$o$", "$do$"),
        ("show", "h_out", "", ""),
    ]
    return data_flow(nodes, edges, 9, 3.4, (-0.5, 10), (-0.5, 4.5))


def gru_cell():
    nodes = {
        "h": (0, 2.4, "$h_{t-1}$", True),
        "gx": (0, 0, "$gx$", True),
        "affine": (2.3, 3.0, "$gx + h_{t-1} W_h + b_h$", False),
        "product": (2.3, 1.2, "$h_{t-1} W_{h,n} + b_{h,n}$", False),
        "z": (4.6, 3.2, r"$\sigma$", False),
        "r": (4.6, 2.2, r"$\sigma$", False),
        "reset": (5.7, 1.2, r"$\odot$", False),
        "n": (7.0, 1.2, r"$\tanh$", False),
        "mix": (8.4, 2.6, r"$(1-z) \odot n + z \odot h_{t-1}$", False),
        "out": (10.4, 2.6, "$h_t$", True),
    }
    edges = [
        ("h", "affine", "", ""),
        ("h", "product", "", ""),
        ("gx", "affine", "", ""),
        ("h", "mix", "$h_{t-1}$", r"$dh_t \odot z$", {"bend": -0.3, "shift": (0, 1.65)}),
        ("affine", "z", "$a_z$", "$da_z$", {"at": 0.76}),
        ("affine", "r", "$a_r$", "$da_r$", {"at": 0.7}),
        ("product", "reset", "$y$", r"$dy = da_n \odot r$", {"at": 0.66}),
        ("gx", "n", "$gx_n$", "$da_n$", {"bend": 0.14, "shift": (0, -0.8)}),
        ("z", "mix", "$z$", "$dz$", {"at": 0.35}),
        ("r", "reset", "$r$", "$dr$"),
        ("reset", "n", "", "$da_n$"),
        ("n", "mix", "$n$", "$dn$"),
        ("mix", "out", "", ""),
    ]
    return data_flow(nodes, edges, 9.5, 3.1, (-0.5, 10.8), (-0.7, 4.6))


def gru_before_cell():
    nodes = {
        "h": (0, 2.4, "$h_{t-1}$", True),
        "gx": (0, 0, "$gx$", True),
        "affine": (2.3, 3.0, "$gx + h_{t-1} W_h + b_h$", False),
        "z": (4.6, 3.2, r"$\sigma$", False),
        "r": (4.6, 2.2, r"$\sigma$", False),
        "reset": (4.6, 1.2, r"$\odot$", False),
        "product": (6.3, 1.2, "$v W_{h,n} + b_{h,n}$", False),
        "n": (8.0, 1.2, r"$\tanh$", False),
        "mix": (9.2, 2.6, r"$(1-z) \odot n + z \odot h_{t-1}$", False),
        "out": (11.2, 2.6, "$h_t$", True),
    }
    edges = [
        ("h", "affine", "", ""),
        ("h", "reset", "$h_{t-1}$", r"$dv \odot r$", {"at": 0.6}),
        ("gx", "affine", "", ""),
        ("h", "mix", "$h_{t-1}$", r"$dh_t \odot z$", {"bend": -0.27, "shift": (0, 1.6)}),
        ("affine", "z", "$a_z$", "$da_z$", {"at": 0.76}),
        ("affine", "r", "$a_r$", "$da_r$", {"at": 0.7}),
        ("r", "reset", "$r$", "$dr$", {"shift": (0.3, 0)}),
        ("reset", "product", "$v$", "$dv$", {"at": 0.32}),
        ("product", "n", "", "$da_n$", {"at": 0.62}),
        ("gx", "n", "$gx_n$", "$da_n$", {"bend": 0.14, "shift": (0, -0.8)}),
        ("z", "mix", "$z$", "$dz$", {"at": 0.35}),
        ("n", "mix", "$n$", "$dn$"),
        ("mix", "out", "", ""),
    ]
    return data_flow(nodes, edges, 9.5, 3.1, (-0.5, 11.6), (-0.7, 4.6))


def report_nets():
    """How the nets of the reports go from a letter and a state to an answer."""
    plans = {
        "A, as printed": (
            {"x": (0, 1.2, "$x_t$", True), "h": (0, 0, "$h_{t-1}$", True),
             "new": (2.6, 0, "i2h", False), "say": (2.6, 1.2, "i2o", False),
             "h_t": (5, 0, "$h_t$", True), "y": (5, 1.2, "$y$", True)},
            [("x", "new"), ("x", "say"), ("h", "new"), ("h", "say"), ("new", "h_t"), ("say", "y")],
        ),
        "B to D; C has no $c$": (
            {"x": (0, 1.2, "$x_t$", True), "h": (0, 0, "$h_{t-1}, c_{t-1}$", True),
             "new": (2.6, 0, "gates", False), "h_t": (5, 0, "$h_t, c_t$", True),
             "say": (5, 1.2, "out", False), "y": (6.6, 1.2, "$y$", True)},
            [("x", "new"), ("h", "new"), ("new", "h_t"), ("h_t", "say"), ("say", "y")],
        ),
        "E, with its mistake": (
            {"x": (0, 1.2, "$x_t$", True), "h": (0, 0, "$h_{t-1}, c_{t-1}$", True),
             "new": (2.6, 0, "gates", False), "h_t": (5, 0, "$h_t, c_t$", True),
             "o": (3.8, 1.2, "$o_t$", True), "say": (5.3, 1.2, "classify", False),
             "y": (7.0, 1.2, "$y$", True)},
            [("x", "new"), ("h", "new"), ("new", "h_t"), ("new", "o"), ("o", "say"), ("say", "y")],
        ),
        "F, the generator": (
            {"x": (0, 1.2, "$k, x_t$", True), "h": (0, 0, "$h_{t-1}$", True),
             "new": (2.6, 0, "i2h", False), "say": (2.6, 1.2, "i2o", False),
             "h_t": (4.4, 0, "$h_t$", True), "both": (4.6, 1.2, "o2o", False),
             "y": (6.4, 1.2, "$y_t$", True)},
            [("x", "new"), ("x", "say"), ("h", "new"), ("h", "say"), ("new", "h_t"),
             ("say", "both"), ("h_t", "both"), ("both", "y")],
        ),
    }  # fmt: skip
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    for k, (title, (nodes, edges)) in enumerate(plans.items()):
        axes = figure.add_subplot(2, 2, k + 1)
        axes.set(xlim=(-1, 7.6), ylim=(-0.5, 1.7))
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=11)
        boxes = {name: node(axes, *at, label, value, 10)
                 for name, (*at, label, value) in nodes.items()}  # fmt: skip
        for start, end in edges:
            arrow(axes, nodes[start][:2], nodes[end][:2], boxes=(boxes[start], boxes[end]))
    return figure


def unrolled():
    figure, axes = canvas(9, 3.6, (-1.1, 8.9), (-1.5, 1.75))
    boxes = [node(axes, 2 * t + 1, 0, f"step {t + 1}", True, 10) for t in range(4)]
    for t, box in enumerate(boxes):
        left, right = 2 * t + 1 - 0.12, 2 * t + 1 + 0.12
        arrow(axes, (left, -1.15), (left, 0), boxes=(None, box))
        arrow(axes, (right, 0), (right, -1.15), color=BACKWARD, boxes=(box, None))
        arrow(axes, (left, 0), (left, 1.25), boxes=(box, None))
        arrow(axes, (right, 1.25), (right, 0), color=BACKWARD, boxes=(None, box))
        for y, forward, backward in [(-1.3, "x", "dx"), (1.4, "h", "u")]:
            axes.text(
                left - 0.03, y, f"${forward}_{t + 1}$", color=FORWARD, ha="right", va="center"
            )
            axes.text(right, y, f"${backward}_{t + 1}$", color=BACKWARD, ha="left", va="center")
    for t in range(5):
        left, right = max(2 * t - 1, -0.9), min(2 * t + 1, 8.7)
        before, after = boxes[t - 1] if t else None, boxes[t] if t < 4 else None
        name = f"share of $dh_{t}$" if 0 < t < 4 else r"$dh_{\mathrm{final}}$" if t else "$dh_0$"
        arrow(axes, (left, 0.1), (right, 0.1), boxes=(before, after))
        arrow(axes, (right, -0.1), (left, -0.1), color=BACKWARD, boxes=(after, before))
        middle = 2 * t + (-0.15 if t == 0 else 0.1 if t == 4 else 0)
        axes.text(middle, 0.3, f"$h_{t}$", color=FORWARD, ha="center", va="center")
        axes.text(middle, -0.36, name, fontsize=9.5, color=BACKWARD, ha="center", va="center")
    return figure


def two_steps():
    """The numbers of chapter 0."""
    w_x, w_h, b, (x_1, x_2), q = 0.5, 0.7, 0.3, (1, -1), 1
    h_1 = np.tanh(w_x * x_1 + b)
    h_2 = np.tanh(w_x * x_2 + w_h * h_1 + b)
    dh_2 = 2 * (h_2 - q)
    da_2 = dh_2 * (1 - h_2**2)
    dh_1 = da_2 * w_h
    da_1 = dh_1 * (1 - h_1**2)
    figure, axes = canvas(9, 3.3, (-1.0, 9.6), (-1.6, 1.45))
    places = {"$h_0$": (0, 0), "step 1": (2.6, 0), "step 2": (5.6, 0), "$L$": (8.6, 0)}
    boxes = {name: node(axes, *at, name, True, 11) for name, at in places.items()}

    def way(start, end, forward, backward, shift=0.42, along=0.0):
        (x0, y0), (x1, y1) = places[start], places[end]
        ends = boxes[start], boxes[end]
        across = (0, 0.11) if y0 == y1 else (-0.11, 0)
        for sign, text, color in [(1, forward, FORWARD), (-1, backward, BACKWARD)]:
            if not text:
                continue
            one = x0 + sign * across[0], y0 + sign * across[1]
            two = x1 + sign * across[0], y1 + sign * across[1]
            pair = (one, two, ends) if sign > 0 else (two, one, ends[::-1])
            arrow(axes, *pair[:2], color=color, boxes=pair[2])
            level = y0 == y1
            axes.text(
                (x0 + x1) / 2 + (along if level else -sign * 0.25),
                (y0 + y1) / 2 + (sign * shift if level else 0),
                text, color=color, fontsize=9.5, va="center",
                ha="center" if level else "right" if sign > 0 else "left",
            )  # fmt: skip

    for t, (x, da) in enumerate([(x_1, da_1), (x_2, da_2)], 1):
        places[f"$x_{t}$"] = 2.6 + 3 * (t - 1), -1.3
        boxes[f"$x_{t}$"] = node(axes, *places[f"$x_{t}$"], f"$x_{t} = {x}$", True, 11)
        way(f"$x_{t}$", f"step {t}", f"$w_x x_{t} = {w_x * x:.1f}$", "")
        axes.text(
            places[f"step {t}"][0], 0.62, f"$da_{t} = {da:.4f}$", color=BACKWARD, fontsize=9.5,
            ha="center",
        )  # fmt: skip
        a = np.arctanh((h_1, h_2)[t - 1])
        axes.text(
            places[f"step {t}"][0], 1.0, f"$a_{t} = {a:.4f}$", color=FORWARD, fontsize=9.5,
            ha="center",
        )  # fmt: skip
    way("$h_0$", "step 1", "$h_0 = 0$", "")
    way("step 1", "step 2", f"$h_1 = {h_1:.4f}$", f"$dh_1 = {dh_1:.4f}$")
    way("step 2", "$L$", f"$h_2 = {h_2:.4f}$", f"$dh_2 = {dh_2:.4f}$")
    axes.text(8.6, 0.62, f"$L = {(h_2 - q) ** 2:.4f}$", color=FORWARD, fontsize=9.5, ha="center")
    return figure


def packed():
    words = ["bees", "cat", "ox"]
    sizes = sizes_of(np.array([len(word) for word in words]))
    figure, axes = canvas(8, 2.5, (-1.4, 13.8), (-1.75, 4.0))

    def cell(x, y, text, color):
        axes.add_patch(Rectangle((x, y), 1, 1, fc=color, ec="0.4"))
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=12)

    for k, word in enumerate(words):
        for t, letter in enumerate(word):
            cell(t, 2 - k, letter, STEPS[t])
    start = 0
    for t, n in enumerate(sizes):
        for k in range(n):
            cell(4.6 + start + k, 1, words[k][t], STEPS[t])
        axes.text(4.6 + start + n / 2, 0.6, f"step {t}", ha="center", va="top", fontsize=8.5)
        start += n
        axes.text(t + 0.5, -0.35, str(n), ha="center", va="center", fontsize=11)
    axes.text(-0.2, -0.35, "sizes", ha="right", va="center", fontsize=10)
    axes.text(2, 3.5, "sequences, longest first", ha="center", fontsize=10)
    axes.text(4.6 + start / 2, 3.5, f"rows as stored: S = {start}", ha="center", fontsize=10)
    axes.text(2, -1.35, "step by step, from left to right", ha="center", fontsize=9, color="0.3")
    return figure


def v_curve():
    rng = np.random.default_rng(0)
    net = randomised(Recurrent(LSTMCell, 4, 5, rng=rng, dtype="float64"), rng)
    problem = recurrent_problem(net, rng, [3] * 20, dense=True)
    outputs, _ = problem.forward(problem.arrays)
    upstream = {name: rng.standard_normal(y.shape) for name, y in outputs.items()}
    direction = {name: rng.standard_normal(a.shape) for name, a in problem.arrays.items()}
    size = np.sqrt(sum((d * d).sum() for d in direction.values()))
    direction = {name: d / size for name, d in direction.items()}
    exact = oracles.directional_complex_step(problem, upstream, direction)
    small = {name: a.astype("float32") for name, a in problem.arrays.items()}

    def difference(arrays, step, dtype):
        ends = []
        for sign in (1, -1):
            moved = {n: (a + sign * step * direction[n]).astype(dtype) for n, a in arrays.items()}
            ends.append(float(oracles.scalar(problem.forward(moved)[0], upstream)))
        return abs((ends[0] - ends[1]) / (2 * step) / exact - 1)

    def complex_error(step):
        estimate = oracles.directional_complex_step(problem, upstream, direction, step)
        return max(abs(estimate / exact - 1), 1e-16)

    steps = 10.0 ** np.arange(-13, 0.1, 0.25)
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, errors, color in [
        ("central differences, float32", [difference(small, s, "float32") for s in steps], "0.55"),
        (
            "central differences, float64",
            [difference(problem.arrays, s, "float64") for s in steps],
            FORWARD,
        ),
        ("complex step", [complex_error(s) for s in steps], BACKWARD),
    ]:
        axes.loglog(steps, np.maximum(errors, 1e-16), "o-", ms=2.5, lw=1, color=color, label=label)
    axes.set(xlabel="step", ylabel="relative error", ylim=(1e-17, 1e2))
    axes.set_title("An LSTM over 20 steps, derivative along one direction", fontsize=10)
    axes.text(1e-9, 3e-6, "rounding\n~ 1 / step", fontsize=9, ha="left", color=FORWARD)
    axes.text(6e-4, 1e-10, "truncation\n~ step$^2$", fontsize=9, ha="left", color=FORWARD)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc=(0.02, 0.2))
    return figure


def gradient_flow():
    T, H, seeds = 60, 64, 5
    kinds = {
        "RNN": (RNNCell, None, "0.45", "-"),
        "LSTM": (LSTMCell, None, FORWARD, "-"),
        "LSTM, forget bias 1": (LSTMCell, 1, FORWARD, "--"),
        "LSTM, forget bias 3": (LSTMCell, 3, FORWARD, ":"),
        "GRU": (GRUCell, None, BACKWARD, "-"),
    }
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, (cell, bias, color, style) in kinds.items():
        logs = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            net = Recurrent(cell, 16, H, rng=rng, forget_bias=bias, dtype="float64")
            _, final, cache = net.forward(rng.standard_normal((T, 4, 16)))
            dfinal = (rng.standard_normal(final[0].shape), *[None] * (len(final) - 1))
            dx, _ = net.backward(None, cache, dfinal)
            logs.append(np.log10(np.linalg.norm(dx, axis=(1, 2))))
        flow = 10 ** np.mean(logs, axis=0)
        axes.semilogy(np.arange(T)[::-1], flow / flow[-1], style, color=color, label=label)
    axes.set(xlabel="steps back from the loss", ylabel="size of dx, last step = 1")
    axes.set_title("Freshly made nets with 64 hidden units, loss at the end", fontsize=10)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    return figure


def gates():
    alphabet, rng = Alphabet(), np.random.default_rng(0)
    sequences = demo.some_names(alphabet, rng)
    net = NameClassifier(len(alphabet), len(demo.LANGUAGES), rng=rng, cell="lstm", hidden_size=24)
    *_, trained = demo.looks(net, sequences, rng)
    name = "Papadopoulos"
    batch = Sequences([alphabet.encode(name)], [0], 4, len(alphabet)).batch(np.array([0]))
    figure = plotting.plot_gates(trained.gates(batch), name)
    figure.set_size_inches(11, 3.6)
    return figure


def mpi_speed_up():
    measured = json.loads((DOCS / "results" / "mpi.json").read_text())
    ranks = 2 ** np.arange(11)
    links = {
        "through memory, measured": (measured["latency"], measured["bandwidth"]),
        "10 Gbit/s, 30 us, assumed": (30e-6, 1.25e9),
    }
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for panel, (title, link) in zip(axes, links.items(), strict=True):
        panel.plot(ranks, ranks, color="0.6", lw=1, ls=":", label="as many times as ranks")
        for net, color in zip(measured["nets"], (FORWARD, "#3c8a4e", BACKWARD), strict=True):
            given = 1024, net["fixed"], net["each"], 4 * net["parameters"], *link
            times = [cost.step(int(n), *given) for n in ranks]
            panel.plot(ranks, times[0] / np.array(times), color=color, marker="o", ms=3,
                       label=f"H = {net['hidden']}, {net['parameters']:,} numbers")  # fmt: skip
        panel.set_xscale("log", base=2)
        panel.set_yscale("log", base=2)
        panel.set(title=title, xlabel="ranks", ylim=(0.5, 128), xticks=ranks, yticks=ranks[:8],
                  xticklabels=ranks, yticklabels=ranks[:8])  # fmt: skip
        panel.tick_params(axis="x", labelrotation=45)
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("times as fast as one")
    axes[0].legend(fontsize=8, loc="upper left")
    return figure


PICTURES = {
    "two-steps": two_steps,
    "rnn-cell": rnn_cell,
    "lstm-cell": lstm_cell,
    "gru-cell": gru_cell,
    "gru-before-cell": gru_before_cell,
    "report-nets": report_nets,
    "unrolled": unrolled,
    "packed": packed,
    "v-curve": v_curve,
    "gradient-flow": gradient_flow,
    "gates": gates,
    "mpi-speed-up": mpi_speed_up,
}


def main(folder=DOCS / "figures"):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        path = folder / f"{name}.png"
        figure, drawn = draw(), io.BytesIO()
        FigureCanvasAgg(figure).draw()  # boxes know their edges only once they are drawn
        figure.savefig(drawn, format="png", dpi=100)
        Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
