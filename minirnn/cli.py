"""Shared parts of the commands: errors in one line, progress bars, folders, a student's cell."""

import argparse
import importlib.util
import inspect
import math
import os
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .check import absent, short
from .check.contract import check_cell, check_gradients, check_state
from .cuda.faults import is_out_of_memory
from .data import printable
from .errors import ArgumentError, CellError, DataError, MinirnnError, NumberError
from .measures import Progress
from .mpi import world
from .product import Product, ProductBackward
from .storage.files import alone_in, remove_leftovers
from .storage.stored_runs import same_settings

RESUME = "go on with a run that was stopped, and start no new one"  # the help of --resume


class Help(argparse.RawDescriptionHelpFormatter):
    """Help in which the description stays as it is, and every default is told."""

    def _get_help_string(self, action):
        default = action.default
        told = default is None or action.nargs == 0 or "default" in action.help
        listed = default is argparse.SUPPRESS or isinstance(default, (list, tuple))
        number = f"({action.default})" in action.help  # in brackets already
        return action.help + ("" if told or listed or number else " (default: %(default)s)")


class Parser(argparse.ArgumentParser):
    """Reads a script's command line; on ranks of mpiexec, the first alone says what is wrong."""

    def __init__(self, description):
        super().__init__(description=description, formatter_class=Help)

    def _get_values(self, action, words):
        if action.option_strings and words == ["--"]:  # argparse would take --option=-- for none
            self.error(f"argument {'/'.join(action.option_strings)}: -- is no value")
        return super()._get_values(action, words)

    def _print_message(self, message, file=None):
        if world.number() == 0:
            super()._print_message(message, file)

    def exit(self, status=0, message=None):
        """End the script."""
        if status:
            world.let_the_first_speak()
            if world.number():  # still here, so the first has had nothing to say
                sys.stderr.write(message or "")
        super().exit(status, message)


def main(run):
    """Run a script's function; its exit code. What a user can cause ends in one line, no traceback.

    Exit codes: 0 done, 2 bad input, 130 stopped with Ctrl-C, 143 with SIGTERM, which a scheduler
    sends before it takes the machine away.
    """
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever started this: `>&-`, a service
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115  for good
    if hasattr(sys.stdout, "reconfigure"):  # a pipe on Windows may not know every letter
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with handled(stops(), _interrupt), np.errstate(over="ignore", invalid="ignore"):
            # `Trainer` looks for bad numbers
            code = run() or 0
            sys.stdout.flush()  # here, where a pipe or a disk that takes no more can be answered
            return code
    except BrokenPipeError:  # whoever read the output, `head` say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        text = sentence(error)
        if text is None:
            raise
        line = f"error: {printable(world.last_words(text), 1000)}\n"
        sys.stderr.write(line)  # in one piece, which no word of mpiexec can part
        _forget_output_that_cannot_be_written()
        world.end_all(2)
        return 2
    except KeyboardInterrupt as stop:
        if world.rank() == 0:  # the others were stopped by mpiexec
            print("stopped", file=sys.stderr)
        code = 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
        world.end_all(code)
        return code


def sentence(error):
    """Return what an error that a user can cause says, in one line; None for another."""
    text = " ".join(str(error).split())
    if isinstance(error, MinirnnError):
        return text
    if is_out_of_memory(error):
        return f"out of memory ({text or 'no more is said'}); try smaller sizes"
    return text if isinstance(error, OSError) else None


class Terminated(KeyboardInterrupt):
    """SIGTERM, which does what Ctrl-C does; only the exit code is another."""


def interruption(number):
    """Return the exception for what was stopped by the signal of this number."""
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


def _interrupt(number, _):
    raise interruption(number)


