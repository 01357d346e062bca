"""What the faces of the stills show: AU intensities, valence, arousal and expression.

For pre-training every AU should be seen often, so rare AUs are as frequent here as common ones;
the base rates of Aff-Wild2 hold for the clips only.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.audio.phonemes import MOUTHS, SILENCE
from stages.synthesis.performance.affect import (
    STATES,
    VISIBLE,
    expression_index,
    feeling,
    probabilities,
    resolve_lips,
    sample_active,
    sample_apex,
)

# Share of the stills that show an AU, about: its chance on top of what the states bring.
WANTED: Final = 0.22
# Shares of neutral faces, of faces that show one AU alone, and of faces that a state moves. Faces
# that show what a state brings and nothing else would tie AUs to one another: networks that learned
# from many of them told jaws in speech worse (docs/ablations.md).
_NEUTRAL, _SINGLE, _ACTED = 0.2, 0.15, 0.6
_TRACE: Final = 0.28  # highest intensity of an AU that is not labelled
_ONE_SIDED: Final = 0.12  # share of AUs that one side shows more strongly, or alone
_SPEAKING: Final = 0.25  # share of faces caught in the middle of a phoneme
_PRESSOR, _PART, _DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))


@dataclass(frozen=True)
class StillLabels:
    """What one still shows.

    Attributes
    ----------
    intensity : (12,) float64 np.ndarray
        AU intensities, 0 to 1, of the stronger side.
    asymmetry : (12,) float64 np.ndarray
        By how much each AU is weaker on the right (positive) or the left (negative), -1 to 1.
    phoneme : str
        That the mouth is saying, silence mostly.
    valence, arousal : float
        -1 to 1.
    expression : int
        Index in `EXPRESSIONS`.
    """

    intensity: NDArray[np.float64]
    asymmetry: NDArray[np.float64]
    phoneme: str
    valence: float
    arousal: float
    expression: int

    @property
    def labels(self) -> NDArray[np.int8]:
        """(12,) 1 for each AU that is visible."""
        return (self.intensity >= VISIBLE).astype(np.int8)


# Every expression is drawn as often as another, and so are the states within it.
_SHARE: Final = np.array(
    [1.0 / sum(other.expression == state.expression for other in STATES) for state in STATES]
) / len({state.expression for state in STATES})
_SHOWN: Final = _SHARE @ np.stack([probabilities(state) for state in STATES])
_EXTRA: Final = np.clip(
    (WANTED - _ACTED * _SHOWN - _SINGLE / N_AUS) / (1.0 - _NEUTRAL - _SINGLE), 0.04, 0.6
)


def sample_still(rng: np.random.Generator) -> StillLabels:
    """Draw one still: neutral, moved by an affect state, or by AUs that chance has put together."""
    kind = rng.random()
    state, strength = None, 0.0
    active = np.zeros(N_AUS, dtype=bool)
    if kind < _ACTED:
        state = STATES[int(rng.choice(len(STATES), p=_SHARE))]
        strength = sample_apex(rng)
        active = sample_active(state, rng)
    if kind < 1.0 - _NEUTRAL - _SINGLE:
        active |= rng.random(N_AUS) < _EXTRA
        resolve_lips(active, rng)
    elif kind < 1.0 - _NEUTRAL:
        active[int(rng.integers(N_AUS))] = True
    apex = np.array([sample_apex(rng) for _ in range(N_AUS)])
    if state is not None:
        apex = np.clip(0.5 * apex + 0.5 * strength, 0.4, 1.0)
    traces = rng.uniform(0.0, _TRACE, N_AUS) * (rng.random(N_AUS) < 0.3)
    intensity = np.where(active, apex, traces)
    phoneme = str(rng.choice(tuple(MOUTHS))) if rng.random() < _SPEAKING else SILENCE
    mouth = MOUTHS[phoneme]
    if not active[_PRESSOR]:
        intensity[_PART] = max(intensity[_PART], mouth.parted) * (1.0 - mouth.closed)
        intensity[_DROP] = max(intensity[_DROP], mouth.jaw)
    else:
        intensity[[_PART, _DROP]], phoneme = 0.0, SILENCE
    asymmetry = rng.choice((-1.0, 1.0), N_AUS) * rng.uniform(0.4, 1.0, N_AUS)
    asymmetry *= rng.random(N_AUS) < _ONE_SIDED
    valence, arousal = feeling(state, strength, intensity)
    expression = expression_index(state, strength)
    return StillLabels(intensity, asymmetry, phoneme, valence, arousal, expression)
