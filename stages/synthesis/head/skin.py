"""A person's skin texture: tone, blotches, pores, brows, beard, hair and make-up."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.head import face_canvas as canvas
from stages.synthesis.head.skin_map import SIZE
from stages.synthesis.head.skin_marks import SkinMarks
from stages.synthesis.people.looks import Looks, looks_of
from stages.synthesis.people.people import Person

Floats = NDArray[np.float32]
Texels = NDArray[np.uint8]

# Middle line of the left brow on the base face, decimetres, from the nose outwards.
_BROW: Final = ((0.11, 7.4), (0.25, 7.46), (0.42, 7.468), (0.58, 7.38))
# Change of red, green and blue by blood under the skin, by blush and in the sockets of the eyes.
_BLOOD: Final = (0.02, -0.065, -0.05)
_BLUSH: Final = (0.04, -0.1, -0.07)
_SOCKET: Final = (0.8, 1.0, 0.85)
_NOISE_SCALES: Final = (6, 14, 34, 90)  # cells across the texture


def noise(rng: np.random.Generator, cells: int) -> Floats:
    """(size, size) smooth noise of unit spread, joined at the left and right edges."""
    small = rng.standard_normal((cells, cells), np.float32)
    small = np.concatenate([small[:, -2:], small, small[:, :2]], 1)
    step = SIZE / cells
    large = cv2.resize(small, (round(step * (cells + 4)), SIZE), interpolation=cv2.INTER_CUBIC)
    start = round(2 * step)
    return np.asarray(large[:, start : start + SIZE], np.float32)


def _mix(channels: list[Floats], other: Sequence[Floats | float], share: Floats) -> None:
    """Move the colour, an array a channel, towards another in place."""
    for channel, wanted in zip(channels, other, strict=True):
        channel += share * (np.asarray(wanted, np.float32) - channel)


def brow_canvas(person: Person, looks: Looks, rng: np.random.Generator) -> Floats:
    """(height, width) share of the skin that the brows' hairs cover."""
    drawn = np.zeros((canvas.HEIGHT, canvas.WIDTH), np.float32)
    count = round(70 + 200 * person.brow_density)
    thickness = 0.018 + 0.042 * person.brow_thickness
    for sign in (-1.0, 1.0):
        knots = [
            (
                x + looks.brow_gap * (1 - k / 3),
                y
                + 0.025 * person.brow_arch * (k == 2)
                + looks.brow_shift
                + looks.brow_slope * (x - 0.36),
            )
            for k, (x, y) in enumerate(_BROW)
        ]
        middle = canvas.curve(knots, 64)
        place = rng.uniform(0, 1, count)
        centre = middle[(place * 63).astype(int)]
        taper = np.interp(place, (0, 0.12, 0.6, 1.0), (0.75, 1.0, 0.85, 0.2))
        roots = centre + np.stack(
            [np.zeros(count), rng.uniform(-1, 1, count) * thickness * taper], 1
        )
        angle = np.interp(place, (0, 0.25, 0.6, 1.0), (1.35, 0.7, 0.1, -0.45)) + rng.normal(
            0, 0.18, count
        )
        length = rng.uniform(0.025, 0.05, count)[:, None]
        tips = roots + length * np.stack([np.cos(angle), np.sin(angle)], 1)
        mirror = np.array([sign, 1.0])
        drawn = np.maximum(drawn, canvas.hairs(roots * mirror, tips * mirror))
        band = canvas.blank()
        canvas.stroke(
            band, middle[3:-6] * mirror, thickness * 1.2, 0.25 + 0.35 * person.brow_density
        )
        drawn = np.maximum(drawn, canvas.soften(band, 0.016))
    return canvas.soften(drawn, 0.0025)


def _beard(person: Person, marks: SkinMarks, rng: np.random.Generator) -> Floats:
    """(size, size) share of the skin that beard or stubble covers."""
    jaw, lip = marks.jaw, marks.lip
    if person.beard == "moustache":
        area = lip
    elif person.beard == "goatee":
        area = np.maximum(np.maximum(lip, marks.chin), marks.corners)
    else:
        area = np.maximum(jaw, lip) * np.float32(0.55 if person.beard == "stubble" else 1.0)
    grainy = 0.75 + 0.35 * rng.standard_normal((SIZE, SIZE), np.float32)
    grainy = cv2.GaussianBlur(grainy, (5, 5), 0.7)
    strength = 0.62 if person.beard == "stubble" else 0.95
    return np.asarray(np.clip(area * (1 - marks.bare) * grainy * 1.2, 0, strength), np.float32)


