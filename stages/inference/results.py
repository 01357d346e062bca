"""The files of one predicted video, and how they are read again.

Three files a video: ``NAME.csv`` and ``NAME.parquet`` hold the same rows
(:data:`stages.inference.columns.COLUMNS`), ``NAME.json`` says what made them, and the hashes by
which they are known for ours (:mod:`stages.inference.outputs`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.inference.columns import BOX, COLUMNS, DECISIONS, INTENSITIES, LANDMARKS, PROBABILITIES
from stages.inference.footage import WHOLE, Section, section_frames
from stages.inference.records import read_json
from stages.videos.clock import Log

KIND: Final = "aufusion prediction"


@dataclass(frozen=True)
class Result:
    """A predicted video.

    Attributes
    ----------
    video : Path
        The video that was predicted.
    folder : Path
        Where its files lie.
    name : str
        What they are called, without their endings.
    about : dict
        Content of ``NAME.json``: ``frames``, ``faces``, ``sound``, ``warnings``, ``ensemble`` ...
    seconds : dict of str to float
        Where the time went: ``decode``, ``detect``, ``encode``, ``sound``, ``predict``, ``write``,
        ``all``. Decoding and detection run beside the rest, so the parts may add up to more.
        Empty for a result that was read from disk.
    """

    video: Path
    folder: Path
    name: str
    about: dict[str, Any]
    seconds: dict[str, float]

    @property
    def csv(self) -> Path:
        """The rows as text."""
        return self.folder / f"{self.name}.csv"

    @property
    def parquet(self) -> Path:
        """The rows as a Parquet file."""
        return self.folder / f"{self.name}.parquet"

    @property
    def json(self) -> Path:
        """What made the rows."""
        return self.folder / f"{self.name}.json"

    @property
    def frames(self) -> int:
        """Frames that were decoded."""
        return int(self.about["frames"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what is to be known of this prediction."""
        return tuple(self.about["warnings"])

    @classmethod
    def load(cls, path: Path, video: Path) -> Self:
        """Read ``NAME.json`` of a video that was predicted before.

        Raises
        ------
        DataError
            When the file is missing or is none of ours.
        """
        about = read_about(path)
        if about is None:
            raise DataError(f"{path} does not say what made a prediction: predict the video again.")
        return cls(video, path.parent, path.name.removesuffix(".json"), about, {})


def read_about(path: Path) -> dict[str, Any] | None:
    """Content of a ``NAME.json``; None where there is none, or it is another file."""
    about = read_json(path, KIND)
    return about if about and {"source", "ensemble", "options"} <= set(about) else None


@dataclass(frozen=True)
class Rows:
    """The rows of a prediction; n is at least the number of frames.

    Attributes
    ----------
    frame : (n,) int64 np.ndarray
        From 1.
    timestamp : (n,) float64 np.ndarray
        Seconds.
    face_id : (n,) int64 np.ndarray
        From 1; 0 in a frame that no one is near.
    status : (n,) np.ndarray of str
        ``face``, ``no_face`` or ``interpolated``.
    confidence : (n,) float32 np.ndarray
    box : (n, 4) float32 np.ndarray
        x0, y0, x1, y1 in pixels; NaN where there is no face.
    probabilities : (n, 12) float32 np.ndarray
        NaN where `face_id` is 0.
    intensity : (n, 12) float32 np.ndarray
        0 to 5; NaN where `face_id` is 0.
    active : (n, 12) bool np.ndarray
        Decisions by the ensemble's thresholds.
    landmarks : (n, 5, 2) float32 np.ndarray
        Eyes, nose, corners of the mouth in pixels; NaN where there is no face.
    """

    frame: NDArray[np.int64]
    timestamp: NDArray[np.float64]
    face_id: NDArray[np.int64]
    status: NDArray[np.str_]
    confidence: NDArray[np.float32]
    box: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    intensity: NDArray[np.float32]
    active: NDArray[np.bool_]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def face_ids(self) -> tuple[int, ...]:
        """The people's numbers."""
        return tuple(int(number) for number in np.unique(self.face_id) if number)

    def of(self, face_id: int) -> "Rows":
        """Rows of one person."""
        chosen = self.face_id == face_id
        return Rows(**{name: values[chosen] for name, values in vars(self).items()})

    @property
    def main_face(self) -> int:
        """The number of the person with the most rows that show a face; 0 where there is none."""
        seen = self.face_id[(self.face_id > 0) & (self.status != "no_face")]
        return int(np.bincount(seen).argmax()) if len(seen) else 0


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn what pyarrow says against a file into a sentence."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} is no prediction ({' '.join(str(error).split())[:200]}): predict again."
        ) from None


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}: it is no prediction of ours.")


