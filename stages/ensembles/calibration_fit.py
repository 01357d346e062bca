"""Choose each AU's smoothing and threshold, so that nobody judges themself.

Both start from what needs no data, no box and 0.5, and move only where cross-fitting says that it
pays: each group of person and video is decided on by what is best on all other groups, and the gain
in F1 must be larger than its standard error (jackknife over groups). Thresholds stay within bounds
and are shrunk towards 0.5 by gain^2 / (gain^2 + error^2): by half where the gain is just the error,
hardly where it is sure.

References
----------
Z. C. Lipton, C. Elkan, B. Naryanaswamy. Optimal thresholding of classifiers to maximize F1 measure.
ECML PKDD 2014 (a threshold that is fitted to few positives is drawn towards an end).
L. Breiman, J. Friedman, R. Olshen, C. Stone. Classification and Regression Trees. 1984 (the rule of
one standard error).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.ensembles.calibration import Calibration, Judged, box_smooth, decide
from stages.learning.metrics import THRESHOLD

GRID: Final = 100  # thresholds are multiples of 1 / GRID
THRESHOLDS: Final = np.arange(1, GRID) / GRID
EVEN: Final = 11  # thresholds, 0.05 to either side, whose F1 is averaged
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """What thresholds are held to.

    Attributes
    ----------
    low, high : float
        Bounds of every threshold.
    false_alarms : float or None
        Largest share of the frames at rest (no AU annotated as present) that may get an AU: its
        threshold is raised for that, `high` at most. None: nothing is raised.
    """

    low: float = 0.2
    high: float = 0.8
    false_alarms: float | None = None


@dataclass(frozen=True)
class Tables:
    """Counts of frames by group, so that F1 of any groups at any threshold is a sum.

    Attributes
    ----------
    groups : tuple of str
    widths : tuple of int
        Rising.
    above, hits, resting : (groups, widths, 12, 99) np.ndarray
        Frames whose probability reaches each threshold: annotated ones, those with the AU, and
        those at rest.
    positives, at_rest : (groups, 12) np.ndarray
        Frames with the AU, and those at rest.
    """

    groups: tuple[str, ...]
    widths: tuple[int, ...]
    above: NDArray[np.int64]
    hits: NDArray[np.int64]
    resting: NDArray[np.int64]
    positives: NDArray[np.int64]
    at_rest: NDArray[np.int64]

    def without(self, left_out: set[str]) -> "Tables":
        """Leave some groups out."""
        at = [i for i, group in enumerate(self.groups) if group not in left_out]
        return Tables(
            tuple(self.groups[i] for i in at),
            self.widths,
            above=self.above[at],
            hits=self.hits[at],
            resting=self.resting[at],
            positives=self.positives[at],
            at_rest=self.at_rest[at],
        )


def count_frames(videos: Sequence[Judged], widths: Sequence[int]) -> Tables:
    """Count the frames of some videos.

    Parameters
    ----------
    videos : sequence of Judged
    widths : sequence of int
        Of the box, in frames: odd numbers, or 0.
    """
    names = tuple(sorted({video.group for video in videos}))
    boxes = tuple(sorted({0, *widths}))
    shape = (len(names), len(boxes), N_AUS, GRID + 1)
    above, hits, resting = (np.zeros(shape, np.int64) for _ in range(3))
    positives, at_rest = (np.zeros((len(names), N_AUS), np.int64) for _ in range(2))
    for video in videos:
        group = names.index(video.group)
        known, positive = video.labels != NOT_ANNOTATED, video.labels == 1
        rests = known & ~positive.any(1, keepdims=True)
        positives[group] += positive.sum(0)
        at_rest[group] += rests.sum(0)
        for box, width in enumerate(boxes):
            # a probability of 0.5 is at the threshold 0.5, and so active: bins begin at the grid
            bins = np.floor(box_smooth(video.probabilities, width) * GRID + 1e-4).astype(int)
            for au in range(N_AUS):
                for table, frames in ((above, known), (hits, positive), (resting, rests)):
                    chosen = bins[frames[:, au], au]
                    table[group, box, au] += np.bincount(chosen, minlength=GRID + 1)
    # how many lie at or above each edge
    reached = [
        table[..., ::-1].cumsum(-1)[..., ::-1][..., 1:GRID] for table in (above, hits, resting)
    ]
    return Tables(names, boxes, reached[0], reached[1], reached[2], positives, at_rest)


def _f1(above: NDArray[Any], hits: NDArray[Any], positives: NDArray[Any]) -> Numbers:
    return np.asarray(2 * hits / np.maximum(above + positives, 1))


def _gain(counts: Numbers) -> tuple[float, float]:
    """Gain in F1, and its standard error: jackknife over groups.

    `counts` are (2, groups, 3): frames said, hits and positives, by the new choice and by the old.
    """
    whole = counts.sum(1)
    f1 = _f1(*np.moveaxis(whole, -1, 0))
    left = _f1(*np.moveaxis(whole[:, None] - counts, -1, 0))
    spread = left[0] - left[1]
    groups = counts.shape[1]
    return float(f1[0] - f1[1]), float(np.sqrt((groups - 1) * spread.var()))


def _judge(
    said: NDArray[Any], hits: NDArray[Any], positives: NDArray[Any], old: int, order: NDArray[Any]
) -> tuple[int, float, float]:
    """Choose one of several options, and say what the choice is worth when it is cross-fitted.

    Parameters
    ----------
    said, hits : (groups, options) np.ndarray
    positives : (groups,) np.ndarray
    old : int
        The option that needs no data.
    order : (allowed,) np.ndarray
        Options allowed, of equally good ones the first is taken.

    Returns
    -------
    int, float, float
        The option that is best on all groups; gain and standard error of the procedure.
    """

    def best(said: NDArray[Any], hits: NDArray[Any], positives: NDArray[Any]) -> NDArray[np.intp]:
        f1 = _f1(said, hits, positives[..., None])
        if f1.shape[-1] == len(THRESHOLDS):  # a few people make a ragged curve
            f1 = uniform_filter1d(f1, EVEN, axis=-1, mode="nearest")
        return np.asarray(order[np.round(f1[..., order], 6).argmax(-1)])

    rest = [part.sum(0) - part for part in (said, hits, positives)]
    chosen = best(*rest)
    groups = np.arange(len(said))
    new = np.stack([said[groups, chosen], hits[groups, chosen], positives], axis=-1)
    kept = np.stack([said[:, old], hits[:, old], positives], axis=-1)
    gain, error = _gain(np.stack([new, kept]).astype(np.float64))
    return int(best(said.sum(0), hits.sum(0), positives.sum(0))), gain, error


def fit_tables(tables: Tables, limits: Limits) -> Calibration:
    """Choose threshold and width of each AU: see :func:`fit_calibration`."""
    half = int(np.flatnonzero(THRESHOLDS == THRESHOLD)[0])
    low, high = limits.low, limits.high
    allowed = np.flatnonzero((low - 1e-9 <= THRESHOLDS) & (high + 1e-9 >= THRESHOLDS))
    allowed = allowed[np.argsort(np.abs(allowed - half), kind="stable")]
    thresholds, smoothing = [], []
    for au in range(N_AUS):
        width, threshold = 0, half
        positives = tables.positives[:, au]
        if len(tables.groups) > 1 and positives.any():
            above, hits = tables.above[:, :, au], tables.hits[:, :, au]
            every = np.arange(len(tables.widths))
            best, gain, error = _judge(above[..., half], hits[..., half], positives, 0, every)
            width = best if gain > error else 0
            best, gain, error = _judge(above[:, width], hits[:, width], positives, half, allowed)
            if gain > error:
                shrink = gain**2 / (gain**2 + error**2)
                threshold = half + round((best - half) * shrink)
        if limits.false_alarms is not None:
            said = tables.resting[:, width, au].sum(0)
            few = said <= limits.false_alarms * tables.at_rest[:, au].sum() + 1e-9
            enough = np.flatnonzero(few & (np.arange(len(few)) >= threshold))
            top = int(allowed.max())
            threshold = min(int(enough[0]), top) if len(enough) else top
        thresholds.append(float(THRESHOLDS[threshold]))
        smoothing.append(int(tables.widths[width]))
    return Calibration(tuple(thresholds), tuple(smoothing))


def fit_calibration(
    videos: Sequence[Judged], widths: Sequence[int], limits: Limits | None = None
) -> Calibration:
    """Choose threshold and width of each AU for the highest F1 over some videos.

    First the width, at the threshold 0.5, then the threshold, each only where its cross-fitted gain
    is larger than its standard error; an AU that never occurs, or a single group, keeps 0.5 and no
    smoothing. The F1 of neighbouring thresholds is averaged before the best is taken, for a few
    people make a ragged curve whose highest tooth is chance. Of equally good choices the one
    nearest to what needs no data is taken.

    Parameters
    ----------
    videos : sequence of Judged
    widths : sequence of int
        Odd numbers of frames, or 0; ``(0,)`` to fit thresholds alone.
    limits : Limits, optional

    Returns
    -------
    Calibration
    """
    return fit_tables(count_frames(videos, widths), limits or Limits())


def cross_fit(
    videos: Sequence[Judged],
    parts: Mapping[str, int],
    widths: Sequence[int],
    limits: Limits | None = None,
) -> list[NDArray[np.bool_]]:
    """Decide on each part of some videos by what was fitted on the other parts.

    Parameters
    ----------
    videos : sequence of Judged
    parts : mapping of str to int
        The part that each group belongs to: a group is never divided.
    widths, limits
        See :func:`fit_calibration`.

    Returns
    -------
    list of (frames, 12) np.ndarray
        bool, in the order of `videos`.
    """
    tables = count_frames(videos, widths)
    fitted = {
        part: fit_tables(
            tables.without({group for group, at in parts.items() if at == part}),
            limits or Limits(),
        )
        for part in sorted(set(parts.values()))
    }
    return [decide([video], fitted[parts[video.group]])[0] for video in videos]


def alarms_at_rest(videos: Sequence[Judged], calibration: Calibration) -> Numbers:
    """Share of the frames at rest that get each AU, (12,); NaN where no frame is at rest."""
    alarms, frames = np.zeros(N_AUS), np.zeros(N_AUS)
    for video, said in zip(videos, decide(videos, calibration), strict=True):
        rests = (video.labels != NOT_ANNOTATED) & ~(video.labels == 1).any(1, keepdims=True)
        alarms += (said & rests).sum(0)
        frames += rests.sum(0)
    return np.where(frames > 0, alarms / np.maximum(frames, 1), np.nan)
