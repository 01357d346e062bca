"""The feature store: one HDF5 file per encoder, one dataset per video.

A dataset is (frames, width) float16, in chunks of 128 frames, with the video's ``frame_rate`` in Hz
as attribute. A row that the encoder had no input for (no face in the frame, no sound at that time)
is all NaN: who reads it decides how to fill it. The file's attributes say what it was made by:
``encoder``, ``weights_hash``, ``width`` and ``settings`` (JSON). ``au_start``, where it is there,
is the first of the 12 columns that hold the encoder's own AU logits; the rest is its embedding.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.closing import Closing
from stages.core.errors import DataError, is_of_the_machine
from stages.core.files import replacing

CHUNK_FRAMES = 128  # one window of the sequence networks
COPY_FRAMES = 64 * CHUNK_FRAMES  # frames held in memory while a dataset is copied
KIND = "AUFusion features"


class FeatureWriter(Closing):
    """Writes a store, in bounded memory.

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
            Name of the manifest's entry.
        frames : int
            Number of frames of the video.
        frame_rate : float
            Average frame rate in Hz.

        Returns
        -------
        h5py.Dataset
            (frames, width) float16.
        """
        dataset = self._file.create_dataset(
            name,
            shape=(frames, self._width),
            maxshape=(None, self._width),  # a chunk may then be longer than the dataset
            chunks=(CHUNK_FRAMES, self._width),
            dtype=np.float16,
            fillvalue=np.float16(np.nan),
        )
        dataset.attrs["frame_rate"] = frame_rate
        return dataset

    def add(self, name: str, features: Any, frame_rate: float) -> None:
        """Write a video's features.

        Parameters
        ----------
        name : str
            Name of the manifest's entry.
        features : (frames, width) np.ndarray or h5py.Dataset
            Copied piece by piece.
        frame_rate : float
            Average frame rate in Hz.

        Raises
        ------
        ValueError
            When the features are not as wide as the store.
        """
        if features.ndim != 2 or features.shape[1] != self._width:
            raise ValueError(f"{name}: {features.shape} features in a store {self._width} wide")
        dataset = self.create(name, len(features), frame_rate)
        for start in range(0, len(features), COPY_FRAMES):
            dataset[start : start + COPY_FRAMES] = features[start : start + COPY_FRAMES]

    def link(self, name: str, existing: str) -> None:
        """Give a dataset a second name, for two entries of one video that share their sound."""
        self._file[name] = self._file[existing]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FeatureReader(Closing):
    """Reads a store.

    Parameters
    ----------
    path : Path
        File to read.

    Attributes
    ----------
    names : tuple of str
        The videos in it, sorted.
    width : int
        Length of one feature vector.
    attributes : dict
        ``encoder``, ``weights_hash``, ``width``, ``settings``.
    au_start : int or None
        First of the 12 columns with the encoder's AU logits; None where it has none.

    Raises
    ------
    DataError
        When the file is missing, damaged, or no feature store.
    """

    def __init__(self, path: Path) -> None:
        again = "run `dvc repro visual audio`."
        try:
            self._file = h5py.File(path, "r")
        except FileNotFoundError:
            raise DataError(f"{path} is missing: {again}") from None
        except OSError as error:
            if is_of_the_machine(error):
                raise
            raise DataError(f"{path} is damaged or no HDF5 file: delete it and {again}") from None
        self.attributes: dict[str, Any] = dict(self._file.attrs)
        if self.attributes.get("kind") != KIND:
            self._file.close()
            raise DataError(f"{path} is no feature store: delete it and {again}")
        self._path = path
        self.names: tuple[str, ...] = tuple(sorted(self._file))
        self.width = int(self.attributes["width"])
        start = self.attributes.get("au_start")
        self.au_start: int | None = None if start is None else int(start)

    def frames(self, name: str) -> int:
        """Return the number of frames of a video."""
        return int(self._dataset(name).shape[0])

    def frame_rate(self, name: str) -> float:
        """Return a video's average frame rate in Hz."""
        return float(self._dataset(name).attrs["frame_rate"])

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float16]:
        """Read the rows `start` to `stop` (not included) of a video.

        Returns
        -------
        (rows, width) np.ndarray
            float16; NaN where the encoder had no input.

        Raises
        ------
        DataError
            When the store does not hold the video.
        """
        return np.asarray(self._dataset(name)[start:stop])

    def dataset(self, name: str) -> Any:
        """Return a video's h5py.Dataset, for copying."""
        return self._dataset(name)

    def _dataset(self, name: str) -> Any:
        if name not in self._file:
            raise DataError(f"{self._path} holds no features of {name!r}: run `dvc repro` again.")
        return self._file[name]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def merge_stores(path: Path, pieces: Mapping[str, Path], names: Mapping[str, Sequence[str]]) -> int:
    """Assemble one store from stores of single videos.

    Parameters
    ----------
    path : Path
        The store to write; it appears only when it is complete.
    pieces : mapping of str to Path
        Stores that hold one video each, under the mapping's key; all of one encoder.
    names : mapping of str to sequence of str
        The entries that each piece serves; the first holds the data, the others are links to it.

    Returns
    -------
    int
        Number of frames written, links counted.
    """
    sources = sorted((entries[0], key) for key, entries in names.items() if key in pieces)
    with FeatureReader(pieces[sources[0][1]]) as first:
        about, au_start = first.attributes, first.au_start
    total = 0
    with (
        replacing(path) as temporary,
        FeatureWriter(
            temporary,
            encoder=about["encoder"],
            weights_hash=about["weights_hash"],
            width=int(about["width"]),
            settings=json.loads(about["settings"]),
            au_start=au_start,
        ) as writer,
    ):
        for name, key in sources:
            with FeatureReader(pieces[key]) as piece:
                writer.add(name, piece.dataset(key), piece.frame_rate(key))
                total += piece.frames(key) * len(names[key])
            for other in names[key][1:]:
                writer.link(other, name)
    return total
