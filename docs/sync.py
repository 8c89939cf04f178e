"""Keep the chapters true: fill in quoted code from the source, and outputs from experiments.

python docs/sync.py            fill every code block from the source
python docs/sync.py --run      run the experiments too, and fill in what they print
python docs/sync.py --check    change nothing; exit with 1 and name the code blocks that are stale

A code block stands under a comment that says where it comes from:

    <!-- code: minirnn/cells.py LSTMCell.backward -->
    <!-- code: minirnn/cells.py LSTMCell.forward from "ai, af" to "tanh(ag)" -->
    <!-- code: minirnn/recurrent.py Recurrent.forward without docstring -->

`from` and `to` name the first and the last line by a text that stands in it. An experiment is a
Python block under <!-- experiment -->, with its output in a text block below. The experiments of
a chapter run from top to bottom in one session, as a reader would type them.
"""

import argparse
import ast
import contextlib
import io
import os
import re
import sys
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

CODE = re.compile(
    r"^<!-- code: (?P<path>\S+)(?: (?!from |to |without )(?P<name>[\w.]+))?"
    r'(?: from "(?P<first>.+?)")?(?: to "(?P<last>.+?)")?(?P<bare> without docstring)? -->\n+'
    r"```python\n(?P<text>.*?)^```$",
    re.M | re.S,
)
EXPERIMENT = re.compile(
    r"^<!-- experiment -->\n+```python\n(?P<code>.*?)^```\n+```text\n(?P<output>.*?)^```$",
    re.M | re.S,
)


def chapters():
    """The Markdown files, in reading order."""
    return sorted(DOCS.glob("*.md"))


def quote(path, name=None, first=None, last=None, bare=False):
    """The source text of a function, class, method or module-level name, or some lines of it.

    Raises `LookupError` where there is no such name or line.
    """
    source = (ROOT / path).read_text(encoding="utf-8")
    lines = source.splitlines()
    if name is not None:
        node = ast.parse(source)
        for part in name.split("."):
            node = _inside(node, part, f"{path} {name}")
        skipped = _docstring_lines(node) if bare else range(0)
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        lines = [
            line
            for number, line in enumerate(lines[start - 1 : node.end_lineno], start)
            if number not in skipped
        ]
    start = _find(lines, first, 0, path) if first else 0
    end = _find(lines, last, start, path) if last else len(lines) - 1
    return textwrap.dedent("\n".join(lines[start : end + 1])).strip("\n") + "\n"


def _inside(node, name, where):
    for child in node.body:
        named = getattr(child, "name", None) == name
        if isinstance(child, ast.Assign):
            named = any(getattr(target, "id", None) == name for target in child.targets)
        if named:
            return child
    raise LookupError(f"{where}: there is no {name}")


def _docstring_lines(node):
    if ast.get_docstring(node) is None:
        return range(0)
    return range(node.body[0].lineno, node.body[0].end_lineno + 1)


def _find(lines, text, start, path):
    for k in range(start, len(lines)):
        if text in lines[k]:
            return k
    raise LookupError(f"{path}: no line holds {text!r}")


def quoted(match):
    """The text that should stand in a matched code block."""
    name, first, last, bare = match["name"], match["first"], match["last"], bool(match["bare"])
    return quote(match["path"], name, first, last, bare)


def stale(text):
    """The code blocks of a chapter that differ from the source, as their comments."""
    found = []
    for match in CODE.finditer(text):
        try:
            fresh = quoted(match)
        except (LookupError, OSError) as error:
            found.append(f"{match[0].splitlines()[0]} ({error})")
            continue
        if fresh != match["text"]:
            found.append(match[0].splitlines()[0])
    return found


def filled(text):
    """The chapter with every code block as the source has it, where the source still has it."""

    def fill(match):
        head = match[0][: match.start("text") - match.start()]
        try:
            return f"{head}{quoted(match)}```"
        except (LookupError, OSError):  # `stale` will say so
            return match[0]

    return CODE.sub(fill, text)


def outputs(text, name):
    """What each experiment of a chapter prints, in order."""
    session, found = {"__name__": "experiment"}, []
    for match in EXPERIMENT.finditer(text):
        printed = io.StringIO()
        line = text[: match.start("code")].count("\n")
        code = compile("\n" * line + match["code"], name, "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, session)
        found.append(printed.getvalue())
    return found


def with_outputs(text, name):
    """The chapter with every output block as its experiment prints it."""
    fresh = iter(outputs(text, name))

    def fill(match):
        head = match[0][: match.start("output") - match.start()]
        return f"{head}{next(fresh)}```"

    return EXPERIMENT.sub(fill, text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="name stale blocks, change nothing")
    parser.add_argument("--run", action="store_true", help="run the experiments too")
    parser.add_argument("chapters", nargs="*", type=Path, help="(default: all of docs/*.md)")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    wrong = 0
    for path in args.chapters or chapters():
        text = path.read_text(encoding="utf-8")
        new = text if args.check else filled(text)
        for comment in stale(new):
            print(f"{path.name}: stale: {comment}")
            wrong += 1
        if args.check:
            continue
        if args.run:
            new = with_outputs(new, path.name)
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"{path.name}: updated")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
