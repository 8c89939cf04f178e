"""Nets on disk: one `.npz` file with every parameter by name and the settings as JSON text.

Files are written whole or not at all: to a temporary file beside the target, which then takes its
name. Nothing is ever pickled, so a file from a stranger can at worst be refused.
"""

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from .errors import CheckpointError, MinirnnError

FORMAT = 1
LARGEST = 2**30  # bytes of one file, unpacked


def write_atomic(path, data):
    """Write bytes to `path`, so that it holds either what it held or all of them."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from None
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
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    write_atomic(path, data.getvalue())


def read_npz(path):
    """{name: array} of an `.npz` file; raises `CheckpointError` for whatever else it may be."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise CheckpointError(f"{path} unpacks to {size:,} bytes, more than {LARGEST:,}")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except CheckpointError:
        raise
    except Exception as error:  # a damaged zip or npy can fail in a dozen ways
        raise CheckpointError(
            f"{path} is not a whole .npz file of arrays ({type(error).__name__}); "
            "it may be cut off or of another kind"
        ) from None


def save_net(path, net, settings):
    """Write a net's parameters, and the settings (JSON) from which it can be built again."""
    text = json.dumps({"format": FORMAT, **settings}, sort_keys=True)
    write_npz(path, {"settings": np.array(text), **net.state_dict()})


def load_net(path, build):
    """(net, settings): `build(settings)` makes the net, then the file's parameters fill it."""
    arrays = read_npz(path)
    try:
        settings = json.loads(str(arrays.pop("settings")))
        found = settings["format"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise CheckpointError(f"{path} holds arrays, but no settings of a minirnn net") from None
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has format {found}, but this minirnn reads format {FORMAT}; "
            "use the version that wrote it"
        )
    try:
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


def write_figure(path, figure):
    """Write a matplotlib figure as PNG, whole or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomic(path, data.getvalue())
