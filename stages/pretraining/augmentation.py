"""Augmentation of face crops.

What differs from one face database to the next, and from generated to real faces, is varied here:
position, light and shade, colour, sharpness, compression, noise, and what hides part of the face.
Pictures are varied one by one in 8 bits, which is several times faster on a processor than the
same steps on batches of floating point numbers. How far is a matter of the data: an encoder that
has minutes to learn from a few thousand faces learns more of those that are varied less.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Random = np.random.Generator

ROTATION = 12.0  # degrees, at most
SCALE = 0.12  # enlarged or reduced by this share at most
SHIFT = 0.05  # of the side at most
BRIGHTNESS, CONTRAST, TINT, SHADE = 0.3, 0.35, 0.12, 0.35  # shares of the usual value, at most
GAMMA = 0.4  # of the exponent's natural logarithm, at most
GREY = 0.15  # share of pictures without colour
SOFT = 0.35  # share of pictures that are reduced and enlarged again ...
SMALLEST = 0.3  # ... to this share of their side at least
JPEG = 0.3  # share of pictures that are compressed again ...
QUALITY = (15, 70)  # ... at such qualities
NOISY = 0.3  # share of pictures with noise ...
NOISE = 12.0  # ... of this standard deviation at most, of 255
HIDDEN = 0.25  # share of pictures with a hidden part ...
EXTENT = (0.12, 0.33)  # ... of such shares of the side
BENT = 0.2  # share of pictures that are bent ...
BEND = 0.01  # ... by this standard deviation, of the side: less than expressions move a face
CELLS = (3, 4, 5)  # knots to a side of the bending
AROUND = 0.12  # share of pictures with other surroundings
FACE = (
    0.36,
    0.47,
    0.54,
)  # half of a face's width, its height above and below the middle, of the side
SHAKEN = 0.06  # share of pictures blurred along a line ...
SHAKE = 0.09  # ... of this length at most, of the side
SHARP = 0.06  # share of pictures that are sharpened


@dataclass(frozen=True)
class Movement:
    """Where augmentation has moved what was in a picture.

    Attributes
    ----------
    matrix : (2, 3) float64 np.ndarray
        From columns and rows of the picture to those of the moved one.
    mirrored : bool
    bend : (side, side, 2) float32 np.ndarray or None
        By how much each pixel of the bent picture was taken from elsewhere, before the rest.
    """

    matrix: NDArray[np.float64]
    mirrored: bool
    bend: NDArray[np.float32] | None = None

    def points(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move (2, k, 2) points, each half's in its row: mirrored, left ones are on the right.

        What is NaN, for nobody knows where it is, stays so.
        """
        if self.bend is not None:
            last = len(self.bend) - 1
            near = np.rint(np.nan_to_num(points)).clip(0, last).astype(int)
            column, row = np.moveaxis(near, -1, 0)
            points = points - self.bend[row, column]
        moved = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return (moved[::-1] if self.mirrored else moved).astype(np.float32)


def move(image: Image, random: Random, strength: float = 1.0) -> tuple[Image, Movement]:
    """Mirror, turn, scale and shift."""
    side = image.shape[0]
    angle = math.radians(strength * random.uniform(-ROTATION, ROTATION))
    scale = 1 + strength * random.uniform(-SCALE, SCALE)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    middle = np.full(2, (side - 1) / 2)
    offset = middle + strength * side * random.uniform(-SHIFT, SHIFT, 2) - linear @ middle
    matrix = np.column_stack([linear, offset])
    moved = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8), Movement(matrix, mirror < 0)


def tone_curves(random: Random, strength: float = 1.0) -> Image:
    """Draw a curve per channel, (1, 256, 3), of gamma, contrast, brightness and tint."""
    value = np.linspace(0, 1, 256)[:, None] ** math.exp(strength * random.uniform(-GAMMA, GAMMA))
    value = 0.5 + (value - 0.5) * (1 + strength * random.uniform(-CONTRAST, CONTRAST))
    gain = 1 + strength * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    curve = value * gain * (1 + strength * random.uniform(-TINT, TINT, 3))
    return (curve * 255).clip(0, 255).astype(np.uint8)[None]


