"""The skin's texture: a cylinder around the head, unrolled, and what it shows where.

The wheel's own texture layout gives the face a few per cent of the picture; on a cylinder a texel
is about a millimetre wide everywhere on the face.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SIZE: Final = 512  # texels to a side
AXIS: Final = 0.35  # decimetres: the cylinder's axis stands this far in front of the body's
BOTTOM: Final = 5.6  # decimetres: height at the lower edge of the texture
TOP: Final = 8.6


def skin_place(points: Floats) -> Floats:
    """Place in the texture of points of the base head.

    Parameters
    ----------
    points : (n, 3) float32 np.ndarray
        Decimetres, on the base head.

    Returns
    -------
    (n, 2) float32 np.ndarray
        0 to 1: around the head (0.5 is the nose, more is the person's left), down from the top.
    """
    angle = np.arctan2(points[:, 0], points[:, 2] - AXIS)
    down = (TOP - points[:, 1]) / (TOP - BOTTOM)
    return np.stack([0.5 + angle / (2 * np.pi), down], axis=1).astype(np.float32)


def place_map(base: Floats, triangles: Ints, corners: Floats) -> NDArray[np.float16]:
    """Point of the base head at each texel: the outermost where several lie over one another.

    Parameters
    ----------
    base : (n, 3) float32 np.ndarray
        Vertices.
    triangles : (t, 3) int32 np.ndarray
        The skin's.
    corners : (t, 3, 2) float32 np.ndarray
        Places of their corners in the texture.

    Returns
    -------
    (size, size, 4) float16 np.ndarray
        x, y, z in decimetres and 1, or 0 where no skin lies.
    """
    places = np.zeros((SIZE, SIZE, 4), np.float32)
    reach = np.full((SIZE, SIZE), -1.0, np.float32)
    texels = corners.astype(np.float64) * SIZE - 0.5
    for triangle, place in zip(triangles, texels, strict=True):
        low = np.maximum(np.ceil(place.min(0) - 0.5), (-1e9, 0)).astype(int)
        high = np.minimum(np.floor(place.max(0) + 0.5), (1e9, SIZE - 1)).astype(int)
        if (high < low).any():
            continue
        column, row = np.meshgrid(
            np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1), indexing="xy"
        )
        edges = np.stack([place[1] - place[0], place[2] - place[0]], axis=1)
        if abs(np.linalg.det(edges)) < 1e-9:
            continue
        offset = np.stack([column, row], -1) - place[0]
        inner = offset @ np.linalg.inv(edges).T
        weights = np.concatenate([1.0 - inner.sum(-1, keepdims=True), inner], -1)
        hit = (weights > -0.02).all(-1)
        point = weights[hit] @ base[triangle]
        at = row[hit], column[hit] % SIZE
        radius = np.hypot(point[:, 0], point[:, 2] - AXIS)
        wins = radius > reach[at]
        at = at[0][wins], at[1][wins]
        reach[at] = radius[wins]
        places[at] = np.concatenate([point[wins], np.ones((wins.sum(), 1))], 1)
    return places.astype(np.float16)
