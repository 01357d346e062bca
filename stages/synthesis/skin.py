"""A person's skin texture: tone, blotches, pores, brows, beard, hair and make-up."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis import face_canvas as canvas
from stages.synthesis.people import Person
from stages.synthesis.skin_map import SIZE

Floats = NDArray[np.float32]

# Middle line of the left brow on the base face, decimetres, from the nose outwards.
_BROW: Final = ((0.11, 7.475), (0.25, 7.535), (0.42, 7.545), (0.58, 7.455))
_NOISE_SCALES: Final = (6, 14, 34, 90)  # cells across the texture


def noise(rng: np.random.Generator, cells: int) -> Floats:
    """(size, size) smooth noise of unit spread, joined at the left and right edges."""
    small = rng.standard_normal((cells, cells)).astype(np.float32)
    small = np.concatenate([small[:, -2:], small, small[:, :2]], 1)
    step = SIZE / cells
    large = cv2.resize(small, (round(step * (cells + 4)), SIZE), interpolation=cv2.INTER_CUBIC)
    start = round(2 * step)
    return np.asarray(large[:, start : start + SIZE], np.float32)


def _mix(colour: Floats, other: Floats | tuple[float, ...], share: Floats) -> Floats:
    amount = share[..., None]
    return np.asarray(colour * (1 - amount) + np.asarray(other, np.float32) * amount, np.float32)


def brow_canvas(person: Person, rng: np.random.Generator) -> Floats:
    """(height, width) share of the skin that the brows' hairs cover."""
    drawn = canvas.blank()
    count = round(70 + 200 * person.brow_density)
    thickness = 0.018 + 0.042 * person.brow_thickness
    for sign in (-1.0, 1.0):
        knots = [(x, y + 0.025 * person.brow_arch * (k == 2)) for k, (x, y) in enumerate(_BROW)]
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


def _beard(person: Person, places: Floats, rng: np.random.Generator) -> Floats:
    """(size, size) share of the skin that beard or stubble covers."""
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    across = np.abs(x)
    jaw = np.clip((6.62 + 0.55 * np.clip(across - 0.25, 0, 1) - y) / 0.1, 0, 1)
    jaw *= np.clip((y - 5.98) / 0.12, 0, 1) * np.clip((z - 0.35) / 0.15, 0, 1)
    lip = np.exp(-(((across - 0.12) / 0.16) ** 4) - ((y - 6.765) / 0.055) ** 4)
    chin = np.exp(-((across / 0.2) ** 4) - ((y - 6.3) / 0.17) ** 4)
    sides = np.exp(-(((across - 0.3) / 0.05) ** 2) - ((y - 6.55) / 0.2) ** 4)
    area = {
        "none": np.zeros_like(x),
        "stubble": 0.55 * np.maximum(jaw, lip),
        "moustache": lip,
        "goatee": np.maximum(np.maximum(lip, chin), sides),
        "full": np.maximum(jaw, lip),
    }[person.beard]
    bare = np.exp(-((across / 0.25) ** 4) - ((y - 6.6) / 0.115) ** 4)  # the lips
    grainy = 0.75 + 0.35 * rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    grainy = cv2.GaussianBlur(grainy, (0, 0), 0.7)
    strength = 0.62 if person.beard == "stubble" else 0.95
    return np.asarray(np.clip(area * (1 - bare) * grainy * 1.2, 0, strength), np.float32)


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


