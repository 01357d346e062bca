"""`aufusion.plot`: the AUs of a table over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import AU_MEANINGS, AU_NAMES, INTENSITY_MAX
from stages.core.intensity import intensity_of
from stages.inference.columns import NO_FACE, NOBODY
from stages.inference.views.timeline import levels_told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#2563a8", "#d9822b", "#3b8f5a", "#8b5cb3", "#b3434b", "#5f6b76")  # of people, in turn
WANTED = ("timestamp", "face_id", "status", *AU_NAMES)


def _intensities(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Intensities of an AU; of tables that have lost theirs, by the probability."""
    if f"{name}_r" in rows:
        return np.asarray(rows[f"{name}_r"].to_numpy(float, na_value=np.nan))
    return intensity_of(rows[name].to_numpy(float, na_value=np.nan)).astype(np.float64)


def plot(table: pd.DataFrame) -> Figure:
    """Draw the AUs of a prediction over time, one above the other.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :func:`aufusion.predict`, or read from its files; of one video.

    Returns
    -------
    matplotlib.figure.Figure
        Intensities, 0 to 5, bold where the AU is present, one colour a person; with gaps where
        the face is not seen, and a dotted line at the intensity from which an AU is present where
        the table still tells it. A notebook shows it; ``figure.savefig`` writes it.

    Raises
    ------
    DataError
        When the table has other columns, no rows, or rows of several files.
    """
    # a figure of its own: what a notebook or program has chosen for pyplot stays as it is
    from matplotlib.figure import Figure

    missing = [name for name in WANTED if name not in table]
    if missing:
        raise DataError(f"The table has no column {missing[0]!r}: it is no prediction.")
    if "file" in table and table["file"].nunique() > 1:
        raise DataError("The table is of several files: plot(table[table.file == ...]) of one.")
    if not len(table):
        raise DataError("The table has no rows: there is nothing to draw.")
    figure = Figure(figsize=(9.5, 0.62 * len(AU_NAMES) + 0.8), layout="constrained")
    axes = figure.subplots(len(AU_NAMES), 1, sharex=True)
    people = [int(person) for person in sorted(table["face_id"].unique()) if person != NOBODY]
    for position, person in enumerate(people):
        rows = table[table["face_id"] == person]
        seen = (rows["status"] != NO_FACE).to_numpy(bool)
        times = rows["timestamp"].to_numpy(float)
        marker = "o" if len(rows) == 1 else None
        colour = COLOURS[position % len(COLOURS)]
        for name, axis in zip(AU_NAMES, axes, strict=True):
            values = np.where(seen, _intensities(rows, name), np.nan)
            label = f"person {person}" if name == AU_NAMES[0] else None
            axis.plot(times, values, color=colour, lw=1.0, marker=marker, label=label)
            if f"{name}_c" in rows:
                active = rows[f"{name}_c"].to_numpy(float, na_value=np.nan) == 1
                axis.plot(times, np.where(active, values, np.nan), color=colour, lw=2.6)
    levels = levels_told(table.attrs.get("about", {})) or (np.nan,) * len(AU_NAMES)
    for name, axis, level in zip(AU_NAMES, axes, levels, strict=True):
        if not np.isnan(level):
            axis.axhline(level, color="#5f6b76", lw=0.8, ls=":", zorder=0)
        axis.set_ylim(-0.05 * INTENSITY_MAX, 1.05 * INTENSITY_MAX)
        axis.set_yticks([0, INTENSITY_MAX])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.text(1.01, 0.5, AU_MEANINGS[name], transform=axis.transAxes, va="center", fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("seconds")
    if len(people) > 1:
        figure.legend(loc="outside upper left", ncols=6, frameon=False, fontsize=9)
    return figure
