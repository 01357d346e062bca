"""Which stretches of training videos are worth a copy with half of the face hidden."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.crops.crop_file import FACE, CropReader
from stages.crops.half_labels import HiddenLabel, hidden_aus, hide_labels, worth_copying
from stages.crops.half_masks import HALVES, dividing_lines
from stages.crops.masked_clips import Copy
from stages.sequence.balancing import find_stretches
from stages.sequence.settings import Mask

Labels = dict[str, NDArray[np.int8]]


def crops_of(name: str) -> Path:
    """Crop file of an entry of the manifest."""
    return paths.CROPS / f"{name}.h5"


def find_copies(labels: Labels, rare: NDArray[np.bool_], settings: Mask) -> list[Copy]:
    """List all copies worth making.

    Parameters
    ----------
    labels : dict of str to (frames, 12) np.ndarray
        Of the training videos.
    rare : (12,) np.ndarray
        See :func:`stages.learning.metrics.below_average`.
    settings : Mask

    Returns
    -------
    list of Copy
    """
    copies = []
    for name, rows in labels.items():
        with CropReader(crops_of(name)) as crops:
            face = crops.status == FACE
            if len(face) != len(rows):  # `inputs` leaves the video out, and says so
                continue
            for half in HALVES:
                # what no crop shows cannot be copied
                active = worth_copying(rows, rare, half) & face
                for start, stop in find_stretches(
                    active, gap=settings.gap, minimum=settings.minimum, context=settings.context
                ):
                    lines = dividing_lines(crops.landmarks[start:stop])
                    lines[~face[start:stop]] = np.nan
                    copies.append(Copy(name, half, start, stop, lines))
    return copies


def within_budget(
    copies: Sequence[Copy], labels: Labels, rare: NDArray[np.bool_], frames: int
) -> list[Copy]:
    """Keep as many copies as fit into a number of frames: those that add most to the rare AUs.

    Parameters
    ----------
    copies : sequence of Copy
    labels : dict of str to (frames, 12) np.ndarray
        Of the training videos.
    rare : (12,) np.ndarray
        See :func:`stages.learning.metrics.below_average`.
    frames : int
        Frames of all that is kept, at most.

    Returns
    -------
    list of Copy
        Sorted by name. What a copy adds is counted per frame, in shares of all the active frames
        of each rare AU of its visible half: the rarer the AU, the more a frame of it weighs.
    """
    totals = np.sum([(rows == 1).sum(0) for rows in labels.values()], axis=0)

    def worth(copy: Copy) -> float:
        active = (labels[copy.source][copy.start : copy.stop] == 1).sum(0)
        counted = rare & ~hidden_aus(copy.half) & (totals > 0)
        return float((active[counted] / totals[counted]).sum() / copy.frames)

    kept = []
    for copy in sorted(copies, key=lambda c: (-worth(c), c.name)):
        if copy.frames <= frames:
            kept.append(copy)
            frames -= copy.frames
    return sorted(kept, key=lambda c: c.name)


def count_labels(
    labels: Mapping[str, NDArray[np.int8]],
    copies: Sequence[Copy],
    rare: NDArray[np.bool_],
    hidden_label: HiddenLabel,
) -> list[list[str | int | float]]:
    """Count labels of the training set before and after the copies join it.

    Returns
    -------
    list of list
        A heading and a row per AU: its name, whether it is below average, which half hides it,
        then annotated frames, active frames and their ratio, before and after.
    """
    before = np.concatenate(list(labels.values()))
    added = [
        hide_labels(labels[copy.source][copy.start : copy.stop], copy.half, hidden_label)
        for copy in copies
    ]
    after = np.concatenate([before, *added])
    heading = ["AU", "below_average", "hidden_with"]
    heading += [f"{what}_{when}" for when in ("before", "after") for what in COUNTED]
    rows: list[list[str | int | float]] = [[*heading]]
    for i, name in enumerate(AU_NAMES):
        half = "upper" if hidden_aus("upper")[i] else "lower"
        row: list[str | int | float] = [name, "yes" if rare[i] else "no", half]
        for column in (before[:, i], after[:, i]):
            annotated, active = int((column != NOT_ANNOTATED).sum()), int((column == 1).sum())
            row += [annotated, active, round(active / max(annotated, 1), 4)]
        rows.append(row)
    return rows


COUNTED = ("annotated", "active", "rate")
