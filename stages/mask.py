"""Choose the masked copies that balance the training set (`dvc repro mask`).

In: the manifest and labels (data/index), which frames show a face and where (data/crops). Out:
data/masked.h5, the list of copies (layout: stages/crops/masked_clips.py), and metrics/mask with
counts.csv (labels before and after), counts.png and faces.png.

Only training videos are looked at. A stretch is copied where an AU that is rarer than the average
is active in the half that stays visible. So that the encoders' time is bounded, no more frames are
copied than `mask.share` allows, those stretches first that add most to the rare AUs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.core.files import write_rows
from stages.crops.crop_file import FACE, CropReader
from stages.crops.half_masks import HALVES, dividing_lines
from stages.crops.masked_clips import Copy, write_copies
from stages.reporting import mask_plots as mask_figures
from stages.sequence.balancing import (
    HiddenLabel,
    balanced_aus,
    below_average,
    find_stretches,
    hidden_aus,
    hide_labels,
    worth_copying,
)
from stages.sequence.protocol import resolve_choice
from stages.settings.params import Mask, load_params
from stages.videos.manifest import Manifest, read_labels

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
        See :func:`stages.sequence.balancing.below_average`.
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
        See :func:`stages.sequence.balancing.below_average`.
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


def write_report(counts: list[list[str | int | float]], copies: Sequence[Copy]) -> None:
    """Write counts and figures to metrics/mask; without copies the counts alone."""
    paths.MASK_REPORT.mkdir(parents=True, exist_ok=True)
    write_rows(paths.MASK_REPORT / "counts.csv", counts)
    if not copies:
        return
    rows = np.array([[float(row[4]), float(row[7])] for row in counts[1:]])
    mask_figures.count_bars(paths.MASK_REPORT / "counts.png", rows[:, 0], rows[:, 1])
    faces = mask_figures.faces_at_rolls({copy.source: crops_of(copy.source) for copy in copies})
    mask_figures.face_grid(paths.MASK_REPORT / "faces.png", faces)


def main() -> None:
    """List the copies of all training videos that have crops."""
    params = load_params()
    settings, rule = params.mask, resolve_choice(params, "balanced_aus")
    names = [
        entry.name
        for entry in Manifest.load(paths.INDEX).entries
        if entry.split == "train" and crops_of(entry.name).is_file()
    ]
    labels = {name: read_labels(paths.INDEX, name) for name in names}
    everything = np.concatenate([np.empty((0, len(AU_NAMES)), np.int8), *labels.values()])
    rare = balanced_aus(everything, rule)
    found = find_copies(labels, rare, settings) if settings.enabled else []
    copies = within_budget(found, labels, rare, int(settings.share * len(everything)))
    write_copies(paths.MASKED, copies)
    if not settings.enabled:
        say("mask: switched off (mask.enabled), no copies")
    else:
        say(
            f"mask: balanced are {', '.join(np.array(AU_NAMES)[rare]) or 'none'}; "
            f"{len(copies)} of {len(found)} stretches copied, "
            f"{sum(copy.frames for copy in copies)} frames for {len(everything)} of training"
        )
    if labels:
        write_report(
            count_labels(labels, copies, below_average(everything), settings.hidden_label), copies
        )
    else:
        paths.MASK_REPORT.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    run_stage(main)
