"""One person of a prediction, frame by frame, however many rows the frames have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.inference.columns import FACE, INTERPOLATED, NO_FACE, NOBODY
from stages.inference.results import Rows

STATUSES = (NO_FACE, INTERPOLATED, FACE)  # a status as a number is the position here


def frames_of(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and presentation times in seconds of the frames, each once, in order."""
    numbers, first = np.unique(rows.frame, return_index=True)
    return numbers, rows.timestamp[first]


def faces_of(rows: Rows) -> list[int]:
    """Numbers of the people, who is seen in most frames first."""
    seen = rows.face_id[(rows.face_id != NOBODY) & (rows.status != NO_FACE)]
    numbers, counts = np.unique(seen, return_counts=True)
    return [int(number) for _, number in sorted(zip(-counts, numbers, strict=True))]


@dataclass(frozen=True)
class Person:
    """One person in each frame of a video.

    Attributes
    ----------
    status : (frames,) int8 np.ndarray
        Positions in `STATUSES`.
    probability : (frames, 12) float64 np.ndarray
        NaN where there is no row of this person.
    intensity : (frames, 12) float64 np.ndarray
        0 to 5; NaN likewise.
    active : (frames, 12) bool np.ndarray
        False likewise.
    """

    status: NDArray[np.int8]
    probability: NDArray[np.float64]
    intensity: NDArray[np.float64]
    active: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Frames in which the face is seen, (frames,)."""
        return np.asarray(self.status != STATUSES.index(NO_FACE), np.bool_)

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the frames with the face in which each AU is present, (12,)."""
        seen = self.seen
        return self.active[seen].mean(0) if seen.any() else np.zeros(N_AUS)


def person_of(rows: Rows, face: int) -> Person:
    """One person in each frame of a video, seen or not.

    Parameters
    ----------
    rows : Rows
    face : int
        Number of the person.
    """
    numbers = frames_of(rows)[0]
    mine = rows.of(face)
    at = np.searchsorted(numbers, mine.frame)
    status = np.zeros(len(numbers), np.int8)
    probability = np.full((len(numbers), N_AUS), np.nan)
    intensity = np.full((len(numbers), N_AUS), np.nan)
    active = np.zeros((len(numbers), N_AUS), np.bool_)
    status[at] = [STATUSES.index(text) for text in mine.status]
    probability[at], active[at] = mine.probabilities, mine.active
    intensity[at] = mine.intensity
    return Person(status, probability, intensity, active)
