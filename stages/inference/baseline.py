"""A person's own resting face, subtracted: for those who rest with a frown, or a faint smile.

What an AU's logit is in the median of a person's first seconds counts as its rest. Where that says
more than an intensity of 0, all logits of the person are lowered by the difference, so presence
and intensity move together, by the same thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NAMES, PRESENT_FROM
from stages.core.intensity import LOGITS_A_STEP
from stages.inference.columns import NO_FACE, NOBODY
from stages.inference.levels import levels_of, written_intensities
from stages.inference.results import Rows

FEWEST: Final = 3  # frames that show the face, to tell its rest
_NONE: Final = -PRESENT_FROM * LOGITS_A_STEP  # logit of the intensity 0
_EDGE: Final = 1e-6  # as far from 0 and 1 a written probability says something

Shifts = dict[int, NDArray[np.float64]]


def check_seconds(seconds: float | None) -> float | None:
    """Return a length of rest that can be one.

    Raises
    ------
    SettingsError
        When it is not above 0.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise SettingsError(f"--baseline is {seconds:g}; allowed: a number of seconds above 0.")
    return seconds


def _logits(rows: Rows) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(rows.probabilities.astype(np.float64), _EDGE, 1 - _EDGE)))


def find_rest(parts: Iterable[Rows], seconds: float, name: str) -> Shifts:
    """Find by how much each person's logits are to be lowered.

    Parameters
    ----------
    parts : iterable of Rows
        Of one prediction, in order.
    seconds : float
        From when a person is first seen.
    name : str
        Of the prediction, for messages.

    Returns
    -------
    dict of int to (12,) np.ndarray
        By the person's number; 0 where the rest is no more than the intensity 0.

    Raises
    ------
    DataError
        When someone is not seen often enough.
    """
    begins: dict[int, float] = {}
    held: dict[int, list[NDArray[np.float64]]] = {}
    for rows in parts:
        chosen = (rows.status != NO_FACE) & (rows.face_id != NOBODY)
        values = _logits(rows)
        for row in np.flatnonzero(chosen).tolist():
            person, time = int(rows.face_id[row]), float(rows.timestamp[row])
            if time < begins.setdefault(person, time) + seconds:
                held.setdefault(person, []).append(values[row])
    if not held:
        raise DataError(f"{name} shows nobody: there is no rest to subtract.")
    few = [person for person, frames in held.items() if len(frames) < FEWEST]
    if few:
        raise DataError(
            f"Person {few[0]} of {name} is seen in fewer than {FEWEST} frames of their first "
            f"{seconds:g} seconds, too few to tell a resting face: name more seconds."
        )
    return {
        person: np.maximum(np.median(np.stack(frames), axis=0) - _NONE, 0.0)
        for person, frames in held.items()
    }


def thresholds_in(about: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """Thresholds of a prediction, by its ``NAME.json``.

    Raises
    ------
    DataError
        When it tells none.
    """
    found = (about.get("calibration") or {}).get("thresholds")
    if not isinstance(found, list) or len(found) != len(AU_NAMES):
        raise DataError(
            f"{name}.json does not lie beside the table, or tells no thresholds: a baseline needs "
            "them to say what is present."
        )
    return tuple(float(value) for value in found)


def subtract(rows: Rows, shifts: Shifts, thresholds: tuple[float, ...]) -> Rows:
    """Lower probabilities and intensities by each person's rest, and decide anew."""
    zero = np.zeros(len(AU_NAMES))
    lowered = np.stack([shifts.get(int(person), zero) for person in rows.face_id])
    moved = np.where(lowered > 0, expit(_logits(rows) - lowered), rows.probabilities)
    probabilities = np.where(np.isnan(rows.probabilities), np.nan, np.round(moved, 6))
    active = probabilities.astype(np.float32) >= np.asarray(thresholds, np.float32)
    return replace(
        rows,
        probabilities=probabilities.astype(np.float32),
        active=active,
        intensity=written_intensities(probabilities, active, levels_of(thresholds)).astype("f4"),
    )


def subtracted(
    parts: Iterable[Rows], shifts: Shifts, thresholds: tuple[float, ...]
) -> Iterator[Rows]:
    """:func:`subtract` of each part."""
    for rows in parts:
        yield subtract(rows, shifts, thresholds)


def as_intensities(shifts: Shifts) -> dict[str, dict[str, float]]:
    """Intensities that were subtracted, by person and AU, for JSON."""
    return {
        str(person): {
            name: round(float(value) / LOGITS_A_STEP, 3)
            for name, value in zip(AU_NAMES, shift, strict=True)
        }
        for person, shift in sorted(shifts.items())
    }


def sentence(name: str, seconds: float, shifts: Shifts) -> str:
    """Say what was subtracted."""
    people = []
    for person, aus in as_intensities(shifts).items():
        rest = ", ".join(f"{au} {value:.1f}" for au, value in aus.items() if value >= 0.05)
        people.append(f"face {person}: {rest or 'nothing'}")
    return (
        f"{name}: the resting face of the first {seconds:g} seconds was subtracted (intensities: "
        f"{'; '.join(people)})."
    )
