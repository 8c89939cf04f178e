"""Tasks side by side, in processes or on the ranks of MPI: progress bars, and one way to stop."""

import errno
import multiprocessing
import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing import connection
from types import SimpleNamespace

from ..cli import interruption, stop_on_interrupt
from ..errors import MinirnnError
from ..measures import progress_bar
from ..mpi import world
from ..mpi.pool import Ranks, outcome


def cores():
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(function, tasks, jobs, then=None):
    """Yield (task, result) of function(task, progress, stopped): on the ranks of mpiexec where it
    started this process and `serve` was called, else in `jobs` processes at a time.

    The function may call progress(steps), for its bar, and should end soon once stopped() is
    true; a task has `name` and `iterations`. then() is called whenever all are done, and gives more
    tasks, which may depend on the results, or none. On Ctrl-C or SIGTERM the tasks that run are let
    to their end, their results yielded, and then `cli.interruption` is raised; a second one ends
    all at once. The first task that fails stops the others likewise; its error is raised as
    `MinirnnError`.
    """
    pool = Ranks(function) if world.size() > 1 else Processes(function, jobs)
    waiting, running, error, user = list(tasks), {}, None, SimpleNamespace(stopped=False)
    names = set()  # of all that were begun
    with Bars(waiting) as bars, stop_on_interrupt(user), pool:
        while True:
            ending = user.stopped or error is not None
            if not (waiting or running or ending) and then is not None:
                waiting = list(then())
                if again := names.intersection(task.name for task in waiting):
                    raise MinirnnError(
                        f"{min(again)} was done, but its result is not to be found; is its folder "
                        "on a disk that all share?"
                    )
                bars.expect(waiting)
            if not running and (ending or not waiting):
                break
            while waiting and len(running) < pool.jobs and not ending:
                task = waiting.pop(0)
                pool.start(task)
                running[task.name] = task
                names.add(task.name)
            if ending:
                pool.stop()
            kind, name, value = pool.message()
            if kind == "steps" and name in running:
                bars.update(running[name], value)
            elif kind in ("result", "error"):
                task = running.pop(name)
                bars.close(task)
                if kind == "result":
                    yield task, value
                else:
                    error = error or MinirnnError(f"{name}: {value}")
    if error is not None:
        raise error
    if user.stopped:
        raise interruption(user.stopped)


class Processes:
    """A pool of processes on this machine, a task each."""

    def __init__(self, function, jobs):
        # one thread a process: with several at once, more of them only wait for each other
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        self.function, self.jobs = function, jobs
        self.running = {}  # {where it is heard: (name of the task, process)}
        self.context = multiprocessing.get_context("spawn")
        self.stopping = self.context.Event()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for _, process in self.running.values():
            process.kill()  # SIGTERM is for the first process alone

    def start(self, task):
        """Begin a task in a process of its own.

        Each has a pipe of its own: a process that is killed while it writes into a queue takes the
        queue's lock with it, and all others wait for ever.
        """
        heard, said = self.context.Pipe(duplex=False)
        given = self.function, task, said, self.stopping
        process = self.context.Process(target=work, args=given, daemon=True)
        with interrupts_held():
            process.start()
        said.close()  # so that the end is noticed when the process ends
        self.running[heard] = task.name, process

    def stop(self):
        """Let stopped() be true in all tasks."""
        self.stopping.set()

    def message(self):
        """Return (kind, name of the task, value) of what comes next: "none" after a while, and an
        error where a process has died without a word."""
        for heard in connection.wait(list(self.running), timeout=0.3):
            name, process = self.running.pop(heard)
            try:
                kind, value = heard.recv()
            except (EOFError, OSError):
                process.join()
                kind, value = "error", f"its process ended with code {process.exitcode}"
                if process.exitcode == errno.ENOMEM:
                    value = "out of memory; try fewer --jobs"
            if kind == "steps":
                self.running[heard] = name, process  # last in turn
            else:
                heard.close()
                process.join()
            return kind, name, value
        return "none", None, None


def work(function, task, said, stopping):
    """Run a task in a worker process, and send one message with its result or its error."""
    for one in (signal.SIGINT, signal.SIGTERM):  # they reach all; only the first process acts
        signal.signal(one, signal.SIG_IGN)

    try:
        threading.Thread(target=end_with_the_first, daemon=True).start()
    except RuntimeError:  # there is no memory for a thread
        os._exit(errno.ENOMEM)
    said.send(outcome(function, task, lambda number: said.send(("steps", number)), stopping.is_set))


def end_with_the_first():
    """Exit when the parent process dies: it cannot tell if it was killed, and nobody is left to
    read the result, while a new call may train the same."""
    multiprocessing.parent_process().join()
    os._exit(1)


@contextmanager
def interrupts_held():
    """A process started inside has Ctrl-C kept from it; for this one, it waits until the end."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Bars:
    """One progress bar for every task that runs, and one for all that there are to do."""

    def __init__(self, tasks):
        self.bars, self.done, self.whole = {}, {}, None
        if len(tasks) > 1:
            self.whole = bar("all", 0)
            self.expect(tasks)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for one in [*self.bars.values(), *[self.whole] * (self.whole is not None)]:
            one.close()

    def expect(self, tasks):
        """Count more tasks to the whole."""
        if self.whole is not None:
            self.whole.total += sum(task.iterations for task in tasks)

    def update(self, task, steps):
        """Bring the bar of this task, made when it is first needed, `steps` further on."""
        if task.name not in self.bars:
            self.bars[task.name] = bar(task.name, task.iterations)
        self.bars[task.name].update(steps)
        self.count(task, steps)

    def close(self, task):
        """Take the bar of this task away; what it did not need counts as done."""
        if task.name in self.bars:
            self.bars.pop(task.name).close()
        self.count(task, task.iterations - self.done.get(task.name, 0))

    def count(self, task, steps):
        """Bring the bar of all tasks further on."""
        self.done[task.name] = self.done.get(task.name, 0) + steps
        if self.whole is not None:
            self.whole.update(steps)


def bar(name, total):
    """A progress bar of so many steps, which goes away when it is closed."""
    return progress_bar(desc=name, total=total, unit="step", unit_scale=True, leave=False)
