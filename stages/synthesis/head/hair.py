"""Strands of hair that fall over forehead and temples: ribbons that follow the head.

The hair on the scalp is the skin's texture, raised off the head; what crosses the forehead or hides
its sides are ribbons, for they cover brows and throw shadows as real fringes do.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.attachments import attached
from stages.synthesis.head.head_bank import HAIR, SKIN
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.looks import Looks

Floats = NDArray[np.float64]

KNOTS: Final = 7  # points along a strand
BEHIND: Final = 3  # every so many strands of long hair hang, broad, behind the neck
_HAIRLINE: Final = 8.03  # decimetres on the base head
_EYES: Final = 7.38
_DEGREES: Final = [(i, j) for i in range(5) for j in range(5 - i)]


def _terms(x: Floats, y: Floats) -> Floats:
    return np.stack([x**i * (y - 7.8) ** j for i, j in _DEGREES], axis=-1)


class Forehead:
    """Where points of the base head's forehead lie on a person's.

    Parameters
    ----------
    head : Head
        The person's, without anything on it.
    """

    def __init__(self, head: Head) -> None:
        skin = np.unique(head.triangles[head.parts == SKIN])
        x, y, z = head.rest[skin].T
        front = skin[(y > 7.42) & (y < 8.5) & (np.abs(x) < 0.85) & (z > 0.55)]
        x, y, _ = head.rest[front].T.astype(np.float64)
        self._fit = np.linalg.lstsq(_terms(x, y), head.neutral[front].astype(np.float64))[0]

    def at(self, x: Floats, y: Floats) -> Floats:
        """(..., 3) places on the person's forehead, in heights of the face."""
        return np.asarray(_terms(x, y) @ self._fit)


