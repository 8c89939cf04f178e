"""What a student gets to read: one text file a hand-in, in the checker's own words."""

from pathlib import Path

from ... import cli
from ...data import printable
from ...storage.files import write_atomic
from ..output import describe


class Feedback:
    """A folder with one text file for each hand-in. Raises `DataError` where it takes none."""

    def __init__(self, folder):
        self.folder, self.names = cli.output_folder(Path(folder)), set()

    def add(self, graded):
        """Write the file of one hand-in; one of an earlier run gives way."""
        name = graded.name.replace("/", "-").replace("\\", "-").strip(".") or "hand-in"
        again = 2
        while name.casefold() in self.names:  # of another student: anna and anna., a/b and a-b
            name, again = f"{name.rpartition('-')[0] if again > 2 else name}-{again}", again + 1
        self.names.add(name.casefold())
        write_atomic(self.folder / f"{name}.txt", text(graded).encode("utf-8", "backslashreplace"))


def text(graded):
    """Points, then what the checker says of each exercise."""
    lines = [printable(graded.name, 80), f"{graded.total:g} of {graded.most:g} points"]
    if graded.remark:
        lines.append(printable(graded.remark, 300))
    for result in graded.results:
        points = f"{graded.score(result):g} of {graded.points[result.number]:g} points"
        lines += ["", describe(result), f"    {points}"]
    return "\n".join(lines) + "\n"
