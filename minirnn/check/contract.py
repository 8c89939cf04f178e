"""Checks that a cell, a student's too, keeps the contract that `cells.py` states.

They run once a call, not once a step, and turn a mistake into a sentence that names the method.
"""

from ..errors import CellError
from .parts import is_parameter


def check_cell(cell):
    """Raise `CellError` where a cell lacks what every cell must have."""
    name = type(cell).__name__
    gates, states = getattr(cell, "gates", None), getattr(cell, "states", None)
    if not isinstance(gates, str) or not gates or len(set(gates)) != len(gates):
        wanted = "name each gate by one letter, like 'ifgo'"
        raise CellError(f"{name}.gates must {wanted}; it is {gates!r}")
    if not isinstance(states, (tuple, list)) or not states or len(set(states)) != len(states):
        wanted = "a tuple of names, like ('h', 'c')"
        raise CellError(f"{name}.states must be {wanted}; it is {states!r}")
    for method in ("forward", "backward"):
        if not callable(getattr(cell, method, None)):
            raise CellError(f"{name} has no method {method}")
    for field, value in getattr(cell, "__dict__", {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if any(map(is_parameter, values)) and not hasattr(cell, "named_parameters"):
            raise CellError(
                f"{name} has a Parameter, {field}, but is no Module, so no net would learn it: "
                f"class {name}(Module)"
            )


def check_state(cell, state, shape):
    """Raise `CellError` where `forward` returned something other than a state."""
    name, names = type(cell).__name__, cell.states
    if not isinstance(state, tuple) or len(state) != len(names):
        raise CellError(f"{name}.forward must return (state, cache) with the state a tuple {names}")
    _check_shapes(f"{name}.forward returned", names, state, shape)


def check_gradients(cell, dgates, dstate, shape):
    """Raise `CellError` where `backward` returned something other than (dgx, dstate_prev)."""
    name = type(cell).__name__
    for what, arrays, names in [("dgx", dgates, cell.gates), ("dstate", dstate, cell.states)]:
        if not isinstance(arrays, tuple) or len(arrays) != len(names):
            wanted = f"a tuple of {len(names)} arrays, one for each of {', '.join(names)}"
            text = f"{name}.backward must return (dgx, dstate_prev); {what} must be {wanted}"
            raise CellError(text)
        _check_shapes(f"{name}.backward returned {what} for", names, arrays, shape)


def _check_shapes(returned, names, arrays, shape):
    for part, array in zip(names, arrays, strict=True):
        given = getattr(array, "shape", None)
        if given != shape:
            wanted = f"but it must have {shape}: [n, H]"
            raise CellError(f"{returned} {part} of shape {given}, {wanted}")