def _complexion(person: Person, places: Floats, rng: np.random.Generator) -> Floats:
    """(size, size, 3) skin without hair."""
    layers = [noise(rng, cells) for cells in _NOISE_SCALES]
    shade = 1 + 0.025 * layers[0] + (0.01 + 0.025 * person.blotches) * layers[1]
    shade += 0.012 * layers[2] + (0.005 + 0.015 * person.pores) * layers[3]
    fine = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    shade += (0.01 + 0.035 * person.pores) * cv2.GaussianBlur(fine, (0, 0), 0.8)
    colour = np.asarray(person.skin, np.float32) * shade[..., None]
    x, y = places[..., 0], places[..., 1]
    across = np.abs(x)
    rosy = np.exp(-(((across - 0.42) / 0.22) ** 2) - ((y - 6.95) / 0.2) ** 2)
    rosy += 0.8 * np.exp(-((across / 0.16) ** 2) - ((y - 6.98) / 0.13) ** 2)
    rosy = rosy * (0.3 + 0.7 * person.redness) * (1 + 0.5 * layers[1] * person.blotches)
    colour *= 1 + rosy[..., None] * np.array([0.03, -0.1, -0.08], np.float32)
    blush = person.blush * np.exp(-(((across - 0.45) / 0.16) ** 2) - ((y - 6.95) / 0.12) ** 2)
    colour *= 1 + blush[..., None] * np.array([0.05, -0.14, -0.1], np.float32)
    # thin skin over blood vessels: the sockets are darker and bluish
    socket = np.exp(-(((across - 0.3) / 0.2) ** 4) - ((y - 7.22) / 0.14) ** 4)
    depth = 0.10 + 0.12 * max(0.0, person.age - 30) / 50
    colour *= 1 - socket[..., None] * depth * np.array([0.8, 1.0, 0.85], np.float32)
    if person.lid_paint > 0:
        lids = np.exp(-(((across - 0.32) / 0.2) ** 4) - ((y - 7.375) / 0.07) ** 4)
        tint = rng.uniform(0.1, 0.6, 3).astype(np.float32) * np.asarray(person.skin, np.float32)
        colour = _mix(colour, tint, (0.7 * person.lid_paint * lids).astype(np.float32))
    if person.freckles > 0:
        dots = cv2.GaussianBlur(fine, (0, 0), 1.1)
        dots = np.clip((dots / dots.std() - 1.7) * 1.5, 0, 1)
        where = np.exp(-((across / 0.55) ** 4) - ((y - 7.05) / 0.35) ** 4)
        colour *= 1 - (person.freckles * dots * where)[..., None] * np.array([0.3, 0.45, 0.55])
    return np.asarray(colour, np.float32)


def skin_texture(person: Person, places: Floats, rng: np.random.Generator) -> Floats:
    """Paint a person's skin.

    Parameters
    ----------
    person : Person
        Who.
    places : (size, size, 4) float32 np.ndarray
        Points of the base head at the texels.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    (size, size, 4) float32 np.ndarray
        Linear colour, and how hairy it is, 0 to 1.
    """
    colour = _complexion(person, places, rng)
    beard = _beard(person, places, rng)
    colour = _mix(colour, tuple(0.8 * np.asarray(person.brows)), beard)
    brows = canvas.project(brow_canvas(person, rng), places) * 0.92
    colour = _mix(colour, person.brows, brows)
    rough = (0.01 * noise(rng, 90) + 0.012 * noise(rng, 34)).astype(np.float32)
    region = hair_region(person, places[..., 0], places[..., 1], places[..., 2], rough)
    strands = rng.standard_normal((SIZE // 24, SIZE)).astype(np.float32)
    strands = cv2.resize(strands, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    strands = cv2.GaussianBlur(strands, (0, 0), 0.6)
    hair = np.asarray(person.hair, np.float32) * np.clip(1 + 0.45 * strands, 0.3, 2.2)[..., None]
    share = region * (0.55 if person.hairstyle == "shaved" else 0.98)
    share = share * np.clip(0.95 + 0.12 * strands, 0, 1)
    amount = np.asarray(share, np.float32)[..., None]
    colour = colour * (1 - amount) + hair * amount
    hairy = np.maximum(np.maximum(share, 0.8 * brows), 0.8 * beard)
    return np.concatenate([np.clip(colour, 0, 1), hairy[..., None]], -1).astype(np.float32)
