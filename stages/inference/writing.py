"""Writing the rows of a video: text and Parquet at once, in bounded memory, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from stages.core.facs import N_AUS
from stages.core.files import temporary_path
from stages.ensembles.calibration import Calibration
from stages.inference.columns import (
    BOX,
    COLUMNS,
    DECISIONS,
    INTENSITIES,
    LANDMARKS,
    NOBODY,
    PROBABILITIES,
)
from stages.inference.levels import DECIMALS, levels_of, written_intensities
from stages.inference.outputs import Outputs, discard, sentences

if TYPE_CHECKING:  # with it comes torch, which nobody needs who reads results
    from stages.inference.row_assembler import Frame

ROWS_PER_GROUP = 4096  # of the Parquet file; so many are held in memory
ENDINGS = (".csv", ".parquet")  # of the tables

_DECIMALS = {"timestamp": 6, "confidence": 4, **dict.fromkeys((*BOX, *LANDMARKS), 2),
             **dict.fromkeys(PROBABILITIES, 6), **dict.fromkeys(INTENSITIES, DECIMALS)}  # fmt: skip


def _type(column: str) -> pa.DataType:
    if column in ("frame", "face_id"):
        return pa.int64()
    if column == "status":
        return pa.string()
    if column in DECISIONS:
        return pa.int8()
    return pa.float64() if column == "timestamp" else pa.float32()


SCHEMA = pa.schema([pa.field(column, _type(column)) for column in COLUMNS])

Cell = int | float | str | None


def cells(frame: Frame, calibration: Calibration) -> Iterator[list[Cell]]:
    """Rows of one frame, cell by cell in the order of the columns; None where there is nothing.

    Numbers are rounded as they stand in the text file, so that both files say the same.
    """
    levels = levels_of(calibration.thresholds)
    for row in frame.rows:
        nobody = row.face_id == NOBODY
        assert row.probabilities is not None
        # decided by what is written, so that file and thresholds give the same again
        written = np.round(row.probabilities.astype(np.float64), _DECIMALS[PROBABILITIES[0]])
        active = calibration.decide(written[None].astype(np.float32))[0]
        face = row.face
        confidence = 0.0 if face is None else float(face.score)
        yield [
            frame.number,
            round(frame.time, _DECIMALS["timestamp"]),
            row.face_id,
            row.status,
            round(confidence, _DECIMALS["confidence"]),
            *_numbers(None if face is None else face.box, len(BOX), _DECIMALS[BOX[0]]),
            *_numbers(None if nobody else written, N_AUS, _DECIMALS[PROBABILITIES[0]]),
            *_numbers(
                None if nobody else written_intensities(written, active, levels), N_AUS, DECIMALS
            ),
            *([None] * N_AUS if nobody else [int(value) for value in active]),
            *_numbers(None if face is None else face.landmarks, len(LANDMARKS), _DECIMALS[BOX[0]]),
        ]


def _numbers(values: NDArray[Any] | None, count: int, decimals: int) -> list[Cell]:
    if values is None:
        return [None] * count
    return [round(float(value), decimals) for value in values.ravel()]


def _text(row: list[Cell]) -> list[str]:
    return [
        "" if value is None else f"{value:.{_DECIMALS[column]}f}" if column in _DECIMALS
        else str(value)
        for column, value in zip(COLUMNS, row, strict=True)
    ]  # fmt: skip


class Writer:
    """Writes the tables of one video under temporary names.

    Parameters
    ----------
    outputs : Outputs
        What is claimed for the video.
    calibration : Calibration
    """

    def __init__(self, outputs: Outputs, calibration: Calibration) -> None:
        self._outputs, self._calibration = outputs, calibration
        self._temporary = {ending: temporary_path(outputs.path(ending)) for ending in ENDINGS}
        self._rows: list[list[Cell]] = []
        self._csv: IO[str] | None = None
        self._sink: IO[bytes] | None = None
        self._parquet: Any = None
        with sentences(outputs.path(".csv")):
            self._csv = self._temporary[".csv"].open("w", newline="", encoding="utf-8")
            self._lines = csv.writer(self._csv, lineterminator="\n")
            self._lines.writerow(COLUMNS)
        with sentences(outputs.path(".parquet")):
            # an open file, for pyarrow takes some paths for addresses
            self._sink = self._temporary[".parquet"].open("wb")
            self._parquet = parquet.ParquetWriter(self._sink, SCHEMA, compression="zstd")

    def add(self, frame: Frame) -> None:
        """Write the rows of the next frame.

        Raises
        ------
        DataError
            When they cannot be written: the disk is full, say.
        """
        for row in cells(frame, self._calibration):
            with sentences(self._outputs.path(".csv")):
                self._lines.writerow(_text(row))
            self._rows.append(row)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)
        ]
        with sentences(self._outputs.path(".parquet")):
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._rows.clear()

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Give the tables their names, and then what made them; see :meth:`Outputs.put`.

        Returns
        -------
        dict
            Content of ``NAME.json``.

        Raises
        ------
        DataError
            When they cannot be written. Then an earlier prediction is as it was.
        """
        if self._rows:
            self._flush()
        assert self._csv is not None
        assert self._sink is not None
        with sentences(self._outputs.path(".parquet")):
            self._parquet.close()
            self._sink.close()
        with sentences(self._outputs.path(".csv")):
            self._csv.close()
        return self._outputs.put(about, self._temporary)

    def discard(self) -> None:
        """Close and remove what is unfinished; after :meth:`finish` there is nothing."""
        for file in (self._csv, self._parquet, self._sink):
            with contextlib.suppress(OSError):  # a full disk, once more
                if file is not None:
                    file.close()
        discard(list(self._temporary.values()))
