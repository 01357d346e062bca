"""What each action unit does to the generated face: its face shapes and its folds of the skin.

Weights are those of AUs at full intensity, about level E of FACS; they add up and are clipped.
Shapes whose own amplitude is small have weights above 1. Which AUs can coexist (AU24 with AU25
cannot) is the caller's affair.

References
----------
P. Ekman, W. V. Friesen, J. C. Hager. Facial Action Coding System, 2002.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.people.mesh_files import FACE_SHAPES

Floats = NDArray[np.float64]

N_SHAPES: Final = len(FACE_SHAPES)
_COLUMN: Final = {name: column for column, name in enumerate(FACE_SHAPES)}
SIDES: Final = ("Left", "Right")

# A name that ends in * stands for the shapes of both sides.
AU_SHAPES: Final[dict[int, dict[str, float]]] = {
    1: {"browInnerUp": 4.1, "browOuterUp*": 0.2},
    2: {"browOuterUp*": 3.7, "browInnerUp": 1.3},
    4: {"browDown*": 2.5, "noseSneer*": 0.2, "eyeSquint*": 0.15},
    6: {"cheekSquint*": 1.35, "eyeSquint*": 0.4},
    7: {"eyeSquint*": 2.05, "eyeBlink*": 0.2},
    10: {"mouthUpperUp*": 2.4, "noseSneer*": 0.08},
    12: {"mouthSmile*": 1.0, "cheekSquint*": 0.2},
    15: {"mouthFrown*": 2.0, "mouthShrugLower": 0.3},
    23: {"mouthRollUpper": 1.15, "mouthRollLower": 1.2, "mouthPucker": 0.5},
    24: {
        "mouthPress*": 0.7,
        "mouthFrown*": 0.25,
        "mouthRollUpper": 0.75,
        "mouthRollLower": 0.8,
        "mouthShrugLower": 0.8,
    },
    25: {"mouthLowerDown*": 2.4, "mouthUpperUp*": 0.6, "mouthFunnel": 0.1},
    26: {"jawOpen": 0.7},
}

# What speech does beyond AU25 and AU26, named as in `articulation.FEATURES`.
MOUTH_SHAPES: Final[dict[str, dict[str, float]]] = {
    "rounded": {"mouthPucker": 0.9, "mouthFunnel": 0.3},
    "spread": {"mouthStretch*": 0.5, "mouthDimple*": 0.35},
    "closed": {"mouthPress*": 0.15},
    "bitten": {"mouthRollLower": 0.8, "mouthUpperUp*": 0.2},
    "tongue": {"tongueOut": 0.5},
    "funnel": {"mouthFunnel": 1.0},
    "stretch": {"mouthStretch*": 1.0},
    "puffed": {"cheekPuff": 0.7},
}
GAZE_REACH: Final = (0.45, 0.4)  # radians right or left, up or down, of eyeLook shapes at weight 1
UPPER_BOUND: Final = 2.4  # of a weight; shapes that go wrong sooner or later are bounded here
BOUNDS: Final = {
    "browInnerUp": 5.0, "browOuterUp*": 3.9, "browDown*": 3.2, "eyeBlink*": 1.0, "jawOpen": 0.95,
    "mouthClose": 0.95, "mouthSmile*": 1.1, "eyeSquint*": 2.1,
}  # fmt: skip

# Folds of the skin, in two layers that never cross one another; see `folds`.
FOLDS_ACROSS: Final = (
    "forehead_inner", "forehead_outer_left", "forehead_outer_right", "crow_left", "crow_right",
    "under_eye_left", "under_eye_right", "nasolabial_left", "nasolabial_right", "chin", "lip_rim",
)  # fmt: skip
FOLDS_ALONG: Final = (
    "glabella", "lid_left", "lid_right", "corner_left", "corner_right", "lip_creases", "nose_root",
)  # fmt: skip
FOLDS: Final = FOLDS_ACROSS + FOLDS_ALONG

AU_FOLDS: Final[dict[int, dict[str, float]]] = {
    1: {"forehead_inner": 1.0},
    2: {"forehead_outer_*": 1.0, "forehead_inner": 0.25},
    4: {"glabella": 1.0, "nose_root": 0.4},
    6: {"crow_*": 1.0, "under_eye_*": 1.0},
    7: {"lid_*": 1.0},
    10: {"nasolabial_*": 1.0},
    12: {"nasolabial_*": 0.8, "crow_*": 0.15, "corner_*": 0.25},
    15: {"corner_*": 1.0, "chin": 0.5},
    23: {"lip_creases": 1.0, "lip_rim": 1.0},
    24: {"lip_creases": 0.3, "chin": 1.0, "corner_*": 0.3},
    25: {},
    26: {},
}

_DEEPENING: Final = ((0.0, 0.2, 0.5, 1.0), (0.0, 0.2, 0.65, 1.0))  # of a fold with the AU


def _matrix(
    table: Mapping[int, Mapping[str, float]] | Mapping[str, Mapping[str, float]],
    names: tuple[str, ...],
    sides: tuple[str, str],
) -> tuple[Floats, Floats]:
    """Two (rows, names) matrices: what reaches the left half and what the right."""
    both = np.zeros((2, len(table), len(names)))
    for row, entries in enumerate(table.values()):
        for name, weight in entries.items():
            for side, ending in enumerate(sides):
                if name.endswith("*"):
                    both[side, row, names.index(name[:-1] + ending)] = weight
                else:
                    both[side, row, names.index(name)] = 0.5 * weight
    return both[0], both[1]


_AU_LEFT, _AU_RIGHT = _matrix(AU_SHAPES, FACE_SHAPES, ("Left", "Right"))
_FOLD_LEFT, _FOLD_RIGHT = _matrix(AU_FOLDS, FOLDS, ("left", "right"))
_MOUTH: Final[Floats] = np.sum(_matrix(MOUTH_SHAPES, FACE_SHAPES, ("Left", "Right")), axis=0)
_BOUND = np.full(N_SHAPES, UPPER_BOUND)
for _name, _bound in BOUNDS.items():
    for _side in SIDES:
        _BOUND[_COLUMN[_name.replace("*", _side)]] = _bound


def _sides(au_intensity: Floats, asymmetry: Floats | None) -> tuple[Floats, Floats]:
    """Intensity on the left and the right half: the stronger side keeps the AU's own."""
    lean = np.zeros(N_AUS) if asymmetry is None else np.asarray(asymmetry, np.float64)
    return au_intensity * (1.0 - np.maximum(-lean, 0)), au_intensity * (1.0 - np.maximum(lean, 0))


