"""Affect states: the action units, feeling, expression and manner of speaking of each.

Each state lists its AUs with the probability that one of its episodes shows them, after the
prototypes of EMFACS and published studies of pain, confusion and concentration; no AU belongs to
one state only, and none occurs in every episode of a state.

References
----------
W. V. Friesen, P. Ekman. EMFACS-7: Emotional Facial Action Coding System. 1983.
K. M. Prkachin, P. E. Solomon. The structure, reliability and validity of pain expression.
Pain 139, 2008.
P. Rozin, A. B. Cohen. High frequency of facial expressions corresponding to confusion,
concentration, and worry. Emotion 3, 2003.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, EXPRESSIONS, N_AUS
from stages.synthesis.audio.speech import Manner

# An AU is labelled present where its intensity reaches this share of its full strength: FACS
# codes 'A' (trace) below it, 'B' (slight, visible to a trained eye) and more from it on.
VISIBLE: Final = 0.35


@dataclass(frozen=True)
class AffectState:
    """One way to feel, and what it does to face and voice.

    Attributes
    ----------
    name : str
        Of the state.
    expression : str
        One of the 7 `EXPRESSIONS` that an annotator would choose.
    valence, arousal : float
        Centre of the state in the circumplex, -1 to 1.
    action_units : mapping of int to float
        Probability of each AU number in an episode of the state.
    manner : Manner
        How someone in this state speaks.
    weight : float
        How often the state is drawn, relative to the others.
    """

    name: str
    expression: str
    valence: float
    arousal: float
    action_units: Mapping[int, float]
    manner: Manner
    weight: float = 1.0


STATES: Final[tuple[AffectState, ...]] = (
    AffectState(
        "joy", "happiness", 0.75, 0.45,
        {6: 0.8, 12: 0.95, 25: 0.6, 7: 0.3, 26: 0.12}, Manner(185, 12, 75, 1.15), 2.2,
    ),
    AffectState(
        "politeness", "neutral", 0.3, 0.1,
        {12: 0.9, 1: 0.25, 25: 0.3, 2: 0.15}, Manner(165, 5, 60, 0.95), 1.2,
    ),
    AffectState(
        "sadness", "sadness", -0.65, -0.35,
        {1: 0.85, 4: 0.7, 15: 0.75, 7: 0.25, 6: 0.15}, Manner(125, -12, 22, 0.65), 0.9,
    ),
    AffectState(
        "surprise", "surprise", 0.1, 0.75,
        {1: 0.9, 2: 0.85, 25: 0.85, 26: 0.7}, Manner(180, 18, 90, 1.2), 0.7,
    ),
    AffectState(
        "anger", "anger", -0.65, 0.65,
        {4: 0.9, 7: 0.8, 23: 0.6, 24: 0.45, 10: 0.3, 25: 0.2}, Manner(200, 6, 70, 1.5), 1.0,
    ),
    AffectState(
        "fear", "fear", -0.6, 0.75,
        {1: 0.85, 2: 0.6, 4: 0.7, 7: 0.5, 25: 0.7, 26: 0.35}, Manner(215, 15, 45, 0.85), 0.7,
    ),
    AffectState(
        "disgust", "disgust", -0.65, 0.3,
        {10: 0.95, 4: 0.55, 7: 0.5, 6: 0.35, 15: 0.2, 25: 0.3}, Manner(140, -8, 45, 0.95), 1.3,
    ),
    AffectState(
        "contempt", "disgust", -0.45, 0.1,
        {10: 0.5, 12: 0.4, 24: 0.3, 7: 0.35, 2: 0.2}, Manner(145, -6, 40, 0.9), 0.7,
    ),
    AffectState(
        "pain", "sadness", -0.7, 0.5,
        {4: 0.8, 6: 0.7, 7: 0.8, 10: 0.7, 25: 0.4, 12: 0.2}, Manner(150, 8, 35, 1.1), 1.3,
    ),
    AffectState(
        "concentration", "neutral", -0.05, 0.2,
        {4: 0.6, 7: 0.6, 23: 0.3, 24: 0.25}, Manner(145, -3, 35, 0.85), 1.2,
    ),
    AffectState(
        "confusion", "neutral", -0.2, 0.15,
        {4: 0.65, 7: 0.5, 1: 0.3, 10: 0.25, 23: 0.2, 2: 0.15}, Manner(150, 4, 65, 0.9), 0.9,
    ),
    AffectState(
        "worry", "fear", -0.4, 0.25,
        {1: 0.6, 4: 0.5, 15: 0.4, 24: 0.3, 23: 0.2}, Manner(160, 2, 35, 0.8), 0.6,
    ),
)  # fmt: skip

NEUTRAL_MANNER: Final = Manner()


def probabilities(state: AffectState) -> NDArray[np.float64]:
    """(12,) probability of each AU in an episode of a state, in the order of `AU_NUMBERS`."""
    return np.array([state.action_units.get(number, 0.0) for number in AU_NUMBERS])


def sample_apex(rng: np.random.Generator) -> float:
    """Draw the greatest intensity of an episode, 0.4 to 1, more often strong than faint."""
    return 0.4 + 0.6 * float(rng.beta(1.4, 1.2))


def sample_active(
    state: AffectState, rng: np.random.Generator, favour: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """Draw which AUs an episode of a state shows.

    Parameters
    ----------
    state : AffectState
        The state.
    rng : np.random.Generator
        Source of chance.
    favour : (12,) float64 np.ndarray, optional
        Factor on the odds of each AU.

    Returns
    -------
    (12,) bool np.ndarray
        AU24 and AU25 never together: lips cannot be pressed and apart.
    """
    chance = probabilities(state)
    if favour is not None:
        odds = favour * chance / np.maximum(1.0 - chance, 0.05)
        chance = odds / (1.0 + odds)
    active = rng.random(N_AUS) < chance
    resolve_lips(active, rng)
    return active


def resolve_lips(active: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Drop, in place, AUs that one mouth cannot show together (24 with 25 or 26)."""
    pressed, parted, dropped = (AU_NUMBERS.index(number) for number in (24, 25, 26))
    if active[pressed] and (active[parted] or active[dropped]):
        if rng.random() < 0.5:
            active[pressed] = False
        else:
            active[[parted, dropped]] = False


