"""The pictures of the worked example, as SVG whose parts carry the names of the quantities."""

import math
import re

from . import net
from .formulas import number, short

# A step runs down the page, as the lines of the code do; {variable: middle of its box}.
ROWS = (24, 92, 150, 204, 240, 286, 340, 394, 456)  # heights
IN, A, GATE, TIMES, PLUS, C, TANH, H, OUT = ROWS
COLUMNS = {"i": 40, "g": 120, "f": 200, "o": 360}
BUS, HALF, DOWN, LOSS = 58, 37, 20, 46  # the lines to the gates; halves of boxes, and of the loss's
PLACES = {
    "x": (40, IN), "h_prev": (120, IN), "c_prev": (280, IN),
    **{f"a{k}": (x, A) for k, x in COLUMNS.items()},
    **{k: (x, GATE) for k, x in COLUMNS.items()},
    "c": (280, C), "tanh_c": (280, TANH), "h": (360, H), "loss": (205, H),
    "dc_given": (40, OUT), "dh_given": (360, OUT),
}  # fmt: skip
SIGNS = {
    "ig": (80, TIMES, "×"), "fc": (280, TIMES, "×"), "sum": (280, PLUS, "+"), "oc": (360, TANH, "×")
}  # fmt: skip

# {variable: the lines along which forward computes it, from what goes in}
FORWARD = {
    **{
        f"a{k}": [[("x", 0, DOWN), (40, BUS), (x, BUS), (f"a{k}", 0, -DOWN)],
                  [("h_prev", 0, DOWN), (120, BUS), (x, BUS), (f"a{k}", 0, -DOWN)]]
        for k, x in COLUMNS.items()
    },
    **{k: [[(f"a{k}", 0, DOWN), (k, 0, -DOWN)]] for k in COLUMNS},
    "c": [
        [("c_prev", 0, DOWN), ("fc", 0, -11)],
        [("f", 0, DOWN), (200, TIMES), ("fc", -11, 0)],
        [("i", 0, DOWN), (40, TIMES), ("ig", -11, 0)],
        [("g", 0, DOWN), (120, TIMES), ("ig", 11, 0)],
        [("ig", 0, 11), (80, PLUS), ("sum", -11, 0)],
        [("fc", 0, 11), ("sum", 0, -11)],
        [("sum", 0, 11), ("c", 0, -DOWN)],
    ],
    "tanh_c": [[("c", 0, DOWN), ("tanh_c", 0, -DOWN)]],
    "h": [
        [("tanh_c", HALF, 0), ("oc", -11, 0)],
        [("o", 0, DOWN), ("oc", 0, -11)],
        [("oc", 0, 11), ("h", 0, -DOWN)],
    ],
}  # fmt: skip
LEAVES = {  # what leaves the step
    "loss": [[("h", -HALF, 0), ("loss", LOSS, 0)]],
    "h": [[("h", 0, DOWN), ("dh_given", 0, -DOWN)]],
    "c": [[("c", -HALF, 0), (40, C), ("dc_given", 0, -DOWN)]],
}
MEMORY = {"c": (0, 5, 6), "dc": (3,), "dc_prev": (0, 1, 2)}  # which lines c goes along
BACK_TO_PLUS = [[("c", 0, -DOWN), ("sum", 0, 11)], [("sum", 0, -11), ("fc", 0, 11)]]
BACKWARD = {
    "dh": [[("loss", LOSS, 0), ("h", -HALF, 0)], [("dh_given", 0, -DOWN), ("h", 0, DOWN)]],
    "do": [[("h", 0, -DOWN), ("oc", 0, 11)], [("oc", 0, -11), ("o", 0, DOWN)]],
    "dc": [
        [("h", 0, -DOWN), ("oc", 0, 11)],
        [("oc", -11, 0), ("tanh_c", HALF, 0)],
        [("tanh_c", 0, -DOWN), ("c", 0, DOWN)],
        [("dc_given", 0, -DOWN), (40, C), ("c", -HALF, 0)],
    ],
    "df": [*BACK_TO_PLUS, [("fc", -11, 0), (200, TIMES), ("f", 0, DOWN)]],
    "dc_prev": [*BACK_TO_PLUS, [("fc", 0, -11), ("c_prev", 0, DOWN)]],
    **{
        f"d{k}": [BACK_TO_PLUS[0], [("sum", -11, 0), (80, PLUS), ("ig", 0, 11)],
                  [("ig", side, 0), (COLUMNS[k], TIMES), (k, 0, DOWN)]]
        for k, side in (("i", -11), ("g", 11))
    },
    **{f"da{k}": [[(k, 0, -DOWN), (f"a{k}", 0, DOWN)]] for k in COLUMNS},
    "dh_prev": [
        [(f"a{k}", 0, -DOWN), (x, BUS), (120, BUS), ("h_prev", 0, DOWN)]
        for k, x in COLUMNS.items()
    ],
}  # fmt: skip


