"""The upper and the lower half of a face: the line between them, and hiding one of them.

Kept apart from all that knows of labels: the features of masked copies depend on this alone.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import ARCFACE_TEMPLATE, CROP_SIDE, similarity_transform

Half = Literal["upper", "lower"]
HALVES: Final[tuple[Half, ...]] = ("upper", "lower")


def dividing_lines(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Line between the upper and the lower half of the face in each aligned crop.

    It passes halfway between eyes and mouth, at right angles to the face's axis. The axis is the
    mean of what the eyes, the corners of the mouth and the way from eyes to mouth say of the roll:
    in profile, where the first two shrink to points, the last one rules.

    Parameters
    ----------
    landmarks : (frames, 5, 2) np.ndarray
        Left eye, right eye, nose, left and right corner of the mouth as seen in the picture, in
        pixels of the picture. Where they are NaN (published crops come without), the crop is
        taken to lie on the template.

    Returns
    -------
    (frames, 3) np.ndarray
        float32 a, b, c of each line in the 112x112 crop: ``a x + b y + c`` is the distance in
        pixels, negative towards the eyes and positive towards the mouth.
    """
    lines = np.empty((len(landmarks), 3), np.float32)
    for row, points in enumerate(landmarks.astype(np.float64)):
        if np.isfinite(points).all():
            matrix = similarity_transform(points, ARCFACE_TEMPLATE)
            placed = points @ matrix[:, :2].T + matrix[:, 2]
        else:
            placed = ARCFACE_TEMPLATE
        eyes, mouth = placed[:2].mean(0), placed[3:].mean(0)
        along = (placed[1] - placed[0]) + (placed[4] - placed[3])
        down = (mouth - eyes) + (-along[1], along[0])  # `along` turned by a quarter: downwards
        normal = down / np.linalg.norm(down)
        lines[row] = (*normal, -normal @ (eyes + mouth) / 2)
    return lines


def hide(images: NDArray[np.uint8], lines: NDArray[np.float32], half: Half) -> NDArray[np.uint8]:
    """Black out one half of aligned crops.

    Parameters
    ----------
    images : (n, 112, 112, 3) np.ndarray
        uint8.
    lines : (n, 3) np.ndarray
        See :func:`dividing_lines`.
    half : {"upper", "lower"}

    Returns
    -------
    (n, 112, 112, 3) np.ndarray
        uint8. Each pixel is hidden by one of the two halves and never by both.
    """
    a, b, c = lines.T[:, :, None, None]
    y, x = np.mgrid[:CROP_SIDE, :CROP_SIDE].astype(np.float32)
    below = a * x + b * y + c >= 0
    hidden = below if half == "lower" else ~below
    return np.where(hidden[..., None], np.uint8(0), images)
