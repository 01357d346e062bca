"""One person's head: vertices, face shapes, textures, ready to be moved and drawn."""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head.folds import fold_textures
from stages.synthesis.head.glasses import put_on_glasses
from stages.synthesis.head.hair import grow_strands
from stages.synthesis.head.head_bank import EYE, HAIR, LASHES, MOUTH, SKIN, TEETH, TONGUE, HeadBank
from stages.synthesis.head.head_model import Head
from stages.synthesis.head.skin import covered_region, hair_region, skin_texture
from stages.synthesis.people.looks import Looks, looks_of
from stages.synthesis.people.mesh_files import FACE_SHAPES
from stages.synthesis.people.people import Person
from stages.synthesis.people.shape_axes import AGES, MUSCLES, SEXES, WEIGHTS

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

CHIN: Final = 6.2  # decimetres on the base head
HAIRLINE: Final = 8.05
NECK: Final = (5.75, 6.45)  # heights between which the head's turning fades out
PIVOT: Final = (0.0, 6.7, 0.25)  # what the head turns about
HAIR_FRONT: Final = 0.75  # decimetres: long hair hangs behind this plane
LID: Final = 7.276  # height between the lower and the upper lashes
HAIR_TOP: Final = 7.6  # and from below this height
# Brows that rest low rise further, brows that rest high sink further: the height of the inner brow
# over the eye's corner, in heights of the face, that moves as far either way; change of the reach
# for each height, and its bounds.
_BROW_POINT: Final = (0.15, 7.42)
_EYE_POINT: Final = (0.2, 7.29)
_BROW_REST: Final = 0.06
_REACH: Final = (18.0, 0.5, 1.25)
_RAISE: Final = [
    row for row, name in enumerate(FACE_SHAPES) if name.startswith("brow") and "Up" in name
]
_LOWER: Final = [row for row, name in enumerate(FACE_SHAPES) if name.startswith("browDown")]
_AGE_KNOTS: Final = (12.0, 25.0, 90.0)  # years that the targets of `AGES` stand for


def _hats(value: float, knots: tuple[float, ...]) -> NDArray[np.float64]:
    """Weights of linear interpolation between knots."""
    return np.array([np.interp(value, knots, row) for row in np.eye(len(knots))])


def person_vertices(person: Person, bank: HeadBank) -> Floats:
    """(n, 3) vertices of a person's neutral face, in decimetres."""
    sex = np.array([1.0 - person.male, float(person.male)])
    age = _hats(person.age, _AGE_KNOTS)
    thirds = (0.0, 0.5, 1.0)
    factors = (sex, age, _hats(person.muscle, thirds), _hats(person.weight, thirds))
    ancestry = [a * s * g for a, s, g in product(person.ancestry, sex, age)]
    build = [float(np.prod(combination)) for combination in product(*factors)]
    assert len(build) == len(SEXES) * len(AGES) * len(MUSCLES) * len(WEIGHTS)
    place = np.array(person.axes)
    ends = np.stack([np.maximum(-place, 0), np.maximum(place, 0)], 1)
    vertices = bank.base.copy()
    for weights, targets in (
        (np.array(ancestry), bank.ancestry),
        (np.array(build), bank.build),
        (ends.ravel(), bank.axes.reshape(-1, *bank.base.shape)),
        (np.array(person.outlines), bank.outlines),
        (np.array(person.asymmetries), bank.asymmetries),
    ):
        for k in np.flatnonzero(weights):
            vertices += np.float32(weights[k]) * targets[k].astype(np.float32)
    return vertices


