"""Which step of an audio encoder belongs to which frame of the video, by presentation times."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from stages.encoders.base import AudioEncoder

END_HOPS = 2  # a frame this near before or after the sound still takes its first or last step
SURPLUS_SECONDS = 60.0  # sound that goes on for longer than this after the last frame is not read


def nearest_steps(
    encoder: AudioEncoder, times: NDArray[np.float64], start: float
) -> NDArray[np.int64]:
    """Nearest step for each frame, without an upper end; -1 long before the sound.

    Parameters
    ----------
    encoder : AudioEncoder
    times : (frames,) np.ndarray
        Presentation times of the frames in seconds.
    start : float
        Presentation time in seconds of the sound's first sample.

    Returns
    -------
    (frames,) np.ndarray
    """
    hop = encoder.hop / encoder.sampling_rate
    since = times - start
    steps = np.rint((since - encoder.centre(0)) / hop)
    early = since < -END_HOPS * hop
    return np.where(early, -1, np.maximum(steps, 0)).astype(np.int64)


class SoundClock:
    """Where in a sound, whose long gaps are left out, a moment of the file is.

    Parameters
    ----------
    encoder : AudioEncoder
    """

    def __init__(self, encoder: AudioEncoder) -> None:
        self._encoder = encoder
        self._starts: list[float] = []  # seconds on the file's clock, of each stretch
        self._firsts: list[int] = []  # its first sample
        self.samples = 0

    def add(self, time: float, samples: int) -> bool:
        """Note a block; True where it begins a stretch."""
        rate = self._encoder.sampling_rate
        expected = None
        if self._starts:
            expected = self._starts[-1] + (self.samples - self._firsts[-1]) / rate
        begins = expected is None or time - expected > 1.0
        if begins:
            self._starts.append(time)
            self._firsts.append(self.samples)
        self.samples += samples
        return begins

    @property
    def steps(self) -> int:
        """Steps that :func:`stages.encoders.running.encode_sound` makes of the sound so far."""
        return max(self._encoder.steps(self.samples), min(self.samples, 1))

    def nearest(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Nearest step for each frame, as :func:`nearest_steps`; rising with time."""
        positions, _ = self._place(times)
        return nearest_steps(self._encoder, positions, 0.0)

    def silent(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether a moment lies more than two hops outside the sound that is known so far."""
        return self._place(times)[1]

    def _place(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Seconds of sound before each moment, and whether the moment is outside the sound."""
        rate = self._encoder.sampling_rate
        starts, firsts = np.asarray(self._starts), np.asarray([*self._firsts, self.samples])
        stretch = np.maximum(np.searchsorted(starts, times, "right") - 1, 0)
        since = times - starts[stretch]
        length = (firsts[stretch + 1] - firsts[stretch]) / rate
        outside = np.abs(since - length / 2) > length / 2 + END_HOPS * self._encoder.hop / rate
        # after the last stretch goes on: it may not be known in full
        inner = np.where(stretch < len(starts) - 1, np.minimum(since, length), since)
        return firsts[stretch] / rate + inner, outside


class FrameClock:
    """Assigns steps to frames while the sound is being read.

    Video frame t takes the step whose centre is nearest to its presentation time. A frame that
    lies more than two hops outside the sound takes none.

    Parameters
    ----------
    encoder : AudioEncoder
    times : (frames,) np.ndarray
        Presentation times of the video's frames in seconds, increasing.
    """

    def __init__(self, encoder: AudioEncoder, times: NDArray[np.float64]) -> None:
        self._times = times
        self._sound = SoundClock(encoder)
        self._nearest: NDArray[np.int64] = np.zeros(0, np.int64)

    def watch(
        self, blocks: Iterable[tuple[float, NDArray[np.float32]]]
    ) -> Iterator[NDArray[np.float32]]:
        """Pass on the sound's samples while noting its start, its gaps and its length.

        Parameters
        ----------
        blocks : iterable of (float, (samples,) np.ndarray)
            As :func:`stages.videos.audio.read_sound` yields them.
        """
        for time, samples in blocks:
            if self._sound.samples and time > self._times[-1] + SURPLUS_SECONDS:
                return
            if self._sound.add(time, len(samples)):
                self._nearest = self._sound.nearest(self._times)
            yield samples

    def frames_of(self, first: int, count: int) -> tuple[slice, NDArray[np.int64]]:
        """Find the frames that take one of the steps from `first` on.

        Returns
        -------
        slice
            The frames.
        (frames,) np.ndarray
            int64, for each of them its step, counted from `first`; -1 for one without sound.
        """
        begin, end = np.searchsorted(self._nearest, (first, first + count))
        chosen = self._nearest[begin:end] - first
        return slice(int(begin), int(end)), np.where(
            self._sound.silent(self._times[begin:end]), -1, chosen
        )

    def frames_after(self) -> slice:
        """Find the frames that take the last step, once all of the sound has been read."""
        begin = int(np.searchsorted(self._nearest, self._sound.steps))
        silent = self._sound.silent(self._times[begin:])
        return slice(begin, begin + int(silent.argmax() if silent.any() else len(silent)))
