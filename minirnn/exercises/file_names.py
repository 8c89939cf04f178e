"""Files whose name or encoding is not quite what was asked for: `ex03_rnn_cell (1).py`, UTF-16."""

import re
from pathlib import Path

from ..data import printable

MARKS_OF_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def look_alikes(folder, file):
    """The names of the files in a folder that may have been meant as `file`, sorted."""
    try:
        names = sorted(entry.name for entry in Path(folder).iterdir() if entry.is_file())
    except OSError:
        return []
    return [name for name in names if name != file and _alike(name, file)]


def _alike(name, file):
    number = re.match(r"ex0*(\d+)_", file)
    return _plain(Path(file).stem) in _plain(name) or bool(
        number and re.search(rf"(?<![a-z])ex[ _-]?0*{number[1]}(?!\d)", name.lower())
    )


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def instead(folder, file):
    """A sentence on the look-alikes of a file that is missing, or nothing."""
    names = [f"'{printable(name, 60)}'" for name in look_alikes(folder, file)[:3]]
    verb = "is" if len(names) == 1 else "are"
    return f"Here {verb} {', '.join(names)}: give it exactly the name {file}." if names else ""


def encoding_advice(path):
    """A sentence where the file is saved as UTF-16, which Python cannot read, or nothing."""
    try:
        with open(path, "rb") as file:
            head = file.read(200)
    except OSError:
        return ""
    if head.startswith(MARKS_OF_UTF16) or head.count(0) > len(head) // 4:
        return "The file is saved as UTF-16: save it as UTF-8, as an editor's Save As offers."
    return ""
