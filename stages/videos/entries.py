"""From what was seen of a video to the entries of its annotated faces in the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.crops.published import timed
from stages.videos.annotations import (
    contradiction,
    length_warning,
    on_frame_grid,
    read_annotation,
    read_intensity,
)
from stages.videos.dataroot import DataRoot
from stages.videos.manifest import Entry
from stages.videos.naming import side_of

Labels = NDArray[np.int8]
Intensity = NDArray[np.float32]


def read_labels_of(name: str, found: DataRoot, root: Path) -> tuple[Labels | None, list[str]]:
    """Labels of one face, None where there are none, and warnings."""
    if name not in found.annotations:
        return None, []
    path = found.annotations[name][1]
    try:
        return read_annotation(root / path), []
    except DataError as error:
        found.unreadable[path] = str(error).replace(str(root / path), path)
        return None, [f"{path} cannot be used: the video counts as unlabelled."]


def read_intensity_of(
    name: str, labels: Labels | None, found: DataRoot, root: Path
) -> Intensity | None:
    """Intensities of one face beside its labels, None where there are none."""
    if name not in found.intensities:
        return None
    path = found.intensities[name]
    if labels is None:
        found.unreadable[path] = f"There is no annotation of {name} beside these intensities."
        return None
    try:
        intensity = read_intensity(root / path)
        problem = contradiction(labels, intensity)
        if problem:
            raise DataError(f"{path} contradicts the annotation: {problem}.")
    except DataError as error:
        found.unreadable[path] = str(error).replace(str(root / path), path)
        return None
    return intensity


def describe(
    stem: str, names: list[str], seen_of: dict[str, dict[str, Any]], found: DataRoot, root: Path,
    frame_rate: float | None,
) -> Iterator[tuple[Entry, NDArray[np.float64], Labels, Intensity | None]]:  # fmt: skip
    """Entries of one video's annotated faces, with times, labels and intensities of its frames."""
    for name in names:
        labels, warnings = read_labels_of(name, found, root)
        seen = seen_of[name]
        if stem not in found.videos and frame_rate is not None:
            seen = timed(seen, 0 if labels is None else len(labels), frame_rate)
        frames = len(seen["timestamps"])
        intensity = read_intensity_of(name, labels, found, root)
        split = "unlabelled"
        if labels is not None:
            split = found.annotations[name][0]
            warnings += filter(None, [length_warning(len(labels), frames)])
        elif name in found.test_names:
            split = "test"
        if name == stem and len(names) > 2:
            warnings.append("Both sides are annotated apart: this one is the main person.")
        own = found.people.get(name)
        shared = found.people.get(stem) if len(names) == 1 else None
        entry = Entry(
            name=name,
            video=found.videos.get(stem),
            video_hash=seen["video_hash"],
            side=side_of(name, stem, names),
            person=own or shared or name,
            group=stem,
            split=split,
            frames=frames,
            frame_rate=seen["frame_rate"],
            variable_frame_rate=seen["variable_frame_rate"],
            width=seen["width"],
            height=seen["height"],
            sound=seen["sound"],
            sound_start=seen["sound_start"],
            annotation=found.annotations[name][1] if labels is not None else None,
            annotation_lines=0 if labels is None else len(labels),
            official_crops=found.crops.get(name),
            warnings=(*seen["warnings"], *warnings),
            intensity=found.intensities[name] if intensity is not None else None,
        )
        empty = np.empty((0, N_AUS), np.int8)
        grid = on_frame_grid(empty if labels is None else labels, frames)
        strengths = None if intensity is None else on_frame_grid(intensity, frames)
        yield entry, np.asarray(seen["timestamps"], np.float64), grid, strengths


def warn_of_leaks(entries: list[Entry]) -> list[Entry]:
    """Add a warning to entries whose video lies in more than one labelled split."""
    splits: dict[str, set[str]] = {}
    for entry in entries:
        if entry.split != "unlabelled":
            splits.setdefault(entry.group, set()).add(entry.split)
    return [
        replace(entry, warnings=(*entry.warnings, "Its video is in more than one split."))
        if len(splits.get(entry.group, ())) > 1
        else entry
        for entry in entries
    ]
