"""How sure a macro F1, or the difference of two, is: the bootstrap over people, and over seeds.

Frames of one person, and of one video, are alike, so what is drawn with replacement, thousands of
times, are groups: all annotated faces that share a person or a video, directly or by way of others
(:func:`stages.sequence.splits.group_entries`). Where training noise has a say, the seeds of each
run are drawn as well, independently. Intervals are bias-corrected and accelerated (BCa), by
:func:`scipy.stats.bootstrap`.

True positives, false positives and misses add up over groups, so some resamples cost one product of
matrices. An AU that never occurs in a resample is left out of that resample's mean: its F1 says
nothing there. One that never occurs at all counts 0, as everywhere else
(:mod:`stages.learning.metrics`).

References
----------
B. Efron. Better bootstrap confidence intervals. JASA 1987.
A. B. Owen. The pigeonhole bootstrap. Annals of Applied Statistics 2007 (two crossed factors).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import NOT_ANNOTATED

RESAMPLES: Final = 4000
LEVEL: Final = 0.95
BATCH: Final = 500  # resamples held at once
ONE_GROUP: Final = "one person: no interval"
ALIKE: Final = "alike in every resample: no interval"
PERCENTILE: Final = "percentile interval"
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value and the bounds of its 95 % interval.

    Attributes
    ----------
    value : float
    low, high : float
        NaN where there is no interval.
    note : str
        Why there is none, or that it is not BCa; empty otherwise.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether there are bounds."""
        return not (math.isnan(self.low) or math.isnan(self.high))


@dataclass(frozen=True)
class Difference(Interval):
    """Difference of two means of F1 over the same groups.

    Attributes
    ----------
    probability : float
        Share of the resamples in which the first is higher; ties count half.
    """

    probability: float = 0.5


@dataclass(frozen=True)
class Term:
    """One run in a weighted sum of runs.

    Attributes
    ----------
    weight : float
    counts : (seeds, groups, aus, 3) np.ndarray
        See :func:`sum_groups`.
    """

    weight: float
    counts: Counts


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


def f1_of(counts: NDArray[np.generic]) -> Floats:
    """F1 from true positives, false positives and misses on the last axis; 0 where all are 0."""
    numbers = np.asarray(counts, np.float64)
    twice = 2 * numbers[..., 0]
    return np.asarray(twice / np.maximum(twice + numbers[..., 1] + numbers[..., 2], 1))


def sum_groups(counts: Counts, groups: Sequence[str]) -> Counts:
    """Add up the counts of the annotated faces of each group.

    Parameters
    ----------
    counts : (seeds, faces, aus, 3) np.ndarray
        See :func:`video_counts`.
    groups : sequence of str
        Group of each face.

    Returns
    -------
    (seeds, groups, aus, 3) np.ndarray
        In the order of the groups' names.
    """
    names, at = np.unique(np.asarray(groups, str), return_inverse=True)
    summed = np.zeros((counts.shape[0], len(names), *counts.shape[2:]), np.int64)
    for face, group in enumerate(at):
        summed[:, group] += counts[:, face]
    return summed


def times_drawn(drawn: NDArray[np.intp], size: int) -> Floats:
    """How often each of `size` things is drawn: (draws, drawn) positions -> (draws, size)."""
    rows = len(drawn)
    flat = (drawn + size * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * size).reshape(rows, size).astype(np.float64)


def macro_f1(counts: Counts, weights: Floats) -> Floats:
    """Macro F1 of each seed in each resample.

    Parameters
    ----------
    counts : (seeds, groups, aus, 3) np.ndarray
        See :func:`sum_groups`.
    weights : (resamples, groups) np.ndarray
        How often each group is drawn.

    Returns
    -------
    (resamples, seeds) np.ndarray
    """
    occurring = (counts[..., 0] + counts[..., 2]).any(axis=(0, 1))
    per_seed = []
    for seed in counts:
        drawn = (weights @ seed.reshape(len(seed), -1)).reshape(-1, *seed.shape[1:])
        counted = (drawn[..., 0] + drawn[..., 2] > 0) | ~occurring
        per_seed.append((f1_of(drawn) * counted).sum(-1) / np.maximum(counted.sum(-1), 1))
    return np.stack(per_seed, axis=-1)


