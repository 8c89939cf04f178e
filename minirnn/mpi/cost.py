"""What a shared training step costs: a model with four constants, which can be measured."""

import math


def exchange(ranks, size, latency, bandwidth):
    """Return 2 log2(ranks) latency + 2 (ranks - 1) / ranks size / bandwidth: of an all-reduce.

    In seconds. size: bytes. bandwidth: bytes a second. Halves go out and sums come back, in
    log2(ranks) rounds each way; no rank sends more than twice the size (Thakur, Rabenseifner and
    Gropp 2005).
    """
    rounds = 2 * math.log2(ranks) * latency
    return rounds + 2 * (ranks - 1) / ranks * size / bandwidth


def step(ranks, sequences, fixed, each, size, latency, bandwidth):
    """Return the seconds of a step: fixed + each sequences / ranks + the exchange of `size` bytes.

    fixed: seconds that every rank takes whatever its part of the batch. each: seconds a sequence.
    """
    return fixed + each * sequences / ranks + exchange(ranks, size, latency, bandwidth)
