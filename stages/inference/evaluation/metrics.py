"""Measures of AU detection, each from sums over people, so that people can be drawn again.

Conventions
-----------
- What is not labelled is not counted.
- A face that was not found is an AU that was not found: a miss where the AU is there, and right
  where it is not. It has no score, so it is not in an AUC.
- A measure is NaN where the labels cannot tell it: an F1 without positives, an AUC without both.

References
----------
P. E. Shrout, J. L. Fleiss. Intraclass correlations: uses in assessing rater reliability.
Psychological Bulletin 1979.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 2048  # of scores, by rank: an interval needs no more


def auc(positive: Floats, negative: Floats) -> float:
    """Chance that a positive scores above a negative, ties counting half; NaN without both.

    Parameters
    ----------
    positive, negative : (n,) np.ndarray
        Scores.
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    up_to = np.searchsorted(ordered, positive, "right")
    return float((below + up_to).sum() / 2 / (len(positive) * len(negative)))


def count(
    labels: NDArray[np.int8],
    decisions: NDArray[np.int8],
    person: NDArray[np.intp],
    people: int,
) -> Floats:
    """Hits, false alarms, misses and correct rejections of each person.

    Parameters
    ----------
    labels : (n,) np.ndarray
        1 or 0.
    decisions : (n,) np.ndarray
        1; 0, also where no face was found.
    person : (n,) np.ndarray
        From 0.
    people : int

    Returns
    -------
    (people, 4) np.ndarray
    """
    said = decisions == 1
    kind = np.where(labels == 1, np.where(said, 0, 2), np.where(said, 1, 3))
    return np.bincount(4 * person + kind, minlength=4 * people).reshape(-1, 4).astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1), np.nan))


def f1(counts: Floats) -> Floats:
    """F1 of counts on the last axis; NaN without positives."""
    hits, false, misses = counts[..., 0], counts[..., 1], counts[..., 2]
    score = _ratio(2 * hits, 2 * hits + false + misses)
    return np.asarray(np.where(hits + misses > 0, score, np.nan))


def precision(counts: Floats) -> Floats:
    """Share of what was said that is so; NaN where nothing was said, or there are no positives."""
    hits, false, misses = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.asarray(np.where(hits + misses > 0, _ratio(hits, hits + false), np.nan))


def hits(counts: Floats) -> Floats:
    """Share of the positives that were found (recall)."""
    return _ratio(counts[..., 0], counts[..., 0] + counts[..., 2])


def false_alarms(counts: Floats) -> Floats:
    """Share of the negatives in which the AU was said to be there."""
    return _ratio(counts[..., 1], counts[..., 1] + counts[..., 3])


def wins(
    scores: Floats,
    positive: NDArray[np.bool_],
    person: NDArray[np.intp],
    people: int,
    bins: int = BINS,
) -> Floats:
    """How often one person's positives score above another's negatives, ties counting half.

    Parameters
    ----------
    scores : (n,) np.ndarray
    positive : (n,) np.ndarray
        bool; the others are negatives.
    person : (n,) np.ndarray
        From 0.
    people : int
    bins : int
        Scores that share a bin, by rank, count as tied.

    Returns
    -------
    (people, people) np.ndarray
        Of positives (row) against negatives (column).
    """
    values, place = np.unique(scores, return_inverse=True)
    if len(values) > bins:
        edges = np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1])
        place = np.searchsorted(edges, scores, "right")
    width = int(place.max()) + 1 if len(place) else 1
    table = np.zeros((2, people, width))
    np.add.at(table, (positive.astype(int), person, place), 1)
    negatives, positives = table
    return np.asarray(positives @ (negatives.cumsum(axis=1) - negatives / 2).T)


def auc_of_people(weights: Floats, won: Floats, positives: Floats, negatives: Floats) -> Floats:
    """AUC of people drawn so many times.

    Parameters
    ----------
    weights : (draws, people) np.ndarray
    won : (people, people) np.ndarray
        See :func:`wins`.
    positives, negatives : (people,) np.ndarray
        How many each has.

    Returns
    -------
    (draws,) np.ndarray
    """
    above = ((weights @ won) * weights).sum(axis=1)
    return _ratio(above, (weights @ positives) * (weights @ negatives))


def moments(first: Floats, second: Floats, person: NDArray[np.intp], people: int) -> Floats:
    """Sums that correlations are made of, of each person: n, x, y, xx, yy, xy; (people, 6)."""
    terms = (np.ones_like(first), first, second, first**2, second**2, first * second)
    return np.stack([np.bincount(person, term, minlength=people) for term in terms], axis=1)


def _spread(sums: Floats) -> tuple[Floats, Floats, Floats]:
    n = np.maximum(sums[..., 0], 1)
    x, y, xx, yy, xy = (sums[..., k] / n for k in range(1, 6))
    return np.maximum(xx - x * x, 0), np.maximum(yy - y * y, 0), xy - x * y


def icc(sums: Floats) -> Floats:
    """ICC(3,1), consistency of two raters, from :func:`moments` on the last axis."""
    x, y, xy = _spread(sums)
    return _ratio(2 * xy, x + y)


def pearson(sums: Floats) -> Floats:
    """Pearson's correlation from :func:`moments` on the last axis."""
    x, y, xy = _spread(sums)
    return _ratio(xy, np.sqrt(x * y))
