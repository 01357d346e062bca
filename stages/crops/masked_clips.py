"""The list of masked copies, ``data/masked.h5``: which frames, which half, and the line in each.

One group per copy with the attributes ``source`` (name of the manifest's entry), ``half``,
``start`` and ``stop`` (frames of the source, `stop` not included) and the dataset ``line``
(frames, 3). The pictures are not stored: hiding half of a crop costs nothing beside encoding it.
Labels and sound are those of the source's frames.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.files import replacing
from stages.crops.crop_file import FACE, CropReader
from stages.crops.half_masks import Half, hide


@dataclass(frozen=True)
class Copy:
    """Consecutive frames of a training video with half of the face hidden.

    Attributes
    ----------
    source : str
        Name of the manifest's entry.
    half : {"upper", "lower"}
        The half that is hidden.
    start, stop : int
        Frames of the source, `stop` not included.
    lines : (frames, 3) float32 np.ndarray
        See :func:`stages.crops.half_masks.dividing_lines`.
    """

    source: str
    half: Half
    start: int
    stop: int
    lines: NDArray[np.float32]

    @property
    def name(self) -> str:
        """Name of its features; no video can have it, for names hold no colon."""
        return f"{self.source}:{self.half}:{self.start:06d}"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.stop - self.start

    def as_list(self) -> list[object]:
        """Everything that it is, for JSON."""
        return [self.source, self.half, self.start, self.stop, self.lines.tolist()]


def write_copies(path: Path, copies: Iterable[Copy]) -> None:
    """Write the list, the same bytes for the same copies."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for copy in sorted(copies, key=lambda c: c.name):
            group = file.create_group(copy.name)
            group.attrs["source"] = copy.source
            group.attrs["half"] = copy.half
            group.attrs["start"] = copy.start
            group.attrs["stop"] = copy.stop
            group.create_dataset("line", data=copy.lines.astype(np.float32))


def read_copies(path: Path) -> list[Copy]:
    """Read the list, sorted by name.

    Raises
    ------
    DataError
        When the file is missing or damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            return [
                Copy(
                    source=str(group.attrs["source"]),
                    half="upper" if group.attrs["half"] == "upper" else "lower",
                    start=int(group.attrs["start"]),
                    stop=int(group.attrs["stop"]),
                    lines=group["line"][()],
                )
                for _, group in sorted(file.items())
            ]
    except (OSError, KeyError):
        raise DataError(f"{path} is missing or damaged: run `dvc repro mask`.") from None


def masked_readers(
    crops: CropReader, copy: Copy, batch: int
) -> Iterator[Callable[[], tuple[NDArray[np.int64], NDArray[np.uint8]]]]:
    """List what decodes the crops of a copy that show a face, and hides half of each.

    Parameters
    ----------
    crops : CropReader
        Of the source.
    copy : Copy
    batch : int
        Faces in a batch.

    Yields
    ------
    callable
        Returns the faces' frames, (n,) int64, counted from the copy's first, and the faces,
        (n, 112, 112, 3) uint8, RGB.
    """
    rows = np.flatnonzero(crops.status[copy.start : copy.stop] == FACE)
    for first in range(0, len(rows), batch):
        yield partial(_read, crops, copy, rows[first : first + batch])


def _read(
    crops: CropReader, copy: Copy, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    images = crops.read(copy.start + int(rows[0]), copy.start + int(rows[-1]) + 1)
    faces = np.stack([image for image in images if image is not None])
    return rows, hide(faces, copy.lines[rows], copy.half)