def face_shape_weights(
    au_intensity: Floats,
    blink: Floats | None = None,
    gaze: Floats | None = None,
    mouth: Mapping[str, Floats] | None = None,
    asymmetry: Floats | None = None,
) -> NDArray[np.float32]:
    """Weights of the 52 face shapes for AU intensities.

    Parameters
    ----------
    au_intensity : (frames, 12) float64 np.ndarray
        0 to 1, in the order of `AU_NUMBERS`.
    blink : (frames, 2) float64 np.ndarray, optional
        How far the left and the right lids are closed, 0 to 1.
    gaze : (frames, 2) float64 np.ndarray, optional
        Radians to the person's left and up.
    mouth : mapping of str to (frames,) float64 np.ndarray, optional
        What speech adds, 0 to 1; keys of `MOUTH_SHAPES`.
    asymmetry : (12,) float64 np.ndarray, optional
        By how much each AU is weaker on the right (positive) or the left (negative), 0 to 1.

    Returns
    -------
    (frames, 52) float32 np.ndarray
        A jaw that drops while AU25 is low keeps the lips closed.

    Raises
    ------
    ValueError
        If there are not 12 columns, or `mouth` has a name that is not in `MOUTH_SHAPES`.
    """
    au_intensity = np.asarray(au_intensity, np.float64)
    if au_intensity.ndim != 2 or au_intensity.shape[1] != N_AUS:
        raise ValueError(f"Expected (frames, {N_AUS}) intensities, got {au_intensity.shape}.")
    left, right = _sides(np.clip(au_intensity, 0.0, 1.0), asymmetry)
    weights: Floats = left @ _AU_LEFT + right @ _AU_RIGHT
    closed = np.zeros(len(weights))
    for name, track in (mouth or {}).items():
        if name not in MOUTH_SHAPES:
            raise ValueError(f"{name!r} is none of {', '.join(MOUTH_SHAPES)}.")
        value = np.clip(np.asarray(track, np.float64), 0.0, 1.0)
        weights += value[:, None] * _MOUTH[list(MOUTH_SHAPES).index(name)]
        closed = value if name == "closed" else closed
    parted = np.clip(2.5 * au_intensity[:, AU_NUMBERS.index(25)], 0.0, 1.0) * (1.0 - closed)
    weights[:, _COLUMN["mouthClose"]] += weights[:, _COLUMN["jawOpen"]] * (1.0 - parted)
    if blink is not None:
        for side, name in enumerate(SIDES):
            column = _COLUMN[f"eyeBlink{name}"]
            lid = np.clip(np.asarray(blink, np.float64)[:, side], 0.0, 1.0)
            weights[:, column] = np.maximum(weights[:, column], 0) * (1.0 - lid) + lid
    if gaze is not None:
        _look(weights, np.asarray(gaze, np.float64))
    return np.clip(weights, 0.0, _BOUND).astype(np.float32)


