"""Exercises of one's own: a Python file with a list EXERCISES, the starters beside it."""

import contextlib
from pathlib import Path

import numpy as np

from .. import cli
from ..errors import DataError
from . import handouts, typed
from .catalogue import BY_NUMBER, Exercise, with_more
from .conventions import Conventions


@contextlib.contextmanager
def added(path):
    """Inside, all commands know the exercises of a file; it is the lecturer's, and is run.

    Raises `DataError` where it holds none that could be handed out and judged.
    """
    exercises = read_exercises(path)
    handouts.ADDED.update({exercise.file: path.parent for exercise in exercises})
    typed.ADDED += ["--exercises", typed.shorter(path)]
    try:
        with with_more(exercises):
            yield
    finally:
        handouts.ADDED.clear()
        typed.ADDED.clear()


def read_exercises(path):
    """The exercises of a file. Raises `DataError`, and `CellError` where the file cannot be run."""
    module = cli.load_module(path, "--exercises")
    exercises = getattr(module, "EXERCISES", None)
    if not isinstance(exercises, list) or not exercises:
        raise DataError(f"--exercises: {path} must hold EXERCISES, a list of Exercise")
    numbers, files = set(BY_NUMBER), {exercise.file for exercise in BY_NUMBER.values()}
    for exercise in exercises:
        if reason := _fault(exercise, path.parent, numbers, files):
            raise DataError(f"--exercises: {path}: {reason}")
        numbers.add(exercise.number)
        files.add(exercise.file)
    return exercises


def _fault(exercise, folder, numbers, files):
    """Why an exercise can be no exercise here, or nothing."""
    if not isinstance(exercise, Exercise):
        return f"{exercise!r} is no minirnn.exercises.catalogue.Exercise"
    name, number = exercise.file, exercise.number
    if not isinstance(number, int) or number < 1 or number in numbers:
        return f"the number {number!r} must be a whole number that no other exercise has"
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".py"):
        return f"the file of exercise {number} is {name!r}, but must be the name of a Python file"
    if name in files:
        return f"another exercise has the file {name} already"
    if not (folder / name).is_file():
        return f"the starter {folder / name} of exercise {number} is not there"
    if not isinstance(exercise.hints, tuple) or len(exercise.hints) != 3:
        return f"exercise {number} must have three hints, a tuple of three sentences"
    try:
        rungs = exercise.steps(None, Conventions(), np.random.default_rng(0))
        good = bool(rungs) and all(
            callable(judge) and len(unusual) < 2 and all(map(callable, unusual))
            for _, _, judge, *unusual in rungs
        )
    except Exception as error:
        return f"steps(None, ...) of exercise {number} fails: {type(error).__name__}: {error}"
    wanted = "(name, section, judge), each perhaps with a function for unusual cases"
    return "" if good else f"steps of exercise {number} must give {wanted}"
