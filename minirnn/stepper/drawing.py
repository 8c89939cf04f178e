"""The drawing of a cell: a box for what a line assigns, joined to the boxes of what it uses."""

import re
from typing import NamedTuple

from ..cells import GRUBeforeCell, GRUCell, LSTMCell, RNNCell


class Plan(NamedTuple):
    """Where things stand, as {name: (column, row)}: boxes, and signs, where two are multiplied.

    A line is "START WORD END": "to" is straight, "down" goes down and then across, "over" and
    "under" turn twice, above or below END. `memory` names what is on the way of the memory.
    """

    boxes: dict
    signs: dict
    lines: str
    memory: str = ""


ENDS = """z down zn, n to zn, zn to h, z under zh, h_prev to zh, zh to h"""
PLANS = {
    RNNCell: Plan(
        {"gx_h": (1, 0), "h_prev": (3, 0), "a": (2, 1), "h": (2, 2)},
        {},
        "gx_h down a, h_prev down a, a to h",
    ),
    LSTMCell: Plan(
        {
            "gx_i": (0, 0), "gx_g": (1, 0), "gx_f": (2, 0), "h_prev": (3, 0), "gx_o": (4, 0),
            "ai": (0, 1), "ag": (1, 1), "af": (2, 1), "ao": (4, 1),
            "i": (0, 2), "g": (1, 2), "f": (2, 2), "c_prev": (3, 2), "o": (4, 2),
            "c": (3, 4), "tanh_c": (3, 5), "h": (4, 6),
        },
        {"ig": (0.5, 3), "fc": (3, 3), "oc": (4, 5)},
        """gx_i to ai, gx_g to ag, gx_f to af, gx_o to ao,
        h_prev over ai, h_prev over ag, h_prev over af, h_prev over ao,
        ai to i, ag to g, af to f, ao to o, f down fc, c_prev to fc, i down ig, g down ig,
        fc to c, ig down c, c to tanh_c, tanh_c to oc, o to oc, oc to h""",
        memory="c_prev fc c",
    ),
    GRUCell: Plan(
        {
            "h_prev": (4, 0), "gx_z": (0, 1), "product_z": (1, 1), "gx_r": (2, 1),
            "product_r": (3, 1), "z": (0, 2), "r": (2, 2), "product_n": (3, 3), "n": (2, 4),
            "gx_n": (3, 4), "h": (3, 5),
        },
        {"rn": (2, 3), "zn": (2, 5), "zh": (4, 5)},
        """h_prev over product_z, h_prev over product_r, h_prev down product_n,
        gx_z to z, product_z down z, gx_r to r, product_r down r, r to rn, product_n to rn,
        rn to n, gx_n to n, """ + ENDS,
        memory="h_prev zh h",
    ),
    GRUBeforeCell: Plan(
        {
            "gx_z": (0, 0), "gx_r": (2, 0), "h_prev": (4, 0), "az": (0, 1), "ar": (2, 1),
            "z": (0, 2), "r": (2, 2), "n": (2, 4), "gx_n": (3, 4), "h": (3, 5),
        },
        {"rh": (2, 3), "zn": (2, 5), "zh": (4, 5)},
        """h_prev over az, h_prev over ar, gx_z to az, gx_r to ar, az to z, ar to r,
        r to rh, h_prev down rh, rh to n, gx_n to n, """ + ENDS,
        memory="h_prev zh h",
    ),
}  # fmt: skip
WIDTH, PITCH, HEIGHT = 360, 72, 54  # of the drawing, of a column, of a row
HALF, DOWN, ROUND = 29, 18, 10  # halves of a box, and of a sign


def drawing(cell, panels):
    """SVG of a cell, or None where no plan of it is known; `panels` as `layer_of` makes them.

    A box carries the variables of its value and of its gradient as data-forward and data-backward,
    which "" says where there is none. Only the library's own cells have a plan.
    """
    plan = PLANS.get(type(cell))
    if plan is None:
        return None
    known = {phase: {} for phase in ("forward", "backward", "sum")}
    for panel in panels:
        known[panel["phase"]][panel["variable"]] = panel
    lines = [line.split() for line in plan.lines.split(",")]
    ends = [(start, end) for start, _, end in lines]
    lines = [join(plan, ends, *line) for line in lines]
    signs = [sign(*middle(place)) for place in plan.signs.values()]
    boxes = [box(v, middle(place), known) for v, place in plan.boxes.items()]
    rows = max(row for _, row in [*plan.boxes.values(), *plan.signs.values()])
    if "under" in plan.lines:
        rows += 0.4
    height = round(middle((0, rows))[1]) + DOWN + 4
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="group" '
        f'aria-label="The cell">{"".join(lines + signs + boxes)}</svg>'
    )


