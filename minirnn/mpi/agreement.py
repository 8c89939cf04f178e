"""Whether all ranks have the same: versions, data, settings, seeds."""

import hashlib
import sys

import numpy as np

from .. import __version__
from ..backend import asnumpy
from ..errors import DataError


def agree(comm, parts):
    """Compare {what may differ: list of arrays and others} of all ranks by a digest of each.

    Raises `DataError`, on every rank, where one has something else than the first.
    """
    digests = {what: hashlib.sha256() for what in parts}
    for what, items in parts.items():
        for item in items:
            array = isinstance(item, np.ndarray)
            digests[what].update(item.tobytes() if array else repr(item).encode())
    everyone = comm.allgather([digest.digest() for digest in digests.values()])
    for what, *seen in zip(parts, *everyone, strict=True):
        rank = next((k for k, digest in enumerate(seen) if digest != seen[0]), None)
        if rank is not None:
            raise DataError(
                f"rank {rank} has {what} than rank 0, but all must have the same; "
                "start all with one command, on the same files"
            )


def what_must_agree(trainer):
    """Return {what a rank may have that differs: its parts} of a trainer that was just made."""
    s, schedule = trainer.sequences, trainer.schedule
    owners = trainer, trainer.history, trainer.optimizer, trainer.loss
    return {
        "another version of minirnn, NumPy or Python": [
            __version__, np.__version__, sys.version_info[:3],
        ],
        "other data": [s.rows, s.lengths, s.labels, trainer.train, trainer.validation],
        "other settings": [
            trainer.net, trainer.sample.__name__, schedule and schedule(1), *map(plain, owners)
        ],
        "another seed": [trainer.rng.bit_generator.state, *trainer.net.state_dict().values()],
    }  # fmt: skip


def plain(owner):
    """Return {name: value} of an object's attributes that are numbers, texts or arrays of them."""
    items, kinds = vars(owner).items(), (int, float, str, tuple, type(None))
    return {
        name: asnumpy(value).tolist() if hasattr(value, "dtype") else value
        for name, value in items
        if isinstance(value, kinds) or hasattr(value, "dtype")
    }
