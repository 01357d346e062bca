"""The videos that networks are trained and scored on, with their labels: ``data/inputs.h5``.

The file (stage `inputs`) holds one group per video with ``labels`` (frames, 12), ``intensity``
(frames, 12) where intensities are known, ``face`` (frames,) and the attributes ``split``, ``fold``
(from 1; 0 for none) and ``group``, the same for all videos that share a person or a file. A masked
copy of a training video has a group like a video, and the attributes ``source`` and ``start`` that
say whose sound it has, and from where.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.errors import DataError
from stages.core.files import replacing


@dataclass(frozen=True)
class Video:
    """One annotated face of one video, as the networks see it.

    Attributes
    ----------
    name : str
    labels : (frames, 12) int8 np.ndarray
    face : (frames,) bool np.ndarray
        Whether a face was found in the frame.
    nearest : (frames,) int64 np.ndarray
        The frame whose visual features stand for this one.
    source : str
        For a masked copy the video that it is copied from, whose sound it has; else empty.
    start : int
        For a masked copy the frame of the source that it begins with.
    split : str
        ``train``, ``validation``, ``test`` or ``unlabelled``.
    fold : int
        From 1; 0 for a video that is in no fold.
    group : str
        The same for all videos that share a person or a file.
    kept : (frames,) int64 np.ndarray or None
        Where frames have been left out, the frame of the stores that each of the others is.
    intensity : (frames, 12) float32 np.ndarray or None
        0 to 5, NaN where not known; None where nothing is known but presence.
    """

    name: str
    labels: NDArray[np.int8]
    face: NDArray[np.bool_]
    nearest: NDArray[np.int64]
    source: str = ""
    start: int = 0
    split: str = "train"
    fold: int = 0
    group: str = ""
    kept: NDArray[np.int64] | None = None
    intensity: NDArray[np.float32] | None = None

    @property
    def masked(self) -> bool:
        """Whether half of the face is hidden."""
        return bool(self.source)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.labels)


def nearest_valid(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the nearest valid frame, the earlier one of two equally near.

    Parameters
    ----------
    valid : (frames,) np.ndarray
        bool.

    Returns
    -------
    (frames,) np.ndarray
        int64; a frame's own index where no frame is valid.
    """
    index = np.arange(len(valid), dtype=np.int64)
    known = np.flatnonzero(valid)
    if not len(known):
        return index
    after = np.searchsorted(known, index)
    right = known[np.minimum(after, len(known) - 1)]
    left = known[np.maximum(after - 1, 0)]
    return np.where(np.abs(right - index) < np.abs(index - left), right, left).astype(np.int64)


def make_video(
    name: str,
    labels: NDArray[np.int8],
    face: NDArray[np.bool_],
    source: str = "",
    start: int = 0,
    *,
    split: str = "train",
    fold: int = 0,
    group: str = "",
    intensity: NDArray[np.float32] | None = None,
) -> Video:
    """Bundle a video's labels with the choice of frames that stand for those without a face."""
    nearest = nearest_valid(face)
    return Video(
        name, labels, face, nearest, source, start, split, fold, group or name, intensity=intensity
    )


def write_inputs(path: Path, videos: Iterable[Video]) -> None:
    """Write ``inputs.h5``.

    Parameters
    ----------
    path : Path
        Written under a temporary name and renamed.
    videos : iterable of Video
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for video in videos:
            group = file.create_group(video.name)
            group.attrs["split"], group.attrs["fold"] = video.split, video.fold
            group.attrs["group"] = video.group
            if video.masked:
                group.attrs["source"], group.attrs["start"] = video.source, video.start
            group.create_dataset("labels", data=video.labels)
            if video.intensity is not None:
                group.create_dataset("intensity", data=video.intensity)
            group.create_dataset("face", data=video.face)


def load_videos(*splits: str, path: Path = paths.INPUTS) -> list[Video]:
    """Videos of some splits, in the order of their names.

    Parameters
    ----------
    *splits : str
        ``train``, ``validation``, ``test``, ``unlabelled``; none for all of them.
    path : Path
        ``inputs.h5``.

    Returns
    -------
    list of Video
        With ``train`` also the masked copies.

    Raises
    ------
    DataError
        When the file is missing.
    """
    try:
        with h5py.File(path, "r") as file:
            return [
                make_video(
                    name,
                    group["labels"][()],
                    np.asarray(group["face"][()], bool),
                    str(group.attrs.get("source", "")),
                    int(group.attrs.get("start", 0)),
                    split=str(group.attrs["split"]),
                    fold=int(group.attrs["fold"]),
                    group=str(group.attrs["group"]),
                    intensity=group["intensity"][()] if "intensity" in group else None,
                )
                for name, group in sorted(file.items())
                if not splits or group.attrs["split"] in splits
            ]
    except (OSError, KeyError):
        raise DataError(f"{path} is missing or damaged: run `dvc repro inputs`.") from None
