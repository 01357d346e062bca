"""Frames in their order with the rows of everyone in them, held until each row is final.

A person's frames make sequences. The main person's sequence begins some frames before they are
first seen and goes on for as long after they are last seen, which is what the pipeline does with
frames without a face; farther than that from any face a frame is nobody's. Of everyone, a sequence
is from the first to the last frame that shows them. Someone who is found but once is no one.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.faces.face import Face
from stages.inference.columns import FACE, INTERPOLATED, NO_FACE, NOBODY
from stages.inference.detection import MAIN, Seen, Sight
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.sequence import Sequence

REACH = 256  # frames, two windows: as far from a face a frame still takes its features
LOOKS = 2  # of everyone, in how many frames someone must be found to be counted


@dataclass
class Row:
    """One person in one frame; `face` is None where they are not seen."""

    face_id: int
    status: str
    face: Face | None
    probabilities: NDArray[np.float32] | None = None


@dataclass
class Frame:
    """One decoded frame.

    Attributes
    ----------
    number : int
        From 1.
    time : float
        Presentation time in seconds.
    sound : (audio width,) float16 np.ndarray
    rows : list of Row
        Sorted by person once the frame is final; never empty then.
    undecided : int
        People of whom it is not known yet whether they have a row here.
    """

    number: int
    time: float
    sound: NDArray[np.float16]
    rows: list[Row] = field(default_factory=list)
    undecided: int = 0

    @property
    def final(self) -> bool:
        """Whether nothing about this frame can change any more."""
        return not self.undecided and all(row.probabilities is not None for row in self.rows)


class Track:
    """One person's way through the frames.

    Parameters
    ----------
    predictor : Predictor
    face_id : int
        0 for someone of whom more has to be seen before they get a number.
    lead, gap, trail : int
        Frames without them before, within and after a sequence, at most.
    """

    def __init__(self, predictor: Predictor, face_id: int, lead: int, gap: int, trail: int) -> None:
        self._predictor = predictor
        self.face_id = face_id
        self._lead, self._gap, self._trail = lead, gap, trail
        self._sequence: Sequence | None = None
        self._waiting: deque[Frame] = deque()  # frames since they were last seen
        self._doubtful: list[tuple[Frame, Row]] = []  # rows from before they got a number
        self.looks = 0  # frames in which they were found

    @property
    def in_sight(self) -> bool:
        """Whether the last frame shows them."""
        return self._sequence is not None and not self._waiting

    def step(self, frame: Frame, seen: Seen | None) -> None:
        """Take the next frame."""
        if seen is None:
            frame.undecided += 1
            self._waiting.append(frame)
            if self._sequence is not None and len(self._waiting) > self._gap:
                self._end()
            while self._sequence is None and len(self._waiting) > self._lead:
                self._waiting.popleft().undecided -= 1
            return
        if self._sequence is None:
            self._sequence = Sequence(self._predictor)
        self._join(len(self._waiting))
        skipped = seen.features is None
        status = FACE if seen.face.detected and not skipped else INTERPOLATED
        self.looks += seen.face.detected
        self._push(self._sequence, frame, Row(self.face_id, status, seen.face), seen.features)

    def _push(
        self, sequence: Sequence, frame: Frame, row: Row, visual: NDArray[np.float16] | None
    ) -> None:
        frame.rows.append(row)
        if not self.face_id:
            frame.undecided += 1
            self._doubtful.append((frame, row))
        sequence.push(row, visual, frame.sound)

    def _join(self, count: int) -> None:
        """Count the first of the waiting frames to the sequence."""
        assert self._sequence is not None
        for _ in range(count):
            frame = self._waiting.popleft()
            frame.undecided -= 1
            self._push(self._sequence, frame, Row(self.face_id, NO_FACE, None), None)

    def _end(self) -> None:
        if self._sequence is not None:
            self._join(min(self._trail, len(self._waiting)))
            self._sequence.finish()
            self._sequence = None

    def cut(self) -> None:
        """End the sequence where a shot ends; the person may be in the next one, too."""
        self._end()
        while self._waiting:
            self._waiting.popleft().undecided -= 1

    def name(self, face_id: int) -> None:
        """Give the person their number."""
        self.face_id = face_id
        for frame, row in self._doubtful:
            row.face_id = face_id
            frame.undecided -= 1
        self._doubtful.clear()

    def close(self) -> None:
        """End: they will not come again. Without a number they never were there."""
        self._end()
        for frame, row in self._doubtful:
            frame.rows.remove(row)
            frame.undecided -= 1
        while self._waiting:
            self._waiting.popleft().undecided -= 1


class Assembly:
    """All frames that are not final yet, and the people in them.

    Parameters
    ----------
    predictor : Predictor
    options : Options
    """

    def __init__(self, predictor: Predictor, options: Options) -> None:
        self._predictor = predictor
        self._tracks: dict[int, Track] = {}
        self._frames: deque[Frame] = deque()
        self.people = 0  # with a number, so far
        self._main = options.faces == "main"
        if self._main:
            self._tracks[MAIN] = Track(predictor, MAIN, REACH, 2 * REACH, REACH)

    def add(self, sight: Sight, sound: NDArray[np.float16]) -> Iterator[Frame]:
        """Take the next frame; yield those that are final, in their order.

        Parameters
        ----------
        sight : Sight
            With the features of the crops.
        sound : (audio width,) float16 np.ndarray
        """
        if sight.cut and MAIN in self._tracks and self._main:
            self._tracks[MAIN].cut()
        frame = Frame(sight.number, sight.time, sound)
        self._frames.append(frame)
        for key in sight.seen:
            if key not in self._tracks:
                # whoever follows gives someone up long before a gap is too long
                self._tracks[key] = Track(self._predictor, NOBODY, 0, 2 * REACH, 0)
        for key, track in self._tracks.items():
            track.step(frame, sight.seen.get(key))
            self.people = max(self.people, int(track.face_id == MAIN and track.looks > 0))
            if not track.face_id and track.looks >= LOOKS:
                self._name(track)
        for key in sight.given_up:
            self._tracks.pop(key).close()
        yield from self._final()

    def finish(self) -> Iterator[Frame]:
        """Yield the frames that are left; there are no more."""
        for track in self._tracks.values():
            # whoever came with the very last look could not be found twice
            if not track.face_id and track.in_sight:
                self._name(track)
            track.close()
        yield from self._final()

    def _name(self, track: Track) -> None:
        self.people += 1
        track.name(self.people)

    def _final(self) -> Iterator[Frame]:
        while self._frames and self._frames[0].final:
            frame = self._frames.popleft()
            frame.rows.sort(key=lambda row: row.face_id)
            if not frame.rows:
                nothing = np.full(N_AUS, np.nan, np.float32)
                frame.rows.append(Row(NOBODY, NO_FACE, None, nothing))
            yield frame