def read_rows(path: Path) -> Rows:
    """Read a ``NAME.parquet``.

    Raises
    ------
    DataError
        When the file is missing, damaged or has other columns.
    """
    from pyarrow import parquet

    with _sentences(path), path.open("rb") as file:
        table = parquet.read_table(file, columns=list(COLUMNS))
    _check_columns(path, table.column_names)
    return _rows_of(table)


def read_parts(path: Path) -> Iterator[Rows]:
    """Read a ``NAME.parquet``, or a ``NAME.csv``, in parts of bounded size.

    Raises
    ------
    DataError
        When the file is missing, damaged or has other columns.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    with _sentences(path), path.open("rb") as file:
        if path.suffix.lower() == ".csv":
            # types as they are written: a part whose cells are all empty tells none
            types = pa.schema(
                [pa.field(name, pa.string() if name == "status" else pa.float64())
                 for name in COLUMNS]
            )  # fmt: skip
            options = csv.ConvertOptions(column_types=types, strings_can_be_null=False)
            reader = csv.open_csv(file, convert_options=options)
            _check_columns(path, reader.schema.names)
            batches = iter(reader)
        else:
            source = parquet.ParquetFile(file)
            _check_columns(path, source.schema_arrow.names)
            batches = source.iter_batches(columns=list(COLUMNS))
        for batch in batches:
            yield _rows_of(pa.Table.from_batches([batch]))


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Put parts of one prediction together."""
    names = vars(parts[0])
    return Rows(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in names})


def _rows_of(table: Any) -> Rows:
    def numbers(name: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy())

    def together(names: tuple[str, ...]) -> NDArray[np.float32]:
        return np.stack([numbers(name) for name in names], axis=1).astype(np.float32)

    return Rows(
        frame=numbers("frame").astype(np.int64),
        timestamp=numbers("timestamp").astype(np.float64),
        face_id=numbers("face_id").astype(np.int64),
        status=np.asarray(table["status"].to_pylist(), np.str_),
        confidence=numbers("confidence").astype(np.float32),
        box=together(BOX),
        probabilities=together(PROBABILITIES),
        intensity=together(INTENSITIES),
        active=np.nan_to_num(together(DECISIONS)).astype(bool),
        landmarks=together(LANDMARKS).reshape(-1, 5, 2),
    )


def read_faces(
    video: Path, rows: Rows, frames: set[int], section: Section = WHOLE
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Cut the faces out of some frames again, for thumbnails.

    Parameters
    ----------
    video : Path
        The video that was predicted.
    rows : Rows
    frames : set of int
        Numbers of frames, from 1. Decoding ends with the last of them.
    section : (float or None, float or None)
        Of the video, that was predicted.

    Yields
    ------
    int
        Number of the frame.
    int
        Number of the person.
    (112, 112, 3) uint8 np.ndarray
        RGB, aligned.
    """
    from stages.crops.alignment import align

    seen = np.flatnonzero(np.isin(rows.frame, list(frames)) & ~np.isnan(rows.box[:, 0]))
    where: dict[int, list[int]] = {}
    for row in seen.tolist():
        where.setdefault(int(rows.frame[row]), []).append(row)
    if not where:
        return
    last = max(where)
    for number, (_, shown) in enumerate(section_frames(video, Log(), section), start=1):
        if number in where:
            image = shown.rgb()
            for row in where[number]:
                yield number, int(rows.face_id[row]), align(image, rows.landmarks[row])
        if number >= last:
            return
