"""Means over seeds, their standard errors and differences; results files that are refused."""

import json
import math

import numpy as np
import pytest

from minirnn.errors import CheckpointError
from minirnn.reports import seeds

APART = ("kind", "protocol")


def document(**changes):
    """A results file: two nets, three seeds."""
    runs = [
        {"kind": kind, "protocol": "held-out", "seed": seed, "iterations": 5, "train": value}
        for kind, values in {"A": (0.5, 0.6, 0.4), "B": (0.7, 0.9, 0.5)}.items()
        for seed, value in enumerate(values)
    ]
    return {"settings": {"iterations": 5, "seeds": [0, 1, 2]}, "runs": runs, **changes}


def test_means_with_their_standard_errors():
    found = seeds.Results(document(), APART, "it")
    mean = found.mean("train", "B", "held-out")
    assert mean.mean == pytest.approx(0.7) and mean.error == pytest.approx(0.2 / 3**0.5)
    assert f"{mean}" == "0.700 ± 0.115" and f"{mean:.0%}" == "70% ± 12%"
    assert f"{found.mean('train', 'C', 'held-out')}" == "-"
    assert f"{seeds.mean_of([0.25])}" == "0.250"


def test_differences_are_paired():
    """B less A, seed by seed: .2, .3, .1, so .2 with a standard error of .1 / sqrt(3)."""
    found = seeds.Results(document(), APART, "it")
    interval = found.difference("train", ("B", "held-out"), ("A", "held-out"))
    reach = 4.303 * 0.1 / 3**0.5
    assert interval == pytest.approx((0.2, 0.2 - reach, 0.2 + reach))
    assert not interval.clear and seeds.interval_of([0.2, 0.21, 0.19]).clear
    assert f"{interval}" == "+0.200 (-0.048 to +0.448)"


def test_a_seed_whose_loss_became_infinite_is_counted():
    lost = document()
    lost["runs"][1] = {k: v for k, v in lost["runs"][1].items() if k != "train"} | {"diverged": 4}
    mean = seeds.Results(lost, APART, "it").mean("train", "A", "held-out")
    assert (mean.mean, mean.count, mean.lost) == (pytest.approx(0.45), 2, 1)
    assert f"{mean}" == "0.450 ± 0.050 (1 of 3 infinite)"
    assert f"{seeds.mean_of([math.nan])}" == "infinite loss"
    asked_something_else = seeds.Results(document(), APART, "it").mean("new", "A", "held-out")
    assert f"{asked_something_else}" == "-"


@pytest.mark.parametrize("degrees", range(1, len(seeds.T95) + 1))
def test_students_t(degrees):
    """95 % of the density lie within T95: by the trapezoidal rule."""
    t = np.linspace(-seeds.T95[degrees - 1], seeds.T95[degrees - 1], 20001)
    scale = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * math.pi)
    density = scale * (1 + t**2 / degrees) ** (-(degrees + 1) / 2)
    assert ((density[1:] + density[:-1]) / 2 * np.diff(t)).sum() == pytest.approx(0.95, abs=5e-5)


def without(k):
    return [run for j, run in enumerate(document()["runs"]) if j != k]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"runs": without(1)}, "it has A held-out without seed 1, but its settings say seeds 0, 1"),
        ({"runs": document()["runs"] * 2}, "it has A held-out with seed 0 2 times"),
        ({"settings": {"iterations": 5, "seeds": [0, 1]}}, "with seed 2 too"),
        ({"settings": {"iterations": 6, "seeds": [0, 1, 2]}}, "iterations = 5, but .* say 6"),
        ({"settings": {}}, "is not a results file"),
        ({"runs": [{"kind": "A"}]}, "is not a results file"),
        ({"runs": 3}, "is not a results file"),
    ],
)
def test_files_that_are_refused(changes, words):
    with pytest.raises(CheckpointError, match=words):
        seeds.Results(document(**changes), APART, "it")


@pytest.mark.parametrize("text", ["{", "[]", "null", '"text"', "[" * 100_000, "9" * 5000])
def test_files_that_are_none(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=r"results\.json is "):
        seeds.read_results(path, APART)
    path.write_text(json.dumps(document()))
    assert seeds.read_results(path, APART).seeds == [0, 1, 2]


@pytest.mark.parametrize(
    "freedom, within", [(1, 12.706), (9, 2.262), (10, 2.228), (20, 2.086), (60, 2.000)]
)
def test_student_s_distribution_for_many_seeds(freedom, within):
    assert abs(seeds.t95(freedom) - within) < 0.0006
    differences = np.arange(freedom + 1.0)
    low, high = seeds.interval_of(differences)[1:]
    error = differences.std(ddof=1) / (freedom + 1) ** 0.5
    assert abs(high - low - 2 * within * error) < 0.002 * error
