"""Windows of frames: what a network is trained on, and how it is run over a whole video.

Features are read from the stores window by window, so memory does not grow with the data. On the
way every frame gets an input: a frame without a face takes the features of the nearest frame that
has one, and the tail of a short window repeats the last frame under a mask.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.errors import DataError
from stages.facs import N_AUS, NOT_ANNOTATED
from stages.store import FeatureReader

PREDICT_BATCH = 32  # windows of one video that are predicted together


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
    """

    name: str
    labels: NDArray[np.int8]
    face: NDArray[np.bool_]
    nearest: NDArray[np.int64]

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


def make_video(name: str, labels: NDArray[np.int8], face: NDArray[np.bool_]) -> Video:
    """Bundle a video's labels with the choice of frames that stand for those without a face."""
    return Video(name=name, labels=labels, face=face, nearest=nearest_valid(face))


@dataclass(frozen=True)
class Batch:
    """Windows side by side.

    Attributes
    ----------
    visual : (batch, frames, visual width) torch.Tensor
    audio : (batch, frames, audio width) torch.Tensor
    sound : (batch, frames) torch.Tensor
        bool, whether the frame has sound.
    real : (batch, frames) torch.Tensor
        bool, False where a frame is padding.
    labels : (batch, frames, 12) torch.Tensor
        int8; -1 where not annotated and where padding.
    """

    visual: Tensor
    audio: Tensor
    sound: Tensor
    real: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Move to a device."""
        return Batch(*(value.to(device, non_blocking=True) for value in vars(self).values()))


Window = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


class Features:
    """The feature stores that a network reads, seen as one visual and one audio input.

    Parameters
    ----------
    visual, audio : sequence of Path
        One store an encoder; `audio` may be empty.
    """

    def __init__(self, visual: Sequence[Path], audio: Sequence[Path]) -> None:
        self._stack = ExitStack()
        self._visual = [self._open(path) for path in visual]
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
        seen = [store.read(video.name, first, last)[rows - first] for store in self._visual]
        visual = np.concatenate(seen, axis=1, dtype=np.float32)
        if not self._audio:
            nothing = np.zeros((stop - start, 0), np.float32)
            return visual, nothing, np.zeros(stop - start, np.bool_)
        heard = [store.read(video.name, start, stop) for store in self._audio]
        audio = np.concatenate(heard, axis=1, dtype=np.float32)
        sound = np.asarray(~np.isnan(audio).any(axis=1))
        audio[~sound] = 0
        return visual, audio, sound


def window_starts(frames: int, window: int, stride: int) -> list[int]:
    """First frames of windows that cover a video; the last window ends with its last frame."""
    last = max(frames - window, 0)
    return [*range(0, last, stride), last]


def make_batch(features: Features, windows: Sequence[tuple[Video, int]], window: int) -> Batch:
    """Read windows and lay them side by side.

    Parameters
    ----------
    features : Features
    windows : sequence of (Video, int)
        Each window's video and first frame.
    window : int
        Length in frames; what a shorter video lacks repeats its last frame, masked.

    Returns
    -------
    Batch
    """
    count = len(windows)
    visual = np.zeros((count, window, features.visual_width), np.float32)
    audio = np.zeros((count, window, features.audio_width), np.float32)
    sound = np.zeros((count, window), np.bool_)
    real = np.zeros((count, window), np.bool_)
    labels = np.full((count, window, N_AUS), NOT_ANNOTATED, np.int8)
    for row, (video, start) in enumerate(windows):
        n = min(window, video.frames - start)
        seen, heard, has_sound = features.read(video, start, start + n)
        repeat = np.minimum(np.arange(window), n - 1)
        visual[row], audio[row], sound[row] = seen[repeat], heard[repeat], has_sound[repeat]
        real[row, :n] = True
        labels[row, :n] = video.labels[start : start + n]
    return Batch(*(torch.from_numpy(array) for array in (visual, audio, sound, real, labels)))


def training_batches(
    features: Features,
    videos: Sequence[Video],
    *,
    window: int,
    stride: int,
    batch: int,
    sound_dropout: float,
    seed: int,
) -> Iterator[Batch]:
    """All training windows once, in an order drawn from the seed.

    Parameters
    ----------
    features : Features
    videos : sequence of Video
    window, stride : int
        Length of a window, and frames from one to the next.
    batch : int
        Windows a batch.
    sound_dropout : float
        Share of the windows that lose their sound, so that the network learns to do without.
    seed : int
        Of this epoch.

    Yields
    ------
    Batch
    """
    generator = np.random.default_rng(seed)
    windows = [
        (video, start) for video in videos for start in window_starts(video.frames, window, stride)
    ]
    order = generator.permutation(len(windows))
    silenced = generator.random(len(windows)) < sound_dropout
    for first in range(0, len(windows), batch):
        chosen = order[first : first + batch]
        made = make_batch(features, [windows[i] for i in chosen], window)
        made.sound[torch.from_numpy(silenced[chosen])] = False
        yield made


def input_statistics(features: Features, videos: Sequence[Video]) -> dict[str, Tensor]:
    """Mean and standard deviation of the inputs over the frames of the training part.

    Returns
    -------
    dict of str to torch.Tensor
        ``visual_mean``, ``visual_deviation``, ``audio_mean``, ``audio_deviation``, each (width,);
        frames without a face, or without sound, do not count.

    Raises
    ------
    DataError
        When no frame of these videos shows a face.
    """
    sums = {name: [0, 0.0, 0.0] for name in ("visual", "audio")}
    for video in videos:
        for start in range(0, video.frames, 4096):
            stop = min(start + 4096, video.frames)
            visual, audio, sound = features.read(video, start, stop)
            for name, rows in (
                ("visual", visual[video.face[start:stop]]),
                ("audio", audio[sound]),
            ):
                wide = rows.astype(np.float64)
                sums[name][0] += len(wide)
                sums[name][1] = sums[name][1] + wide.sum(0)
                sums[name][2] = sums[name][2] + (wide**2).sum(0)
    if not sums["visual"][0]:
        raise DataError(
            "No face was found in any training video: look at data/crops, or lower "
            "crop.score_threshold."
        )
    widths = {"visual": features.visual_width, "audio": features.audio_width}
    result: dict[str, Tensor] = {}
    for name, (count, total, squares) in sums.items():
        mean = np.zeros(widths[name]) + total / max(count, 1)
        variance = np.zeros(widths[name]) + squares / max(count, 1) - mean**2
        result[f"{name}_mean"] = torch.from_numpy(mean).float()
        result[f"{name}_deviation"] = torch.from_numpy(np.sqrt(variance.clip(min=0))).float()
    return result


@torch.inference_mode()
def predict_video(
    network: nn.Module,
    features: Features,
    video: Video,
    *,
    window: int,
    device: torch.device,
    mute: bool = False,
) -> NDArray[np.float32]:
    """Probability of each AU in each frame of a video.

    Windows overlap by half, and the logits of overlapping windows are averaged.

    Parameters
    ----------
    network : nn.Module
        In eval mode.
    features : Features
    video : Video
    window : int
        Length of a window in frames.
    device : torch.device
    mute : bool
        Withhold the sound.

    Returns
    -------
    (frames, 12) np.ndarray
        float32.
    """
    total = torch.zeros(video.frames, N_AUS)
    count = torch.zeros(video.frames, 1)
    starts = window_starts(video.frames, window, max(window // 2, 1))
    for first in range(0, len(starts), PREDICT_BATCH):
        chosen = starts[first : first + PREDICT_BATCH]
        batch = make_batch(features, [(video, start) for start in chosen], window).to(device)
        sound = torch.zeros_like(batch.sound) if mute else batch.sound
        logits = network(batch.visual, batch.audio, sound, batch.real).float().cpu()
        for start, rows in zip(chosen, logits, strict=True):
            n = min(window, video.frames - start)
            total[start : start + n] += rows[:n]
            count[start : start + n] += 1
    return torch.sigmoid(total / count).numpy()
