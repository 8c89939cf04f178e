"""A zip file that somebody has handed in, unpacked without trust."""

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ...errors import DataError
from ..sandbox import SIZE

MOST_ENTRIES, LARGEST = 5000, 50_000_000  # of one file, unpacked
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the memory of others is not bounded
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError)


def unpack(path, folder):
    """Unpack the Python files and zip files in it; of other files only the names are there, empty.

    Links are left out. Raises `DataError` for what is no whole zip file, is encrypted, points
    outside, or is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _unpack(archive, path.name, folder)
    except DataError:
        raise
    except DAMAGED as error:
        if "encrypted" in str(error):
            raise DataError(f"{path.name} is encrypted: pack it without a password") from None
        raise DataError(f"{path.name} is not a whole zip file ({error})") from None


def _unpack(archive, name, folder):
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise DataError(f"{name} has more than {MOST_ENTRIES:,} entries: pack the exercises alone")
    total = 0
    for entry in entries:
        place = _place(entry, name)
        if place is None:
            continue
        target = Path(folder, *place.parts)
        if target.exists():
            raise DataError(f"{name} has {place} twice")
        data = b""
        if place.suffix in (".py", ".zip"):
            if entry.compress_type not in METHODS:
                raise DataError(f"{name} is compressed by an unusual method: pack it as plain zip")
            most = SIZE if place.suffix == ".py" else LARGEST
            with archive.open(entry) as file:  # what its header says of its size may be a lie
                data = file.read(most + 1)  # a Python file that is longer is too large all the same
        total += len(data)
        if total > LARGEST:
            raise DataError(f"{name} unpacks to more than {LARGEST:,} bytes")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except (FileExistsError, NotADirectoryError):
            raise DataError(f"{name} has {place} both as a file and as a folder") from None


def _place(entry, name):
    """The path of an entry, or None for a folder, a link, or what a system has put there."""
    text = entry.orig_filename.replace("\\", "/")  # .filename is cut at a zero byte
    place = PurePosixPath(text)
    if place.is_absolute() or ".." in place.parts or ":" in text or "\0" in text:
        raise DataError(f"{name} has an entry that points outside it: {text!r}")
    if max(map(len, place.parts), default=0) > 200 or len(place.parts) > 20:
        raise DataError(f"{name} has an entry with a name that is too long")
    link = stat.S_ISLNK(entry.external_attr >> 16)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return None if text.endswith("/") or link or hidden or not place.parts else place
