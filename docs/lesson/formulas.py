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
    "dh": "dh<sub>t</sub> = (h<sub>t</sub> − y<sub>t</sub>) + dh<sub>t</sub> from step t+1",
}
GX = re.compile("gx<sub>(.)</sub>")
LOOP = ("minirnn/recurrent.py", "Recurrent.backward", "dstate = [dstate[0] + doutput")
WEIGHTS = {
    "dWx": ("minirnn/recurrent.py", "Recurrent._add_gradients", "self.Wx.grad +="),
    "dWh": ("minirnn/product.py", "ProductBackward.add_weight_gradient", "+= v.T @ da"),
    "db": ("minirnn/recurrent.py", "Recurrent._add_gradients", "dbx = dgx.sum"),
}


class Row(NamedTuple):
    """A quantity: its name and equation as HTML, the line of its code, for each of its entries
    the equation with numbers, the value, and its place among the numbers of a run."""

    variable: str
    name: str
    equation: str
    path: str
    line: int
    entries: list  # [(what it is, numbers put in or "", value, key)]


def number(value, digits=3):
    """A number as the page shows it; a whole weight without a point."""
    text = f"{value:.{digits}f}"
    return (text[1:] if text.startswith("-") and not float(text) else text).replace("-", "−")


def short(value):
    """A number that has few digits: a weight, an input."""
    return f"{value:g}".replace("-", "−")


def factor(text):
    """A number as a factor or a summand, in brackets where it has a sign."""
    return f"({text})" if text.startswith("−") else text


def step_rows(run, phase, t):
    """[Row] of all that a step computes; t counts from 0."""
    now, earlier = (run.forward[t], None) if phase == "forward" else (run.backward[t], 1)
    known = dict(run.forward[t]) | (dict(now) if earlier else {})
    written = {(e.line, e.variable): e for e in equations(LSTMCell(), phase)}
    found = []
    for line, variable, value, gate in assignments(phase):
        e = written[line, variable]
        if variable == "da" or (variable == "dc" and e.kind == "given"):
            continue
        equation, path = GIVEN.get(variable, e.equal), "minirnn/cells.py"
        equation = GX.sub(r"x<sub>t</sub> W<sub>x,\1</sub> + b<sub>\1</sub>", equation)
        if variable == "dh":
            path, line = LOOP[0], sync.place(LOOP[0], LOOP[1], LOOP[2])[0]
        entries = []
        for unit in range(net.H):
            if variable in ("h_prev", "c_prev"):
                text = ""
            elif variable == "dh":
                y, out = short(net.Y[t][unit]), number(run.forward[t]["h"][unit])
                future = number(run.backward[t + 1]["dh_prev"][unit] if t + 1 < net.T else 0)
                text = f"({out} − {factor(y)}) + {factor(future)}"
            else:
                before = known | ({"dc": now["dc_given"]} if variable == "dc" else {})
                text = Numbers(before, t, unit, gate).write(value)
            key = f"{phase[0]}{t + 1}.{variable}.{unit}"
            entries.append((f"unit {unit + 1}", text, now[variable][unit], key))
        found.append(Row(variable, e.name, equation, path, line, entries))
    return found


def assignments(phase):
    """(line, variable, syntax tree of its value, its gate or None) in the order of the lines."""
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

    def write(self, node, inside=False):
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
                return self.sum(number(h[j]) for j in range(net.H))(W[j][self.unit] for j in (0, 1))
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
        return factor(self.write(node)) if isinstance(node, ast.Name) else self.write(node)

    def sum(self, left):
        left = list(left)
        return lambda weights: " + ".join(
            f"{factor(a)} × {factor(short(w))}" for a, w in zip(left, weights, strict=True)
        )

    def projected(self):
        """x Wx + b of one gate and unit."""
        x, W = net.X[self.t], net.WX[self.gate]
        products = self.sum(map(short, x))(W[j][self.unit] for j in range(2))
        return f"{products} + {factor(short(net.B[self.gate][self.unit]))}"

    def back(self):
        """da Wh^T, summed over gates and units."""
        terms = []
        for k, gate in enumerate(net.GATES):
            da = self.values[f"da{gate}"]
            weights = net.WH[k][self.unit]  # the row of this unit: a column of the transposed
            terms.append(self.sum(number(d) for d in da)(weights))
        return " + ".join(terms)


def bracketed(text):
    return factor(text) if " " not in text else text


def weight_rows(run):
    """[Row] of the weights' gradients: for each entry the sum over the three steps."""
    found = []
    for kind in ("dWx", "dWh", "db"):
        path, name, text = WEIGHTS[kind]
        line = sync.place(path, name, text)[0]
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
            found.append(Row(f"{kind}{gate}", shown, equation, path, line, entries))
    return found


def numbers(run):
    """{key: value} of every number of a run that the page shows."""
    rows = weight_rows(run)
    for t in range(net.T):
        rows += step_rows(run, "forward", t) + step_rows(run, "backward", t)
    return {key: value for row in rows for _, _, value, key in row.entries}