def _forget_output_that_cannot_be_written():
    """Send what is left to nowhere: else the flush at exit prints a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def whole(text):
    """An argparse type: a whole number from 1 to a million."""
    return _number(int, text, lambda n: 1 <= n <= 10**6, "a whole number from 1 to 1,000,000")


def seed(text):
    """An argparse type: a whole number from 0 to 2^63 - 1; files are named after it."""
    return _number(int, text, lambda n: 0 <= n < 2**63, "a whole number, at least 0 and below 2^63")


def positive(text):
    """An argparse type: a finite number above 0."""
    return _number(float, text, lambda x: 0 < x < math.inf, "a finite number above 0")


def share(text):
    """An argparse type: a number from 0 up to, but not including, 1."""
    return _number(float, text, lambda x: 0 <= x < 1, "a number from 0 up to, not including, 1")


def _number(kind, text, allowed, words):
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not allowed(number):
        raise argparse.ArgumentTypeError(f"{short(text)} must be {words}")
    return number


def digits(text):
    """The whole number that a text is, of at most nine digits; None for any other text."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def refuse_idle(parser, args, idle, when, arguments=None):
    """Raise `ArgumentError` where an option is given, one of `idle`, that does nothing `when`.

    args: what the parser gave; options that were left out are told by parsing once more.
    """
    unset = object()
    empty = argparse.Namespace(**dict.fromkeys(vars(args), unset))
    given = vars(parser.parse_args(arguments, empty))
    words = {word.partition("=")[0] for word in (sys.argv[1:] if arguments is None else arguments)}
    typed = {action.dest: option.removeprefix("--") for action in parser._actions
             for option in action.option_strings if option in words}  # fmt: skip
    no_effect(when, **{typed.get(name, name): given[name] is not unset
                       for name in given if name in idle})  # fmt: skip


def no_effect(when, **given):
    """Raise `ArgumentError` where one of these options, each by its name, is given."""
    options = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given]
    if options:
        has, them = ("has", "it") if len(options) == 1 else ("have", "them")
        listed = " and ".join(filter(None, [", ".join(options[:-1]), options[-1]]))
        raise ArgumentError(f"{listed} {has} no effect {when}; leave {them} out")


def files_of_their_own(**paths):
    """Raise `ArgumentError` where two options, each by its name, are one and the same file."""
    named = {}
    for option, path in paths.items():
        other = named.setdefault(os.path.realpath(path), option) if path else option
        if other != option:
            raise ArgumentError(
                f"--{option} is {printable(str(path))}, and --{other} is the same file; give each "
                "a file of its own"
            )


def output_folder(path):
    """Make the folder, and find out now, not after an hour's training, whether it takes files.

    Raises `DataError` where it does not.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # gone at once, however this process ends
            pass
    except FileExistsError:
        text = f"the output folder {path} cannot be written: it is a file; choose another --output"
        raise DataError(text) from None
    except OSError as error:
        raise DataError(f"the output folder {path} cannot be written: {error.strerror}") from None
    return path


def load_cell(text, argument="--cell"):
    """The cell class named by FILE.py:CLASS, checked against the contract of `cells`.

    argument: what the text was given as. Raises `CellError` where the class is missing, cannot be
    run, or does not keep the contract.
    """
    file, _, name = text.rpartition(":")
    if not file or not name:
        raise CellError(f"{argument} is {text!r}, but must be FILE.py:CLASS")
    module = load_module(file, argument)
    cell = getattr(module, name, None)
    if not isinstance(cell, type):
        known = sorted(
            k for k, v in vars(module).items() if isinstance(v, type) and hasattr(v, "gates")
        )
        raise CellError(f"{file} has no class {name}; its cells: {', '.join(known) or 'none'}")
    for method, arguments in {"forward": ("gx", "state", "product"),
                              "backward": ("dstate", "cache", "product")}.items():  # fmt: skip
        function = getattr(cell, method, None)
        if not callable(function):
            raise CellError(f"{name} has no method {method}(self, {', '.join(arguments)})")
        try:
            inspect.signature(function).bind(None, *arguments)
        except TypeError:
            raise CellError(
                f"{name}.{method} takes {inspect.signature(function)}, "
                f"but must take (self, {', '.join(arguments)})"
            ) from None
    try:
        made = cell()
    except Exception as error:
        raise CellError(
            f"{name}() fails, but a cell must be made without arguments: {error}"
        ) from error
    check_cell(made)
    return cell


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


def load_module(file, argument):
    """The module in a Python file of the user's, which is run. Raises `CellError` where it fails,
    or is not there; argument: what it was given as."""
    path = Path(file)
    if not path.is_file():
        raise CellError(f"{argument}: {absent(file, 'file')}")
    spec = importlib.util.spec_from_file_location(f"minirnn_cell_{path.stem}", path)
    if spec is None:
        raise CellError(f"{argument}: {file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise CellError(f"{argument}: {file} fails: {type(error).__name__}: {error}") from error
    return module


def say_beside_bars(text):
    """Print a text to standard output without tearing a progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stdout)


