"""Sound of a video file with its true presentation time, in bounded memory.

Times are seconds on the clock of the file, the same clock as that of the pictures
(:mod:`stages.videos.video`): a sound track that starts late starts late here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import format_dtypes  # of samples that numpy can hold
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.videos.clock import PAUSE_SECONDS, Log
from stages.videos.decoding import open_video, packets_of, raise_if_of_the_machine, sound_of
from stages.videos.photo import is_picture
from stages.videos.tracks import scaled

RATE = 16_000  # Hz, what speech encoders are trained on
# A decoded frame whose time differs by more than this from where the samples before it end starts
# after a gap (or overlaps); less is rounding of time stamps (Matroska: 1 ms) or a clock's jitter.
GAP_SECONDS = 0.05
# layouts whose channels FFmpeg mixes by their places; of others the mean is taken
_MIXED = frozenset((
    "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1", "5.1",
    "5.1(side)", "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0",
    "7.0(front)", "7.1", "7.1(wide)", "7.1(wide-side)", "octagonal",
))  # fmt: skip


def _decoded(container: Any, stream: Any, notes: list[str]) -> Iterator[Any]:
    packets = packets_of(container, stream, Log())
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
        for frame in frames:
            yield frame if _can_be_mixed(frame) else _averaged(frame, notes)


def _can_be_mixed(frame: Any) -> bool:
    """Whether FFmpeg knows where the channels are; ``9 channels`` are nowhere."""
    layout = frame.layout
    return layout.nb_channels <= 2 or layout.name in _MIXED


def _averaged(frame: Any, notes: list[str]) -> Any:
    """Mix a frame of channels whose places nobody knows: their mean."""
    count = frame.layout.nb_channels
    note = f"Nobody knows where the sound's {count} channels are: their mean is taken."
    if note not in notes:
        notes.append(note)
    if frame.format.name in format_dtypes:
        samples = scaled(frame.to_ndarray())
        if samples.shape[0] == 1:  # channels take turns
            samples = samples.reshape(-1, count).T
        mixed = samples.mean(axis=0, dtype=np.float32)
    else:
        mixed = np.zeros(frame.samples, np.float32)
    mono = av.AudioFrame.from_ndarray(np.ascontiguousarray(mixed)[None], "fltp", "mono")
    mono.sample_rate, mono.pts, mono.time_base = frame.sample_rate, frame.pts, frame.time_base
    return mono


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
    frames: Iterator[Any], rate: int, layout: str
) -> Iterator[tuple[float | None, NDArray[np.float32]]]:
    """Yield (channels, samples) at `rate`; with a time where a stretch without gap begins."""
    resampler: Any = None
    start: float | None = None
    for time, block in _blocks(frames):
        if time is not None:
            if resampler is not None:
                for part in resampler.resample(None):
                    yield start, part.to_ndarray()
            resampler, start = av.AudioResampler(format="fltp", layout=layout, rate=rate), time
        block.pts = None  # gaps are mended by _gapless; the resampler shall only resample
        for part in resampler.resample(block):
            yield start, part.to_ndarray()
            start = None
    if resampler is not None:
        for part in resampler.resample(None):
            yield start, part.to_ndarray()
            start = None


def _gapless(
    stretches: Iterator[tuple[float | None, NDArray[np.float32]]], rate: int
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Fill gaps with silence and cut overlaps off; a long gap stays a gap."""
    origin = 0.0
    done = 0  # samples yielded
    surplus = 0  # samples of an overlap that are still to be cut off
    for number, (time, samples) in enumerate(stretches):
        if number == 0:
            origin = time or 0.0
        elif time is not None:
            missing = round((time - origin) * rate) - done
            surplus = max(-missing, 0)
            if missing > PAUSE_SECONDS * rate:
                origin, done, missing = time, 0, 0
            while missing > 0:
                silence = np.zeros((len(samples), min(missing, rate)), np.float32)
                yield origin + done / rate, silence
                done += silence.shape[1]
                missing -= silence.shape[1]
        kept = samples[:, surplus:]
        surplus -= samples.shape[1] - kept.shape[1]
        if kept.size:
            yield origin + done / rate, kept
            done += kept.shape[1]


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
    frames = _in_memory(values, int(sampling_rate))
    for time, block in _gapless(_resampled(frames, rate, "mono"), rate):
        yield time, block[0]


def sound_blocks(
    path: Path, container: Any, rate: int, layout: str, notes: list[str] | None = None
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Decode the sound of an open file, with its channels; else as :func:`read_sound`.

    Yields
    ------
    float
        Presentation time in seconds of the block's first sample.
    (channels, samples) np.ndarray
        float32.
    """
    stream, note = sound_of(path, container)
    notes = [] if notes is None else notes
    if note and note not in notes:
        notes.append(note)
    if stream is not None:
        yield from _gapless(_resampled(_decoded(container, stream, notes), rate, layout), rate)


def read_sound(
    path: Path, rate: int = RATE, notes: list[str] | None = None
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Decode the sound of a file: of several tracks the first that is not silent.

    Parameters
    ----------
    path : Path
        Video file.
    rate : int
        Sampling rate to convert to, in Hz.
    notes : list of str, optional
        Takes sentences on what was chosen or mended.

    Yields
    ------
    float
        Presentation time in seconds of the block's first sample.
    (samples,) np.ndarray
        float32, mono, full scale 1; blocks of a second at most, each beginning where the one
        before it ends, or later by more than `PAUSE_SECONDS`. A shorter gap in the time stamps is
        filled by silence, an overlap is cut off. Nothing is yielded where the file has no sound
        track, or none that decodes.

    Raises
    ------
    DataError
        If the file cannot be opened or has no pictures.
    """
    if is_picture(path):
        return
    with open_video(path) as (container, _):
        for time, samples in sound_blocks(path, container, rate, "mono", notes):
            yield time, samples[0]
