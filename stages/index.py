"""Look through a data root and write down what it holds.

In: ``data.root``, the generated corpus or one's own copy of Aff-Wild2. Out: ``data/index``, with
``manifest.json`` (one entry per annotated face; what is odd or left out, with the reason) and
``frames.h5`` (presentation times, and labels on the frame grid). Every video is decoded: headers
are often wrong. Run: ``dvc repro index``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.annotations import (
    contradiction,
    length_warning,
    on_frame_grid,
    read_annotation,
    read_intensity,
)
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.core.files import replacing_folder
from stages.core.parallel import map_videos, partial_folder
from stages.core.provenance import file_hash, identity_of
from stages.dataroot import SIDE_SUFFIXES, DataRoot, look
from stages.manifest import SPLITS, Entry, Manifest, save_frames
from stages.media.decoding import is_our_video
from stages.media.video import scan
from stages.settings.params import load_params
from stages.terms import data_use, enforce, root_data

Labels = NDArray[np.int8]
Intensity = NDArray[np.float32]

WARNINGS_SHOWN = 40  # in the log; the manifest has them all


@dataclass(frozen=True)
class Video:
    """One video file that is to be decoded."""

    root: Path
    path: str


def scan_video(video: Video, piece: Path) -> None:
    """Decode one video and write down, as JSON, what was seen."""
    file = video.root / video.path
    try:
        if is_our_video(file):
            raise DataError(f"{file} was drawn by AUFusion: it shows another video.")
        seen = scan(file)
    except DataError as error:
        # the manifest names paths below the root, on whatever machine
        raise DataError(str(error).replace(str(file), video.path)) from None
    content = {
        "video_hash": file_hash(file),
        "frame_rate": round(seen.frame_rate, 6),
        "variable_frame_rate": seen.variable_frame_rate,
        "width": seen.info.width,
        "height": seen.info.height,
        "sound": seen.info.sound,
        "sound_start": seen.info.sound_start,
        "warnings": seen.problems,
        "timestamps": seen.timestamps.tolist(),
    }
    piece.write_text(json.dumps(content), encoding="utf-8")


def faces_of_videos(found: DataRoot) -> dict[str, list[str]]:
    """Names of the annotated faces of each video, by its stem.

    Annotations, names of the test set and folders of published crops name faces; a video that none
    of them names has one face, named like itself. What names a face of no video is reported.
    """
    faces: dict[str, set[str]] = {stem: set() for stem in found.videos}
    sources = (
        ({name: path for name, (_, path) in found.annotations.items()}, "The annotation"),
        ({name: f"test name {name}" for name in found.test_names}, "The name of the test set"),
        (found.crops, "The folder of published crops"),
    )
    for names, what in sources:
        for name, where in names.items():
            stem = found.video_of(name)
            if stem is not None:
                faces[stem].add(name)
            else:
                found.unreadable[where] = f"{what} belongs to no readable video called {name}."
    return {stem: sorted(names) or [stem] for stem, names in faces.items()}


def side_of(name: str, stem: str, names: list[str]) -> str:
    """Which face of the picture an annotation means: ``only``, ``left`` or ``right``.

    Of two people one may be annotated as ``NAME`` and the other as ``NAME_right`` (or ``_left``):
    then ``NAME`` is the one on the other side.
    """
    for suffix, side in SIDE_SUFFIXES.items():
        if name == stem + suffix:
            return side
    others = {SIDE_SUFFIXES[other.removeprefix(stem)] for other in names if other != stem}
    if len(others) == 1:
        return "left" if others == {"right"} else "right"
    return "only"


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
    stem: str, names: list[str], seen: dict[str, Any], found: DataRoot, root: Path
) -> Iterator[tuple[Entry, Labels, Intensity | None]]:
    """Entries of one video's annotated faces, with labels and intensities on its frame grid."""
    frames = len(seen["timestamps"])
    for name in names:
        labels, warnings = read_labels_of(name, found, root)
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
            video=found.videos[stem],
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
        yield entry, grid, None if intensity is None else on_frame_grid(intensity, frames)


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


