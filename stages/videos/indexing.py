"""Looks at every video of a data root and brings it together with its annotations."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.hashing import file_hash
from stages.core.parallel import map_videos
from stages.core.settings import Compute
from stages.crops.published import CropFolder, list_crops, refuse_without_rate
from stages.videos.dataroot import DataRoot
from stages.videos.decoding import is_our_video
from stages.videos.entries import Intensity, Labels, describe, warn_of_leaks
from stages.videos.manifest import SPLITS, Entry, Manifest, save_frames
from stages.videos.naming import faces_of_crops, faces_of_videos, report_strangers
from stages.videos.video import scan

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


def scan_source(source: Video | CropFolder, piece: Path) -> None:
    """Look at one video, or at one folder of crops that has none; see the two."""
    if isinstance(source, CropFolder):
        list_crops(source, piece)
    else:
        scan_video(source, piece)


def _listed(reasons: dict[str, str]) -> list[str]:
    return [
        f"  {why}" if why.startswith(where) else f"  {where}: {why}"
        for where, why in sorted(reasons.items())
    ]


def summary(manifest: Manifest) -> str:
    """What was found, in a few lines for the reader of the log."""
    entries = manifest.entries
    count = Counter(entry.split for entry in entries)
    alone = [entry for entry in entries if entry.video is None]
    lines = [
        f"{len({e.group for e in entries})} videos, {len(entries)} faces to follow, "
        f"{sum(e.frames for e in entries)} frames below {manifest.root}: "
        + ", ".join(f"{count[split]} {split}" for split in SPLITS),
        f"{sum(not e.sound for e in entries)} without sound, "
        f"{sum(e.variable_frame_rate for e in entries)} with a variable frame rate, "
        f"{sum(e.side != 'only' for e in entries)} of two people, "
        f"{sum(e.official_crops is not None for e in entries)} with published crops, "
        f"{sum(e.intensity is not None for e in entries)} with intensities",
    ]
    if alone:
        lines.append(
            f"{len(alone)} faces have published crops and no video: no sound, and times by "
            f"data.frame_rate, {alone[0].frame_rate:g} Hz"
        )
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
    found: DataRoot,
    root: Path,
    folder: Path,
    partial: Path,
    *,
    frame_rate: float | None,
    workers: int | None,
    compute: Compute | None = None,
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
    partial : Path
        Where the pieces of unfinished work go.
    frame_rate : float or None
        Of the videos that are not there and whose published crops are, in Hz; None leaves them out.
    workers : int or None
        Processes; None for one per core.
    compute : Compute, optional
        See :func:`stages.core.parallel.map_videos`.

    Raises
    ------
    DataError
        If none of its videos can be read, or there are only crops and no frame rate.
    """
    alone = faces_of_crops(found)
    if not found.videos and frame_rate is None:
        refuse_without_rate(root, found.crops.values())
    crops = [found.crops[name] for names in alone.values() for name in names]
    items: dict[str, Video | CropFolder] = {
        _key(path): Video(root, path) for path in found.videos.values()
    }
    if frame_rate is not None:
        items |= {_key(path): CropFolder(root, path) for path in crops}
    outcome = map_videos(
        scan_source, items, partial, suffix=".json", workers=workers, description="videos decoded",
        compute=compute,
    )  # fmt: skip
    for key, reason in outcome.failed.items():
        found.unreadable[items[key].path] = reason
    found.videos = {s: path for s, path in found.videos.items() if _key(path) in outcome.done}
    found.crops = {
        name: path for name, path in found.crops.items() if _key(path) not in outcome.failed
    }

    def seen(path: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(outcome.done[_key(path)].read_text(encoding="utf-8"))
        return content

    faces = {
        stem: dict.fromkeys(names, found.videos[stem])
        for stem, names in faces_of_videos(found).items()
    }
    for stem, names in faces_of_crops(found).items():
        listed = {n: found.crops[n] for n in names if _key(found.crops[n]) in outcome.done}
        if listed:
            faces[stem] = listed
    report_strangers(found, {name for names in faces.values() for name in names})
    entries: list[Entry] = []

    def rows() -> Iterator[tuple[str, NDArray[np.float64], Labels, Intensity | None]]:
        for stem, places in sorted(faces.items()):
            known = {path: seen(path) for path in set(places.values())}
            seen_of = {name: known[path] for name, path in places.items()}
            for entry, times, labels, intensity in describe(
                stem, [*places], seen_of, found, root, frame_rate
            ):
                entries.append(entry)
                yield entry.name, times, labels, intensity

    save_frames(folder, rows())
    if not entries:
        raise DataError(
            "\n".join([f"No video below {root} can be read:", *_listed(found.unreadable)])
        )
    ordered = tuple(sorted(warn_of_leaks(entries), key=lambda entry: entry.name))
    manifest = Manifest(root.as_posix(), ordered, dict(sorted(found.unreadable.items())))
    manifest.save(folder)
    return manifest
