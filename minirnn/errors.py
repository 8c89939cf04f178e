"""The mistakes that a user can make, each as an exception that scripts print as one sentence."""


class MinirnnError(Exception):
    """Something outside the code is wrong; the message says what, and what to do about it."""


class DataError(MinirnnError, ValueError):
    """A data folder, a file, a name or a label that cannot be used."""


class ArgumentError(MinirnnError, ValueError):
    """A size, a hyper-parameter or another argument that is not what it must be."""


class ShapeError(ArgumentError):
    """Two shapes, sizes or types that do not fit; the message names both."""


class BackendError(MinirnnError, RuntimeError):
    """The array backend that was asked for cannot be used on this machine."""


class MixedArraysError(MinirnnError, TypeError):
    """Arrays of two backends met in one computation."""


class NumberError(MinirnnError, ArithmeticError):
    """A loss or a gradient became NaN or infinite."""


class CellError(MinirnnError, TypeError):
    """A cell class that does not keep the contract of `minirnn.cells`."""


class GraderError(MinirnnError, RuntimeError):
    """The grader's own trouble, a full disk say; it tells nothing about the hand-in."""


class CheckpointError(MinirnnError, ValueError):
    """A file of weights that cannot be read, or does not fit the net."""
