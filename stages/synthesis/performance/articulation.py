"""From phonemes to the mouth: lips and jaw over time."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.audio.phonemes import MOUTHS, Mouth
from stages.synthesis.audio.speech import Phone
from stages.synthesis.performance.affect import VISIBLE

Floats = NDArray[np.float64]

STEP: Final = 0.005  # seconds between two points of the mouth's movement
COARTICULATION: Final = 0.09  # seconds over which a mouth glides from one phoneme to the next
CLOSING: Final = 0.025  # seconds in which lips meet for p, b or m, and part again
FEATURES: Final = ("parted", "jaw", "rounded", "spread", "closed", "bitten")
N_FEATURES: Final = len(FEATURES)
PARTED, JAW, ROUNDED, SPREAD, CLOSED, BITTEN = range(N_FEATURES)

# The jaw's answer to a phoneme is steep around the visible level, so that a jaw is either clearly
# down or clearly up; x^n / (x^n + k^n) with k such that the visible level stays where it is.
JAW_REACH: Final = 0.78  # share of a phoneme's jaw that speech of normal loudness reaches
_STEEPNESS: Final = 3.0
_MIDDLE: Final = VISIBLE * ((1.0 - VISIBLE) / VISIBLE) ** (1.0 / _STEEPNESS)


def _vector(mouth: Mouth) -> Floats:
    return np.array([getattr(mouth, name) for name in FEATURES])


_TARGETS: Final = {phoneme: _vector(mouth) for phoneme, mouth in MOUTHS.items()}


def _closure(phones: Sequence[Phone], grid: Floats) -> Floats:
    """(points,) how far the lips are closed: ramps at the ends of each run of p, b and m."""
    closure = np.zeros(len(grid))
    runs: list[tuple[float, float]] = []
    for phone in phones:
        if MOUTHS[phone.phoneme].closed:
            joined = bool(runs) and runs[-1][1] == phone.start
            start = runs.pop()[0] if joined else phone.start
            runs.append((start, phone.end))
    for start, end in runs:
        ramps = np.minimum((grid - start) / CLOSING, (end - grid) / CLOSING)
        closure = np.maximum(closure, np.clip(ramps, 0.0, 1.0))
    return closure


def mouth_track(
    phones: Sequence[Phone], times: Floats, *, loudness: float = 1.0, effort: float = 1.0
) -> Floats:
    """Movement of the mouth that speaks.

    Parameters
    ----------
    phones : sequence of Phone
        In order of time; where there is none the mouth rests.
    times : (frames,) float64 np.ndarray
        Seconds, on the phones' clock.
    loudness : float
        Louder speech opens the jaw further; 1 is normal.
    effort : float
        How distinctly the speaker moves the mouth; 1 is normal.

    Returns
    -------
    (frames, 6) float64 np.ndarray
        `FEATURES`, 0 to 1. Lips are fully closed in the middle of p, b and m.
    """
    if not phones:
        return np.zeros((len(times), N_FEATURES))
    start = phones[0].start - COARTICULATION
    count = int(np.ceil((phones[-1].end + COARTICULATION - start) / STEP)) + 1
    grid: Floats = start + STEP * np.arange(count, dtype=np.float64)
    targets = np.zeros((count, N_FEATURES))
    for phone in phones:
        first, last = np.searchsorted(grid, (phone.start, phone.end))
        stress = 1.15 if phone.stressed else 1.0
        targets[first:last] = _TARGETS[phone.phoneme] * stress
    width = round(COARTICULATION / STEP) | 1
    window = np.hanning(width + 2)[1:-1]
    window /= window.sum()
    padded = np.pad(targets, ((width // 2, width // 2), (0, 0)))
    smooth = np.stack([np.convolve(column, window, "valid") for column in padded.T], axis=1)
    smooth *= effort
    closure = _closure(phones, grid)
    smooth[:, CLOSED] = closure
    smooth[:, PARTED] *= 1.0 - closure
    jaw = np.maximum(JAW_REACH * loudness * smooth[:, JAW], 0.0) ** _STEEPNESS
    smooth[:, JAW] = jaw / (jaw + _MIDDLE**_STEEPNESS)
    smooth = np.clip(smooth, 0.0, 1.0)
    return np.stack(
        [np.interp(times, grid, column, left=0.0, right=0.0) for column in smooth.T], axis=1
    )
