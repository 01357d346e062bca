"""Spectacle frames: ribbons around the eyes that follow the head and no face shape."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head_bank import EYE, GLASSES
from stages.synthesis.head_model import Head

Floats = NDArray[np.float32]

SEGMENTS: Final = 28  # of each rim
RADII: Final = (0.13, 0.095)  # heights of the face: half of a lens's width and height
CLEARANCE: Final = 0.045  # heights of the face between the eyeball and the lens
THICKNESS: Final = (0.006, 0.02)  # heights of the face, of the thinnest and the thickest frame


def _rim(centre: Floats, squareness: float, thickness: float) -> Floats:
    """(2 * segments, 3) points: the inner edge of a rim, then the outer."""
    angle = np.linspace(0.0, 2 * np.pi, SEGMENTS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = np.sign(circle) * np.abs(circle) ** squareness
    points = [
        np.pad(shape * (np.array(RADII) + extra), ((0, 0), (0, 1))) for extra in (0.0, thickness)
    ]
    points[1][:, 2] -= 0.3 * thickness
    return np.asarray(np.concatenate(points) + centre, np.float32)


def _bar(start: Floats, end: Floats, thickness: float) -> Floats:
    """(4, 3) corners of an upright strip between two points."""
    up = np.array([0.0, 0.5 * thickness, 0.0])
    return np.array([start - up, end - up, end + up, start + up], np.float32)


def put_on_glasses(head: Head, weight: float) -> Head:
    """The same head with glasses.

    Parameters
    ----------
    head : Head
        Without glasses.
    weight : float
        Thickness of the frame, 0 to 1.
    """
    thickness = float(np.interp(weight, (0, 1), THICKNESS))
    squareness = 0.6 + 0.4 * (head.person.texture_seed % 1000) / 1000.0
    eyes = np.unique(head.triangles[head.parts == EYE])
    points: list[Floats] = []
    triangles: list[tuple[int, int, int]] = []
    count = len(head.neutral)
    centres = []
    for sign in (-1.0, 1.0):
        ball = head.neutral[eyes[head.surface[eyes, 3] * sign > 0]]
        middle = 0.5 * (ball.min(0) + ball.max(0))
        middle[2] = ball[:, 2].max() + CLEARANCE
        centres.append(np.asarray(middle - (0.0, 0.012, 0.0), np.float32))
        points.append(_rim(centres[-1], squareness, thickness))
        for k in range(SEGMENTS):
            a, b = count + k, count + (k + 1) % SEGMENTS
            triangles += [(a, a + SEGMENTS, b + SEGMENTS), (a, b + SEGMENTS, b)]
        count += 2 * SEGMENTS
    reach = np.array([RADII[0] + 0.5 * thickness, 0.02, 0.0])
    back = float(np.median(head.neutral[np.abs(head.surface[:, 3]) < 0.3, 2]))
    width = float(np.abs(head.neutral[np.abs(head.surface[:, 3]) < 0.3, 0]).min()) - 0.01
    bars = [(centres[0] + reach, centres[1] + reach * (-1, 1, 1))]
    for sign, centre in zip((-1.0, 1.0), centres, strict=True):
        hinge = centre + reach * (sign, 1, 1)
        bars.append((hinge, np.array([sign * width, hinge[1], back])))
    for start, end in bars:
        points.append(_bar(np.asarray(start), np.asarray(end), 1.4 * thickness))
        triangles += [(count, count + 1, count + 2), (count, count + 2, count + 3)]
        count += 4
    return _with_part(head, np.concatenate(points), np.array(triangles, np.int32))


def _with_part(head: Head, points: Floats, triangles: NDArray[np.int32]) -> Head:
    extra = len(points)
    surface = np.tile(np.array([1.0, 0.0, 0.0, 1.0], np.float32), (extra, 1))
    return replace(
        head,
        neutral=np.concatenate([head.neutral, points]),
        shapes=np.pad(head.shapes, ((0, 0), (0, extra), (0, 0))),
        triangles=np.concatenate([head.triangles, triangles]),
        parts=np.concatenate([head.parts, np.full(len(triangles), GLASSES, np.int32)]),
        corners=np.pad(head.corners, ((0, len(triangles)), (0, 0), (0, 0))),
        rest=np.concatenate([head.rest, points]),
        surface=np.concatenate([head.surface, surface]),
        rigid=np.pad(head.rigid, (0, extra), constant_values=1.0),
        fold_masks=np.pad(head.fold_masks, ((0, 0), (0, extra))),
    )
