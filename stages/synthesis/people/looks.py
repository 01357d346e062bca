"""How a person's face is done up: fringe, glasses, teeth, eyes; apart from what `Person` says."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.people.people import Colour, Person, linear
from stages.synthesis.randomness import generator

FRINGES: Final = ("none", "full", "swept", "curtain", "wisps")
# Of the hairstyles that have strands: shares of `FRINGES`.
_FRINGE_SHARES: Final = {
    "short": (0.5, 0.08, 0.14, 0.03, 0.25),
    "receding": (0.8, 0.0, 0.0, 0.0, 0.2),
    "fringe": (0.1, 0.7, 0.15, 0.0, 0.05),
    "full": (0.3, 0.15, 0.25, 0.15, 0.15),
    "long": (0.2, 0.2, 0.2, 0.25, 0.15),
}
COVERINGS: Final = ("none", "beanie", "scarf", "band")
_COVERING_SHARES: Final = (0.925, 0.03, 0.03, 0.015)
_FRAMES: Final = ((12, 11, 11), (60, 36, 22), (120, 100, 60), (130, 130, 134), (90, 24, 30),
                  (30, 40, 80), (190, 180, 165))  # fmt: skip
_DARK_GLASSES: Final = 0.06  # share of the glasses that hide the eyes
_GLARE: Final = 0.2  # share of the others that mirror a window


@dataclass(frozen=True)
class Looks:
    """Values 0 to 1 unless said otherwise, colours linear.

    Attributes
    ----------
    brow_shift, brow_slope, brow_gap : float
        Of the brows' hairs on the skin: up, outer end up, outwards; decimetres on the base head.
    brow_weight : float
        How much of the skin the hairs hide, from faint brows to bushy ones.
    sclera, teeth, tongue : tuple of float
        Colours.
    upper_lip, lower_lip : tuple of float
        What the colour of the lips is multiplied with: in dark faces the lower one is often the
        lighter and redder of two.
    seam : float
        How dark the line between closed lips is.
    polish : float
        How tight the highlights on the skin are.
    patches : float
        How uneven they are: pores and grease break them up.
    iris_size : float
        Radians at the centre of the eyeball.
    lashes : float
        How dark the line of the lashes is.
    spots : float
        Moles and blemishes.
    fringe : str
        One of `FRINGES`.
    strands : float
        How dense the fringe is.
    tip : float
        How far down it reaches, from the hairline (0) over the brows (0.8) to the eyes (1).
    wave : float
        Of its strands.
    curtains : bool
        Whether long hair falls in front of the ears.
    covering : str
        One of `COVERINGS`.
    fabric, frame : tuple of float
        Colours of the covering and of the glasses' frame.
    lens : tuple of float
        Width and height of a lens, 1 is usual, and how round it is.
    dark_glasses, glare : bool
        Whether the glasses hide the eyes, whether they mirror light.
    """

    brow_shift: float
    brow_slope: float
    brow_gap: float
    brow_weight: float
    sclera: Colour
    teeth: Colour
    tongue: Colour
    upper_lip: Colour
    lower_lip: Colour
    seam: float
    polish: float
    patches: float
    iris_size: float
    lashes: float
    spots: float
    fringe: str
    strands: float
    tip: float
    wave: float
    curtains: bool
    covering: str
    fabric: Colour
    frame: Colour
    lens: tuple[float, float, float]
    dark_glasses: bool
    glare: bool


def _scaled(colour: Colour, factors: tuple[float, ...]) -> Colour:
    red, green, blue = (a * b for a, b in zip(colour, factors, strict=True))
    return red, green, blue


def _colour(values: NDArray[np.float64]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue


def _lip_colours(person: Person, rng: np.random.Generator) -> tuple[Colour, Colour]:
    """What the colour of the upper and of the lower lip is multiplied with."""
    dark = float(np.clip((0.5 - person.tone) / 0.3, 0.0, 1.0))
    upper = rng.uniform(0.75, 1.1) - dark * rng.uniform(0.0, 0.25)
    lower = rng.uniform(0.85, 1.15)
    # where the skin is dark, greyish pink shows through: none in some, most of the lip in others
    share = dark * rng.beta(1.1, 1.1)
    pink = np.array(linear(rng.uniform((115.0, 82.0, 82.0), (190.0, 145.0, 145.0))))
    factor = (pink / np.maximum(np.multiply(person.skin, person.lips), 1e-3)).clip(0.5, 10.0)
    above = upper * (1.0 + (factor - 1.0) * 0.3 * share * rng.random())
    below = lower + (factor - lower) * 0.8 * share
    return _colour(above), _colour(below)


def looks_of(person: Person) -> Looks:
    """The looks of a person: they follow from the seed of the skin.

    Parameters
    ----------
    person : Person
        Who.

    Returns
    -------
    Looks
    """
    rng = generator(person.texture_seed, "looks")
    covered = str(rng.choice(COVERINGS, p=_COVERING_SHARES))
    shares = _FRINGE_SHARES.get(person.hairstyle)
    fringe = "none" if shares is None else str(rng.choice(FRINGES, p=shares))
    bright, yellow, red = rng.uniform(0.5, 0.85), rng.uniform(0.0, 0.18), rng.uniform(0.0, 0.1)
    tooth, stained = rng.uniform(0.5, 0.82), rng.uniform(0.04, 0.35)
    dark = rng.random() < _DARK_GLASSES
    frame = _FRAMES[rng.choice(len(_FRAMES), p=(0.45, 0.15, 0.1, 0.1, 0.08, 0.06, 0.06))]
    fabric = rng.random(3)
    fabric = fabric.mean() + (fabric - fabric.mean()) * rng.random()
    upper, lower = _lip_colours(person, generator(person.texture_seed, "lips"))
    shine = generator(person.texture_seed, "shine")
    return Looks(
        brow_shift=float(np.clip(rng.normal(0.0, 0.014), -0.03, 0.03)),
        brow_slope=float(np.clip(rng.normal(0.0, 0.06), -0.14, 0.14)),
        brow_gap=float(np.clip(rng.normal(0.005, 0.018), -0.025, 0.05)),
        brow_weight=float(rng.beta(1.6, 1.1)),
        sclera=(bright, bright * (1 - 0.4 * yellow - red), bright * (1 - yellow - red)),
        teeth=(tooth, tooth * (1 - 0.35 * stained), tooth * (1 - stained)),
        tongue=_scaled((0.42, 0.14, 0.13), tuple(rng.uniform(0.65, 1.25, 3).tolist())),
        upper_lip=upper,
        lower_lip=lower,
        seam=float(shine.uniform(0.15, 0.75)),
        polish=float(0.6 * shine.random() ** 1.5),
        patches=float(shine.random()),
        iris_size=float(rng.uniform(0.375, 0.435)),
        lashes=float(rng.uniform(0.3, 1.0)),
        spots=float(rng.random() ** 2),
        fringe="none" if covered in ("beanie", "scarf") else fringe,
        strands=float(rng.uniform(0.3, 1.0)),
        tip=float(rng.beta(2.0, 1.5)),
        wave=float(rng.random() ** 2),
        curtains=bool(person.hairstyle == "long" and covered != "scarf" and rng.random() < 0.85),
        covering=covered,
        fabric=linear(230.0 * rng.uniform(0.15, 1.0) * fabric),
        frame=linear((10, 10, 11) if dark and rng.random() < 0.7 else frame),
        lens=(float(rng.uniform(0.85, 1.2)), float(rng.uniform(0.75, 1.3)), float(rng.random())),
        dark_glasses=bool(dark),
        glare=bool(rng.random() < _GLARE),
    )
