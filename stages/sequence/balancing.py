"""Masks for balancing: which AUs copies are made for, and which stretches of video are copied.

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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS
from stages.learning.metrics import below_average
from stages.sequence.choices import BalancedAUs

PAPER_BALANCED: Final = (1, 2, 4, 12, 15, 23, 24, 26)  # without AU5, which nobody annotated


def balanced_aus(labels: NDArray[np.int8], rule: BalancedAUs) -> NDArray[np.bool_]:
    """Which AUs masked copies are made for.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
        All labels of the training part, and of nothing else.
    rule : {"below_average", "paper"}
        :func:`stages.learning.metrics.below_average`, or the AUs that the paper lists.

    Returns
    -------
    (12,) np.ndarray
        bool.
    """
    if rule == "paper":
        return np.isin(AU_NUMBERS, PAPER_BALANCED)
    return below_average(labels)


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
