"""The shapes in the line that failed, read from the traceback: what NumPy's own words leave out."""

import ast
import contextlib
import linecache
from pathlib import Path

import numpy as np

OURS = Path(__file__).resolve().parents[1]
ABOUT_SHAPES = ("matmul", "broadcast", "dimension", "shape", "aligned", "einsum", "operand")


def told(error):
    """What an exception of somebody's code says: a kind and a sentence.

    Where NumPy complains about shapes: the line, and every array in it with its shape.
    """
    text = f"{type(error).__name__}: {error}"
    if type(error) is not ValueError or not any(word in str(error) for word in ABOUT_SHAPES):
        return text
    frames = list(_frames(error.__traceback__))
    # their last line; in a line of the library's own, what they handed over is as good
    theirs = [f for f in frames if not _is_ours(f[0])] or frames
    for frame, number in reversed(theirs):
        line = _line(frame, number)
        shapes = _shapes(line, frame)
        if shapes:
            return f"shapes that do not fit in line {number}, {line}: {shapes}"
    return text


def _frames(traceback):
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if f"{Path(np.__file__).parent}" not in name:
            yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_ours(frame):
    return OURS in Path(frame.f_code.co_filename).parents


def _line(frame, number):
    return linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()


def _shapes(line, frame):
    """ "x is (5, 4), dy is (5, 3)" for what a line reads, where those are arrays."""
    found = {}
    for name in _names(line):
        first, *rest = name.split(".")
        thing, shown = frame.f_locals.get(first, frame.f_globals.get(first)), first
        for attribute in rest:  # x.T is an array too; of x.sum, x is
            inner = getattr(thing, attribute, None)
            if isinstance(thing, np.ndarray) and not isinstance(inner, np.ndarray):
                break
            thing, shown = inner, f"{shown}.{attribute}"
        if isinstance(thing, np.ndarray):
            found[shown] = thing.shape
        elif isinstance(thing, tuple) and thing and all(isinstance(a, np.ndarray) for a in thing):
            found |= {f"{shown}[{k}]": a.shape for k, a in enumerate(thing)}
    return ", ".join(f"{name} is {shape}" for name, shape in found.items())


def _names(line):
    """The names that a line reads, in order, with their attributes: x.T, self.W.data."""
    for end in ("", ")", "))", "])", "pass"):  # a line may go on below
        with contextlib.suppress(SyntaxError):
            return list(dict.fromkeys(map(ast.unparse, _read(ast.parse(line + end)))))
    return []


def _read(node):
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if isinstance(inner, ast.Name):
        return [node]
    return [name for child in ast.iter_child_nodes(node) for name in _read(child)]
