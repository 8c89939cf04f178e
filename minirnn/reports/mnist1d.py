"""MNIST-1D: ten digits as lines of 12 points, stretched, moved, sheared and buried in noise.

Greydanus and Kobak 2024, "Scaling Down Deep Learning with MNIST-1D". Templates, steps and constants
are those of its generator (github.com/greydanus/mnist1d, Apache License 2.0, see NOTICE), written
again in NumPy for one generator of random numbers: another draw from the same distribution.
"""

import numpy as np

T = 40  # points of a sequence
TEMPLATES = [
    [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
    [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
    [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
    [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
    [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
    [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
    [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
    [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
]
PADDING = 36, 60  # zeros after a template
SHIFT, SCALE, SHEAR = 48, 0.4, 0.75
NOISE, WHITE_NOISE = 0.25, 0.02  # where there is no line, smoothed; everywhere


def dataset(rng, count=5000):
    """(x [T, count, 1], labels [count]): as many of each digit, in random order, standardised."""
    lines = np.array(TEMPLATES)
    lines -= lines.mean(axis=1, keepdims=True)
    lines /= lines.std(axis=1, keepdims=True)
    lines = (lines - lines[:, :1]) / 6  # a line begins at 0
    labels = rng.permutation(np.arange(count) % 10)
    x = np.stack([example(lines[k], rng) for k in labels], axis=1)[..., None]
    return ((x - x.mean()) / x.std()).astype("float32"), labels


def example(line, rng):
    """One sequence [T] of a digit."""
    low, high = PADDING
    points = np.concatenate([line + 1e-8, np.zeros(rng.integers(low, high + 1))])
    points = resampled(points, len(line) + high) * (1 + SCALE * (rng.random() - 0.5))
    points = np.roll(points, rng.integers(SHIFT))
    points = np.where(points != 0, points, smooth(rng.normal(0, NOISE, len(points))))
    points += rng.normal(0, WHITE_NOISE, len(points))
    points -= SHEAR * (rng.random() - 0.5) * np.linspace(-0.5, 0.5, len(points))
    return resampled(points, T)


def resampled(points, count):
    """The line through the points, at `count` places."""
    return np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(points)), points)


def smooth(noise, sigma=2, radius=8):
    """The noise under a Gaussian window; it is mirrored at its ends."""
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.convolve(np.pad(noise, radius, "symmetric"), window / window.sum(), "valid")
