"""One face in one frame, and which of several faces to take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.faces.detections import Detections, intersection_over_union

BYSTANDER = 0.15  # a face smaller than this share of the largest one's area is a bystander
REACH = 1.0  # sizes of the face by which it may move from one detection to the next ...
REACH_PER_SECOND = 3.0  # ... and by which more for each second that it was not seen
GROWTH = 2.0  # factor by which its size may change
SAME_FACE = 0.3  # intersection over union of two boxes of one face


@dataclass(frozen=True)
class Face:
    """One face in one frame.

    Attributes
    ----------
    box : (4,) np.ndarray
        x0, y0, x1, y1 in pixels of the picture.
    landmarks : (5, 2) np.ndarray
        Eyes, nose, corners of the mouth, in pixels of the picture.
    score : float
        Confidence, 0 to 1.
    contour : (106, 2) np.ndarray or None
        The 106 points of insightface, from detectors that have them.
    detected : bool
        True where it was found in this very frame, False where :func:`interpolate` made it.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    contour: NDArray[np.float32] | None = None
    detected: bool = True

    @property
    def centre(self) -> NDArray[np.float32]:
        """Centre of the box, x and y in pixels."""
        return (self.box[:2] + self.box[2:]) * np.float32(0.5)

    @property
    def size(self) -> float:
        """Longer side of the box in pixels."""
        return float((self.box[2:] - self.box[:2]).max())

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))


def faces_of(detections: Detections) -> list[Face]:
    """Return the detections of one picture as single faces."""
    contours = [None] * len(detections) if detections.contours is None else detections.contours
    rows = zip(detections.boxes, detections.landmarks, detections.scores, contours, strict=True)
    return [Face(box, marks, float(score), contour) for box, marks, score, contour in rows]


def choose(faces: list[Face], side: str, width: int) -> Face | None:
    """Pick the annotated person among all faces of a picture.

    Parameters
    ----------
    faces : list of Face
        All faces of the picture.
    side : str
        ``left`` or ``right`` of two people, in picture coordinates; ``only`` for the main person.
    width : int
        Width of the picture in pixels.

    Returns
    -------
    Face or None
        ``only``: the largest. ``left``, ``right``: that one of the two largest; where but one face
        is seen, it counts if it is in that half of the picture.
    """
    ranked = sorted(faces, key=lambda face: -face.area)
    ranked = [face for face in ranked if face.area >= BYSTANDER * ranked[0].area]
    if not ranked or side == "only":
        return ranked[0] if ranked else None
    pair = sorted(ranked[:2], key=lambda face: float(face.centre[0]))
    if len(pair) == 2:
        return pair[0] if side == "left" else pair[1]
    is_left = float(pair[0].centre[0]) < width / 2
    return pair[0] if is_left == (side == "left") else None


def nearest(faces: list[Face], last: Face, gap: float) -> Face | None:
    """Return the face that continues a track, if any can.

    Parameters
    ----------
    faces : list of Face
        Candidates.
    last : Face
        The person when last seen.
    gap : float
        Seconds since then; the longer, the farther they may have moved.
    """
    reach = last.size * (REACH + REACH_PER_SECOND * gap)

    def distance(face: Face) -> float:
        return float(np.linalg.norm(face.centre - last.centre))

    fitting = [
        face
        for face in faces
        if distance(face) <= reach and 1 / GROWTH <= face.size / last.size <= GROWTH
    ]
    return min(fitting, key=distance, default=None)


def same(first: Face, second: Face) -> bool:
    """True if two boxes of one picture are the same face."""
    return bool(intersection_over_union(first.box, second.box[None])[0] > SAME_FACE)


def interpolate(first: Face, second: Face, share: float) -> Face:
    """Return the face on the straight way from one detection to another, `share` from 0 to 1."""
    weight = np.float32(share)
    contour = None
    if first.contour is not None and second.contour is not None:
        contour = first.contour + weight * (second.contour - first.contour)
    return Face(
        first.box + weight * (second.box - first.box),
        first.landmarks + weight * (second.landmarks - first.landmarks),
        first.score + share * (second.score - first.score),
        contour,
        detected=False,
    )
