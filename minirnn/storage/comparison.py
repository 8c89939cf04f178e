"""Two saved name classifiers on the same test names, and how much of the difference is chance."""

import numpy as np

from ..batches import Sequences
from ..data import Alphabet, printable, split
from ..errors import CheckpointError
from ..measures import Comparison, log_shares, two_guesses
from ..training import predict
from .files import short
from .saved_state import is_whole
from .summary import Answers, table

DIFFERENCE = "difference, paired"


def log_prior_of(path, settings):
    """The log prior [K] that a net was trained with, from the settings beside it.

    Raises `CheckpointError` where they do not tell how many names each language had.
    """
    counts, K = settings.get("counts"), len(settings["languages"])
    usable = isinstance(counts, list) and all(is_whole(n) and 0 < n < 2**53 for n in counts)
    if not usable or len(counts) != K:
        raise CheckpointError(
            f"{path} does not tell how many names of each language it was trained on; train it "
            "again, or use --prior balanced"
        )
    return log_shares(counts)


def unseen(names, saved):
    """The places of the test names on which none of two nets was trained. saved: {path: settings}.

    Raises `CheckpointError` where one was trained on other names, or they were split otherwise.
    """
    digest, seeds = names.digest(), []
    if len({repr(settings.get("names")) for settings in saved.values()}) > 1:
        one, two = saved
        raise CheckpointError(
            f"{one} and {two} were trained on different names, so they cannot be compared; train "
            "both on the same"
        )
    for path, settings in saved.items():
        if settings.get("names") != digest or settings["languages"] != names.languages:
            raise CheckpointError(f"{path} was trained on other names; give its own with --data")
        seeds.append(settings.get("seed"))
        if not is_whole(seeds[-1]) or seeds[-1] < 0:
            raise CheckpointError(f"{path} has the seed {short(repr(seeds[-1]))}; train it again")
    if seeds[0] != seeds[1]:
        one, two = saved
        raise CheckpointError(
            f"{one} was trained with --seed {short(seeds[0])}, {two} with {short(seeds[1])}, so "
            "each has learned test names of the other; train both with the same"
        )
    return split(names, np.random.default_rng(seeds[0]))[2]


def compare(names, nets):
    """Print how two nets do on the same unseen names. nets: {path: (net, settings)}."""
    test = unseen(names, {path: settings for path, (_, settings) in nets.items()})
    labels, K, rows, guesses = names.labels[test], len(names.languages), {}, []
    folders = [printable(str(path.parent), 27) for path in nets]
    if len(set(folders)) < 2:  # alike where they are cut off
        folders = ["the first", "the second"]
        for folder, path in zip(folders, nets, strict=True):
            print(f"{folder}: {printable(str(path))}")
        print()
    for folder, (path, (net, settings)) in zip(folders, nets.items(), strict=True):
        sequences = Sequences.of_names(names, Alphabet(settings["alphabet"]))
        scores = predict(net, sequences, test)
        guesses.append(two_guesses(scores, log_prior_of(path, settings)))
        rows[folder] = Answers.of(labels, guesses[-1], K).numbers()
    natural, balanced = (Comparison.of(labels, *pair, K) for pair in zip(*guesses, strict=True))
    rows[DIFFERENCE] = (
        natural.difference, natural.standard_error,
        balanced.balanced_difference, balanced.balanced_standard_error,
    )  # fmt: skip
    print(f"{len(test):,} test names, seen by neither\n\n{table(rows)}\n")
    alone = f"{natural.first.sum():,} times, the second {natural.second.sum():,} times"
    p = f"p = {natural.p_value:.2g}" if natural.p_value >= 1e-4 else "p < 0.0001"
    print(f"natural: the first alone is right {alone}; {p} by McNemar's test")
