"""Ranking a clip's frames as another tool's continuous values do, where there are no labels.

Within a clip: the frames with the highest quarter of the reference's values against those with the
lowest, an AUC. A clip shows an AU where the means of these quarters lie at least `SHOWN` apart;
only such clips count. Pooled: all frames above `HIGH` against all below `LOW`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.inference.evaluation import metrics
from stages.inference.evaluation.intervals import Estimate, estimate

SHOWN = 0.1
HIGH, LOW = 0.5, 0.1
SHORTEST = 20  # frames with a face that both have seen: quarters of five
PARTS = 4


@dataclass(frozen=True)
class Pair:
    """What two tools say of the same frames of one clip.

    Attributes
    ----------
    name, person : str
    ours, reference : (frames, 12) float32 np.ndarray
        From 0 to 1; NaN where one of them says nothing.
    """

    name: str
    person: str
    ours: NDArray[np.float32]
    reference: NDArray[np.float32]


@dataclass(frozen=True)
class Ranking:
    """How well the frames are ranked by one AU.

    Attributes
    ----------
    within : Estimate
        Mean over the clips that show the AU.
    clips : dict of str to float
        AUC of each of these.
    reach : dict of str to float
        How far the quarters' means lie apart, in every clip that is long enough.
    pooled : Estimate
    high, low : int
        Frames in the pool.
    """

    within: Estimate
    clips: dict[str, float]
    reach: dict[str, float]
    pooled: Estimate
    high: int
    low: int


def quarters(
    ours: NDArray[np.float64], reference: NDArray[np.float64]
) -> tuple[float, float] | None:
    """AUC of the highest against the lowest quarter, and how far their means lie apart.

    Parameters
    ----------
    ours, reference : (frames,) np.ndarray
        Without NaN.

    Returns
    -------
    (float, float) or None
        None for fewer than `SHORTEST` frames.
    """
    if len(reference) < SHORTEST:
        return None
    order = np.argsort(reference, kind="stable")
    quarter = len(order) // PARTS
    low, high = order[:quarter], order[-quarter:]
    apart = float(reference[high].mean() - reference[low].mean())
    return metrics.auc(ours[high], ours[low]), apart


def _known(pair: Pair, au: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = ~np.isnan(pair.ours[:, au]) & ~np.isnan(pair.reference[:, au])
    return pair.ours[known, au].astype(np.float64), pair.reference[known, au].astype(np.float64)


def rank(pairs: list[Pair]) -> dict[str, Ranking]:
    """Rank by every AU of which both tools say something."""
    found = {}
    people = sorted({pair.person for pair in pairs})
    place = {person: k for k, person in enumerate(people)}
    for au, name in enumerate(AU_NAMES):
        clips, reach = {}, {}
        above, below = np.zeros((2, len(people)))
        scores, ones, owners = [], [], []
        for pair in pairs:
            ours, reference = _known(pair, au)
            result = quarters(ours, reference)
            if result is not None:
                reach[pair.name] = result[1]
                if result[1] >= SHOWN:
                    clips[pair.name] = result[0]
                    above[place[pair.person]] += result[0]
                    below[place[pair.person]] += 1
            chosen = (reference > HIGH) | (reference < LOW)
            scores.append(ours[chosen])
            ones.append(reference[chosen] > HIGH)
            owners.append(np.full(int(chosen.sum()), place[pair.person], np.intp))
        if not any(len(part) for part in scores) and not reach:
            continue
        found[name] = Ranking(
            _mean(above, below), clips, reach, *_pool(scores, ones, owners, len(people))
        )
    return found


def _mean(above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimate:
    def measure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        number = weights @ below
        return np.where(number > 0, (weights @ above) / np.where(number > 0, number, 1), np.nan)

    return estimate(measure, len(below), int((below > 0).sum()))


def _pool(
    scores: list[NDArray[np.float64]],
    ones: list[NDArray[np.bool_]],
    owners: list[NDArray[np.intp]],
    people: int,
) -> tuple[Estimate, int, int]:
    values, one, person = np.concatenate(scores), np.concatenate(ones), np.concatenate(owners)
    positives = np.bincount(person[one], minlength=people).astype(np.float64)
    negatives = np.bincount(person[~one], minlength=people).astype(np.float64)
    won = metrics.wins(values, one, person, people)
    pooled = estimate(
        lambda weights: metrics.auc_of_people(weights, won, positives, negatives),
        people,
        min(int((positives > 0).sum()), int((negatives > 0).sum())),
        metrics.auc(values[one], values[~one]),
    )
    return pooled, int(one.sum()), int((~one).sum())