def middle(place):
    """The middle of a place, in points of the drawing."""
    column, row = place
    return PITCH * (column + 0.5), DOWN + 4 + HEIGHT * row


def gradient(variable, backward):
    """The name of a variable's gradient among those of backward, or ""; a sum hands its own on."""
    gate = re.sub("^(gx_|product_|a)", "", variable)
    names = f"d{variable}", *([] if gate == variable else [f"da{gate}", "da"])
    return next((name for name in names if name in backward), "")


def box(variable, at, known):
    """A box with the name of a value and of its gradient, and room for the numbers."""
    (x, y), panel = at, known["forward"][variable]
    back = gradient(variable, known["backward"])
    function = re.search("= (σ|tanh|relu)\\(", panel["equal"])
    named = "" if function is None or variable == "tanh_c" else function[1]
    left = f'x="{x - HALF + 5:g}" y="{y - 4:g}"'
    below = known["backward"][back]["name"] if back else panel["name"]
    return (
        f'<g class="box" data-forward="{variable}" data-backward="{back}">'
        f'<rect x="{x - HALF:g}" y="{y - DOWN:g}" width="{2 * HALF}" height="{2 * DOWN}" rx="4"/>'
        f'<text class="forward" {left}>{letters(panel["name"])}</text>'
        f'<text class="backward" {left}>{letters(below)}</text>'
        f'<text class="function" x="{x + HALF - 4:g}" y="{y - 4:g}">{named}</text>'
        f'<image x="{x - HALF + 4:g}" y="{y + 4:g}" width="{2 * HALF - 8}" height="10" '
        'preserveAspectRatio="none"/></g>'
    )


def letters(name):
    """A name in HTML as SVG text: what stands below the line is smaller."""
    return re.sub("<sub>(.*?)</sub>", r'<tspan class="low" dy="3">\1</tspan>', name)


def sign(x, y):
    """A circle in which two values are multiplied."""
    return (
        f'<g class="times"><circle cx="{x:g}" cy="{y:g}" r="{ROUND}"/>'
        f'<text x="{x:g}" y="{y + 5:g}">×</text></g>'
    )


def join(plan, ends, start, word, end):
    """A line from the edge of one thing to that of another, with an arrow for either way.

    data-from and data-to name boxes: what lies beyond, where the line ends at a sign.
    """
    sources = [a for a, b in ends if b == start] if start in plan.signs else [start]
    (target,) = [b for a, b in ends if a == end] if end in plan.signs else [end]
    places = plan.boxes | plan.signs
    (x0, y0), (x, y) = middle(places[start]), middle(places[end])
    turns = {
        "to": [], "down": [(x0, y)], "over": [(x0, y - HEIGHT / 2), (x, y - HEIGHT / 2)],
        "under": [(x0, y + 0.7 * HEIGHT), (x, y + 0.7 * HEIGHT)],
    }[word]  # fmt: skip
    points = [(x0, y0), *turns, (x, y)]
    points[0] = edge(points[0], points[1], start in plan.signs)
    points[-1] = edge(points[-1], points[-2], end in plan.signs)
    d = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    memory = " memory" if {start, end} <= set(plan.memory.split()) else ""
    return (
        f'<g class="line{memory}" data-from="{" ".join(sources)}" '
        f'data-to="{target}"><path d="{d}"/>'
        f"{tip(points[-2], points[-1], 'forward')}{tip(points[1], points[0], 'backward')}</g>"
    )


def edge(at, other, of_sign):
    """Where a line that leaves the middle `at` of a thing towards `other` leaves the thing."""
    (x, y), along, across = at, sense(other[0] - at[0]), sense(other[1] - at[1])
    return x + along * (ROUND if of_sign else HALF), y + across * (ROUND if of_sign else DOWN)


def sense(difference):
    """The sign of a number: -1, 0 or 1."""
    return (difference > 0) - (difference < 0)


def tip(before, at, phase):
    """The head of an arrow that comes from `before`."""
    (x, y), along, across = at, sense(at[0] - before[0]), sense(at[1] - before[1])
    back, side = (x - 6 * along, y - 6 * across), (4 * across, 4 * along)
    return (
        f'<path class="tip {phase}" d="M{x:g} {y:g}L{back[0] - side[0]:g} {back[1] - side[1]:g}'
        f'L{back[0] + side[0]:g} {back[1] + side[1]:g}Z"/>'
    )
