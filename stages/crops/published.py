"""Published crops whose videos are not there, as the ABAW challenges hand them out.

``NAME/00001.jpg`` is the first frame of a video, and a frame without a face has no picture. So the
frames are as many as the annotation has lines, or as the last picture says if that is later; their
times are counted with a frame rate that the settings give. There is no sound. The pictures are
listed by name and size, and not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stages.core.errors import DataError
from stages.crops.alignment import CROP_SIDE

PICTURE: Final = re.compile(r"(\d{5}|[1-9]\d{5,})\.jpg")


@dataclass(frozen=True)
class CropFolder:
    """One folder of published crops that is to be listed."""

    root: Path
    path: str


def picture_sizes(folder: Path) -> dict[str, int]:
    """Size in bytes of each picture of a frame in a folder; empty where there is no folder."""
    try:
        with os.scandir(folder) as files:
            found = {f.name: f.stat().st_size for f in files if PICTURE.fullmatch(f.name)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found.pop("00000.jpg", None)  # frames are counted from 1
    return found


def listing_hash(sizes: dict[str, int]) -> str:
    """SHA-256 of the names and sizes of pictures: they are many, and not read to be known."""
    listing = "".join(f"{name} {size}\n" for name, size in sorted(sizes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def list_crops(crops: CropFolder, piece: Path) -> None:
    """List one folder; write down, as JSON, what :func:`stages.index.scan_video` says of a video.

    Raises
    ------
    DataError
        If it holds no picture of a frame.
    """
    sizes = picture_sizes(crops.root / crops.path)
    if not sizes:
        raise DataError(f"{crops.path} holds no picture of a frame (00001.jpg, 00002.jpg, ...).")
    content = {
        "video_hash": listing_hash(sizes),
        "last": max(int(Path(name).stem) for name in sizes),
        "variable_frame_rate": False,
        "width": CROP_SIDE,
        "height": CROP_SIDE,
        "sound": False,
        "sound_start": 0.0,
        "warnings": [],
    }
    piece.write_text(json.dumps(content), encoding="utf-8")


def timed(seen: dict[str, Any], lines: int, frame_rate: float) -> dict[str, Any]:
    """Add the presentation times to what was seen of a folder of crops.

    Parameters
    ----------
    seen : dict
        What :func:`list_crops` wrote.
    lines : int
        Of the annotation; 0 where there is none.
    frame_rate : float
        Hz.
    """
    times = [frame / frame_rate for frame in range(max(seen["last"], lines))]
    return {**seen, "frame_rate": frame_rate, "timestamps": times}


def refuse_without_rate(root: Path, alone: Iterable[str]) -> None:
    """Refuse a root that has published crops and no video as long as no frame rate is set.

    Raises
    ------
    DataError
        It names a folder.
    """
    names = sorted(alone)
    raise DataError(
        f"The data root {root} holds no video, and {len(names)} folders of published crops "
        f"({names[0]}, ...): set data.frame_rate to the frame rate of their videos in Hz, "
        "and crop.source to cropped_aligned."
    )
