"""What is known of each run: F1 on what it was not trained on, its spread, how sure it is.

A run has two sets of videos: ``held_out`` (the validation videos, or a fold's) and ``test``.
Several seeds of one run are averaged; their spread is the standard deviation of their macro F1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import NOT_ANNOTATED
from stages.reporting.bootstrap import (
    Counts,
    Difference,
    Interval,
    Term,
    difference,
    estimate,
    f1_of,
    sum_groups,
    video_counts,
)

Logits = Mapping[str, NDArray[np.float32]]
Labels = Mapping[str, NDArray[np.int8]]
Decide = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


def active(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each probability reaches the threshold of 0.5."""
    return np.asarray(logits >= 0)


@dataclass(frozen=True)
class Scored:
    """Predictions of one run, or of several that are averaged, on one set of videos.

    Attributes
    ----------
    names : tuple of str
        The annotated faces, sorted.
    counts : (seeds, faces, 12, 3) np.ndarray
        See :func:`stages.reporting.bootstrap.video_counts`.
    ones : (faces, 12, 3) np.ndarray
        The same of the baseline that always says 1.
    groups : tuple of str
        Group of person and video of each face.
    """

    names: tuple[str, ...]
    counts: Counts
    ones: Counts
    groups: tuple[str, ...]

    @cached_property
    def baseline(self) -> "Scored":
        """The all-ones baseline on the same faces."""
        return Scored(self.names, self.ones[None], self.ones, self.groups)

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each AU, mean over seeds, (12,)."""
        return np.asarray(f1_of(self.counts.sum(1)).mean(0))

    @property
    def macro(self) -> float:
        """Mean of 12 AUs, mean over seeds."""
        return float(self.f1.mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation of the macro F1 over seeds; None where there is one seed."""
        if len(self.counts) < 2:
            return None
        return float(np.std(f1_of(self.counts.sum(1)).mean(-1), ddof=1))

    @property
    def people(self) -> int:
        """Number of groups of person and video."""
        return len(set(self.groups))

    @cached_property
    def by_group(self) -> Counts:
        """Counts of each group, (seeds, groups, 12, 3)."""
        return sum_groups(self.counts, self.groups)

    @cached_property
    def _estimate(self) -> tuple[Interval, NDArray[np.float64]]:
        return estimate([Term(1.0, self.by_group)])

    @property
    def samples(self) -> NDArray[np.float64]:
        """Macro F1 in every resample of the groups, mean over seeds."""
        return self._estimate[1]

    @property
    def interval(self) -> Interval:
        """Macro F1 with its 95 % interval over people."""
        return self._estimate[0]

    def only(self, names: Sequence[str]) -> "Scored":
        """Keep some of the faces."""
        at = [i for i, name in enumerate(self.names) if name in set(names)]
        return Scored(
            tuple(self.names[i] for i in at),
            self.counts[:, at],
            self.ones[at],
            tuple(self.groups[i] for i in at),
        )


def score(
    seeds: Sequence[Logits], labels: Labels, groups: Mapping[str, str], decide: Decide = active
) -> Scored | None:
    """Score the predictions of one run's seeds.

    Parameters
    ----------
    seeds : sequence of mapping of str to (frames, 12) np.ndarray
        Logits by the name of the annotated face.
    labels : mapping of str to (frames, 12) np.ndarray
        Of the faces to be scored, as far as there are predictions of them.
    groups : mapping of str to str
        Group of person and video of each face.
    decide : callable
        From logits to whether each AU is active.

    Returns
    -------
    Scored or None
        None where there is nothing to be scored: no such face, or none of them annotated.

    Raises
    ------
    DataError
        When predictions are not of as many frames as the labels.
    """
    chosen = tuple(sorted(set(labels) & set(seeds[0] if seeds else ())))
    if not any((labels[name] != NOT_ANNOTATED).any() for name in chosen):
        return None
    rows = []
    for seed in seeds:
        for name in chosen:
            if name not in seed or seed[name].shape != labels[name].shape:
                raise DataError(
                    f"The predictions for {name} do not fit its {len(labels[name])} frames: "
                    "run `dvc repro` again."
                )
        rows.append([video_counts(labels[name], decide(seed[name])) for name in chosen])
    ones = [video_counts(labels[name], np.ones(labels[name].shape, np.bool_)) for name in chosen]
    return Scored(chosen, np.array(rows), np.array(ones), tuple(groups[name] for name in chosen))


def compare(
    first: Sequence[Scored], second: Sequence[Scored], *, draw_seeds: bool = False
) -> Difference:
    """Compare the mean macro F1 of two sets of runs on the same resamples of the same videos.

    Parameters
    ----------
    first, second : sequence of Scored
    draw_seeds : bool
        Whether the interval is over seeds as well as over people.

    Raises
    ------
    DataError
        When the runs were not scored on the same videos.
    """
    if len({(scored.names, scored.groups) for scored in (*first, *second)}) != 1:
        raise DataError("Runs that were scored on different videos cannot be compared.")
    return difference(
        [scored.by_group for scored in first],
        [scored.by_group for scored in second],
        draw_seeds=draw_seeds,
    )
