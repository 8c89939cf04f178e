"""A class of forty to be graded: `python tests/hand_ins/classroom.py DIR` makes its hand-ins.

    python -P -m minirnn exercises grade DIR --csv marks.csv

Ten have solved all, in different words where there are some; six have done the first half; four
have handed in the starters; fourteen have made mistakes; six are hostile in every file.
"""

import sys
from pathlib import Path

import collection

from minirnn.exercises.catalogue import BY_NUMBER
from minirnn.exercises.handouts import starters_folder

HOSTILE = ["endless loop", "20 GiB", "os._exit(0)", "megabytes printed", "a file deleted",
           "numpy patched"]  # fmt: skip


def by_number(found):
    texts = {number: [] for number in BY_NUMBER}
    for number, *_, text in found:
        texts[number].append(text)
    return texts


def make(folder):
    """The names of the students, each with a folder of ten files."""
    right, wrong = by_number(collection.right()), by_number(collection.wrong())
    hostile = {name: text for _, name, _, _, text in collection.hostile()}
    names = []

    def student(name, text_of):
        names.append(name)
        (folder / name).mkdir(parents=True)
        for number, exercise in BY_NUMBER.items():
            (folder / name / exercise.file).write_text(text_of(number), encoding="utf-8")

    def blank(number):
        return (starters_folder() / BY_NUMBER[number].file).read_text(encoding="utf-8")

    def pick(texts, k):
        return lambda n: texts[n][k % len(texts[n])] if texts[n] else collection.solution(n)

    for k in range(10):
        student(f"right-{k}", pick(right, k))
    for k in range(6):
        student(f"half-{k}", lambda n: collection.solution(n) if n <= 5 else blank(n))
    for k in range(4):
        student(f"blank-{k}", blank)
    for k in range(14):
        student(f"wrong-{k:02d}", pick(wrong, k))
    for k, name in enumerate(HOSTILE):
        student(f"hostile-{k}", lambda n, name=name: hostile[name])
    return names


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/hand_ins/classroom.py DIR")
    place = Path(sys.argv[1])
    if place.exists():
        sys.exit(f"{place} is there already")
    print(f"{len(make(place))} hand-ins in {place}")
