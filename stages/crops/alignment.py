"""Alignment of a face to the ArcFace template: the similarity that best maps five points.

References
----------
J. Deng et al. ArcFace: additive angular margin loss for deep face recognition. CVPR 2019.
S. Umeyama. Least-squares estimation of transformation parameters between two point patterns.
IEEE TPAMI 13(4), 1991.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

CROP_SIDE = 112  # pixels

# Left eye, right eye, nose, left and right corner of the mouth, as seen in the picture: where
# they lie in the crop, in pixels. The published constants of insightface.utils.face_align.
ARCFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


def similarity_transform(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Rotation, scale and shift that best map one set of points onto another.

    Parameters
    ----------
    source, target : (n, 2) array-like
        Points that belong together, n at least 2.

    Returns
    -------
    (2, 3) np.ndarray
        Matrix for ``cv2.warpAffine``. Never a reflection.

    Raises
    ------
    ValueError
        If the source points all coincide.
    """
    # In the complex plane the similarity is z -> a z + b, and least squares has a closed form.
    z = np.asarray(source, np.float64) @ (1, 1j)
    w = np.asarray(target, np.float64) @ (1, 1j)
    centred = z - z.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if not spread > 0:
        raise ValueError("the points coincide: no transform maps them")
    a = complex((np.conj(centred) * (w - w.mean())).sum() / spread)
    b = complex(w.mean() - a * z.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(image: NDArray[np.uint8], landmarks: ArrayLike) -> NDArray[np.uint8]:
    """Cut out a face so that its five points lie on the ArcFace template.

    Parameters
    ----------
    image : (height, width, 3) uint8 np.ndarray
        Picture.
    landmarks : (5, 2) array-like
        Left eye, right eye, nose, left and right corner of the mouth, in pixels.

    Returns
    -------
    (112, 112, 3) uint8 np.ndarray
        Black where the crop reaches over the border of the picture.
    """
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    crop: NDArray[np.uint8] = cv2.warpAffine(image, matrix, (CROP_SIDE, CROP_SIDE))
    return crop


def crop_displacement(reference: ArrayLike, landmarks: ArrayLike) -> float:
    """How far two alignments of one face lie apart.

    Parameters
    ----------
    reference, landmarks : (5, 2) array-like
        Two estimates of the five points, in pixels of the picture.

    Returns
    -------
    float
        Distance between where the two crops show the reference's five points, mean over the
        points, in pixels of the crop.
    """
    points = np.c_[np.asarray(reference, np.float64), np.ones(len(np.asarray(reference)))]
    first = points @ similarity_transform(reference, ARCFACE_TEMPLATE).T
    second = points @ similarity_transform(landmarks, ARCFACE_TEMPLATE).T
    return float(np.linalg.norm(first - second, axis=1).mean())
