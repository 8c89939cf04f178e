"""The two baselines against slow and obvious code."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minirnn.baselines import TrigramBayes, majority, trigrams
from minirnn.batches import Sequences
from minirnn.data import Alphabet, Names
from minirnn.measures import Evaluation
from minirnn.models import NameClassifier
from minirnn.storage import summary

words = st.text("abcAB", min_size=1, max_size=6)
labelled = st.lists(st.tuples(words, st.integers(0, 2)), min_size=3, max_size=15)


def slow_scores(names, labels, K, name):
    """Naive Bayes with dictionaries and loops."""
    counts = [{} for _ in range(K)]
    for text, label in zip(names, labels, strict=True):
        text = "^" + text.lower() + "$"
        for start in range(len(text) - 2):
            piece = text[start] + text[start + 1] + text[start + 2]
            counts[label][piece] = counts[label].get(piece, 0) + 1
    known = {piece for table in counts for piece in table}
    scores = []
    for table in counts:
        total = sum(table.get(piece, 0) + 0.5 for piece in known)
        score, text = 0.0, "^" + name.lower() + "$"
        for start in range(len(text) - 2):
            piece = text[start : start + 3]
            if piece in known:
                score += math.log((table.get(piece, 0) + 0.5) / total)
        scores.append(score)
    return scores


@given(labelled, words)
def test_trigrams_against_slow_code(examples, name):
    names, labels = zip(*examples, strict=True)
    bayes = TrigramBayes(names, labels, 3)
    scores = slow_scores(names, labels, 3, name)
    guess = int(bayes.predict([name])[0])
    assert max(scores) - scores[guess] < 1e-9, "not the likeliest class"
    np.testing.assert_allclose(bayes.scores([name])[0], scores, atol=1e-12)


def test_trigrams_by_hand():
    assert trigrams("Abc") == ["^ab", "abc", "bc$"]
    assert trigrams("x") == ["^x$"]
    bayes = TrigramBayes(["ab", "ab", "b"], [0, 0, 1], 2)
    # known: ^ab ab$ ^b$; class 0 has 2, 2, 0 and class 1 has 0, 0, 1, each with 1/2 more
    expected = np.log([[0.5 / 5.5, 2.5 / 5.5, 2.5 / 5.5], [1.5 / 2.5, 0.5 / 2.5, 0.5 / 2.5]])
    found = bayes.log_p[:, [bayes.column[t] for t in ("^b$", "^ab", "ab$")]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_classes_count_alike_and_strangers_say_nothing():
    """A class seen far more often is no likelier for that; a name of new trigrams goes to 0."""
    bayes = TrigramBayes(["aa"] * 99 + ["bb"], [1] * 99 + [0], 2)
    assert bayes.predict(["bb", "aa", "xyz"]).tolist() == [0, 1, 0]
    assert bayes.predict(["bb", "aa", "xyz"], np.log([0.01, 0.99])).tolist() == [0, 1, 1]


def test_majority():
    assert majority(np.array([2, 0, 2, 1, 2]), 4) == 2
    assert majority(np.array([1, 3]), 4) == 1
    assert isinstance(majority(np.array([1]), 2), int)


def test_the_majority_in_the_report_is_that_of_the_training_part():
    alphabet, labels = Alphabet(), np.array([0, 0, 1, 1, 1, 0])
    names = Names(["Aa", "Ab", "Ba", "Bb", "Bc", "Ac"], labels, ["A", "B"], "here")
    sequences = Sequences([alphabet.encode(n) for n in names.names], labels, 2, len(alphabet))
    net = NameClassifier(len(alphabet), 2, rng=np.random.default_rng(0), hidden_size=2)
    parts = {"train": np.arange(3), "validation": np.array([5]), "test": np.array([3, 4])}
    rows = summary.evaluations(net, sequences, names, parts)
    assert [row.confusion.tolist() for row in rows[summary.MAJORITY]] == [[[0, 0], [2, 0]]] * 2


def test_the_table_counts_no_trigram_of_the_test_part():
    """A name of the test part that stands nowhere else is a stranger: it goes to class 0."""
    names = Names(["aa", "bb", "xyz"], np.array([0, 1, 1]), ["A", "B"], "")
    sequences = Sequences.of_names(names, Alphabet())
    net = NameClassifier(len(Alphabet()), 2, rng=np.random.default_rng(0), hidden_size=2)
    parts = {"train": np.array([0, 1]), "test": np.array([2])}
    rows = summary.evaluations(net, sequences, names, parts)
    assert rows[summary.TRIGRAMS].balanced.confusion.tolist() == [[0, 0], [1, 0]]


def test_the_table_asks_both_questions_of_both():
    """Net and trigrams: with the log prior of the training part for natural, without for balanced.

    The first language has 3 of 4 names; what is not known goes there, but only if that counts.
    """
    names = Names(
        ["bb", "aa", "ab", "ba", "xyz", "zyx"], np.array([1, 0, 0, 0, 0, 1]), ["A", "B"], ""
    )
    sequences = Sequences.of_names(names, Alphabet())
    net = NameClassifier(len(Alphabet()), 2, rng=np.random.default_rng(0), hidden_size=2)
    net.linear.W.data[...], net.linear.b.data[...] = 0, [0, 1]  # e > 1, but 1 * 3 > e
    rows = summary.evaluations(
        net, sequences, names, {"train": np.arange(4), "test": np.array([4, 5])}
    )
    assert rows["test"].natural.confusion.tolist() == [[1, 0], [1, 0]]
    assert rows["test"].balanced.confusion.tolist() == [[0, 1], [0, 1]]
    names.labels[:4] = 0, 1, 1, 1
    rows = summary.evaluations(
        net, sequences, names, {"train": np.arange(4), "test": np.array([4, 5])}
    )
    assert rows[summary.TRIGRAMS].natural.confusion.tolist() == [[0, 1], [0, 1]]
    assert rows[summary.TRIGRAMS].balanced.confusion.tolist() == [[1, 0], [1, 0]]


def test_each_number_of_a_row_is_of_its_own_question():
    natural, balanced = (Evaluation(0.0, np.array(n)) for n in ([[8, 0], [1, 1]], [[6, 2], [0, 2]]))
    errors = (0.9 * 0.1 / 10) ** 0.5, (0.75 * 0.25 / 8) ** 0.5 / 2
    expected = 0.9, errors[0], 0.875, errors[1]
    np.testing.assert_allclose(summary.Answers(natural, balanced).numbers(), expected)
