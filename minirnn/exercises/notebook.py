"""`check(MyCell, 3)`: one exercise checked from Python, for notebooks, in the same words."""

import ast
import linecache
import re
import tempfile
import types
from dataclasses import dataclass
from html import escape
from numbers import Integral
from pathlib import Path

from ..data import printable
from ..errors import DataError
from .catalogue import BY_NUMBER
from .checking import SECONDS
from .checking import check as check_file
from .conventions import Conventions
from .handouts import starter
from .judges.result import Result
from .output import describe, pair_line


@dataclass(repr=False)
class Checked:
    """What was found: true where it is right; shown or printed, it says what the command says."""

    result: Result

    def __bool__(self):
        return bool(self.result)

    def __repr__(self):
        return describe(self.result)

    def _repr_html_(self):
        """The same words for a notebook."""
        result, colour = self.result, "#1a7f37" if self else "#cf222e"
        rows = [f"<b>{result.number} {escape(result.title)}: "
                f'<span style="color:{colour}">{escape(result.mark)}</span></b>']  # fmt: skip
        if self:
            return rows[0]
        signs = {True: "&#10003;", False: "&#10007;", None: "&middot;"}
        rows.append("<br>".join(f"{signs[s.right]} {escape(s.name)}" for s in result.steps))
        code = f"line {result.code}" if result.code else ""
        read = f"read: {result.section}" if result.section else ""
        shown = [(result.text, ""), (code, "code"), (pair_line(result), "code"),
                 (result.picture, "code"), (result.mistake, ""), (read, "")]  # fmt: skip
        for text, kind in shown:
            text = escape(printable(text, 1000))
            rows += [f'<code style="white-space:pre">{text}</code>' if kind else text] * bool(text)
        if result.printed:
            lines = [printable(line, 70) for line in result.printed.splitlines()[:10]]
            rows.append(f"your file printed:<pre>{escape(chr(10).join(lines))}</pre>")
        return "".join(f'<div style="margin:0.3em 0">{row}</div>' for row in rows)


def check(things, number, seconds=SECONDS):
    """Check a class or function as the answer to an exercise, or a list of several; `Checked`.

    One class may have any name where the exercise asks for one alone. What it uses of its notebook
    or module goes along: imports, constants, functions and classes. Raises `DataError` where
    there is no such exercise, or where Python does not know the lines of a thing.
    """
    if not isinstance(number, Integral) or number not in BY_NUMBER or number is True:
        numbers = ", ".join(map(str, BY_NUMBER))
        raise DataError(f"the exercise is {number!r}, but must be one of these: {numbers}")
    exercise = BY_NUMBER[number]
    things = list(things) if isinstance(things, (list, tuple)) else [things]
    for thing in things:
        if not isinstance(thing, (type, types.FunctionType)):
            raise DataError(f"{thing!r} was given, but must be a class or a function")
    wanted = _asked_for(exercise)
    names = [thing.__name__ for thing in things]
    strangers = [name for name in names if name not in wanted]
    if len(things) == 1 and len(wanted) == 1:
        names = list(wanted)
    elif strangers:
        raise DataError(
            f"exercise {number} asks for {', '.join(wanted)}, but was given {strangers[0]}"
        )
    needed = _Needed()
    for thing, name in zip(things, names, strict=True):
        needed.add(thing)
        if thing.__name__ != name:
            needed.texts.append((f"{name} = {thing.__name__}", 1))
    head = _without(starter(exercise.file, Conventions()), names)
    with tempfile.TemporaryDirectory() as folder:
        text, lines = needed.joined(head)
        (Path(folder) / exercise.file).write_text(text, encoding="utf-8")
        result = check_file(exercise, folder, Conventions(), seconds)
    result.code = _renumbered(result.code, lines, r"^(\d+)(?=:)")
    result.text = _renumbered(result.text, lines, r"(?<=line )(\d+)")
    return Checked(result)


def _asked_for(exercise):
    """The names of what the student writes in an exercise: its classes and functions."""
    tree = ast.parse(starter(exercise.file, Conventions()))
    kinds = (ast.ClassDef, ast.FunctionDef)
    defined = [node for node in tree.body if isinstance(node, kinds)]
    return [n.name for n in defined if not n.name.endswith("Cache")]


def _without(text, names):
    """A starter's text without these definitions, and without its last part, which runs it."""
    lines, tree = text.splitlines(), ast.parse(text)
    for node in reversed(tree.body):
        if getattr(node, "name", "") in names or isinstance(node, ast.If):
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)


class _Needed:
    """The texts of things and of all that they use, in an order in which they can be run."""

    def __init__(self):
        self.texts, self.seen = [], set()  # [(text, its first line)]

    def add(self, thing):
        text, line, names, space = _text_of(thing)
        self.seen.add(thing.__name__)
        for name in sorted(names - self.seen):
            if name in space:
                self.seen.add(name)
                self._bring(name, space[name])
        self.texts.append((text, line))

    def _bring(self, name, value):
        module = getattr(value, "__module__", None) or ""
        if isinstance(value, types.ModuleType):
            self.texts.append((f"import {value.__name__} as {name}", 1))
        elif isinstance(value, (bool, int, float, str)):
            self.texts.append((f"{name} = {value!r}", 1))
        elif module.startswith(("minirnn.", "numpy", "typing", "math", "collections")):
            self.texts.append((f"from {module} import {value.__name__} as {name}", 1))
        elif isinstance(value, (type, types.FunctionType)):
            self.add(value)

    def joined(self, head):
        """(the text of a file, [the line of the notebook that each of its lines was])."""
        rows = [(line, None) for line in head.splitlines()]
        for text, first in self.texts:
            rows += [(line, first + k) for k, line in enumerate(text.splitlines())]
        return "\n".join(line for line, _ in rows) + "\n", [number for _, number in rows]


def _text_of(thing):
    """(text, its first line, the names that it uses, where those are looked up) of a class or
    function."""
    function = thing
    if isinstance(thing, type):
        functions = [f for f in vars(thing).values() if isinstance(f, types.FunctionType)]
        function = next(iter(functions), None)
        if function is None or hasattr(thing, "_fields"):
            return _named_tuple(thing)
    file, space = function.__code__.co_filename, function.__globals__
    source = "".join(linecache.getlines(file, space))
    for node in ast.walk(ast.parse(source)):
        if getattr(node, "name", None) == thing.__name__ and hasattr(node, "body"):
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            return ast.get_source_segment(source, node), node.lineno, names, space
    raise DataError(f"the lines of {thing.__name__} are not known; give check a class or function "
                    "that stands in a cell of the notebook, or in a file")  # fmt: skip


def _named_tuple(thing):
    fields = getattr(thing, "_fields", None)
    if fields is None:
        raise DataError(f"{thing.__name__} has no functions of its own, so there is nothing in it "
                        "to check")  # fmt: skip
    name = thing.__name__
    text = f"import collections\n{name} = collections.namedtuple({name!r}, {fields})"
    return text, 1, set(), {}


def _renumbered(text, lines, pattern):
    """A text in which the numbers of lines are those of the notebook's cell."""

    def line(match):
        k = int(match[0]) - 1
        return str(lines[k] if k < len(lines) and lines[k] else match[0])

    return re.sub(pattern, line, text)
