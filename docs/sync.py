"""Keep the chapters true: fill in quoted code from the source, and outputs from experiments.

python docs/sync.py            fill every code block from the source
python docs/sync.py --run      run the experiments too, and fill in what they print
python docs/sync.py --check    change nothing; exit with 1 and name the code blocks that are stale

A code block stands under a comment that says where it comes from:

    <!-- code: minirnn/cells.py LSTMCell.backward -->
    <!-- code: minirnn/cells.py LSTMCell.forward from "ai, af" to "tanh(ag)" -->
    <!-- code: minirnn/recurrent.py Recurrent.forward without docstring -->

`from` and `to` name the first and the last line by a text that stands in it; the first in no other
line of what is named. An experiment is a
Python block under <!-- experiment -->, with its output in a text block below. The experiments of
a chapter run from top to bottom in one session, as a reader would type them.

    <!-- beside: minirnn/cells.py LSTMCell.backward from "do = " to "dc = " -->

quotes nothing; it names the lines that belong to the text below it, for the site, which shows and
marks them in the column beside it.
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

WHERE = (
    r"(?P<path>\S+)(?: (?!from |to |without )(?P<name>[\w.]+))?"
    r'(?: from "(?P<first>.+?)")?(?: to "(?P<last>.+?)")?(?P<bare> without docstring)? -->'
)
CODE = re.compile(rf"^<!-- code: {WHERE}\n+```python\n(?P<text>.*?)^```$", re.M | re.S)
MARK = re.compile(rf"^<!-- (?:code|beside): {WHERE}$", re.M)
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
    lines, numbers = _numbered(path, name, first, last, bare)
    text = "\n".join(lines[number - 1] for number in numbers)
    return textwrap.dedent(text).strip("\n") + "\n"


def place(path, name=None, first=None, last=None):
    """The numbers of the first and the last line of a quotation, counted from 1."""
    _, numbers = _numbered(path, name, first, last)
    return numbers[0], numbers[-1]


def _numbered(path, name=None, first=None, last=None, bare=False):
    """All lines of a file, and the numbers of those that are asked for."""
    source = (ROOT / path).read_text(encoding="utf-8")
    lines = source.splitlines()
    numbers = list(range(1, len(lines) + 1))
    if name is not None:
        node = ast.parse(source)
        for part in name.split("."):
            node = _inside(node, part, f"{path} {name}")
        skipped = _docstring_lines(node, lines) if bare else range(0)
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        numbers = [number for number in range(start, node.end_lineno + 1) if number not in skipped]
    start = _find(lines, numbers, first, 0, path) if first else 0
    if first and any(first in lines[number - 1] for number in numbers[start + 1 :]):
        raise LookupError(f"{path}: more than one line holds {first!r}")
    end = _find(lines, numbers, last, start, path) if last else len(numbers) - 1
    return lines, numbers[start : end + 1]


def _inside(node, name, where):
    for child in node.body:
        named = getattr(child, "name", None) == name
        if isinstance(child, ast.Assign):
            named = any(getattr(target, "id", None) == name for target in child.targets)
        if named:
            return child
    raise LookupError(f"{where}: there is no {name}")


def _docstring_lines(node, lines):
    """The numbers of a docstring's lines, and of an empty one below it."""
    if ast.get_docstring(node) is None:
        return range(0)
    last = node.body[0].end_lineno
    return range(node.body[0].lineno, last + 1 + (not lines[last].strip()))


def _find(lines, numbers, text, start, path):
    for k in range(start, len(numbers)):
        if text in lines[numbers[k] - 1]:
            return k
    raise LookupError(f"{path}: no line holds {text!r}")


def quoted(match):
    """The text that should stand in a matched code block."""
    name, first, last, bare = match["name"], match["first"], match["last"], bool(match["bare"])
    return quote(match["path"], name, first, last, bare)


def stale(text):
    """The code blocks of a chapter that differ from the source, as their comments."""
    stale = []
    for match in CODE.finditer(text):
        try:
            fresh = quoted(match)
        except (LookupError, OSError) as error:
            stale.append(f"{match[0].splitlines()[0]} ({error})")
            continue
        if fresh != match["text"]:
            stale.append(match[0].splitlines()[0])
    for match in MARK.finditer(text):
        if match[0].startswith("<!-- beside:"):
            try:
                place(match["path"], match["name"], match["first"], match["last"])
            except (LookupError, OSError) as error:
                stale.append(f"{match[0]} ({error})")
    return stale


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
    """Return what each experiment of a chapter prints, in order."""
    session, outputs = {"__name__": "experiment"}, []
    for match in EXPERIMENT.finditer(text):
        printed = io.StringIO()
        line = text[: match.start("code")].count("\n")
        code = compile("\n" * line + match["code"], name, "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, session)
        outputs.append(printed.getvalue())
    return outputs


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
