"""Who has handed in what: folders and zip files, and folders of them. No link is followed."""

import errno
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ...data import printable
from ...errors import DataError, GraderError
from ..file_names import look_alikes
from ..trouble import CURES, sentence_on
from .zip_files import unpack

DEEPEST, MOST_FOLDERS = 5, 500  # how far the exercises are looked for in a hand-in
ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zipx")


@dataclass(frozen=True)
class Student:
    """One hand-in: its name, where it came from, and the folder with its exercises, or None and
    the sentence that says why there is none."""

    name: str
    source: Path
    folder: Path | None
    remark: str = ""


def students(paths, files, scratch, alone=False):
    """([Student], [names of files that are no hand-ins]) of what lies in these places.

    files: the names of the exercises. scratch: a folder for what is unpacked. alone: each place is
    one hand-in. Raises `DataError` for a place that is not there or can be read in two ways.
    """
    gathered, left_out = [], []
    for path in paths:
        place = _opened(path, scratch)
        place = place if alone else _class_inside(place, files)
        if alone or _is_one(place, path, files):
            name = path.stem if path.suffix.lower() == ".zip" else path.resolve().name
            gathered.append(_student(place, files, scratch, name, path))
            continue
        for entry in _entries(place):
            if entry.is_dir() or entry.suffix.lower() in (".zip", *ARCHIVES):
                name = entry.name if entry.is_dir() else entry.stem
                gathered.append(_student(entry, files, scratch, name, entry))
            else:
                left_out.append(entry.name)
    return told_apart(gathered), left_out


def _opened(path, scratch):
    """The folder of a place that the command names, unpacked where it is a zip file."""
    try:
        if path.is_file() and path.suffix.lower() == ".zip":
            return _unpacked(path, scratch)
        if path.is_file():
            raise DataError(f"{path} is a file; name the folder that it lies in, or a zip file")
        if not path.is_dir():
            raise DataError(f"there is no folder {path}")
        list(path.iterdir())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return path


def _class_inside(folder, files):
    """The folder of the hand-ins, where a class lies in one folder more, as archives have it."""
    inside = _entries(folder)
    if len(inside) == 1 and inside[0] in _folders(folder) and not _holds(inside[0], files):
        deeper = _entries(inside[0])
        several = [p for p in deeper if not p.is_dir() or _hold_exercises(p, files)]
        if len([p for p in several if p.is_dir() or p.suffix.lower() == ".zip"]) > 1:
            return inside[0]
    return folder


def _unpacked(path, scratch):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    unpack(path, folder)
    return folder


def _is_one(folder, path, files):
    """Whether a place is one hand-in and no folder of them; `DataError` where it may be both."""
    inside = [p for p in _entries(folder) if p.is_dir() or p.suffix.lower() in (".zip", *ARCHIVES)]
    if not _holds(folder, files):
        return not inside
    if others := [p.name for p in inside if not p.is_dir() or _hold_exercises(p, files)]:
        raise DataError(
            f"{path} holds exercises itself and in {printable(others[0], 60)}: move its own away "
            "to grade a class, or the others to grade one hand-in"
        )
    return True


def _hold_exercises(folder, files):
    return any(_holds(place, files) for level in _levels(folder) for place in level)


def _entries(folder):
    """What lies in a folder, sorted, without what systems and Python put there."""
    return sorted(p for p in folder.iterdir() if p.name[0] != "." and p.name[:2] != "__")


def _folders(folder):
    return [p for p in _entries(folder) if p.is_dir() and not p.is_symlink()]


def _holds(folder, files):
    return any((folder / file).is_file() for file in files)


def _levels(folder):
    """The folders in a hand-in: itself, then those inside, one level after the other."""
    level, seen = [folder], 0
    for _ in range(DEEPEST):
        yield level
        level = [inside for place in level for inside in _folders(place)]
        seen += len(level)
        if seen > MOST_FOLDERS:
            raise DataError(f"it has more than {MOST_FOLDERS} folders: hand in the exercises alone")


def _student(path, files, scratch, name, source):
    """The `Student` of a folder or file; whatever is wrong with it becomes the remark."""
    try:
        if path.is_symlink() and path == source:
            raise DataError(f"{path.name} is a link, which is not followed")
        if path.suffix.lower() in ARCHIVES and not path.is_dir():
            raise DataError(f"{path.name} is neither a folder nor a zip file: unpack it")
        folder = path if path.is_dir() else _unpacked(path, scratch)
        return Student(name, source, _with_exercises(folder, files, scratch))
    except DataError as error:
        return Student(name, source, None, str(error))
    except OSError as error:
        if error.errno in CURES and error.errno != errno.EACCES:
            raise GraderError(sentence_on(error, f"read {path.name}")) from error
        return Student(name, source, None, f"{path.name} cannot be read: {error.strerror}")


def _with_exercises(folder, files, scratch, zips=2):
    """The folder in a hand-in that holds the exercises, the outermost one; a zip file in it is
    opened, and one in that.

    Raises `DataError` where there is none, or more than one.
    """
    similar, seen = None, []
    for level in _levels(folder):
        holding = [place for place in level if _holds(place, files)]
        if len(holding) > 1:
            names = " and ".join(str(p.relative_to(folder)) for p in holding[:2])
            raise DataError(f"{printable(names, 120)} both hold exercises: hand in one folder")
        if holding:
            return holding[0]
        for place in level:
            seen += [p for p in _entries(place) if p.is_file() and not p.is_symlink()]
            if any(look_alikes(place, file) for file in files):
                similar = similar or place
    if similar is not None:
        return similar
    archives = [path for path in seen if path.suffix.lower() == ".zip"]
    if len(archives) == 1 and zips:
        return _with_exercises(_unpacked(archives[0], scratch), files, scratch, zips - 1)
    if not seen:
        raise DataError("it is empty, or holds nothing but links")
    names = ", ".join(printable(path.name, 40) for path in seen[:3])
    raise DataError(f"it holds no exercise, but {names}")


def told_apart(gathered):
    """The students, those of the same name with as much of their path as tells them apart."""

    def longer(student):
        source = student.source
        return [student.name, source.name, f"{source.resolve().parent.name}/{source.name}",
                str(source.resolve())]  # fmt: skip

    names = {id(student): longer(student) for student in gathered}
    for k in range(1, 4):
        counts = Counter(names[id(s)][0].casefold() for s in gathered)
        for student in gathered:
            if counts[names[id(student)][0].casefold()] > 1:
                names[id(student)][0] = names[id(student)][k]
    return [replace(student, name=names[id(student)][0]) for student in gathered]
