"""The equation that a line of a cell computes, made from the line itself.

So the two can't differ. What is not known here is shown as it stands in the code.
"""

import ast
import html
import inspect
import re
from typing import NamedTuple

from .trace import statements, targets


class Equation(NamedTuple):
    """A value, as HTML: `name` and what it is `equal` to; `kind` is "made" or "given"."""

    line: int
    variable: str
    name: str
    equal: str
    kind: str


def equations(cell, method):
    """[Equation]: what the lines of the cell's "forward" or "backward" assign, in their order."""
    function = getattr(cell, method).__func__
    first, second = list(inspect.signature(function).parameters)[1:3]
    writer = Writer(cell, gx=first if method == "forward" else None)
    equations = []
    for statement in statements(function):
        node = statement.node
        if isinstance(node, ast.Return):
            pairs = returned(node, cell, method)
        else:
            pairs = list(zip(targets(node), values(node), strict=True))
        for k, (name, value) in enumerate(pairs):
            if name is None or value is None:
                continue
            source = value.id if isinstance(value, ast.Name) else None
            if source in ((first,) if method == "forward" else (second,)):
                continue  # gx is shown already; the cache holds what forward has shown
            if source == (second if method == "forward" else first):
                equal, kind = given(writer.name(name), method), "given"
            else:
                gate = k if len(pairs) > 1 and not isinstance(node.value, ast.Tuple) else None
                equal, kind = writer.equal(node, name, value, gate), "made"
            equations.append(Equation(statement.first, name, writer.name(name), equal, kind))
    return equations


def given(name, method):
    """Return the words for a state, or for a gradient, that a step is given."""
    if method == "forward":
        return f"{name}, from the letter before"
    return f"{name}, from the letter after; at the last one, from the loss"


def values(node):
    """The value of each target: a tuple's entries, or else the same for all of them."""
    names = targets(node)
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) == len(names) > 1:
        return node.value.elts
    return [node.value] * len(names)


def returned(node, cell, method):
    """(name, value) of what a return statement computes itself, of states or gradients."""
    value = node.value
    if not (isinstance(value, ast.Tuple) and len(value.elts) == 2):
        return []
    names = [*cell.states] if method == "forward" else [f"d{name}_prev" for name in cell.states]
    part = value.elts[0] if method == "forward" else value.elts[1]
    if not (isinstance(part, ast.Tuple) and len(part.elts) == len(names)):
        return []
    pairs = list(zip(names, part.elts, strict=True))
    if method == "backward" and isinstance(value.elts[0], ast.Tuple):
        names = [f"da{gate}" for gate in cell.gates]
        pairs = [*zip(names, value.elts[0].elts, strict=False), *pairs]
    return [(name, v) for name, v in pairs if not isinstance(v, ast.Name)]


SIGNS = {ast.Add: " + ", ast.Sub: " − ", ast.Mult: " ⊙ ", ast.Div: " / ", ast.MatMult: " "}


