"""Checks that a cell, a student's too, keeps the contract that `cells.py` states.

They run once a call, not once a step, and turn a mistake into a sentence that names the method.
"""

from .errors import CellError


def check_cell(cell):
    """Raise `CellError` where a cell lacks what every cell must have."""
    name = type(cell).__name__
    gates, states = getattr(cell, "gates", None), getattr(cell, "states", None)
    if not isinstance(gates, str) or not gates or len(set(gates)) != len(gates):
        raise CellError(
            f"{name}.gates must name each gate by one letter, like 'ifgo'; it is {gates!r}"
        )
    if isinstance(states, str) or not states:
        raise CellError(
            f"{name}.states must be a tuple of names, like ('h', 'c'); it is {states!r}"
        )
    for method in ("forward", "backward"):
        if not callable(getattr(cell, method, None)):
            raise CellError(f"{name} has no method {method}")


def check_state(cell, state, shape):
    """Raise `CellError` where `forward` returned something other than a state."""
    name, names = type(cell).__name__, cell.states
    if not isinstance(state, tuple) or len(state) != len(names):
        raise CellError(f"{name}.forward must return (state, cache) with the state a tuple {names}")
    for part, array in zip(names, state, strict=True):
        if getattr(array, "shape", None) != shape:
            raise CellError(
                f"{name}.forward returned {part} of shape {getattr(array, 'shape', None)}, "
                f"but it must have {shape}: [n, H]"
            )


def check_gradients(cell, dgates, dstate, shape):
    """Raise `CellError` where `backward` returned something other than (dgx, dstate_prev)."""
    name = type(cell).__name__
    for what, arrays, names in [("dgx", dgates, cell.gates), ("dstate", dstate, cell.states)]:
        if not isinstance(arrays, tuple) or len(arrays) != len(names):
            raise CellError(
                f"{name}.backward must return (dgx, dstate_prev); {what} must be a tuple of "
                f"{len(names)} arrays, one for each of {', '.join(names)}"
            )
        for part, array in zip(names, arrays, strict=True):
            if getattr(array, "shape", None) != shape:
                raise CellError(
                    f"{name}.backward returned {what} for {part} of shape "
                    f"{getattr(array, 'shape', None)}, but it must have {shape}: [n, H]"
                )
