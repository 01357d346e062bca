"""What is put on a head and follows it, but no face shape: glasses, strands of hair."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.head_model import Head

Floats = NDArray[np.float32]


def attached(
    head: Head,
    points: Floats,
    triangles: NDArray[np.int32],
    parts: NDArray[np.int32] | int,
    rest: Floats | None = None,
    occlusion: Floats | float = 1.0,
) -> Head:
    """The same head with more triangles.

    Parameters
    ----------
    head : Head
        To add to.
    points : (n, 3) float32 np.ndarray
        New vertices, in heights of the face.
    triangles : (t, 3) int32 np.ndarray
        Their numbers start after the head's.
    parts : (t,) int32 np.ndarray or int
        Of `head_bank`.
    rest : (n, 3) float32 np.ndarray or None
        What the shading takes its patterns from; None: the points.
    occlusion : (n,) float32 np.ndarray or float
        Share of the light from all around that arrives.
    """
    extra = len(points)
    surface = np.tile(np.array([1.0, 0.0, 0.0, 1.0], np.float32), (extra, 1))
    surface[:, 0] = occlusion
    parts = np.broadcast_to(np.asarray(parts, np.int32), (len(triangles),))
    return replace(
        head,
        neutral=np.concatenate([head.neutral, points]),
        shapes=np.pad(head.shapes, ((0, 0), (0, extra), (0, 0))),
        triangles=np.concatenate([head.triangles, triangles]),
        parts=np.concatenate([head.parts, parts]),
        corners=np.pad(head.corners, ((0, len(triangles)), (0, 0), (0, 0))),
        rest=np.concatenate([head.rest, points if rest is None else rest]),
        surface=np.concatenate([head.surface, surface]),
        rigid=np.pad(head.rigid, (0, extra), constant_values=1.0),
        fold_masks=np.pad(head.fold_masks, ((0, 0), (0, extra))),
    )