def train(trainer, checkpoint, resume, unit="name", save=None):
    """Fit with a progress bar and checkpoints, and save() the best net; after Ctrl-C or SIGTERM,
    save the checkpoint, say so, and raise the `interruption`. Raises `NumberError` where a number
    is not finite: the best net so far is saved, and the checkpoint from before named."""
    with alone_in(checkpoint.path.parent):
        remove_leftovers(checkpoint.path.parent)
        if resume:
            checkpoint.resume(trainer)
            _say(_where(trainer))
        elif kept := checkpoint.keep_unfinished():
            _say(f"{checkpoint.path} is of an unfinished run; a copy is kept in {kept}")
        try:
            with stop_on_interrupt(trainer), Progress(trainer.epochs, unit) as progress:
                trainer.fit(progress, checkpoint)
        except NumberError as error:
            if save and trainer.best is not None:  # else an older net would be lost for nothing
                trainer.restore_best()
                save()
            if checkpoint.saved:
                raise NumberError(f"{error}; {checkpoint.path} is from before") from None
            raise
        if trainer.stopped:
            _say(f"saved after step {trainer.step:,} in {checkpoint.path}; go on with --resume")
            raise interruption(trainer.stopped)
        if save:
            save()


def follow(trainer):
    """Fit on a rank that is not the first, which neither writes nor shows anything."""
    with stop_on_interrupt(trainer):
        trainer.fit()


@contextmanager
def stop_on_interrupt(trainer):
    """The first Ctrl-C or SIGTERM inside sets `trainer.stopped`, to its number, so that the trainer
    can finish its step; a second one raises the `interruption` at once."""

    def handler(number, _):
        if trainer.stopped:
            raise interruption(number)
        trainer.stopped = number

    with handled([signal.SIGINT, *stops()], handler):
        yield


def stops():
    """Return the signals that ask a process to stop.

    SIGUSR1 is one under mpiexec: it hands that on, and does not kill all ranks a moment later.
    """
    return [signal.SIGTERM, signal.SIGUSR1] if world.started() else [signal.SIGTERM]


@contextmanager
def handled(signals, handler):
    """Inside, these signals call this handler; not in the main thread, nothing is to be caught."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(one, handler) for one in signals]
    try:
        yield
    finally:
        for one, kept in zip(signals, before, strict=True):
            signal.signal(one, kept)


@contextmanager
def remaining_runs(folder, settings, runs, resume):
    """The `StoredRun` runs that are still to do, for a script that trains them inside the block.

    The folder belongs to this process alone meanwhile, and to these settings for ever. What is
    there of an earlier call is gone on with, and with `resume` there must be something; Ctrl-C
    says what is saved. Raises `DataError` and `CheckpointError`.
    """

    def state():
        done = sum(run.result() is not None for run in runs)
        begun = sum(run.begun() for run in runs)
        return f"{done} of {len(runs)} runs done, {begun} begun"

    with alone_in(folder):
        for place in {Path(folder), *(Path(run.folder) for run in runs)}:
            remove_leftovers(place)
        same_settings(folder, settings, resume)
        waiting = [run for run in runs if run.result() is None]
        if waiting and (len(waiting) < len(runs) or any(run.begun() for run in runs)):
            _say(f"going on in {folder}: {state()}")
        try:
            yield waiting
        except KeyboardInterrupt:
            _say(f"saved in {folder}: {state()}; go on with --resume")
            raise


def _where(trainer):
    if trainer.is_over():
        return f"the run was over after step {trainer.step:,}; only what follows it is done again"
    return f"going on after step {trainer.step:,} (epoch {trainer.epoch + 1})"


def _say(text):
    print(printable(text, 1000), file=sys.stderr)
