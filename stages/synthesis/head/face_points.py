"""Which vertices of a head are the five points of a face."""

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.head_bank import EYE, SKIN
from stages.synthesis.head.head_model import Head


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
