"""Smoothing over time and thresholds, one of each an AU, fitted so that no video judges itself.

An ensemble's probability of an AU is smoothed by a box some frames wide (0: not at all), and the AU
is said to be active from a threshold on. Both are chosen for the highest F1 over videos that no
member was trained on. What they are worth is measured by cross-fitting: the videos are cut in
parts, and each part is decided on by what was fitted on the others.

References
----------
Z. C. Lipton, C. Elkan, B. Naryanaswamy. Optimal thresholding of classifiers to maximize F1 measure.
ECML PKDD 2014.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.scores import THRESHOLD, f1_per_au

GRID: Final = 100  # thresholds are multiples of 1 / GRID
LOWEST: Final = 0.03  # threshold: an AU that is present has an intensity above 0
Probabilities = NDArray[np.float32]


def box_smooth(values: Probabilities, width: int) -> Probabilities:
    """Mean over a box that is centred on each frame; at the ends over what there is of it.

    Parameters
    ----------
    values : (frames, ...) np.ndarray
    width : int
        Odd number of frames; 0 or 1 changes nothing.

    Returns
    -------
    (frames, ...) np.ndarray
        float32.
    """
    if width <= 1 or not len(values):
        return values.astype(np.float32)
    wide = values.astype(np.float64)
    total = uniform_filter1d(wide, width, axis=0, mode="constant")
    count = uniform_filter1d(np.ones(len(values)), width, mode="constant")
    mean = total / count.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(mean, np.float32)


@dataclass(frozen=True)
class Calibration:
    """What turns an ensemble's probabilities into decisions.

    Attributes
    ----------
    thresholds : tuple of float
        For each AU the smoothed probability from which on it counts as active.
    smoothing : tuple of int
        For each AU the width of the box in frames, an odd number; 0 for none.
    offsets : tuple of float
        For each AU what is added to the smoothed logit: presence and intensity move together.
    """

    thresholds: tuple[float, ...] = (THRESHOLD,) * N_AUS
    smoothing: tuple[int, ...] = (0,) * N_AUS
    offsets: tuple[float, ...] = (0.0,) * N_AUS

    def __post_init__(self) -> None:
        if {len(self.thresholds), len(self.smoothing), len(self.offsets)} != {N_AUS}:
            raise ValueError(f"{N_AUS} thresholds, widths and offsets are needed")
        if any(not 0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError("a threshold is a probability, 0 to 1")
        if any(width < 0 or (width and width % 2 == 0) for width in self.smoothing):
            raise ValueError("a width of smoothing is 0 or an odd number of frames")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make one of what :meth:`as_dict` gave; ValueError or KeyError for anything else."""
        return cls(
            tuple(float(value) for value in content["thresholds"]),
            tuple(int(value) for value in content["smoothing"]),
            tuple(float(value) for value in content.get("offsets", (0.0,) * N_AUS)),
        )

    def as_dict(self) -> dict[str, list[float] | list[int]]:
        """Plain values, for JSON."""
        return {
            "thresholds": list(self.thresholds),
            "smoothing": list(self.smoothing),
            "offsets": list(self.offsets),
        }

    def smooth(self, probabilities: Probabilities) -> Probabilities:
        """Smooth one video's probabilities over time and add the offsets, (frames, 12)."""
        smoothed = np.stack(
            [box_smooth(probabilities[:, au], width) for au, width in enumerate(self.smoothing)],
            axis=1,
        )
        moved = [au for au, offset in enumerate(self.offsets) if offset]
        if moved:
            odds = np.exp(np.asarray([self.offsets[au] for au in moved]))
            before = smoothed[:, moved].astype(np.float64)
            smoothed[:, moved] = before * odds / (1 - before + before * odds)
        return smoothed

    def decide(self, smoothed: Probabilities) -> NDArray[np.bool_]:
        """Which AUs are active, (frames, 12) bool, from what :meth:`smooth` gave."""
        return np.asarray(smoothed >= np.asarray(self.thresholds, np.float32))


@dataclass(frozen=True)
class Judged:
    """One video with labels, and an ensemble's probabilities of it.

    Attributes
    ----------
    labels : (frames, 12) int8 np.ndarray
    probabilities : (frames, 12) float32 np.ndarray
        Of members that were not trained on the video.
    """

    labels: NDArray[np.int8]
    probabilities: Probabilities


