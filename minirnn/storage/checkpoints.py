"""Nets and training runs on disk: arrays by name, and facts as JSON text, in one `.npz` file."""

import contextlib
import json
import math
import os
import re
import time
from pathlib import Path

import numpy as np

from .. import __version__
from ..check import NOT_NEGATIVE, real
from ..check import short as told
from ..cuda.faults import is_out_of_memory
from ..errors import (
    ArgumentError,
    BackendError,
    CellError,
    CheckpointError,
    MinirnnError,
    NumberError,
)  # fmt: skip
from .files import alone_in, read_npz, short, write_atomic, write_npz

FORMAT = 1  # a file of this format is read, whichever version wrote it
BEFORE_VERSIONS = "0.1.0"  # wrote no version
LARGEST_FACTS = 2**26  # bytes of the JSON text: some 300,000 epochs of history
EVERY_SECONDS = 10.0  # between two checkpoints of a run, or $MINIRNN_CHECKPOINT_SECONDS


def _write(path, kind, facts, arrays):
    head = {"format": FORMAT, "version": __version__, "kind": kind}
    text = json.dumps({**head, **facts}, sort_keys=True)
    write_npz(path, {"facts": np.frombuffer(text.encode(), np.uint8), **arrays})


def _read(path, kind):
    """(facts, arrays) of a file of this kind."""
    arrays = read_npz(path)
    try:
        text = arrays.pop("facts").tobytes()
        if len(text) > LARGEST_FACTS:
            raise CheckpointError(f"{path} has {len(text):,} bytes of facts, too many")
        facts = json.loads(text.decode())
        written, holds = facts["format"], facts["kind"]
    except CheckpointError:
        raise
    except (KeyError, ValueError, TypeError, RecursionError):
        raise CheckpointError(f"{path} holds arrays, but nothing that minirnn wrote") from None
    if written != FORMAT:
        version = short(str(facts.get("version", BEFORE_VERSIONS)))
        raise CheckpointError(
            f"{path} has format {short(written)}, of minirnn {version}, but this is minirnn "
            f"{__version__}, which reads format {FORMAT}; use the version that wrote it"
        )
    if holds != kind:
        raise CheckpointError(f"{path} holds a {short(holds)}, but a {kind} is needed")
    return facts, arrays


def for_json(settings):
    """Return settings as a file holds them; `ArgumentError` for what JSON cannot hold."""
    if not isinstance(settings, dict):
        raise ArgumentError(f"settings is {told(settings)}, but must be a dict, {{}} for none")
    for name, value in settings.items():
        try:
            if not isinstance(name, str):
                raise TypeError
            json.dumps({name: value}, sort_keys=True)
        except (TypeError, ValueError, RecursionError):
            raise ArgumentError(
                f"settings has {told(name)}: {told(value)}, but must hold what JSON "
                "can: by names, text, Python's own numbers (x.item(), a.tolist()), lists of them"
            ) from None
    return settings


def save_net(path, net, settings):
    """Write a net's parameters, and the settings (for JSON) from which it can be built again.

    Raises `ArgumentError` where net is no `Module`, or settings no dict that JSON can hold.
    """
    if not callable(getattr(net, "state_dict", None)) or isinstance(net, type):
        raise ArgumentError(f"net is {told(net)}, but must be a Module")
    for_json(settings)
    _write(path, "net", {"settings": settings}, net.state_dict())


def load_net(path, build):
    """(net, settings): `build(settings)` makes the net, then the file's parameters fill it.

    Everything is checked first; a net that the file does not fit stays as `build` made it. Raises
    `CheckpointError` for a file that cannot be read or from which no such net can be built: a
    `ValueError` of `build`, or anything else that it raises, but its `CellError` and `BackendError`
    as they are; `ArgumentError` where `build` is no function.
    """
    if not callable(build):
        raise ArgumentError(f"build is {told(build)}, but must be a function of the settings")
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
    except Exception as error:  # the settings may be anything
        if is_out_of_memory(error):
            raise
        if isinstance(error, MinirnnError) and not isinstance(error, ArgumentError):
            raise CheckpointError(f"{path} does not fit: {error}") from None
        raise CheckpointError(
            f"{path} has settings from which no net can be built ({type(error).__name__}: "
            f"{short(str(error), 200)})"
        ) from None
    return net, settings


def _asks_too_much(settings, arrays):
    """Return whether settings ask for a net larger than the arrays beside them.

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
        self.path, self.settings = Path(path), for_json(settings)
        seconds = real("every_seconds", every_seconds, NOT_NEGATIVE, none=True)
        self.every = _every() if seconds is None else seconds
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
                    "learning rate"
                )
        _write(self.path, "training run", {"settings": self.settings, "run": facts}, arrays)
        self.written, self.saved = time.monotonic(), True

    def resume(self, trainer):
        """Bring the trainer to where the saved run was. Raises `CheckpointError` where there is
        none, or it was made with other settings; the trainer is then as it was. `ArgumentError`
        where it is no trainer."""
        if not hasattr(trainer, "is_over"):
            raise ArgumentError(f"trainer is {told(trainer)}, but must be a Trainer")
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
                    f"{self.path} was made with {short(name)} = {short(repr(was))}, but now it "
                    f"is {short(repr(now))}; use the same, or start again without --resume"
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
    if not 0 <= seconds < math.inf:
        raise CheckpointError(
            f"MINIRNN_CHECKPOINT_SECONDS is {short(repr(text))}, but must be a number of seconds, "
            "at least 0"
        )
    return seconds


class Snapshots(Checkpoint):
    """A checkpoint that keeps the net of every epoch too, for `python -m minirnn stepper`."""

    def __call__(self, trainer):
        super().__call__(trainer)
        if trainer.position == 0:
            self.write_snapshot(trainer)

    def write_snapshot(self, trainer):
        """Write epoch-NNN.npz: the net as it is now."""
        path = self.path.with_name(f"epoch-{trainer.epoch:03d}.npz")
        save_net(path, trainer.net, self.settings)

    def begin(self, trainer):
        """Remove what another run has left, and keep the net that is not trained yet."""
        with alone_in(self.path.parent):
            for old in self.path.parent.glob("epoch-*.npz"):
                if re.fullmatch(r"epoch-\d{3,}\.npz", old.name):
                    old.unlink()
            self.write_snapshot(trainer)
