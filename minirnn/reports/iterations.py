"""A training loop that records a history row every so many iterations and can stop anywhere."""

from ..storage.saved_state import check_position, is_whole, require


class IterationTrainer:
    """A trainer with a row of its history after every `every` iterations and after the last.

    A subclass has a `net` and says what a step is: advance(left) makes a few, at most `left`, and
    returns how many; add_row() measures. Everything that a later step depends on is in its
    state_dict(), at any step, so a run that is stopped goes on there, and ends with the same bits.
    """

    def __init__(self, iterations, points):
        self.iterations, self.every = iterations, -(-iterations // points)
        self.iteration, self.history = 0, []  # the iteration of the last row
        self.position = 0  # steps since then
        self.stopped = False  # whether the last `fit` was

    def fit(self, progress=None, checkpoint=None, stopped=None):
        """Train to the end: True; or until stopped() is true: False.

        Every few steps, progress(how many) is called, and checkpoint(trainer), which writes when
        it is time. Raises `NumberError` where the loss is NaN or infinite.
        """
        self.stopped = False
        while not self.is_over():
            steps = self.advance(self.row_length() - self.position)
            self.position += steps
            self.stopped = bool(stopped and stopped())
            if self.position == self.row_length():
                self.iteration, self.position = self.iteration + self.position, 0
                self.add_row()
            if progress:
                progress(steps)
            if checkpoint:
                checkpoint(self)
            if self.stopped:
                return False
        return True

    def is_over(self):
        """Return whether all iterations are done."""
        return self.iteration >= self.iterations

    def row_length(self):
        """Return how many steps the next row takes: the last one may have fewer."""
        return min(self.every, self.iterations - self.iteration)

    def check_rows(self, rows):
        """Raise `CheckpointError` unless `rows` is a list, not longer than a history can be."""
        most = -(-self.iterations // self.every)
        require(
            isinstance(rows, list) and len(rows) <= most, f"its history is not 0 to {most} rows"
        )

    def check_place(self, k, iteration):
        """Raise `CheckpointError` unless row k, counted from 0, is of the iteration it must be."""
        expected = min((k + 1) * self.every, self.iterations)
        require(
            is_whole(iteration) and iteration == expected,
            f"row {k + 1} of its history is of iteration {iteration!r}, but must be of {expected}",
        )

    def check_position(self, position, iteration):
        """Raise `CheckpointError` unless a run whose last row is of this iteration can be so many
        steps further."""
        length = min(self.every, self.iterations - iteration)
        check_position(position, max(length - 1, 0), "row")
