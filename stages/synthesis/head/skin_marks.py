"""Where on the skin things may lie: soft spots on the texture that every person shares."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.skin_map import AXIS

Floats = NDArray[np.float32]

# The canvas in front of the face that `face_canvas` draws on.
LEFT: Final = -1.0  # decimetres: it reaches from here to the same on the other side
TOP: Final = 8.5
BOTTOM: Final = 5.9
SCALE: Final = 240  # canvas pixels in a decimetre


@dataclass(frozen=True)
class SkinMarks:
    """Places and spots on the texture, all (size, size) float32.

    Attributes
    ----------
    x, y, z : np.ndarray
        Points of the base head at the texels, decimetres.
    column, row : np.ndarray
        Pixel of `face_canvas` in front of each texel.
    front : np.ndarray
        How much of the canvas shows there: 0 at the back of the head and off it.
    cheeks, nose, blush, sockets, lids, freckles : np.ndarray
        Where blood shines through, make-up is put on, skin is thin, freckles are.
    jaw, lip, chin, corners, bare : np.ndarray
        Where a beard grows, a moustache, a goatee and its sides, and where nothing does.
    """

    x: Floats
    y: Floats
    z: Floats
    column: Floats
    row: Floats
    front: Floats
    cheeks: Floats
    nose: Floats
    blush: Floats
    sockets: Floats
    lids: Floats
    freckles: Floats
    jaw: Floats
    lip: Floats
    chin: Floats
    corners: Floats
    bare: Floats


def _spot(across: Floats, up: Floats, radii: tuple[float, float], power: int) -> Floats:
    """Spot around the places where `across` and `up` are 0; power 2 is soft, 4 has an edge."""
    value = np.exp(-((across / radii[0]) ** power) - (up / radii[1]) ** power)
    return np.asarray(value, np.float32)


def skin_marks(places: NDArray[np.float16]) -> SkinMarks:
    """Make the spots.

    Parameters
    ----------
    places : (size, size, 4) float16 np.ndarray
        Points of the base head at the texels, from `HeadBank`.
    """
    points = np.ascontiguousarray(places.transpose(2, 0, 1), np.float32)
    x, y, z = points[:3]
    across = np.abs(x)
    jaw = np.clip((6.62 + 0.55 * np.clip(across - 0.25, 0, 1) - y) / 0.1, 0, 1)
    jaw *= np.clip((y - 5.98) / 0.12, 0, 1) * np.clip((z - 0.35) / 0.15, 0, 1)
    sides = np.exp(-(((across - 0.3) / 0.05) ** 2) - ((y - 6.55) / 0.2) ** 4)
    return SkinMarks(
        x=x,
        y=y,
        z=z,
        column=(x - LEFT) * SCALE - 0.5,
        row=(TOP - y) * SCALE - 0.5,
        front=np.clip((z - AXIS) * 6.0, 0.0, 1.0) * points[3],
        cheeks=_spot(across - 0.42, y - 6.95, (0.22, 0.2), 2),
        nose=_spot(across, y - 6.98, (0.16, 0.13), 2),
        blush=_spot(across - 0.45, y - 6.95, (0.16, 0.12), 2),
        sockets=_spot(across - 0.3, y - 7.22, (0.2, 0.14), 4),
        lids=_spot(across - 0.32, y - 7.375, (0.2, 0.07), 4),
        freckles=_spot(across, y - 7.05, (0.55, 0.35), 4),
        jaw=np.asarray(jaw, np.float32),
        lip=_spot(across - 0.12, y - 6.765, (0.16, 0.055), 4),
        chin=_spot(across, y - 6.3, (0.2, 0.17), 4),
        corners=np.asarray(sides, np.float32),
        bare=_spot(across, y - 6.6, (0.25, 0.115), 4),
    )
