"""How people's faces differ at rest, and in how their skin folds.

Real resting faces differ: brows high or low, lids wide or narrow, lips pressed, loose or hardly
parted, corners that turn up or down. None of it is an action unit, so none of it has a label.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.people.action_units import FOLDS, SIDES
from stages.synthesis.people.mesh_files import FACE_SHAPES

# Mean, standard deviation, lowest and highest weight of the face shapes that people rest in; an
# asterisk stands for both sides. A negative weight is a place on the shape's other side.
_SHAPES: Final[dict[str, tuple[float, float, float, float]]] = {
    "browDown*": (0.12, 0.15, -0.3, 0.6),
    "browInnerUp": (0.0, 0.12, -0.4, 0.4),
    "browOuterUp*": (-0.05, 0.1, -0.3, 0.3),
    "eyeSquint*": (-0.28, 0.08, -0.45, 0.0),
    "eyeBlink*": (0.05, 0.04, 0.0, 0.16),
    "mouthClose": (0.16, 0.08, 0.0, 0.32),
    "mouthFrown*": (0.05, 0.08, -0.1, 0.3),
    "mouthSmile*": (0.0, 0.04, -0.08, 0.1),
    "mouthRollLower": (-0.03, 0.06, -0.1, 0.25),
    "mouthRollUpper": (-0.03, 0.06, -0.1, 0.25),
    "mouthPress*": (0.0, 0.05, -0.1, 0.15),
    "mouthShrugLower": (0.15, 0.12, -0.1, 0.4),
}
# Lips are drawn wide, dimpled or lifted off the upper teeth by the smiles of some people.
SMILE: Final = ("mouthStretch", "mouthDimple", "mouthUpperUp")
_SMILE_REACH: Final = np.array((0.5, 0.5, 0.9))
_UNEVEN: Final = 0.3  # of a shape's spread: how far the right side is from the left
_LOOSE: Final = 0.12  # share of people whose lips hardly touch

# Shares of people whose skin hardly folds, folds faintly and folds well, at 20 and at 75 years,
# and the gains of each kind.
_KINDS: Final = ((0.42, 0.1), (0.36, 0.3), (0.22, 0.6))
_GAINS: Final = ((0.0, 0.08), (0.12, 0.45), (0.5, 1.0))


@dataclass(frozen=True)
class Resting:
    """A face at rest.

    Attributes
    ----------
    shapes : tuple of float
        Weight of each of `FACE_SHAPES` at rest.
    fold_gain : tuple of float
        Of each of `FOLDS`: how deep it gets where an AU draws it, 0 to 1.
    fold_rest : tuple of float
        Of each of `FOLDS`: its depth at rest.
    smile : tuple of float
        Weight of each of `SMILE` in a full AU12; the last in one that parts the lips.
    """

    shapes: tuple[float, ...]
    fold_gain: tuple[float, ...]
    fold_rest: tuple[float, ...]
    smile: tuple[float, ...]


def _bounded(rng: np.random.Generator, row: tuple[float, float, float, float]) -> float:
    mean, spread, low, high = row
    return float(np.clip(rng.normal(mean, spread), low, high))


def _shapes(rng: np.random.Generator) -> NDArray[np.float64]:
    weights = np.zeros(len(FACE_SHAPES))
    for name, row in _SHAPES.items():
        value = _bounded(rng, row)
        if not name.endswith("*"):
            weights[FACE_SHAPES.index(name)] = value
            continue
        for side, uneven in zip(SIDES, (0.0, _UNEVEN * row[1] * rng.normal()), strict=True):
            column = FACE_SHAPES.index(name[:-1] + side)
            weights[column] = np.clip(value + uneven, row[2], row[3])
    if rng.random() < _LOOSE:
        weights[FACE_SHAPES.index("mouthClose")] = 0.0
        parted = rng.uniform(0.0, 0.2)
        for side in SIDES:
            weights[FACE_SHAPES.index(f"mouthLowerDown{side}")] = parted
    return weights


def _folds(age: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain and resting depth of each fold; both sides of the face alike, or nearly."""
    shares = np.array([np.interp(age, (20, 75), ends) for ends in _KINDS])
    kind = int(rng.choice(len(_GAINS), p=shares / shares.sum()))
    stems: dict[str, tuple[float, float]] = {}
    gain, rest = np.zeros(len(FOLDS)), np.zeros(len(FOLDS))
    for row, name in enumerate(FOLDS):
        stem = name.removesuffix("_left").removesuffix("_right")
        stem = "forehead" if stem.startswith("forehead") else stem
        if stem not in stems:
            # each fold its own: now and then deep in smooth skin, or missing in folded skin
            own = int(rng.integers(len(_GAINS))) if rng.random() < 0.25 else kind
            stems[stem] = float(rng.uniform(*_GAINS[own])), float(rng.random())
        depth, kept = stems[stem]
        gain[row] = np.clip(depth * rng.uniform(0.85, 1.15), 0.0, 1.0)
        rest[row] = depth * kept * np.interp(age, (14, 30, 45, 85), (0.02, 0.12, 0.22, 0.6))
    return gain, rest


def sample_resting(age: float, rng: np.random.Generator) -> Resting:
    """Draw how somebody's face rests and folds.

    Parameters
    ----------
    age : float
        Years.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    Resting
    """
    shapes = _shapes(rng)
    gain, rest = _folds(age, rng)
    return Resting(
        shapes=tuple(shapes.tolist()),
        fold_gain=tuple(gain.tolist()),
        fold_rest=tuple(rest.tolist()),
        smile=tuple((rng.random(len(SMILE)) ** 1.5 * _SMILE_REACH).tolist()),
    )
