"""Each line of the LSTM's cell as an equation, and the equation with its numbers put in.

Both are written from the line of `cells.py` itself, so they can't differ from it.
"""

import ast
import re
from typing import NamedTuple

import sync

from minirnn.cells import LSTMCell
from minirnn.stepper.equations import equations, returned, values
from minirnn.stepper.trace import statements, targets

from . import net

GIVEN = {
    "h_prev": "h<sub>t−1</sub>, from the step before; h<sub>0</sub> = 0",
    "c_prev": "c<sub>t−1</sub>, from the step before; c<sub>0</sub> = 0",
    "dh": "dh<sub>t</sub> = (h<sub>t</sub> − q<sub>t</sub>) + dh<sub>t</sub> from step t+1",
}
GX = re.compile("gx<sub>(.)</sub>")
LOOP = ("minirnn/recurrent.py", "Recurrent.backward", "dstate = [dstate[0] + doutput")
WEIGHTS = {
    "dWx": ("minirnn/recurrent.py", "Recurrent._add_gradients", "self.Wx.grad +="),
    "dWh": ("minirnn/product.py", "ProductBackward.add_weight_gradient", "+= v.T @ da"),
    "ask": ("minirnn/recurrent.py", "Recurrent._add_gradients", "undo.add_weight_gradient"),
    "db": ("minirnn/recurrent.py", "Recurrent._add_gradients", "dbx = dgx.sum"),
}


class Row(NamedTuple):
    """A quantity: its equation as HTML, the lines that compute it, and its numbers."""

    variable: str
    equation: str
    places: list  # [(path, line)]
    entries: list  # [(which one it is, the equation with numbers or "", value, key)]


def number(value, digits=3):
    """Write a number as the page shows it."""
    text = f"{value:.{digits}f}"
    return (text[1:] if text.startswith("-") and not float(text) else text).replace("-", "−")


def short(value):
    """Write a number that has few digits: a weight, an input."""
    return f"{value:g}".replace("-", "−")


def factor(text):
    """Put a number with a sign into brackets."""
    return f"({text})" if text.startswith("−") else text


def step_rows(run, phase, t):
    """Write a `Row` for each quantity that a step computes; t counts from 0."""
    now = getattr(run, phase)[t]
    known = run.forward[t] | now
    written = {(e.line, e.variable): e for e in equations(LSTMCell(), phase)}
    rows = []
    for line, variable, value, gate in assignments(phase):
        e = written[line, variable]
        if variable == "da" or (variable == "dc" and e.kind == "given"):
            continue  # their numbers stand in the rows of the gates, and in that of the sum
        equation = GX.sub(r"x<sub>t</sub> W<sub>x,\1</sub> + b<sub>\1</sub>", e.equal)
        place = place_of(LOOP) if variable == "dh" else ("minirnn/cells.py", line)
        entries = []
        for unit in range(net.H):
            if variable in GIVEN:
                text = arriving(run, t, unit) if variable == "dh" else ""
            else:
                before = known | {"dc": now["dc_given"]} if variable == "dc" else known
                text = Numbers(before, t, unit, gate).write(value)
            key = f"{phase[0]}{t + 1}.{variable}.{unit}"
            entries.append((f"unit {unit + 1}", text, now[variable][unit], key))
        rows.append(Row(variable, GIVEN.get(variable, equation), [place], entries))
    return rows


def arriving(run, t, unit):
    """Write what dh is made of: this step's own loss, and what the next step sends back."""
    future = run.backward[t + 1]["dh_prev"][unit] if t + 1 < net.T else 0
    own = f"({number(run.forward[t]['h'][unit])} − {factor(short(net.Q[t][unit]))})"
    return f"{own} + {factor(number(future))}"


def place_of(source):
    """Return the path and the line of (path, name, text that stands in the line)."""
    return source[0], sync.place(*source)[0]


def assignments(phase):
    """Yield (line, variable, syntax tree of its value, its gate or None), line by line."""
    for statement in statements(getattr(LSTMCell, phase)):
        node = statement.node
        if isinstance(node, ast.Return):
            for name, value in returned(node, LSTMCell(), phase):
                yield statement.first, name, value, None
            continue
        pairs = zip(targets(node), values(node), strict=True)
        for k, (name, value) in enumerate(pairs):
            if isinstance(value, ast.Name) and value.id == "cache":
                continue
            several = isinstance(node.targets[0], ast.Tuple) and value is node.value
            yield statement.first, name, value, k if several else None


