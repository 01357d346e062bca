"""One score an AU for presence and intensity, so that the two never contradict.

A network says a logit z. The probability that the AU is present is sigmoid(z); its intensity on the
scale of 0 (absent) to 5 (as strong as it gets: E of the Facial Action Coding System) is
clip(PRESENT_FROM + z / LOGITS_A_STEP, 0, 5). Both rise with z: the AU counts as present from the
intensity on that its threshold of probability stands for, which is ``PRESENT_FROM`` for 0.5.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.core.facs import INTENSITY_MAX, PRESENT_FROM

LOGITS_A_STEP: Final = 2.0  # logits from one intensity to the next: 0 is p = 0.03, 5 is p = 0.998


def intensity_of_logits(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Intensities, 0 to 5, of logits."""
    found = PRESENT_FROM + np.asarray(logits, np.float64) / LOGITS_A_STEP
    return np.asarray(np.clip(found, 0.0, INTENSITY_MAX), np.float32)


def intensity_of(probabilities: ArrayLike) -> NDArray[np.float32]:
    """Intensities, 0 to 5, of probabilities; NaN stays NaN."""
    from scipy.special import logit

    return intensity_of_logits(logit(np.asarray(probabilities, np.float64)))
