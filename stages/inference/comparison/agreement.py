"""How far two tracks of one video agree: which rows belong together, F1 and correlation by AU."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.inference.comparison.tracks import UNKNOWN, Track
from stages.learning.metrics import f1_per_au, icc_per_au

SAME_LENGTH = 0.005  # share by which two counts of one video's frames may differ
SLACK = 1e-6  # seconds, rounding of time stamps


@dataclass(frozen=True)
class Pairs:
    """Rows of two tracks that show the same moment.

    Attributes
    ----------
    ours, theirs : (pairs,) np.ndarray
        Positions of rows.
    by : str
        ``frame number`` or ``time``.
    """

    ours: NDArray[np.intp]
    theirs: NDArray[np.intp]
    by: str


@dataclass(frozen=True)
class Agreement:
    """Agreement on one AU.

    Attributes
    ----------
    au : str
    frames : int
        In which both have seen the face and say something of this AU.
    f1 : float
        Of the positive class, the same whichever of the two is taken for the truth; NaN where
        one of them decides nothing, or the AU is active in neither.
    correlation : float
        Pearson's: of the intensities where both tell them, else of ours with what the other has
        (a probability, say); NaN where one has none or is constant.
    icc : float
        ICC(3,1) of the intensities, the agreement of FACS coders; NaN where one has none.
    active_ours, active_theirs : float
        Share of the frames; NaN where nothing was decided.
    """

    au: str
    frames: int
    f1: float
    correlation: float
    icc: float
    active_ours: float
    active_theirs: float


def _step(times: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else np.inf


def nearest_pairs(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair two series of rising times, each with the nearest, nothing twice.

    Parameters
    ----------
    ours, theirs : (rows,) np.ndarray
        Seconds.

    Returns
    -------
    ours, theirs : (pairs,) np.ndarray
        Positions; a pair is at most half a step of the denser series apart.
    """
    if _step(theirs) < _step(ours):
        theirs_first, ours_first = nearest_pairs(theirs, ours)
        return ours_first, theirs_first
    # `theirs` is the sparser one, or as dense
    after = np.clip(np.searchsorted(ours, theirs), 1, max(len(ours) - 1, 1)) % max(len(ours), 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(ours[before] - theirs) <= np.abs(ours[after] - theirs)
    found = np.where(nearer, before, after)
    away = np.abs(ours[found] - theirs)
    reach = _step(ours) / 2 if len(ours) > 1 else _step(theirs) / 2
    order = np.lexsort((away, found))
    order = order[away[order] <= reach + SLACK]
    kept = np.sort(order[np.unique(found[order], return_index=True)[1]])
    return found[kept], kept


def align(ours: Track, theirs: Track) -> Pairs:
    """Find the rows that show the same moment.

    Frame numbers of one video mean the same presentation times, which we know: they are used
    where the other file has no times, or counts as many frames as we do (a tool that computes its
    times from a nominal frame rate is wrong where that varies). Else times are, shifted so that
    the first frames coincide.

    Raises
    ------
    DataError
        When no moment is shared.
    """
    assert ours.time is not None
    frames = theirs.frame
    if ours.frame is None and theirs.time is None:
        raise DataError(
            f"{ours.path} is of a part of its video, and {theirs.path} has numbers of frames and "
            "no times: predict the whole video to compare the two."
        )
    same = False
    if frames is not None and ours.frame is not None:
        difference = abs(int(frames.max()) - int(ours.frame.max()))
        same = difference <= max(1, round(SAME_LENGTH * int(ours.frame.max())))
    if frames is not None and ours.frame is not None and (same or theirs.time is None):
        _, i, j = np.intersect1d(ours.frame, frames, return_indices=True)
        pairs = Pairs(i, j, "frame number")
    else:
        assert theirs.time is not None
        shift = 0.0
        both = frames is not None and ours.frame is not None
        if both and frames[0] == 1 and ours.frame[0] == 1:  # type: ignore[index]
            shift = float(ours.time[0] - theirs.time[0])
        i, j = nearest_pairs(ours.time, theirs.time + shift)
        pairs = Pairs(i, j, "time")
    if not len(pairs.ours):
        raise DataError(
            f"{ours.path} and {theirs.path} share no moment: are they of the same video?"
        )
    return pairs


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def agree(ours: Track, theirs: Track, pairs: Pairs) -> list[Agreement]:
    """Agreement on each AU of which both say something."""
    mine, other = ours.take(pairs.ours), theirs.take(pairs.theirs)
    both = mine.seen & other.seen
    found = []
    nothing = np.full(len(both), np.nan)
    undecided = np.full(len(both), UNKNOWN, np.int8)
    for au in AU_NAMES:
        if au not in other.strength and au not in other.decision:
            continue
        graded = au in mine.intensity and au in other.intensity
        own = mine.intensity[au] if graded else mine.strength[au]
        strong = other.intensity[au] if graded else other.strength.get(au, nothing)
        decided = other.decision.get(au, undecided)
        measured = both & ~np.isnan(own) & ~np.isnan(strong)
        judged = both & (mine.decision[au] != UNKNOWN) & (decided != UNKNOWN)
        f1 = active = active_theirs = float("nan")
        if judged.any():
            a, b = mine.decision[au][judged] == 1, decided[judged]
            active, active_theirs = float(a.mean()), float((b == 1).mean())
            if active or active_theirs:
                f1 = float(f1_per_au(b[:, None], a[:, None])[0])
        # where there is no strength a correlation of decisions is still one
        value = _correlation(own[measured], strong[measured])
        icc = float("nan")
        if graded:
            icc = float(icc_per_au(strong[measured, None], own[measured, None])[0])
        if not measured.any() and judged.any():
            value = _correlation(mine.strength[au][judged], decided[judged].astype(np.float64))
        found.append(
            Agreement(au, int((measured | judged).sum()), f1, value, icc, active, active_theirs)
        )
    return found
