"""Sound of a video file with its true presentation time, in bounded memory.

Times are seconds on the clock of the file, the same clock as that of the pictures
(:mod:`stages.media.video`): a sound track that starts late starts late here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import format_dtypes  # of samples that numpy can hold
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.media.decoding import open_video, raise_if_of_the_machine
from stages.media.photo import is_picture

RATE = 16_000  # Hz, what speech encoders are trained on
# A decoded frame whose time differs by more than this from where the samples before it end starts
# after a gap (or overlaps); less is rounding of time stamps (Matroska: 1 ms) or a clock's jitter.
GAP_SECONDS = 0.05


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = stream.decode(packet)
        except (StopIteration, av.error.EOFError):
            return
        except av.error.InvalidDataError:  # damage in the middle: its time becomes a gap
            continue
        except av.error.FFmpegError as error:
            raise_if_of_the_machine(error)
            return
        yield from frames


def _joined(frames: list[Any]) -> Any:
    """Make one frame of consecutive frames of one kind; handing each over takes time."""
    if len(frames) == 1:
        return frames[0]
    samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    first = frames[0]
    joined = av.AudioFrame.from_ndarray(samples, first.format.name, first.layout.name)
    joined.sample_rate = first.sample_rate
    return joined


def _blocks(frames: Iterator[Any]) -> Iterator[tuple[float | None, Any]]:
    """Join frames to about a second; with a time in seconds where a stretch without gap begins."""
    shape: tuple[int, str, str] | None = None
    expected = 0.0  # seconds, where the samples so far end
    begins: float | None = None
    waiting: list[Any] = []
    size = 0
    for frame in frames:
        if not frame.samples:
            continue
        rate = frame.sample_rate
        time = expected if frame.pts is None else frame.time
        described = (rate, frame.layout.name, frame.format.name)
        full = size + frame.samples > rate or frame.format.name not in format_dtypes
        if described != shape or abs(time - expected) > GAP_SECONDS:
            if waiting:
                yield begins, _joined(waiting)
            shape, expected, begins = described, time, time
            waiting, size = [], 0
        elif full:
            yield begins, _joined(waiting)
            waiting, size, begins = [], 0, None
        expected += frame.samples / rate
        waiting.append(frame)
        size += frame.samples
    if waiting:
        yield begins, _joined(waiting)


def _resampled(
    frames: Iterator[Any], rate: int
) -> Iterator[tuple[float | None, NDArray[np.float32]]]:
    """Yield mono samples at `rate`; with a time in seconds where a stretch without gap begins."""
    resampler: Any = None
    start: float | None = None
    for time, block in _blocks(frames):
        if time is not None:
            if resampler is not None:
                for part in resampler.resample(None):
                    yield start, part.to_ndarray()[0]
            resampler, start = av.AudioResampler(format="flt", layout="mono", rate=rate), time
        block.pts = None  # gaps are mended by _gapless; the resampler shall only resample
        for part in resampler.resample(block):
            yield start, part.to_ndarray()[0]
            start = None
    if resampler is not None:
        for part in resampler.resample(None):
            yield start, part.to_ndarray()[0]
            start = None


def _gapless(
    stretches: Iterator[tuple[float | None, NDArray[np.float32]]], rate: int
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Fill gaps with silence and cut overlaps off, so that sample k is at start + k / rate."""
    origin = 0.0
    done = 0  # samples yielded
    surplus = 0  # samples of an overlap that are still to be cut off
    for number, (time, samples) in enumerate(stretches):
        if number == 0:
            origin = time or 0.0
        elif time is not None:
            missing = round((time - origin) * rate) - done
            surplus = max(-missing, 0)
            while missing > 0:
                silence = np.zeros(min(missing, rate), np.float32)
                yield origin + done / rate, silence
                done += len(silence)
                missing -= len(silence)
        kept = samples[surplus:]
        surplus -= len(samples) - len(kept)
        if len(kept):
            yield origin + done / rate, kept
            done += len(kept)


_SAMPLES = {"f4": "flt", "f8": "dbl", "i2": "s16", "i4": "s32"}


def _in_memory(samples: NDArray[Any], rate: int) -> Iterator[Any]:
    """Frames of about a second."""
    channels = samples.reshape(len(samples), -1)
    kind = _SAMPLES[channels.dtype.str[1:]]
    layout = {1: "mono", 2: "stereo"}.get(channels.shape[1], f"{channels.shape[1]} channels")
    for first in range(0, len(channels), rate):
        block = np.ascontiguousarray(channels[first : first + rate]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, kind, layout)
        frame.sample_rate = rate
        yield frame


def read_samples(
    samples: NDArray[Any], sampling_rate: int, rate: int = RATE
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Resample sound in memory, as :func:`read_sound` does that of a file.

    Parameters
    ----------
    samples : (samples,) or (samples, channels) np.ndarray
        float32 or float64 of full scale 1, or int16 or int32; the first is at 0 seconds.
    sampling_rate : int
        Hz.
    rate : int
        Hz, to convert to.

    Yields
    ------
    float
        Time in seconds of the block's first sample.
    (samples,) np.ndarray
        float32, mono, full scale 1.

    Raises
    ------
    DataError
        When the samples are of another type or shape.
    """
    values = np.asarray(samples)
    if values.dtype.str[1:] not in _SAMPLES or values.ndim not in (1, 2) or sampling_rate < 1:
        raise DataError(
            f"The sound is {values.dtype} of the shape {values.shape} at {sampling_rate} Hz: it "
            "needs samples (samples,) or (samples, channels) of float32, float64, int16 or int32, "
            "and their rate in Hz."
        )
    if values.ndim == 2 and values.shape[1] not in (1, 2):
        if values.shape[0] in (1, 2):
            raise DataError(
                f"The sound has the shape {values.shape}: samples come first, (samples, channels)."
            )
        scale = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
        values = (values.mean(axis=1, dtype=np.float64) / scale).astype(np.float32)
    yield from _gapless(_resampled(_in_memory(values, int(sampling_rate)), rate), rate)


def read_sound(path: Path, rate: int = RATE) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Decode the first sound track of a file as one gapless signal.

    Parameters
    ----------
    path : Path
        Video file.
    rate : int
        Sampling rate to convert to, in Hz.

    Yields
    ------
    float
        Presentation time in seconds of the block's first sample.
    (samples,) np.ndarray
        float32, mono, full scale 1; blocks of a second at most, each beginning where the one
        before it ends. A gap in the time stamps is filled by silence, an overlap is cut off.
        Nothing is yielded where the file has no sound track, or none that decodes.

    Raises
    ------
    DataError
        If the file cannot be opened or has no pictures.
    """
    if is_picture(path):
        return
    with open_video(path) as (container, _):
        streams = container.streams.audio
        if streams and streams[0].codec_context is not None:
            yield from _gapless(_resampled(_decoded(container, streams[0]), rate), rate)
