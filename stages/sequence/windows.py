"""Windows of frames: what a network is trained on, and how it is run over a whole video.

Features are read from the stores window by window, so memory does not grow with the data; what a
short window lacks holds its last frame without labels, or is filled as the protocol chooses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.errors import DataError
from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.sequence.choices import CORRECTED, Choices, ShortVideos
from stages.sequence.dataset import Video
from stages.sequence.features import Features
from stages.sequence.protocol import window_stride

PREDICT_BATCH = 32  # windows that are predicted together


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
    intensity : (batch, frames, 12) torch.Tensor
        float32, 0 to 5; NaN where not known and where padding.
    """

    visual: Tensor
    audio: Tensor
    sound: Tensor
    real: Tensor
    labels: Tensor
    intensity: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Move to a device."""
        return Batch(*(value.to(device, non_blocking=True) for value in vars(self).values()))


def window_starts(frames: int, window: int, stride: int) -> list[int]:
    """First frames of windows that cover a video; the last window ends with its last frame."""
    last = max(frames - window, 0)
    return [*range(0, last, stride), last]


def make_batch(
    features: Features,
    windows: Sequence[tuple[Video, int]],
    window: int,
    short_videos: ShortVideos = "held",
) -> Batch:
    """Read windows and lay them side by side.

    Parameters
    ----------
    features : Features
    windows : sequence of (Video, int)
        Each window's video and first frame.
    window : int
        Length in frames.
    short_videos : {"held", "masked", "repeated", "cycled"}
        What a shorter video lacks: its last frame without labels; the same, masked; its last frame
        with labels; its frames from the first on.

    Returns
    -------
    Batch
    """
    count = len(windows)
    visual = np.empty((count, window, features.visual_width), np.float32)
    audio = np.empty((count, window, features.audio_width), np.float32)
    sound = np.zeros((count, window), np.bool_)
    real = np.zeros((count, window), np.bool_)
    labels = np.full((count, window, N_AUS), NOT_ANNOTATED, np.int8)
    intensity = np.full((count, window, N_AUS), np.nan, np.float32)
    for row, (video, start) in enumerate(windows):
        n = min(window, video.frames - start)
        seen, heard, has_sound = features.read(video, start, start + n)
        visual[row, :n], audio[row, :n], sound[row, :n] = seen, heard, has_sound
        real[row, :n] = True
        labels[row, :n] = video.labels[start : start + n]
        if video.intensity is not None:
            intensity[row, :n] = video.intensity[start : start + n]
        if n == window:
            continue
        rest = np.arange(n, window)
        rest = rest % n if short_videos == "cycled" else np.full(window - n, n - 1)
        for filled in (visual, audio, sound):
            filled[row, n:] = filled[row, rest]
        real[row, n:] = short_videos != "masked"
        if short_videos in ("repeated", "cycled"):
            labels[row, n:], intensity[row, n:] = labels[row, rest], intensity[row, rest]
    arrays = (visual, audio, sound, real, labels, intensity)
    return Batch(*(torch.from_numpy(array) for array in arrays))


def training_batches(
    features: Features,
    videos: Sequence[Video],
    *,
    window: int,
    stride: int,
    batch: int,
    sound_dropout: float,
    seed: int,
    rank: int = 0,
    processes: int = 1,
    short_videos: ShortVideos = "held",
    part: int = 0,
    parts: int = 1,
) -> Iterator[Batch]:
    """All training windows once, in an order drawn from the seed, or a part of them.

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
    rank, processes : int
        Which of so many processes this is; they share each batch between them.
    short_videos : {"held", "masked", "repeated", "cycled"}
        See :func:`make_batch`.
    part, parts : int
        Which of so many parts of the batches; with the same seed the parts are an epoch together.

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
    starts = range(0, len(windows), batch)
    for first in starts[len(starts) * part // parts : len(starts) * (part + 1) // parts]:
        whole = order[first : first + batch]
        chosen = whole[rank::processes]
        if not len(chosen):  # a last batch that does not go round: every process needs a step
            chosen = whole
        made = make_batch(features, [windows[i] for i in chosen], window, short_videos)
        made.sound[torch.from_numpy(silenced[chosen])] = False
        yield made


def input_statistics(features: Features, videos: Sequence[Video]) -> dict[str, Tensor]:
    """Mean and standard deviation of the inputs over the frames of the training part.

    Returns
    -------
    dict of str to torch.Tensor
        ``visual_mean``, ``visual_deviation``, ``audio_mean``, ``audio_deviation``, each (width,);
        frames without a face, or without sound, do not count, nor do masked copies: what is
        scored has no masks.

    Raises
    ------
    DataError
        When no frame of these videos shows a face.
    """
    sums = {name: [0, 0.0, 0.0] for name in ("visual", "audio")}
    for video in (video for video in videos if not video.masked):
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
def predict_logits(
    network: nn.Module,
    features: Features,
    videos: Iterable[Video],
    *,
    window: int,
    device: torch.device,
    mute: bool = False,
    choices: Choices = CORRECTED,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Logit of each AU in each frame of some videos.

    Windows overlap by half, and the logits of overlapping windows are averaged; or, as the protocol
    chooses, each frame is predicted once. Windows of several short videos are predicted together.

    Parameters
    ----------
    network : nn.Module
        In eval mode.
    features : Features
    videos : iterable of Video
    window : int
        Length of a window in frames.
    device : torch.device
    mute : bool
        Withhold the sound.
    choices : Choices
        For `prediction_overlap` and `short_videos`.

    Yields
    ------
    str, (frames, 12) np.ndarray
        Name and float32 logits of each video, in their order.
    """
    once = choices.prediction_overlap == "none"
    stride = window_stride(window, choices.prediction_overlap)
    sums: dict[str, tuple[Tensor, Tensor]] = {}
    waiting: list[tuple[Video, int]] = []
    ready: list[str] = []

    def predict() -> None:
        batch = make_batch(features, waiting, window, choices.short_videos).to(device)
        sound = torch.zeros_like(batch.sound) if mute else batch.sound
        logits = network(batch.visual, batch.audio, sound, batch.real).float().cpu()
        for (video, start), rows in zip(waiting, logits, strict=True):
            total, count = sums[video.name]
            stop = min(start + window, video.frames)
            # with each frame once, the last window gives what the one before it has left
            first_new = int(count.count_nonzero()) if once else start
            total[first_new:stop] += rows[first_new - start : stop - start]
            count[first_new:stop] += 1
        waiting.clear()

    def finished() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for name in ready:
            total, count = sums.pop(name)
            yield name, (total / count).numpy()
        ready.clear()

    for video in videos:
        sums[video.name] = (torch.zeros(video.frames, N_AUS), torch.zeros(video.frames, 1))
        for start in window_starts(video.frames, window, stride):
            waiting.append((video, start))
            if len(waiting) == PREDICT_BATCH:
                predict()
                yield from finished()
        ready.append(video.name)
    if waiting:
        predict()
    yield from finished()


def predict_video(
    network: nn.Module,
    features: Features,
    video: Video,
    *,
    window: int,
    device: torch.device,
    mute: bool = False,
    choices: Choices = CORRECTED,
) -> NDArray[np.float32]:
    """Probability of each AU in each frame of one video; see :func:`predict_logits`.

    Returns
    -------
    (frames, 12) np.ndarray
        float32.
    """
    ((_, logits),) = predict_logits(
        network, features, [video], window=window, device=device, mute=mute, choices=choices
    )
    return torch.sigmoid(torch.from_numpy(logits)).numpy()
