"""Votes of several annotators on the expression of one face: soft labels.

A table has a column for each class, ``vote_neutral`` ... ``vote_contempt``: how many said so, or
what share of them. An empty cell beside others is 0; in a row without any nobody has voted.
"""

import math
from collections.abc import Mapping
from typing import Final

from stages.core.errors import DataError
from stages.core.facs import FACE_CLASSES

PREFIX: Final = "vote_"
TITLES: Final = tuple(f"{PREFIX}{name}" for name in FACE_CLASSES)
UNKNOWN: Final = (math.nan,) * len(FACE_CLASSES)


def read_votes(cells: Mapping[str, str]) -> tuple[float, ...]:
    """Return the share of each class of :data:`stages.core.facs.FACE_CLASSES`; NaN without votes.

    Parameters
    ----------
    cells : mapping of str to str
        Of a row, by their columns.

    Raises
    ------
    DataError
        When a cell is no number of votes.
    """
    said = {title: cells.get(title, "") for title in TITLES}
    if not any(said.values()):
        return UNKNOWN
    counts = []
    for title, text in said.items():
        try:
            value = float(text or 0)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise DataError(f"{title} = {text!r}; allowed: 0 or more, and nothing for 0")
        counts.append(value)
    total = sum(counts)
    return tuple(count / total for count in counts) if total else UNKNOWN


def most_voted(votes: tuple[float, ...]) -> int:
    """Index of the class with most votes; -1 where there are none, or two have as many."""
    best = [k for k, share in enumerate(votes) if share == max(votes)]
    return best[0] if len(best) == 1 else -1
