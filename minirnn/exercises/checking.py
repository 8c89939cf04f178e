"""One exercise of one hand-in: run it, climb its rungs, and say what is wrong first."""

import contextlib
import itertools
from pathlib import Path

import numpy as np

from ..errors import GraderError
from .conventions import Conventions, read_conventions
from .file_names import encoding_advice, instead
from .handouts import starter
from .judges.failures import crash
from .judges.result import Result, Step, Wrong
from .process import require_process
from .runner import source_scan
from .sandbox import MARKS, Failed, HandIn, Stopped
from .trouble import sentence_on

SECONDS = 10  # for one exercise


def check(exercise, folder, conventions=None, seconds=SECONDS, seed=None, read=True):
    """The `Result` of one exercise in the folder of a hand-in.

    Inputs are drawn again each time; a seed repeats them. read: look for what is forbidden first.
    Raises `GraderError` where the checker itself cannot go on, which is not the hand-in's fault,
    and `DataError` where no process can be started for it.
    """
    require_process()
    conventions = conventions or conventions_of(folder)
    result = Result(exercise.number, exercise.title, exercise.file)
    rng = np.random.default_rng(seed)
    path = Path(folder) / exercise.file
    hand_in = HandIn(path, exercise.support, seconds, scan=read)
    names = [name for name, *_ in exercise.steps(None, conventions, np.random.default_rng(0))]
    result.steps = [Step(name) for name in names]
    try:
        with _running(hand_in), np.errstate(all="ignore"):  # what it gives may overflow
            _climb(exercise, hand_in, conventions, rng, result)
    except Stopped as stopped:
        result.mark, result.text = stopped.kind, f"{MARKS[stopped.kind]}: {stopped.text}"
        result.code, result.mistake = _line(path, stopped.line), stopped.advice
        if stopped.kind == "missing":
            result.mistake = instead(path.parent, path.name) or stopped.advice
        elif stopped.kind == "syntax":
            result.mistake = encoding_advice(path) or stopped.advice
    except Failed as failed:  # before anything was asked for: the file itself does not run
        _put(result, crash(failed, exercise.file), failed)
    except GraderError:
        raise
    except Exception as error:  # an answer in a form that only a forged one has
        result.mark = "answer"
        result.text = f"{MARKS['answer']}: the checker cannot read it ({type(error).__name__})"
    result.printed = hand_in.printed
    return result


@contextlib.contextmanager
def _running(hand_in):
    """The hand-in, started. What fails here without it is the grader's: `GraderError`."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hand_in)
        except (Stopped, Failed, GraderError):
            raise
        except Exception as error:
            raise GraderError(sentence_on(error, f"start {hand_in.path.name}")) from error
        try:
            yield
        except OSError as error:  # judges compute, and reach for nothing outside
            raise GraderError(sentence_on(error, f"go on with {hand_in.path.name}")) from error


def _climb(exercise, hand_in, conventions, rng, result):
    steps = exercise.steps(hand_in, conventions, rng)
    handed_out = _handed_out(exercise, conventions)
    for step, (name, section, judge, *unusual) in zip(result.steps, steps, strict=True):
        try:
            if name in handed_out and hand_in.classes.get(name) == handed_out[name]:
                raise Wrong("not written", f"exercise {exercise.number}: {name} is as it was "
                            "handed out: its mistake is not fixed yet")  # fmt: skip
            judge()
            for case, again in itertools.chain(*(cases() for cases in unusual)):
                _judge_in(case, again)
        except Failed as failed:
            _put(result, crash(failed, name), failed, section)
        except Wrong as wrong:
            _put(result, wrong, None, section)
            step.credit = wrong.credit
        else:
            step.right = True
            continue
        step.right = False
        return


def _judge_in(case, judge):
    """Judge once more in an unusual case, which what is wrong there names."""
    try:
        judge()
    except Wrong as wrong:
        wrong.text = f"{case}, {wrong.text}"
        raise
    except Failed as failed:
        failed.stage += f" {case}"
        raise


def _put(result, wrong, failed=None, section=""):
    """Note what is wrong; failed: the exception behind it, which knows its line."""
    result.mark, result.text, result.mistake = wrong.mark, wrong.text, wrong.mistake
    result.pair, result.picture = wrong.pair, wrong.picture
    result.section = wrong.section or section
    if failed and failed.line and failed.code and wrong.mark != "not written":
        result.code = f"{failed.line}: {failed.code}"


def _handed_out(exercise, conventions):
    """{class: digest} of the classes that are no answer as they were handed out."""
    if not exercise.unchanged:
        return {}
    digests = source_scan.classes(starter(exercise.file, conventions))
    return {name: digests[name] for name in exercise.unchanged}


def conventions_of(folder):
    """Those that `start` has written into the folder, or the usual ones."""
    path = Path(folder) / "conventions.json"
    return read_conventions(path) if path.is_file() else Conventions()


def _line(path, number):
    """A line of the hand-in, to be shown. Without a number nothing is read: it may be a pipe."""
    if not number:
        return ""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"{number}: {lines[number - 1].strip()[:100]}"
    except (OSError, IndexError):
        return ""
