"""What comes between camera and face in some stills: fingers, a microphone, a cup, a phone."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Random = np.random.Generator

KINDS: Final = ("fingers", "microphone", "cup", "phone", "mask", "object")
SHARES: Final = (0.4, 0.2, 0.08, 0.08, 0.04, 0.2)
OCCLUDED: Final = 0.09  # share of the stills
_SHIFT: Final = 4  # binary places of OpenCV's sub-pixel coordinates


def _points(points: Floats) -> NDArray[np.int32]:
    return np.round(points * 2**_SHIFT).astype(np.int32)


class _Layer:
    """Colours and cover, 0 to 1, of what is drawn before it is laid over the picture."""

    def __init__(self, side: int) -> None:
        self.colour = np.zeros((side, side, 3), np.float32)
        self.cover = np.zeros((side, side), np.float32)

    def bar(self, start: Floats, end: Floats, width: float, colour: Floats) -> None:
        """A round bar, lighter along its middle, with dark edges."""
        near, far = _points(np.stack([start, end])).tolist()
        for share, light in ((1.0, 0.6), (0.86, 0.82), (0.62, 0.95), (0.3, 1.05)):
            thick = max(1, round(width * share))
            cv2.line(self.colour, near, far, (light * colour).tolist(), thick, cv2.LINE_AA, _SHIFT)
        cv2.line(self.cover, near, far, 1.0, max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def polygon(self, corners: Floats, colour: Floats) -> None:
        """A flat shape."""
        fixed = _points(corners)
        cv2.fillPoly(self.colour, [fixed], colour.tolist(), cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.cover, [fixed], 1.0, cv2.LINE_AA, _SHIFT)

    def over(self, image: Image, blur: float) -> Image:
        """Lay it over a picture, its edges softened."""
        cover = cv2.GaussianBlur(self.cover, (0, 0), blur)[..., None]
        colour = cv2.GaussianBlur(self.colour, (0, 0), blur)
        solid = np.maximum(cv2.GaussianBlur(self.cover, (0, 0), blur)[..., None], 1e-3)
        mixed = image * (1.0 - cover) + np.minimum(colour / solid, 255.0) * cover
        return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _skin(image: Image, eyes: Floats, mouth: Floats, random: Random) -> Floats:
    """Colour of the cheeks, about: the hand is the person's own."""
    middle = 0.5 * (eyes + mouth)
    x, y = np.clip(middle.T.round().astype(int), 0, image.shape[0] - 1)
    return np.asarray(image[y, x].mean(axis=0) * random.uniform(0.8, 1.1))


def _fingers(layer: _Layer, centre: Floats, size: float, colour: Floats, random: Random) -> None:
    """Two to four fingers of a hand that comes from below or from the side."""
    angle = random.choice((-1, 1)) * random.uniform(0.2, 1.5)  # 0 points up
    way = np.array([np.sin(angle), -np.cos(angle)])
    beside = np.array([-way[1], way[0]])
    width = size * random.uniform(0.2, 0.27)
    count = int(random.integers(2, 5))
    for number in range(count):
        offset = (number - 0.5 * (count - 1)) * 0.95 * width
        reach = size * (0.25 - 0.12 * abs(number - 0.5 * (count - 1)) + random.normal(0, 0.03))
        tip = centre + offset * beside + reach * way
        layer.bar(tip, tip - size * 1.1 * way + 0.15 * offset * beside, width, colour)
    back = centre - size * 0.95 * way
    layer.bar(back, back - 3 * size * way, width * count * 1.1, 0.95 * colour)


def _microphone(layer: _Layer, mouth: Floats, size: float, random: Random) -> None:
    """A dark ball on a stick, below the mouth."""
    head = mouth + size * np.array([random.uniform(-0.35, 0.35), random.uniform(0.15, 0.6)])
    foot = head + size * np.array([random.uniform(-1.5, 1.5), 3.0])
    colour = np.full(3, random.uniform(10, 90))
    layer.bar(head, foot, size * random.uniform(0.15, 0.25), 0.7 * colour)
    layer.bar(head, head + 0.05 * (foot - head), size * random.uniform(0.35, 0.6), colour)


def _tilted(centre: Floats, width: float, height: float, angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    corners = 0.5 * np.array(
        [(-width, -height), (width, -height), (width, height), (-width, height)]
    )
    return np.asarray(centre + corners @ np.array([(cos, sin), (-sin, cos)]))


def occluded(image: Image, landmarks: NDArray[np.float32], random: Random) -> Image:
    """Hide a part of a face.

    Parameters
    ----------
    image : (side, side, 3) uint8 np.ndarray
        Not changed.
    landmarks : (5, 2) float32 np.ndarray
        Eyes, tip of the nose, corners of the mouth, in pixels.
    random : np.random.Generator
        Source of chance.

    Returns
    -------
    (side, side, 3) uint8 np.ndarray
    """
    points = np.asarray(landmarks, np.float64)
    eyes, nose, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
    size = max(float(np.linalg.norm(mouth - eyes)), 8.0)  # eyes to mouth
    layer = _Layer(image.shape[0])
    kind = str(random.choice(KINDS, p=SHARES))
    colour = random.uniform(5, 240) + random.normal(0, 25, 3)
    colour = np.clip(colour, 0, 255)
    if kind == "fingers":
        skin = _skin(image, points[:2], points[3:], random)
        around = random.uniform(-1, 1, 2) * (0.9, 0.8) + (0, 0.5)
        _fingers(layer, eyes + size * around, size, skin, random)
    elif kind == "microphone":
        _microphone(layer, mouth, size, random)
    elif kind == "cup":
        place = mouth + size * np.array([random.uniform(-0.4, 0.4), random.uniform(0.3, 0.7)])
        for step in np.linspace(-0.4, 0.4, 9):
            left = place + size * np.array([step, 0.0])
            layer.bar(
                left, left + np.array([0.0, size]), 0.14 * size, colour * (1.0 - 0.9 * step**2)
            )
    elif kind == "phone":
        place = nose + size * random.uniform((-1.3, -0.6), (1.3, 1.2))
        layer.polygon(_tilted(place, 0.8 * size, 1.6 * size, random.normal(0, 0.3)), 0.4 * colour)
    elif kind == "mask":
        corners = size * np.array(
            [(-1.15, 0.15), (0, -0.1), (1.15, 0.15), (0.86, 1.25), (0, 1.6), (-0.86, 1.25)]
        )
        corners += nose
        layer.polygon(corners, np.maximum(colour, 60.0))
    else:
        place = nose + size * random.uniform(-1.4, 1.4, 2)
        extent = size * random.uniform(0.4, 1.1, 2)
        layer.polygon(_tilted(place, extent[0], extent[1], random.uniform(0, np.pi)), colour)
    return layer.over(image, max(0.5, size * float(random.uniform(0.01, 0.05))))
