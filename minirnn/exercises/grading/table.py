"""The table of marks, a CSV file: one row a hand-in, written as soon as that is graded."""

import csv
import io
import time
from pathlib import Path

from ... import cli
from ...data import printable
from ...errors import DataError
from ...storage.files import write_atomic


class Table:
    """A CSV file that is whole at any moment. A row that is done takes the place of the earlier
    row of the same hand-in; all others stay as they are.

    Raises `DataError`, before anything is graded, where the file cannot be written, or holds a
    table with other columns.
    """

    def __init__(self, path, numbers, names):
        self.path, self.names = writable(path, "--csv"), names
        self.columns = ["hand-in", "total", "of"]
        for kind in ("exercise", "mark", "place", "what", "mistake"):
            self.columns += [f"{kind} {number}" for number in numbers]
        self.columns += ["alike", "remark", "seed", "graded"]
        self._write(self._rows())

    def add(self, graded):
        """Put in the row of one hand-in."""
        row = {"hand-in": cell(graded.name), "total": graded.total, "of": graded.most,
               "alike": cell(graded.alike), "remark": cell(graded.remark), "seed": graded.seed,
               "graded": time.strftime("%Y-%m-%d %H:%M:%S")}  # fmt: skip
        for result in graded.results:
            step = next((step.name for step in result.steps if step.right is False), "")
            line = f"line {result.code}" if result.code else ""
            texts = {"place": "; ".join(filter(None, [step, line])), "what": result.text,
                     "mistake": result.mistake, "mark": result.mark}  # fmt: skip
            row |= {f"{kind} {result.number}": cell(text) for kind, text in texts.items()}
            row[f"exercise {result.number}"] = graded.score(result)
        self._write(self._rows() | {row["hand-in"]: row})

    def _rows(self):
        """{hand-in: row} of what the file holds now."""
        if not self.path.exists():
            return {}
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError) as error:
            raise DataError(f"{self.path} cannot be read as a table: {error}") from None
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if text and reader.fieldnames != self.columns:
            raise DataError(
                f"{self.path} is there already, and is no table of these exercises; choose another "
                "--csv, or move it away"
            )
        return {row["hand-in"]: row for row in reader}

    def _write(self, rows):
        """The rows of this class first, in its order, then the others as they stood."""
        order = {cell(name): place for place, name in enumerate(self.names)}
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(
            sorted(rows.values(), key=lambda row: order.get(row["hand-in"], len(order)))
        )
        write_atomic(self.path, text.getvalue().encode("utf-8", "backslashreplace"))


def cell(text, longest=600):
    """Text that a spreadsheet does not take for a formula."""
    text = printable(" ".join(text.split()), longest)
    return f"'{text}" if text[:1] in tuple("=+-@") else text


def writable(path, option):
    """A path whose file can be written, found out by trying; `DataError` where it cannot."""
    path = Path(path)
    cli.output_folder(path.parent)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DataError(f"{option} is {path}, which is no plain file; give the name of a file")
    return path
