"""Nets on disk: one `.npz` file with every parameter by name and the settings as JSON text.

Files are written whole or not at all: to a temporary file beside the target, which then takes its
name. Nothing is ever pickled, so a file from a stranger can at worst be refused. Its entries are
not compressed, so what it unpacks to is never more than what lies on the disk.
"""

import contextlib
import io
import json
import math
import os
import re
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

from .errors import BackendError, CellError, CheckpointError, MinirnnError, NumberError

FORMAT = 1
LARGEST = 2**30  # bytes of one file, unpacked
LARGEST_FACTS = 2**26  # bytes of the JSON text: some 300,000 epochs of history
EVERY_SECONDS = 10.0  # between two checkpoints of a run, or $MINIRNN_CHECKPOINT_SECONDS


LEFTOVER = re.compile(r"\..+\.\d+\.tmp")  # the names that write_atomic gives


def write_atomic(path, data):
    """Write bytes to `path`, so that it holds either what it held before or all of them.

    They go to a temporary file, are forced to the disk, and only then take the name. Raises
    `CheckpointError` where that cannot be done.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        kept = "; what it held before is still there" if os.path.exists(path) else ""
        raise CheckpointError(f"{path} cannot be written: {error.strerror}{kept}") from None
    finally:
        with contextlib.suppress(OSError):  # if all went well it is gone already
            temporary.unlink()


def remove_leftovers(folder):
    """Remove the temporary files of runs that were killed while they wrote."""
    for left in Path(folder).glob(".*.tmp"):
        if LEFTOVER.fullmatch(left.name):
            left.unlink(missing_ok=True)


def write_npz(path, arrays):
    """Write {name: array} as `.npz`; the same arrays always give the same bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array, order="C"), allow_pickle=False)
    write_atomic(path, data.getvalue())


def read_npz(path):
    """{name: array} of an `.npz` file; raises `CheckpointError` for whatever else it may be.

    Sizes are read from the headers before anything is unpacked, so that neither a zip bomb nor
    an array that claims to be huge takes any memory.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
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
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise CheckpointError(f"{path} has {_short(name)} twice")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise CheckpointError(
                        f"{path} has {_short(name)} compressed, but minirnn reads only files "
                        "that are not; write it with numpy.savez"
                    )
                arrays[name] = _array(archive, entry)
            return arrays
    except CheckpointError:
        raise
    except Exception as error:  # a damaged zip or npy can fail in a dozen ways
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


def _write(path, kind, facts, arrays):
    text = json.dumps({"format": FORMAT, "kind": kind, **facts}, sort_keys=True)
    write_npz(path, {"facts": np.frombuffer(text.encode(), np.uint8), **arrays})


def _read(path, kind):
    """(facts, arrays) of a file of this kind."""
    arrays = read_npz(path)
    try:
        text = arrays.pop("facts").tobytes()
        if len(text) > LARGEST_FACTS:
            raise CheckpointError(f"{path} has {len(text):,} bytes of facts, too many")
        facts = json.loads(text.decode())
        found = facts["format"], facts["kind"]
    except CheckpointError:
        raise
    except (KeyError, ValueError, TypeError, RecursionError):
        raise CheckpointError(f"{path} holds arrays, but nothing that minirnn wrote") from None
    if found[0] != FORMAT:
        raise CheckpointError(
            f"{path} has format {_short(found[0])}, but this minirnn reads format {FORMAT}; "
            "use the version that wrote it"
        )
    if found[1] != kind:
        raise CheckpointError(f"{path} holds a {_short(found[1])}, but a {kind} is needed")
    return facts, arrays


def save_net(path, net, settings):
    """Write a net's parameters, and the settings (for JSON) from which it can be built again."""
    _write(path, "net", {"settings": settings}, net.state_dict())


def load_net(path, build):
    """(net, settings): `build(settings)` makes the net, then the file's parameters fill it.

    Everything is checked first; a net that the file does not fit stays as `build` made it. Raises
    `CheckpointError` for a file that cannot be read or from which no such net can be built: a
    `ValueError` of `build`, or anything else that it raises, but its `CellError` and `BackendError`
    as they are.
    """
    facts, arrays = _read(path, "net")
    try:
        settings = facts["settings"]
        if _asks_too_much(settings, arrays):
            raise ValueError("they ask for a larger net than there are numbers in the file")
        net = build(settings)
        net.load_state_dict(arrays)
    except KeyError as error:
        raise CheckpointError(f"{path} lacks the setting {error}") from None
    except (CellError, BackendError):  # what the user gave beside the file
        raise
    except MinirnnError as error:
        raise CheckpointError(f"{path} does not fit: {error}") from None
    except Exception as error:  # the settings may be anything
        raise CheckpointError(
            f"{path} has settings from which no net can be built ({type(error).__name__}: "
            f"{_short(str(error), 200)})"
        ) from None
    return net, settings