class Numbers:
    """Writes an expression of the cell with the numbers of one unit in it."""

    def __init__(self, values, t, unit, gate):
        self.values, self.t, self.unit, self.gate = values, t, unit, gate

    def write(self, node):
        """Write an expression; raise `LookupError` where it is of no kind that a cell has."""
        match node:
            case ast.Name(id="gx"):
                return self.projected()
            case ast.Name():
                return number(self.values[node.id][self.unit])
            case ast.BinOp(op=ast.Add()):
                return f"{self.write(node.left)} + {bracketed(self.write(node.right))}"
            case ast.BinOp(op=ast.Mult()):
                return f"{self.one(node.left)} × {self.one(node.right)}"
            case ast.Call(func=ast.Name(id="product")):
                h, W = self.values["h_prev"], net.WH[self.gate]
                return products(map(number, h), [row[self.unit] for row in W])
            case ast.Call(func=ast.Attribute(attr="backward")):
                return self.back()
            case ast.Call(func=ast.Name(id=function), args=[argument]):
                y = self.write(argument)
                return {
                    "sigmoid": f"σ({y})",
                    "tanh": f"tanh({y})",
                    "d_sigmoid": f"{factor(y)} × (1 − {factor(y)})",
                    "d_tanh": f"(1 − {factor(y)}²)",
                }[function]
        raise LookupError(f"no way to write {ast.unparse(node)} in numbers")

    def one(self, node):
        """Write a factor."""
        return factor(self.write(node)) if isinstance(node, ast.Name) else self.write(node)

    def projected(self):
        """Write x Wx + b of one gate and unit."""
        weights = [row[self.unit] for row in net.WX[self.gate]]
        bias = short(net.B[self.gate][self.unit])
        return f"{products(map(short, net.X[self.t]), weights)} + {factor(bias)}"

    def back(self):
        """Write da Wh^T, summed over the gates: for a unit, its row of each Wh."""
        return " + ".join(
            products(map(number, self.values[f"da{gate}"]), net.WH[k][self.unit])
            for k, gate in enumerate(net.GATES)
        )


def products(texts, weights):
    """Write a row times a column."""
    pairs = zip(texts, weights, strict=True)
    return " + ".join(f"{factor(a)} × {factor(short(w))}" for a, w in pairs)


def bracketed(text):
    return factor(text) if " " not in text else text


def weight_rows(run):
    """Write a `Row` for the gradient of each gate's weights: for each entry the sum over time."""
    rows = []
    for kind in ("dWx", "dWh", "db"):
        places = [place_of(WEIGHTS[k]) for k in ((kind, "ask") if kind == "dWh" else (kind,))]
        for k, gate in enumerate(net.GATES):
            letter = {"dWx": "W<sub>x,", "dWh": "W<sub>h,", "db": "b<sub>"}[kind]
            shown = f"d{letter}{gate}</sub>"
            left = {"dWx": "x<sub>t</sub><sup>⊤</sup> ", "dWh": "h<sub>t−1</sub><sup>⊤</sup> "}
            equation = f"{shown} = Σ<sub>t</sub> {left.get(kind, '')}da<sub>{gate},t</sub>"
            entries = []
            for j in range(2 if kind != "db" else 1):
                for u in range(net.H):
                    shares = []
                    for t in range(net.T):
                        da = number(run.backward[t][f"da{gate}"][u])
                        first = {"dWx": short(net.X[t][j]),
                                 "dWh": number(run.forward[t]["h_prev"][j])}.get(kind)  # fmt: skip
                        shares.append(f"{factor(first)} × {factor(da)}" if first else factor(da))
                    place = f"[{j + 1}, {u + 1}]" if kind != "db" else f"unit {u + 1}"
                    value = run.gradients[kind][(k, j, u) if kind != "db" else (k, u)]
                    key = f"w.{kind}{gate}.{j}{u}"
                    entries.append((place, " + ".join(shares), value, key))
            rows.append(Row(f"{kind}{gate}", equation, places, entries))
    return rows


def numbers(run):
    """Return {key: value} of every number of a run that the page shows."""
    rows = weight_rows(run)
    for t in range(net.T):
        rows += step_rows(run, "forward", t) + step_rows(run, "backward", t)
    return {key: value for row in rows for _, _, value, key in row.entries}
