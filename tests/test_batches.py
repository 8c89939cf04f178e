"""Labelled sequences, packing without padding, and the samplers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn.batches import Sequences, balanced, bucketed, natural, samplers
from minirnn.errors import DataError, ShapeError
from minirnn.packing import as_rows, pack, reversal, sizes_of, unpack

lengths_lists = st.lists(st.integers(1, 9), min_size=1, max_size=12)
seeds = st.integers(0, 2**16)


def words(*texts):
    return [np.array([ord(c) - ord("a") for c in text]) for text in texts]


def made(lengths, features=None, seed=0):
    """Random sequences of these lengths: ids, or rows of features."""
    rng = np.random.default_rng(seed)
    if features is None:
        return [rng.integers(0, 7, n) for n in lengths]
    return [rng.standard_normal((n, features)) for n in lengths]


# Sequences


@pytest.mark.parametrize(
    "sequences, labels, options, words",
    [
        ([], [], {}, "there are no labels, but there must be one"),
        ([], [0, 1], {}, "0 sequences, but 2 labels"),
        ([[1], [2]], [0], {}, "2 sequences, but 1 labels"),
        ([[1], [], [2]], [0, 1, 0], {}, "sequence 1 is empty"),
        ([[1], [2]], [0, 3], {"num_classes": 3}, "label 3 is out of range: it must be 0 to 2"),
        ([[1], [2]], [0, -1], {}, "label -1 is out of range"),
        (
            [[1], [2]],
            [0.0, 1.0],
            {"num_classes": 2},
            "labels must be whole numbers, but are of type float64",
        ),
        ([[1], [5, 9]], [0, 1], {"num_symbols": 9}, "id 9 is out of range: it must be 0 to 8"),
        ([[1], [-2, 0]], [0, 1], {}, "id -2 is out of range"),
        ([[[1.0, np.nan]]], [0], {}, "no finite number of float32"),
        ([[[1.0, 2.0]], [[np.inf, 0.0]]], [0, 0], {}, "no finite number of float32"),
    ],
)
def test_what_is_refused(sequences, labels, options, words):
    with pytest.raises(DataError, match=words):
        Sequences(sequences, labels, **options)


def test_what_is_counted():
    sequences = Sequences(words("abc", "d", "ee"), [2, 0, 2], num_classes=4)
    assert len(sequences) == 3 and sequences.lengths.tolist() == [3, 1, 2]
    assert sequences.counts().tolist() == [1, 0, 2, 0]
    assert Sequences([[1], [2]], [0, 3]).num_classes == 4


def test_log_prior_by_hand():
    """One is added to each class: (1 + 1, 0 + 1, 2 + 1) of 3 + 3."""
    sequences = Sequences(words("abc", "d", "ee"), [2, 0, 2], num_classes=3)
    expected = np.log([2 / 6, 1 / 6, 3 / 6])
    np.testing.assert_allclose(sequences.log_prior(), expected, rtol=1e-15)


def test_a_batch_by_hand():
    sequences = Sequences(words("ox", "zzzzz", "bees", "cat"), [3, 0, 1, 2])
    batch = sequences.batch(np.array([0, 3, 2]))
    letters = "".join(chr(k + ord("a")) for k in batch.x)
    assert letters == "bco" + "eax" + "et" + "s"
    assert batch.sizes == [3, 3, 2, 1]
    assert batch.labels.tolist() == [1, 2, 3]
    assert batch.index.tolist() == [2, 3, 0]


@given(lengths_lists, st.sampled_from([None, 3]), seeds)
def test_a_batch_holds_its_sequences(lengths, features, seed):
    data = made(lengths, features, seed)
    labels = np.arange(len(lengths))
    index = np.random.default_rng(seed).permutation(len(lengths))[: max(1, len(lengths) // 2)]
    batch = Sequences(data, labels, dtype="float64").batch(index)
    assert sorted(batch.index) == sorted(index)
    assert (batch.labels == batch.index).all()
    assert (np.diff(batch.sizes) <= 0).all() and sum(batch.sizes) == len(batch.x)
    for k, found in enumerate(unpack(batch.x, batch.sizes, np.arange(len(index)))):
        np.testing.assert_array_equal(found, data[batch.index[k]])


# Packing


@given(lengths_lists, st.sampled_from([None, 2]), seeds)
def test_pack_and_unpack(lengths, features, seed):
    sequences = made(lengths, features, seed)
    rows, sizes, order = pack(sequences)
    assert sizes == sizes_of(lengths) == [sum(n > t for n in lengths) for t in range(max(lengths))]
    assert sorted(order) == list(range(len(lengths)))
    for t in range(max(lengths)):  # row by row, as the text of the module says
        for k in range(sizes[t]):
            expected = sequences[order[k]][t]
            np.testing.assert_array_equal(rows[sum(sizes[:t]) + k], expected)
    for found, expected in zip(unpack(rows, sizes, order), sequences, strict=True):
        np.testing.assert_array_equal(found, expected)


@given(lengths_lists)
def test_reversal(lengths):
    sequences = made(lengths)
    rows, sizes, order = pack(sequences)
    index = reversal(sizes)
    assert (index[index] == np.arange(len(rows))).all()
    for found, expected in zip(unpack(rows[index], sizes, order), sequences, strict=True):
        np.testing.assert_array_equal(found, expected[::-1])


@pytest.mark.parametrize("sequences", [[], [np.array([1]), np.array([], int)]])
def test_nothing_to_pack(sequences):
    with pytest.raises(ShapeError, match="at least one element"):
        pack(sequences)


@pytest.mark.parametrize(
    "shape, sizes, words",
    [
        ((5, 4), [3, 2], r"x has shape \(5, 4\), but its last axis must be 3 wide"),
        ((5, 3), [3, 1], r"x has 5 rows, but sizes \[3, 1\] add up to 4"),
        ((5, 3), [2, 3], "never grow"),
        ((5, 3), [5, 0], "at least 1"),
        ((5, 3), [], "add up to 0"),
        ((5, 3), [3.0, 2.0], r"sizes must be a list of whole numbers, but is \[3.0, 2.0\]"),
        ((5, 3), 5, "sizes must be a list of whole numbers, but is 5"),
        ((5, 3), None, r"without sizes it must be \[T, N, 3\]"),
        ((0, 2, 3), None, "at least one step and one sequence"),
        ((1, 5, 3), [5], r"with sizes it must be \[S, 3\]"),
    ],
)
def test_rows_that_do_not_fit(shape, sizes, words):
    with pytest.raises(ShapeError, match=words):
        as_rows(np.zeros(shape), sizes, 3)


# Samplers


def drawn(sampler, lengths, labels, batch_size, seed=0, index=None):
    sequences = Sequences(made(lengths), labels)
    index = np.arange(len(lengths)) if index is None else index
    return sampler(sequences, index, batch_size, np.random.default_rng(seed))


@given(lengths_lists, st.integers(1, 15), seeds, st.sampled_from([natural, bucketed]))
def test_natural_and_bucketed_give_each_once(lengths, batch_size, seed, sampler):
    index = np.arange(0, len(lengths), 2)
    batches = drawn(sampler, lengths, [0] * len(lengths), batch_size, seed, index)
    assert sorted(np.concatenate(batches)) == index.tolist()
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [batch_size] * (len(batches) - 1) and 0 < sizes[0] <= batch_size


@pytest.mark.parametrize("name", sorted({*samplers} - {"streams"}))
def test_an_epoch_differs_by_its_seed_alone(name):
    lengths, labels = np.arange(60) % 9 + 1, np.arange(60) % 3
    a, b, c = (drawn(samplers[name], lengths, labels, 8, seed) for seed in (1, 1, 2))
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert np.concatenate(a).tolist() != np.concatenate(c).tolist()


def test_balanced_draws_every_class_alike():
    labels = np.repeat([0, 1, 3], [900, 90, 10])  # class 2 has nobody
    batches = drawn(balanced, [1] * 1000, labels, 100)
    assert [len(batch) for batch in batches] == [100] * 10
    rng, counts, members = np.random.default_rng(0), np.zeros(4), np.zeros(1000)
    sequences = Sequences(made([1] * 1000), labels)
    for _ in range(30):
        for batch in balanced(sequences, np.arange(1000), 100, rng):
            counts += np.bincount(labels[batch], minlength=4)
            members += np.bincount(batch, minlength=1000)
    assert counts[2] == 0 and counts.sum() == 30_000
    # 10,000 each, give or take five standard deviations of sqrt(30,000 * 2/9) = 82
    assert (np.abs(counts[[0, 1, 3]] - 10_000) < 410).all()
    # within the smallest class each of ten is drawn 1,000 times, give or take 5 * 31
    assert (np.abs(members[990:] - 1000) < 160).all()
    assert members.min() >= 0 and (members[:900] > 0).mean() > 0.99


@given(lengths_lists, st.integers(1, 15), seeds)
def test_balanced_stays_within_its_index(lengths, batch_size, seed):
    labels, index = np.arange(len(lengths)) % 3, np.arange(0, len(lengths), 2)
    batches = drawn(balanced, lengths, labels, batch_size, seed, index)
    assert len(batches) == -(-len(index) // batch_size)
    assert set(np.concatenate(batches)) <= set(index)


def test_bucketed_puts_like_lengths_together():
    lengths = np.random.default_rng(0).integers(1, 20, 200)
    spread = {}
    for sampler in (natural, bucketed):
        batches = drawn(sampler, lengths, [0] * 200, 20)
        spread[sampler] = max(np.ptp(lengths[batch]) for batch in batches)
    assert spread[bucketed] <= 4 < spread[natural]
    firsts = {lengths[drawn(bucketed, lengths, [0] * 200, 20, seed)[0]].min() for seed in range(9)}
    assert len(firsts) > 2, "the batches always come in the same order of lengths"


def test_bucketed_parts_sequences_of_one_length_anew():
    """The noise on the lengths: who shares a batch differs, not only when it comes."""
    first, second = (
        {frozenset(batch.tolist()) for batch in drawn(bucketed, [4] * 40, [0] * 40, 8, seed)}
        for seed in (0, 1)
    )
    assert len(first) == len(second) == 5 and first != second


def test_features_take_the_type_asked_for_and_one_width():
    sequences = [np.ones((2, 3)), np.ones((1, 3))]
    assert Sequences(sequences, [0, 1]).batch(np.array([0])).x.dtype == np.float32
    assert Sequences(sequences, [0, 1], dtype="float64").rows.dtype == np.float64
    with pytest.raises(
        DataError, match=r"sequence 1 has shape \(1, 2\), but sequence 0 has \(2, 3\)"
    ):
        Sequences([np.ones((2, 3)), np.ones((1, 2))], [0, 1])


def test_balanced_batches_leave_out_what_is_ignored():
    data = Sequences([[0]] * 4, [0, 1, -100, -100], ignore_index=-100)
    drawn = np.concatenate(balanced(data, range(4), 2, np.random.default_rng(0)))
    assert set(drawn.tolist()) <= {0, 1}
    with pytest.raises(DataError, match="all labels to be balanced are -100, the ignore_index"):
        balanced(data, [2, 3], 2, np.random.default_rng(0))
