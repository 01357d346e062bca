"""Smoothing over time and thresholds, one of each an AU: from probabilities to decisions.

An ensemble's probability of an AU is smoothed by a box some frames wide (0: not at all), and the AU
is said to be active from a threshold on. :mod:`stages.ensembles.calibration_fit` chooses both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stages.core.facs import N_AUS
from stages.learning.metrics import THRESHOLD, f1_per_au

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
    group : str
        Of person and video: what shares it is never divided.
    """

    labels: NDArray[np.int8]
    probabilities: Probabilities
    group: str


def decide(videos: Sequence[Judged], calibration: Calibration) -> list[NDArray[np.bool_]]:
    """Decisions on some videos, each (frames, 12) bool."""
    return [calibration.decide(calibration.smooth(video.probabilities)) for video in videos]


def f1_of(videos: Sequence[Judged], decisions: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """F1 of each AU over all frames of some videos, (12,)."""
    labels = np.concatenate([video.labels for video in videos])
    return f1_per_au(labels, np.concatenate(list(decisions)))