def hair_region(person: Person, x: Floats, y: Floats, z: Floats, rough: Floats | float) -> Floats:
    """How hairy the head is at points of the base head, 0 to 1.

    Parameters
    ----------
    person : Person
        Whose hairstyle counts.
    x, y, z : float32 np.ndarray
        Decimetres on the base head.
    rough : float32 np.ndarray or float
        Added to the edge, decimetres.
    """
    if person.hairstyle == "bald":
        return np.zeros_like(x)
    across = np.abs(x)
    front: NDArray[np.float64] | float = 8.03 + 0.08 * person.hairline
    if person.hairstyle == "receding":
        front = front + 0.16 + 0.1 * np.exp(-(((across - 0.4) / 0.15) ** 2))
    elif person.hairstyle == "fringe":
        front = 7.72 + 0.06 * person.hairline + 0.25 * np.clip(across - 0.55, 0, 1)
    line = front - 0.35 * across**2
    temple = np.clip((0.92 - z) / 0.1, 0, 1) * np.clip((y - 7.08) / 0.1, 0, 1)
    nape = np.clip((0.1 - z) / 0.12, 0, 1) * np.clip((y - 6.35) / 0.12, 0, 1)
    burns = np.clip((0.78 - z) / 0.06, 0, 1) * np.clip((y - 6.85) / 0.1, 0, 1)
    burns *= np.clip((z - 0.58) / 0.06, 0, 1)
    top = np.clip((y + rough - line) / 0.09, 0, 1)
    side = np.maximum(np.maximum(temple, nape), burns)
    side = np.clip(side + 6 * rough * (side > 0), 0, 1)
    return np.asarray(np.maximum(top, side), np.float32)


def covered_region(looks: Looks, x: Floats, y: Floats, z: Floats) -> Floats:
    """How far a cap, scarf or band covers points of the base head, 0 to 1; see `hair_region`."""
    if looks.covering == "none":
        return np.zeros_like(x)
    if looks.covering == "scarf":
        beside = (x / 0.66) ** 2 + ((y - 7.08) / 0.93) ** 2
        under = np.clip((6.3 - y) / 0.06, 0, 1) * np.clip((1.35 - z) / 0.1, 0, 1)
        edge = np.maximum(np.clip((beside - 1.0) / 0.12, 0, 1), under)
        return np.asarray(np.maximum(edge, np.clip((0.62 - z) / 0.06, 0, 1)), np.float32)
    line = 7.9 - 0.2 * x**2 + 0.1 * (z - 1.0)
    region = np.clip((y - line) / 0.04, 0, 1)
    if looks.covering == "band":
        region = region * np.clip((line + 0.35 - y) / 0.04, 0, 1)
    return np.asarray(region, np.float32)


def _spotted(
    channels: list[Floats], looks: Looks, marks: SkinMarks, rng: np.random.Generator
) -> None:
    """Moles, brown, and blemishes, red: few or many, in place."""
    dots = canvas.blank()
    reds = canvas.blank()
    for _ in range(int(rng.integers(0, 4 + round(24 * looks.spots)))):
        place = rng.uniform((-0.6, 6.2), (0.6, 8.0))
        layer = reds if rng.random() < 0.6 else dots
        line = np.array([place, place + rng.uniform(-0.008, 0.008, 2)])
        canvas.stroke(layer, line, rng.uniform(0.006, 0.022), rng.uniform(0.3, 1.0))
    for layer, darks in ((dots, (0.45, 0.6, 0.65)), (reds, (0.05, 0.3, 0.28))):
        if layer.any():
            seen = canvas.project(canvas.soften(layer, 0.006), marks)
            for channel, dark in zip(channels, darks, strict=True):
                channel *= 1 - np.float32(dark) * seen


