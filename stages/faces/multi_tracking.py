"""Following everyone in a video, each under a number of their own.

The whole picture is looked at every few frames, and between two looks the points run linearly, as
in :mod:`stages.faces.tracking`; where someone moved, came or went there is a look in between. The
people known and the faces found are paired so that all pairs together fit best (the Hungarian
method), each person being expected where their motion so far leads: two who cross keep their
numbers, and so does one who is hidden for a moment.

References
----------
A. Bewley et al. Simple online and realtime tracking. ICIP 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import crop_displacement
from stages.faces.detections import intersection_over_union
from stages.faces.face import GROWTH, Face, interpolate
from stages.faces.tracking import MAX_STEP, Frame, Image

LOST_SECONDS = 1.0  # after so long unseen a person is given up; who comes then is someone new ...
LOST_FRAMES = 128  # ... or after so many frames
REACH = 1.0  # sizes of the face by which it may lie off the place where it is expected ...
REACH_PER_SECOND = 1.5  # ... and by which more for each second that it was not seen
REFRESH = 0.5  # share of the newest step in what is known of a motion
IMPOSSIBLE = 1e6  # cost of a pair that cannot be

Look = Callable[[Image], list[Face]]  # finds all faces of a picture


@dataclass(frozen=True)
class Person:
    """What is known of one person.

    Attributes
    ----------
    key : int
        Theirs alone in this video, from 1.
    face : Face
        When last seen.
    seen : float
        When that was, in seconds.
    frame : int
        Number of that frame.
    velocity : (2,) np.ndarray
        Pixels a second, x and y.
    """

    key: int
    face: Face
    seen: float
    frame: int
    velocity: NDArray[np.float32]

    def expected(self, time: float) -> NDArray[np.float32]:
        """Box where the person is expected at a time in seconds, (4,)."""
        # who is hidden does not run on for ever
        shift = self.velocity * np.float32(min(time - self.seen, LOST_SECONDS / 2))
        return self.face.box + np.tile(shift, 2)

    def found(self, face: Face, time: float, frame: int) -> Person:
        """Return the person as seen again."""
        step = (face.centre - self.face.centre) / np.float32(max(time - self.seen, 1e-3))
        velocity = self.velocity + np.float32(REFRESH) * (step - self.velocity)
        return replace(self, face=face, seen=time, frame=frame, velocity=velocity)


def pair_up(people: list[Person], faces: list[Face], time: float) -> dict[int, Face]:
    """Say which face is whose.

    Parameters
    ----------
    people : list of Person
    faces : list of Face
        All of one picture.
    time : float
        The picture's, in seconds.

    Returns
    -------
    dict of int to Face
        By the key of the person; who is not seen is not in it.
    """
    if not people or not faces:
        return {}
    from scipy.optimize import linear_sum_assignment

    cost = np.full((len(people), len(faces)), IMPOSSIBLE)
    boxes = np.stack([face.box for face in faces])
    for i, person in enumerate(people):
        expected = person.expected(time)
        overlap = intersection_over_union(expected, boxes)
        centre, size = (expected[:2] + expected[2:]) / 2, person.face.size
        reach = REACH + REACH_PER_SECOND * (time - person.seen)
        for j, face in enumerate(faces):
            distance = float(np.linalg.norm(face.centre - centre)) / size
            growth = face.size / size
            if distance <= reach and 1 / GROWTH <= growth <= GROWTH:
                cost[i, j] = distance + 1 - overlap[j] + abs(np.log(growth))
    rows, columns = linear_sum_assignment(cost)
    return {
        people[i].key: faces[j]
        for i, j in zip(rows, columns, strict=True)
        if cost[i, j] < IMPOSSIBLE
    }


@dataclass(frozen=True)
class Group:
    """Who is seen in one frame.

    Attributes
    ----------
    time : float
        Presentation time in seconds.
    image : (height, width, 3) uint8 np.ndarray
    faces : dict of int to Face
        By the key of the person.
    given_up : tuple of int
        Keys that will not come again.
    """

    time: float
    image: Image
    faces: dict[int, Face]
    given_up: tuple[int, ...] = ()


class Crowd:
    """Everyone who is followed.

    Parameters
    ----------
    look : callable
        Finds all faces of a picture, (height, width, 3) uint8 RGB.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._people: list[Person] = []
        self._known = 0
        self._frame = -1  # number of the frame that was last looked at
        self._time = 0.0

    def follow(self, frames: Iterable[Frame], every: int) -> Iterator[Group]:
        """Follow everyone; looks are `every` frames apart, which are held at a time.

        Parameters
        ----------
        frames : iterable of (seconds, (height, width, 3) uint8 np.ndarray)
        every : int
        """
        source = iter(frames)
        while block := list(islice(source, every)):
            yield from self._advance(block, self._look(block[-1][1]))

    def _advance(self, block: list[Frame], faces: list[Face]) -> Iterator[Group]:
        """Go on by some frames, in the last of which these faces were found."""
        time, image = block[-1]
        pairs = pair_up(self._people, faces, time)
        if len(block) > 1 and not self._calm(pairs, faces):
            half = len(block) // 2
            yield from self._advance(block[:half], self._look(block[half - 1][1]))
            yield from self._advance(block[half:], faces)
            return
        number = self._frame + len(block)
        before = {p.key: p.face for p in self._people if p.frame == self._frame}
        span = time - self._time
        for moment, picture in block[:-1]:
            share = (moment - self._time) / span
            between = {
                key: interpolate(before[key], face, share)
                for key, face in pairs.items()
                if key in before
            }
            yield Group(moment, picture, between)
        self._people = [
            person.found(pairs[person.key], time, number) if person.key in pairs else person
            for person in self._people
        ]
        taken = {id(face) for face in pairs.values()}
        # the largest first: it gets the lower number
        for face in sorted(faces, key=lambda face: -face.area):
            if id(face) not in taken:
                self._known += 1
                rest = np.zeros(2, np.float32)
                self._people.append(Person(self._known, face, time, number, rest))
        lost = [
            person
            for person in self._people
            if time - person.seen > LOST_SECONDS or number - person.frame > LOST_FRAMES
        ]
        self._people = [person for person in self._people if person not in lost]
        self._frame, self._time = number, time
        now = {person.key: person.face for person in self._people if person.frame == number}
        yield Group(time, image, now, tuple(person.key for person in lost))

    def _calm(self, pairs: dict[int, Face], faces: list[Face]) -> bool:
        """Whether the same people are seen as at the last look, and none of them moved much."""
        last = {p.key: p.face for p in self._people if p.frame == self._frame}
        if len(pairs) < len(faces) or set(last) != set(pairs):
            return False
        return all(
            crop_displacement(face.landmarks, pairs[key].landmarks) <= MAX_STEP
            for key, face in last.items()
        )
