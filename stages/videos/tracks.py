"""Which of several streams of pictures, or of sound, a video is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import av
import numpy as np
from av.audio.frame import format_dtypes  # of samples that numpy can hold

LOOKED_AT: Final = 3000  # packets, from a file's beginning, to tell a thumbnail from a video
FEW: Final = 0.25  # of the most packets: a stream with fewer is thumbnails or slides
HEARD: Final = 1e-3  # of full scale: -60 dB; what stays below is silence
PATIENCE: Final = 30.0  # seconds that an earlier track may stay silent after a later one is heard

NUMBERS: Final = ("first", "second", "third", "fourth", "fifth")

Opener = Callable[[], Any]  # opens the file anew


def _ordinal(position: int) -> str:
    return NUMBERS[position] if position < len(NUMBERS) else f"{position + 1}th"


def moving_pictures(container: Any, decodable: bool = True) -> list[Any]:
    """Streams of pictures that are no cover of a sound file, and that a decoder is there for."""
    stills = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return [
        stream
        for stream in container.streams.video
        if not stream.disposition & stills and (stream.codec_context is not None or not decodable)
    ]


def choose_pictures(streams: list[Any], again: Opener) -> tuple[Any, str]:
    """Choose the video among several streams of pictures.

    Parameters
    ----------
    streams : list of av.video.stream.VideoStream
        Not empty.
    again : callable
        Opens the file anew, to count packets.

    Returns
    -------
    av.video.stream.VideoStream
        Of those that hold many pictures the one marked as default, else the first.
    str
        A sentence on the choice; ``""`` where there was none.
    """
    if len(streams) == 1:
        return streams[0], ""
    indices = [stream.index for stream in streams]
    count: Counter[int] = Counter()
    with again() as container:
        try:
            for packet in islice(
                container.demux(*(container.streams[i] for i in indices)), LOOKED_AT
            ):
                count[packet.stream.index] += packet.size > 0
        except av.error.FFmpegError:
            pass  # cut off: what is there counts
    least = FEW * max(count.values(), default=0)
    many = [stream for stream in streams if count[stream.index] >= least] or streams
    marked = [s for s in many if s.disposition & av.stream.Disposition.default]
    chosen = (marked or many)[0]
    which = _ordinal(indices.index(chosen.index))
    return chosen, f"The file has {len(streams)} streams of pictures: the {which} is taken."


def loudness(frame: Any) -> float:
    """Largest sample of a frame of sound, 1 at full scale."""
    if frame.format.name not in format_dtypes or not frame.samples:
        return 1.0
    samples = frame.to_ndarray()
    return float(np.abs(scaled(samples)).max(initial=0.0))


def scaled(samples: Any) -> Any:
    """Bring samples of any type to float32 with full scale 1."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / np.float32(128)
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)


def sounds_of(container: Any) -> list[Any]:
    """Sound tracks that a decoder is there for."""
    return [one for one in container.streams.audio if one.codec_context is not None]


@lru_cache(maxsize=64)
def _heard(again: Opener, indices: tuple[int, ...]) -> int:
    """Position of the first track with sound in it; 0 where all are silent."""
    first: dict[int, float] = {}  # when each was heard first, by position
    with again() as container:
        try:
            for packet in container.demux(*(container.streams[i] for i in indices)):
                position = indices.index(packet.stream.index)
                now = float((packet.pts or 0) * packet.time_base) if packet.time_base else 0.0
                if first and now - min(first.values()) > PATIENCE:
                    break
                if position in first:
                    continue
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    continue
                if any(loudness(frame) > HEARD for frame in frames):
                    first[position] = now
                    if position == 0:
                        break
        except av.error.FFmpegError:
            pass  # cut off: what was heard counts
    return min(first, default=0)


def choose_sound(container: Any, again: Opener) -> tuple[Any, str]:
    """Choose the sound of a video: the first track that is not silent.

    Parameters
    ----------
    container : av.container.InputContainer
    again : callable
        Opens the file anew, to listen; equal for the same file.

    Returns
    -------
    av.audio.stream.AudioStream or None
        None where there is no sound that can be decoded.
    str
        A sentence on the choice; ``""`` where there was none.
    """
    streams = sounds_of(container)
    if not streams:
        return None, ""
    if len(streams) == 1:
        return streams[0], ""
    position = _heard(again, tuple(stream.index for stream in streams))
    silent = "" if position == 0 else ", the first that is not silent"
    return (
        streams[position],
        f"The file has {len(streams)} sound tracks: the {_ordinal(position)} is taken{silent}.",
    )
