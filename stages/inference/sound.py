"""The sound beside the frames, encoded as far as the frames have got."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.encoders.running import encode_sound, inference
from stages.encoders.timing import SoundClock
from stages.inference.footage import Block, Footage
from stages.inference.predictor import AudioPart, Predictor

if TYPE_CHECKING:
    import torch


class Steps:
    """One encoder's steps, from the one that the last frame took on.

    Parameters
    ----------
    part : AudioPart
    blocks : iterator of (float, (samples,) np.ndarray)
        As :func:`stages.videos.audio.read_sound` yields them, at the encoder's sampling rate.
    device : torch.device
    """

    def __init__(self, part: AudioPart, blocks: Iterator[Block], device: torch.device) -> None:
        self._width = part.width
        self._clock = SoundClock(part.encoder)
        self._blocks = encode_sound(part.encoder, part.network, self._watched(blocks), device)
        self._held: NDArray[np.float16] = np.zeros((0, part.width), np.float16)
        self._first = 0  # number of the step that `_held` begins with
        self._ended = False

    def _watched(self, blocks: Iterator[Block]) -> Iterator[NDArray[np.float32]]:
        for time, samples in blocks:
            self._clock.add(time, len(samples))
            yield samples

    def _more(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
        else:
            self._held = np.concatenate([self._held, block[1]])

    def take(self, times: NDArray[np.float64]) -> NDArray[np.float16]:
        """Find the step that is nearest to each of the next frames, within :func:`inference`.

        Parameters
        ----------
        times : (frames,) np.ndarray
            Presentation times in seconds, increasing from call to call.

        Returns
        -------
        (frames, width) np.ndarray
            NaN for a frame without sound: the rule of :class:`stages.encoders.timing.FrameClock`.
        """
        result = np.full((len(times), self._width), np.nan, np.float16)
        if not self._clock.samples and not self._ended:
            self._more()  # the start is known from the first block on
        if not self._clock.samples or not len(times):
            return result
        steps = self._clock.nearest(times)
        while not self._ended and self._first + len(self._held) <= steps[-1]:
            self._more()
            steps = self._clock.nearest(times)  # a gap may have come
            dropped = min(max(int(steps[0]) - self._first, 0), max(len(self._held) - 1, 0))
            self._held, self._first = self._held[dropped:], self._first + dropped
        total = self._first + len(self._held)
        if not len(self._held):
            return result
        heard = (steps >= 0) & ~self._clock.silent(times)
        chosen = np.clip(steps, self._first, total - 1) - self._first
        result[heard] = self._held[chosen[heard]]
        dropped = min(max(int(steps[-1]) - self._first, 0), len(self._held) - 1)
        self._held, self._first = self._held[dropped:], self._first + dropped
        return result


class SoundTrack:
    """The joint audio features of the frames of one video.

    Parameters
    ----------
    footage : Footage
    predictor : Predictor
    """

    def __init__(self, footage: Footage, predictor: Predictor) -> None:
        self._device = predictor.device
        self.notes: list[str] = []  # sentences on what was chosen or mended
        rates: dict[int, list[AudioPart]] = {}
        for part in predictor.audio:
            rates.setdefault(part.encoder.sampling_rate, []).append(part)
        self._sources: list[Iterator[Block]] = []
        copies: dict[int, Iterator[Iterator[Block]]] = {}
        for rate, parts in rates.items():
            source = footage.sound(rate, self.notes)
            self._sources.append(source)
            # decoded once for all; a copy holds what another encoder's longer block is ahead
            copies[rate] = iter(tee(source, len(parts)))
        self._steps = [
            Steps(part, next(copies[part.encoder.sampling_rate]), self._device)
            for part in predictor.audio
        ]
        self.heard = 0  # frames that had sound beside them

    def take(self, times: list[float]) -> NDArray[np.float16]:
        """Encode the sound of the next frames.

        Parameters
        ----------
        times : list of float
            Presentation times in seconds.

        Returns
        -------
        (frames, width) np.ndarray
            float16; NaN where an encoder has no sound.
        """
        if not self._steps:
            return np.zeros((len(times), 0), np.float16)
        with inference(self._device, "32-true"):
            moments = np.asarray(times, np.float64)
            features = np.concatenate([steps.take(moments) for steps in self._steps], axis=1)
        self.heard += int((~np.isnan(features).any(axis=1)).sum())
        return features

    def close(self) -> None:
        """Let go of the file."""
        for source in self._sources:
            source.close()  # type: ignore[attr-defined]
