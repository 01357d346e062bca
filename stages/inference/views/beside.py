"""Two results side by side in numbers: counted over frames, however few columns are drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.inference.columns import NOBODY
from stages.inference.results import Rows
from stages.inference.views.person import Person, faces_of, frames_of, person_of


@dataclass(frozen=True)
class Shown:
    """A result, and the person of it that is looked at.

    Attributes
    ----------
    rows : Rows
    face : int or None
        Number of the person; None for the one seen in most frames.
    """

    rows: Rows
    face: int | None = None

    def person(self) -> tuple[int, Person]:
        """The number of the person, and the person in each frame.

        Raises
        ------
        DataError
            When the result shows no such person.
        """
        there = faces_of(self.rows) or [NOBODY]
        face = there[0] if self.face is None else self.face
        if face not in there:
            raise DataError(
                f"There is no face {face} in this result: it shows {', '.join(map(str, there))}."
            )
        return face, person_of(self.rows, face)


def compare_shown(first: Shown, second: Shown) -> dict[str, Any]:
    """Figures of two results beside one another.

    Parameters
    ----------
    first, second : Shown

    Returns
    -------
    dict
        What JSON can hold. ``first`` and ``second``: ``face``, ``share`` and ``intensity``, of
        each AU the share of the frames with the face in which it is present, and the mean
        intensity in these (None where there are none). ``decisions``: how many were compared, one
        an AU in each frame that shows the face in both; None where the two have not the same
        number of frames. ``agreement``: the share of them that are the same; None where there are
        none.

    Raises
    ------
    DataError
        When a result shows no such person.
    """
    (face, one), (other_face, other) = first.person(), second.person()
    decisions = agreement = None
    if len(frames_of(first.rows)[0]) == len(frames_of(second.rows)[0]):
        both = one.seen & other.seen
        same = one.active[both] == other.active[both]
        decisions = int(same.size)
        agreement = float(same.mean()) if decisions else None
    return {
        "first": _figures(face, one),
        "second": _figures(other_face, other),
        "decisions": decisions,
        "agreement": agreement,
    }


def _figures(face: int, person: Person) -> dict[str, Any]:
    known = person.intensity[person.seen]
    # without intensities, as ensembles of other tools are, there is nothing to take the mean of
    told = np.asarray((~np.isnan(known)).any(0), np.bool_)
    means = [float(np.nanmean(known[:, k])) if told[k] else None for k in range(N_AUS)]
    return {"face": face, "share": person.share.tolist(), "intensity": means}
