"""A trace of a cell: what its lines assign, recorded while they run."""

import ast
import inspect
import sys
import textwrap
from typing import Any, NamedTuple

import numpy as np


class Statement(NamedTuple):
    """An assignment or a return of a method: its lines in the file, and its syntax tree."""

    first: int
    last: int
    node: Any


def statements(function):
    """The assignments and returns of a function, in the order of the file.

    Raises `OSError` where its source cannot be read.
    """
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    kinds = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)
    statements = [
        Statement(node.lineno + first - 1, node.end_lineno + first - 1, node)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]
    return sorted(statements, key=lambda statement: (statement.first, statement.last))


def targets(node):
    """The names that a statement assigns, from left to right."""
    if isinstance(node, ast.Return):
        return []
    first = node.targets[0] if isinstance(node, ast.Assign) else node.target
    parts = first.elts if isinstance(first, (ast.Tuple, ast.List)) else [first]
    return [part.id if isinstance(part, ast.Name) else None for part in parts]


def watched(function, *arguments):
    """(result, noted): call a function, and note what each of its statements assigns.

    noted: a list of (statement's first line, name, value), in the order in which they ran. The
    values are those of the moment, since a later line may use the name again. Lines of functions
    that it calls are not noted.
    """
    code, table = function.__code__, {}
    for statement in statements(function):
        for number in range(statement.first, statement.last + 1):
            table[number] = statement
    noted, pending = [], None

    def note(frame):
        if pending is not None:
            for name in targets(pending.node):
                if name in frame.f_locals:
                    value = frame.f_locals[name]
                    value = value.copy() if isinstance(value, np.ndarray) else value
                    noted.append((pending.first, name, value))

    def look(frame, event, _):
        nonlocal pending
        if event == "line" or event == "return":
            now = table.get(frame.f_lineno) if event == "line" else None
            if now is not pending:
                note(frame)
                pending = now
        return look

    def enter(frame, event, _):
        return look if frame.f_code is code else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        result = function(*arguments)
    finally:
        sys.settrace(before)
    return result, noted


class TracedCell:
    """A cell that works as the one inside it, and notes what every step assigns.

    `forwards` and `backwards` hold a list of (line, name, value) for each call, so the first of
    `backwards` belongs to the last step. What a method returns is noted with line -1, and gx,
    which it is given, with line 0. What the product was given for a gate, forward and backward,
    is noted with line -2 under "v GATE" and "da GATE": the factors of the gradient of Wh.
    """

    def __init__(self, cell):
        self.cell, self.forwards, self.backwards = cell, [], []
        self.gates, self.states = cell.gates, cell.states
        self.additive = getattr(cell, "additive", False)

    def forward(self, gx, state, product):
        """The cell's own, with gx [G, n, H] noted gate by gate, and the new state."""
        kept = [(0, f"gx_{gate}", np.array(gx[k])) for k, gate in enumerate(self.gates)]
        result, noted = self._watched("forward", gx, state, product)
        ends = [(-1, name, array) for name, array in zip(self.states, result[0], strict=True)]
        for asked, inputs in product.inputs.items():
            ends += [(-2, f"v {gate}", np.array(inputs[-1])) for gate in asked or self.gates]
        self.forwards.append(kept + noted + ends)
        return result

    def backward(self, dstate, cache, product):
        """The cell's own, with the gradients noted that it returns."""
        result, noted = self._watched("backward", dstate, cache, product)
        ends = [(-1, f"da{gate}", d) for gate, d in zip(self.gates, result[0], strict=True)]
        ends += [(-1, f"d{name}_prev", d) for name, d in zip(self.states, result[1], strict=True)]
        ends += [(-2, f"da {gate}", np.array(product.noted[gate][-1])) for gate in self.gates]
        self.backwards.append(noted + ends)
        return result

    def _watched(self, name, *arguments):
        method = getattr(self.cell, name)
        return watched(method.__func__, method.__self__, *arguments)
