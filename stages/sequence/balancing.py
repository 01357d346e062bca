"""Masks for balancing: which stretches of video are copied, and what becomes of their labels.

A copy shows some consecutive frames of a training video with the upper or the lower half of the
face black. It adds frames in which a rare AU of the half that is left is active, without adding to
the frequent AUs of the half that is hidden. AU5, which the paper's list of balanced AUs has, is
not among the labels; which AUs are rare comes from the labels, not from the paper's list.

References
----------
Y. Deng et al. Multi-modal information fusion for action unit detection in the wild. CVPR
Workshops 2023, section 3.1.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, NOT_ANNOTATED
from stages.crops.half_masks import Half
from stages.learning.metrics import base_rates
from stages.sequence.choices import BalancedAUs

HiddenLabel = Literal["zero", "ignore"]
HIDDEN_AUS: Final[dict[Half, tuple[int, ...]]] = {
    "upper": (1, 2, 4, 6, 7),
    "lower": (10, 12, 15, 23, 24, 25, 26),
}

PAPER_BALANCED: Final = (1, 2, 4, 12, 15, 23, 24, 26)  # without AU5, which nobody annotated


def hidden_aus(half: Half) -> NDArray[np.bool_]:
    """Which of the 12 AUs cannot be seen when a half is hidden, (12,) bool."""
    return np.isin(AU_NUMBERS, HIDDEN_AUS[half])


def below_average(labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which AUs are active less often than the average AU.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
        All labels of the training part, and of nothing else.

    Returns
    -------
    (12,) np.ndarray
        bool; False for an AU that nobody annotated.
    """
    known = (labels != NOT_ANNOTATED).any(0)
    rates = base_rates(labels)
    average = rates[known].mean() if known.any() else 0.0
    return np.asarray(known & (rates < average))


def balanced_aus(labels: NDArray[np.int8], rule: BalancedAUs) -> NDArray[np.bool_]:
    """Which AUs masked copies are made for.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
        All labels of the training part, and of nothing else.
    rule : {"below_average", "paper"}
        :func:`below_average`, or the AUs that the paper lists.

    Returns
    -------
    (12,) np.ndarray
        bool.
    """
    if rule == "paper":
        return np.isin(AU_NUMBERS, PAPER_BALANCED)
    return below_average(labels)


def worth_copying(
    labels: NDArray[np.int8], rare: NDArray[np.bool_], half: Half
) -> NDArray[np.bool_]:
    """Frames in which a rare AU of the half that stays visible is active.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
    rare : (12,) np.ndarray
        See :func:`below_average`.
    half : {"upper", "lower"}
        The half that is hidden.

    Returns
    -------
    (frames,) np.ndarray
        bool.
    """
    return np.asarray((labels[:, rare & ~hidden_aus(half)] == 1).any(1))


def find_stretches(
    active: NDArray[np.bool_], *, gap: int, minimum: int, context: int
) -> list[tuple[int, int]]:
    """Stretches of frames to copy.

    A sequence network reads windows of some seconds, so flickering activity makes one stretch, and
    each stretch also shows the frames before and after: there the AU is off under the same mask,
    without which the mask itself would say that it is on.

    Parameters
    ----------
    active : (frames,) np.ndarray
        bool.
    gap : int
        Active runs with at most so many frames between them make one stretch.
    minimum : int
        Frames from the first to the last active one; shorter stretches are left out.
    context : int
        Frames added on either side, as far as the video reaches. Stretches that then meet are one.

    Returns
    -------
    list of (int, int)
        First frame, and the frame after the last; in order, apart from each other.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    runs = [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
    kept = [(start, stop) for start, stop in _join(runs, gap) if stop - start >= minimum]
    widened = [(max(start - context, 0), min(stop + context, len(active))) for start, stop in kept]
    return _join(widened, 0)


def _join(runs: Sequence[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in runs:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


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