def _f1_by_threshold(videos: Sequence[Judged], width: int) -> NDArray[np.float64]:
    """F1 of each AU at each threshold of the grid from 1 / GRID on, (GRID - 1, 12)."""
    hits = np.zeros((N_AUS, GRID + 1))
    predicted = np.zeros((N_AUS, GRID + 1))
    for video in videos:
        # a probability of 0.5 is at the threshold 0.5, and so active: bins begin at the grid
        bins = np.floor(box_smooth(video.probabilities, width) * GRID + 1e-4).astype(int)
        for au in range(N_AUS):
            known = video.labels[:, au] != NOT_ANNOTATED
            positive = video.labels[:, au] == 1
            predicted[au] += np.bincount(bins[known, au], minlength=GRID + 1)
            hits[au] += np.bincount(bins[positive, au], minlength=GRID + 1)
    from_on = np.s_[:, ::-1]  # how many lie at or above each edge
    above, found = predicted[from_on].cumsum(1)[from_on], hits[from_on].cumsum(1)[from_on]
    f1 = 2 * found / np.maximum(above + found[:, :1], 1)
    return np.asarray(f1[:, 1:GRID].T)


def fit_calibration(
    videos: Sequence[Judged], widths: Sequence[int], *, thresholds: bool = True
) -> Calibration:
    """Choose threshold and width of each AU for the highest F1 over some videos.

    The F1 of neighbouring thresholds is averaged before the best is taken, for a few videos make a
    ragged curve whose highest tooth is chance. Of equally good choices the one nearest to
    threshold 0.5, and to no smoothing, is taken; an AU that never occurs keeps both.

    Parameters
    ----------
    videos : sequence of Judged
    widths : sequence of int
        Odd numbers of frames, or 0; ``(0,)`` to fit thresholds alone.
    thresholds : bool
        Whether to choose the thresholds, too; else they stay 0.5.

    Returns
    -------
    Calibration
    """
    grid = np.arange(1, GRID) / GRID
    curves = np.stack([_f1_by_threshold(videos, width) for width in sorted(widths)])
    # (widths, thresholds, 12): the mean over 0.05 to either side
    even = np.stack([box_smooth(curve.astype(np.float32), 11) for curve in curves])
    chosen, boxes = [], []
    for au in range(N_AUS):
        score = np.round(even[:, :, au], 6)
        if not thresholds:
            score = np.round(curves[:, :, au], 6)
            score[:, grid != THRESHOLD] = -1
        score[:, grid < LOWEST] = -1
        if score.max() <= 0:
            chosen.append(THRESHOLD)
            boxes.append(0)
            continue
        best = np.argwhere(score == score.max())
        row, column = min(best, key=lambda at: (at[0], abs(grid[at[1]] - THRESHOLD)))
        chosen.append(float(grid[column]))
        boxes.append(int(sorted(widths)[row]))
    return Calibration(tuple(chosen), tuple(boxes))


def decide(videos: Sequence[Judged], calibration: Calibration) -> list[NDArray[np.bool_]]:
    """Decisions on some videos, each (frames, 12) bool."""
    return [calibration.decide(calibration.smooth(video.probabilities)) for video in videos]


def cross_fit(
    videos: Sequence[Judged],
    parts: Sequence[int],
    widths: Sequence[int],
    *,
    thresholds: bool = True,
) -> list[NDArray[np.bool_]]:
    """Decide on each part of some videos by what was fitted on the other parts.

    Parameters
    ----------
    videos : sequence of Judged
    parts : sequence of int
        The part that each video belongs to; videos of one person share a part.
    widths, thresholds
        See :func:`fit_calibration`.

    Returns
    -------
    list of (frames, 12) np.ndarray
        bool, in the order of `videos`.
    """
    decisions: list[NDArray[np.bool_]] = [np.zeros((0, N_AUS), np.bool_)] * len(videos)
    for part in sorted(set(parts)):
        others = [video for video, at in zip(videos, parts, strict=True) if at != part]
        fitted = fit_calibration(others, widths, thresholds=thresholds)
        for i, at in enumerate(parts):
            if at == part:
                decisions[i] = decide([videos[i]], fitted)[0]
    return decisions


def f1_of(videos: Sequence[Judged], decisions: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """F1 of each AU over all frames of some videos, (12,)."""
    labels = np.concatenate([video.labels for video in videos])
    return f1_per_au(labels, np.concatenate(list(decisions)))
