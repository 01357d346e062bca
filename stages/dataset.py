"""What the networks are given: videos with labels, and the feature stores joined to them.

`data/inputs.h5` (stage `inputs`) holds one group per video with ``labels`` (frames, 12), ``face``
(frames,) and the attribute ``split``. A masked copy of a training video has a group like a video,
and the attributes ``source`` and ``start`` that say whose sound it has, and from where. The file's
attribute ``stores`` is the JSON of each store's path and SHA-256. Every frame gets an input: one
without a face takes the visual features of the nearest frame that has one.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from stages import params as settings
from stages import paths
from stages.errors import DataError, SettingsError
from stages.store import FeatureReader

MODALITIES = ("audiovisual", "visual")  # picture and sound, or picture alone


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
    kept : (frames,) int64 np.ndarray or None
        Where frames have been left out, the frame of the stores that each of the others is.
    """

    name: str
    labels: NDArray[np.int8]
    face: NDArray[np.bool_]
    nearest: NDArray[np.int64]
    source: str = ""
    start: int = 0
    kept: NDArray[np.int64] | None = None

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
) -> Video:
    """Bundle a video's labels with the choice of frames that stand for those without a face."""
    return Video(name, labels, face, nearest_valid(face), source, start)


Window = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


class Features:
    """The feature stores that a network reads, seen as one visual and one audio input.

    Parameters
    ----------
    visual, audio : sequence of Path
        One store an encoder; either may be empty.
    masked : sequence of Path
        Stores of the masked copies, in the order of `visual`; empty where none is to be read.
    """

    def __init__(
        self, visual: Sequence[Path], audio: Sequence[Path], masked: Sequence[Path] = ()
    ) -> None:
        self._stack = ExitStack()
        self._visual = [self._open(path) for path in visual]
        self._masked = [self._open(path) for path in masked]
        self._audio = [self._open(path) for path in audio]
        self.visual_width = sum(store.width for store in self._visual)
        self.audio_width = sum(store.width for store in self._audio)

    def _open(self, path: Path) -> FeatureReader:
        return self._stack.enter_context(FeatureReader(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read(self, video: Video, start: int, stop: int) -> Window:
        """Read the features of some consecutive frames.

        Returns
        -------
        visual : (frames, visual width) np.ndarray
            float32, each row that of the nearest frame with a face.
        audio : (frames, audio width) np.ndarray
            float32, 0 where there is no sound.
        sound : (frames,) np.ndarray
            bool, whether every audio store has something for the frame.
        """
        rows = video.nearest[start:stop]
        first, last = int(rows.min()), int(rows.max()) + 1
        stores = self._masked if video.masked else self._visual
        nothing = np.zeros((stop - start, 0), np.float32)
        seen = [store.read(video.name, first, last)[rows - first] for store in stores]
        visual = np.concatenate(seen, axis=1, dtype=np.float32) if seen else nothing
        if not self._audio:
            return visual, nothing, np.zeros(stop - start, np.bool_)
        at = np.arange(start, stop) if video.kept is None else video.kept[start:stop]
        first, last = int(at.min()), int(at.max()) + 1
        name, shift = video.source or video.name, video.start
        heard = [store.read(name, first + shift, last + shift)[at - first] for store in self._audio]
        audio = np.concatenate(heard, axis=1, dtype=np.float32)
        sound = np.asarray(~np.isnan(audio).any(axis=1))
        audio[~sound] = 0
        return visual, audio, sound


def visual_stores(selection: settings.Features) -> list[Path]:
    """Paths of the visual stores of a selection."""
    return [paths.VISUAL_FEATURES / f"{name}.h5" for name in selection.visual]


def masked_stores(selection: settings.Features) -> list[Path]:
    """Paths of the stores of the masked copies of a selection."""
    return [paths.MASKED_FEATURES / f"{name}.h5" for name in selection.visual]


def audio_stores(selection: settings.Features) -> list[Path]:
    """Paths of the audio stores of a selection."""
    return [paths.AUDIO_FEATURES / f"{name}.h5" for name in selection.audio]


def write_inputs(path: Path, videos: Iterable[tuple[str, Video]], stores: dict[str, str]) -> None:
    """Write ``inputs.h5``.

    Parameters
    ----------
    path : Path
        Written under a temporary name and renamed.
    videos : iterable of (str, Video)
        Split and video.
    stores : dict of str to str
        SHA-256 by path.
    """
    temporary = path.with_name(f".{path.name}")
    with h5py.File(temporary, "w") as file:
        file.attrs["stores"] = json.dumps(stores, sort_keys=True)
        for split, video in videos:
            group = file.create_group(video.name)
            group.attrs["split"] = split
            if video.masked:
                group.attrs["source"], group.attrs["start"] = video.source, video.start
            group.create_dataset("labels", data=video.labels)
            group.create_dataset("face", data=video.face)
    temporary.replace(path)


def load_videos(*splits: str, path: Path = paths.INPUTS) -> list[Video]:
    """Videos of some splits, in the order of their names.

    Parameters
    ----------
    *splits : str
        ``train``, ``validation``, ``test``.
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
                )
                for name, group in sorted(file.items())
                if group.attrs["split"] in splits
            ]
    except OSError:
        raise DataError(f"{path} is missing or damaged: run `dvc repro inputs`.") from None


def open_features(
    selection: settings.Features, modalities: str, *, masked: bool = False
) -> Features:
    """Open the stores that a network reads.

    Parameters
    ----------
    selection : settings.Features
        The encoders by name.
    modalities : str
        ``audiovisual``, or ``visual`` for the visual stores alone.
    masked : bool
        Open the stores of the masked copies, too.

    Returns
    -------
    Features
        To be used as a context manager.

    Raises
    ------
    SettingsError
        When `modalities` is neither.
    """
    if modalities not in MODALITIES:
        raise SettingsError(f"{modalities!r} is no input; allowed: {', '.join(MODALITIES)}.")
    return Features(
        visual_stores(selection),
        audio_stores(selection) if modalities == "audiovisual" else [],
        masked_stores(selection) if masked else [],
    )
