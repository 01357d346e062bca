"""From the video of one entry of the manifest to its crop file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stages.core.errors import DataError
from stages.crops.alignment import CROP_SIDE, align
from stages.crops.crop_file import CropReader, CropWriter
from stages.faces.detector import load_detector
from stages.faces.settings import Crop
from stages.faces.tracking import Follower, follow
from stages.videos.manifest import Entry, read_timestamps
from stages.videos.video import read_frames


@dataclass(frozen=True)
class Task:
    """One entry of the manifest and how it is to be cropped."""

    entry: Entry
    root: Path
    index: Path
    settings: Crop
    device: str

    @property
    def source(self) -> str:
        """Published crops where they are asked for and there; else ``detect``."""
        return self.settings.source if self.entry.official_crops is not None else "detect"

    @property
    def pictures(self) -> Path | None:
        """Folder of the published crops that are taken; None where faces are looked for."""
        crops = self.entry.official_crops
        return self.root / crops if crops is not None and self.source != "detect" else None

    @property
    def attributes(self) -> dict[str, str | int | float]:
        """What the crop file says of its making."""
        common: dict[str, str | int | float] = {
            "name": self.entry.name,
            "video_hash": self.entry.video_hash,
            "frame_rate": self.entry.frame_rate,
            "source": self.source,
        }
        if self.source == "cropped_aligned":
            return common
        settings = self.settings.model_dump(exclude={"source", "pack"})
        if self.settings.detector == "insightface":
            settings["pack"] = self.settings.pack
        return {**common, **settings}


def crop_by_detection(task: Task, path: Path) -> None:
    """Detect, follow and align the person of one entry; write the crop file to `path`.

    Raises
    ------
    DataError
        If the video cannot be read, or no longer has the frames that the manifest counts.
    """
    settings, entry = task.settings, task.entry
    if entry.video is None:
        raise DataError(
            f"There is no video of {entry.name}, only published crops: "
            "set crop.source to cropped_aligned."
        )
    detector = load_detector(
        settings.detector, settings.pack, settings.score_threshold, task.device
    )
    follower = Follower(detector, entry.side, settings.detection_side)
    frames = read_frames(task.root / entry.video)
    rows = 0
    with CropWriter(path, task.attributes, contours=detector.has_contours) as writer:
        for time, image, face in follow(frames, follower, settings.detect_every):
            rows += 1
            if face is None:
                writer.append(None, timestamp=time)
                continue
            crop = align(image, face.landmarks)
            writer.append(crop, face.landmarks, face.box, face.score, time, face.contour)
    if rows != entry.frames:
        raise DataError(
            f"{entry.video} has {rows} frames, the manifest counts {entry.frames}: "
            "the file changed, run `dvc repro index` again."
        )


def take_published_crops(task: Task, path: Path) -> None:
    """Gather the published crops of one entry; write the crop file to `path`.

    Frame k, counted from 1, is ``{k:05d}.jpg``. A picture that is missing or damaged makes a
    ``no_face`` row. Landmarks and boxes are not published: they are NaN.
    """
    entry = task.entry
    assert entry.official_crops is not None
    folder = task.root / entry.official_crops
    times = read_timestamps(task.index, entry.name)
    with CropWriter(path, task.attributes) as writer:
        for number, time in enumerate(times, start=1):
            writer.append(_published(folder / f"{number:05d}.jpg"), timestamp=float(time))


def _published(file: Path) -> bytes | None:
    """Bytes of one published crop, None where it is missing, damaged or of another size."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    if not data.startswith(b"\xff\xd8") or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return data if image is not None and image.shape == (CROP_SIDE, CROP_SIDE, 3) else None


def crop_entry(task: Task, path: Path) -> None:
    """Write the crop file of one entry to `path`."""
    make = take_published_crops if task.source == "cropped_aligned" else crop_by_detection
    make(task, path)


def summary(files: dict[str, Path], failed: dict[str, str]) -> str:
    """What was cropped, in a few lines for the reader of the log."""
    frames = faces = 0
    without = []
    for name, file in files.items():
        with CropReader(file) as crops:
            frames += len(crops)
            faces += int(crops.status.sum())
            if not crops.status.any():
                without.append(name)
    share = faces / frames if frames else 0.0
    lines = [f"{len(files)} videos cropped: a face in {faces} of {frames} frames ({share:.1%})"]
    if without:
        lines.append(f"{len(without)} without a single face: {', '.join(without)}")
    if failed:
        lines.append(f"{len(failed)} failed:")
        lines += [f"  {name}: {reason}" for name, reason in failed.items()]
    return "\n".join(lines)
