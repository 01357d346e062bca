"""Scores of AU detection.

Conventions
-----------
- Labels are 1, 0 or -1 (not annotated); what is -1 is never scored.
- F1 is that of the positive class, per AU over all annotated frames of the set taken together,
  and its mean over the 12 AUs: the figure of the ABAW challenge. It is not scikit-learn's macro
  over both classes, which is much higher for rare AUs.
- An AU that is neither present nor predicted has F1 0.

References
----------
P. E. Shrout, J. L. Fleiss. Intraclass correlations: uses in assessing rater reliability.
Psychological Bulletin 86(2), 1979.
D. Kollias et al. ABAW: valence-arousal estimation, expression recognition, action unit detection
and emotional reaction intensity estimation challenges. CVPR Workshops 2023.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES, NOT_ANNOTATED

THRESHOLD = 0.5  # probability from which an AU counts as active


def f1_per_au(labels: NDArray[np.int8], predictions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Binary F1 of each AU.

    Parameters
    ----------
    labels : (frames, aus) np.ndarray
    predictions : (frames, aus) np.ndarray
        bool.

    Returns
    -------
    (aus,) np.ndarray
    """
    return f1_of_counts(f1_counts(labels, predictions))


def f1_counts(labels: NDArray[np.int8], predictions: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What F1 is made of: those of several sets of frames add up.

    Returns
    -------
    (2, aus) np.ndarray
        True positives (TP), and 2 TP + FP + FN.
    """
    known = labels != NOT_ANNOTATED
    positive = labels == 1
    hits = (predictions & positive).sum(0)
    predicted = (predictions & known).sum(0)
    return np.stack([hits, predicted + positive.sum(0)]).astype(np.int64)


def f1_of_counts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Binary F1 of each AU, (aus,), from :func:`f1_counts`."""
    hits, denominator = counts
    return np.asarray(2 * hits / np.maximum(denominator, 1), dtype=np.float64)


def by_au(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean (``macro``) and value of each AU, rounded, for JSON; an AU that is NaN is left out."""
    known = {
        name: round(float(value), 6)
        for name, value in zip(AU_NAMES, values, strict=True)
        if not np.isnan(value)
    }
    mean = np.nanmean(values) if known else 0.0
    return {"macro": round(float(mean), 6), **known}


def base_rates(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Share of the annotated frames in which each AU is active, (aus,)."""
    known = (labels != NOT_ANNOTATED).sum(0)
    return np.asarray((labels == 1).sum(0) / np.maximum(known, 1), dtype=np.float64)


def below_average(labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which AUs are active less often than the average AU.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
        All labels of the training part, and of nothing else.

    Returns
    -------
    (12,) np.ndarray
        bool; False for an AU that nobody annotated.
    """
    known = (labels != NOT_ANNOTATED).any(0)
    rates = base_rates(labels)
    average = rates[known].mean() if known.any() else 0.0
    return np.asarray(known & (rates < average))


def all_ones_f1(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """F1 of a predictor that always says 1, (aus,): the baseline to beat."""
    return f1_per_au(labels, np.ones(labels.shape, dtype=np.bool_))


def icc_per_au(truth: NDArray[Any], said: NDArray[Any]) -> NDArray[np.float64]:
    """ICC(3,1) of each AU between two series of intensities: the agreement of FACS coders.

    Parameters
    ----------
    truth, said : (frames, aus) np.ndarray
        Intensities; a frame whose `truth` is NaN does not count.

    Returns
    -------
    (aus,) np.ndarray
        (BMS - EMS) / (BMS + EMS) with the mean squares between frames and of what is left; NaN
        where fewer than two frames are known, or neither series varies.
    """
    found = np.full(truth.shape[1], np.nan)
    for au in range(truth.shape[1]):
        known = ~np.isnan(truth[:, au])
        pairs = np.stack([truth[known, au], said[known, au]], axis=1).astype(np.float64)
        n = len(pairs)
        if n < 2:
            continue
        grand, rows, raters = pairs.mean(), pairs.mean(1), pairs.mean(0)
        between = 2 * np.square(rows - grand).sum() / (n - 1)
        rest = pairs - rows[:, None] - raters[None] + grand
        error = np.square(rest).sum() / (n - 1)
        if between + error > 0:
            found[au] = (between - error) / (between + error)
    return found


def precision_recall(
    labels: NDArray[np.int8], probabilities: NDArray[np.float32], points: int = 101
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision of one AU at evenly spaced recalls.

    Parameters
    ----------
    labels : (frames,) np.ndarray
    probabilities : (frames,) np.ndarray
    points : int
        Number of recalls from 0 to 1.

    Returns
    -------
    recall, precision : (points,) np.ndarray
        The best precision that reaches at least each recall; NaN where the AU never occurs.
    """
    from sklearn.metrics import precision_recall_curve

    recalls = np.linspace(0, 1, points)
    known = labels != NOT_ANNOTATED
    if not (labels[known] == 1).any():
        return recalls, np.full(points, np.nan)
    precision, recall, _ = precision_recall_curve(labels[known] == 1, probabilities[known])
    # scikit-learn gives falling recall; the best precision at this or any higher recall
    best = np.maximum.accumulate(precision)[::-1]
    reached = np.searchsorted(recall[::-1], recalls - 1e-12)
    return recalls, best[reached]
