"""The crop file: one HDF5 file per annotated face, one row per decoded frame.

Datasets: ``jpeg`` (total bytes,) uint8, all crops one after the other; ``jpeg_offset``
(frames + 1,) int64, where each begins (equal offsets: no crop); ``landmarks`` (frames, 5, 2)
float32 and ``box`` (frames, 4) float32 x0, y0, x1, y1, in pixels of the picture; ``score``
(frames,) float32; ``timestamp`` (frames,) float64 seconds; ``status`` (frames,) uint8.
Rows without a face hold NaN for landmarks and box and 0 for the score. Where the detector gives
them, ``contour`` (frames, 106, 2) float32 holds insightface's 106 points.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.core.closing import Closing
from stages.core.errors import DataError, is_of_the_machine
from stages.crops.alignment import CROP_SIDE

NO_FACE = 0
FACE = 1

DEFAULT_JPEG_QUALITY = 95
ROWS_PER_CHUNK = 1024
JPEG_BYTES_PER_CHUNK = 1 << 16
BUFFERED_ROWS = 256  # rows kept in memory before they are written

_COLUMNS: tuple[tuple[str, tuple[int, ...], Any], ...] = (
    ("landmarks", (5, 2), np.float32),
    ("box", (4,), np.float32),
    ("score", (), np.float32),
    ("timestamp", (), np.float64),
    ("status", (), np.uint8),
)
_CONTOUR: tuple[tuple[str, tuple[int, ...], Any], ...] = (("contour", (106, 2), np.float32),)


def encode_jpeg(crop: NDArray[np.uint8], quality: int = DEFAULT_JPEG_QUALITY) -> bytes:
    """Encode one crop, (112, 112, 3) uint8 RGB, as JPEG."""
    if crop.dtype != np.uint8 or crop.shape != (CROP_SIDE, CROP_SIDE, 3):
        raise ValueError(f"a crop is (112, 112, 3) uint8, not {crop.shape} {crop.dtype}")
    done, data = cv2.imencode(".jpg", crop[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the crop could not be encoded as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decode one JPEG to (height, width, 3) uint8 RGB.

    Raises
    ------
    DataError
        If the bytes are not a picture.
    """
    buffer = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    image = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB) if buffer.size else None
    if image is None:
        raise DataError("The bytes are not a picture that can be decoded.")
    return np.asarray(image, np.uint8)