def point(place):
    """Return the coordinates of (x, y), or of (name, dx, dy)."""
    if isinstance(place[0], str):
        x, y = (PLACES.get(place[0]) or SIGNS[place[0]])[:2]
        return x + place[1], y + place[2]
    return place


def lines(paths, variable, kind="", thick=()):
    """Draw the lines of one quantity, each on one that is wide enough to be touched.

    thick: the numbers of those that belong to the memory's way.
    """
    written, plain = [], kind
    for k, path in enumerate(paths):
        kind = f"{plain} carry" if k in thick else plain
        points = [point(place) for place in path]
        d = "M" + "L".join(f"{x} {y}" for x, y in points)
        written.append(f'<path class="hit" d="{d}"/><path class="line{kind}" d="{d}"/>')
        (x0, y0), (x, y) = points[-2:]
        along, across = (x > x0) - (x < x0), (y > y0) - (y < y0)
        if "share" not in kind:
            written.append(
                f'<path class="tip{kind}" d="M{x} {y}L{x - 6 * along - 4 * across} '
                f"{y - 6 * across - 4 * along}L{x - 6 * along + 4 * across} "
                f'{y - 6 * across + 4 * along}Z"/>'
            )
    return f'<g class="edge" data-v="{variable}">{"".join(written)}</g>'


def text(x, y, content, kind=""):
    """Write SVG text; <sub> becomes a small part below the line."""
    content = re.sub(
        "<sub>(.*?)</sub>", r'<tspan class="low" dy="3">\1</tspan><tspan dy="-3"> </tspan>', content
    )
    return f'<text x="{x}" y="{y}"{f" class={kind!r}" if kind else ""}>{content}</text>'


def box(place, name, values, variable, keys=(), kind="", half=HALF):
    """Draw a box with a name and the numbers of both units; place: its name or its middle."""
    x, y = PLACES.get(place, place)
    parts = [f'<rect x="{x - half}" y="{y - DOWN}" width="{2 * half}" height="40" rx="5"/>']
    if values:
        parts.append(text(x - half + 4, y + 4, name, "name"))
        for k, value in enumerate(values):
            at = f'x="{x + half - 4}" y="{y - 3 + 15 * k}"'
            parts.append(f'<text class="value" {at}{place_of(keys, k)}>{value}</text>')
    else:
        parts.append(text(x, y + 4, name, "name middle"))
    data = f' data-v="{variable}"' if variable else ""
    return f'<g class="node{kind}"{data}>{"".join(parts)}</g>'


def place_of(keys, k):
    return f' data-k="{keys[k]}"' if keys else ""


def svg(height, content, label, kind="cell"):
    return (
        f'<svg class="drawing {kind}" viewBox="0 0 400 {height}" role="img" '
        f'aria-label="{label}">{content}</svg>'
    )