# Change of valence and arousal that each AU alone brings at full strength.
_FEELING: Final = np.array(
    [
        (-0.05, 0.15), (0.05, 0.25), (-0.25, 0.05), (0.15, 0.05), (-0.1, 0.1), (-0.3, 0.1),
        (0.45, 0.15), (-0.35, -0.1), (-0.15, 0.1), (-0.15, 0.0), (0.0, 0.08), (0.0, 0.3),
    ]
)  # fmt: skip


def feeling(
    state: AffectState | None, strength: float, intensity: NDArray[np.float64]
) -> tuple[float, float]:
    """Valence and arousal of a face.

    Parameters
    ----------
    state : AffectState or None
        The state that moves the face; None for single or unrelated AUs.
    strength : float
        Of the state, 0 to 1.
    intensity : (12,) float64 np.ndarray
        AU intensities, 0 to 1.

    Returns
    -------
    tuple of float
        Valence and arousal, -1 to 1: the state's own, moved by what the face shows of it.
    """
    shown = np.asarray(intensity, np.float64) @ _FEELING
    if state is None:
        valence, arousal = shown[0], shown[1] - 0.05
    else:
        valence = 0.65 * strength * state.valence + 0.5 * shown[0]
        arousal = 0.65 * strength * state.arousal + 0.5 * shown[1]
    return float(np.clip(valence, -1, 1)), float(np.clip(arousal, -1, 1))


def expression_index(state: AffectState | None, strength: float) -> int:
    """Index in `EXPRESSIONS`: neutral without a state, or where it is hardly felt."""
    if state is None or strength < VISIBLE:
        return EXPRESSIONS.index("neutral")
    return EXPRESSIONS.index(state.expression)
