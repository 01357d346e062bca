"""What is predicted: timed pictures and the sound beside them, of a file or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.videos.audio import read_samples, read_sound
from stages.videos.clock import Log
from stages.videos.photo import is_photo
from stages.videos.video import read_frames

Image = NDArray[np.uint8]
Block = tuple[float, NDArray[np.float32]]


class Footage(Protocol):
    """Pictures and sound on one clock, in seconds."""

    @property
    def photo(self) -> bool:
        """Whether it is one still picture."""

    def frames(self, log: Log) -> Iterator[tuple[float, Image]]:
        """Yield times and upright RGB pictures, (height, width, 3) uint8, in order."""

    def sound(self, rate: int, notes: list[str]) -> Iterator[Block]:
        """Yield the sound as :func:`stages.videos.audio.read_sound` does."""


@dataclass(frozen=True)
class File:
    """A video or photo."""

    path: Path

    @property
    def photo(self) -> bool:
        """Whether it is one still picture."""
        return is_photo(self.path)

    def frames(self, log: Log) -> Iterator[tuple[float, Image]]:
        """Decode the pictures."""
        return read_frames(self.path, log)

    def sound(self, rate: int, notes: list[str]) -> Iterator[Block]:
        """Decode the sound."""
        return read_sound(self.path, rate, notes)


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, or as they come.

    Attributes
    ----------
    images : iterable of (height, width, 3) uint8 np.ndarray
        RGB, upright; gone through once.
    fps : float
        Frames a second; the first is at 0 seconds.
    samples : (samples,) or (samples, channels) np.ndarray or None
        Sound from 0 seconds on: float of full scale 1, or integers.
    sampling_rate : int
        Hz.
    photo : bool
        Whether it is one still picture.
    """

    images: Iterable[Image]
    fps: float
    samples: NDArray[np.generic] | None = None
    sampling_rate: int = 0
    photo: bool = False

    def frames(self, log: Log) -> Iterator[tuple[float, Image]]:
        """Yield the pictures with their times."""
        number = 0
        for number, image in enumerate(self.images, start=1):
            yield (number - 1) / self.fps, _checked(image, number)
        if not number:
            raise DataError("There are no frames: nothing can be predicted.")

    def sound(self, rate: int, notes: list[str]) -> Iterator[Block]:
        """Yield the sound at another rate."""
        if self.samples is not None:
            yield from read_samples(self.samples, self.sampling_rate, rate)


def _checked(image: object, number: int) -> Image:
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"Frame {number} is of the type {type(image).__name__}: frames are NumPy arrays "
            "(height, width, 3) of uint8, RGB."
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise DataError(
            f"Frame {number} is {image.dtype} of the shape {image.shape}: frames are uint8, RGB, "
            "(height, width, 3)."
        )
    return np.ascontiguousarray(image)
