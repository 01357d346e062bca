"""Episodes: one action unit that rises, holds and falls once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Episode:
    """One appearance of one AU; times in seconds.

    Attributes
    ----------
    column : int
        Position of the AU in `AU_NUMBERS`.
    start, onset, hold, offset : float
        When it begins, and how long it rises, holds and falls.
    apex : float
        Greatest intensity, 0 to 1.
    tremor : float
        Phase in radians of the slight unsteadiness of the hold.
    """

    column: int
    start: float
    onset: float
    hold: float
    offset: float
    apex: float
    tremor: float = 0.0

    def intensity(self, times: Floats) -> Floats:
        """Intensity, 0 to 1, at each of (frames,) `times` in seconds."""
        rise = (times - self.start) / self.onset
        fall = (self.start + self.onset + self.hold + self.offset - times) / self.offset
        level = smooth_step(rise) * smooth_step(fall)
        unsteady = 0.96 + 0.04 * np.sin(2 * np.pi * 0.9 * times + self.tremor)
        return np.asarray(self.apex * level * unsteady)


def smooth_step(x: Floats) -> Floats:
    """0 up to x = 0, 1 from x = 1, with no corner in between (3 x^2 - 2 x^3)."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


def sample_episode(
    column: int, start: float, end: float, apex: float, rng: np.random.Generator
) -> Episode:
    """Draw how an AU moves between two times.

    Onsets last 0.12 to 0.5 seconds and offsets 0.2 to 0.8, as in spontaneous expressions, unless
    the episode is too short for it.

    References
    ----------
    K. L. Schmidt, Z. Ambadar, J. F. Cohn, L. I. Reed. Movement differences between deliberate
    and spontaneous facial expressions: zygomaticus major action in smiling. J. Nonverbal
    Behavior 30, 2006.
    """
    length = end - start
    onset = min(rng.uniform(0.12, 0.5), 0.4 * length)
    offset = min(rng.uniform(0.2, 0.8), 0.4 * length)
    return Episode(
        column=column,
        start=start,
        onset=onset,
        hold=length - onset - offset,
        offset=offset,
        apex=apex,
        tremor=float(rng.uniform(0, 2 * np.pi)),
    )


def intensities(episodes: Iterable[Episode], times: Floats) -> Floats:
    """(frames, 12) intensities of all episodes together: the strongest of each AU counts."""
    total = np.zeros((len(times), N_AUS))
    for episode in episodes:
        column = total[:, episode.column]
        np.maximum(column, episode.intensity(times), out=column)
    return total
