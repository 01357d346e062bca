"""Where a face is filmed: light, background, camera. Drawn once for a clip or a still."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.render.environments import PLACES, TERMS, place_light

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]
Span = tuple[float, float]

BACKGROUNDS: Final = (
    "studio", "plain", "gradient", "room", "shapes", "blurred", "stripes", "foliage", "lights",
)  # fmt: skip
# A third of the pictures stand before plain light or dark walls, as portraits do.
_BACKGROUND_SHARES: Final = (0.3, 0.1, 0.08, 0.16, 0.08, 0.1, 0.06, 0.06, 0.06)
BASE_ROTATION: Final = (36.0, 22.0, 18.0)  # degrees: at most, of yaw, pitch and roll
# Shares of faces that look about into the camera, a little to the side, far to the side; the
# standard deviations of their yaw, pitch and roll.
_POSES: Final = ((0.5, (4.0, 4.0, 2.5)), (0.35, (13.0, 8.0, 6.0)), (0.15, (26.0, 13.0, 11.0)))


class Rig(NamedTuple):
    """A way to light a face: how often, and between what its values lie.

    `azimuth` and `elevation` (radians) are the key light's, to either side; `key`, `fill` and
    `ambient` are powers; `shadow` is how dark the key's shadow is, `softness` how wide its edge,
    `tint` the spread of the lights' warmth, `colour` how much of the place's own colour is kept.
    """

    share: float
    azimuth: Span
    elevation: Span
    key: Span
    fill: Span
    ambient: Span
    shadow: Span
    softness: Span
    tint: float
    colour: float


RIGS: Final = {
    "studio": Rig(
        0.26, (0.0, 0.7), (0.1, 0.75), (0.2, 0.7), (0.0, 0.4), (0.4, 0.9), (0.2, 0.8), (1, 4), 0.1,
        0.15,
    ),
    "room": Rig(
        0.26, (0.0, 1.3), (0.2, 1.1), (0.05, 0.8), (0.0, 0.25), (0.3, 0.8), (0.3, 1.0), (0, 4),
        0.35, 0.6,
    ),
    "window": Rig(
        0.14, (0.9, 1.75), (0.0, 0.6), (0.6, 1.4), (0.0, 0.2), (0.12, 0.4), (0.6, 1.0), (1, 4),
        0.25, 0.5,
    ),
    "sun": Rig(
        0.1, (0.0, 1.9), (0.3, 1.2), (0.8, 1.7), (0.0, 0.1), (0.25, 0.6), (0.8, 1.0), (0, 1), 0.2,
        0.5,
    ),
    "lamp": Rig(
        0.08, (0.0, 0.9), (0.8, 1.4), (0.6, 1.3), (0.0, 0.15), (0.15, 0.45), (0.6, 1.0), (0, 3),
        0.35, 0.5,
    ),
    "back": Rig(
        0.06, (2.0, 2.9), (0.0, 0.8), (0.7, 2.0), (0.05, 0.3), (0.3, 0.6), (0.7, 1.0), (0, 3), 0.3,
        0.6,
    ),
    "flash": Rig(
        0.05, (0.0, 0.15), (0.0, 0.2), (0.8, 1.3), (0.0, 0.1), (0.08, 0.3), (0.6, 1.0), (0, 1),
        0.05, 0.5,
    ),
    "screen": Rig(
        0.05, (0.0, 0.7), (-0.6, 0.2), (0.3, 0.8), (0.2, 0.8), (0.1, 0.35), (0.2, 0.8), (1, 4),
        0.5, 0.8,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One place and one camera. Directions point to the light; x right, y up, z to the camera.

    Attributes
    ----------
    key, fill : tuple of float
        Directions of the main and of the second light.
    key_colour, fill_colour : tuple of float
        Linear colours, 1 is what lights white paper to white.
    ambient : tuple of tuple of float
        Colour of each of the nine terms of `environments.basis`: light from all around.
    shadow : float
        How dark the key light's shadows are, 0 to 1.
    softness : float
        Width of their edges in cells of the shadow map.
    background : str
        One of `BACKGROUNDS`.
    background_seed : int
        Of what it shows.
    distance : float
        From the camera to the head, in heights of the face.
    face_share : float
        Height of the face, chin to hairline, in heights of the picture.
    centre : tuple of float
        Of the face, from the middle of the picture to the right and up, in heights of the picture.
    rotation : tuple of float
        Yaw (to the person's left), pitch (up) and roll (to the person's right) of the head at
        rest, degrees.
    noise : float
        Standard deviation, in levels of 0 to 255.
    blur : float
        Standard deviation of the lens's blur in pixels of a 256-pixel picture.
    sharpening : float
        Share of what is finer than a pixel and a half that the camera adds once more.
    white_balance : tuple of float
        Gain of each colour.
    saturation : float
        0 is a grey picture, 1 changes nothing.
    brightness, contrast, gamma, vignette : float
        1, 1, 1 and 0 change nothing.
    """

    key: Vector
    fill: Vector
    key_colour: Vector
    fill_colour: Vector
    ambient: tuple[Vector, ...]
    shadow: float
    softness: float
    background: str
    background_seed: int
    distance: float
    face_share: float
    centre: tuple[float, float]
    rotation: Vector
    noise: float
    blur: float
    sharpening: float
    white_balance: Vector
    saturation: float
    brightness: float
    contrast: float
    gamma: float
    vignette: float