def _fringe(looks: Looks, hairline: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Roots and tips, (strands, 2) each, on the base head's forehead in decimetres."""
    dense = {"full": 130, "swept": 110, "curtain": 90, "wisps": 18}[looks.fringe]
    count = round(dense * looks.strands)
    front = _HAIRLINE + 0.08 * hairline
    reach = front - 0.1 - looks.tip * (front - 0.1 - _EYES)  # height of the tips
    side = float(rng.choice((-1.0, 1.0)))
    share = rng.random(count)
    root_y = front + rng.uniform(-0.03, 0.28, count)
    if looks.fringe in ("full", "wisps"):
        root_x = rng.uniform(-0.55, 0.55, count)
        tip_x = root_x * 1.1 + rng.normal(side * 0.05, 0.05, count)
        spread = 0.04 if looks.fringe == "full" else 0.18
        tip_y = reach + rng.normal(0, spread, count) - 0.25 * np.clip(np.abs(tip_x) - 0.4, 0, 1)
    elif looks.fringe == "swept":
        part = side * rng.uniform(0.2, 0.45)
        root_x = part - side * share * 0.5 + rng.normal(0, 0.05, count)
        tip_x = part - side * (0.35 + 0.85 * share) + rng.normal(0, 0.05, count)
        tip_y = front - 0.12 - (front - reach) * share + rng.normal(0, 0.04, count)
    else:
        way = rng.choice((-1.0, 1.0), count)
        root_x = way * (0.05 + 0.2 * share)
        tip_x = way * (0.6 + 0.18 * share) + rng.normal(0, 0.03, count)
        tip_y = 7.45 - 0.2 * looks.tip + rng.normal(0, 0.08, count)
    root_y -= 0.35 * root_x**2
    tip_y = np.clip(np.minimum(tip_y, root_y - 0.08), _EYES - 0.1, None)
    return np.stack([root_x, root_y], 1), np.stack([np.clip(tip_x, -0.85, 0.85), tip_y], 1)


def _forehead_strands(head: Head, looks: Looks, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(strands, knots, 3) middle lines and the way that faces outwards."""
    roots, tips = _fringe(looks, head.person.hairline, rng)
    t = np.linspace(0.0, 1.0, KNOTS)
    count = len(roots)
    bend = rng.uniform(1.0, 2.2, (count, 1))
    x = roots[:, :1] + (tips[:, :1] - roots[:, :1]) * t**bend
    y = roots[:, 1:] + (tips[:, 1:] - roots[:, 1:]) * t
    x = x + 0.05 * looks.wave * np.sin(9.0 * t + rng.uniform(0, 6, (count, 1))) * t
    lift = 0.006 + 0.035 * head.person.hair_volume * np.sin(np.pi * np.minimum(1.25 * t + 0.1, 1.0))
    lift = lift * rng.uniform(0.4, 1.1, (count, 1)) + 0.006
    out = np.stack([0.7 * x, np.full_like(x, 0.35), np.ones_like(x)], axis=-1)
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    return Forehead(head).at(x, y) + lift[..., None] * out, out


def _half_width(head: Head) -> tuple[float, float]:
    """Half of the head's width at the temples, and how far to the front they are."""
    skin = np.unique(head.triangles[head.parts == SKIN])
    place, rest = head.neutral[skin], head.rest[skin]
    level = (rest[:, 1] > 7.3) & (rest[:, 1] < 7.8) & (rest[:, 2] < 0.6)
    half = float(np.abs(place[level, 0]).max())
    return half, float(np.median(place[level & (rest[:, 2] > 0.2), 2]))


def _side_strands(head: Head, looks: Looks, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Long hair that falls from the temples in front of the ears, and behind the neck."""
    half, depth = _half_width(head)
    count = round(30 + 50 * looks.strands)
    side = rng.choice((-1.0, 1.0), (count, 1))
    inner = rng.random((count, 1)) ** 0.7  # 0 hangs in the face, 1 behind the ear
    t = np.linspace(0.0, 1.0, KNOTS)
    top = 0.33 + 0.1 * rng.random((count, 1))
    length = rng.uniform(0.5, 1.5) + 0.2 * rng.random((count, 1))
    belly = np.sin(np.pi * np.minimum(2.2 * t, 1.0) * 0.5)
    out_x = half * (0.78 + (0.14 + 0.22 * inner) * belly)
    x = side * (out_x + 0.05 * looks.wave * np.sin(10 * t + 6.3 * rng.random((count, 1))) * t)
    y = top - length * t
    z = depth + 0.28 * (1 - inner) - 0.12 * inner + 0.05 * np.sin(3.0 * t)
    behind = np.arange(count) % BEHIND == 0  # so that no light shows between hair and neck
    across = np.linspace(-0.95, 0.95, int(behind.sum()))[:, None]
    x[behind] = half * across * (1.0 + 0.1 * t)
    z[behind] = depth - 0.2
    out = np.stack([side * (0.5 + 0.5 * inner) * np.ones_like(t), np.zeros_like(x),
                    0.75 * np.ones_like(x)], axis=-1)  # fmt: skip
    out[behind] = (0.0, 0.0, 1.0)
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    return np.stack([x, y, z], axis=-1), out


def grow_strands(head: Head, looks: Looks, rng: np.random.Generator) -> Head:
    """The same head with a fringe and with hair in front of the ears, where its looks say so.

    Parameters
    ----------
    head : Head
        Without anything on it.
    looks : Looks
        The person's.
    rng : np.random.Generator
        Source of chance.
    """
    lines, ways, broad = [], [], []
    if looks.fringe != "none":
        line, way = _forehead_strands(head, looks, rng)
        broad.append(np.full(len(line), 0.35 if looks.fringe == "wisps" else 1.0))
        lines.append(line)
        ways.append(way)
    if looks.curtains:
        line, way = _side_strands(head, looks, rng)
        broad.append(np.where(np.arange(len(line)) % BEHIND == 0, 4.0, 1.0))
        lines.append(line)
        ways.append(way)
    if not lines:
        return head
    middle, out = np.concatenate(lines), np.concatenate(ways)
    count = len(middle)
    along = np.gradient(middle, axis=1)
    across = np.cross(along, out)
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    course = np.interp(np.linspace(0, 1, KNOTS), (0, 0.15, 0.6, 1), (0.7, 1.0, 0.9, 0.1))
    width = np.concatenate(broad)[:, None] * rng.uniform(0.007, 0.02, (count, 1)) * course
    half = width[..., None] * across
    points = np.stack([middle - half, middle + half], axis=2).reshape(-1, 3)
    # a strand's own pattern: its cells run along it
    pattern = np.zeros((count, KNOTS, 2, 3))
    pattern[..., 0] = rng.uniform(20, 90, (count, 1, 1)) + np.array([0.0, 1.0]) * 0.07
    pattern[..., 1] = np.linspace(0, 1.0, KNOTS)[:, None]
    first = len(head.neutral) + 2 * np.arange(count * KNOTS).reshape(count, KNOTS)[:, :-1].ravel()
    triangles = np.concatenate(
        [np.stack([first, first + 1, first + 3], 1), np.stack([first, first + 3, first + 2], 1)]
    )
    light = np.repeat(rng.uniform(0.55, 1.0, count), 2 * KNOTS)
    return attached(
        head, points.astype(np.float32), triangles.astype(np.int32), HAIR,
        pattern.reshape(-1, 3).astype(np.float32), light.astype(np.float32),
    )  # fmt: skip
