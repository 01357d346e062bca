"""One HDF5 file of a feature store: the features of one video, or of the copies of one.

A group per video holds ``features``, (frames, width) float16, not compressed and in one piece, so
that a reader maps it into memory; ``valid``, the stretches of rows that are there (start, stop);
``sums``, what statistics are made of: for each column the sum over these rows and the sum of their
squares, (2, width) float64; and the video's ``frame_rate`` in Hz as attribute. A row that the
encoder had no input for (no face in the frame, no sound at that time) is all NaN: who reads it
decides how to fill it. The file's attributes say what it was made by: ``encoder``,
``weights_hash``, ``width`` and ``settings`` (JSON). ``au_start``, where it is there, is the first
of the 12 columns that hold the encoder's own AU logits; the rest is its embedding.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.closing import Closing
from stages.core.errors import DataError, is_of_the_machine

KIND: Final = "AUFusion features"
PIECE_FRAMES: Final = 4096  # frames held in memory while a dataset is summed up
FEATURES, VALID, SUMS = "features", "valid", "sums"


def runs_of(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Stretches of True, (stretches, 2): the first index of each, and the one after its last."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def flags_of(runs: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Inverse of :func:`runs_of`."""
    flags = np.zeros(length, np.bool_)
    for start, stop in runs:
        flags[start:stop] = True
    return flags


def summed(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Sum and sum of squares over the rows of (rows, width), as (2, width)."""
    wide = rows.astype(np.float64)
    return np.stack([wide.sum(0), (wide**2).sum(0)])


class ShardWriter(Closing):
    """Writes one file of a store, in bounded memory.

    Parameters
    ----------
    path : Path
        File to write; overwritten.
    encoder : str
        Name of the encoder.
    weights_hash : str
        SHA-256 of the file of its weights; ``""`` for an encoder without weights.
    width : int
        Length of one feature vector.
    settings : mapping
        What else the features were made with; anything that JSON can hold.
    au_start : int, optional
        First of the 12 columns with the encoder's AU logits; None where it has none.
    """

    def __init__(
        self,
        path: Path,
        *,
        encoder: str,
        weights_hash: str,
        width: int,
        settings: Mapping[str, object],
        au_start: int | None = None,
    ) -> None:
        self._file = h5py.File(path, "w")
        self._width = width
        self._file.attrs["kind"] = KIND
        self._file.attrs["encoder"] = encoder
        self._file.attrs["weights_hash"] = weights_hash
        self._file.attrs["width"] = width
        self._file.attrs["settings"] = json.dumps(settings, sort_keys=True)
        if au_start is not None:
            self._file.attrs["au_start"] = au_start

    def create(self, name: str, frames: int, frame_rate: float) -> Any:
        """Make a video's dataset, all NaN, to be filled by slices.

        Parameters
        ----------
        name : str
            Name of the manifest's entry, or of a copy.
        frames : int
            Number of frames of the video.
        frame_rate : float
            Average frame rate in Hz.

        Returns
        -------
        h5py.Dataset
            (frames, width) float16.
        """
        group = self._file.create_group(name)
        group.attrs["frame_rate"] = frame_rate
        # its place in the file is known at once, also where nothing is ever written
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        return group.create_dataset(
            FEATURES,
            shape=(frames, self._width),
            dtype="<f2",
            fillvalue=np.float16(np.nan),
            dcpl=early,
        )

    def add(self, name: str, features: NDArray[Any], frame_rate: float) -> None:
        """Write a video's features, (frames, width), at once.

        Raises
        ------
        ValueError
            When the features are not as wide as the store.
        """
        if features.ndim != 2 or features.shape[1] != self._width:
            raise ValueError(f"{name}: {features.shape} features in a store {self._width} wide")
        dataset = self.create(name, len(features), frame_rate)
        if features.size:
            dataset[:] = features

    def close(self) -> None:
        """Sum up what was written, and close the file."""
        for group in self._file.values():
            dataset = group[FEATURES]
            valid = np.zeros(len(dataset), np.bool_)
            total = np.zeros((2, self._width))
            for start in range(0, len(dataset), PIECE_FRAMES):
                rows = dataset[start : start + PIECE_FRAMES]
                known = ~np.isnan(rows).any(axis=1)
                valid[start : start + PIECE_FRAMES] = known
                total += summed(rows[known])
            group[VALID], group[SUMS] = runs_of(valid), total
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()


@dataclass(frozen=True)
class Stored:
    """One video's part of a shard.

    Attributes
    ----------
    name : str
    frames : int
    frame_rate : float
        Hz.
    offset : int
        Where its features begin in the file, in bytes.
    valid : list of (int, int)
        Stretches of rows that are there.
    sums : (2, width) float64 np.ndarray
        Over these rows, for each column, the sum and the sum of squares.
    """

    name: str
    frames: int
    frame_rate: float
    offset: int
    valid: list[tuple[int, int]]
    sums: NDArray[np.float64]


def read_shard(path: Path) -> tuple[dict[str, Any], list[Stored]]:
    """Read what a shard says of itself and of its videos, but not the features.

    Returns
    -------
    dict
        The file's attributes, plain values.
    list of Stored
        Sorted by name.

    Raises
    ------
    DataError
        When the file is no shard of a feature store.
    """
    try:
        with h5py.File(path, "r") as file:
            about = {key: _plain(value) for key, value in file.attrs.items()}
            if about.get("kind") != KIND:
                raise KeyError("kind")
            return about, list(_stored(file))
    except (OSError, KeyError) as error:
        if is_of_the_machine(error):
            raise
        raise DataError(f"{path} is damaged or no part of a feature store: delete it.") from None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _stored(file: h5py.File) -> Iterator[Stored]:
    for name, group in sorted(file.items()):
        dataset = group[FEATURES]
        yield Stored(
            name=name,
            frames=len(dataset),
            frame_rate=float(group.attrs["frame_rate"]),
            offset=int(dataset.id.get_offset() or 0) if dataset.size else 0,
            valid=[(int(start), int(stop)) for start, stop in group[VALID][()]],
            sums=group[SUMS][()],
        )