def soften(image: Image, random: Random, strength: float = 1.0) -> Image:
    """Reduce and enlarge again."""
    side = image.shape[0]
    small = int(side * random.uniform(1 - strength * (1 - SMALLEST), 1))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def recompress(image: Image, random: Random) -> Image:
    """Compress as JPEG and decode."""
    quality = int(random.integers(*QUALITY))
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def hide(image: Image, random: Random) -> Image:
    """Paint over a part, in place: a rectangle or an ellipse, of one colour or of noise."""
    side = image.shape[0]
    height, width = (random.uniform(*EXTENT, 2) * side).astype(int)
    top, left = int(random.uniform(0, side - height)), int(random.uniform(0, side - width))
    window = image[top : top + height, left : left + width]
    if random.random() < 0.25:
        window[:] = random.integers(0, 256, window.shape)
    elif random.random() < 0.5:
        window[:] = random.integers(0, 256, 3)
    else:
        colour = random.integers(0, 256, 3).tolist()
        middle, axes = (left + width // 2, top + height // 2), (width // 2, height // 2)
        cv2.ellipse(image, middle, axes, random.uniform(0, 180), 0, 360, colour, -1)
    return image


def bend(image: Image, random: Random, strength: float = 1.0) -> tuple[Image, NDArray[np.float32]]:
    """Bend the picture smoothly and a little: another face, the same expression.

    The bend is the same to the left and to the right of the middle, but for a third of it, and
    so smooth that eyes, brows and mouth move as a whole. Where each pixel was taken from, less its
    own place, is returned with it.
    """
    side = image.shape[0]
    cells = int(random.choice(CELLS))
    knots = random.normal(0.0, BEND * strength * side, (cells, cells, 2)).astype(np.float32)
    other = knots[:, ::-1] * np.array((-1.0, 1.0), np.float32)
    knots = np.float32(0.85) * knots + np.float32(0.85) * other * np.float32(0.5)
    shift = cv2.resize(knots, (side, side), interpolation=cv2.INTER_CUBIC)
    place = np.arange(side, dtype=np.float32)
    bent = cv2.remap(
        image, shift[..., 0] + place, shift[..., 1] + place[:, None], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    return np.asarray(bent, np.uint8), shift


def surround(image: Image, random: Random) -> Image:
    """Paint other surroundings outside of an ellipse around the face: a colour, a ramp, clutter."""
    side = image.shape[0]
    width, above, below = (FACE * random.uniform(0.95, 1.15, 3) * side).tolist()
    place = (np.arange(side, dtype=np.float32) - 0.5 * side) / np.float32(0.5)
    height = np.where(place < 0, above, below)[:, None]
    beyond = (0.5 * place / width)[None, :] ** 2 + (0.5 * place[:, None] / height) ** 2
    edge = random.uniform(0.08, 0.5)
    share = ((beyond - 1.0) / edge).clip(0.0, 1.0).astype(np.float32)[..., None]
    cells = int(random.choice((1, 2, 4, 9)))
    colours = random.integers(0, 256, (cells, cells, 3)).astype(np.float32)
    colours = colours.mean(-1, keepdims=True) + random.random() * (
        colours - colours.mean(-1, keepdims=True)
    )
    flow = cv2.INTER_NEAREST if random.random() < 0.3 else cv2.INTER_LINEAR
    scene = cv2.resize(colours.astype(np.float32), (side, side), interpolation=flow)
    return np.asarray((image + share * (scene - image)).clip(0, 255), np.uint8)


def shake(image: Image, random: Random, strength: float = 1.0) -> Image:
    """Blur along a line, as moving heads and cameras do."""
    reach = strength * SHAKE * image.shape[0] * random.random() / 2
    size = 2 * math.ceil(reach) + 3
    kernel = np.zeros((size, size), np.float32)
    angle, middle = random.uniform(0, math.pi), size // 2
    step = reach * np.array([math.cos(angle), math.sin(angle)])
    start, end = (np.round(16 * (middle + sign * step)).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def sharpen(image: Image, random: Random, strength: float = 1.0) -> Image:
    """Add what is fine once more."""
    amount = strength * random.uniform(0.2, 1.5)
    soft = cv2.GaussianBlur(image, (0, 0), random.uniform(0.7, 1.8))
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def light_and_noise(image: Image, random: Random, strength: float = 1.0) -> NDArray[np.float32]:
    """Shade from one side and, in some pictures, noise; float32 on the scale 0 to 255."""
    side = image.shape[0]
    direction, slope = random.uniform(0, 2 * math.pi), strength * random.uniform(0, SHADE)
    ramp = np.linspace(-slope, slope, side, dtype=np.float32)
    shade = 1 + ramp[None, :] * math.cos(direction) + ramp[:, None] * math.sin(direction)
    result = image * shade[:, :, None].astype(np.float32)
    if random.random() < strength * NOISY:
        noise: NDArray[np.float32] = random.standard_normal(result.shape, np.float32)
        result = result + noise * np.float32(strength * random.uniform(0, NOISE))
    return result.clip(0, 255)


def augment(
    image: Image, random: Random, strength: float = 1.0
) -> tuple[NDArray[np.float32], Movement]:
    """Vary a face crop.

    Parameters
    ----------
    image : (side, side, 3) np.ndarray
        uint8, RGB; not changed.
    random : np.random.Generator
        Source of all randomness.
    strength : float
        1 for all of the above, 0 for mirrored pictures and nothing else: a factor on how far and
        how often pictures are varied.

    Returns
    -------
    (side, side, 3) np.ndarray
        float32 on the scale 0 to 255.
    Movement
        Where things went.
    """
    shift = None
    if random.random() < strength * BENT:
        image, shift = bend(image, random, strength)
    moved, movement = move(image, random, strength)
    if random.random() < strength * AROUND:
        moved = surround(moved, random)
    varied = np.asarray(cv2.LUT(moved, tone_curves(random, strength)), np.uint8)
    if random.random() < strength * GREY:
        varied = np.repeat(cv2.cvtColor(varied, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if random.random() < strength * SOFT:
        varied = soften(varied, random, strength)
    if random.random() < strength * SHAKEN:
        varied = shake(varied, random, strength)
    if random.random() < strength * SHARP:
        varied = sharpen(varied, random, strength)
    if random.random() < strength * JPEG:
        varied = recompress(varied, random)
    if random.random() < strength * HIDDEN:
        varied = hide(varied, random)
    return light_and_noise(varied, random, strength), replace(movement, bend=shift)
