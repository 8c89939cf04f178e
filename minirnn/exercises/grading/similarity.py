"""Hand-ins that are alike, in what their students have written and not in what they were given.

A file is read as Python's tokens, without comments, blanks, docstrings, the lines of the starter,
and the last part that runs it. *Identical* is what has the same tokens, names included. For
*nearly identical* all names are the same name, but for those that are called or have a dot, and the
share of short runs of tokens that two files have in common decides (the Dice coefficient of their
sets).
Nothing is run, and nothing is parsed into a tree, so that no file can do harm here.
"""

import contextlib
import io
import keyword
import token
import tokenize
from collections import defaultdict
from dataclasses import dataclass, field

from ...data import printable
from ...errors import DataError
from ..handouts import solved, starter
from ..output import wrapped
from ..sandbox import SIZE

RUN = 4  # tokens
FEWEST = 40  # tokens of one's own: what is shorter is alike by itself
NEAR = 0.85  # of the runs in common
MOST_NAMES = 8  # in a line on the screen
SOLUTION = "the solution of this project"
SKIPPED = (token.NEWLINE, token.NL, token.INDENT, token.DEDENT, token.COMMENT, token.ENDMARKER,
           token.ENCODING)  # fmt: skip


@dataclass
class Text:
    """What somebody has written in one exercise."""

    name: str
    tokens: tuple  # as they stand
    runs: set = field(default_factory=set)  # of tokens with names replaced


@dataclass(frozen=True)
class Pair:
    """Two hand-ins that are alike in an exercise; share: 1 where they are identical."""

    number: int
    first: str
    second: str
    share: float

    def words(self):
        """How much they are alike."""
        return "identical" if self.share == 1 else f"{100 * self.share:.0f} % alike"


def pairs(exercises, places, others, conventions):
    """[Pair] of the hand-ins that are alike, or like one of `others` or the project's solution.

    places, others: {name: folder}. Pairs among `others` are left out.
    """
    alike = []
    for exercise in exercises:
        given = starter(exercise.file, conventions)
        texts = [_text(name, folder / exercise.file, given) for name, folder in places.items()]
        theirs = [_text(name, folder / exercise.file, given) for name, folder in others.items()]
        with contextlib.suppress(DataError):  # an exercise of one's own may have no solution
            theirs.append(_made(SOLUTION, solved(exercise.file, conventions), given))
        alike += _among(exercise.number, *([t for t in ts if t] for ts in (texts, theirs)))
    return alike


def _among(number, texts, theirs):
    everybody = texts + theirs
    holders = defaultdict(list)  # {run: the files that have it}
    for place, one in enumerate(everybody):
        for run in one.runs:
            holders[run].append(place)
    for first, one in enumerate(texts):
        common = defaultdict(int)
        for run in one.runs:
            for second in holders[run]:
                if second > first:
                    common[second] += 1
        for second in sorted(common):
            two = everybody[second]
            share = 2 * common[second] / (len(one.runs) + len(two.runs))
            if one.tokens == two.tokens:
                yield Pair(number, one.name, two.name, 1.0)
            elif share >= NEAR:
                yield Pair(number, one.name, two.name, min(share, 0.99))


def _text(name, path, given):
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > SIZE:
            return None
        return _made(name, path.read_text(encoding="utf-8-sig"), given)
    except (OSError, UnicodeError):
        return None


def _made(name, text, given):
    """The `Text` of a file, or None where it is too short to say anything."""
    handed_out = {_plain(line) for line in _lines(given)}
    own = [line for line in _lines(text) if _plain(line) not in handed_out]
    tokens = tuple(one for line in own for one in line)
    if len(tokens) < FEWEST:
        return None
    plain = [one for line in own for one in _plain(line)]
    runs = {tuple(plain[k : k + RUN]) for k in range(len(plain) - RUN + 1)}
    return Text(name, tokens, runs)


def _plain(line):
    """The tokens of a line with all names alike, but for what is called, and what has a dot."""
    around = zip(["", *line], line, [*line[1:], ""], strict=False)
    return tuple(
        one if not one.isidentifier() or keyword.iskeyword(one) or after in ("(", ".")
        or before == "." else "name" for before, one, after in around
    )  # fmt: skip


def _lines(text):
    """The logical lines of a file, each a list of tokens, up to the part that runs it."""
    lines, line = [], []
    try:
        for one in tokenize.generate_tokens(io.StringIO(text).readline):
            if one.type == token.NEWLINE:
                if "__name__" in line:
                    break
                if len(line) > 1 or not line or line[0][:1] not in "\"'rRbBfFuU":
                    lines.append(line)  # one string alone is a docstring
                line = []
            elif one.type not in SKIPPED:
                line.append(one.string)
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass  # what could be read is compared
    return lines


def groups(alike):
    """[(number, [names], how)]: who hangs together by pairs, in each exercise; first those that
    are identical, then where more are nearly so."""
    rows = []
    for number in sorted({pair.number for pair in alike}):
        own = [pair for pair in alike if pair.number == number]
        identical = _joined(pair for pair in own if pair.share == 1)
        rows += [(number, sorted(names), "identical") for names in identical]
        for names in _joined(own):
            shares = [p.share for p in own if p.first in names and p.share < 1]
            if names not in identical:
                low, high = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
                span = low if low == high else f"{low} to {high}"
                rows.append((number, sorted(names), f"{span} % alike"))
    return rows


def _joined(some):
    """The sets of names that pairs join."""
    sets = []
    for pair in some:
        touched = [names for names in sets if pair.first in names or pair.second in names]
        sets = [names for names in sets if names not in touched]
        sets.append({pair.first, pair.second}.union(*touched))
    return sets


def listed(alike):
    """The lines that tell a lecturer who is alike; the fewer in a group, the more it says."""
    lines = ["exercise  hand-ins that are alike"]
    for number, names, how in groups(alike):
        named = ", ".join(printable(name, 40) for name in names[:MOST_NAMES])
        rest = len(names) - MOST_NAMES
        more = f" and {rest} other{'s' * (rest > 1)}" if rest > 0 else ""
        first, *others = wrapped(f"{named}{more}: {how}", " " * 10)
        lines += [f"{number:8d}  {first.strip()}", *others]
    return lines


def of_one(alike, name):
    """What one hand-in resembles, in one line: "6: bob, identical; 7: eve, 91 % alike"."""
    parts = []
    for pair in alike:
        if name in (pair.first, pair.second):
            other = pair.second if name == pair.first else pair.first
            parts.append(f"{pair.number}: {other}, {pair.words()}")
    return "; ".join(parts)
