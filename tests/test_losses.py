"""Losses against plain Python; their gradients are tested in test_gradients.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn.errors import ShapeError
from minirnn.losses import CrossEntropy, MeanSquaredError


def plain(logits, labels, prior=None):
    """[-log softmax(row)[label]], number by number."""
    found = []
    for row, label in zip(logits, labels, strict=True):
        row = [a + (prior[k] if prior is not None else 0.0) for k, a in enumerate(row)]
        largest = max(row)
        found.append(largest + math.log(sum(math.exp(a - largest) for a in row)) - row[label])
    return found


@st.composite
def problems(draw):
    N, K = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    scale = draw(st.sampled_from([0.1, 2.0, 300.0]))
    return scale * rng.standard_normal((N, K)), rng.integers(0, K, N), rng.standard_normal(K)


def value(loss, *arguments):
    return float(loss.forward(*map(np.asarray, arguments))[0])


@given(problems())
def test_cross_entropy(problem):
    logits, labels, prior = problem
    losses = plain(logits, labels)
    for normaliser, divisor in [("mean", len(labels)), ("sum", 1), (2.5, 2.5), (7, 7)]:
        found = value(CrossEntropy(normaliser), logits, labels)
        assert found == pytest.approx(sum(losses) / divisor, rel=1e-12, abs=1e-12)
    found = value(CrossEntropy(log_prior=prior), logits, labels)
    assert found == pytest.approx(np.mean(plain(logits, labels, prior)), rel=1e-12, abs=1e-12)


def test_cross_entropy_in_numbers():
    """softmax([0, log 3]) = [1/4, 3/4]."""
    logits, labels = [[0.0, math.log(3)], [0.0, math.log(3)]], [0, 1]
    assert value(CrossEntropy("sum"), logits, labels) == pytest.approx(
        math.log(4) + math.log(4 / 3)
    )
    equal = value(CrossEntropy(), np.zeros((3, 18)), [0, 7, 17])
    assert equal == pytest.approx(math.log(18))


@given(problems(), st.integers(0, 2**16))
def test_ignored_rows_count_for_nothing(problem, seed):
    logits, labels, _ = problem
    ignored = np.random.default_rng(seed).random(len(labels)) < 0.5
    labels = np.where(ignored, -100, labels)
    kept = plain(logits[~ignored], labels[~ignored])
    for normaliser, divisor in [("mean", max(1, len(kept))), ("sum", 1), (3.0, 3.0)]:
        loss = CrossEntropy(normaliser, ignore_index=-100)
        value, cache = loss.forward(logits, labels)
        assert float(value) == pytest.approx(sum(kept) / divisor, rel=1e-12, abs=1e-12)
        dlogits = loss.backward(cache)
        assert (dlogits[ignored] == 0).all()
        assert sum(kept) < 1e-9 or (dlogits[~ignored] != 0).any()


def test_ignore_index_may_be_a_class():
    logits = np.array([[1.0, 2.0], [3.0, 1.0]])
    found = value(CrossEntropy(ignore_index=0), logits, [0, 1])
    assert found == pytest.approx(plain(logits[1:], [1])[0])


def test_all_ignored_is_zero_not_nan():
    loss = CrossEntropy(ignore_index=-1)
    found, cache = loss.forward(np.ones((2, 3)), np.array([-1, -1]))
    assert found == 0 and not loss.backward(cache).any()


def test_more_axes_are_more_rows():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((4, 3, 5)), rng.integers(0, 5, (4, 3))
    loss = CrossEntropy()
    found, cache = loss.forward(logits, labels)
    assert float(found) == pytest.approx(np.mean(plain(logits.reshape(12, 5), labels.reshape(12))))
    assert loss.backward(cache).shape == (4, 3, 5)


def test_huge_logits_stay_finite():
    found = value(CrossEntropy(), np.array([[1e4, -1e4], [-1e30, 1e30]]), [1, 1])
    assert found == pytest.approx(1e4)


def test_a_prior_that_fits_gives_the_share_itself():
    """With equal logits and the log of the shares, the loss is the entropy of the classes."""
    shares = np.array([0.5, 0.3, 0.2])
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    found = value(CrossEntropy(log_prior=np.log(shares)), np.zeros((10, 3)), labels)
    assert found == pytest.approx(-(shares * np.log(shares)).sum())


@pytest.mark.parametrize(
    "labels, words",
    [
        ([0, 3], "label 3 is out of range: with 3 classes it must be 0 to 2"),
        ([-1, 0], "label -1 is out of range"),
        ([0.0, 1.0], "labels must be whole numbers, but are of type float64"),
        ([0, 1, 2], r"labels have shape \(3,\), but logits have \(2, 3\)"),
        ([[0], [1]], r"labels have shape \(2, 1\)"),
    ],
)
def test_labels_that_do_not_fit(labels, words):
    with pytest.raises(ShapeError, match=words):
        CrossEntropy().forward(np.zeros((2, 3)), np.array(labels))
    in_range = np.array([0, 9])  # a label out of range is no better for an ignore index elsewhere
    with pytest.raises(ShapeError, match="label 9"):
        CrossEntropy(ignore_index=-1).forward(np.zeros((2, 3)), in_range)


@pytest.mark.parametrize("make", [CrossEntropy, MeanSquaredError])
@pytest.mark.parametrize("normaliser", ["average", 0, -1.0, None])
def test_normalisers_that_are_none(make, normaliser):
    with pytest.raises(ValueError, match="must be mean, sum or a finite number above 0"):
        make(normaliser)


@given(problems())
def test_mean_squared_error(problem):
    y, _, _ = problem
    target = y[::-1] * 0.5 + 1
    pairs = zip(y.ravel().tolist(), target.ravel().tolist(), strict=True)
    total = sum((a - b) ** 2 for a, b in pairs)
    for normaliser, divisor in [("mean", y.size), ("sum", 1), (4.0, 4.0)]:
        found = value(MeanSquaredError(normaliser), y, target)
        assert found == pytest.approx(total / divisor, rel=1e-12)


def test_mean_squared_error_of_other_shapes():
    """Without the check, NumPy would broadcast and give a number."""
    with pytest.raises(ShapeError, match=r"y has shape \(3, 1\), but the target has \(3,\)"):
        MeanSquaredError().forward(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_stay(dtype):
    logits = np.ones((2, 3), dtype)
    for loss in (CrossEntropy(), CrossEntropy(ignore_index=1, log_prior=np.zeros(3))):
        found, cache = loss.forward(logits, np.array([0, 1]))
        assert found.dtype == loss.backward(cache).dtype == dtype
    found, cache = MeanSquaredError().forward(logits, 2 * logits)
    assert found.dtype == MeanSquaredError().backward(cache).dtype == dtype


def test_nothing_given_is_changed():
    logits, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 1, 2, 1])
    kept = logits.copy(), labels.copy()
    loss = CrossEntropy(ignore_index=1, log_prior=np.ones(3))
    cache = loss.forward(logits, labels)[1]
    first, second = loss.backward(cache), loss.backward(cache)
    np.testing.assert_array_equal(first, second)
    assert (logits == kept[0]).all() and (labels == kept[1]).all()


def smoothed(logits, labels, w, e):
    """sum over rows of (1 - e) w[q] l[q] + e / K sum_k w[k] l[k], where l = -log p."""
    K, total = len(w), 0.0
    for row, q in zip(logits, labels, strict=True):
        losses = plain([row] * K, range(K))
        total += (1 - e) * w[q] * losses[q] + e / K * sum(
            map(math.prod, zip(w, losses, strict=True))
        )
    return total


@pytest.mark.parametrize("name", ["class_weight", "log_prior"])
def test_the_numbers_of_a_list_are_exact(name):
    logits, labels, numbers = np.array([[0.3, -1.0, 0.5]]), np.array([1]), [0.1, 0.7, 1.3]
    a, b = (
        CrossEntropy(**{name: given}).forward(logits, labels)[0]
        for given in (numbers, np.array(numbers))
    )
    assert a == b


@given(problems(), st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 2**16))
def test_class_weights_and_smoothing(problem, e, seed):
    logits, labels, _ = problem
    w = np.random.default_rng(seed).random(logits.shape[1]) + 0.1
    ignored = np.random.default_rng(seed).random(len(labels)) < 0.3
    total = smoothed(logits[~ignored], labels[~ignored], w.tolist(), e)
    count = w[labels[~ignored]].sum() or 1
    labels = np.where(ignored, -1, labels)
    for normaliser, divisor in [("mean", count), ("sum", 1), (2.5, 2.5)]:
        loss = CrossEntropy(normaliser, -1, class_weight=w, label_smoothing=e)
        found, cache = loss.forward(logits, labels)
        assert float(found) == pytest.approx(total / divisor, rel=1e-9, abs=1e-9)
        assert not loss.backward(cache)[ignored].any()


def test_in_numbers():
    """p = [1/4, 3/4], weights 1 and 3: (ln 4 + 3 ln 4/3) / 4; a share of 1/2 for both alike."""
    logits, labels = np.array([[0.0, math.log(3)]] * 2), np.array([0, 1])
    low, high = math.log(4), math.log(4 / 3)
    weighted = value(CrossEntropy(class_weight=np.array([1.0, 3.0])), logits, labels)
    assert weighted == pytest.approx((low + 3 * high) / 4)
    half = value(CrossEntropy(label_smoothing=0.5), logits[:1], labels[:1])
    assert half == pytest.approx(0.5 * low + 0.25 * (low + high))


@pytest.mark.parametrize("normaliser", ["mean", "sum"])
@pytest.mark.parametrize("e", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [None, 2])
def test_as_pytorch(normaliser, e, weighted, ignore_index):
    """Value and gradient of `torch.nn.CrossEntropyLoss`, where PyTorch is installed."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits, labels, w = rng.standard_normal((9, 4)), rng.integers(0, 4, 9), rng.random(4) + 0.1
    theirs = torch.nn.CrossEntropyLoss(
        torch.from_numpy(w) if weighted else None, reduction=normaliser, label_smoothing=e,
        ignore_index=-100 if ignore_index is None else ignore_index,
    )  # fmt: skip
    a = torch.from_numpy(logits).requires_grad_()
    expected = theirs(a, torch.from_numpy(labels))
    expected.backward()
    ours = CrossEntropy(normaliser, ignore_index, class_weight=w if weighted else None,
                        label_smoothing=e)  # fmt: skip
    found, cache = ours.forward(logits, labels)
    assert float(found) == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(ours.backward(cache), a.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_the_score_of_one_number():
    loss = MeanSquaredError()
    assert loss.score(np.array(1.0), np.array(3.0)) == loss.forward(1.0, 3.0)[0] == 4
