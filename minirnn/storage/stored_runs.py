"""Runs stored on disk: a finished run leaves weights and a result, another one a checkpoint."""

import json
from dataclasses import asdict
from pathlib import Path

from ..errors import CheckpointError
from .checkpoints import Checkpoint, save_net
from .files import write_atomic


class StoredRun:
    """A mixin for a dataclass of a run's settings: names its files and stores its result.

    It has a `name`, a `folder`, and fields from which, `data` aside, the result follows.
    """

    @property
    def settings(self):
        """Return what the result depends on, beside the code: {name: value}."""
        return {k: v for k, v in asdict(self).items() if k not in ("data", "folder")}

    def path(self, ending):
        """Its file with this ending: "npz" the weights, "json" the result, "part.npz" the
        checkpoint while it is not over."""
        return Path(self.folder) / f"{self.name}.{ending}"

    def begun(self):
        """Return whether there is a checkpoint of it."""
        return self.path("part.npz").is_file()

    def result(self):
        """The result of a run that is over, or None. `CheckpointError`: other settings."""
        path = self.path("json")
        return read_json(path, self.settings) if path.is_file() else None

    def train(self, trainer, finish, progress=None, stopped=None, saved=()):
        """Train to the end, or go on where it stopped; the result, or None if it was stopped.

        It is saved every few seconds (see `Checkpoint`), and where it is stopped. finish() gives
        the result, {name: value} for JSON, which is stored beside the weights. saved: more settings
        for the file of weights.
        """
        checkpoint = Checkpoint(self.path("part.npz"), self.settings)
        if self.begun():
            checkpoint.resume(trainer)
            if progress:
                progress(trainer.iteration + trainer.position)
        if not trainer.fit(progress, checkpoint, stopped):
            return None
        result = finish()
        save_net(self.path("npz"), trainer.net, {**self.settings, **dict(saved)})
        return self.store(result)

    def store(self, result):
        """Write {name: value} as the run's result, and remove its checkpoint; the result comes back
        with the settings."""
        result = {**self.settings, **result}
        write_atomic(self.path("json"), json.dumps(result, indent=1).encode() + b"\n")
        self.path("part.npz").unlink(missing_ok=True)
        return result


def read_json(path, settings):
    """Return what a JSON file holds; raises `CheckpointError` where its settings are not these."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        saved = {name: result[name] for name in settings}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(
            f"{path} is damaged, or nothing that minirnn wrote; delete it or use another --output"
        ) from None
    for name, now in settings.items():
        if saved[name] != now:
            raise CheckpointError(
                f"{path} was made with {name} = {saved[name]}, but now it is {now}; use the same, "
                "or another --output"
            )
    return result


def same_settings(folder, settings, resume):
    """Write the folder's settings down, or refuse it where it was made with others, or where
    there is nothing to resume. Raises `CheckpointError`.

    "source" says where the names lie, not which they are, so it may be another path.
    """
    path = Path(folder) / "settings.json"
    if path.is_file():
        read_json(path, {name: value for name, value in settings.items() if name != "source"})
    elif resume:
        raise CheckpointError(f"there is no run to go on with in {folder}; omit --resume")
    else:
        write_atomic(path, json.dumps(settings, indent=1).encode() + b"\n")
