"""The camera's geometry: turning heads and where they land in the picture."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.render.scene import Scene

FACE_DEPTH: Final = 0.65  # heights of a face from the head's origin to the plane of the face
PAIR_SHARE: Final = 0.42  # height of a face in a picture of two, in heights of the picture
PAIR_PLACES: Final = (-0.25, 0.25)  # middle of each face, in widths of the picture


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of a head.

    Attributes
    ----------
    focal : float
        Pixels.
    distance : float
        From the pinhole to the head's origin, in heights of the face.
    column, row : float
        Pixel that the head's origin falls on.
    """

    focal: float
    distance: float
    column: float
    row: float


def camera_of(scene: Scene, height: int, width: int, place: int, heads: int) -> Camera:
    """Camera of the head at a place, from the left, among one or two heads."""
    share, across = scene.face_share, 0.0
    if heads > 1:
        share = min(share * 0.75, PAIR_SHARE)
        across = PAIR_PLACES[place] * width
    focal = share * height * (scene.distance - FACE_DEPTH)
    return Camera(
        focal=focal,
        distance=scene.distance,
        column=0.5 * width + across + scene.centre[0] * height,
        row=(0.5 - scene.centre[1]) * height,
    )


def rotation_matrix(vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """(3, 3) matrix of a rotation vector in radians."""
    matrix, _ = cv2.Rodrigues(np.asarray(vector, np.float64).reshape(3, 1))
    return np.asarray(matrix, np.float64)


def euler_matrix(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """(3, 3) matrix of degrees to the person's left, up, and of tilting to the person's right."""
    axes = np.diag(np.deg2rad([-pitch, yaw, roll]))
    turn, nod, tilt = (rotation_matrix(axes[k]) for k in (1, 0, 2))
    return np.asarray(turn @ nod @ tilt)