def _statistic(terms: Sequence[Term], sampled: Sequence[int], *samples: NDArray[np.intp]) -> Floats:
    """Weighted sum of the runs' F1, samples being groups, then the seeds of the runs `sampled`."""
    shape = samples[0].shape[:-1]
    drawn, *seeds = (sample.reshape(-1, sample.shape[-1]) for sample in samples)
    weights = times_drawn(drawn, terms[0].counts.shape[1])
    total = np.zeros(len(weights))
    for number, term in enumerate(terms):
        macro = macro_f1(term.counts, weights)
        if number in sampled:
            macro = np.take_along_axis(macro, seeds[sampled.index(number)], axis=1)
        total += term.weight * macro.mean(1)
    return total.reshape(shape)


def estimate(
    terms: Sequence[Term],
    *,
    draw_seeds: bool = False,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[Interval, Floats]:
    """Estimate a weighted sum of macro F1, each the mean over its run's seeds.

    Parameters
    ----------
    terms : sequence of Term
        On the same groups, in the same order.
    draw_seeds : bool
        Whether to draw the seeds of each run that has several.
    resamples : int
    level : float
        Share of the cases in which the interval holds the value for other people.
    seed : int
        The same seed and number of groups mean the same groups in each resample, whatever the runs
        are, unless seeds are drawn.

    Returns
    -------
    interval : Interval
    samples : (resamples,) np.ndarray
        The value in each resample; empty where there is one group.
    """
    from scipy.stats import bootstrap

    groups = terms[0].counts.shape[1]
    sampled = [n for n, term in enumerate(terms) if draw_seeds and len(term.counts) > 1]
    data = [np.arange(groups), *(np.arange(len(terms[n].counts)) for n in sampled)]

    def statistic(*samples: NDArray[np.intp], axis: int = -1) -> Floats:
        return _statistic(terms, sampled, *samples)

    value = float(statistic(*data))
    if groups < 2:
        return Interval(value, note=ONE_GROUP), np.zeros(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degenerate data: told below
        found = bootstrap(
            tuple(data), statistic, vectorized=True, axis=-1, n_resamples=resamples, batch=BATCH,
            confidence_level=level, method="BCa", rng=np.random.default_rng(seed),
        )  # fmt: skip
    samples = np.asarray(found.bootstrap_distribution, np.float64)
    low, high = (float(bound) for bound in found.confidence_interval)
    if np.ptp(samples) < 1e-12:
        return Interval(value, note=ALIKE), samples
    if math.isnan(low) or math.isnan(high):
        low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return Interval(value, low, high, PERCENTILE), samples
    return Interval(value, low, high), samples


def difference(
    first: Sequence[Counts], second: Sequence[Counts], *, draw_seeds: bool = False
) -> Difference:
    """Compare the mean macro F1 of two sets of runs in the same resamples of the groups.

    Parameters
    ----------
    first, second : sequence of (seeds, groups, aus, 3) np.ndarray
        See :func:`sum_groups`.
    draw_seeds : bool
        See :func:`estimate`.

    Returns
    -------
    Difference
        Of the first minus the second.
    """
    terms = [Term(1 / len(first), counts) for counts in first]
    terms += [Term(-1 / len(second), counts) for counts in second]
    bounds, samples = estimate(terms, draw_seeds=draw_seeds)
    ties = np.abs(samples) < 1e-12
    above = float(((samples > 0) & ~ties).mean() + 0.5 * ties.mean()) if len(samples) else 0.5
    return Difference(bounds.value, bounds.low, bounds.high, bounds.note, above)
