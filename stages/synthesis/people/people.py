"""Who the generated people are: everything that stays the same about a face."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.synthesis.people.resting import Resting, sample_resting
from stages.synthesis.people.shape_axes import ANCESTRIES, ASYMMETRIES, OUTLINES, SHAPE_AXES

Colour = tuple[float, float, float]  # linear red, green and blue, 0 to 1

# From dark to light, sRGB of 0 to 255: the line along which measured skin lies.
_SKIN_LINE: Final = np.array(
    [(58, 42, 36), (92, 66, 54), (130, 96, 80), (166, 126, 106), (198, 156, 136), (222, 182, 164),
     (240, 206, 192)]
)  # fmt: skip
_HAIR_COLOURS: Final = {
    "black": (14, 11, 10), "dark brown": (38, 25, 17), "brown": (72, 46, 28),
    "fair": (150, 110, 62), "blond": (196, 160, 104), "red": (120, 52, 22), "grey": (150, 148, 144),
    "dyed": (90, 30, 60),
}  # fmt: skip
_IRIS_COLOURS: Final = {
    "dark brown": (44, 25, 15), "brown": (78, 46, 22), "hazel": (98, 76, 38),
    "green": (78, 100, 66), "blue": (84, 122, 158), "grey": (110, 124, 134),
}  # fmt: skip
# Share of each tone range that has dark hair and eyes: lighter skin, more variety.
_DARK: Final = 0.45
HAIRSTYLES: Final = ("bald", "shaved", "short", "receding", "fringe", "full", "long")
MALE_STYLES: Final = (1.2, 1.5, 4.0, 1.5, 1.0, 1.0, 0.6)  # relative frequencies
FEMALE_STYLES: Final = (0.2, 0.4, 1.5, 0.1, 2.5, 2.0, 4.0)
BEARDS: Final = ("none", "stubble", "moustache", "goatee", "full")
BEARD_SHARES: Final = (5.0, 2.5, 0.8, 0.9, 1.8)  # of men


@dataclass(frozen=True)
class Person:
    """One person. Colours are linear RGB, 0 to 1; other values 0 to 1 unless said otherwise.

    Attributes
    ----------
    male : bool
        Sex.
    age : float
        Years, 14 to 85.
    ancestry : tuple of float
        Shares of `ANCESTRIES`, adding up to 1.
    muscle, weight : float
        Build.
    axes : tuple of float
        Place on each of `SHAPE_AXES`, -1 to 1.
    outlines, asymmetries : tuple of float
        Weights of the one-sided shape targets.
    tone : float
        Of the skin, from dark to light.
    skin, lips, hair, brows, iris, cloth : tuple of float
        Colours; that of the lips is what the skin is multiplied with.
    redness, blotches, freckles, pores, oil : float
        How the skin looks.
    lid_paint, lip_paint, blush : float
        Make-up.
    brow_thickness, brow_density, brow_arch : float
        The brows; the arch from -1 to 1.
    pupil : float
        Angle in radians at the centre of the eyeball.
    hairstyle, beard : str
        One of `HAIRSTYLES`, one of `BEARDS`.
    hair_volume : float
        How far the hair stands off the head.
    hairline : float
        Height of the hairline, -1 to 1.
    glasses : float
        Thickness of the frame; 0 is none.
    neckline : float
        How high the cloth reaches.
    gain, asymmetry : tuple of float
        Of each AU: how strongly this face shows it (0.75 to 1.2), and by how much less on the
        right (positive) or the left (negative).
    texture_seed : int
        Of blotches, pores, hairs and the course of the folds.
    resting : Resting
        How the face rests and how its skin folds.
    """

    male: bool
    age: float
    ancestry: tuple[float, ...]
    muscle: float
    weight: float
    axes: tuple[float, ...]
    outlines: tuple[float, ...]
    asymmetries: tuple[float, ...]
    tone: float
    skin: Colour
    lips: Colour
    hair: Colour
    brows: Colour
    iris: Colour
    cloth: Colour
    redness: float
    blotches: float
    freckles: float
    pores: float
    oil: float
    lid_paint: float
    lip_paint: float
    blush: float
    brow_thickness: float
    brow_density: float
    brow_arch: float
    pupil: float
    hairstyle: str
    beard: str
    hair_volume: float
    hairline: float
    glasses: float
    neckline: float
    gain: tuple[float, ...]
    asymmetry: tuple[float, ...]
    texture_seed: int
    resting: Resting


def linear(srgb: NDArray[np.float64] | tuple[float, ...]) -> Colour:
    """Linear colour of an sRGB one of 0 to 255."""
    value = np.clip(np.asarray(srgb, np.float64) / 255.0, 0.0, 1.0)
    red, green, blue = np.where(
        value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
    ).tolist()
    return red, green, blue


def _skin(tone: float, rng: np.random.Generator) -> Colour:
    place = tone * (len(_SKIN_LINE) - 1)
    colour = np.array(
        [np.interp(place, np.arange(len(_SKIN_LINE)), channel) for channel in _SKIN_LINE.T]
    )
    warm = rng.normal(0.0, 0.035)  # yellowish to pinkish
    return linear(colour * np.array([1.0 + 0.3 * warm, 1.0 + 0.4 * warm, 1.0 - 1.0 * warm]))


def _pick(rng: np.random.Generator, options: dict[str, float]) -> str:
    shares = np.array(list(options.values()))
    return str(rng.choice(list(options), p=shares / shares.sum()))


def _hair_colour(tone: float, age: float, rng: np.random.Generator) -> Colour:
    if rng.random() < np.clip((age - 38) / 45, 0, 0.85):
        name = "grey"
    elif tone < _DARK:
        name = _pick(rng, {"black": 8, "dark brown": 3, "dyed": 0.3})
    else:
        name = _pick(
            rng,
            {"black": 3, "dark brown": 4, "brown": 4, "fair": 2, "blond": 2, "red": 1, "dyed": 0.4},
        )
    return linear(np.array(_HAIR_COLOURS[name]) * rng.uniform(0.75, 1.25))


def _iris_colour(tone: float, rng: np.random.Generator) -> Colour:
    options = {"dark brown": 5.0, "brown": 3.0}
    if tone > _DARK:
        options = {"dark brown": 3, "brown": 4, "hazel": 2, "green": 1.5, "blue": 3, "grey": 1.5}
    return linear(np.array(_IRIS_COLOURS[_pick(rng, options)]) * rng.uniform(0.8, 1.2))


def _cloth(rng: np.random.Generator) -> Colour:
    colour = rng.random(3)
    grey = colour.mean()
    return linear(225.0 * rng.uniform(0.3, 1.0) * (grey + (colour - grey) * rng.random()))


def _one_sided(
    rng: np.random.Generator, count: int, active: int, reach: float
) -> tuple[float, ...]:
    weights = np.zeros(count)
    weights[rng.choice(count, size=active, replace=False)] = rng.uniform(0.0, reach, active)
    return tuple(weights.tolist())


def sample_person(rng: np.random.Generator) -> Person:
    """Draw a person.

    Parameters
    ----------
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    Person
    """
    male = bool(rng.random() < 0.5)
    age = float(14 + 71 * rng.beta(1.3, 2.0))
    ancestry = rng.dirichlet((0.5,) * len(ANCESTRIES))
    typical = float(ancestry @ (0.2, 0.62, 0.72))  # of the skin's tone
    tone = float(np.clip(0.75 * typical + 0.25 * rng.random() + rng.normal(0, 0.1), 0.0, 1.0))
    hair = _hair_colour(tone, age, rng)
    spread = np.array([axis.spread for axis in SHAPE_AXES])
    axes = np.clip(rng.normal([axis.mean for axis in SHAPE_AXES], spread), -0.9, 0.9)
    made_up = rng.random() < (0.06 if male else 0.5)
    lip_tint = rng.uniform((0.88, 0.56, 0.58), (1.04, 0.78, 0.84))
    lip_paint = float(made_up * rng.random())
    paint = np.array((rng.uniform(0.8, 1.05), rng.uniform(0.15, 0.5), rng.uniform(0.25, 0.6)))
    lips = lip_tint * (1 - lip_paint) + paint * lip_paint
    styles = dict(zip(HAIRSTYLES, MALE_STYLES if male else FEMALE_STYLES, strict=True))
    beards = dict(zip(BEARDS, BEARD_SHARES, strict=True))
    bearded = male and age > 17
    grizzle = rng.uniform(0.6, 1.0)
    return Person(
        male=male,
        age=age,
        ancestry=tuple(ancestry.tolist()),
        muscle=float(rng.uniform(0.25, 0.85)),
        weight=float(rng.beta(2.0, 2.2)),
        axes=tuple(axes.tolist()),
        outlines=_one_sided(rng, len(OUTLINES), 2, 0.35),
        asymmetries=_one_sided(rng, len(ASYMMETRIES), 8, 0.5),
        tone=tone,
        skin=_skin(tone, rng),
        lips=(float(lips[0]), float(lips[1]), float(lips[2])),
        hair=hair,
        brows=(hair[0] * grizzle, hair[1] * grizzle, hair[2] * grizzle),
        iris=_iris_colour(tone, rng),
        cloth=_cloth(rng),
        redness=float(rng.random()),
        blotches=float(rng.random()),
        freckles=float(rng.random() ** 2 * (tone > 0.55) * (rng.random() < 0.35)),
        pores=float(rng.random()),
        oil=float(0.03 + 0.57 * rng.random() ** 1.7),
        lid_paint=float(made_up * rng.random()),
        lip_paint=lip_paint,
        blush=float(made_up * rng.random()),
        brow_thickness=float(np.clip(rng.normal(0.55 if male else 0.38, 0.2), 0.05, 1.0)),
        brow_density=float(rng.uniform(0.4, 1.0)),
        brow_arch=float(rng.uniform(-1, 1)),
        pupil=float(rng.uniform(0.1, 0.2)),
        hairstyle=_pick(rng, styles),
        beard=_pick(rng, beards) if bearded else "none",
        hair_volume=float(rng.random()),
        hairline=float(np.clip(rng.normal(0.0, 0.4), -1, 1)),
        glasses=float((rng.random() < 0.16) * rng.uniform(0.3, 1.0)),
        neckline=float(rng.random()),
        gain=tuple(rng.uniform(0.8, 1.15, N_AUS).tolist()),
        asymmetry=tuple(np.clip(rng.normal(0.0, 0.12, N_AUS), -0.4, 0.4).tolist()),
        texture_seed=int(rng.integers(2**31)),
        resting=sample_resting(age, rng),
    )
