"""Last part of a prediction: windows of frames through the members, joined and smoothed.

The same arithmetic as :func:`stages.sequence.windows.predict_video` over a whole video, done while
frames still come: a window is predicted once it is known not to be the last one, and a frame is
settled once no later window can cover it and what smoothing needs of its neighbours is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.ensembles.calibration import Calibration
from stages.inference.predictor import Predictor, Voice

if TYPE_CHECKING:
    from stages.ensembles.ensemble import Ensemble


class Slot(Protocol):
    """Where the probabilities of one person in one frame go, (12,) float32."""

    probabilities: NDArray[np.float32] | None


class Smoother:
    """:meth:`.Calibration.smooth` over a stream; as late as half of its box."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._half = max(calibration.smoothing) // 2
        self._held: NDArray[np.float32] = np.zeros((0, N_AUS), np.float32)
        self._done = 0  # of the rows held, those that have been given out

    def add(self, rows: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Take the next rows, (n, 12), and return those that are final; if `last`, all."""
        self._held = np.concatenate([self._held, rows])
        end = len(self._held) if last else max(len(self._held) - self._half, self._done)
        if not len(self._held):
            return self._held
        # what the box reaches beyond the rows held is no concern of the rows that are given out
        final = self._calibration.smooth(self._held)[self._done : end]
        dropped = max(end - self._half, 0)
        self._held, self._done = self._held[dropped:], end - dropped
        return final


class Sequence:
    """One person over consecutive frames.

    Parameters
    ----------
    predictor : Predictor
    """

    def __init__(self, predictor: Predictor) -> None:
        self._ensemble: Ensemble = predictor.ensemble
        self._voices = predictor.voices
        self._device = predictor.device
        self._width = sum(part.width for part in predictor.visual)
        self._slots: list[Slot] = []  # not settled yet
        self._left: NDArray[np.float16] | None = None  # the last frame's features
        self._gap: list[NDArray[np.float16]] = []  # sound of frames whose features are not known
        self._visual: list[NDArray[np.float16]] = []  # of the frames from `_first` on ...
        self._audio: list[NDArray[np.float16]] = []  # ... and of their sound
        self._first = 0
        self._start = 0  # of the next window
        self._settled = 0  # frames before this one have all their windows
        window = self._ensemble.window
        # logits and windows of the frames from `_settled` on; they span less than two windows
        self._total = np.zeros((len(self._voices), 2 * window, N_AUS), np.float32)
        self._count = np.zeros(2 * window, np.float32)
        self._smoother = Smoother(self._ensemble.calibration)

    def push(
        self, slot: Slot, visual: NDArray[np.float16] | None, audio: NDArray[np.float16]
    ) -> None:
        """Add the next frame.

        Parameters
        ----------
        slot : Slot
            Gets its probabilities sooner or later.
        visual : (visual width,) np.ndarray or None
            None for a frame that takes the features of the nearest frame that has some.
        audio : (audio width,) np.ndarray
            NaN where there is no sound.
        """
        self._slots.append(slot)
        if visual is None:
            self._gap.append(audio)
            return
        self._fill(visual)
        self._add(visual, audio)
        self._left = visual

    def _fill(self, right: NDArray[np.float16] | None) -> None:
        """Give the frames of a gap the features of its nearer end, the earlier of two as near."""
        gap, self._gap = self._gap, []
        for k, audio in enumerate(gap):
            nearer = self._left if right is None or k + 1 <= len(gap) - k else right
            chosen = right if self._left is None else nearer
            nothing = np.full(self._width, np.nan, np.float16)
            self._add(nothing if chosen is None else chosen, audio)

    def _add(self, visual: NDArray[np.float16], audio: NDArray[np.float16]) -> None:
        self._visual.append(visual)
        self._audio.append(audio)
        window = self._ensemble.window
        if self._first + len(self._visual) > self._start + window:  # a later window is to come
            self._predict(self._start)
            # the last window may begin with any frame after this one's first
            self._settle(self._start + 1)
            self._start += max(window // 2, 1)
            kept = min(self._start, self._settled) - self._first
            del self._visual[:kept], self._audio[:kept]
            self._first += kept

    def finish(self) -> None:
        """Settle all frames; there are no more."""
        self._fill(None)
        frames = self._first + len(self._visual)
        if frames:
            self._predict(max(frames - self._ensemble.window, 0))
            self._settle(frames, last=True)

    def _predict(self, start: int) -> None:
        """Run the window that begins with a frame; a short one is filled as the protocol has it."""
        window = self._ensemble.window
        held = slice(start - self._first, start - self._first + window)
        n = len(self._visual[held])
        filling = self._ensemble.choices.short_videos
        rest = np.arange(window)
        repeat = rest % n if filling == "cycled" else np.minimum(rest, n - 1)
        visual = np.stack(self._visual[held])[repeat].astype(np.float32)
        audio = np.stack(self._audio[held])[repeat].astype(np.float32)
        real = torch.from_numpy((rest < n) | (filling != "masked"))[None].to(self._device)
        at = slice(start - self._settled, start - self._settled + n)
        for total, voice in zip(self._total, self._voices, strict=True):
            total[at] += self._logits(voice, visual, audio, real)[:n]
        self._count[at] += 1

    def _logits(
        self,
        voice: Voice,
        visual: NDArray[np.float32],
        audio: NDArray[np.float32],
        real: torch.Tensor,
    ) -> NDArray[np.float32]:
        heard = audio[:, voice.audio]
        sound = ~np.isnan(heard).any(axis=1) & bool(voice.audio)
        heard[~sound] = 0
        inputs = (visual[:, voice.visual], heard, sound)
        seen, listened, has_sound = (torch.from_numpy(x)[None].to(self._device) for x in inputs)
        with torch.inference_mode():
            logits = voice.network(seen, listened, has_sound, real)[0]
        return np.asarray(logits.float().cpu().numpy(), np.float32)

    def _settle(self, end: int, last: bool = False) -> None:
        """Give the frames before `end` their probabilities."""
        n = max(end - self._settled, 0)
        logits = self._total[:, :n] / self._count[:n, None]
        self._settled += n
        for values in (self._total.swapaxes(0, 1), self._count):
            values[: -n or None] = values[n:].copy()
            values[len(values) - n :] = 0
        final = self._smoother.add(self._ensemble.combine(list(logits)), last)
        for slot, row in zip(self._slots[: len(final)], final, strict=True):
            slot.probabilities = row
        del self._slots[: len(final)]
