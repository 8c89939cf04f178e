"""Tasks in parallel worker processes, with progress bars and one way to stop."""

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from contextlib import contextmanager
from types import SimpleNamespace

from ..cli import stop_on_interrupt
from ..errors import MinirnnError


def cores():
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(function, tasks, jobs):
    """Yield (task, result) of function(task, progress, stopped), `jobs` tasks at a time.

    The function may call progress(steps), for its bar, and should end soon once stopped() is
    true; a task has `name` and `iterations`. On Ctrl-C the tasks that run are let to their end,
    their results yielded, and then `KeyboardInterrupt` is raised; a second Ctrl-C ends all at
    once. The first task that fails stops the others likewise; its error is raised as
    `MinirnnError`.
    """
    # one thread a process: with several at once, more of them only wait for each other
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    waiting, running, error, user = list(tasks), {}, None, SimpleNamespace(stopped=False)
    with Bars() as bars, stop_on_interrupt(user):
        try:
            while running or (waiting and not user.stopped and error is None):
                while waiting and len(running) < jobs and not user.stopped and error is None:
                    task = waiting.pop(0)
                    with interrupts_held():
                        process = start(context, function, task, messages, stop)
                    running[task.name] = task, process
                if (user.stopped or error is not None) and not stop.is_set():
                    stop.set()
                kind, name, value = next_message(messages, running)
                if kind == "steps":
                    bars.update(running[name][0], value)
                elif kind != "none":
                    task, process = running.pop(name)
                    process.join()
                    bars.close(task)
                    if kind == "result":
                        yield task, value
                    else:
                        error = error or MinirnnError(f"{name}: {value}")
        finally:
            for _, process in running.values():
                process.kill()  # SIGTERM is for the first process alone
    if error is not None:
        raise error
    if user.stopped:
        raise KeyboardInterrupt


def start(context, function, task, messages, stop):
    """A process that does the task, started."""
    process = context.Process(target=work, args=(function, task, messages, stop), daemon=True)
    process.start()
    return process


def work(function, task, messages, stop):
    """Run a task in a worker process, and send one message with its result or its error."""
    for one in (signal.SIGINT, signal.SIGTERM):  # they reach all; only the first process acts
        signal.signal(one, signal.SIG_IGN)
    threading.Thread(target=end_with_the_first, daemon=True).start()
    try:
        result = function(task, lambda n: messages.put(("steps", task.name, n)), stop.is_set)
        messages.put(("result", task.name, result))
    except (MinirnnError, OSError, MemoryError) as error:
        messages.put(("error", task.name, str(error) or type(error).__name__))
    except Exception:
        messages.put(("error", task.name, traceback.format_exc()))


def end_with_the_first():
    """Exit when the parent process dies: it cannot tell if it was killed, and nobody is left to
    read the result, while a new call may train the same."""
    multiprocessing.parent_process().join()
    os._exit(1)


def next_message(messages, running):
    """The next message, or none for a while; an error where a process has died without one."""
    try:
        return messages.get(timeout=0.3)
    except queue.Empty:
        for name, (_, process) in running.items():
            if not process.is_alive() and messages.empty():
                return "error", name, f"its process ended with code {process.exitcode}"
    return "none", None, None


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
    """One progress bar for every task that runs."""

    def __init__(self):
        self.bars = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for bar in self.bars.values():
            bar.close()

    def update(self, task, steps):
        """The bar of this task, made when it is first needed, `steps` further on."""
        from tqdm import tqdm

        if task.name not in self.bars:
            options = {"unit": "name", "unit_scale": True, "disable": None, "leave": False}
            self.bars[task.name] = tqdm(desc=task.name, total=task.iterations, **options)
        self.bars[task.name].update(steps)

    def close(self, task):
        """Take the bar of this task away."""
        if task.name in self.bars:
            self.bars.pop(task.name).close()
