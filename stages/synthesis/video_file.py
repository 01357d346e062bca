"""Writes an MP4 file, H.264 and AAC, with true presentation times: same input, same bytes."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

CLOCK: Final = 90_000  # ticks a second of the pictures' presentation times
# mbtree reads memory that nothing has written: bytes would differ from run to run
_X264: Final = "threads=1:mbtree=0"
_SOUND_BLOCK: Final = 1024  # samples of an AAC frame


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    times: NDArray[np.float64],
    *,
    crf: int,
    sound: NDArray[np.float32] | None = None,
    sample_rate: int = 48_000,
    bit_rate: int = 64_000,
    sound_start: float = 0.0,
) -> None:
    """Write pictures and sound into one file, in memory that does not grow with its length.

    Parameters
    ----------
    path : Path
        File to write; its ending may be anything.
    frames : iterable of (height, width, 3) uint8 np.ndarray
        RGB, as many as `times`; height and width are even.
    times : (frames,) float64 np.ndarray
        Presentation times in seconds, rising from 0.
    crf : int
        Quality of libx264: 18 is good, 34 poor.
    sound : (channels, samples) float32 np.ndarray, optional
        None for a file without a sound track.
    sample_rate : int
        Hz.
    bit_rate : int
        Of the sound, bits a second.
    sound_start : float
        Seconds on the pictures' clock at which the first sample is heard.
    """
    # `bitexact` leaves out the names of the encoders, times of writing and random identifiers
    with av.open(
        str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}
    ) as container:
        gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
        pictures = container.add_stream("libx264", rate=Fraction(1 / gap).limit_denominator(1001))
        context = pictures.codec_context
        context.thread_count = 1  # the split of work over threads would show in the bytes
        context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, CLOCK)
        context.options = {"crf": str(crf), "preset": "veryfast", "x264-params": _X264}
        track = None if sound is None else _sound_stream(container, sound, sample_rate, bit_rate)
        blocks = _sound_blocks(sound, sample_rate, sound_start)
        block = next(blocks, None)
        for image, time in zip(frames, times, strict=True):
            if context.width != image.shape[1] or context.height != image.shape[0]:
                context.width, context.height = image.shape[1], image.shape[0]
            while block is not None and track is not None and block.pts / sample_rate <= time:
                container.mux(track.encode(block))
                block = next(blocks, None)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time * CLOCK), Fraction(1, CLOCK)
            container.mux(pictures.encode(frame))
        while block is not None and track is not None:
            container.mux(track.encode(block))
            block = next(blocks, None)
        container.mux(pictures.encode(None))
        if track is not None:
            container.mux(track.encode(None))


def _sound_stream(
    container: av.container.OutputContainer,
    sound: NDArray[np.float32],
    sample_rate: int,
    bit_rate: int,
) -> av.AudioStream:
    layout = "mono" if len(sound) == 1 else "stereo"
    track = container.add_stream("aac", rate=sample_rate, layout=layout)
    track.codec_context.bit_rate = bit_rate
    track.codec_context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT
    track.codec_context.thread_count = 1
    track.codec_context.options = {"aac_coder": "fast"}  # the slow one costs as much as x264
    return track


def _sound_blocks(
    sound: NDArray[np.float32] | None, sample_rate: int, start: float
) -> Iterator[av.AudioFrame]:
    if sound is None:
        return
    layout = "mono" if len(sound) == 1 else "stereo"
    first = round(start * sample_rate)
    for position in range(0, sound.shape[1], _SOUND_BLOCK):
        block = np.ascontiguousarray(sound[:, position : position + _SOUND_BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = sample_rate, Fraction(1, sample_rate)
        frame.pts = first + position
        yield frame
