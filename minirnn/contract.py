"""Checks that a cell, a student's too, keeps the contract that `cells.py` states.

They run once a call, not once a step, and turn a mistake into a sentence that names the method.
"""

import numpy as np

from .errors import CellError
from .product import Product, ProductBackward


def check_cell(cell):
    """Raise `CellError` where a cell lacks what every cell must have."""
    name = type(cell).__name__
    gates, states = getattr(cell, "gates", None), getattr(cell, "states", None)
    if not isinstance(gates, str) or not gates or len(set(gates)) != len(gates):
        wanted = "name each gate by one letter, like 'ifgo'"
        raise CellError(f"{name}.gates must {wanted}; it is {gates!r}")
    if isinstance(states, str) or not states:
        wanted = "a tuple of names, like ('h', 'c')"
        raise CellError(f"{name}.states must be {wanted}; it is {states!r}")
    for method in ("forward", "backward"):
        if not callable(getattr(cell, method, None)):
            raise CellError(f"{name} has no method {method}")


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


def try_cell(cell, n=2, H=3):
    """Run one step forward and backward on small arrays, and check what comes back.

    Raises `CellError` for a method that fails, or returns something else than it should.
    """
    name, G = type(cell).__name__, len(cell.gates)
    Wh, bh = np.full((G, H, H), 0.1), np.full((G, H), 0.1)
    state = tuple(np.full((n, H), 0.1) for _ in cell.states)
    product = Product(cell.gates, Wh, bh)
    state, cache = _tried(name, "forward", "(state, cache)", cell.forward,
                          np.full((G, n, H), 0.1), state, product)  # fmt: skip
    check_state(cell, state, (n, H))
    undo = ProductBackward(product, n, Wh.dtype)
    dgx, dstate = _tried(name, "backward", "(dgx, dstate_prev)", cell.backward, state, cache, undo)
    check_gradients(cell, dgx, dstate, (n, H))


def _tried(name, method, wanted, run, *arguments):
    """The pair that a method returns."""
    try:
        returned = run(*arguments)
    except CellError:
        raise
    except Exception as error:  # whatever a student's code may do
        raise CellError(f"{name}.{method} fails: {type(error).__name__}: {error}") from error
    if not isinstance(returned, tuple) or len(returned) != 2:
        kind = "None" if returned is None else f"a {type(returned).__name__}"
        raise CellError(f"{name}.{method} must return {wanted}, but returned {kind}")
    return returned
