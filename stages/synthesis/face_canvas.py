"""A canvas in front of the base face to draw on: brows, folds, make-up, beards.

What is drawn is projected straight back on the skin, so it moves with the skin of any person.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.skin_map import AXIS

Floats = NDArray[np.float32]
Point = tuple[float, float]

LEFT: Final = -1.0  # decimetres: the canvas reaches from here to the same on the other side
TOP: Final = 8.5
BOTTOM: Final = 5.9
SCALE: Final = 240  # canvas pixels in a decimetre
WIDTH: Final = round(2 * -LEFT * SCALE)
HEIGHT: Final = round((TOP - BOTTOM) * SCALE)
_SHIFT: Final = 4  # binary places of OpenCV's sub-pixel coordinates


def blank() -> Floats:
    """(height, width) canvas of zeros."""
    return np.zeros((HEIGHT, WIDTH), np.float32)


def grid() -> tuple[Floats, Floats]:
    """X and y in decimetres of each canvas pixel, (height, width) each."""
    x = LEFT + (np.arange(WIDTH, dtype=np.float32) + 0.5) / SCALE
    y = TOP - (np.arange(HEIGHT, dtype=np.float32) + 0.5) / SCALE
    across, up = np.meshgrid(x, y)
    return np.asarray(across, np.float32), np.asarray(up, np.float32)


def spot(centre: Point, radii: Point) -> Floats:
    """Soft spot of height 1 with radii in decimetres at which it has fallen to 0.6."""
    x, y = grid()
    squares = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    return np.asarray(np.exp(-0.5 * squares), np.float32)


def curve(points: Sequence[Point], count: int = 24) -> NDArray[np.float64]:
    """(count, 2) points of a smooth line through a few points."""
    knots = np.asarray(points, np.float64)
    place = np.linspace(0, len(knots) - 1, count)
    degree = min(len(knots) - 1, 3)
    t = np.arange(len(knots))
    return np.stack([np.polyval(np.polyfit(t, knots[:, k], degree), place) for k in (0, 1)], 1)


def stroke(
    canvas: Floats, points: NDArray[np.float64] | Sequence[Point], width: float, value: float = 1.0
) -> None:
    """Draw a line of a width in decimetres, at least one pixel, into `canvas`."""
    pixels = np.asarray(points, np.float64)
    pixels = np.stack([(pixels[:, 0] - LEFT) * SCALE - 0.5, (TOP - pixels[:, 1]) * SCALE - 0.5], 1)
    fixed = np.round(pixels * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    thickness = max(1, round(width * SCALE))
    layer = np.zeros(canvas.shape, np.uint8)
    cv2.polylines(layer, [fixed], False, 255, thickness, cv2.LINE_AA, _SHIFT)
    np.maximum(canvas, layer.astype(np.float32) * (value / 255.0), out=canvas)


def hairs(
    roots: NDArray[np.float64],
    tips: NDArray[np.float64],
    thickness: int = 1,
) -> Floats:
    """(height, width) canvas of straight hairs, 0 to 1."""
    layer = np.zeros((HEIGHT, WIDTH), np.uint8)
    lines = np.stack([roots, tips], axis=1)
    pixels = np.stack([(lines[..., 0] - LEFT) * SCALE, (TOP - lines[..., 1]) * SCALE], -1)
    cv2.polylines(
        layer,
        list(np.round(pixels * 2**_SHIFT).astype(np.int32)),
        False,
        255,
        thickness,
        cv2.LINE_AA,
        _SHIFT,
    )
    return layer.astype(np.float32) / 255.0


def soften(canvas: Floats, width: float) -> Floats:
    """Blur with a Gaussian of a width in decimetres."""
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), width * SCALE), np.float32)


def mirrored(points: Iterable[Point]) -> list[Point]:
    """The same points on the other side of the face."""
    return [(-x, y) for x, y in points]


def project(canvas: Floats, places: Floats) -> Floats:
    """Bring a canvas on the skin's texture.

    Parameters
    ----------
    canvas : (height, width) or (height, width, channels) float32 np.ndarray
        What is drawn.
    places : (size, size, 4) float32 np.ndarray
        Points of the base head at the texels.

    Returns
    -------
    (size, size) or (size, size, channels) float32 np.ndarray
        0 at the back of the head.
    """
    column = (places[..., 0] - LEFT) * SCALE - 0.5
    row = (TOP - places[..., 1]) * SCALE - 0.5
    drawn = cv2.remap(canvas, column, row, cv2.INTER_LINEAR, borderValue=0)
    front = np.clip((places[..., 2] - AXIS) * 6.0, 0.0, 1.0) * places[..., 3]
    return np.asarray(drawn * (front if drawn.ndim == 2 else front[..., None]), np.float32)
