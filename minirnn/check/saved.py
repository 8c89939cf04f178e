"""What was saved, to be put into a net, an optimiser or a trainer."""

import numpy as np

from ..errors import CheckpointError
from .arrays import as_array
from .words import short


def mapping(what, state):
    """Return what was given, by names; `CheckpointError` for anything else."""
    if not hasattr(state, "items"):
        raise CheckpointError(
            f"{what} is {short(state)}, but must be a dict, as state_dict() gives"
        )
    return state


def saved_arrays(what, state, shapes):
    """Return {name: array} of a saved state; `CheckpointError` unless it has a finite number in
    each place of these shapes."""
    state = mapping(f"the state of {what}", state)
    arrays = {name: as_array(state[name]) for name in shapes if name in state}
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            given = arrays[name].shape if name in arrays else "nothing"
            raise CheckpointError(f"{what}'s {name} has shape {shape}, but the saved one: {given}")
        if arrays[name].dtype.kind not in "iuf" or not np.isfinite(arrays[name]).all():
            raise CheckpointError(
                f"{what}'s {name} must be of finite numbers, but the saved is not"
            )
    return arrays


def of_parameters(saved, parameters):
    """Raise `CheckpointError` that names the first saved array that is missing, unknown, of another
    shape than the parameter of its name, or holds what would be no finite number there."""
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
        if not _stays_finite(array, dtype):
            raise CheckpointError(f"the saved {name} holds something that is not a number")


def _stays_finite(array, dtype):
    """Return whether an array holds numbers that are finite in this dtype too."""
    if array.dtype.kind not in "fc" or not np.can_cast(array.dtype, dtype, "same_kind"):
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype)).all())