def _complexion(person: Person, marks: SkinMarks, rng: np.random.Generator) -> list[Floats]:
    """Skin without hair: (size, size) red, green and blue."""
    layers = [noise(rng, cells) for cells in _NOISE_SCALES]
    shade = 1 + 0.025 * layers[0] + (0.01 + 0.025 * person.blotches) * layers[1]
    shade += 0.012 * layers[2] + (0.005 + 0.015 * person.pores) * layers[3]
    fine = rng.standard_normal((SIZE, SIZE), np.float32)
    shade += (0.01 + 0.035 * person.pores) * cv2.GaussianBlur(fine, (7, 7), 0.8)
    rosy = (marks.cheeks + 0.8 * marks.nose) * (0.3 + 0.7 * person.redness)
    rosy *= 1 + (0.5 * person.blotches) * layers[1]
    # thin skin over blood vessels: the sockets are darker and bluish
    depth = 0.10 + 0.12 * max(0.0, person.age - 30) / 50
    channels: list[Floats] = []
    for base, blood, make_up, dark in zip(person.skin, _BLOOD, _BLUSH, _SOCKET, strict=True):
        channel = np.asarray(shade * np.float32(base), np.float32)
        channel *= 1 + blood * rosy
        if person.blush > 0:
            channel *= 1 + make_up * person.blush * marks.blush
        channel *= 1 - dark * depth * marks.sockets
        channels.append(channel)
    if person.lid_paint > 0:
        tint = rng.uniform(0.1, 0.6, 3) * person.skin
        _mix(channels, tint.tolist(), 0.7 * person.lid_paint * marks.lids)
    if person.freckles > 0:
        dots = cv2.GaussianBlur(fine, (9, 9), 1.1)
        dots = np.clip((dots / dots.std() - 1.7) * 1.5, 0, 1) * marks.freckles
        for channel, dark in zip(channels, (0.3, 0.45, 0.55), strict=True):
            channel *= 1 - person.freckles * dark * dots
    return channels


def skin_texture(person: Person, marks: SkinMarks, rng: np.random.Generator) -> Texels:
    """Paint a person's skin.

    Parameters
    ----------
    person : Person
        Who.
    marks : SkinMarks
        Places and spots of the texture.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    (size, size, 4) uint8 np.ndarray
        Roots of linear red, green and blue, so that dark skin keeps its shades, and how hairy it
        is; 255 stands for 1.
    """
    looks = looks_of(person)
    colour = _complexion(person, marks, rng)
    _spotted(colour, looks, marks, rng)
    weight = np.float32(0.25 + 0.67 * looks.brow_weight)
    brows = weight * canvas.project(brow_canvas(person, looks, rng), marks)
    hairy = np.float32(0.8) * brows
    if person.beard != "none":
        beard = _beard(person, marks, rng)
        _mix(colour, [0.8 * value for value in person.brows], beard)
        hairy = np.maximum(hairy, 0.8 * beard)
    _mix(colour, person.brows, brows)
    if person.hairstyle != "bald":
        rough = 0.01 * noise(rng, 90) + 0.012 * noise(rng, 34)
        region = hair_region(person, marks.x, marks.y, marks.z, rough)
        strands = rng.standard_normal((SIZE // 24, SIZE), np.float32)
        strands = cv2.resize(strands, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        strands = cv2.GaussianBlur(strands, (5, 5), 0.6)
        shine = np.clip(1 + 0.45 * strands, 0.3, 2.2)
        share = region * np.float32(0.55 if person.hairstyle == "shaved" else 0.98)
        share *= np.clip(0.95 + 0.12 * strands, 0, 1)
        _mix(colour, [value * shine for value in person.hair], share)
        hairy = np.maximum(hairy, share)
    if looks.covering != "none":
        region = covered_region(looks, marks.x, marks.y, marks.z)
        weave = np.float32(1) + 0.12 * noise(rng, 90) + 0.1 * noise(rng, 14)
        _mix(colour, [np.float32(value) * weave for value in looks.fabric], region)
        hairy = np.maximum(hairy, region)
    roots = [np.sqrt(np.maximum(channel, 0)) for channel in colour]
    return np.asarray(cv2.multiply(cv2.merge([*roots, hairy]), (255.0,) * 4, dtype=cv2.CV_8U))
