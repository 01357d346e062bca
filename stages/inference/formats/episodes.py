"""Episodes of AUs: from when until when each is present, and how strong it gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from stages.inference.columns import NO_FACE, NOBODY
from stages.inference.results import Rows

USUAL_STEP = 0.04  # seconds that the only frame of a video is shown

Key = tuple[int, int]  # person, position of the AU


@dataclass(frozen=True)
class Episode:
    """An AU of a person, present from frame to frame without a gap.

    Attributes
    ----------
    face_id : int
    au : int
        Position among the 12.
    onset, apex, offset : float
        Seconds on the clock of the file: of the first frame, of the first strongest one, and of
        the first frame that does not show it.
    peak, mean : float
        Intensity, 0 to 5, at the apex and of all frames.
    first_frame, apex_frame, last_frame : int
        From 1.
    """

    face_id: int
    au: int
    onset: float
    apex: float
    offset: float
    peak: float
    mean: float
    first_frame: int
    apex_frame: int
    last_frame: int

    @property
    def duration(self) -> float:
        """Seconds from onset to offset."""
        return self.offset - self.onset


@dataclass
class _Running:
    """An episode that may go on."""

    onset: float
    first: int
    apex: float = 0.0
    apex_frame: int = 0
    peak: float = -1.0
    total: float = 0.0
    frames: int = 0
    last: int = 0

    def take(self, frame: int, time: float, intensity: float) -> None:
        if intensity > self.peak:
            self.peak, self.apex, self.apex_frame = intensity, time, frame
        self.total += intensity
        self.frames += 1
        self.last = frame

    def end(self, key: Key, offset: float) -> Episode:
        return Episode(
            *key, self.onset, self.apex, offset, self.peak, self.total / self.frames, self.first,
            self.apex_frame, self.last,
        )  # fmt: skip


@dataclass
class _Moment:
    """One frame and the AUs that are present in it, with their intensities."""

    frame: int
    time: float
    present: dict[Key, float] = field(default_factory=dict)


def _moments(parts: Iterable[Rows]) -> Iterator[_Moment]:
    moment: _Moment | None = None
    for rows in parts:
        visible = (rows.status != NO_FACE) & (rows.face_id != NOBODY)
        on = rows.active & visible[:, None]
        for row, (frame, time, person) in enumerate(
            zip(rows.frame.tolist(), rows.timestamp.tolist(), rows.face_id.tolist(), strict=True)
        ):
            if moment is None or frame != moment.frame:
                if moment is not None:
                    yield moment
                moment = _Moment(frame, time)
            for au in np.flatnonzero(on[row]).tolist():
                moment.present[person, au] = float(rows.intensity[row, au])
    if moment is not None:
        yield moment


def find_episodes(parts: Iterable[Rows]) -> list[Episode]:
    """Find the episodes of everyone in a prediction.

    An episode ends where the AU is not present, and where the face is not seen: of that nothing
    is known.

    Parameters
    ----------
    parts : iterable of Rows
        Of one prediction, in order.

    Returns
    -------
    list of Episode
        By onset, then person, then AU.
    """
    running: dict[Key, _Running] = {}
    found: list[Episode] = []
    last: float | None = None
    step = USUAL_STEP
    for moment in _moments(parts):
        for key in [key for key in running if key not in moment.present]:
            found.append(running.pop(key).end(key, moment.time))
        for key, intensity in moment.present.items():
            if key not in running:
                running[key] = _Running(moment.time, moment.frame)
            running[key].take(moment.frame, moment.time, intensity)
        step = USUAL_STEP if last is None else moment.time - last
        last = moment.time
    if last is not None:
        found += [one.end(key, last + step) for key, one in running.items()]
    return sorted(found, key=lambda one: (one.onset, one.face_id, one.au))
