"""Dense points of a face in its crop: generated faces know them exactly, photos do not."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import ARCFACE_TEMPLATE, CROP_SIDE, similarity_transform

POINTS_A_SIDE: Final = 34  # of each half of the face, those on its middle line among both
POINTS: Final = "points"  # dataset of a crop file, (n, 2, POINTS_A_SIDE, 2) in pixels of the crop
N_COORDINATES: Final = 2 * POINTS_A_SIDE * 2


def points_in_crop(
    points: NDArray[np.float32], landmarks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Bring points of a picture into the crop that is aligned by five landmarks.

    Parameters
    ----------
    points : (..., 2) float32 np.ndarray
        Column and row in pixels of the picture.
    landmarks : (5, 2) float32 np.ndarray
        As for :func:`stages.crops.alignment.align`.

    Returns
    -------
    (..., 2) float32 np.ndarray
        Column and row in pixels of the crop, outside of it too.
    """
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def as_targets(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring (n, 2, POINTS_A_SIDE, 2) pixels into (n, N_COORDINATES) shares of the side."""
    return (points.reshape(len(points), N_COORDINATES) / CROP_SIDE).astype(np.float32)