def _look(weights: Floats, gaze: Floats) -> None:
    """Add the shapes of the lids that follow the gaze."""
    across, up = gaze[:, 0] / GAZE_REACH[0], gaze[:, 1] / GAZE_REACH[1]
    for name, outward in (("Left", across), ("Right", -across)):
        weights[:, _COLUMN[f"eyeLookOut{name}"]] += np.maximum(outward, 0)
        weights[:, _COLUMN[f"eyeLookIn{name}"]] += np.maximum(-outward, 0)
        weights[:, _COLUMN[f"eyeLookUp{name}"]] += np.maximum(up, 0)
        weights[:, _COLUMN[f"eyeLookDown{name}"]] += np.maximum(-up, 0)


def gaze_of(weights: NDArray[np.float32]) -> Floats:
    """(2, 2) radians to the left and up of the left and the right eye, from 52 weights."""
    gaze = np.zeros((2, 2))
    for eye, (name, sign) in enumerate((("Left", 1.0), ("Right", -1.0))):
        value = {
            way: float(weights[_COLUMN[f"eyeLook{way}{name}"]])
            for way in ("Out", "In", "Up", "Down")
        }
        gaze[eye, 0] = sign * (value["Out"] - value["In"]) * GAZE_REACH[0]
        gaze[eye, 1] = (value["Up"] - value["Down"]) * GAZE_REACH[1]
    return gaze


def fold_weights(au_intensity: Floats, asymmetry: Floats | None = None) -> NDArray[np.float32]:
    """Depth of the folds that AUs draw.

    Parameters
    ----------
    au_intensity : (frames, 12) float64 np.ndarray
        0 to 1.
    asymmetry : (12,) float64 np.ndarray, optional
        As for `face_shape_weights`.

    Returns
    -------
    (frames, folds) float32 np.ndarray
        Columns `FOLDS`, 0 to 1.
    """
    depth = np.interp(np.asarray(au_intensity, np.float64), *_DEEPENING)
    left, right = _sides(depth, asymmetry)
    return np.clip(left @ _FOLD_LEFT + right @ _FOLD_RIGHT, 0.0, 1.0).astype(np.float32)
