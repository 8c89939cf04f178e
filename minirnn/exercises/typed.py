"""Commands as they must be typed on this machine: which Python, from this folder."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

ADDED = []  # options that belong to every command, while there are exercises of one's own
WINDOWS = os.name == "nt"  # a name: the reference cannot show a comparison as a default
PLAIN = re.compile(r"[\w.:/\\+=-]+")  # that neither cmd nor PowerShell reads as anything else


def python():
    """`python` where that is the one which runs now, else its path."""
    here = os.path.dirname(os.path.abspath(sys.executable))
    for name in ("python", "python3"):
        path = shutil.which(name)
        if path and os.path.dirname(os.path.abspath(path)) == here:
            return name
    return shorter(sys.executable)


def shorter(path):
    """A path as seen from this folder, where that is not longer than the whole of it."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)
    return relative if len(relative) <= len(str(path)) or not os.path.isabs(path) else str(path)


def quoted(word, windows=WINDOWS):
    """A word as a shell wants it: in quotes where it holds a blank or a sign of the shell's own."""
    if not windows:
        return shlex.quote(word)
    return word if PLAIN.fullmatch(word) else f'"{word}"'


def called(path, windows=WINDOWS):
    """A program's path as a command: PowerShell takes what begins with a quote for a text, so the
    quotes stand inside, which cmd knows as well: C:\\"Program Files"\\python.exe."""
    if not windows:
        return quoted(path, windows)
    first, *rest = path.split("\\")
    start = first if not first or PLAIN.fullmatch(first) else f".\\{quoted(first, windows)}"
    return "\\".join([start, *(quoted(part, windows) if part else part for part in rest)])


def program(*words):
    """`python WORDS`."""
    return " ".join([called(python()), *(quoted(str(word)) for word in words)])


def exercises(*words):
    """`python -P -m minirnn exercises WORDS`: no file of this folder is taken for a module. In
    the folder of a checkout, which may not be installed, without -P."""
    safely = [] if Path.cwd() == Path(__file__).resolve().parents[2] else ["-P"]
    return program(*safely, "-m", "minirnn", "exercises", *words, *ADDED)


def names_script():
    """`examples/names.py` of this checkout as seen from here, or None."""
    path = Path(__file__).resolve().parents[2] / "examples" / "names.py"
    return shorter(path) if path.is_file() else None
