"""Finding the faces of a photo: there is no next frame, so more sizes are tried."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.faces.detections import Detections, Detector, detect_within
from stages.faces.face import Face, faces_of

Image = NDArray[np.uint8]

LARGEST_SIDE = 2560  # pixels to which a photo is reduced at most, for small faces
SMALL = 256  # pixels; a photo whose longer side is shorter may be a face alone
MARGIN = 0.5  # share of the sides, around a photo that its face fills


def _looks(detector: Detector, image: Image, side: int) -> Iterator[Detections]:
    """Ever more searching looks at a photo."""
    longer = max(image.shape[:2])
    yield detect_within(detector, image, None, side)
    size = 2 * side
    while size // 2 < min(longer, LARGEST_SIDE):  # faces too small at the size before
        yield detect_within(detector, image, None, min(size, LARGEST_SIDE))
        size *= 2
    if longer > side // 2:  # a face too large
        yield detect_within(detector, image, None, side // 2)
    # a face that reaches to the border, or is but a thumbnail
    scale = max(1.0, SMALL / longer)
    large = image
    if scale > 1:
        large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    x, y = round(large.shape[1] * MARGIN), round(large.shape[0] * MARGIN)
    framed = cv2.copyMakeBorder(large, y, y, x, x, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    found = detect_within(detector, np.asarray(framed, np.uint8), None, side)
    yield found.moved(1.0, (-float(x), -float(y))).moved(1 / scale, (0.0, 0.0))


def find_faces(detector: Detector, image: Image, side: int) -> list[Face]:
    """Find the faces of a photo.

    Parameters
    ----------
    detector : Detector
    image : (height, width, 3) uint8 np.ndarray
        RGB.
    side : int
        Longer side in pixels to which a larger photo is reduced first. Where nothing is found, it
        is looked at in more detail, in less, and enlarged with a margin.

    Returns
    -------
    list of Face
        Best first; empty where there is none.
    """
    for found in _looks(detector, image, side):
        if len(found):
            return faces_of(found)
    return []
