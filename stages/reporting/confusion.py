"""Which AU is said in place of one that is missed."""

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import NOT_ANNOTATED


def mistaken_for(
    labels: NDArray[np.int8], predictions: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How often AU j is said wrongly where AU i is missed.

    Parameters
    ----------
    labels : (frames, aus) np.ndarray
        1, 0 or -1; frames that are not wholly annotated are left out.
    predictions : (frames, aus) np.ndarray
        bool.

    Returns
    -------
    shares : (aus, aus) np.ndarray
        Of the frames in which AU i (row) is active and not said, the share in which AU j (column)
        is said and not active; NaN on the diagonal and where AU i is never missed.
    missed : (aus,) np.ndarray
        Number of frames in which each AU is missed.
    """
    known = (labels != NOT_ANNOTATED).all(1)
    active, said = labels[known] == 1, predictions[known]
    misses, inventions = (active & ~said).astype(np.int64), (said & ~active).astype(np.int64)
    missed = misses.sum(0)
    shares = np.full((labels.shape[1], labels.shape[1]), np.nan)
    seen = missed > 0
    shares[seen] = (misses.T @ inventions)[seen] / missed[seen, None]
    np.fill_diagonal(shares, np.nan)
    return shares, missed
