"""Whether a hand-in can run here at all: it needs a process of its own."""

import errno
import functools
import subprocess
import sys

from ..errors import DataError

PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # another time there is room


@functools.cache
def require_process():
    """Raise `DataError` where this Python can start no other, as in a browser (Pyodide) and where
    a notebook's service forbids it."""
    if sys.platform in ("emscripten", "wasi"):
        raise no_process("a Python in a browser starts none")
    try:
        subprocess.run([sys.executable, "-I", "-S", "-c", ""], stdin=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        if getattr(error, "errno", None) not in PASSING:
            raise no_process(getattr(error, "strerror", None) or error) from None


def no_process(why):
    """The error: what is missing, why, and what there is instead."""
    return DataError(
        "the checker runs your code in a process of its own, and none can be started here "
        f"({why}); check on a computer with Python, or look at a cell with "
        "minirnn.gradcheck.check_cell, which needs none"
    )
