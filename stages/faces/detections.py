"""What a face detector finds in a picture, and what it is asked for: shared by all detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detections:
    """Faces found in one picture, best first.

    Attributes
    ----------
    boxes : (n, 4) float32 np.ndarray
        x0, y0, x1, y1 in pixels of the picture.
    landmarks : (n, 5, 2) float32 np.ndarray
        Left eye, right eye, nose, left and right corner of the mouth, as seen in the picture.
    scores : (n,) float32 np.ndarray
        Confidence, 0 to 1.
    contours : (n, 106, 2) float32 np.ndarray or None
        The 106 points of insightface, in pixels, from detectors that have them.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    contours: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Detections:
        """Return the detections of a picture without faces."""
        return cls(
            np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
        )

    def moved(self, scale: float, shift: tuple[float, float]) -> Detections:
        """Return the same faces in a picture that is scaled, then shifted by (x, y) pixels."""
        offset = np.asarray(shift, np.float32)
        return Detections(
            self.boxes * np.float32(scale) + np.tile(offset, 2),
            self.landmarks * np.float32(scale) + offset,
            self.scores,
            None if self.contours is None else self.contours * np.float32(scale) + offset,
        )


class Detector(Protocol):
    """Finds faces and their five points.

    Attributes
    ----------
    has_contours : bool
        True where it also finds the 106 points.
    """

    has_contours: bool

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find the faces of a picture, (height, width, 3) uint8 RGB, at its own size."""
        ...


def detect_within(
    detector: Detector,
    image: NDArray[np.uint8],
    region: tuple[float, float, float, float] | None,
    side: int | None,
) -> Detections:
    """Find faces in a part of a picture, reduced to a given size.

    Parameters
    ----------
    detector : Detector
        What finds them.
    image : (height, width, 3) uint8 np.ndarray
        Picture.
    region : tuple of float or None
        x0, y0, x1, y1 in pixels; it may reach over the border. None for the whole picture.
    side : int or None
        The longer side in pixels to which the part is reduced; it is never enlarged. None for
        full size.

    Returns
    -------
    Detections
        In pixels of the whole picture.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (0, 0, width, height) if region is None else np.round(region).astype(int)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return Detections.none()
    part = image[y0:y1, x0:x1]
    longer = max(part.shape[:2])
    if side is None or side >= longer:
        return detector.detect(part).moved(1.0, (float(x0), float(y0)))
    scale = longer / side
    size = (max(1, round((x1 - x0) / scale)), max(1, round((y1 - y0) / scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return detector.detect(small).moved(scale, (float(x0), float(y0)))


def suppress_overlaps(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float
) -> NDArray[np.intp]:
    """Keep the best of the boxes that lie over one another.

    Parameters
    ----------
    boxes : (n, 4) np.ndarray
        x0, y0, x1, y1.
    scores : (n,) np.ndarray
        Confidence.
    overlap : float
        Intersection over union from which on two boxes are the same face.

    Returns
    -------
    (kept,) np.ndarray
        Positions of the boxes that stay, best first.
    """
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        order = rest[intersection_over_union(boxes[best], boxes[rest]) < overlap]
    return np.asarray(kept, np.intp)


def intersection_over_union(
    box: NDArray[np.float32], boxes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Overlap of one box, (4,), with each of several, (n, 4): 0 to 1."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area = np.prod(box[2:] - box[:2])
    union = area + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    overlap: NDArray[np.float32] = shared / np.maximum(union, np.float32(1e-9))
    return overlap
