"""Which vertices of a head are the five points of a face, and its dense ones."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.crops.face_points import POINTS_A_SIDE
from stages.synthesis.head.head_bank import EYE, SKIN
from stages.synthesis.head.head_model import Head

Floats = NDArray[np.float32]


def landmark_vertices(head: Head) -> list[NDArray[np.intp]]:
    """Vertices whose mean is each of the five landmarks."""
    eye = np.unique(head.triangles[head.parts == EYE])
    lip = np.flatnonzero(head.surface[:, 1] > 0.5)
    skin = np.unique(head.triangles[head.parts == SKIN])
    x, y, z = head.rest.T
    side = head.surface[:, 3]
    middle = skin[(np.abs(x[skin]) < 0.05) & (y[skin] > 6.8) & (y[skin] < 7.2)]
    nose = middle[np.argsort(-z[middle])[:3]]
    eyes = [eye[(side[eye] * sign > 0) & (z[eye] > 0.85)] for sign in (-1, 1)]
    mouth = [lip[np.argsort(-sign * x[lip])[:4]] for sign in (-1, 1)]
    return [eyes[0], eyes[1], nose, mouth[0], mouth[1]]


# Of the dense points on each side: those of lips, lids and brows, which AUs move most; the rest
# lie all over the face.
_LIPS, _LIDS, _BROWS = 10, 7, 6
_BROW: Final = ((0.08, 0.55), (7.42, 7.56))  # decimetres from the middle, and of height
_FACE: Final = ((0.0, 0.62), (6.2, 7.8))
_FRONT: Final = 0.9  # decimetres: what lies further back is no face


def _spread(places: Floats, count: int) -> NDArray[np.intp]:
    """Choose `count` of some places so that each is as far from the others as can be."""
    chosen = [int(np.argmin(np.linalg.norm(places - places.mean(0), axis=1)))]
    distance = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return np.array(chosen)


def dense_vertices(head: Head) -> NDArray[np.intp]:
    """(2, POINTS_A_SIDE) vertices of the dense points: picture's left, and right, as mirrored.

    They are chosen on the base head, so that they are the same in everyone.
    """
    skin = np.unique(head.triangles[head.parts == SKIN]).astype(np.int64)
    return _chosen(head.rest.tobytes(), skin.tobytes(), head.surface[:, 1:3].tobytes())


@lru_cache(8)
def _chosen(rest: bytes, skin: bytes, masks: bytes) -> NDArray[np.intp]:
    places = np.frombuffer(rest, np.float32).reshape(-1, 3)
    lips, lids = np.frombuffer(masks, np.float32).reshape(-1, 2).T
    vertices = np.frombuffer(skin, np.int64)
    x, y, z = places[vertices].T
    left = vertices[(x > -1e-4) & (z > _FRONT)]
    x, y, z = places[left].T

    def inside(box: tuple[tuple[float, float], tuple[float, float]]) -> NDArray[np.bool_]:
        (near, far), (low, high) = box
        return np.asarray((x >= near) & (x <= far) & (y >= low) & (y <= high), np.bool_)

    regions = (
        (lips[left] > 0.5, _LIPS),
        (lids[left] > 0.5, _LIDS),
        (inside(_BROW), _BROWS),
        (inside(_FACE), POINTS_A_SIDE - _LIPS - _LIDS - _BROWS),
    )
    own = np.concatenate(
        [left[mask][_spread(places[left[mask]], count)] for mask, count in regions]
    )
    mirrored = places[own] * np.array((-1.0, 1.0, 1.0), np.float32)
    distance = np.linalg.norm(places[vertices][None] - mirrored[:, None], axis=-1)
    # the person's right is on the picture's left
    return np.stack([vertices[distance.argmin(1)], own])
