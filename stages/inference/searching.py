"""Finding faces that are small for the size to which pictures are reduced before detection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.faces.detections import Detector, detect_within
from stages.faces.face import Face, faces_of
from stages.faces.tracking import Follower
from stages.inference.still import LARGEST_SIDE

Image = NDArray[np.uint8]

DETAILED = 16  # looks from one at more detail to the next
SMALLEST = 28.0  # pixels that the smallest face is to have where the detector sees it


class Searcher(Follower):
    """Finds one person, or everyone, in pictures that may be large and show small faces.

    Of a picture that is larger than `detection_side` every 16th look is at more detail, up to
    2,560 pixels. Where everyone is looked for, the looks between are at the size that the smallest
    face needs; where one person is, this is done only while nobody is found.

    Parameters
    ----------
    detector : Detector
    side : str
    detection_side : int
        See :class:`stages.faces.tracking.Follower`.
    """

    def __init__(self, detector: Detector, side: str, detection_side: int) -> None:
        super().__init__(detector, side, detection_side)
        self._needed = detection_side
        self._looks = self._vain = 0

    def _at(self, image: Image, side: int) -> list[Face]:
        return faces_of(detect_within(self._detector, image, None, side))

    def everyone(self, image: Image) -> list[Face]:
        """Find all faces of a picture, best first; in vain, now and then at more detail."""
        found = super().everyone(image)
        largest = min(max(image.shape[:2]), LARGEST_SIDE)
        if found or largest <= self._limit:
            return found
        self._vain += 1
        return self._at(image, largest) if self._vain % DETAILED == 1 else found

    def crowd(self, image: Image) -> list[Face]:
        """Find all faces of a picture at the size that they need, each at full size again."""
        longer = max(image.shape[:2])
        largest = min(longer, LARGEST_SIDE)
        if largest <= self._limit:
            return super().everyone(image)
        if self._looks % DETAILED == 0:
            faces = self._at(image, largest)
            sizes = [face.size for face in faces]
            side = round(longer * SMALLEST / min(sizes)) if sizes else self._limit
            self._needed = min(max(side, self._limit), largest)
        else:
            faces = self._at(image, min(self._needed, longer))
        self._looks += 1
        return [self.sharpened(image, face) for face in faces]
