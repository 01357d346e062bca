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
    low = np.maximum(np.ceil(texels.min(1) - 0.5), (-np.inf, 0)).astype(int)
    high = np.minimum(np.floor(texels.max(1) + 0.5), (np.inf, SIZE - 1)).astype(int)
    first, second = texels[:, 1] - texels[:, 0], texels[:, 2] - texels[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    drawn = (high >= low).all(1) & (np.abs(area) > 1e-9)
    for k in np.flatnonzero(drawn).tolist():
        column = np.arange(low[k, 0], high[k, 0] + 1)
        row = np.arange(low[k, 1], high[k, 1] + 1)[:, None]
        x, y = column - texels[k, 0, 0], row - texels[k, 0, 1]
        v = (x * second[k, 1] - y * second[k, 0]) / area[k]
        w = (y * first[k, 0] - x * first[k, 1]) / area[k]
        u = 1.0 - v - w
        hit = (u > -0.02) & (v > -0.02) & (w > -0.02)
        point = np.stack([u[hit], v[hit], w[hit]], 1) @ base[triangles[k]]
        down, along = np.nonzero(hit)
        down, along = down + low[k, 1], (along + low[k, 0]) % SIZE
        radius = np.hypot(point[:, 0], point[:, 2] - AXIS)
        wins = radius > reach[down, along]
        down, along = down[wins], along[wins]
        reach[down, along] = radius[wins]
        places[down, along, :3] = point[wins]
        places[down, along, 3] = 1.0
    return places.astype(np.float16)
