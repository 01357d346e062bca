"""Pictures of a video file with their true presentation times, in bounded memory.

Times are seconds on the clock of the file (presentation time stamp times time base), the same
clock for picture and sound, not shifted to start at 0. Headers are not believed: the number of
frames is the number of frames that decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.videos.clock import Log
from stages.videos.decoding import (
    DEFAULT_FRAME_RATE,
    decode,
    frame_rate,
    open_video,
    pictures,
    promised_pictures,
    sound_of,
)
from stages.videos.display import Shown, pixel_aspect
from stages.videos.photo import expected_pictures, is_picture, picture_frames

EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv")

# A step from frame to frame that differs from the median step by more than this share of it makes
# the frame rate variable; rounding to milliseconds (Matroska) stays below it up to 250 Hz.
VARIABLE_STEP = 0.25


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of itself.

    Attributes
    ----------
    width, height : int
        Size of the picture in pixels as it is shown: upright, with square pixels.
    frame_rate : float
        Average frame rate in Hz by the header.
    header_frames : int
        Number of frames by the header; 0 where it does not say, and often wrong.
    sound : bool
        True where there is a sound track.
    sound_start : float
        Presentation time in seconds of the first sound; 0 where there is none.
    """

    width: int
    height: int
    frame_rate: float
    header_frames: int
    sound: bool
    sound_start: float


@dataclass(frozen=True)
class Scan:
    """What decoding a whole video has shown.

    Attributes
    ----------
    info : VideoInfo
        What the file says of itself.
    timestamps : (frames,) np.ndarray
        Presentation times in seconds.
    problems : tuple of str
        Sentences about damage.
    """

    info: VideoInfo
    timestamps: NDArray[np.float64]
    problems: tuple[str, ...]

    @property
    def frame_rate(self) -> float:
        """Average frame rate in Hz, from the presentation times."""
        if len(self.timestamps) < 2:
            return self.info.frame_rate
        span = float(self.timestamps[-1] - self.timestamps[0])
        return (len(self.timestamps) - 1) / span if span > 0 else self.info.frame_rate

    @property
    def variable_frame_rate(self) -> bool:
        """True where the time from frame to frame varies."""
        steps = np.diff(self.timestamps)
        if not len(steps):
            return False
        usual = float(np.median(steps))
        return bool(np.abs(steps - usual).max() > VARIABLE_STEP * usual)


def _info(path: Path, container: Any, stream: Any, frame: Any) -> tuple[VideoInfo, str]:
    """What a file says of itself, and a sentence on the choice of its sound."""
    width, height = Shown(frame, pixel_aspect(stream)).size
    sound, note = sound_of(path, container)
    start = 0.0
    if sound is not None and sound.start_time is not None:
        start = float(sound.start_time * sound.time_base)
    info = VideoInfo(
        width=width,
        height=height,
        frame_rate=frame_rate(stream),
        header_frames=promised_pictures(stream),
        sound=sound is not None,
        sound_start=start,
    )
    return info, note


def _no_frame(path: Path) -> DataError:
    return DataError(f"No picture of {path} can be decoded: it is damaged, copy it again.")


def _probe(path: Path) -> tuple[VideoInfo, str]:
    if is_picture(path):
        _, frame = next(picture_frames(path))
        frames = expected_pictures(path)
        return VideoInfo(frame.width, frame.height, DEFAULT_FRAME_RATE, frames, False, 0.0), ""
    with open_video(path) as (container, stream):
        for frame in pictures(container, stream, Log()):
            return _info(path, container, stream, frame)
    raise _no_frame(path)


def scan(path: Path) -> Scan:
    """Decode a whole video for its presentation times.

    Raises
    ------
    DataError
        If the file cannot be opened, has no picture stream or no picture that decodes.
    """
    (info, note), log = _probe(path), Log()
    times = [time for time, _ in decode(path, log)]
    problems = (*log.sentences(), *filter(None, [note]))
    if len(times) < info.header_frames:
        problems += (f"The header promises {info.header_frames} pictures, {len(times)} decode.",)
    return Scan(info, np.asarray(times, np.float64), problems)


def read_frames(path: Path, log: Log | None = None) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Decode a video picture by picture, in the order of display.

    Parameters
    ----------
    path : Path
        Video file.
    log : Log, optional
        Takes what goes wrong.

    Yields
    ------
    float
        Presentation time in seconds on the clock of the file.
    (height, width, 3) uint8 np.ndarray
        The picture in RGB, upright, with square pixels.

    Raises
    ------
    DataError
        If the file cannot be opened, has no picture stream or no picture that decodes. Damage in
        the middle is skipped: :func:`scan` tells of it.
    """
    empty = True
    for time, shown in decode(path, Log() if log is None else log):
        empty = False
        yield time, shown.rgb()
    if empty:
        raise _no_frame(path)
