"""The marks of one hand-in: its results, and the points that they are worth."""

from dataclasses import dataclass

from ...errors import DataError
from ..judges.result import PARTIAL, Result

POINTS = 10  # of an exercise of which nothing else is said


@dataclass
class Graded:
    """What one student gets: the results, the points of each exercise, and the seed."""

    name: str
    results: list
    points: dict  # {number: most}
    seed: int
    remark: str = ""
    alike: str = ""  # the hand-ins that it resembles

    def score(self, result):
        """The points that a result is worth."""
        return round(self.points[result.number] * result.score, 2)

    @property
    def total(self):
        """All points."""
        return round(sum(map(self.score, self.results)), 2)

    @property
    def most(self):
        """The points of somebody who has everything right."""
        return round(sum(self.points[r.number] for r in self.results), 2)


def not_there(exercise, remark):
    """The result of an exercise of a hand-in that has no folder to look into."""
    return Result(exercise.number, exercise.title, exercise.file, "missing", text=remark)


def points_of(exercises, given):
    """{number: points} of the exercises; given: {number: points}, with None for all others.

    Raises `DataError` for an exercise that is not graded.
    """
    graded = [exercise.number for exercise in exercises]
    for number in given:
        if number is not None and number not in graded:
            raise DataError(
                f"--points names exercise {number}, but graded are {', '.join(map(str, graded))}"
            )
    return {number: given.get(number, given.get(None, POINTS)) for number in graded}


def judged(result):
    """Whether a mark says something of the work, and not only that it could not be judged."""
    return result.mark in PARTIAL
