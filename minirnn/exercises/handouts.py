"""The files that are handed out: the starters as they are, or under a term's own conventions."""

import re
import textwrap
from pathlib import Path

from ..errors import DataError
from ..gradcheck import zoo
from ..storage.files import write_atomic
from .conventions import KEEPS, Conventions, turned

HEAD = '''"""Exercise 9: find the bug.

Five cells, and each is wrong in one line of `backward`: a mistake that somebody really made. All
forward passes are right. Find the five lines and fix them.

    python -P -m minirnn exercises check . 9
    python -m minirnn gradcheck {file}:CellA

The second command shows which gates are off at which steps. Its last lines name the mistake: cover
them, and derive the suspicious line again: docs/04-one-step.md#backward, docs/06-lstm.md#backward,
docs/07-gru.md#backward, docs/07-gru.md#backward-reset-before.
"""

from typing import Any, NamedTuple

from minirnn.functions import d_sigmoid, d_tanh, sigmoid, tanh
'''
EQUATIONS = {
    "RNNCell": "h = tanh(x Wx + bx + h_prev Wh + bh).",
    "LSTMCell": "c = f c_prev + i g and h = o tanh(c).",
    "GRUCell": "A GRU whose reset gate acts after the product.",
    "GRUBeforeCell": "A GRU whose reset gate acts before the product.",
}
ADDED = {}  # {file: folder} of the starters of one's own exercises, while they are there


def starters_folder():
    """The folder of the starters, in the installed wheel or in the checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "starters"
    return installed if installed.is_dir() else here.parents[1] / "examples" / "exercises"


def solutions_folder():
    """The folder of the solutions, in the installed wheel or in the checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "solutions"
    return installed if installed.is_dir() else here.parents[1] / "tests" / "solutions"


def hand_out(folder, conventions):
    """Copy the starters that are not there yet; returns (files written, files left alone).

    Raises `DataError` where the package has come without its starters.
    """
    source = starters_folder()
    files = sorted(source.glob("ex*.py"))
    if not files:
        raise DataError(f"the starters are missing from {source}")
    files += [place / name for name, place in ADDED.items()]
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is there already, and is no folder")
    folder.mkdir(parents=True, exist_ok=True)
    written, left = [], []
    for file in files:
        target = folder / file.name
        if target.exists():
            left.append(target)
        elif conventions == Conventions():
            write_atomic(target, file.read_bytes())
            written.append(target)
        else:
            write_atomic(target, starter(file.name, conventions).encode())
            written.append(target)
    if conventions != Conventions() and written:
        conventions.write(folder / "conventions.json")
    return written, left


def solved(name, conventions):
    """The text of a solution; that of exercise 9 follows the conventions of the term.

    Raises `DataError` where the package has come without its solutions.
    """
    if name.startswith("ex09"):
        return find_the_bug(conventions, fixed=True)
    folder = ADDED[name] / "solutions" if name in ADDED else solutions_folder()
    if not (folder / name).is_file():
        raise DataError(f"the solutions are missing from {folder}")
    text = (folder / name).read_text(encoding="utf-8")
    if conventions == Conventions() or not name.startswith(("ex05", "ex06", "ex07")):
        return text
    return f"# In the usual conventions; this term's differ.\n{text}"


def starter(name, conventions):
    """The text of a starter under these conventions."""
    text = (ADDED.get(name, starters_folder()) / name).read_text(encoding="utf-8")
    lstm, gru = conventions.lstm_gates, conventions.gru_gates
    if name.startswith("ex09"):
        return find_the_bug(conventions)
    if name.startswith(("ex05", "ex06")):
        text = text.replace('gates = "ifgo"', f'gates = "{lstm}"')
        text = text.replace("The order is i, f, g, o", f"The order is {', '.join(lstm)}")
        names = ", ".join(f"a{g}" for g in lstm)
        text = text.replace("ai, af, ag, ao = gx", f"{names} = gx")
    if name.startswith("ex07"):
        text = text.replace('gates = "rzn"', f'gates = "{gru}"')
        text = text.replace("gates is r, z, n", f"gates is {', '.join(gru)}")
        for head in ("gx_", "product_"):
            names = ", ".join(head + g for g in gru)
            text = text.replace(f"{head}r, {head}z, {head}n =", f"{names} =")
        text = text.replace("(dar, daz, dan),", f"({', '.join('da' + g for g in gru)}),")
        if conventions.z_keeps == "new":
            text = text.replace("z near 1 keeps the old state.", "z near 1 takes the new state.")
    return text


def find_the_bug(conventions, fixed=False):
    """The file of exercise 9: for each bug its cell, with the bug in it or (fixed) without."""
    parts, caches = [], []
    for letter, name in zip("ABCDE", conventions.bugs, strict=True):
        bug = next(b for b in zoo.ZOO if b.name == name)
        kind = bug.target.partition(".")[2]
        cache = f"{kind.removesuffix('Cell')}Cache"
        if cache not in caches:
            caches.append(cache)
        text = cell_text(bug.target, None if fixed else bug, f"Cell{letter}", conventions)
        parts.append(text)
    tables = [zoo.source(f"cells.{c}") for c in caches]
    file = "ex09_find_the_bug.py"
    return "\n\n".join([HEAD.format(file=file), *tables, *parts])


def cell_text(target, bug, name, conventions):
    """The source of a cell under another name, with a bug or (None) without."""
    kind = target.partition(".")[2]
    text = zoo.source(target)
    if bug is not None:
        text = text.replace(bug.old, bug.new)
    if conventions.turned(target):
        text = turned(text)
    text = reordered(text, vars(zoo.MODULES["cells"])[kind].gates, conventions.gates(target))
    text = text[text.index("    def forward") :].rstrip() + "\n"
    text = text.replace("self.d_f(", "d_tanh(").replace("self.f(", "tanh(")
    text = text.replace("h = f(a)", "h = tanh(a)")
    own = vars(zoo.MODULES["cells"])[kind]
    head = f'''class {name}:
    """{EQUATIONS[kind]}"""

    gates = "{conventions.gates(target)}"
    states = {own.states!r}
'''
    return head.replace("'", '"') + "\n" + text


def reordered(text, usual, order):
    """The source of a cell with its gates in another order: every list of all of them, permuted."""
    G = len(usual)
    name = r"[\w .*]+"
    lists = re.compile(
        rf"(?<=^        )(?:# )?(?:a\w|gx_\w|product_\w)(?:, \w+){{{G - 1}}}(?= = )"  # unpacked
        rf"|(?<=da = \(){name}(?:,{name}){{{G - 1}}}(?=\))"  # handed on, or returned
        rf"|(?<=product\.backward\(\(){name}(?:,{name}){{{G - 1}}}(?=\)\))"
        rf"|(?<=return \(){name}(?:,{name}){{{G - 1}}}(?=\), \(dh_prev)",
        re.M,
    )

    def permuted(match):
        lead, items = re.match(r"(# )?(.*)", match[0]).groups()
        items = items.split(", ")
        return (lead or "") + ", ".join(items[usual.index(g)] for g in order)

    return text if usual == order else lists.sub(permuted, text)


def explanation(conventions):
    """What a term's conventions are, in a few lines."""
    z = KEEPS[conventions.z_keeps]
    return textwrap.dedent(f"""\
        LSTM gates in the order {", ".join(conventions.lstm_gates)}
        GRU gates in the order {", ".join(conventions.gru_gates)}; z near 1 {z}
        exercise 9: {", ".join(conventions.bugs)}""")
