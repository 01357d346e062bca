"""What is behind the people: walls, rooms, leaves, lamps; painted once for a scene."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.render.scene import Scene

Floats = NDArray[np.float32]

_BLUR: Final = (0.004, 0.04)  # standard deviation, in heights of the picture


def _muted(colour: NDArray[Any], rng: np.random.Generator) -> Floats:
    """Colours, channels last, drawn towards grey by chance: few walls are gaudy."""
    grey = colour.mean(-1, keepdims=True)
    return np.asarray(grey + (colour - grey) * rng.beta(1.2, 2.5), np.float32)


def _wall(rng: np.random.Generator) -> Floats:
    """(3,) colour of a wall: mostly light, sometimes dark."""
    colour = rng.random(3)
    level = rng.choice([rng.uniform(0.3, 0.85), rng.uniform(0.05, 0.5), rng.uniform(0.01, 0.08)])
    return np.clip(_muted(colour * level / colour.mean(), rng), 0.01, 1.0)


def _smooth(rng: np.random.Generator, height: int, width: int, cells: int) -> Floats:
    small = rng.random((cells, cells, 3)).astype(np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0.0, 1.0), np.float32)


def _blurred(picture: Floats, rng: np.random.Generator) -> Floats:
    """Out of focus: reduced first, where the blur is wide enough for it to be cheaper."""
    height, width = picture.shape[:2]
    spread = float(np.exp(rng.uniform(*np.log(_BLUR)))) * height
    half = 2 if spread > 3.0 else 1
    small = cv2.resize(picture, (width // half, height // half), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), spread / half)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _ramp(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 0.5 + 0.9 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    return np.asarray(ramp[..., None], np.float32)


def _clutter(picture: Floats, rng: np.random.Generator, *, round_ones: bool) -> Floats:
    """Furniture, shelves, pictures: things with straight edges, and round ones among them."""
    height, width = picture.shape[:2]
    picture = np.ascontiguousarray(picture * (0.8 + 0.3 * _smooth(rng, height, width, 5)))
    for _ in range(int(rng.integers(4, 24))):
        colour = (_wall(rng) * rng.uniform(0.4, 1.2)).tolist()
        left, top = (rng.random(2) * (width, height) * 1.1 - 0.1 * width).astype(int).tolist()
        across, down = (rng.beta(1.0, 2.5, 2) * 0.6 * height + 3).astype(int).tolist()
        if not round_ones or rng.random() < 0.5:
            cv2.rectangle(picture, (left, top), (left + across, top + down), colour, -1)
        else:
            cv2.ellipse(picture, (left, top), (across // 2 + 1, down // 2 + 1),
                        rng.uniform(0, 180), 0, 360, colour, -1)  # fmt: skip
    return _blurred(picture, rng)


def _stripes(picture: Floats, x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """Curtains, blinds, tiles, books."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    along = np.cos(angle) * x + np.sin(angle) * y
    wave = np.sin(2 * np.pi * rng.uniform(3, 20) * along + rng.uniform(0, 6))
    if rng.random() < 0.4:
        wave = wave * np.sin(
            2 * np.pi * rng.uniform(3, 12) * (y * np.cos(angle) - x * np.sin(angle))
        )
    edge = np.clip(0.5 + rng.uniform(0.5, 4.0) * wave, 0, 1)[..., None]
    return _blurred(np.asarray(picture + edge * (_wall(rng) - picture), np.float32), rng)


def _foliage(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Noise of several sizes, greenish or brown: trees, crowds, bookshelves out of focus."""
    value = np.zeros((height, width, 1), np.float32)
    for cells, amount in ((4, 0.5), (11, 0.35), (30, 0.3)):
        value += amount * _smooth(rng, height, width, cells)[..., :1]
    tint = np.array([rng.uniform(0.3, 1.0), 0.8, rng.uniform(0.15, 0.8)], np.float32)
    return _blurred(np.asarray(rng.uniform(0.1, 0.9) * value**2 * tint, np.float32), rng)


def _lights(picture: Floats, rng: np.random.Generator) -> Floats:
    """A dark place with lamps out of focus."""
    height, width = picture.shape[:2]
    picture = np.ascontiguousarray(0.15 * picture * (0.5 + _smooth(rng, height, width, 4)))
    for _ in range(int(rng.integers(3, 25))):
        place = (rng.random(2) * (width, height)).astype(int).tolist()
        colour = (np.array([1.0, 0.8, 0.5]) ** rng.uniform(-1, 2) * rng.uniform(0.2, 1.2)).tolist()
        cv2.circle(picture, place, int(rng.uniform(0.01, 0.07) * height) + 1, colour, -1)
    return np.asarray(cv2.GaussianBlur(picture, (5, 5), 1.2), np.float32)


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
    picture = np.broadcast_to(_wall(rng), (height, width, 3)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    if scene.background == "studio":
        # white, grey or black paper, and the pool of light on it
        level = rng.choice(
            [rng.uniform(0.45, 1.0), rng.uniform(0.12, 0.45), 0.02], p=[0.7, 0.25, 0.05]
        )
        tint = 1.0 + rng.normal(0.0, 0.02, 3)
        far = (x - rng.uniform(0.2, 0.8)) ** 2 + (y - rng.uniform(0.1, 0.9)) ** 2
        paper = level * (1.0 - rng.uniform(0.0, 0.6) * far)[..., None] * tint
        picture = np.asarray(paper, np.float32)
    elif scene.background == "gradient":
        ramp = _ramp(x, y, rng)
        picture = picture * (1 - ramp) + _wall(rng) * ramp
    elif scene.background == "blurred":
        smooth = _smooth(rng, height, width, int(rng.integers(3, 9))) - 0.5
        picture = picture + np.float32(rng.uniform(0.15, 0.5)) * _muted(smooth, rng)
    elif scene.background in ("room", "shapes"):
        picture = _clutter(picture, rng, round_ones=scene.background == "shapes")
    elif scene.background == "stripes":
        picture = _stripes(picture, x, y, rng)
    elif scene.background == "foliage":
        picture = _foliage(rng, height, width)
    elif scene.background == "lights":
        picture = _lights(picture, rng)
    grain = 1 + 0.03 * rng.standard_normal((height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(picture * grain, 0.003, 1.2), np.float32)
