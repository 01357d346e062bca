"""Folds that action units draw in the skin: where each lies on the face and how it is shaped.

A fold needs three things: a mask over the vertices, so that its depth follows the AU; a furrow in
the texture, which tilts the skin's normals; and the dark of its bottom.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head import face_canvas as canvas
from stages.synthesis.head.skin_marks import SkinMarks
from stages.synthesis.people.action_units import FOLDS

Floats = NDArray[np.float32]
Texels = NDArray[np.uint8]
Point = tuple[float, float]

STEEPEST: Final = 2.0  # tilt of a normal that a texel can hold

# Centre and radii in decimetres of the soft spot in which a fold is deepest; a name with * has a
# twin on the other side. x is to the person's left.
_PLACES: Final[dict[str, tuple[Point, Point]]] = {
    "forehead_inner": ((0.0, 7.85), (0.26, 0.22)),
    "forehead_outer_*": ((0.42, 7.8), (0.2, 0.22)),
    "crow_*": ((0.62, 7.25), (0.15, 0.17)),
    "under_eye_*": ((0.36, 7.06), (0.2, 0.1)),
    "nasolabial_*": ((0.3, 6.72), (0.14, 0.22)),
    "chin": ((0.0, 6.36), (0.17, 0.1)),
    "glabella": ((0.0, 7.52), (0.1, 0.14)),
    "lid_*": ((0.32, 7.15), (0.2, 0.07)),
    "corner_*": ((0.3, 6.53), (0.09, 0.11)),
    "lip_creases": ((0.0, 6.6), (0.24, 0.13)),
    "lip_rim": ((0.0, 6.6), (0.28, 0.2)),
    "nose_root": ((0.0, 7.3), (0.14, 0.1)),
}


def fold_masks(base: Floats) -> Floats:
    """How strongly each fold acts on each vertex.

    Parameters
    ----------
    base : (n, 3) float32 np.ndarray
        Vertices of the base head, decimetres.

    Returns
    -------
    (folds, n) float32 np.ndarray
        Rows `FOLDS`, 0 to 1; 0 at the back of the head.
    """
    masks = np.zeros((len(FOLDS), len(base)), np.float32)
    for row, name in enumerate(FOLDS):
        stem, _, side = name.rpartition("_")
        key = f"{stem}_*" if side in ("left", "right") else name
        (x, y), (width, height) = _PLACES[key]
        x = -x if side == "right" else x
        squares = ((base[:, 0] - x) / width) ** 2 + ((base[:, 1] - y) / height) ** 2
        masks[row] = np.clip(1.6 * np.exp(-0.5 * squares**1.5), 0, 1) * (base[:, 2] > 0.6)
    return masks


def _both(points: list[Point]) -> list[list[Point]]:
    return [points, canvas.mirrored(points)]


def _across(rng: np.random.Generator) -> list[tuple[list[Point], float, float]]:
    """Lines of the first layer: points, width in decimetres, depth 0 to 1."""
    lines: list[tuple[list[Point], float, float]] = []
    bow, count = rng.uniform(-0.05, 0.08), int(rng.integers(3, 6))
    for k in range(count):
        y = 7.68 + 0.38 * (k + 0.5 + rng.uniform(-0.2, 0.2)) / count
        reach = rng.uniform(0.45, 0.62)
        xs = np.linspace(-reach, reach, 5)
        wave = rng.normal(0, 0.012, 5)
        line = [(float(x), float(y - bow * x * x + w)) for x, w in zip(xs, wave, strict=True)]
        lines.append((line, 0.02, rng.uniform(0.7, 1.0)))
    for sign in (-1.0, 1.0):
        for angle in np.linspace(-0.75, 0.55, int(rng.integers(3, 6))) + rng.normal(0, 0.06):
            near, far = rng.uniform(0.045, 0.07), rng.uniform(0.16, 0.28)
            bend = angle * 1.1
            line = [
                (sign * (0.49 + near * np.cos(angle)), 7.26 + near * np.sin(angle)),
                (sign * (0.49 + 0.6 * far * np.cos(angle)), 7.26 + 0.6 * far * np.sin(bend)),
                (sign * (0.49 + far * np.cos(bend)), 7.26 + far * np.sin(bend)),
            ]
            lines.append((line, 0.014, rng.uniform(0.6, 1.0)))
    for line in _both([(0.17, 7.14), (0.27, 7.06), (0.4, 7.03), (0.53, 7.07)]):
        lines.append((line, 0.028, 0.75))
    for line in _both([(0.19, 6.92), (0.25, 6.82), (0.33, 6.69), (0.37, 6.56)]):
        lines.append((line, 0.034, 1.0))
    lines.append(([(-0.13, 6.37), (0.0, 6.41), (0.13, 6.37)], 0.035, 0.7))
    # tightened lips bulge around the red: a furrow above and one below
    lines.append(([(-0.2, 6.69), (-0.1, 6.745), (0.1, 6.745), (0.2, 6.69)], 0.026, 0.8))
    lines.append(([(-0.17, 6.5), (-0.08, 6.465), (0.08, 6.465), (0.17, 6.5)], 0.03, 1.0))
    return lines


def _along(rng: np.random.Generator) -> list[tuple[list[Point], float, float]]:
    """Lines of the second layer."""
    lines: list[tuple[list[Point], float, float]] = []
    offset = rng.uniform(0.045, 0.075)
    for x in (-offset, offset) if rng.random() < 0.75 else (0.01,):
        lines.append(([(x * 0.8, 7.4), (x, 7.5), (x * 1.25, 7.64)], 0.024, 1.0))
    for line in _both([(0.17, 7.19), (0.26, 7.15), (0.37, 7.145), (0.47, 7.19)]):
        lines.append((line, 0.02, 0.85))
    for line in _both([(0.26, 6.6), (0.29, 6.53), (0.31, 6.43)]):
        lines.append((line, 0.032, 1.0))
    for x in np.linspace(-0.2, 0.2, int(rng.integers(7, 12))) + rng.normal(0, 0.006):
        lines.append(([(x, 6.72), (x * 0.97, 6.66)], 0.008, rng.uniform(0.15, 0.35)))
        lines.append(([(x * 0.95, 6.55), (x * 1.02, 6.48)], 0.008, rng.uniform(0.15, 0.35)))
    for y in (7.28, 7.33):
        lines.append(([(-0.1, y - 0.02), (0.0, y), (0.1, y - 0.02)], 0.016, 0.8))
    return lines


def _layer(
    lines: list[tuple[list[Point], float, float]], strength: float, marks: SkinMarks
) -> Texels:
    depth = np.zeros((canvas.HEIGHT, canvas.WIDTH), np.float32)
    for width in sorted({width for _, width, _ in lines}):
        drawn = canvas.blank()
        for points, its_width, amount in lines:
            if its_width == width:
                stroke = canvas.curve(points)
                canvas.stroke(drawn, stroke[2:-2], width * 0.6, 0.85 * amount)
                canvas.stroke(drawn, stroke[5:-5], width * 0.6, amount)
        np.maximum(depth, canvas.soften(drawn, width * 0.55), out=depth)
    # half the difference of a pixel's neighbours is the slope; rows run downwards
    across = cv2.Sobel(depth, -1, 1, 0, ksize=1, scale=3.5 * strength)
    up = cv2.Sobel(depth, -1, 0, 1, ksize=1, scale=-3.5 * strength)
    dark = np.minimum(depth, 1.0) * np.float32(0.38 * strength)
    layer = canvas.project(cv2.merge([across, up, dark, np.zeros_like(dark)]), marks)
    steps = cv2.multiply(layer, (127.0 / STEEPEST, 127.0 / STEEPEST, 255.0, 0.0))
    return np.asarray(cv2.add(steps, (128.0, 128.0, 0.0, 0.0), dtype=cv2.CV_8U), np.uint8)


def fold_textures(
    marks: SkinMarks, strength: float, rng: np.random.Generator
) -> tuple[Texels, Texels]:
    """The two layers of folds as textures.

    Parameters
    ----------
    marks : SkinMarks
        Where the texels lie.
    strength : float
        1 is a face of middle age.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    tuple of (size, size, 4) uint8 np.ndarray
        At full depth: tilt of the normal along the head's x and y, 1 to 255 for `STEEPEST` to one
        side and to the other; darkness, 255 for black; nothing.
    """
    across, along = (_layer(lines, strength, marks) for lines in (_across(rng), _along(rng)))
    return across, along
