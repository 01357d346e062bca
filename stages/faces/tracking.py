"""Following one person through a video.

The person is looked for near where they were last seen, at the picture's full size but in a region
around the face only: that is many times faster than the whole picture. The region's corners lie on
the grid of the network's coarsest layer, so that the face falls onto the same cells as it would in
the whole picture, and its landmarks come out the same.

Between two detections of the same person the landmarks run linearly in time. Where the person
moved, or one of the two detections is missing, the frame midway is looked at, then midway again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import crop_displacement
from stages.faces.detections import Detector, detect_within
from stages.faces.face import Face, choose, faces_of, interpolate, nearest, same

Image = NDArray[np.uint8]

REGION = 1.8  # side of the region that is searched, in longer sides of the face's box
GRID = 32  # pixels, stride of the detectors' coarsest layer
FORGET = 1.0  # seconds without the person after which anyone who fits the rule is taken
CHECK = 2.0  # seconds from one look at the whole picture to the next while following
RECHECK = 0.5  # seconds to the next look after one that spoke for another face
VERDICTS = 2  # looks in a row that must speak for another face before it is followed
DOMINANT = 2.0  # a face so many times larger in area is the main person, whoever was followed
MAX_STEP = 2.5  # pixels of the crop between two detections, beyond which there is a look between


@dataclass(frozen=True)
class Track:
    """Who is followed, and what is known of them so far.

    Attributes
    ----------
    face : Face or None
        The person when last seen.
    seen : float
        When that was, in seconds.
    checked : float
        When the whole picture was last looked at, in seconds.
    doubts : int
        Looks in a row that spoke for another face.
    """

    face: Face | None = None
    seen: float = -np.inf
    checked: float = -np.inf
    doubts: int = 0


class Follower:
    """Finds one person in frame after frame.

    Parameters
    ----------
    detector : Detector
        What finds faces.
    side : str
        Which person: ``only``, ``left`` or ``right``.
    detection_side : int
        Longer side in pixels to which what the detector sees is reduced, if it is larger.
    """

    def __init__(self, detector: Detector, side: str, detection_side: int) -> None:
        self._detector = detector
        self._side = side
        self._limit = detection_side

    def find(self, image: Image, time: float, track: Track) -> tuple[Face | None, Track]:
        """Find the person in one frame.

        Parameters
        ----------
        image : (height, width, 3) uint8 np.ndarray
            Picture in RGB.
        time : float
            Its presentation time in seconds.
        track : Track
            What is known of the person; stays as it is.

        Returns
        -------
        Face or None
            The person, None where they are not seen.
        Track
            What is known now.
        """
        last, gap = track.face, time - track.seen
        face = None
        everyone = None
        if last is not None and gap < FORGET:
            face = nearest(self._around(image, last), last, gap)
            if face is None:
                everyone = self.everyone(image)
                face = nearest(everyone, last, gap)
                face = face and self.sharpened(image, face)
        else:
            everyone = self.everyone(image)
            face = choose(everyone, self._side, image.shape[1])
            face = face and self.sharpened(image, face)
            if face is not None:
                return face, Track(face, time, time)
        if face is None:
            return None, track
        track = replace(track, face=face, seen=time)
        if time - track.checked >= (RECHECK if track.doubts else CHECK):
            return self._check(image, time, track, everyone)
        return face, track

    def _check(
        self, image: Image, time: float, track: Track, everyone: list[Face] | None
    ) -> tuple[Face | None, Track]:
        """Look whether the face that is followed is still the one to follow."""
        face = track.face
        assert face is not None
        everyone = self.everyone(image) if everyone is None else everyone
        best = choose(everyone, self._side, image.shape[1])
        wrong = best is not None and not same(best, face)
        if wrong and best is not None and self._side == "only":
            wrong = best.area > DOMINANT * face.area
        if best is None or not wrong:
            return face, replace(track, checked=time, doubts=0)
        if track.doubts + 1 < VERDICTS:
            return face, replace(track, checked=time, doubts=track.doubts + 1)
        best = self.sharpened(image, best)
        return best, Track(best, time, time)

    def everyone(self, image: Image) -> list[Face]:
        """Find all faces of a picture, best first."""
        return faces_of(detect_within(self._detector, image, None, self._limit))

    def _around(self, image: Image, face: Face) -> list[Face]:
        half = face.size * REGION / 2
        x0, y0 = (face.centre - half) // GRID * GRID
        x1, y1 = -(-(face.centre + half) // GRID) * GRID
        region = (float(x0), float(y0), float(x1), float(y1))
        return faces_of(detect_within(self._detector, image, region, self._limit))

    def sharpened(self, image: Image, face: Face) -> Face:
        """Detect a face again at full size, if it was found in a reduced picture."""
        if max(image.shape[:2]) <= self._limit:
            return face
        return nearest(self._around(image, face), face, 0.0) or face


Frame = tuple[float, Image]  # presentation time in seconds, picture
Seen = tuple[float, Face | None]  # presentation time in seconds, the person or None


def follow(
    frames: Iterable[Frame], follower: Follower, every: int
) -> Iterator[tuple[float, Image, Face | None]]:
    """Follow a person through a video; at most `every` frames are held at a time.

    Parameters
    ----------
    frames : iterable of (seconds, (height, width, 3) uint8 np.ndarray)
        The video.
    follower : Follower
        Finds the person in a frame.
    every : int
        Detection runs on each frame of this distance; 1 for all frames.

    Yields
    ------
    float
        Presentation time in seconds.
    (height, width, 3) uint8 np.ndarray
        The frame.
    Face or None
        The person, None where they are not seen.
    """
    track = Track()
    last: Seen = (0.0, None)
    source = iter(frames)
    # after a frame without the person, frame by frame: their return is not missed
    while block := list(islice(source, every if last[1] is not None else 1)):
        time, image = block[-1]
        face, later = follower.find(image, time, track)
        found = [*_between(block[:-1], last, (time, face), follower, track), face]
        rows = [
            (moment, picture, seen) for (moment, picture), seen in zip(block, found, strict=True)
        ]
        yield from rows
        track = later
        if face is None:
            for moment, _, seen in rows:
                track = replace(track, face=seen, seen=moment) if seen is not None else track
        last = (time, face)


def _still(first: Face, second: Face) -> bool:
    return crop_displacement(first.landmarks, second.landmarks) <= MAX_STEP


def _between(
    frames: list[Frame], first: Seen, last: Seen, follower: Follower, track: Track
) -> list[Face | None]:
    """Find the person in the frames between two looks: by their straight way, or by more looks."""
    if not frames:
        return []
    (since, before), (until, after) = first, last
    if before is not None and after is not None and _still(before, after):
        span = until - since
        return [interpolate(before, after, (time - since) / span) for time, _ in frames]
    half = len(frames) // 2
    time, image = frames[half]
    face, _ = follower.find(image, time, track)
    middle: Seen = (time, face)
    return [
        *_between(frames[:half], first, middle, follower, track),
        face,
        *_between(frames[half + 1 :], middle, last, follower, track),
    ]
