"""What browsers show in place of an upload: an H.264 copy with its times, or a photo as JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from stages.videos.audio import read_sound
from stages.videos.decoding import OWN
from stages.videos.photo import read_photo
from stages.videos.video import read_frames

SIDE: Final = 960  # pixels, longer side at most
CLOCK: Final = 90_000  # ticks a second of presentation times
SOUND_RATE: Final = 48_000  # Hz
_BLOCK: Final = 1024  # samples of an AAC frame


def write_preview(video: Path, path: Path, start: float) -> None:
    """Write a video as MP4 with H.264 and AAC.

    Parameters
    ----------
    video : Path
    path : Path
        File to write.
    start : float
        Presentation time in seconds that becomes 0.

    Raises
    ------
    DataError
        If no picture decodes.
    """
    sound = _sound_frames(video, start)
    block = next(sound, None)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = f"{OWN}preview"
        stream: Any = container.add_stream("libx264", rate=25)
        stream.codec_context.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        stream.codec_context.options = {"crf": "26", "preset": "veryfast"}
        track: Any = None
        if block is not None:
            track = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
            track.codec_context.bit_rate = 96_000
        size: tuple[int, int] | None = None
        last, step = -1, 0
        for time, picture in read_frames(video):
            if size is None:
                size = _size(picture)
                stream.codec_context.width, stream.codec_context.height = size
            while block is not None and block.pts / SOUND_RATE <= time - start:
                container.mux(track.encode(block))
                block = next(sound, None)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(*size, format="yuv420p")
            now = max(round((time - start) * CLOCK), last + 1)
            last, step = now, now - last
            frame.pts, frame.time_base = last, Fraction(1, CLOCK)
            container.mux(stream.encode(frame))
        # sound that goes on after the pictures is left out: the page tells the player's clock by
        # how long the video is
        while block is not None and block.pts / SOUND_RATE < (last + step) / CLOCK:
            container.mux(track.encode(block))
            block = next(sound, None)
        container.mux(stream.encode(None))
        if track is not None:
            container.mux(track.encode(None))


def write_picture(photo: Path, path: Path) -> None:
    """Write a photo as JPEG, upright and no larger than a page needs.

    Parameters
    ----------
    photo : Path
    path : Path
        File to write.

    Raises
    ------
    DataError
        If the photo cannot be read.
    """
    from PIL import Image

    image = Image.fromarray(read_photo(photo))
    image.thumbnail((SIDE, SIDE))
    image.save(path, "JPEG", quality=90)


def _size(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height, even, no larger than `SIDE`."""
    height, width = picture.shape[:2]
    factor = min(1.0, SIDE / max(height, width))
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)


def _sound_frames(video: Path, start: float) -> Iterator[Any]:
    """Sound in frames of AAC's size, with presentation times counted from `start`."""
    rest = np.zeros(0, np.float32)
    position: int | None = None
    for time, samples in read_sound(video, SOUND_RATE):
        if position is None:
            position = round((time - start) * SOUND_RATE)
            samples, position = samples[max(-position, 0) :], max(position, 0)
        rest = np.concatenate([rest, samples])
        while len(rest) >= _BLOCK:
            yield _sound_frame(rest[:_BLOCK], position)
            rest, position = rest[_BLOCK:], position + _BLOCK
    if position is not None and len(rest):
        yield _sound_frame(rest, position)


def _sound_frame(samples: NDArray[np.float32], position: int) -> Any:
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples)[None], format="fltp", layout="mono"
    )
    frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE, Fraction(1, SOUND_RATE), position
    return frame
