"""Nets on disk: one `.npz` file with every parameter by name and the settings as JSON text.

Files are written whole or not at all: to a temporary file beside the target, which then takes its
name. Nothing is ever pickled, so a file from a stranger can at worst be refused.
"""

import contextlib
import io
import json
import math
import os
import time
import zipfile
from pathlib import Path

import numpy as np

from .errors import CheckpointError, MinirnnError

FORMAT = 1
LARGEST = 2**30  # bytes of one file, unpacked


def write_atomic(path, data):
    """Write bytes to `path`, so that it holds either what it held before or all of them.

    They go to a temporary file, are forced to the disk, and only then take the name.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST:
                raise CheckpointError(f"{path} unpacks to {size:,} bytes, more than {LARGEST:,}")
            return {e.filename.removesuffix(".npy"): _array(archive, e) for e in archive.infolist()}
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
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(file)
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
        facts = json.loads(arrays.pop("facts").tobytes().decode())
        found = facts["format"], facts["kind"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise CheckpointError(f"{path} holds arrays, but nothing that minirnn wrote") from None
    if found[0] != FORMAT:
        raise CheckpointError(
            f"{path} has format {found[0]}, but this minirnn reads format {FORMAT}; "
            "use the version that wrote it"
        )
    if found[1] != kind:
        raise CheckpointError(f"{path} holds a {found[1]}, but a {kind} is needed")
    return facts, arrays


def save_net(path, net, settings):
    """Write a net's parameters, and the settings (for JSON) from which it can be built again."""
    _write(path, "net", {"settings": settings}, net.state_dict())


def load_net(path, build):
    """(net, settings): `build(settings)` makes the net, then the file's parameters fill it."""
    facts, arrays = _read(path, "net")
    try:
        settings = facts["settings"]
        net = build(settings)
        net.load_state_dict(arrays)
    except KeyError as error:
        raise CheckpointError(f"{path} lacks the setting {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit: {error}") from None
    except MinirnnError:
        raise
    except Exception as error:  # the settings may be anything
        raise CheckpointError(
            f"{path} has settings from which no net can be built ({type(error).__name__}: {error})"
        ) from None
    return net, settings


class Checkpoint:
    """A training run on disk: call it with the trainer, and it writes when it is time.

    settings: what the run depends on, {name: value}; a checkpoint of other settings is refused.
    """

    def __init__(self, path, settings, every_seconds=10.0):
        self.path, self.settings, self.every = Path(path), settings, every_seconds
        self.written = time.monotonic()

    def __call__(self, trainer):
        """Write if `every_seconds` have passed, or the run is stopped or over."""
        over = trainer.stopped or trainer.batches is None
        if over or time.monotonic() - self.written >= self.every:
            self.save(trainer)

    def save(self, trainer):
        arrays, facts = trainer.state_dict()
        _write(self.path, "training run", {"settings": self.settings, "run": facts}, arrays)
        self.written = time.monotonic()

    def resume(self, trainer):
        """Bring the trainer to where the saved run was. Raises `CheckpointError` where there is
        none, or it was made with other settings."""
        for left in self.path.parent.glob(f".{self.path.name}.*.tmp"):
            left.unlink(missing_ok=True)  # of a run that was killed while it wrote
        facts, arrays = _read(self.path, "training run")
        saved = facts.get("settings", {})
        for name in sorted({*saved, *self.settings}):
            was, now = saved.get(name), json.loads(json.dumps(self.settings.get(name)))
            if was != now:
                raise CheckpointError(
                    f"{self.path} was made with {name} = {_short(was)}, but now it is "
                    f"{_short(now)}; use the same, or start anew without --resume"
                )
        try:
            trainer.load_state_dict(arrays, facts["run"])
        except (CheckpointError, KeyError) as error:
            raise CheckpointError(f"{self.path} cannot be taken up: {error}") from None


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def write_figure(path, figure):
    """Write a matplotlib figure as PNG, whole or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomic(path, data.getvalue())
