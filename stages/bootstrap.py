"""How sure a macro F1, or the difference of two, is: the bootstrap over videos.

Frames of one video are alike, so videos are what is drawn with replacement, thousands of times; all
annotated faces of one video (``NAME``, ``NAME_left``, ``NAME_right``) go together. True positives,
false positives and misses add up over videos, so a resample costs one product with a matrix. An AU
that never occurs in a resample is left out of that resample's mean: its F1 says nothing there. One
that never occurs at all counts 0, as everywhere else (:mod:`stages.scores`).

References
----------
B. Efron, R. J. Tibshirani. An Introduction to the Bootstrap. 1993 (the percentile interval).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import NOT_ANNOTATED

RESAMPLES = 4000
LEVEL = 0.95
SIDE_SUFFIXES = ("_left", "_right")
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A value and the bounds between which it lies in 95 % of the resamples.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """Difference of two means of F1 over the same videos.

    Attributes
    ----------
    probability : float
        Share of the resamples in which the first is higher; ties count half.
    """

    probability: float


def video_counts(labels: NDArray[np.int8], predictions: NDArray[np.bool_]) -> Counts:
    """Count what F1 is made of in one video.

    Parameters
    ----------
    labels : (frames, aus) np.ndarray
        1, 0 or -1 (not annotated, not counted).
    predictions : (frames, aus) np.ndarray
        bool.

    Returns
    -------
    (aus, 3) np.ndarray
        True positives, false positives, misses.
    """
    known, positive = labels != NOT_ANNOTATED, labels == 1
    hits = (predictions & positive).sum(0)
    false = (predictions & known & ~positive).sum(0)
    return np.stack([hits, false, positive.sum(0) - hits], axis=-1).astype(np.int64)


def f1_of(counts: NDArray[np.generic]) -> NDArray[np.float64]:
    """F1 from true positives, false positives and misses on the last axis; 0 where all are 0."""
    numbers = np.asarray(counts, np.float64)
    twice = 2 * numbers[..., 0]
    return np.asarray(twice / np.maximum(twice + numbers[..., 1] + numbers[..., 2], 1))


def video_groups(names: Sequence[str]) -> NDArray[np.int64]:
    """Number the videos that some annotated faces belong to, (faces,)."""
    stems = []
    for name in names:
        short = next((name.removesuffix(s) for s in SIDE_SUFFIXES if name.endswith(s)), name)
        stems.append(short)
    return np.unique(stems, return_inverse=True)[1].astype(np.int64)


def draw_weights(
    names: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """How often each annotated face is in each resample; the first row is the set itself.

    Parameters
    ----------
    names : sequence of str
        Of the annotated faces.
    resamples : int
    seed : int

    Returns
    -------
    (resamples + 1, faces) np.ndarray
    """
    groups = video_groups(names)
    videos = int(groups.max()) + 1 if len(groups) else 0
    drawn = np.ones((resamples + 1, videos))
    if videos:
        generator = np.random.default_rng(seed)
        drawn[1:] = generator.multinomial(videos, np.full(videos, 1 / videos), size=resamples)
    return drawn[:, groups]


def macro_samples(counts: Counts, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Macro F1 in each resample, mean over seeds.

    Parameters
    ----------
    counts : (seeds, faces, aus, 3) np.ndarray
        See :func:`video_counts`.
    weights : (resamples, faces) np.ndarray
        See :func:`draw_weights`.

    Returns
    -------
    (resamples,) np.ndarray
    """
    occurring = (counts[..., 0] + counts[..., 2]).any(axis=(0, 1))
    per_seed = []
    for seed in counts:
        drawn = (weights @ seed.reshape(len(seed), -1)).reshape(-1, *seed.shape[1:])
        counted = (drawn[..., 0] + drawn[..., 2] > 0) | ~occurring
        per_seed.append((f1_of(drawn) * counted).sum(-1) / np.maximum(counted.sum(-1), 1))
    return np.asarray(np.mean(per_seed, axis=0))


def interval(samples: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Percentile interval of samples, of which the first is the value on the set itself."""
    low, high = np.quantile(samples[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(samples[0]), float(low), float(high))


def difference(
    first: NDArray[np.float64], second: NDArray[np.float64], level: float = LEVEL
) -> Difference:
    """Compare two results on the same resamples.

    Parameters
    ----------
    first, second : (resamples + 1,) np.ndarray
        See :func:`macro_samples`, both from the same weights.
    level : float
        Share of the resamples within the interval.

    Returns
    -------
    Difference
        Of the first minus the second.
    """
    gap = first - second
    bounds = interval(gap, level)
    above = float(((gap[1:] > 0) + 0.5 * (gap[1:] == 0)).mean())
    return Difference(bounds.value, bounds.low, bounds.high, above)