class Writer:
    """Writes expressions of a cell as HTML, in the notation of docs/01-notation.md."""

    def __init__(self, cell, gx=None):
        self.cell, self.gates, self.states, self.gx = cell, cell.gates, cell.states, gx
        self.bias = not getattr(cell, "additive", False)  # else bh is in gx already

    def equal(self, node, name, value, gate):
        """The whole equation of one target of a statement; an arrow where it uses its old value."""
        text = self.write(value, gate)
        if isinstance(node, ast.AugAssign):
            text = f"{self.name(name)}{SIGNS.get(type(node.op), ' ')}{text}"
        again = isinstance(node, ast.AugAssign) or any(
            isinstance(part, ast.Name) and part.id == name for part in ast.walk(value)
        )
        return f"{self.name(name)} {'←' if again else '='} {text}"

    def name(self, name):
        """A variable's name with its indices below."""
        if name == "tanh_c":
            return f"tanh {self.name('c')}"
        if name in self.states:
            return f"{name}<sub>t</sub>"
        if name.endswith("_prev"):
            return self._indexed(name.removesuffix("_prev"), "t−1")
        if name.startswith("d") and len(name) > 1 and self._known(name[1:]):
            return "d" + self.name(name[1:])
        if re.fullmatch(rf"a[{re.escape(self.gates)}]", name):
            return f"a<sub>{html.escape(name[1])}</sub>"
        head, _, index = name.rpartition("_")
        return self._indexed(head, index) if head else html.escape(name)

    def _indexed(self, name, index):
        return f"{html.escape(name)}<sub>{html.escape(index)}</sub>"

    def _known(self, name):
        return (
            name in self.states
            or name in self.gates
            or "_" in name
            or re.fullmatch(rf"a[{re.escape(self.gates)}]", name) is not None
        )

    def write(self, node, gate=None, inside=False):
        """An expression; gate: the number of the gate that is meant, where it is of several;
        inside: whether it is a factor, and a sum needs brackets."""
        match node:
            case ast.Name(id=self.gx) if gate is not None:
                return self._indexed("gx", self.gates[gate])
            case ast.Name():
                return self.name(node.id)
            case ast.Constant():
                return html.escape(str(node.value))
            case ast.BinOp(op=ast.Pow()):
                return f"{self.write(node.left, gate, True)}<sup>{self.write(node.right)}</sup>"
            case ast.BinOp() if type(node.op) in SIGNS:
                adds = isinstance(node.op, (ast.Add, ast.Sub))
                sign = SIGNS[type(node.op)]
                if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant):
                    sign = "\u2009"
                right_inside = not adds or isinstance(node.op, ast.Sub)
                text = (
                    self.write(node.left, gate, not adds)
                    + sign
                    + self.write(node.right, gate, right_inside)
                )
                return f"({text})" if adds and inside else text
            case ast.UnaryOp(op=ast.USub()):
                return "−" + self.write(node.operand, gate, True)
            case ast.Subscript(value=ast.Name(id=self.gx), slice=ast.Constant(value=int(k))):
                return self._indexed("gx", self.gates[k])
            case ast.Subscript(value=ast.Name(id=self.gx), slice=ast.Slice()) if gate is not None:
                return self._indexed("gx", self.gates[gate])
            case ast.Call(func=func, args=[argument, *rest], keywords=named):
                rest += [keyword.value for keyword in named]
                known = self._call(ast.unparse(func), argument, rest, gate, inside)
                if known is not None:
                    return known
        return html.escape(ast.unparse(node))

    def _call(self, function, argument, rest, gate, inside):
        if function.startswith("self."):  # the function that this cell was made with
            function = getattr(getattr(self.cell, function[5:], None), "__name__", function)
        if rest and function.startswith("product") and not isinstance(rest[0], ast.Constant):
            return None
        if function == "product":
            return self._product(argument, rest, gate, inside)
        if function == "product.backward":
            return self._back(argument, rest, inside)
        y = self.write(argument, gate)
        if function == "d_sigmoid":
            return f"{y} ⊙ (1 − {y})"
        if function == "d_tanh":
            return f"(1 − ({y})<sup>2</sup>)" if " " in y else f"(1 − {y}<sup>2</sup>)"
        names = {"sigmoid": "σ", "tanh": "tanh", "relu": "relu", "d_relu": "relu′"}
        return f"{names[function]}({y})" if function in names else None

    def _asked(self, rest):
        """The gates that a call of product asks for."""
        return rest[0].value if rest and rest[0].value is not None else self.gates

    def _product(self, argument, rest, gate, inside):
        asked = self._asked(rest)
        if gate is not None and gate < len(asked):
            asked = asked[gate]
        below = f"h,{asked}" if len(asked) == 1 < len(self.gates) else "h"
        text = f"{self.write(argument, None, True)} {self._indexed('W', below)}"
        if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Mult):
            text = f"({self.write(argument)}) {self._indexed('W', below)}"
        if self.bias:
            text = f"{text} + {self._indexed('b', below)}"
            return f"({text})" if inside else text
        return text

    def _back(self, argument, rest, inside):
        asked = self._asked(rest)

        def term(text, gate):
            below = f"h,{gate}" if len(self.gates) > 1 else "h"
            return f"{text} W<sub>{html.escape(below)}</sub><sup>⊤</sup>"

        if isinstance(argument, ast.Tuple):
            pairs = zip(argument.elts, asked, strict=False)
            text = " + ".join(term(self.write(part, None, True), g) for part, g in pairs)
            return f"({text})" if inside and len(asked) > 1 else text
        if len(asked) == 1:
            return term(self.write(argument, None, True), asked)
        return f"Σ<sub>k</sub> {term(self.write(argument) + '<sub>k</sub>', 'k')}"
