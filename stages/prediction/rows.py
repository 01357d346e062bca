"""The rows of a prediction, as `aufusion predict` writes them: NAME.csv or NAME.parquet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.facs import AU_NAMES, N_AUS
from stages.prediction.sheets import Sheet, read_sheet

NO_FACE, FACE, INTERPOLATED = 0, 1, 2
STATUSES = ("no_face", "face", "interpolated")  # at the positions of the numbers above
BOX = ("box_x", "box_y", "box_width", "box_height")
LANDMARKS = tuple(f"landmark_{n}_{axis}" for n in range(1, 6) for axis in ("x", "y"))


@dataclass(frozen=True)
class Rows:
    """What was predicted, one row a frame and face.

    Attributes
    ----------
    frame : (rows,) int64 np.ndarray
        From 1, in the order of display.
    timestamp : (rows,) float64 np.ndarray
        Presentation time in seconds.
    face_id : (rows,) int64 np.ndarray
        Who; -1 where nobody is seen.
    status : (rows,) uint8 np.ndarray
        Position in `STATUSES`.
    confidence : (rows,) float64 np.ndarray
        0 to 1.
    box : (rows, 4) float64 np.ndarray
        x, y, width, height in pixels of the upright picture; NaN where there is none.
    landmarks : (rows, 5, 2) float64 np.ndarray
        Eyes, nose, corners of the mouth in pixels; NaN where the file has none.
    probability : (rows, 12) float64 np.ndarray
        NaN where the file has none.
    active : (rows, 12) int8 np.ndarray
        1, 0, or -1 where the file has neither.
    """

    frame: NDArray[np.int64]
    timestamp: NDArray[np.float64]
    face_id: NDArray[np.int64]
    status: NDArray[np.uint8]
    confidence: NDArray[np.float64]
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    probability: NDArray[np.float64]
    active: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.frame)

    def faces(self) -> list[int]:
        """Numbers of the people, who is seen most first."""
        numbers, counts = np.unique(self.face_id[self.face_id >= 0], return_counts=True)
        return [int(number) for _, number in sorted(zip(-counts, numbers, strict=True))]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """Return some of the rows."""
        return Rows(**{name: values[chosen] for name, values in vars(self).items()})

    def frames(self) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
        """Numbers and presentation times in seconds of the frames, each once, in order."""
        numbers, first = np.unique(self.frame, return_index=True)
        return numbers, self.timestamp[first]


def _from_columns(sheet: Sheet) -> Rows:
    def stack(
        names: Sequence[str], low: float = -np.inf, high: float = np.inf
    ) -> NDArray[np.float64]:
        known = [sheet.numbers(name, low, high) for name in names if name in sheet]
        if len(known) == len(names):
            return np.stack(known, axis=1)
        return np.full((len(sheet), len(names)), np.nan)

    status = []
    for row, text in enumerate(sheet.texts("status")):
        if text not in STATUSES:
            raise DataError(
                f"{sheet.path}, line {row + 2}: {text[:40]!r} is no status; allowed: "
                f"{', '.join(STATUSES)}."
            )
        status.append(STATUSES.index(text))
    probability = np.stack([sheet.numbers(name, 0, 1) for name in AU_NAMES], axis=1)
    active = stack([f"{name}_c" for name in AU_NAMES], 0, 1)
    face_id = sheet.numbers("face_id") if "face_id" in sheet else np.zeros(len(sheet))
    confidence = sheet.numbers("confidence") if "confidence" in sheet else np.ones(len(sheet))
    rows = Rows(
        frame=sheet.numbers("frame", 1, blank=False).astype(np.int64),
        timestamp=sheet.numbers("timestamp", blank=False),
        face_id=np.nan_to_num(face_id, nan=-1).astype(np.int64),
        status=np.asarray(status, np.uint8),
        confidence=np.nan_to_num(confidence),
        box=stack(BOX),
        landmarks=stack(LANDMARKS).reshape(-1, 5, 2),
        probability=probability,
        active=np.nan_to_num(active, nan=-1).astype(np.int8),
    )
    if (np.diff(rows.frame) < 0).any():
        row = int(np.flatnonzero(np.diff(rows.frame) < 0)[0]) + 1
        raise DataError(f"{sheet.path}, line {row + 2}: the frames are not in order.")
    return rows


def read_rows(path: Path) -> Rows:
    """Read the rows of a prediction.

    Parameters
    ----------
    path : Path
        NAME.csv or NAME.parquet of `aufusion predict`.

    Returns
    -------
    Rows

    Raises
    ------
    DataError
        When the file cannot be read or is none; the message names the line.
    """
    if path.suffix.lower() != ".parquet":
        return _from_columns(read_sheet(path))
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path).to_pydict()
    except (OSError, pa.ArrowException):
        raise DataError(f"{path} cannot be read as Parquet: it is missing or damaged.") from None
    cells = {
        name: ["" if value is None else str(value) for value in values]
        for name, values in table.items()
    }
    if not cells or not next(iter(cells.values())):
        raise DataError(f"{path} holds no rows.")
    return _from_columns(Sheet(path, cells))


def blank_rows(count: int) -> Rows:
    """Rows of so many frames of which nothing is known but that they show no face."""
    nothing = np.full(count, np.nan)
    return Rows(
        frame=np.arange(1, count + 1),
        timestamp=nothing.copy(),
        face_id=np.full(count, -1),
        status=np.full(count, NO_FACE, np.uint8),
        confidence=np.zeros(count),
        box=np.full((count, 4), np.nan),
        landmarks=np.full((count, 5, 2), np.nan),
        probability=np.full((count, N_AUS), np.nan),
        active=np.full((count, N_AUS), -1, np.int8),
    )