def _direction(azimuth: float, elevation: float) -> Vector:
    """Unit vector; azimuth 0 comes from the camera, both in radians."""
    return (
        float(np.sin(azimuth) * np.cos(elevation)),
        float(np.sin(elevation)),
        float(np.cos(azimuth) * np.cos(elevation)),
    )


def _vector(values: Floats) -> Vector:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _tinted(power: float, warmth: float) -> Floats:
    """Light of a strength, from bluish (-1) to candle-like (1)."""
    return power * np.maximum([1.0 + 0.22 * warmth, 1.0, 1.0 - 0.3 * warmth], 0.05)


def _ambient(rig: Rig, turn: float, warmth: float, rng: np.random.Generator) -> Floats:
    """(9, 3) terms of the light from all around."""
    _, terms = place_light(str(rng.choice(PLACES)), turn)
    grey = terms.mean(axis=1, keepdims=True)
    terms = grey + rig.colour * (terms - grey)
    # what the place reflects evens out its light
    terms[1:] *= rng.uniform(0.4, 1.0)
    return np.asarray(terms * _tinted(rng.uniform(*rig.ambient), warmth))


def _rotation(rng: np.random.Generator) -> Vector:
    kind = rng.choice(len(_POSES), p=[share for share, _ in _POSES])
    drawn = rng.normal(0.0, _POSES[kind][1])
    return _vector(np.clip(drawn, np.negative(BASE_ROTATION), BASE_ROTATION))


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    Scene
    """
    name = str(rng.choice(list(RIGS), p=[rig.share for rig in RIGS.values()]))
    rig = RIGS[name]
    side = rng.choice([-1.0, 1.0])
    warmth = rng.normal(0.0, rig.tint)
    background_shares = np.array(_BACKGROUND_SHARES)
    if name == "studio":  # portraits for passports and data sets
        background_shares[0] += 1.0
    background_shares /= background_shares.sum()
    terms = _ambient(rig, rng.uniform(0, 2 * np.pi), warmth + rng.normal(0, 0.6 * rig.tint), rng)
    assert terms.shape == (TERMS, 3)
    off = rng.random() < 0.06  # exposed for something else than the face
    return Scene(
        key=_direction(side * rng.uniform(*rig.azimuth), rng.uniform(*rig.elevation)),
        fill=_direction(-side * rng.uniform(0.2, 1.7), rng.uniform(-0.5, 0.8)),
        key_colour=_vector(_tinted(rng.uniform(*rig.key), warmth)),
        fill_colour=_vector(_tinted(rng.uniform(*rig.fill), rng.normal(0, 2.0 * rig.tint))),
        ambient=tuple(_vector(term) for term in terms),
        shadow=float(rng.uniform(*rig.shadow)),
        softness=float(rng.uniform(*rig.softness)),
        background=str(rng.choice(BACKGROUNDS, p=background_shares)),
        background_seed=int(rng.integers(2**31)),
        distance=float(np.exp(rng.uniform(np.log(2.4), np.log(9.0)))),
        face_share=float(rng.uniform(0.42, 0.7)),
        centre=(float(rng.normal(0, 0.03)), float(rng.normal(-0.02, 0.025))),
        rotation=_rotation(rng),
        noise=float(5.0 * rng.random() ** 2),
        blur=float(rng.choice([0.0, rng.uniform(0.3, 1.1)], p=[0.65, 0.35])),
        sharpening=float(rng.choice([0.0, rng.uniform(0.1, 1.2)], p=[0.55, 0.45])),
        white_balance=_vector(np.exp(rng.normal(0, (0.05, 0.015, 0.07)))),
        saturation=float(0.0 if rng.random() < 0.06 else np.clip(rng.normal(0.9, 0.22), 0.2, 1.4)),
        brightness=float(np.exp(rng.normal(0.0, 0.2) + off * rng.uniform(-1.1, 1.0))),
        contrast=float(rng.uniform(0.85, 1.25)),
        gamma=float(rng.uniform(0.88, 1.12)),
        vignette=float(rng.uniform(0.0, 0.35)),
    )
