"""What is known of each run: F1 on what it was not trained on, its spread, how sure it is.

A run has two sets of videos: ``held_out`` (the validation videos, or a fold's) and ``test``.
Several seeds of one run are averaged; their spread is the standard deviation of their macro F1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from stages.bootstrap import (
    Counts,
    Difference,
    Interval,
    difference,
    draw_weights,
    f1_of,
    interval,
    macro_samples,
    video_counts,
)
from stages.core.errors import DataError
from stages.core.facs import NOT_ANNOTATED

SETS = ("held_out", "test")
Logits = Mapping[str, NDArray[np.float32]]
Labels = Mapping[str, NDArray[np.int8]]
Decide = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


@cache
def _weights(names: tuple[str, ...]) -> NDArray[np.float64]:
    return draw_weights(names)


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
        See :func:`stages.bootstrap.video_counts`.
    ones : (faces, 12, 3) np.ndarray
        The same of the baseline that always says 1.
    """

    names: tuple[str, ...]
    counts: Counts
    ones: Counts

    @cached_property
    def baseline(self) -> "Scored":
        """The all-ones baseline on the same faces."""
        return Scored(self.names, self.ones[None], self.ones)

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

    @cached_property
    def samples(self) -> NDArray[np.float64]:
        """Macro F1 in every resample of the videos, the set itself first."""
        return macro_samples(self.counts, _weights(self.names))

    @cached_property
    def interval(self) -> Interval:
        """Macro F1 with its 95 % interval."""
        return interval(self.samples)


def score(
    seeds: Sequence[Logits], labels: Labels, decide: Decide = active, names: Sequence[str] = ()
) -> Scored | None:
    """Score the predictions of one run's seeds.

    Parameters
    ----------
    seeds : sequence of mapping of str to (frames, 12) np.ndarray
        Logits by the name of the annotated face.
    labels : mapping of str to (frames, 12) np.ndarray
        Of the faces to be scored, as far as there are predictions of them.
    decide : callable
        From logits to whether each AU is active.
    names : sequence of str
        Score these faces alone; empty: all that have labels and predictions.

    Returns
    -------
    Scored or None
        None where there is nothing to be scored: no such face, or none of them annotated.

    Raises
    ------
    DataError
        When predictions are not of as many frames as the labels.
    """
    chosen = tuple(sorted(set(names or labels) & set(labels) & set(seeds[0] if seeds else ())))
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
    return Scored(chosen, np.array(rows), np.array(ones))


def mean_samples(group: Sequence[Scored]) -> NDArray[np.float64]:
    """Mean macro F1 of several runs on the same resamples of the same videos.

    Raises
    ------
    DataError
        When the runs were not scored on the same videos.
    """
    if len({scored.names for scored in group}) != 1:
        raise DataError("Runs that were scored on different videos cannot be compared.")
    return np.asarray(np.mean([scored.samples for scored in group], axis=0))


def compare(first: Sequence[Scored], second: Sequence[Scored]) -> Difference:
    """Compare the mean macro F1 of two groups of runs on the same resamples of the videos."""
    if {scored.names for scored in first} != {scored.names for scored in second}:
        raise DataError("Runs that were scored on different videos cannot be compared.")
    return difference(mean_samples(first), mean_samples(second))
