"""Where a face is filmed: light, background, camera. Drawn once for a clip or a still."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Vector = tuple[float, float, float]

BACKGROUNDS: Final = ("plain", "gradient", "room", "shapes", "blurred")
BASE_ROTATION: Final = (30.0, 15.0, 15.0)  # degrees: at most, of yaw, pitch and roll


@dataclass(frozen=True)
class Scene:
    """One place and one camera. Directions point to the light; x right, y up, z to the camera.

    Attributes
    ----------
    key, fill : tuple of float
        Directions of the main and of the second light.
    key_colour, fill_colour, ambient : tuple of float
        Linear colours, 1 is what lights white paper to white.
    ambient_slope : tuple of tuple of float
        How the ambient light grows to the right, up and to the front, for each colour.
    shadow : float
        How dark the key light's shadows are, 0 to 1.
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
    white_balance : tuple of float
        Gain of each colour.
    brightness, contrast, gamma, vignette : float
        1, 1, 1 and 0 change nothing.
    """

    key: Vector
    fill: Vector
    key_colour: Vector
    fill_colour: Vector
    ambient: Vector
    ambient_slope: tuple[Vector, Vector, Vector]
    shadow: float
    background: str
    background_seed: int
    distance: float
    face_share: float
    centre: tuple[float, float]
    rotation: Vector
    noise: float
    blur: float
    white_balance: Vector
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


def _vector(values: NDArray[np.float64]) -> Vector:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _tinted(power: float, warmth: float) -> NDArray[np.float64]:
    """Light of a strength, from bluish (-1) to candle-like (1)."""
    return power * np.array([1.0 + 0.22 * warmth, 1.0, 1.0 - 0.3 * warmth])


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
    side = rng.choice([-1.0, 1.0])
    key = _direction(side * rng.uniform(0.0, 1.25), rng.uniform(0.05, 1.0))
    fill = _direction(-side * rng.uniform(0.2, 1.6), rng.uniform(-0.3, 0.6))
    warmth = rng.normal(0.0, 0.3)
    ambient = rng.uniform(0.25, 0.6)
    hardness = rng.uniform(0.35, 1.0)
    slopes = [ambient * rng.normal(0, 0.2), ambient * rng.uniform(0.0, 0.45), ambient * 0.15]
    tint = _tinted(1.0, warmth + rng.normal(0, 0.25))
    slope = tuple(_vector(amount * tint) for amount in slopes)
    rotation = np.clip(rng.normal(0.0, (12.0, 6.0, 5.0)), np.negative(BASE_ROTATION), BASE_ROTATION)
    return Scene(
        key=key,
        fill=fill,
        key_colour=_vector(_tinted(rng.uniform(0.5, 1.0), warmth)),
        fill_colour=_vector(_tinted(rng.uniform(0.0, 0.3), rng.normal(0, 0.6))),
        ambient=_vector(ambient * tint),
        ambient_slope=(slope[0], slope[1], slope[2]),
        shadow=float(hardness),
        background=str(rng.choice(BACKGROUNDS)),
        background_seed=int(rng.integers(2**31)),
        distance=float(np.exp(rng.uniform(np.log(3.2), np.log(9.0)))),
        face_share=float(rng.uniform(0.45, 0.72)),
        centre=(float(rng.normal(0, 0.03)), float(rng.normal(-0.02, 0.025))),
        rotation=_vector(rotation),
        noise=float(rng.uniform(0.5, 5.0)),
        blur=float(rng.choice([0.0, rng.uniform(0.3, 1.1)])),
        white_balance=_vector(np.exp(rng.normal(0, (0.05, 0.015, 0.06)))),
        brightness=float(np.exp(rng.normal(0.0, 0.2))),
        contrast=float(rng.uniform(0.85, 1.2)),
        gamma=float(rng.uniform(0.88, 1.12)),
        vignette=float(rng.uniform(0.0, 0.35)),
    )


def _muted(colour: NDArray[Any], rng: np.random.Generator) -> Floats:
    """Colours, channels last, drawn towards grey by chance."""
    grey = colour.mean(-1, keepdims=True)
    return np.asarray(grey + (colour - grey) * rng.uniform(0.1, 0.8), np.float32)


def _smooth(rng: np.random.Generator, height: int, width: int, cells: int) -> Floats:
    small = rng.random((cells, cells, 3)).astype(np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0.0, 1.0), np.float32)


def paint_background(scene: Scene, height: int, width: int) -> Floats:
    """Paint what is behind the people.

    Parameters
    ----------
    scene : Scene
        Which background.
    height, width : int
        Pixels.

    Returns
    -------
    (height, width, 3) float32 np.ndarray
        Linear colour.
    """
    rng = np.random.default_rng(scene.background_seed)
    base = (rng.random(3) * rng.uniform(0.2, 0.8)).astype(np.float32)
    base = _muted(base, rng)
    picture = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    if scene.background == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        ramp = 0.5 + 0.5 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) * 1.8
        other = (rng.random(3) * 0.7).astype(np.float32)
        picture = picture * (1 - ramp[..., None]) + other * ramp[..., None]
    elif scene.background == "blurred":
        smooth = _smooth(rng, height, width, int(rng.integers(3, 9))) - 0.5
        picture = picture + np.float32(rng.uniform(0.15, 0.5)) * _muted(smooth, rng)
    elif scene.background in ("room", "shapes"):
        picture = picture * (0.8 + 0.3 * _smooth(rng, height, width, 5))
        for _ in range(int(rng.integers(4, 14))):
            colour = _muted(rng.random(3) ** 1.5 * 0.9, rng).tolist()
            left, top = (rng.random(2) * (width, height) * 1.1 - 0.1 * width).astype(int).tolist()
            across, down = (rng.uniform(0.05, 0.5, 2) * (width, height)).astype(int).tolist()
            picture = np.ascontiguousarray(picture)
            if scene.background == "room" or rng.random() < 0.5:
                cv2.rectangle(picture, (left, top), (left + across, top + down), colour, -1)
            else:
                cv2.ellipse(picture, (left, top), (across // 2 + 1, down // 2 + 1),
                            rng.uniform(0, 180), 0, 360, colour, -1)  # fmt: skip
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.006, 0.04) * height)
    grain = 1 + 0.04 * rng.standard_normal((height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(picture * grain, 0.01, 1.2), np.float32)
