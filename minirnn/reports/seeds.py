"""Results of the same runs with several seeds: means, standard errors, differences.

A results file holds {"settings": {..., "seeds": [...]}, "runs": [{...}, ...]}: for every net each
of these seeds once, and all runs with the same settings. What is otherwise is refused, so that no
table stands on half of its runs.
"""

import json
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..errors import CheckpointError

# Student's t: 95 % of a distribution lie within so many standard errors, for 1, 2, ... degrees of
# freedom (any table of it, such as Fisher 1925)
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def t95(freedom):
    """Within so many standard errors lie 95 % of Student's distribution with so many degrees of
    freedom.

    Above the table, four terms of its series in powers of 1 / freedom are good to three decimals.
    """
    if freedom <= len(T95):
        return T95[freedom - 1]
    z = 1.959964  # the same of the normal distribution
    terms = [
        z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    ]  # fmt: skip
    return sum(term / freedom**k for k, term in enumerate(terms))


class Mean(NamedTuple):
    """A mean over the seeds, with its standard error."""

    mean: float
    error: float  # NaN for one seed
    count: int  # seeds that have a number
    lost: int  # those that have none: the loss became infinite

    def __format__(self, form):
        if not self.count:
            return "infinite loss" if self.lost else "-"
        text = format(self.mean, form or ".3f")
        if self.count > 1:
            text += f" ± {format(self.error, form or '.3f')}"
        return text + (f" ({self.lost} of {self.count + self.lost} infinite)" if self.lost else "")


class Interval(NamedTuple):
    """A difference of two means over the same seeds: within low to high at 95 %."""

    difference: float
    low: float
    high: float

    @property
    def clear(self):
        """Whether the interval is on one side of 0."""
        return self.low > 0 or self.high < 0

    def __format__(self, form):
        d, low, high = (format(number, form or "+.3f") for number in self)
        return f"{d} ({low} to {high})"


def mean_of(values):
    """The `Mean` of numbers, NaN where there is none."""
    values = np.asarray(values, float)
    there = values[np.isfinite(values)]
    n = len(there)
    error = there.std(ddof=1) / n**0.5 if n > 1 else np.nan
    return Mean(float(there.mean()) if n else np.nan, float(error), n, len(values) - n)


def interval_of(differences):
    """The `Interval` of paired differences, one for each seed: Student's t."""
    differences = np.asarray(differences, float)
    differences = differences[np.isfinite(differences)]
    mean, error, n, _ = mean_of(differences)
    reach = t95(n - 1) * error if n > 1 else np.nan
    return Interval(mean, mean - reach, mean + reach)


class Results:
    """The runs of a results file, by what tells them apart.

    document: the file's contents; apart: the settings in which runs differ, such as ("kind",
    "protocol"); source: its name, for messages. Raises `CheckpointError` where a seed is missing
    or there twice, or a run was made with other settings than the file's.
    """

    def __init__(self, document, apart, source):
        try:
            settings, listed = document["settings"], document["runs"]
            seeds = list(settings["seeds"])
            keyed = [(tuple(run[name] for name in apart), run["seed"], run) for run in listed]
        except (TypeError, KeyError, IndexError):
            raise CheckpointError(
                f"{source} is not a results file: it must have settings with seeds, and runs with "
                f"seed, {', '.join(apart)}; run the script again"
            ) from None
        self.document, self.settings, self.seeds, self.runs = document, settings, seeds, {}
        for key, count in Counter((key, seed) for key, seed, _ in keyed).items():
            if count > 1:
                raise CheckpointError(
                    f"{source} has {named(key[0])} with seed {key[1]} {count} times, but each "
                    "seed must be there once; delete all but one"
                )
        for key, seed, run in keyed:
            for name, wanted in settings.items():
                if name in run and run[name] != wanted:
                    raise CheckpointError(
                        f"{source} has {named(key)} with {name} = {run[name]}, but its settings "
                        f"say {wanted}; train it again with these"
                    )
            self.runs.setdefault(key, {})[seed] = run
        for key, by_seed in self.runs.items():
            missing = [seed for seed in seeds if seed not in by_seed]
            if missing or len(by_seed) > len(seeds):
                extra = sorted(set(by_seed) - set(seeds))
                what = f"without seed {missing[0]}" if missing else f"with seed {extra[0]} too"
                raise CheckpointError(
                    f"{source} has {named(key)} {what}, but its settings say seeds "
                    f"{', '.join(map(str, seeds))}; run the script with these seeds"
                )

    def values(self, measure, *key):
        """The measure of every seed [n], NaN where a run has none."""
        by_seed = self.runs[key]
        return np.array([by_seed[seed].get(measure, np.nan) for seed in self.seeds], float)

    def mean(self, measure, *key):
        """The `Mean` of a measure over the seeds; of none where there is no such run, or it is not
        asked this."""
        runs = [self.runs[key][seed] for seed in self.seeds] if key in self.runs else []
        asked = [run for run in runs if measure in run or "diverged" in run]
        return mean_of([run.get(measure, np.nan) for run in asked])

    def difference(self, measure, one, other):
        """The `Interval` of one less the other, seed by seed: both had the same parts of the data.

        one, other: their keys.
        """
        return interval_of(self.values(measure, *one) - self.values(measure, *other))


def read_results(path, apart):
    """The `Results` of a file; raises `CheckpointError` where it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise CheckpointError(
            f"{path} is damaged or cannot be read; run its script again"
        ) from None
    return Results(document, apart, path)


def named(key):
    """A key as words."""
    return " ".join(map(str, key))