class CropWriter(Closing):
    """Writes a crop file row by row, in bounded memory.

    Parameters
    ----------
    path : Path
        File to write; overwritten.
    attributes : mapping of str to str, int or float
        Settings kept in the file. ``jpeg_quality`` (1 to 100) also sets the JPEG's quality.
    contours : bool
        True to keep 106 points a frame, too.
    """

    def __init__(
        self,
        path: Path,
        attributes: Mapping[str, str | int | float],
        *,
        contours: bool = False,
    ) -> None:
        self._columns = _COLUMNS + _CONTOUR * contours
        self._quality = int(attributes.get("jpeg_quality", DEFAULT_JPEG_QUALITY))
        self._file = h5py.File(path, "w")
        for key in sorted(attributes):
            self._file.attrs[key] = attributes[key]
        for name, shape, dtype in self._columns:
            self._file.create_dataset(
                name,
                shape=(0, *shape),
                maxshape=(None, *shape),
                dtype=dtype,
                chunks=(ROWS_PER_CHUNK, *shape),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        self._file.create_dataset(
            "jpeg", (0,), np.uint8, maxshape=(None,), chunks=(JPEG_BYTES_PER_CHUNK,)
        )
        self._file.create_dataset(
            "jpeg_offset", data=np.zeros(1, np.int64), maxshape=(None,), chunks=(ROWS_PER_CHUNK,)
        )
        self._rows: list[tuple[Any, ...]] = []
        self._crops: list[bytes] = []

    def append(
        self,
        crop: NDArray[np.uint8] | bytes | None,
        landmarks: ArrayLike | None = None,
        box: ArrayLike | None = None,
        score: float = 0.0,
        timestamp: float = 0.0,
        contour: ArrayLike | None = None,
    ) -> None:
        """Add the row of the next frame.

        Parameters
        ----------
        crop : (112, 112, 3) uint8 np.ndarray, bytes or None
            Aligned face in RGB, the same as a JPEG, or None where the frame shows no face.
        landmarks : (5, 2) array-like, optional
            Eyes, nose, corners of the mouth, in pixels of the picture. NaN if left out.
        box : (4,) array-like, optional
            x0, y0, x1, y1 in pixels of the picture. NaN if left out.
        score : float
            The detector's confidence, 0 to 1.
        timestamp : float
            Presentation time in seconds.
        contour : (106, 2) array-like, optional
            Points of the outline, in pixels of the picture. NaN if left out.
        """
        if crop is None:
            data = b""
        else:
            data = crop if isinstance(crop, bytes) else encode_jpeg(crop, self._quality)
        status = FACE if data else NO_FACE
        row = (landmarks, box, score, timestamp, status, contour)[: len(self._columns)]
        self._rows.append(
            tuple(
                np.full(shape, np.nan) if value is None else value
                for value, (_, shape, _) in zip(row, self._columns, strict=True)
            )
        )
        self._crops.append(data)
        if len(self._rows) >= BUFFERED_ROWS:
            self._flush()

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Add another dataset, such as labels of the rows, to the file."""
        self._file.create_dataset(name, data=values)

    def _flush(self) -> None:
        if not self._rows:
            return
        count = len(self._rows)
        columns = zip(self._columns, zip(*self._rows, strict=True), strict=True)
        for (name, shape, dtype), values in columns:
            dataset = self._file[name]
            start = dataset.shape[0]
            dataset.resize(start + count, axis=0)
            dataset[start:] = np.asarray(values, dtype).reshape(count, *shape)
        jpeg, offset = self._file["jpeg"], self._file["jpeg_offset"]
        start, data = jpeg.shape[0], b"".join(self._crops)
        jpeg.resize(start + len(data), axis=0)
        jpeg[start:] = np.frombuffer(data, np.uint8)
        ends = start + np.cumsum([len(c) for c in self._crops])
        rows = offset.shape[0]
        offset.resize(rows + count, axis=0)
        offset[rows:] = ends
        self._rows.clear()
        self._crops.clear()

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self._flush()
        self._file.close()

    def abandon(self) -> None:
        """Close the file without the rows that are not written yet."""
        self._file.close()


class CropReader(Closing):
    """Reads a crop file; crops are decoded on demand, the rest is in memory.

    Parameters
    ----------
    path : Path
        File to read.

    Attributes
    ----------
    attributes : dict
        Settings that were written into the file.
    timestamps : (frames,) float64 np.ndarray
        Presentation times in seconds.
    status : (frames,) uint8 np.ndarray
        0 for no face, 1 for a face.
    landmarks : (frames, 5, 2) float32 np.ndarray
        Pixels of the picture, NaN where there is no face.
    box : (frames, 4) float32 np.ndarray
        x0, y0, x1, y1 in pixels of the picture, NaN where there is no face.
    score : (frames,) float32 np.ndarray
        Confidence of the detector.

    Raises
    ------
    DataError
        If the file is missing or is not a crop file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            if is_of_the_machine(error):
                raise
            raise DataError(f"{path} is missing or damaged: run `dvc repro crop`.") from None
        try:
            self._offset: NDArray[np.int64] = self._file["jpeg_offset"][()]
            self.landmarks: NDArray[np.float32] = self._file["landmarks"][()]
            self.box: NDArray[np.float32] = self._file["box"][()]
            self.score: NDArray[np.float32] = self._file["score"][()]
            self.timestamps: NDArray[np.float64] = self._file["timestamp"][()]
            self.status: NDArray[np.uint8] = self._file["status"][()]
        except KeyError:
            self._file.close()
            raise DataError(f"{path} is not a crop file: run `dvc repro -f crop`.") from None
        self.attributes: dict[str, Any] = dict(self._file.attrs)

    def __len__(self) -> int:
        return len(self.status)

    def read(self, start: int = 0, stop: int | None = None) -> list[NDArray[np.uint8] | None]:
        """Decode the crops of rows `start` to `stop` (not included).

        Returns
        -------
        list of (112, 112, 3) uint8 np.ndarray or None
            RGB; None where the frame shows no face.
        """
        return [decode_jpeg(data) if len(data) else None for data in self.encoded(start, stop)]

    def encoded(self, start: int = 0, stop: int | None = None) -> list[NDArray[np.uint8]]:
        """Return the crops of rows `start` to `stop` (not included) as they are in the file.

        Returns
        -------
        list of (bytes,) np.ndarray
            uint8, a JPEG; empty where the frame shows no face.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            return []
        offset = self._offset[start : stop + 1] - self._offset[start]
        data = self._file["jpeg"][self._offset[start] : self._offset[stop]]
        return [data[first:last] for first, last in pairwise(offset)]

    def has(self, name: str) -> bool:
        """Whether the file holds a dataset of that name."""
        return name in self._file

    def extra(self, name: str) -> NDArray[Any]:
        """Read another dataset that the file holds, such as the labels of its rows."""
        return np.asarray(self._file[name][()])

    def close(self) -> None:
        """Close the file."""
        self._file.close()