def _listed(reasons: dict[str, str]) -> list[str]:
    return [
        f"  {why}" if why.startswith(where) else f"  {where}: {why}"
        for where, why in sorted(reasons.items())
    ]


def summary(manifest: Manifest) -> str:
    """What was found, in a few lines for the reader of the log."""
    entries = manifest.entries
    count = Counter(entry.split for entry in entries)
    lines = [
        f"{len({e.video for e in entries})} videos, {len(entries)} faces to follow, "
        f"{sum(e.frames for e in entries)} frames below {manifest.root}: "
        + ", ".join(f"{count[split]} {split}" for split in SPLITS),
        f"{sum(not e.sound for e in entries)} without sound, "
        f"{sum(e.variable_frame_rate for e in entries)} with a variable frame rate, "
        f"{sum(e.side != 'only' for e in entries)} of two people, "
        f"{sum(e.official_crops is not None for e in entries)} with published crops, "
        f"{sum(e.intensity is not None for e in entries)} with intensities",
    ]
    warnings = [f"  {e.name}: {warning}" for e in entries for warning in e.warnings]
    lines += warnings[:WARNINGS_SHOWN]
    if len(warnings) > WARNINGS_SHOWN:
        lines.append(f"  ... and {len(warnings) - WARNINGS_SHOWN} more warnings in the manifest")
    if manifest.unreadable:
        lines.append(f"{len(manifest.unreadable)} left out:")
        lines += _listed(manifest.unreadable)
    return "\n".join(lines)


def _key(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def build(
    found: DataRoot, root: Path, folder: Path, workers: int | None, partial: Path
) -> Manifest:
    """Index a data root.

    Parameters
    ----------
    found : DataRoot
        What lies below it.
    root : Path
        Data root.
    folder : Path
        Where ``manifest.json`` and ``frames.h5`` go.
    workers : int or None
        Processes; None for one per core.
    partial : Path
        Where the pieces of unfinished work go.

    Raises
    ------
    DataError
        If none of its videos can be read.
    """
    items = {_key(path): Video(root, path) for path in found.videos.values()}
    outcome = map_videos(
        scan_video, items, partial, suffix=".json", workers=workers, description="videos decoded"
    )
    for key, reason in outcome.failed.items():
        found.unreadable[items[key].path] = reason
    found.videos = {s: path for s, path in found.videos.items() if _key(path) in outcome.done}
    entries: list[Entry] = []

    def rows() -> Iterator[tuple[str, NDArray[np.float64], Labels, Intensity | None]]:
        for stem, names in sorted(faces_of_videos(found).items()):
            seen = json.loads(outcome.done[_key(found.videos[stem])].read_text(encoding="utf-8"))
            for entry, labels, intensity in describe(stem, names, seen, found, root):
                entries.append(entry)
                yield entry.name, np.asarray(seen["timestamps"], np.float64), labels, intensity

    save_frames(folder, rows())
    if not entries:
        raise DataError(
            "\n".join([f"No video below {root} can be read:", *_listed(found.unreadable)])
        )
    ordered = tuple(sorted(warn_of_leaks(entries), key=lambda entry: entry.name))
    manifest = Manifest(root.as_posix(), ordered, dict(sorted(found.unreadable.items())))
    manifest.save(folder)
    return manifest


def main() -> None:
    """Write ``data/index``."""
    params = load_params()
    root = params.data.root
    enforce(
        params.licences.noncommercial,
        [data_use("data.root", root_data(root, params.data.licence))],
    )
    found = look(root)
    files = {path: (root / path).stat() for path in found.videos.values()}
    sizes = {path: (stat.st_size, stat.st_mtime_ns) for path, stat in files.items()}
    identity = identity_of("stages.index", str(root), sizes)
    with (
        partial_folder("index", identity) as partial,
        replacing_folder(paths.INDEX) as fresh,
    ):
        manifest = build(found, root, fresh, params.compute.workers, partial)
    say(summary(manifest))


if __name__ == "__main__":
    run_stage(main)
