"""Writing the rows of a video: text and Parquet at once, in bounded memory, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from stages.calibration import Calibration
from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.intensity import intensity_of
from stages.prediction.assembly import Frame
from stages.prediction.columns import (
    BOX,
    COLUMNS,
    DECISIONS,
    INTENSITIES,
    LANDMARKS,
    NOBODY,
    PROBABILITIES,
)

ROWS_PER_GROUP = 4096  # of the Parquet file; so many are held in memory
ENDINGS = (".csv", ".parquet", ".json")  # in the order in which they are renamed into place

_DECIMALS = {"timestamp": 6, "confidence": 4, **dict.fromkeys((*BOX, *LANDMARKS), 2),
             **dict.fromkeys(PROBABILITIES, 6), **dict.fromkeys(INTENSITIES, 3)}  # fmt: skip


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
            *_numbers(None if nobody else intensity_of(written), N_AUS, _DECIMALS[INTENSITIES[0]]),
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


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what the system says against writing below a path into a sentence."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).strip().rstrip(".")
        raise DataError(f"{path} cannot be written: {reason}.") from None


class Writer:
    """Writes the three files of one video under temporary names.

    Parameters
    ----------
    folder : Path
    name : str
    calibration : Calibration
    """

    def __init__(self, folder: Path, name: str, calibration: Calibration) -> None:
        self._calibration = calibration
        self._paths = {ending: folder / f"{name}{ending}" for ending in ENDINGS}
        self._temporary = {ending: folder / f".{name}{ending}.part" for ending in ENDINGS}
        self._rows: list[list[Cell]] = []
        self._csv: IO[str] | None = None
        self._parquet: Any = None
        with sentences(self._paths[".csv"]):
            folder.mkdir(parents=True, exist_ok=True)
            self._csv = self._temporary[".csv"].open("w", newline="", encoding="utf-8")
            self._lines = csv.writer(self._csv, lineterminator="\n")
            self._lines.writerow(COLUMNS)
        with sentences(self._paths[".parquet"]):
            self._parquet = parquet.ParquetWriter(
                self._temporary[".parquet"], SCHEMA, compression="zstd"
            )

    def add(self, frame: Frame) -> None:
        """Write the rows of the next frame.

        Raises
        ------
        DataError
            When they cannot be written: the disk is full, say.
        """
        for row in cells(frame, self._calibration):
            with sentences(self._paths[".csv"]):
                self._lines.writerow(_text(row))
            self._rows.append(row)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)
        ]
        with sentences(self._paths[".parquet"]):
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._rows.clear()

    def finish(self, about: dict[str, Any]) -> None:
        """Write what made the rows and rename all three; the JSON file comes last.

        Raises
        ------
        DataError
            When they cannot be written. Then the files of an earlier prediction may be gone.
        """
        if self._rows:
            self._flush()
        assert self._csv is not None
        with sentences(self._paths[".parquet"]):
            self._parquet.close()
        with sentences(self._paths[".csv"]):
            self._csv.close()
        with sentences(self._paths[".json"]):
            text = json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            self._temporary[".json"].write_text(text, encoding="utf-8")
            for path in self._temporary.values():
                with path.open("rb") as file:  # a crash of the machine must not leave half of it
                    os.fsync(file.fileno())
            # from here to the last line the rows belong to no JSON file, so they count as undone
            self._paths[".json"].unlink(missing_ok=True)
            for ending in ENDINGS:
                self._temporary[ending].replace(self._paths[ending])

    def discard(self) -> None:
        """Leave nothing behind of what was not finished."""
        for file in (self._parquet, self._csv):
            with contextlib.suppress(OSError, pa.ArrowException):
                if file is not None:
                    file.close()
        for path in self._temporary.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
