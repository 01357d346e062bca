"""Rows of a prediction as a table of pandas, and such tables as tracks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from stages.core.errors import DataError
from stages.ensembles.calibration import Calibration
from stages.inference.columns import COLUMNS, DECISIONS
from stages.inference.comparison.csv_table import Sheet
from stages.inference.comparison.external_predictions import one_video, read_track, track_of
from stages.inference.comparison.tracks import Track
from stages.inference.row_assembler import Frame
from stages.inference.writing import Cell, cells

AT_ONCE = 4096  # rows that are held as single values
FILE = "file"  # column that names the file, in tables of several

TYPES = {
    name: "int64" if name in ("frame", "face_id")
    else "str" if name == "status"
    else "Int8" if name in DECISIONS
    else "float64"
    for name in COLUMNS
}  # fmt: skip


def _block(rows: list[list[Cell]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES)


def as_table(frames: Iterable[Frame], calibration: Calibration) -> pd.DataFrame:
    """Gather the rows of frames."""
    blocks: list[pd.DataFrame] = []
    rows: list[list[Cell]] = []
    for frame in frames:
        rows += cells(frame, calibration)
        if len(rows) >= AT_ONCE:
            blocks.append(_block(rows))
            rows = []
    if rows or not blocks:
        blocks.append(_block(rows))
    return pd.concat(blocks, ignore_index=True) if len(blocks) > 1 else blocks[0]


def as_track(given: pd.DataFrame | str | os.PathLike[str], video: str = "") -> Track:
    """Make a track of a table, or read one from a file.

    Parameters
    ----------
    given : pandas.DataFrame, str or path-like
        Of any kind that :mod:`stages.inference.comparison.external_predictions` knows.
    video : str
        Whose rows are taken of a table of several videos.

    Raises
    ------
    DataError
        When it is of none, or something in it is wrong.
    """
    if not isinstance(given, pd.DataFrame):
        return read_track(Path(given), video)
    if not len(given):
        raise DataError("The table has no rows.")
    columns = {
        str(name): ["" if missing else str(value) for value, missing in zip(
            given[name].tolist(), given[name].isna().tolist(), strict=True)]
        for name in given.columns
    }  # fmt: skip
    sheet = Sheet(Path("table"), columns, tuple(range(len(given))))
    return track_of(one_video(sheet, video))
