"""The sound of an overlay, beside the pictures as far as they have come."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from stages.inference.footage import WHOLE, Section
from stages.videos.audio import GAP_SECONDS, sound_blocks
from stages.videos.clock import PAUSE_SECONDS, Log
from stages.videos.decoding import packets_of, sound_of

COPIED: Final = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # MP4 players read them
SHORT_PAUSE: Final = 1.0  # seconds that a pause of the pictures of more than a minute takes
BITEXACT: Final = 1 << 23  # AV_CODEC_FLAG_BITEXACT
_RATES: Final = (16000, 22050, 24000, 32000, 44100, 48000)  # Hz


class Pauses:
    """Where the pictures pause for long, which an overlay cuts short: nobody watches a still.

    Parameters
    ----------
    begin : float
        Seconds of the video that come before the overlay's begin.
    """

    def __init__(self, begin: float = 0.0) -> None:
        self._last: float | None = None
        self._middles: list[float] = []  # seconds on the video's clock
        self._cuts = [begin]  # seconds left out so far, from each middle on

    def see(self, time: float) -> None:
        """Note a picture's time in seconds."""
        if self._last is not None and time - self._last > PAUSE_SECONDS:
            self._middles.append((self._last + time) / 2)
            self._cuts.append(self._cuts[-1] + time - self._last - SHORT_PAUSE)
        self._last = time

    def written(self, time: float) -> float:
        """Time in the overlay of a time in the video; both in seconds."""
        return time - self._cuts[bisect_right(self._middles, time)]


def _copied(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Packets of a sound track, with their times in seconds."""
    last = -np.inf
    for packet in packets_of(container, stream, Log()):
        if packet is None or packet.dts is None or packet.dts <= last:
            continue
        last = packet.dts
        # an edit list may hide packets; MP4 hides again those that lie before 0
        if not packet.is_discard or (packet.pts or 0) < 0:
            yield float(packet.dts * packet.time_base), packet


class Sound:
    """The sound track on its way from file to file.

    Parameters
    ----------
    video : Path
    container : av.container.InputContainer or None
        The video, opened for its sound alone; None where there is none.
    output : av.container.OutputContainer
    pauses : Pauses
    section : (float or None, float or None)
        Seconds: sound before and after is left out.
    """

    def __init__(
        self, video: Path, container: Any, output: Any, pauses: Pauses, section: Section = WHOLE
    ) -> None:
        self._parts: Iterator[tuple[float, Any]] = iter(())
        self._output, self._pauses, self._section = output, pauses, section
        self._target: Any = None
        self._next: tuple[float, Any] | None = None
        self._position = -(2**62)  # in samples, where what was encoded ends
        stream = None if container is None else sound_of(video, container)[0]
        if stream is None:
            return
        self._copy = stream.codec_context.codec.canonical_name in COPIED
        if self._copy:
            self._target = output.add_stream_from_template(stream)
            self._parts = _copied(container, stream)
            return
        layout = "mono" if stream.channels == 1 else "stereo"
        self._rate = stream.rate if stream.rate in _RATES else 48000
        self._target = output.add_stream("aac", rate=self._rate, layout=layout)
        self._target.codec_context.flags |= BITEXACT
        self._target.codec_context.bit_rate = 128_000
        blocks = sound_blocks(video, container, self._rate, layout)
        self._parts = encoder_frames(blocks, self._rate, layout)

    def until(self, time: float) -> None:
        """Write all that is heard up to a time in seconds."""
        while True:
            if self._next is None:
                with contextlib.suppress(av.error.FFmpegError):  # cut off: what is there is kept
                    self._next = next(self._parts, None)
            if self._next is None or self._next[0] > time:
                return
            (begin, part), self._next = self._next, None
            start, end = self._section
            if start is not None and begin < start:
                continue
            if end is not None and begin >= end:
                self._parts = iter(())
                return
            shown = self._pauses.written(begin)
            if self._copy:
                shift = round((shown - begin) / part.time_base)
                part.dts += shift
                part.pts = part.dts if part.pts is None else part.pts + shift
                part.stream = self._target
                self._output.mux(part)
                continue
            self._position = max(round(shown * self._rate), self._position)
            part.pts, part.time_base = self._position, Fraction(1, self._rate)
            self._position += part.samples
            self._output.mux(self._target.encode(part))

    def finish(self) -> None:
        """Write what is left."""
        self.until(np.inf)
        if self._target is not None and not self._copy:
            self._output.mux(self._target.encode(None))


def encoder_frames(
    blocks: Iterator[tuple[float, NDArray[np.float32]]], rate: int, layout: str, size: int = 1024
) -> Iterator[tuple[float, Any]]:
    """Cut sound into frames of the size that an encoder takes; silence fills up before a gap.

    Yields
    ------
    float
        Presentation time in seconds.
    av.AudioFrame
        Without a time stamp.
    """
    rest: NDArray[np.float32] | None = None
    start = 0.0  # of the rest, in seconds
    for time, samples in blocks:
        if rest is None:
            rest, start = samples[:, :0], time
        elif time - (start + rest.shape[1] / rate) > GAP_SECONDS:
            if rest.shape[1]:
                yield start, _encoder_frame(rest, rate, layout, size)
            rest, start = samples[:, :0], time
        rest = np.concatenate([rest, samples], axis=1)
        whole = rest.shape[1] - rest.shape[1] % size
        for first in range(0, whole, size):
            part = rest[:, first : first + size]
            yield start + first / rate, _encoder_frame(part, rate, layout, size)
        rest, start = rest[:, whole:], start + whole / rate
    if rest is not None and rest.shape[1]:
        yield start, _encoder_frame(rest, rate, layout, size)


def _encoder_frame(samples: NDArray[np.float32], rate: int, layout: str, size: int) -> Any:
    filled = np.pad(samples, ((0, 0), (0, size - samples.shape[1])))
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(filled), "fltp", layout)
    frame.sample_rate = rate
    return frame
