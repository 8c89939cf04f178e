"""Standard errors, paired comparisons and the two questions, against counting and simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest

from minirnn.errors import DataError, MinirnnError
from minirnn.measures import Comparison, Evaluation, Regression, log_shares, two_guesses


def drawn(labels, right, rng):
    """Guesses of two classes that are right with the probability right[label]."""
    return np.where(rng.random(len(labels)) < np.array(right)[labels], labels, 1 - labels)


def test_standard_errors_are_the_spread_over_test_parts():
    """Of 4,000 test parts, classes of 30 and 120 names, right with .9 and .6."""
    rng, labels = np.random.default_rng(0), np.repeat([0, 1], [30, 120])
    found = [Evaluation.of(labels, drawn(labels, [0.9, 0.6], rng), 2) for _ in range(4000)]
    for value, error in [
        ("accuracy", "standard_error"), ("balanced_accuracy", "balanced_standard_error")
    ]:  # fmt: skip
        spread = np.std([getattr(e, value) for e in found])
        mean = np.sqrt(np.mean([getattr(e, error) ** 2 for e in found]))
        wanted = 0.03 if error == "balanced_standard_error" else 0.1  # of a mixture: a bit too much
        assert abs(mean / spread - 1) < wanted, (value, mean, spread)


def test_standard_errors_by_hand():
    evaluation = Evaluation(math.nan, np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]]))
    assert evaluation.standard_error == pytest.approx(math.sqrt(5 / 8 * 3 / 8 / 8))
    wanted = math.sqrt(3 / 4 * 1 / 4 / 4 + 1 / 2 * 1 / 2 / 4) / 2  # the third does not occur
    assert evaluation.balanced_standard_error == pytest.approx(wanted)


def compared(only_first, only_second, both=0, neither=0):
    """The comparison of so many examples of each class, a list of numbers in each place."""
    labels, one, two = [], [], []
    for right, counts in {
        (1, 0): only_first,
        (0, 1): only_second,
        (1, 1): both,
        (0, 0): neither,
    }.items():
        for k, n in enumerate(np.broadcast_to(counts, np.shape(only_first))):
            labels += [k] * n
            one += [k if right[0] else k ^ 1] * n
            two += [k if right[1] else k ^ 1] * n
    return Comparison.of(labels, one, two, len(only_first))


def test_differences_by_hand():
    pair = compared([3, 0], [1, 4], both=[6, 6])  # of 10 and 10
    assert pair.of_class.tolist() == [10, 10]
    assert (pair.first.tolist(), pair.second.tolist()) == ([3, 0], [1, 4])
    assert pair.difference == pytest.approx((3 - 5) / 20)
    assert pair.standard_error == pytest.approx(np.std([1] * 3 + [-1] * 5 + [0] * 12) / 20**0.5)
    assert pair.balanced_difference == pytest.approx((0.2 - 0.4) / 2)
    spread = np.var([1] * 3 + [-1] + [0] * 6) / 10 + np.var([-1] * 4 + [0] * 6) / 10
    assert pair.balanced_standard_error == pytest.approx(math.sqrt(spread) / 2)


def test_differences_are_those_of_the_accuracies():
    rng = np.random.default_rng(0)
    labels, one, two = rng.integers(3, size=(3, 50))  # the fourth class does not occur
    pair = Comparison.of(labels, one, two, 4)
    first, second = Evaluation.of(labels, one, 4), Evaluation.of(labels, two, 4)
    assert pair.difference == pytest.approx(first.accuracy - second.accuracy)
    balanced = first.balanced_accuracy - second.balanced_accuracy
    assert pair.balanced_difference == pytest.approx(balanced)


def test_a_pair_is_sharper_than_two_accuracies():
    """What is hard for both cancels, and it is the spread over test parts that is left."""
    rng, labels, differences, errors = np.random.default_rng(1), np.repeat([0, 1], [40, 80]), [], []
    for _ in range(3000):
        one = drawn(labels, [0.7, 0.6], rng)
        other = rng.random(120) < 0.1
        pair = Comparison.of(labels, one, np.where(other, 1 - one, one), 2)
        differences.append(pair.balanced_difference)
        errors.append(pair.balanced_standard_error)
    assert abs(np.sqrt(np.mean(np.square(errors))) / np.std(differences) - 1) < 0.05
    assert np.mean(errors) < 0.5 * Evaluation.of(labels, one, 2).balanced_standard_error * 2**0.5


@pytest.mark.parametrize("b, c", [(0, 0), (0, 5), (3, 3), (1, 9), (12, 30), (300, 251)])
def test_p_value_against_coins(b, c):
    """2 P(at most min(b, c) heads of b + c), by fractions; and never above 1."""
    n = b + c
    tail = sum(Fraction(math.comb(n, k), 2**n) for k in range(min(b, c) + 1))
    assert compared([b, 0], [c, 0], both=1).p_value == pytest.approx(float(min(1, 2 * tail)))


def test_p_value_of_many():
    pair = Comparison(np.array([60_000]), np.array([61_000]), np.array([10**6]))
    z = 1000 / 121_000**0.5  # the binomial is nearly normal here
    assert pair.p_value == pytest.approx(math.erfc(z / 2**0.5), rel=0.02)


def test_two_guesses():
    scores = np.log([[0.5, 0.3], [0.4, 0.6]])
    natural, balanced = two_guesses(scores, log_shares([1, 9]))
    assert (natural.tolist(), balanced.tolist()) == ([1, 1], [0, 1])


def test_log_shares():
    np.testing.assert_allclose(np.exp(log_shares([1, 3, 4])), [1 / 8, 3 / 8, 1 / 2])


@pytest.mark.parametrize("counts", [[], [1, 0], [1, -2], [1, math.nan], [1, math.inf], 5, [[1, 2]]])
def test_log_shares_of_what_cannot_be(counts):
    with pytest.raises(DataError, match="counts is .*, but must be .K., each a number above 0"):
        log_shares(counts)


def test_comparison_of_what_cannot_be():
    for labels, one, two in [([0, 1], [0], [0, 1]), ([0, 1], [0, 1], [0, 2]), ([], [], [])]:
        with pytest.raises(MinirnnError):
            Comparison.of(labels, one, two, 2)


def test_targets_that_are_all_alike_have_no_spread_to_explain():
    """Whose mean is rounded: .1 + .1 + .1 is not .3."""
    alike = np.full((3, 1), 0.1)
    assert Regression.of(alike, np.full((3, 1), 0.2)).r2 == 0
    assert Regression.of(alike, alike).r2 == 1
    tiny = np.array([[0.0], [1e-200]])  # whose squares are nothing
    assert Regression.of(tiny, tiny).r2 == 1