def _asks_too_much(settings, arrays):
    """Whether settings ask for a net larger than the arrays beside them.

    Else a small file could ask for a net that takes all memory, before anything is compared.
    """

    def size(name):
        value = settings.get(name)
        return len(value) if isinstance(value, (str, list)) else value or 0

    H, E, V, K, layers = map(
        size, ("hidden_size", "embedding", "alphabet", "languages", "num_layers")
    )
    numbers = sum(array.size for array in arrays.values())
    products = H * H, H * (E or V), H * K, E * V, layers
    return any(product > numbers for product in products)


class Checkpoint:
    """A training run on disk: call it with the trainer, and it writes when it is time.

    settings: what the run depends on, {name: value}; a checkpoint of other settings is refused.
    """

    def __init__(self, path, settings, every_seconds=None):
        self.path, self.settings = Path(path), settings
        self.every = _every() if every_seconds is None else every_seconds
        self.written, self.saved = time.monotonic(), False  # saved: whether by this run

    def __call__(self, trainer):
        """Write if `every_seconds` have passed, or the run is stopped or over."""
        over = trainer.stopped or trainer.is_over()
        if over or time.monotonic() - self.written >= self.every:
            self.save(trainer)

    def save(self, trainer):
        """Write now. Raises `NumberError`, and keeps the old file, where weights are not finite:
        a step of finite gradients may have thrown them there."""
        arrays, facts = trainer.state_dict()
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise NumberError(
                    f"{name} holds NaN or infinity, so no checkpoint was written; try a smaller "
                    "--lr, or --clip 1"
                )
        _write(self.path, "training run", {"settings": self.settings, "run": facts}, arrays)
        self.written, self.saved = time.monotonic(), True

    def resume(self, trainer):
        """Bring the trainer to where the saved run was. Raises `CheckpointError` where there is
        none, or it was made with other settings; the trainer is then as it was."""
        if not self.path.is_file():
            raise CheckpointError(f"there is no run to go on with in {self.path}; omit --resume")
        facts, arrays = _read(self.path, "training run")
        saved = facts.get("settings")
        if not isinstance(saved, dict):
            raise CheckpointError(f"{self.path} cannot be taken up: it holds no settings")
        for name in sorted({*saved, *self.settings}):
            was, now = saved.get(name), json.loads(json.dumps(self.settings.get(name)))
            if was != now:
                raise CheckpointError(
                    f"{self.path} was made with {_short(name)} = {_short(repr(was))}, but now it "
                    f"is {_short(repr(now))}; use the same, or start anew without --resume"
                )
        try:
            trainer.load_state_dict(arrays, facts.get("run"))
        except CheckpointError as error:
            raise CheckpointError(f"{self.path} cannot be taken up: {error}") from None
        self.saved = True

    def keep_unfinished(self):
        """Copy the checkpoint of an unfinished run, before another run takes its name.

        Returns the copy's path, or None where there was nothing to keep.
        """
        if not self.path.is_file():
            return None
        with contextlib.suppress(CheckpointError, AttributeError):
            if _read(self.path, "training run")[0].get("run").get("over") is True:
                return None
        data, k = self.path.read_bytes(), 1
        while True:
            copy = self.path.with_stem(f"{self.path.stem}-previous{'' if k == 1 else f'-{k}'}")
            if not copy.exists():
                write_atomic(copy, data)
                return copy
            if copy.is_file() and copy.read_bytes() == data:
                return copy
            k += 1


def _every():
    text = os.environ.get("MINIRNN_CHECKPOINT_SECONDS", "")
    try:
        seconds = float(text or EVERY_SECONDS)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise CheckpointError(f"MINIRNN_CHECKPOINT_SECONDS is {_short(repr(text))}, not a number")
    return seconds


def _short(value, longest=60):
    text = str(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def write_figure(path, figure):
    """Write a matplotlib figure as PNG, whole or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomic(path, data.getvalue())
