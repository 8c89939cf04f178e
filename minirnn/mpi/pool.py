"""Tasks on the ranks of MPI: the first hands them out, the others do them one after another."""

import queue
import signal
import traceback

import numpy as np

from ..cli import sentence
from . import world

STEPS, STOP = 1, 2  # tags: steps done, to the first; that all shall end soon, from it


class Ranks:
    """A pool for `processes.run`: every rank but the first does a task at a time.

    Inside `with`, the first rank starts tasks; the others are in `serve` meanwhile. A rank that
    dies ends all of them: that is how MPI is.
    """

    def __init__(self, function):
        self.function, self.comm, self.ended = function, world.join(), queue.SimpleQueue()
        self.jobs, self.stopping = self.comm.size - 1, False

    def __enter__(self):
        from mpi4py.futures import MPICommExecutor

        self.outer = MPICommExecutor(self.comm)
        self.executor = self.outer.__enter__()
        return self

    def __exit__(self, *exception):
        if exception[0] is not None:
            self.stop()
        self.outer.__exit__(*exception)

    def start(self, task):
        """Send a task to a rank that has none."""
        future = self.executor.submit(do, self.function, task)
        future.add_done_callback(lambda future: self.ended.put((task.name, future)))

    def stop(self):
        """Let stopped() be true in all tasks."""
        for rank in range(1, self.comm.size) if not self.stopping else ():
            self.comm.send(None, rank, STOP)
        self.stopping = True

    def message(self):
        """Return (kind, name of the task, value) of what comes next; "none" after a while."""
        for _ in range(15):
            if self.comm.iprobe(tag=STEPS):
                return "steps", *self.comm.recv(tag=STEPS)
            try:
                name, future = self.ended.get(timeout=0.02)
            except queue.Empty:
                continue
            kind, value = future.result()
            return kind, name, value
        return "none", None, None


def serve():
    """Do tasks until there are none, on every rank of mpiexec but the first, and return True;
    elsewhere return False at once. To be called where a script begins. Raises `BackendError` where
    mpiexec started it without mpi4py."""
    world.check_started()
    if not world.started() or world.join().size == 1 or world.rank() == 0:
        return False
    from mpi4py.futures import MPICommExecutor

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):  # only the first rank acts
        signal.signal(one, signal.SIG_IGN)
    comm = world.join()
    with MPICommExecutor(comm):
        pass
    while comm.iprobe(tag=STOP):
        comm.recv(tag=STOP)
    return True


def do(function, task):
    """Do a task on this rank; what `outcome` returns."""
    comm = world.join()

    def steps(number):
        comm.send((task.name, number), 0, STEPS)

    return outcome(function, task, steps, lambda: comm.iprobe(source=0, tag=STOP))


def outcome(function, task, progress, stopped):
    """Return ("result", what the function returns), or ("error", what went wrong)."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # who trains looks for bad numbers
            return "result", function(task, progress, stopped)
    except Exception as error:
        return "error", sentence(error) or traceback.format_exc()
