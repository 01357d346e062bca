"""Glasses: frames are ribbons around the eyes; lenses are dark, or mirror a window in part."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.attachments import attached
from stages.synthesis.head.head_bank import EYE, GLASSES, LENS
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.looks import Looks

Floats = NDArray[np.float32]

SEGMENTS: Final = 28  # of each rim
RADII: Final = (0.13, 0.095)  # heights of the face: half of a lens's width and height
CLEARANCE: Final = 0.045  # heights of the face between the eyeball and the lens
THICKNESS: Final = (0.006, 0.02)  # heights of the face, of the thinnest and the thickest frame


def _rim(centre: Floats, radii: Floats, squareness: float, thickness: float) -> Floats:
    """(2 * segments, 3) points: the inner edge of a rim, then the outer."""
    angle = np.linspace(0.0, 2 * np.pi, SEGMENTS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = np.sign(circle) * np.abs(circle) ** squareness
    points = [np.pad(shape * (radii + extra), ((0, 0), (0, 1))) for extra in (0.0, thickness)]
    points[1][:, 2] -= 0.3 * thickness
    return np.asarray(np.concatenate(points) + centre, np.float32)


def _bar(start: Floats, end: Floats, thickness: float) -> Floats:
    """(4, 3) corners of an upright strip between two points."""
    up = np.array([0.0, 0.5 * thickness, 0.0])
    return np.array([start - up, end - up, end + up, start + up], np.float32)


def _lens(ring: list[int], looks: Looks, seed: int) -> list[tuple[int, int, int]]:
    """Triangles between the points of a rim: all of a dark lens, else a strip that mirrors."""
    if looks.dark_glasses:
        return [(ring[0], ring[k], ring[k + 1]) for k in range(1, SEGMENTS - 1)]
    if not looks.glare:
        return []
    start, steps = seed % SEGMENTS, 1 + seed % 3
    near = [ring[(start + k) % SEGMENTS] for k in range(steps + 1)]
    far = [ring[(start + SEGMENTS // 2 - k) % SEGMENTS] for k in range(steps + 1)]
    strips = []
    for k in range(steps):
        strips += [(near[k], near[k + 1], far[k]), (near[k + 1], far[k + 1], far[k])]
    return strips


def put_on_glasses(head: Head, looks: Looks, weight: float) -> Head:
    """The same head with glasses.

    Parameters
    ----------
    head : Head
        Without glasses.
    looks : Looks
        Shape and colour of the glasses.
    weight : float
        Thickness of the frame, 0 to 1.
    """
    thickness = float(np.interp(weight, (0, 1), THICKNESS))
    width, height, roundness = looks.lens
    radii = np.asarray(RADII, np.float32) * np.array((width, height), np.float32)
    squareness = 0.5 + 0.5 * roundness
    eyes = np.unique(head.triangles[head.parts == EYE])
    points: list[Floats] = []
    triangles: list[tuple[int, int, int]] = []
    count = len(head.neutral)
    centres = []
    lens: list[tuple[int, int, int]] = []
    for sign in (-1.0, 1.0):
        ball = head.neutral[eyes[head.surface[eyes, 3] * sign > 0]]
        middle = 0.5 * (ball.min(0) + ball.max(0))
        middle[2] = ball[:, 2].max() + CLEARANCE
        centres.append(np.asarray(middle - (0.0, 0.012, 0.0), np.float32))
        points.append(_rim(centres[-1], radii, squareness, thickness))
        for k in range(SEGMENTS):
            a, b = count + k, count + (k + 1) % SEGMENTS
            triangles += [(a, a + SEGMENTS, b + SEGMENTS), (a, b + SEGMENTS, b)]
        ring = [count + k for k in range(SEGMENTS)]
        lens += _lens(ring, looks, head.person.texture_seed)
        count += 2 * SEGMENTS
    reach = np.array([radii[0] + 0.5 * thickness, 0.02, 0.0])
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
    parts = np.repeat(np.array([GLASSES, LENS], np.int32), (len(triangles), len(lens)))
    return attached(head, np.concatenate(points), np.array(triangles + lens, np.int32), parts)
