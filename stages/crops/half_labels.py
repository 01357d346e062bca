"""Labels of masked copies: what a face with one half hidden still says of the AUs."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, NOT_ANNOTATED
from stages.crops.half_masks import Half

HiddenLabel = Literal["zero", "ignore"]
HIDDEN_AUS: Final[dict[Half, tuple[int, ...]]] = {
    "upper": (1, 2, 4, 6, 7),
    "lower": (10, 12, 15, 23, 24, 25, 26),
}


def hidden_aus(half: Half) -> NDArray[np.bool_]:
    """Which of the 12 AUs cannot be seen when a half is hidden, (12,) bool."""
    return np.isin(AU_NUMBERS, HIDDEN_AUS[half])


def worth_copying(
    labels: NDArray[np.int8], rare: NDArray[np.bool_], half: Half
) -> NDArray[np.bool_]:
    """Frames in which a rare AU of the half that stays visible is active.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
    rare : (12,) np.ndarray
        Those that copies are made for.
    half : {"upper", "lower"}
        The half that is hidden.

    Returns
    -------
    (frames,) np.ndarray
        bool.
    """
    return np.asarray((labels[:, rare & ~hidden_aus(half)] == 1).any(1))


def hide_labels(
    labels: NDArray[np.int8], half: Half, hidden_label: HiddenLabel
) -> NDArray[np.int8]:
    """Labels of a masked copy.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
        Of the frames that were copied.
    half : {"upper", "lower"}
        The half that is hidden.
    hidden_label : {"zero", "ignore"}
        ``zero``: a covered AU is not active, as in the paper. ``ignore``: nothing is known of it.

    Returns
    -------
    (frames, 12) np.ndarray
        int8; what was not annotated stays so.
    """
    changed = labels.copy()
    covered = hidden_aus(half)
    if hidden_label == "ignore":
        changed[:, covered] = NOT_ANNOTATED
    else:
        changed[:, covered] = np.minimum(labels[:, covered], 0)
    return changed


def hide_intensity(
    intensity: NDArray[np.float32], half: Half, hidden_label: HiddenLabel
) -> NDArray[np.float32]:
    """Intensities of a masked copy, as :func:`hide_labels` has its labels.

    Parameters
    ----------
    intensity : (frames, 12) np.ndarray
    half : {"upper", "lower"}
    hidden_label : {"zero", "ignore"}

    Returns
    -------
    (frames, 12) np.ndarray
        float32; 0 or NaN where covered; what was not known stays so.
    """
    changed = intensity.copy()
    covered = hidden_aus(half)
    changed[:, covered] *= 0 if hidden_label == "zero" else np.nan
    return changed
