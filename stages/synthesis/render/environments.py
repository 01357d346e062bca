"""Light from all around: what 18 measured places shed on a surface that faces any way.

Each place is a panorama of high dynamic range, reduced to the nine spherical harmonics that white
matt surfaces can tell apart, and the direction of what is much brighter than the rest: sun,
window, lamp.

References
----------
R. Ramamoorthi, P. Hanrahan. An efficient representation for irradiance environment maps. SIGGRAPH
2001. The panorama files: npm package ``@pmndrs/assets`` 1.7.0, folder ``hdri``, a selection of Poly
Haven's, CC0 1.0.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TERMS: Final = 9

# Direction to the brightest light; red, green and blue of each of the nine terms of `basis`. Light
# is measured in shares of the place's mean; what exceeds it eightfold is left to a key light.
_PLACES: Final = {
    "apartment": ((-0.64, 0.19, -0.75), (
        1.14, 0.97, 0.86, -0.68, -0.69, -0.76, 0.01, 0.06, 0.09,
        -0.17, -0.22, -0.33, 0.17, 0.12, 0.08, -0.01, -0.02, -0.02,
        -0.05, -0.07, -0.10, 0.27, 0.34, 0.48, 0.13, 0.13, 0.13)),
    "bridge": ((0.01, 1.00, -0.01), (
        0.92, 1.01, 1.12, -0.03, -0.02, -0.03, 0.28, 0.27, 0.26,
        -0.09, -0.14, -0.24, 0.01, 0.01, 0.00, -0.01, -0.01, -0.01,
        0.12, 0.10, 0.06, 0.26, 0.21, 0.14, -0.01, -0.02, -0.04)),
    "city": ((0.73, 0.37, -0.58), (
        1.00, 0.98, 1.14, 0.26, 0.27, 0.31, 1.03, 1.11, 1.34,
        0.09, 0.08, 0.11, 0.28, 0.27, 0.30, 0.08, 0.10, 0.13,
        0.13, 0.13, 0.16, -0.05, -0.05, -0.05, 0.02, 0.02, 0.02)),
    "dawn": ((-0.69, 0.11, -0.71), (
        1.21, 0.89, 1.51, -0.67, -0.37, -0.43, 0.45, 0.47, 1.13,
        -0.68, -0.40, -0.42, -0.35, -0.22, -0.31, -0.34, -0.22, -0.26,
        -0.13, -0.07, -0.05, 0.55, 0.30, 0.29, -0.02, -0.02, -0.01)),
    "esplanade": ((0.00, 1.00, 0.05), (
        1.05, 0.92, 1.61, 0.17, 0.26, 0.64, 0.04, 0.31, 1.47,
        0.08, 0.01, -0.06, -0.05, 0.11, 0.49, 0.14, 0.04, -0.05,
        0.09, 0.09, 0.22, -0.04, -0.10, -0.29, -0.01, 0.03, 0.10)),
    "forest": ((-0.13, 0.86, -0.49), (
        0.93, 1.00, 1.20, -0.09, -0.06, -0.09, 0.60, 0.91, 1.48,
        -0.20, -0.33, -0.58, -0.01, -0.04, -0.07, -0.40, -0.47, -0.71,
        0.10, 0.14, 0.25, 0.00, 0.02, 0.03, -0.02, -0.04, -0.05)),
    "hall": ((0.03, 0.99, -0.10), (
        1.09, 0.98, 0.91, -0.15, -0.13, -0.11, 0.03, 0.12, 0.20,
        -0.12, -0.11, -0.10, 0.02, 0.02, 0.03, -0.01, -0.02, -0.03,
        -0.08, -0.08, -0.07, 0.32, 0.30, 0.26, 0.03, 0.02, 0.02)),
    "lab": ((0.06, 0.70, -0.71), (
        0.78, 1.07, 1.00, 0.03, 0.02, 0.01, 0.59, 0.76, 0.85,
        -0.34, -0.47, -0.64, 0.00, -0.01, -0.02, -0.42, -0.58, -0.78,
        0.02, 0.03, 0.04, -0.00, -0.02, -0.01, -0.07, -0.11, -0.13)),
    "lobby": ((0.00, 1.00, -0.09), (
        1.22, 0.97, 0.60, 0.17, 0.22, 0.13, 0.06, 0.14, 0.17,
        -0.13, -0.07, -0.27, 0.05, 0.06, 0.02, -0.07, -0.06, -0.08,
        -0.03, -0.07, -0.08, -0.17, -0.22, -0.33, 0.01, 0.02, 0.01)),
    "night": ((0.89, 0.19, 0.41), (
        1.13, 0.98, 0.82, 0.49, 0.46, 0.40, 0.59, 0.62, 0.62,
        0.17, 0.16, 0.15, 0.21, 0.21, 0.21, 0.13, 0.12, 0.10,
        -0.17, -0.13, -0.08, -0.14, -0.07, -0.02, -0.08, -0.03, 0.01)),
    "park": ((-0.58, 0.18, -0.80), (
        0.77, 1.04, 1.32, -0.28, -0.32, -0.38, 0.20, 0.33, 0.97,
        -0.28, -0.30, -0.34, -0.12, -0.14, -0.19, -0.15, -0.17, -0.22,
        -0.12, -0.14, -0.13, 0.31, 0.34, 0.39, -0.05, -0.06, -0.07)),
    "sky": ((-0.38, 0.74, -0.55), (
        0.85, 1.00, 1.45, -0.23, -0.28, -0.38, 0.35, 0.41, 0.60,
        -0.35, -0.44, -0.62, -0.08, -0.10, -0.13, -0.12, -0.15, -0.22,
        0.00, -0.01, -0.01, 0.17, 0.20, 0.28, -0.01, -0.02, -0.04)),
    "studio": ((0.70, 0.71, 0.07), (
        0.88, 1.02, 1.15, -0.86, -0.97, -1.03, -0.00, 0.01, 0.04,
        -0.51, -0.58, -0.63, 0.05, 0.07, 0.12, -0.02, -0.02, -0.02,
        -0.13, -0.14, -0.15, 0.86, 0.99, 1.10, 0.40, 0.46, 0.52)),
    "sunrise": ((-0.59, 0.13, -0.80), (
        0.88, 1.02, 1.15, -0.51, -0.48, -0.35, 0.27, 0.51, 0.95,
        -0.59, -0.56, -0.39, -0.17, -0.20, -0.17, -0.23, -0.26, -0.23,
        -0.14, -0.13, -0.09, 0.57, 0.53, 0.40, -0.05, -0.05, -0.04)),
    "sunset": ((-0.59, 0.08, -0.81), (
        0.99, 0.98, 1.20, -0.50, -0.41, -0.39, 0.54, 0.67, 1.01,
        -0.61, -0.37, -0.19, -0.25, -0.24, -0.25, -0.31, -0.20, -0.11,
        -0.10, -0.05, 0.00, 0.48, 0.33, 0.24, -0.07, -0.05, -0.05)),
    "venice": ((0.39, 0.25, -0.88), (
        0.63, 1.01, 2.04, 0.02, -0.07, -0.23, 0.40, 0.78, 1.82,
        -0.32, -0.32, -0.34, 0.08, 0.08, 0.06, -0.21, -0.22, -0.27,
        -0.04, -0.03, 0.02, -0.12, -0.14, -0.21, -0.09, -0.08, -0.09)),
    "warehouse": ((-0.36, 0.84, -0.40), (
        1.07, 1.00, 0.82, -0.06, -0.04, -0.01, -0.03, 0.00, 0.07,
        -0.09, -0.02, 0.01, 0.02, 0.01, 0.01, -0.04, -0.02, -0.02,
        -0.08, -0.07, -0.07, 0.15, 0.18, 0.18, -0.03, -0.01, -0.01)),
    "workshop": ((-0.36, 0.68, -0.64), (
        1.20, 0.97, 0.70, -0.39, -0.34, -0.30, 0.45, 0.34, 0.32,
        -0.31, -0.27, -0.28, -0.15, -0.13, -0.12, -0.16, -0.13, -0.12,
        -0.13, -0.10, -0.09, 0.62, 0.51, 0.39, -0.01, -0.00, 0.02)),}  # fmt: skip
PLACES: Final = tuple(_PLACES)


def basis(normals: Floats) -> Floats:
    """(..., 9) polynomials of unit normals (..., 3): x right, y up, z to the camera."""
    x, y, z = np.moveaxis(np.asarray(normals, np.float64), -1, 0)
    one = np.ones_like(x)
    return np.stack([one, x, y, z, x * y, y * z, 3 * y * y - 1, x * z, x * x - z * z], axis=-1)


def place_light(place: str, turn: float) -> tuple[Floats, Floats]:
    """Light of a place after the camera has been turned about the vertical.

    Parameters
    ----------
    place : str
        One of `PLACES`.
    turn : float
        Radians.

    Returns
    -------
    direction : (3,) float64 np.ndarray
        To the brightest light.
    terms : (9, 3) float64 np.ndarray
        Colour of each term of `basis`.
    """
    (x, y, z), flat = _PLACES[place]
    cos, sin = np.cos(turn), np.sin(turn)
    direction = np.array([cos * x + sin * z, y, cos * z - sin * x])
    terms = np.array(flat).reshape(TERMS, 3)
    turned = terms.copy()
    for first, second in ((1, 3), (4, 5)):
        turned[first] = cos * terms[first] + sin * terms[second]
        turned[second] = cos * terms[second] - sin * terms[first]
    cos2, sin2 = np.cos(2 * turn), np.sin(2 * turn)
    # x z and x x - z z turn together, twice as fast
    turned[7] = cos2 * terms[7] - 2 * sin2 * terms[8]
    turned[8] = cos2 * terms[8] + 0.5 * sin2 * terms[7]
    return direction / np.linalg.norm(direction), turned
