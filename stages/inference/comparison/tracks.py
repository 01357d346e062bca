"""One face's AUs over time, as one tool tells them, and how the columns of such tables are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.inference.comparison.csv_table import Sheet

UNKNOWN = -1  # a decision that was not made
INTENSITY = 5.0  # the strongest, E of FACS


@dataclass(frozen=True)
class Track:
    """One face's AUs over time, as one tool tells them.

    Attributes
    ----------
    path : Path
    tool : str
    frame : (rows,) int64 np.ndarray or None
        Numbers of the frames from 1, where the file has them.
    time : (rows,) float64 np.ndarray or None
        Seconds, where the file has them.
    seen : (rows,) bool np.ndarray
        Whether the tool has found the face.
    strength : dict of str to (rows,) float64 np.ndarray
        By AU, from 0 to 1: a probability, or an intensity as a share of the strongest; NaN where
        there is none.
    decision : dict of str to (rows,) int8 np.ndarray
        By AU: 1, 0, or -1 where none was made.
    intensity : dict of str to (rows,) float64 np.ndarray
        By AU, 0 to 5, where a tool tells it, alone or beside a probability.
    notes : tuple of str
        What is to be known of the file.
    """

    path: Path
    tool: str
    frame: NDArray[np.int64] | None
    time: NDArray[np.float64] | None
    seen: NDArray[np.bool_]
    strength: dict[str, NDArray[np.float64]]
    decision: dict[str, NDArray[np.int8]]
    intensity: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.seen)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Track":
        """Return some of the rows."""
        return Track(
            self.path,
            self.tool,
            None if self.frame is None else self.frame[chosen],
            None if self.time is None else self.time[chosen],
            self.seen[chosen],
            {name: values[chosen] for name, values in self.strength.items()},
            {name: values[chosen] for name, values in self.decision.items()},
            {name: values[chosen] for name, values in self.intensity.items()},
            self.notes,
        )


def decisions(sheet: Sheet, column: str) -> NDArray[np.int8]:
    """Decisions of a column: 1, 0, or -1 for an empty cell."""
    values = sheet.numbers(column, 0, 1)
    fraction = np.flatnonzero((values != 0) & (values != 1) & ~np.isnan(values))
    if len(fraction):
        row = int(fraction[0])
        raise DataError(
            f"{sheet.path}, line {sheet.line(row)}: {sheet.texts(column)[row]!r} in column "
            f"{column} is neither 0 nor 1."
        )
    return np.nan_to_num(values, nan=UNKNOWN).astype(np.int8)


def strengths(
    sheet: Sheet, named: Mapping[str, str], high: float
) -> tuple[dict[str, NDArray[np.float64]], tuple[str, ...]]:
    """Read columns of numbers from 0 to `high`, as shares of `high`.

    What tools write a little outside is clipped, what is no finite number is nothing.

    Parameters
    ----------
    sheet : Sheet
    named : mapping of str to str
        The columns, by AU.
    high : float

    Returns
    -------
    dict of str to (rows,) np.ndarray
        By AU, 0 to 1; NaN where there is nothing.
    tuple of str
        A sentence that counts what was clipped; none where nothing was.

    Raises
    ------
    DataError
        When a cell is farther outside than the whole scale is long: it is on another scale then.
    """
    found, clipped, first = {}, 0, ""
    for au, column in named.items():
        values = sheet.numbers(column, -high, 2 * high)
        outside = np.flatnonzero((values < 0) | (values > high))
        if len(outside) and not first:
            row = int(outside[0])
            first = f"line {sheet.line(row)}: {sheet.texts(column)[row]} in column {column}"
        clipped += len(outside)
        found[au] = values.clip(0, high) / high
    if not clipped:
        return found, ()
    cells = "cell was" if clipped == 1 else "cells were"
    return found, (
        f"{sheet.path.name}: {clipped} {cells} outside 0 to {high:g} and clipped (first {first}).",
    )


def graded(strength: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Intensities, 0 to 5, of shares of the strongest."""
    return {au: INTENSITY * values for au, values in strength.items()}


def rising(
    sheet: Sheet, column: str, values: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the values, having seen that those of the chosen rows do not fall."""
    rows = np.arange(len(values)) if chosen is None else np.flatnonzero(chosen)
    falls = np.flatnonzero(np.diff(values[rows]) < 0)
    if len(falls):
        place = int(falls[0])
        row, before = int(rows[place + 1]), values[rows[place]]
        again = values[rows[place + 1 : place + 3]]  # a row out of its place has a later one next
        if values[row] <= values[rows[0]] and len(again) == 2 and (again < before).all():
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: column {column} begins again with "
                f"{sheet.texts(column)[row]!r}: rows of several videos, or of several people one "
                "after another? Keep the rows of one."
            )
        raise DataError(
            f"{sheet.path}, line {sheet.line(row)}: {sheet.texts(column)[row]!r} in column "
            f"{column} comes after a later one; sort the rows by time."
        )
    return values


def frames(
    sheet: Sheet, column: str, first: int, chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.int64] | None:
    """Frame numbers from 1; `first` is what the tool calls the first."""
    if column not in sheet:
        return None
    numbers = rising(sheet, column, sheet.numbers(column, first, blank=False), chosen)
    return numbers.astype(np.int64) + (1 - first)


def largest(frame: NDArray[np.int64] | None, size: NDArray[np.float64]) -> NDArray[np.intp]:
    """Of several rows of one frame, the one with the largest value."""
    if frame is None:
        return np.arange(len(size))
    order = np.lexsort((-np.nan_to_num(size, nan=-1.0), frame))
    return order[np.unique(frame[order], return_index=True)[1]]


def commonest(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows of the face that has most of them."""
    known, counts = np.unique(numbers, return_counts=True)
    return np.asarray(numbers == known[counts.argmax()])
