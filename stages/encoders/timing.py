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


def last_time(encoder: AudioEncoder, start: float, samples: int) -> float:
    """Presentation time in seconds up to which a frame may still take the last step."""
    return start + (samples + END_HOPS * encoder.hop) / encoder.sampling_rate


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
        self._encoder = encoder
        self._times = times
        self._start = 0.0
        self._samples = 0
        self._nearest: NDArray[np.int64] = np.zeros(0, np.int64)

    def watch(
        self, blocks: Iterable[tuple[float, NDArray[np.float32]]]
    ) -> Iterator[NDArray[np.float32]]:
        """Pass on the sound's samples while noting its start and its length.

        Parameters
        ----------
        blocks : iterable of (float, (samples,) np.ndarray)
            As :func:`stages.media.audio.read_sound` yields them.
        """
        for time, samples in blocks:
            if not self._samples:
                self._start = time
                self._nearest = nearest_steps(self._encoder, self._times, self._start)
            elif time > self._times[-1] + SURPLUS_SECONDS:
                return
            self._samples += len(samples)
            yield samples

    def frames_of(self, first: int, count: int) -> tuple[slice, NDArray[np.int64]]:
        """Find the frames that take one of the steps from `first` on.

        Returns
        -------
        slice
            The frames.
        (frames,) np.ndarray
            int64, for each of them its step, counted from `first`.
        """
        begin, end = np.searchsorted(self._nearest, (first, first + count))
        return slice(int(begin), int(end)), self._nearest[begin:end] - first

    def frames_after(self) -> slice:
        """Find the frames that take the last step, once all of the sound has been read."""
        total = self._encoder.steps(self._samples)
        end = last_time(self._encoder, self._start, self._samples)
        begin = np.searchsorted(self._nearest, total)
        return slice(int(begin), max(int(begin), int(np.searchsorted(self._times, end, "right"))))
