"""Intensities from which AUs are present, and intensities as they are written and shown.

Presence is decided on probabilities, and intensity rises with the probability: an AU is present
from the intensity on that its threshold stands for, its level.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.core.facs import INTENSITY_MAX
from stages.core.intensity import intensity_of

DECIMALS = 3  # of intensities in files


def levels_of(thresholds: ArrayLike) -> NDArray[np.float64]:
    """Intensities, 0 to 5, from which AUs with these thresholds of probability are present."""
    levels = np.round(intensity_of(thresholds).astype(np.float64), DECIMALS)
    # what is absent may have a 0
    return np.asarray(np.clip(levels, 10.0**-DECIMALS, INTENSITY_MAX), np.float64)


def written_intensities(
    probabilities: ArrayLike, active: ArrayLike, levels: ArrayLike
) -> NDArray[np.float64]:
    """Round intensities so that they say of presence what was decided.

    Parameters
    ----------
    probabilities : (..., aus) array_like
    active : (..., aus) array_like of bool
        What was decided.
    levels : (aus,) array_like
        Of :func:`levels_of`.

    Returns
    -------
    (..., aus) np.ndarray
        At least the AU's level where it is active, below it elsewhere.
    """
    bounds = np.asarray(levels, np.float64)
    rounded = np.round(intensity_of(probabilities).astype(np.float64), DECIMALS)
    above, below = np.maximum(rounded, bounds), np.minimum(rounded, bounds - 10.0**-DECIMALS)
    chosen = np.where(np.asarray(active, np.bool_), above, below)
    return np.asarray(np.round(chosen, DECIMALS), np.float64)
