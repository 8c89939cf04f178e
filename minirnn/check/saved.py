"""What was saved, to be put into a net, an optimiser or a trainer."""

import contextlib

import numpy as np

from ..errors import CheckpointError, ShapeError
from .words import is_masked, short


def mapping(what, state):
    """Return what was given, by names; `CheckpointError` for anything else."""
    if not hasattr(state, "items"):
        raise CheckpointError(
            f"{what} is {short(state)}, but must be a dict, as state_dict() gives"
        )
    return state


def host_arrays(what, state, asnumpy):
    """Return {name: array on the host} of what was saved; `CheckpointError` that names the first
    which is no array."""
    saved = {}
    for name, given in mapping(what, state).items():
        with contextlib.suppress(ShapeError):
            saved[name] = asnumpy(given)
        if name not in saved or is_masked(given) or saved[name].dtype == object:
            text = f"is {short(given)}, but must be an array of numbers"
            raise CheckpointError(f"the saved {name} {text}")
    return saved


def of_optimizer(optimizer, state, arrays, asnumpy):
    """Return {name: array} of an optimiser's saved state; `CheckpointError` unless it has steps, a
    learning rate, and finite numbers for each of these arrays: Adam's v is at least 0."""
    saved = host_arrays("the state of the optimiser", state, asnumpy)
    own = {"steps": np.array(0), "lr": np.array(0.0), **arrays}
    for name in saved:
        if name not in own:
            raise CheckpointError(f"the saved optimiser has {name}, but this one has not")
    for name, array in own.items():
        if name not in saved or saved[name].shape != array.shape:
            given = saved[name].shape if name in saved else "nothing"
            text = f"has shape {array.shape}, but the saved one: {given}"
            raise CheckpointError(f"the optimiser's {name} {text}")
        not_below_0 = name in ("steps", "lr") or name[:2] == "v." and hasattr(optimizer, "betas")
        kinds = "iu" if name == "steps" else "iuf"
        good = saved[name].dtype.kind in kinds and _stays_finite(saved[name], array.dtype)
        if not good or not_below_0 and (saved[name] < 0).any():
            number = "a whole number" if name == "steps" else "of finite numbers"
            wanted = f"{number}{', at least 0' * not_below_0}"
            raise CheckpointError(f"the optimiser's {name} must be {wanted}, but the saved is not")
    return saved


def of_parameters(saved, parameters):
    """Return what was saved; `CheckpointError` that names the first array that is missing, unknown,
    of another shape than the parameter of its name, or holds what would be no finite number there.
    """
    for name in parameters:
        if name not in saved:
            raise CheckpointError(f"the saved state has no {name}; it belongs to another net")
    for name, array in saved.items():
        if name not in parameters:
            raise CheckpointError(f"the saved state has {name}, which this net has not")
        shape, dtype = parameters[name].shape, parameters[name].data.dtype
        if array.shape != shape:
            text = f"has shape {array.shape}, but this net's has {shape}"
            raise CheckpointError(f"the saved {name} {text}")
        if array.dtype.kind not in "fc" or not np.can_cast(array.dtype, dtype, "same_kind"):
            raise CheckpointError(f"the saved {name} is of {array.dtype}, but must be of {dtype}")
        if not _stays_finite(array, dtype):
            raise CheckpointError(f"the saved {name} holds what is no finite number of {dtype}")
    return saved


def _stays_finite(array, dtype):
    """Return whether an array holds numbers that are finite in this dtype too."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype)).all())
