"""What is predicted: timed pictures and the sound beside them, of a file or in memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.videos.audio import read_samples, read_sound
from stages.videos.clock import Log
from stages.videos.decoding import decode, open_video
from stages.videos.display import Shown
from stages.videos.photo import is_photo, is_picture

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


Section = tuple[float | None, float | None]
WHOLE: Section = (None, None)
SLACK = 1e-6  # seconds, rounding of times
AROUND = 1.0  # seconds of sound that are heard before and after a section


def section_of(about: Mapping[str, Any]) -> Section:
    """First and last seconds of which ``NAME.json`` tells; None where there is no bound."""
    options = about.get("options", {})
    return options.get("start"), options.get("end")


def _decoded(path: Path, log: Log, start: float | None) -> Iterator[tuple[float, Shown]]:
    """Decode from the key frame before a time on, or from the first where that fails."""
    frames = cast(Generator[tuple[float, Shown], None, None], decode(path, log, start))
    with closing(frames) as it:
        first = next(it, None)
        if start is None or (first is not None and first[0] <= start + SLACK):
            if first is not None:
                yield first
            yield from it
            return
    yield from decode(path, log)


def section_frames(path: Path, log: Log, section: Section = WHOLE) -> Iterator[tuple[float, Shown]]:
    """Decode the pictures from a time on and before another; of a photo its one.

    Parameters
    ----------
    path : Path
    log : Log
        Takes what goes wrong.
    section : (float or None, float or None)
        Seconds on the clock of the file.

    Yields
    ------
    float
        Presentation time in seconds on the clock of the file.
    Shown

    Raises
    ------
    DataError
        When the file cannot be opened, or nothing of the section decodes.
    """
    start, end = WHOLE if is_photo(path) else section
    first = last = None
    empty = True
    for time, shown in _decoded(path, log, start):
        first = time if first is None else first
        last = time
        if end is not None and time >= end - SLACK:
            break
        if start is None or time >= start - SLACK:
            empty = False
            yield time, shown
    if last is None:
        raise DataError(f"No picture of {path} can be decoded: it is damaged, copy it again.")
    if empty:
        late = start is not None and last < start
        what = f"its last picture is at {last:.3f}" if late else f"it has one at {last:.3f}"
        bounds = " and ".join(
            f"{word} {value:g}"
            for word, value in (("from", start), ("before", end))
            if value is not None
        )
        raise DataError(f"{path} has no picture {bounds} seconds: {what} seconds.")


@dataclass(frozen=True)
class File:
    """A video or photo, or the part of a video between two times in seconds."""

    path: Path
    section: Section = WHOLE

    @property
    def photo(self) -> bool:
        """Whether it is one still picture."""
        return is_photo(self.path)

    def frames(self, log: Log) -> Iterator[tuple[float, Image]]:
        """Decode the pictures."""
        for time, shown in section_frames(self.path, log, self.section):
            yield time, shown.rgb()

    def sound(self, rate: int, notes: list[str]) -> Iterator[Block]:
        """Decode the sound, of a part of the video with a second around it."""
        start, end = self.section
        sound = cast(Generator[Block, None, None], read_sound(self.path, rate, notes))
        with closing(sound) as blocks:
            for time, samples in blocks:
                if end is not None and time > end + AROUND:
                    return
                if start is None or time + len(samples) / rate > start - AROUND:
                    yield time, samples


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


def player_start(video: Path) -> float:
    """Time in seconds on the file's clock at which its first stream starts; some players' 0."""
    if is_picture(video):
        return 0.0
    with open_video(video) as (container, _):
        starts = [
            float(stream.start_time * stream.time_base)
            for stream in container.streams
            if stream.type in ("video", "audio") and stream.start_time is not None
        ]
    return max(min(starts, default=0.0), 0.0)
