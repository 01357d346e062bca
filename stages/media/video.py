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
from stages.media.decoding import (
    DEFAULT_FRAME_RATE,
    Log,
    decode,
    frame_rate,
    open_video,
    pictures,
)
from stages.media.photo import expected_pictures, is_picture, picture_frames

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
        Size of the picture in pixels, after rotation for display.
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


def _quarter_turns(frame: Any) -> int:
    """Quarter turns against the clock that bring the picture upright, 0 to 3."""
    return int(round(frame.rotation / 90) % 4)


def _info(container: Any, stream: Any, frame: Any) -> VideoInfo:
    turned = _quarter_turns(frame) % 2 == 1
    sounds = container.streams.audio
    start = 0.0
    if sounds and sounds[0].start_time is not None:
        start = float(sounds[0].start_time * sounds[0].time_base)
    return VideoInfo(
        width=frame.height if turned else frame.width,
        height=frame.width if turned else frame.height,
        frame_rate=frame_rate(stream),
        header_frames=stream.frames,
        sound=bool(sounds),
        sound_start=start,
    )


def _no_frame(path: Path) -> DataError:
    return DataError(f"No picture of {path} can be decoded: it is damaged, copy it again.")


def probe(path: Path) -> VideoInfo:
    """Read a video's header and its first picture.

    Raises
    ------
    DataError
        If the file cannot be opened, has no picture stream or no picture that decodes.
    """
    if is_picture(path):
        _, frame = next(picture_frames(path))
        frames = expected_pictures(path)
        return VideoInfo(frame.width, frame.height, DEFAULT_FRAME_RATE, frames, False, 0.0)
    with open_video(path) as (container, stream):
        for frame in pictures(container, stream, Log()):
            return _info(container, stream, frame)
    raise _no_frame(path)


def scan(path: Path) -> Scan:
    """Decode a whole video for its presentation times.

    Raises
    ------
    DataError
        If the file cannot be opened, has no picture stream or no picture that decodes.
    """
    info, log = probe(path), Log()
    times = [time for time, _ in decode(path, log)]
    problems = log.sentences()
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
        The picture in RGB, upright.

    Raises
    ------
    DataError
        If the file cannot be opened, has no picture stream or no picture that decodes. Damage in
        the middle is skipped: :func:`scan` tells of it.
    """
    empty = True
    for time, frame in decode(path, log or Log()):
        empty = False
        picture = frame.to_ndarray(format="rgb24")
        turns = _quarter_turns(frame)
        yield time, np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
    if empty:
        raise _no_frame(path)
