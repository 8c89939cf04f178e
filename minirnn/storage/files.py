"""Whole files: written whole or not at all, read without trust; and folders for one run alone.

A file goes to a temporary one beside the target first, which then takes its name. Nothing is ever
pickled, so a file from a stranger can at worst be refused. Entries of an `.npz` file are not
compressed, so what it unpacks to is never more than what lies on the disk.
"""

import contextlib
import io
import math
import os
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np

from ..check import absent, path_of
from ..cuda.faults import is_out_of_memory
from ..errors import CheckpointError, DataError

LARGEST = 2**30  # bytes of one file, unpacked
LEFTOVER = re.compile(r"\..+\.\d+\.tmp")  # the names that write_atomic gives


def write_atomic(path, data):
    """Write bytes to `path`, so that it holds either what it held before or all of them.

    They go to a temporary file, are forced to the disk, and only then take the name. A device, or
    what this process has open (/dev/null, /dev/stdout), gets them as they are: nothing takes its
    place. Raises `CheckpointError` where that cannot be done, and for a folder, a pipe or the like.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        if _is_device(path):
            path.write_bytes(data)
            return
        if os.path.exists(path) and not os.path.isfile(path):
            kind = "folder" if os.path.isdir(path) else "pipe or the like"
            raise CheckpointError(f"{path} cannot be written: it is a {kind}, no file")
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        kept = "; what it held before is still there" if os.path.isfile(path) else ""
        reason = getattr(error, "strerror", error)  # of a name with a zero byte there is none
        raise CheckpointError(f"{path} cannot be written: {reason}{kept}") from None
    finally:
        with contextlib.suppress(OSError, ValueError):  # if all went well it is gone already
            temporary.unlink()


def _is_device(path):
    folder = os.path.realpath(path.parent)
    return os.path.exists(path) and (folder == "/dev" or folder.startswith("/proc/"))


def remove_leftovers(folder):
    """Remove the temporary files of runs that were killed while they wrote."""
    for left in Path(folder).glob(".*.tmp"):
        if LEFTOVER.fullmatch(left.name):
            left.unlink(missing_ok=True)


def write_npz(path, arrays):
    """Write {name: array} as `.npz`; the same arrays always give the same bytes.

    Raises `CheckpointError` where it cannot be written, for want of memory too.
    """
    data = io.BytesIO()
    try:
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                with archive.open(entry, "w", force_zip64=True) as file:
                    array = np.asanyarray(array, order="C")
                    np.lib.format.write_array(file, array, allow_pickle=False)
        data = data.getbuffer()  # not a copy of it
    except Exception as error:  # a zip file that cannot be closed hides what came first
        if not is_out_of_memory(error):
            raise
        kept = "; what it held before is still there" if os.path.exists(path) else ""
        raise CheckpointError(f"{path} cannot be written: out of memory{kept}") from None
    write_atomic(path, data)


def read_npz(path):
    """{name: array} of an `.npz` file; raises `CheckpointError` for whatever else it may be.

    Sizes are read from the headers before anything is unpacked, so that neither a zip bomb nor
    an array that claims to be huge takes any memory.
    """
    path = path_of("path", path)
    if not path.is_file():
        raise CheckpointError(absent(path, "file"))
    try:
        with open(path, "rb") as file:
            return _arrays(path, file)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None


def _arrays(path, file):
    try:
        with zipfile.ZipFile(file) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that are odd Python
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > LARGEST:
                raise CheckpointError(f"{path} unpacks to {size:,} bytes, more than {LARGEST:,}")
            on_disk = os.fstat(file.fileno()).st_size
            if size > on_disk and all(e.compress_type == zipfile.ZIP_STORED for e in entries):
                raise CheckpointError(
                    f"{path} unpacks to {size:,} bytes, but has {on_disk:,}: its entries overlap"
                )
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise CheckpointError(f"{path} has {short(name)} twice")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise CheckpointError(
                        f"{path} has {short(name)} compressed, but minirnn reads only files "
                        "that are not; write it with numpy.savez"
                    )
                arrays[name] = _array(archive, entry)
            return arrays
    except CheckpointError:
        raise
    except Exception as error:  # a damaged zip or npy can fail in a dozen ways
        if is_out_of_memory(error):
            text = f"{path} cannot be read: out of memory; it may be whole"
            raise CheckpointError(text) from None
        raise CheckpointError(
            f"{path} is not a whole .npz file of arrays ({type(error).__name__}); "
            "it may be cut off or of another kind"
        ) from None


def _array(archive, entry):
    """One array of an open archive; its header must agree with its size."""
    with archive.open(entry) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("a version of the format that no array of numbers needs")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        data = file.read()
    if dtype.hasobject or fortran or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("the header does not fit the data")
    return np.frombuffer(data, dtype).reshape(shape).copy()


def write_figure(path, figure):
    """Write a matplotlib figure as PNG, whole or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomic(path, data.getvalue())


@contextlib.contextmanager
def alone_in(folder):
    """Raise `DataError` where another process trains into the same folder.

    The lock is on the folder itself and goes with the process, however it ends. Where the system
    has no such locks (Windows, some network disks), nothing is checked.
    """
    try:
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DataError(
            f"another run is writing to {folder}; wait for its end, or choose another --output"
        ) from None
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(lock)


def short(value, longest=60):
    """A value as text for a message, cut off where it is long."""
    text = str(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."
