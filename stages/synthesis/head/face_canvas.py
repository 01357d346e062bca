"""A canvas in front of the base face to draw on: brows, folds, make-up, beards.

What is drawn is projected straight back on the skin, so it moves with the skin of any person.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.skin_marks import BOTTOM, LEFT, SCALE, TOP, SkinMarks

Floats = NDArray[np.float32]
Point = tuple[float, float]

WIDTH: Final = round(2 * -LEFT * SCALE)
HEIGHT: Final = round((TOP - BOTTOM) * SCALE)
_SHIFT: Final = 4  # binary places of OpenCV's sub-pixel coordinates


def blank() -> NDArray[np.uint8]:
    """(height, width) canvas of zeros, to draw on with 0 to 255."""
    return np.zeros((HEIGHT, WIDTH), np.uint8)


@cache
def _smoothing(knots: int, count: int) -> NDArray[np.float64]:
    """(count, knots) matrix from knots to points of the cubic that fits them best."""
    degree = min(knots - 1, 3)
    place = np.linspace(0, knots - 1, count)
    return np.vander(place, degree + 1) @ np.linalg.pinv(np.vander(np.arange(knots), degree + 1))


def curve(points: Sequence[Point], count: int = 24) -> NDArray[np.float64]:
    """(count, 2) points of a smooth line through a few points."""
    knots = np.asarray(points, np.float64)
    return np.asarray(_smoothing(len(knots), count) @ knots)


def stroke(
    layer: NDArray[np.uint8], points: NDArray[np.float64], width: float, value: float = 1.0
) -> None:
    """Draw a line of a width in decimetres, at least one pixel, into `layer`, of 0 to 255."""
    pixels = np.stack([(points[:, 0] - LEFT) * SCALE - 0.5, (TOP - points[:, 1]) * SCALE - 0.5], 1)
    fixed = np.round(pixels * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    thickness = max(1, round(width * SCALE))
    cv2.polylines(layer, [fixed], False, 255.0 * value, thickness, cv2.LINE_AA, _SHIFT)


def hairs(
    roots: NDArray[np.float64],
    tips: NDArray[np.float64],
    thickness: int = 1,
) -> Floats:
    """(height, width) canvas of straight hairs, 0 to 1."""
    layer = blank()
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
    return np.asarray(layer * np.float32(1.0 / 255.0), np.float32)


def soften(canvas: Floats | NDArray[np.uint8], width: float) -> Floats:
    """Blur with a Gaussian of a width in decimetres; bytes become 0 to 1."""
    if canvas.dtype == np.uint8:
        canvas = canvas * np.float32(1.0 / 255.0)
    side = 2 * round(3.0 * width * SCALE) + 1
    return np.asarray(cv2.GaussianBlur(canvas, (side, side), width * SCALE), np.float32)


def mirrored(points: Iterable[Point]) -> list[Point]:
    """The same points on the other side of the face."""
    return [(-x, y) for x, y in points]


def project(canvas: Floats, marks: SkinMarks) -> Floats:
    """Bring a canvas on the skin's texture.

    Parameters
    ----------
    canvas : (height, width) or (height, width, channels) float32 np.ndarray
        What is drawn.
    marks : SkinMarks
        Where the texels lie.

    Returns
    -------
    (size, size) or (size, size, channels) float32 np.ndarray
        0 at the back of the head.
    """
    drawn = cv2.remap(canvas, marks.column, marks.row, cv2.INTER_LINEAR, borderValue=0)
    front = marks.front if drawn.ndim == 2 else cv2.merge([marks.front] * drawn.shape[2])
    return np.asarray(cv2.multiply(drawn, front), np.float32)
