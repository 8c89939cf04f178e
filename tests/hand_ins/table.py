"""What the checker says to the wrong hand-ins: `python tests/hand_ins/table.py [--write]`.

Each line: the exercise, the hand-in, its mark, whether the message names the right place and the
right mistake (by the patterns that stand beside the hand-in), and the message.
"""

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import collection

from minirnn.exercises.catalogue import BY_NUMBER
from minirnn.exercises.checking import check
from minirnn.reports import processes

TABLE = Path(__file__).resolve().parent / "table.md"


def judged(number, text, **options):
    """The result of a hand-in whose file has this text."""
    exercise = BY_NUMBER[number]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / exercise.file).write_text(text, encoding="utf-8")
        return check(exercise, folder, **options)


def all_judged(hand_ins, **options):
    """The results of hand-ins [(number, text)], in their order: as many at a time as there are
    processor cores, for each runs in a process of its own."""
    with ThreadPoolExecutor(processes.cores()) as pool:
        return list(pool.map(lambda one: judged(*one, **options), hand_ins))


def rows(step=1):
    """(number, name, result, right place, right mistake) of every `step`-th wrong hand-in."""
    wrong = collection.wrong()[::step]
    results = all_judged([(number, text) for number, *_, text in wrong], seed=0)
    for (number, name, place, mistake, _), result in zip(wrong, results, strict=True):
        where = f"{result.text} {result.code} {result.pair}"
        why = f"{result.mistake} {result.text if result.mark != 'wrong value' else ''}"
        yield (number, name, result, bool(re.search(place, where)), bool(re.search(mistake, why)))


def lines_of(judgements):
    """The lines of the table for these rows."""
    yes = {True: "yes", False: "no"}
    lines = []
    for number, name, result, place, mistake in judgements:
        said = f"{result.text}. {result.mistake}".replace("|", "/").replace("\n", " ").strip()
        lines.append(
            f"| {number} | {name} | {result.mark} | {yes[place]} | {yes[mistake]} | {said} |"
        )
    return lines


def page(found):
    """The text of the table for these rows, with the sums below."""
    lines = ["| exercise | hand-in | mark | place | mistake | message |", "|--|--|--|--|--|--|"]
    lines += lines_of(found)
    passed, place, mistake = (
        sum(column) for column in zip(*((bool(r), p, m) for _, _, r, p, m in found), strict=True)
    )
    head = "# What the checker says to wrong hand-ins\n\n"
    head += "Made by `python tests/hand_ins/table.py --write`.\n\n"
    lines += ["", f"{len(found)} wrong hand-ins: {passed} passed, {place} "
              f"({place / len(found):.0%}) with the right place, {mistake} "
              f"({mistake / len(found):.0%}) with the right mistake."]  # fmt: skip
    return head + "\n".join(lines) + "\n"


def main():
    text = page(list(rows()))
    print(text, end="")
    if "--write" in sys.argv:
        TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
