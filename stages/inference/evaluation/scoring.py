"""From samples to figures: every measure of every AU, of everyone and of each group."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.inference.evaluation import metrics
from stages.inference.evaluation.intervals import Estimate, Measure, estimate
from stages.inference.evaluation.samples import Samples

MEASURES = ("auc", "auc_within", "f1", "precision", "hits", "false_alarms", "icc", "pearson")
OF_COUNTS = {
    "f1": metrics.f1,
    "precision": metrics.precision,
    "hits": metrics.hits,
    "false_alarms": metrics.false_alarms,
}
OF_MOMENTS = {"icc": metrics.icc, "pearson": metrics.pearson}
BAND = 10  # years
OLDEST = 60  # years; who is older is in one band
FEW_VALUES = 8  # a column of more different numbers than these is cut into bands


@dataclass(frozen=True)
class Figures:
    """What is found of one AU.

    Attributes
    ----------
    frames, positives, negatives : int
    people : int
        Of whom any frame is labelled.
    unseen : int
        Labelled frames in which the tool found no face.
    measures : dict of str to Estimate
        By the names of :data:`MEASURES`; those that the labels cannot tell are left out.
    """

    frames: int
    positives: int
    negatives: int
    people: int
    unseen: int
    measures: dict[str, Estimate] = field(default_factory=dict)


Scores = dict[str, Figures]  # by AU


def within_clips(
    labels: NDArray[np.int8], scores: NDArray[np.float32], unit: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """AUC of one AU within each clip that has frames with it and without it.

    Returns
    -------
    (clips,) np.ndarray
        Numbers of the clips.
    (clips,) np.ndarray
        Their AUCs.
    """
    order = np.argsort(unit, kind="stable")
    bounds = np.flatnonzero(np.diff(unit[order])) + 1
    found, values = [], []
    for rows in np.split(order, bounds):
        one, zero = rows[labels[rows] == 1], rows[labels[rows] == 0]
        if len(one) and len(zero):
            found.append(unit[rows[0]])
            values.append(
                metrics.auc(scores[one].astype(np.float64), scores[zero].astype(np.float64))
            )
    return np.asarray(found, np.intp), np.asarray(values, np.float64)


def _ratio_of(above: NDArray[np.float64], below: NDArray[np.float64]) -> Measure:
    def measure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        number = weights @ below
        return np.where(number > 0, (weights @ above) / np.where(number > 0, number, 1), np.nan)

    return measure


def _per_person(
    person: NDArray[np.intp], people: int, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.bincount(person, weights=values, minlength=people).astype(np.float64)


class _Au:
    """The frames in which one AU is labelled."""

    def __init__(self, samples: Samples, au: int) -> None:
        rows = samples.labels[:, au] >= 0
        self.labels = samples.labels[rows, au]
        self.scores = samples.scores[rows, au]
        self.decisions = samples.decisions[rows, au]
        self.seen = samples.seen[rows]
        people, self.person = np.unique(samples.person()[rows], return_inverse=True)
        self.unit = samples.units()[rows]
        self.people = len(people)
        self.positives = _per_person(self.person, self.people, (self.labels == 1).astype(float))
        self.negatives = _per_person(self.person, self.people, (self.labels == 0).astype(float))

    def telling(self, *kinds: NDArray[np.float64]) -> int:
        return min(int((kind > 0).sum()) for kind in kinds)

    def auc(self) -> Estimate:
        known = ~np.isnan(self.scores)
        scores, one = self.scores[known].astype(np.float64), self.labels[known] == 1
        person = self.person[known]
        value = metrics.auc(scores[one], scores[~one])
        positives = _per_person(person, self.people, one.astype(float))
        negatives = _per_person(person, self.people, (~one).astype(float))
        won = metrics.wins(scores, one, person, self.people)
        return estimate(
            lambda weights: metrics.auc_of_people(weights, won, positives, negatives),
            self.people,
            self.telling(positives, negatives),
            value,
        )

    def auc_within(self) -> Estimate:
        known = ~np.isnan(self.scores)
        units, values = within_clips(self.labels[known], self.scores[known], self.unit[known])
        if not len(units):
            return Estimate(float("nan"))
        who = np.zeros(int(self.unit.max()) + 1, np.intp)
        who[self.unit] = self.person
        above = _per_person(who[units], self.people, values)
        below = _per_person(who[units], self.people, np.ones(len(units)))
        return estimate(_ratio_of(above, below), self.people, self.telling(below))

    def counted(self) -> dict[str, Estimate]:
        if not (self.decisions >= 0).any():
            return {}
        counts = metrics.count(self.labels, self.decisions, self.person, self.people)
        kinds = {
            "hits": (self.positives,),
            "false_alarms": (self.negatives,),
        }
        return {
            name: estimate(
                lambda weights, of=of: of(weights @ counts),  # type: ignore[misc]
                self.people,
                self.telling(*kinds.get(name, (self.positives, self.negatives))),
                share=name in kinds,
            )
            for name, of in OF_COUNTS.items()
        }


def _intensities(samples: Samples, au: int) -> dict[str, Estimate]:
    if samples.intensity is None or samples.told is None:
        return {}
    true, told = samples.intensity[:, au], samples.told[:, au]
    known = ~np.isnan(true) & ~np.isnan(told)
    if known.sum() < 2:
        return {}
    people, person = np.unique(samples.person()[known], return_inverse=True)
    first, second = true[known].astype(np.float64), told[known].astype(np.float64)
    sums = metrics.moments(first, second, person, len(people))
    return {
        name: estimate(
            lambda weights, of=of: of(weights @ sums),  # type: ignore[misc]
            len(people),
            len(people),
        )
        for name, of in OF_MOMENTS.items()
    }


def score(samples: Samples) -> Scores:
    """Every measure of every AU that is labelled."""
    found: Scores = {}
    for au, name in enumerate(AU_NAMES):
        intensities = _intensities(samples, au)
        labelled = bool((samples.labels[:, au] >= 0).any())
        if not labelled and not intensities:
            continue
        one = _Au(samples, au)
        measures = {}
        if labelled:
            measures = {"auc": one.auc(), "auc_within": one.auc_within(), **one.counted()}
        measures |= intensities
        found[name] = Figures(
            frames=len(one.labels),
            positives=int(one.positives.sum()),
            negatives=int(one.negatives.sum()),
            people=one.people,
            unseen=int((~one.seen).sum()),
            measures={key: m for key, m in measures.items() if not np.isnan(m.value)},
        )
    return found


def means(scores: Scores) -> dict[str, float]:
    """Mean of each measure over the AUs that have it."""
    found = {}
    for measure in MEASURES:
        values = [f.measures[measure].value for f in scores.values() if measure in f.measures]
        if values:
            found[measure] = float(np.mean(values))
    return found


def bands(values: Mapping[str, str], name: str) -> dict[str, str]:
    """Cut a column of many different numbers into bands; others stay as they are.

    Parameters
    ----------
    values : mapping of str to str
        The column's cell of each file.
    name : str
        Of the column; ages are cut by tens of years, other numbers into quarters.
    """
    try:
        numbers = {key: float(value) for key, value in values.items()}
    except ValueError:
        return dict(values)
    if name.lower() != "age" and len(set(numbers.values())) <= FEW_VALUES:
        return dict(values)
    if name.lower() == "age":

        def band(age: float) -> str:
            start = int(age // BAND) * BAND
            return f"{OLDEST} or older" if age >= OLDEST else f"{start} to {start + BAND - 1}"

        return {key: band(age) for key, age in numbers.items()}
    edges = np.quantile(list(numbers.values()), (0.25, 0.5, 0.75))
    texts = (
        f"up to {edges[0]:g}",
        *(f"above {low:g}, up to {high:g}" for low, high in pairwise(edges)),
        f"above {edges[-1]:g}",
    )
    return {key: texts[int(np.searchsorted(edges, n))] for key, n in numbers.items()}


def by_group(samples: Samples) -> dict[str, dict[str, Scores]]:
    """Figures of each value of each column, by the column's name."""
    found: dict[str, dict[str, Scores]] = {}
    columns = sorted({name for file in samples.files for name in file.groups})
    for column in columns:
        cells = {
            str(k): file.groups[column]
            for k, file in enumerate(samples.files)
            if file.groups.get(column)
        }
        value = bands(cells, column)
        names = sorted(set(value.values()))
        if len(names) < 2:
            continue
        found[column] = {
            name: score(samples.of([value.get(str(k)) == name for k in range(len(samples.files))]))
            for name in names
        }
    return found
