"""What a head is once it is made: the arrays that are moved and drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.people.people import Person

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Head:
    """A person's head; n vertices, t triangles. One unit is the height of the face.

    Attributes
    ----------
    person : Person
        Whose head it is.
    neutral : (n, 3) float32 np.ndarray
        x to the person's left, y up, z forward; the origin is in the middle of the face.
    shapes : (52, n, 3) float32 np.ndarray
        Displacement by each face shape at weight 1.
    triangles, parts, corners : np.ndarray
        As in `HeadBank`.
    rest : (n, 3) float32 np.ndarray
        Place on the base head in decimetres; of the eyes, the direction from their centre.
    surface : (n, 4) float32 np.ndarray
        Ambient light that arrives, lips, lids, side of the face (positive is left; the ears have
        values near 0).
    rigid : (n,) float32 np.ndarray
        How far each vertex follows the head's turning.
    pivot : (3,) float32 np.ndarray
        Point the head turns about.
    fold_masks : (folds, n) float32 np.ndarray
        Rows `action_units.FOLDS`.
    skin, folds_across, folds_along : (size, size, 4) uint8 np.ndarray
        Textures, from `skin.skin_texture` and `folds.fold_textures`.
    age_folds : (folds,) float32 np.ndarray
        Depth of the folds of the face at rest.
    """

    person: Person
    neutral: Floats
    shapes: Floats
    triangles: Ints
    parts: Ints
    corners: Floats
    rest: Floats
    surface: Floats
    rigid: Floats
    pivot: Floats
    fold_masks: Floats
    skin: NDArray[np.uint8]
    folds_across: NDArray[np.uint8]
    folds_along: NDArray[np.uint8]
    age_folds: Floats
