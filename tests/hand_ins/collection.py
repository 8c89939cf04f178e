"""The hand-ins of this folder: `right_NN.txt`, `wrong_NN.txt` and `hostile_NN.txt`.

A file begins with what all its hand-ins share. A line `=== name` begins each; in a wrong one it is
`=== name || place || mistake`: two patterns, for what the message must name as the place and as the
mistake. In a hostile one it is `=== name || mark || mark`: the mark that it gets, and the one that
it gets when nobody reads its text first, or `one or another` of two, where Python 3.13 tells the
fence of more than 3.11 does; PACKAGE stands for the package's folder. A hand-in is a whole program,
or changes to the solution, `old ==> new`, one on a line, in which \\n is a new line of the same
indentation; `CellB: old ==> new` in exercise 9 changes that class.
"""

import re
from pathlib import Path

import minirnn

HERE = Path(__file__).resolve().parent
SOLUTIONS = HERE.parent / "solutions"


def sections(path):
    """[(number, name, place, mistake, text)] of the hand-ins in a file."""
    number = int(re.search(r"\d+", path.stem)[0])
    head, *parts = re.split(r"^=== (.*)\n", path.read_text(encoding="utf-8"), flags=re.M)
    found = []
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        name, place, mistake = [*map(str.strip, title.split("||")), "", ""][:3]
        text = changed(number, body) if " ==> " in body else f"{head}\n\n{body}"
        found.append((number, name, place, mistake, text))
    return found


def solution(number):
    return next(SOLUTIONS.glob(f"ex{number:02d}_*.py")).read_text(encoding="utf-8")


def changed(number, body):
    text = solution(number)
    for line in body.strip().splitlines():
        old, new = (part.strip() for part in line.split(" ==> "))
        cell = re.match(r"(Cell[A-E]): ", old)  # in exercise 9: in this class alone
        start, old = (text.index(f"class {cell[1]}"), old[7:]) if cell else (0, old)
        if not cell and text.count(old) != 1:
            raise ValueError(f"exercise {number}: {old!r} stands there {text.count(old)} times")
        at = text.index(old, start)
        indentation = re.match(" *", text[text.rindex("\n", 0, at) + 1 :])[0]
        text = text[:at] + new.replace("\\n", f"\n{indentation}") + text[at + len(old) :]
    return text


def right():
    """All right hand-ins. Those of exercise 5 serve exercise 6 as well."""
    found = [part for path in sorted(HERE.glob("right_*.txt")) for part in sections(path)]
    return found + [(6, *part[1:]) for part in found if part[0] == 5]


def wrong():
    return [part for path in sorted(HERE.glob("wrong_*.txt")) for part in sections(path)]


def hostile():
    package = repr(str(Path(minirnn.__file__).parent))
    return [(*rest, text.replace("PACKAGE", package))
            for *rest, text in sections(HERE / "hostile_03.txt")]  # fmt: skip