def cell(run, phase, t):
    """Draw the cell in one step, with the numbers of a pass; t counts from 0."""
    values, back = run.forward[t], phase == "backward"
    shown = run.backward[t] if back else values
    key = f"{phase[0]}{t + 1}"
    parts = []
    for variable, paths in (BACKWARD if back else FORWARD).items():
        parts.append(lines(paths, variable, thick=MEMORY.get(variable, ())))
    if not back:
        parts += [lines(LEAVES[v], "h" if v == "loss" else v, " out") for v in ("loss", "h")]
        parts.append(lines(LEAVES["c"], "c", " out", thick=(0,)))
    for x, y, sign in SIGNS.values():
        circle = f'<circle cx="{x}" cy="{y}" r="11"/>'
        parts.append(f'<g class="sign">{circle}{text(x, y + 5, sign)}</g>')

    def put(place, name, variable):
        numbers = [number(v) for v in shown[variable]]
        parts.append(box(place, name, numbers, variable, [f"{key}.{variable}.{u}" for u in (0, 1)]))

    d = "d" if back else ""
    xs = [short(v) for v in net.X[t]]
    parts.append(box("x", f"x<sub>{t + 1}</sub>", xs, None, kind=" plain"))
    put("h_prev", f"{d}h<sub>{t}</sub>", f"{d}h_prev")
    put("c_prev", f"{d}c<sub>{t}</sub>", f"{d}c_prev")
    for gate in "igfo":
        put(f"a{gate}", f"{d}a<sub>{gate}</sub>", f"{d}a{gate}")
        put(gate, f"{d}{gate}", f"{d}{gate}")
    put("c", f"{d}c<sub>{t + 1}</sub>", f"{d}c")
    put("h", f"{d}h<sub>{t + 1}</sub>", f"{d}h")
    if back:
        tanh = [number(v) for v in values["tanh_c"]]
        parts.append(box("tanh_c", "tanh", tanh, None, kind=" plain"))
        off = [number(v) for v in run.doutput[t]]
        parts.append(box("loss", "h − q", off, "dh", kind=" plain", half=LOSS))
        for variable in ("dc", "dh"):
            future = run.backward[t + 1][f"{variable}_prev"] if t + 1 < net.T else [0.0, 0.0]
            keys = [f"b{t + 2}.{variable}_prev.{u}" for u in (0, 1)] if t + 1 < net.T else ()
            numbers = [number(v) for v in future]
            parts.append(box(f"{variable}_given", variable, numbers, variable, keys, kind=" plain"))
        origin = f"from step {t + 2}" if t + 1 < net.T else "there is no later step"
        parts.append(text(200, OUT + 5, origin, "note middle"))
    else:
        put("tanh_c", "tanh", "tanh_c")
        qs = [short(v) for v in net.Q[t]]
        parts.append(box("loss", f"q<sub>{t + 1}</sub>", qs, None, kind=" plain", half=LOSS))
        goal = f"to step {t + 2}" if t + 1 < net.T else "the end"
        parts.append(text(200, OUT + 5, goal, "note middle"))
        for name, place in (("c", "dc_given"), ("h", "dh_given")):
            parts.append(box(place, f"{name}<sub>{t + 1}</sub>", None, name, kind=" plain"))
    way = "forward, from the top down" if not back else "backward, from the bottom up"
    label = f"The cell in step {t + 1}, {way}. Its numbers stand in the equations beside it."
    return svg(OUT + 24, "".join(parts), label)


def sums(run):
    """Draw the three steps, and the weights' gradients, to which each step adds a share."""
    edges, nodes, heights = [], [], {}
    rows = ["x<sub>t</sub>", "h<sub>t−1</sub>", *(f"da<sub>{k}</sub>" for k in net.GATES)]
    for name, y in zip(rows, range(40, 232, 32), strict=True):
        nodes.append(text(4, y + 5, name, "name"))
        heights[name] = y
    places = {
        (kind, k): (50 + 100 * n, y)
        for kind, y in (("dWx", 264), ("dWh", 326), ("db", 381))
        for n, k in enumerate(net.GATES)
    }
    for t in range(net.T):
        x = 104 + 118 * t
        nodes.append(text(x, 16, f"step {t + 1}", "note middle"))
        inputs = [short(v) for v in net.X[t]]
        nodes.append(pair(x, heights[rows[0]], inputs, variables("dWx"), ()))
        state, keys = run.forward[t]["h_prev"], [f"f{t + 1}.h_prev.{u}" for u in (0, 1)]
        nodes.append(pair(x, heights[rows[1]], map(number, state), variables("dWh"), keys))
        for name, k in zip(rows[2:], net.GATES, strict=True):
            da, keys = run.backward[t][f"da{k}"], [f"b{t + 1}.da{k}.{u}" for u in (0, 1)]
            used = f"dWx{k} dWh{k} db{k}"
            nodes.append(pair(x, heights[name], map(number, da), used, keys))
            for kind, source in (("dWx", rows[0]), ("dWh", rows[1]), ("db", None)):
                sources = [name, source] if source else [name]
                paths = [[(x, heights[one]), places[kind, k]] for one in sources]
                edges.append(lines(paths, f"{kind}{k}", " share"))
    nodes += [result(run, kind, k, *place) for (kind, k), place in places.items()]
    label = "The three steps above, the gradients of the weights below; their numbers are listed."
    return svg(408, "".join(edges + nodes), label, "cell sums")