def _grow_hair(person: Person, looks: Looks, bank: HeadBank, vertices: Floats) -> Floats:
    """Raise the hairy part of the scalp off the head."""
    x, y, z = bank.base.T
    region = hair_region(person, x, y, z, 0.0)
    heights = {"bald": 0.0, "shaved": 0.01, "short": 0.06, "receding": 0.05, "fringe": 0.1}
    height = heights.get(person.hairstyle, 0.14) * (0.5 + person.hair_volume)
    skin = np.zeros(len(x), bool)
    skin[bank.triangles[bank.parts == SKIN].ravel()] = True
    centre = np.array([0.0, 7.45, 0.25], np.float32)
    away = vertices - centre
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    ears = bank.masks[2] > 0.3
    turn = 6.3 * ((person.texture_seed // np.array([1, 7, 49])) % 97 / 97.0)
    lumps = np.sin(7 * x + turn[0]) + np.sin(6 * y + turn[1]) + np.sin(8 * z + turn[2])
    amount = region * height * (1 + 0.18 * lumps) * (skin & ~ears)
    covered = covered_region(looks, x, y, z) * skin
    thick = 0.03 if looks.covering == "scarf" else 0.07
    amount = np.maximum(amount * (1 - 0.5 * covered), covered * thick)
    if looks.covering == "scarf":  # it presses the ears down
        vertices = vertices * (1 - bank.masks[2][:, None] * np.array([0.16, 0, 0], np.float32))
    return np.asarray(vertices + amount[:, None] * away, np.float32)


def _kept_triangles(person: Person, bank: HeadBank) -> NDArray[np.bool_]:
    """People with long hair keep what of it does not hang in the face; few have lashes to see."""
    hair = bank.parts == HAIR
    corners = bank.base[bank.triangles]
    hanging = (corners[..., 2].max(1) < HAIR_FRONT) & (corners[..., 1].min(1) < HAIR_TOP)
    lashes = (bank.parts == LASHES) & ((corners[..., 1].mean(1) < LID) | (person.lid_paint < 0.25))
    kept = (~hair | ((person.hairstyle == "long") & hanging)) & ~lashes
    return np.asarray(kept, np.bool_)


def _rest(bank: HeadBank) -> tuple[Floats, Floats]:
    """Places on the base head, with directions for the eyes, and the side of each vertex."""
    rest = bank.base.copy()
    side = np.where(bank.base[:, 0] >= 0, 1.0, -1.0).astype(np.float32)
    eye = np.zeros(len(rest), bool)
    eye[bank.triangles[bank.parts == EYE].ravel()] = True
    for sign in (-1.0, 1.0):
        ball = eye & (side == sign)
        centre = 0.5 * (bank.base[ball].min(0) + bank.base[ball].max(0))
        offset = bank.base[ball] - centre
        rest[ball] = offset / np.linalg.norm(offset, axis=1, keepdims=True)
    return rest, side


def _surface(bank: HeadBank, side: Floats) -> Floats:
    x, y, z = bank.base.T
    light = np.ones(len(x), np.float32)
    light -= 0.45 * np.exp(-(((np.abs(x) - 0.3) / 0.2) ** 2) - ((y - 7.36) / 0.1) ** 2) * (z > 0.8)
    under = np.clip((6.28 - y) / 0.2, 0, 1) * np.clip((y - 5.2) / 0.4, 0, 1)
    light -= 0.4 * under * np.clip((1.35 - z) / 0.3, 0, 1)
    light -= 0.3 * np.exp(-((x / 0.12) ** 2) - ((y - 6.84) / 0.05) ** 2) * (z > 1.3)  # nostrils
    light -= 0.2 * np.exp(-((x / 0.2) ** 2) - ((y - 6.45) / 0.05) ** 2) * (z > 1.2)  # under the lip
    for part, front, reach in ((MOUTH, 1.5, 0.5), (TEETH, 1.5, 0.55), (TONGUE, 1.5, 0.7)):
        chosen = np.zeros(len(x), bool)
        chosen[bank.triangles[bank.parts == part].ravel()] = True
        skin = np.zeros(len(x), bool)
        skin[bank.triangles[bank.parts == SKIN].ravel()] = True
        depth = np.clip(1.0 - (front - z) / reach, 0.0, 1.0) ** 1.5
        brightest = {MOUTH: 0.16, TEETH: 0.95, TONGUE: 0.3}[part]
        light = np.where(chosen & ~skin, brightest * depth, light)
    bare = side * (1.0 - 0.9 * bank.masks[2])  # ears, where the texture shows the hair behind them
    return np.stack([np.clip(light, 0.02, 1), bank.masks[0], bank.masks[1], bare], 1).astype(
        np.float32
    )


def _near(bank: HeadBank, point: tuple[float, float]) -> Ints:
    """The eight vertices of the face's skin that are nearest to a point and its mirror image."""
    behind = bank.base[:, 2] < HAIR_FRONT
    behind[bank.triangles[bank.parts != SKIN].ravel()] = True
    x, y = bank.base[:, 0], bank.base[:, 1]
    distance = np.hypot(np.abs(x) - point[0], y - point[1]) + 9.0 * behind
    return np.argsort(distance, kind="stable")[:8].astype(np.int32)


def _shapes(looks: Looks, bank: HeadBank, vertices: Floats, height: float) -> Floats:
    """The face shapes of a face of a height in decimetres: its brows reach as far as they rest."""
    brow, eye = (vertices[_near(bank, point), 1].mean() for point in (_BROW_POINT, _EYE_POINT))
    rest = float(brow - eye + looks.brow_shift) / height
    slope, least, most = _REACH
    shapes = bank.face_shapes / np.float32(height)
    for rows, sign in ((_RAISE, 1.0), (_LOWER, -1.0)):
        reach = np.clip(1.0 + sign * slope * (_BROW_REST - rest), least, most)
        shapes[rows] *= np.float32(reach)
    return shapes


def build_head(person: Person, bank: HeadBank) -> Head:
    """Make the head of a person.

    Parameters
    ----------
    person : Person
        Who.
    bank : HeadBank
        From `head_bank.load_bank`.

    Returns
    -------
    Head
    """
    vertices = person_vertices(person, bank)
    chin = vertices[np.argmin(np.abs(bank.base - (0.0, CHIN, 1.35)).sum(1))]
    crown = vertices[np.argmin(np.abs(bank.base - (0.0, HAIRLINE, 1.35)).sum(1))]
    height = float(crown[1] - chin[1])
    origin = np.array([0.0, 0.5 * (chin[1] + crown[1]), 0.0], np.float32)
    pivot = np.add(PIVOT, (0.0, chin[1] - CHIN, 0.0))
    looks = looks_of(person)
    vertices = _grow_hair(person, looks, bank, vertices)
    vertices += np.tensordot(np.array(person.resting.shapes, np.float32), bank.face_shapes, 1)
    rest, side = _rest(bank)
    y, z = bank.base[:, 1], bank.base[:, 2]
    low, high = NECK
    ramp = np.clip((y + 0.5 * np.clip(z - 0.5, 0, 0.8) - low) / (high - low), 0, 1)
    rng = np.random.default_rng(person.texture_seed)
    strength = float(np.interp(person.age, (14, 30, 55, 85), (0.65, 0.85, 1.1, 1.4)))
    across, along = fold_textures(bank.marks, strength, rng)
    kept = _kept_triangles(person, bank)
    head = Head(
        person=person,
        neutral=(vertices - origin) / height,
        shapes=_shapes(looks, bank, vertices, height),
        triangles=bank.triangles[kept],
        parts=bank.parts[kept],
        corners=bank.corners[kept],
        rest=rest,
        surface=_surface(bank, side),
        rigid=(ramp * ramp * (3 - 2 * ramp)).astype(np.float32),
        pivot=((pivot - origin) / height).astype(np.float32),
        fold_masks=bank.fold_masks,
        skin=skin_texture(person, bank.marks, rng),
        folds_across=across,
        folds_along=along,
        age_folds=np.array(person.resting.fold_rest, np.float32),
    )
    head = grow_strands(head, looks, rng)
    return put_on_glasses(head, looks, person.glasses) if person.glasses > 0 else head
