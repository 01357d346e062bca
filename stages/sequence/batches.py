"""Batches of windows: which windows an epoch shows in which order, and laying them side by side.

What a short window lacks holds its last frame without labels, or is filled as the protocol chooses.
Features stay float16, as the stores hold them: the network makes them float32 on its own device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.sequence.choices import ShortVideos
from stages.sequence.dataset import Video
from stages.sequence.features import Features

Place = tuple[Video, int]  # a window: its video, and its first frame there


@dataclass(frozen=True)
class Batch:
    """Windows side by side.

    Attributes
    ----------
    visual : (batch, frames, visual width) torch.Tensor
        float16.
    audio : (batch, frames, audio width) torch.Tensor
        float16.
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

    def tensors(self) -> tuple[Tensor, ...]:
        """All that it holds, in a fixed order."""
        return tuple(vars(self).values())

    def first(self, count: int) -> "Batch":
        """The first windows, in the same memory."""
        return Batch(*(value[:count] for value in self.tensors()))

    def to(self, device: torch.device) -> "Batch":
        """Move to a device."""
        return Batch(*(value.to(device) for value in self.tensors()))


@dataclass(frozen=True)
class Order:
    """A batch that is to be made.

    Attributes
    ----------
    places : list of (Video, int)
        Its windows.
    silenced : (windows,) bool np.ndarray or None
        Those that lose their sound.
    labelled : bool
        False for one whose labels are withheld, so that it teaches nothing.
    """

    places: list[Place]
    silenced: NDArray[np.bool_] | None = None
    labelled: bool = True


def window_starts(frames: int, window: int, stride: int) -> list[int]:
    """First frames of windows that cover a video; the last window ends with its last frame."""
    last = max(frames - window, 0)
    return [*range(0, last, stride), last]


def training_orders(
    videos: Sequence[Video],
    *,
    window: int,
    stride: int,
    batch: int,
    sound_dropout: float,
    seed: int,
    rank: int = 0,
    processes: int = 1,
    part: int = 0,
    parts: int = 1,
) -> Iterator[Order]:
    """All training windows once, in an order drawn from the seed, or a part of them.

    Parameters
    ----------
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
        Which of so many processes this is; they share each batch between them. One for which
        nothing is left of a batch gets a window without labels: all have to take the step.
    part, parts : int
        Which of so many parts of the batches; with the same seed the parts are an epoch together.

    Yields
    ------
    Order
    """
    generator = np.random.default_rng(seed)
    places = [
        (video, start) for video in videos for start in window_starts(video.frames, window, stride)
    ]
    order = generator.permutation(len(places))
    silenced = generator.random(len(places)) < sound_dropout
    starts = range(0, len(places), batch)
    for first in starts[len(starts) * part // parts : len(starts) * (part + 1) // parts]:
        whole = order[first : first + batch]
        chosen = whole[rank::processes]
        labelled = len(chosen) > 0
        chosen = chosen if labelled else whole[:1]
        yield Order([places[i] for i in chosen], silenced[chosen], labelled)


def empty_batch(
    count: int, window: int, features: Features, device: str = "cpu", *, pinned: bool = False
) -> Batch:
    """Memory for a batch, not filled.

    Parameters
    ----------
    count, window : int
        Windows, and their length in frames.
    features : Features
        Whose width it has.
    device : str
    pinned : bool
        In pages that a GPU can read by itself.
    """

    def empty(kind: torch.dtype, *width: int) -> Tensor:
        shape = (count, window, *width)
        return torch.empty(shape, dtype=kind, device=device, pin_memory=pinned)

    return Batch(
        visual=empty(torch.float16, features.visual_width),
        audio=empty(torch.float16, features.audio_width),
        sound=empty(torch.bool),
        real=empty(torch.bool),
        labels=empty(torch.int8, N_AUS),
        intensity=empty(torch.float32, N_AUS),
    )


def filling_frames(frames: int, window: int, short_videos: ShortVideos) -> NDArray[np.int64]:
    """Which frames of a window stand where it is short of some, (missing,)."""
    if short_videos == "cycled":
        return np.arange(frames, window) % frames
    return np.full(window - frames, frames - 1)


def make_batch(
    features: Features,
    order: Order,
    window: int,
    short_videos: ShortVideos = "held",
    into: Batch | None = None,
) -> Batch:
    """Read windows and lay them side by side.

    Parameters
    ----------
    features : Features
    order : Order
    window : int
        Length in frames.
    short_videos : {"held", "masked", "repeated", "cycled"}
        What a shorter video lacks: its last frame without labels; the same, masked; its last frame
        with labels; its frames from the first on.
    into : Batch, optional
        Memory to be used, for as many windows or more.

    Returns
    -------
    Batch
        In that memory, where there is some.
    """
    count = len(order.places)
    batch = empty_batch(count, window, features) if into is None else into.first(count)
    visual, audio, sound, real, labels, intensity = (value.numpy() for value in batch.tensors())
    for row, (video, start) in enumerate(order.places):
        n = min(window, video.frames - start)
        features.fill(video, start, start + n, visual[row, :n], audio[row, :n], sound[row, :n])
        real[row, :n], real[row, n:] = True, short_videos != "masked"
        labels[row, :n], labels[row, n:] = video.labels[start : start + n], NOT_ANNOTATED
        intensity[row] = np.nan
        if video.intensity is not None:
            intensity[row, :n] = video.intensity[start : start + n]
        if n < window:
            rest = filling_frames(n, window, short_videos)
            for filled in (visual, audio, sound):
                filled[row, n:] = filled[row, rest]
            if short_videos in ("repeated", "cycled"):
                labels[row, n:], intensity[row, n:] = labels[row, rest], intensity[row, rest]
    if order.silenced is not None:
        sound[order.silenced] = False
    if not order.labelled:
        labels[:], intensity[:] = NOT_ANNOTATED, np.nan
    return batch