def variables(kind):
    return " ".join(f"{kind}{k}" for k in net.GATES)


def pair(x, y, values, names, keys):
    """Draw a flat box with the numbers of both units side by side."""
    parts = [f'<rect x="{x - 55}" y="{y - 13}" width="110" height="26" rx="5"/>']
    for k, value in enumerate(values):
        at = f'x="{x - 3 + 50 * k}" y="{y + 4}"'
        parts.append(f'<text class="value" {at}{place_of(keys, k)}>{value}</text>')
    return f'<g class="node" data-v="{names}">{"".join(parts)}</g>'


def result(run, kind, k, x, y):
    """Draw the gradient of one gate's weights, a small table."""
    table = run.gradients[kind][net.GATES.index(k)].reshape(-1, net.H)
    top, height = y - 28 + (6 if len(table) == 1 else 0), 26 + 15 * len(table)
    name = f"d{kind[1]}<sub>{kind[2:]}{',' if kind[2:] else ''}{k}</sub>"
    parts = [f'<rect x="{x - 48}" y="{top}" width="96" height="{height}" rx="5"/>']
    parts.append(text(x - 42, top + 14, name, "name"))
    for j, entries in enumerate(table):
        for u, value in enumerate(entries):
            at = f'x="{x - 2 + 45 * u}" y="{top + 29 + 15 * j}"'
            key = f' data-k="w.{kind}{k}.{j}{u}"'
            parts.append(f'<text class="value" {at}{key}>{number(value)}</text>')
    return f'<g class="node" data-v="{kind}{k}">{"".join(parts)}</g>'


def heat(values, others, label):
    """Draw gates by steps: a square for each da, the darker the further off.

    values: {(gate, t): [H]}; others: those of the right net, beside which they are set.
    """
    top = max(abs(v) for pair in others.values() for v in pair)
    parts = []
    for t in range(net.T):
        parts.append(text(104 + 116 * t, 14, f"step {t + 1}", "note middle"))
    for row, gate in enumerate(net.GATES):
        parts.append(text(22, 48 + 46 * row, f"da<sub>{gate}</sub>", "name middle"))
        for t in range(net.T):
            for u in range(net.H):
                x, y = 48 + 116 * t + 57 * u, 24 + 46 * row
                value, right = values[gate, t][u], others[gate, t][u]
                off = abs(value - right) / top
                wrong = number(value) != number(right)
                shade = min(1, math.sqrt(off)) if wrong else 0
                parts.append(
                    f'<rect class="square" x="{x}" y="{y}" width="55" height="40"/>'
                    f'<rect class="off" x="{x}" y="{y}" width="55" height="40" '
                    f'fill-opacity="{shade * 0.32:.2f}"/>'
                )
                if wrong:
                    parts.append(text(x + 27, y + 17, number(value), "value wrong middle"))
                    parts.append(text(x + 27, y + 33, number(right), "value right middle"))
                else:
                    parts.append(text(x + 27, y + 25, number(value), "value middle"))
    return svg(212, "".join(parts), label, "heat")


def curves(right, wrong, every, guess, label):
    """Draw the loss against iterations of training, right and wrong, a line for each seed."""
    left, top, width, height = 34, 10, 348, 170
    count = len(right[0])

    def path(run):
        points = [
            (left + width * (k + 0.5) / count, top + height * (1 - min(v, 1.5) / 1.5))
            for k, v in enumerate(run)
        ]
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)

    parts = []
    for value in (0, 0.5, 1, 1.5):
        y = top + height * (1 - value / 1.5)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}h{width}"/>')
        parts.append(text(left - 6, f"{y + 4:.1f}", f"{value:g}", "note end"))
    y = top + height * (1 - guess / 1.5)
    parts.append(f'<path class="guess" d="M{left} {y:.1f}h{width}"/>')
    parts.append(text(left + width, f"{y - 4:.1f}", "guessing", "note end"))
    for k in (0, 200, 400, 600):
        x = left + width * k / (count * every)
        parts.append(text(f"{x:.0f}", top + height + 16, str(k), "note middle"))
    parts.append(text(left + width / 2, top + height + 34, "iterations of training", "note middle"))
    for kind, runs in (("right", right), ("wrong", wrong)):
        parts += [f'<path class="curve {kind}" d="{path(run)}"/>' for run in runs]
    return svg(top + height + 42, "".join(parts), label, "curves")
