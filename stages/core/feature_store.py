"""The feature store: a folder per encoder, one file a video, and an index.

``videos/NAME.h5`` are the shards (:mod:`stages.core.feature_shard`). ``index.json`` says what made
the features; of each video which shard holds it, where its rows begin and which are there; of each
shard its size and the SHA-256 of its bytes: the index's own bytes stand for those of the store.
``sums.npy``, (videos, 2, width) float64, has what statistics over videos are made of, in the order
of the index. Two videos may share a shard's rows: two faces in one picture hear the same sound.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.core.closing import Closing
from stages.core.errors import DataError, is_of_the_machine
from stages.core.feature_shard import KIND, ShardWriter, Stored, flags_of, read_shard
from stages.core.files import replacing, sweep, write_json
from stages.core.hashing import file_hash

INDEX: Final = "index.json"
SUMS: Final = "sums.npy"
VIDEOS: Final = "videos"
AGAIN: Final = "run `dvc repro visual audio`."
_HALF: Final = 2  # bytes of a float16


def shard_path(store: Path, name: str) -> Path:
    """File of a store that holds a video, or all copies of one."""
    return store / VIDEOS / f"{name}.h5"


def store_hash(store: Path) -> str:
    """SHA-256 that stands for all bytes of a store: that of its index.

    Raises
    ------
    DataError
        When there is no index.
    """
    try:
        return file_hash(store / INDEX)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{store} is missing: {AGAIN}") from None


def write_index(
    store: Path,
    about: Mapping[str, Any],
    hashes: Mapping[str, str],
    names: Mapping[str, Sequence[str]] | None = None,
) -> int:
    """Write the index of a store whose shards are in their place.

    Parameters
    ----------
    store : Path
    about : mapping
        ``encoder``, ``weights_hash``, ``width``, ``settings`` (a JSON text) and maybe ``au_start``:
        what a store without shards is to say of itself; else that of the shards is taken.
    hashes : mapping of str to str
        SHA-256 of each shard, by the name that :func:`shard_path` takes.
    names : mapping of str to sequence of str, optional
        All entries that a video of a shard serves; where it is left out, itself.

    Returns
    -------
    int
        Number of frames, those of each entry.

    Raises
    ------
    DataError
        When shards were not made by the same encoder in the same way.
    """
    videos: dict[str, tuple[str, Stored]] = {}
    shards = {}
    for number, key in enumerate(sorted(hashes)):
        path = shard_path(store, key)
        found, stored = read_shard(path)
        if number and found != about:
            raise DataError(
                f"{path.name} was made in another way than the features of the other videos "
                f"({_difference(found, about)}): remove the folder .partial and run it again."
            )
        about = found
        shards[path.name] = {"bytes": path.stat().st_size, "sha256": hashes[key]}
        for one in stored:
            for name in [one.name] if names is None else names[one.name]:
                videos[name] = (path.name, one)
    ordered = sorted(videos)
    sums = np.zeros((len(ordered), 2, int(about["width"])))
    for row, name in enumerate(ordered):
        sums[row] = videos[name][1].sums
    with replacing(store / SUMS) as temporary, temporary.open("wb") as file:
        np.save(file, sums, allow_pickle=False)
    content = {
        **about,
        "kind": KIND,
        "sums": file_hash(store / SUMS),
        "shards": shards,
        "videos": {name: _row(*videos[name]) for name in ordered},
    }
    write_json(store / INDEX, content, indent=None, sort_keys=True)
    return sum(one.frames for _, one in videos.values())


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    key = next(key for key in sorted({*one, *other}) if one.get(key) != other.get(key))
    return f"{key}: {one.get(key)}, {other.get(key)}"


def _row(shard: str, one: Stored) -> dict[str, Any]:
    return {
        "shard": shard,
        "offset": one.offset,
        "frames": one.frames,
        "frame_rate": one.frame_rate,
        "valid": one.valid,
    }


class FeatureWriter(Closing):
    """Writes a whole store, one video after another.

    Parameters
    ----------
    path : Path
        The store's folder. What is there of an earlier store is overwritten.
    encoder, weights_hash, width, settings, au_start
        See :class:`stages.core.feature_shard.ShardWriter`.
    """

    def __init__(self, path: Path, *, settings: Mapping[str, object], **about: Any) -> None:
        self._path, self._about = path, {**about, "settings": settings}
        self._hashes: dict[str, str] = {}
        (path / VIDEOS).mkdir(parents=True, exist_ok=True)

    def add(self, name: str, features: NDArray[Any], frame_rate: float) -> None:
        """Write a video's features, (frames, width) at a frame rate in Hz."""
        path = shard_path(self._path, name)
        with replacing(path, tidy=False) as temporary:
            with ShardWriter(temporary, **self._about) as shard:
                shard.add(name, features, frame_rate)
            self._hashes[name] = file_hash(temporary)

    def close(self) -> None:
        """Write the index."""
        sweep(self._path / VIDEOS)
        settings = json.dumps(self._about["settings"], sort_keys=True)
        about = {key: value for key, value in self._about.items() if value is not None}
        write_index(self._path, {**about, "settings": settings}, self._hashes)

    def abandon(self) -> None:
        """Leave the store without an index."""


class FeatureReader(Closing):
    """Reads a store. Several threads may read through one reader.

    Parameters
    ----------
    path : Path
        The store's folder.

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
        When the index is missing, damaged, or not one of a feature store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.attributes: dict[str, Any] = _read_index(path)
        self._videos: dict[str, dict[str, Any]] = self.attributes.pop("videos")
        self._shards: dict[str, dict[str, Any]] = self.attributes.pop("shards")
        self.names: tuple[str, ...] = tuple(sorted(self._videos))
        self._places = {name: place for place, name in enumerate(self.names)}
        self.width = int(self.attributes["width"])
        start = self.attributes.get("au_start")
        self.au_start: int | None = None if start is None else int(start)
        self._mapped: dict[str, NDArray[np.float16]] = {}
        self._sums: NDArray[np.float64] | None = None

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(int(shard["bytes"]) for shard in self._shards.values())

    def frames(self, name: str) -> int:
        """Return the number of frames of a video."""
        return int(self._video(name)["frames"])

    def frame_rate(self, name: str) -> float:
        """Return a video's average frame rate in Hz."""
        return float(self._video(name)["frame_rate"])

    def valid(self, name: str) -> NDArray[np.bool_]:
        """Whether each row of a video is there, (frames,) bool; the others are NaN."""
        video = self._video(name)
        return flags_of(np.array(video["valid"], np.int64).reshape(-1, 2), int(video["frames"]))

    def sums(self, name: str) -> NDArray[np.float64]:
        """Sum and sum of squares of each column over a video's rows that are there, (2, width)."""
        self._video(name)
        if self._sums is None:
            path = self._path / SUMS
            try:
                self._sums = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                if is_of_the_machine(error):
                    raise
                raise DataError(f"{path} is missing or damaged: {AGAIN}") from None
        return np.asarray(self._sums[self._places[name]])

    def rows(self, name: str) -> NDArray[np.float16]:
        """All rows of a video, (frames, width) float16, as they lie on the disk: not to be changed.

        They are read where they are looked at.

        Raises
        ------
        DataError
            When the store does not hold the video, or its shard is not as the index says.
        """
        found = self._mapped.get(name)
        if found is None:
            found = self._mapped[name] = self._map(self._video(name))
        return found

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float16]:
        """Read the rows `start` to `stop` (not included) of a video.

        Returns
        -------
        (rows, width) np.ndarray
            float16; NaN where the encoder had no input.

        Raises
        ------
        DataError
            See :meth:`rows`.
        """
        return self.rows(name)[start:stop].copy()

    def _map(self, video: Mapping[str, Any]) -> NDArray[np.float16]:
        frames, offset = int(video["frames"]), int(video["offset"])
        path = self._path / VIDEOS / video["shard"]
        size = int(self._shards[video["shard"]]["bytes"])
        end = offset + frames * self.width * _HALF
        try:
            whole = path.stat().st_size == size and end <= size and offset % _HALF == 0
        except FileNotFoundError:
            whole = False
        if not whole or path.parent != self._path / VIDEOS:
            raise DataError(f"{path} is missing or damaged: delete {self._path} and {AGAIN}")
        if end == offset:
            return np.zeros((frames, self.width), np.float16)
        import torch  # numpy's maps hold a file open each: a store may have more videos than files

        half = torch.from_file(str(path), shared=False, size=size // _HALF, dtype=torch.float16)
        rows: NDArray[np.float16] = half[offset // _HALF : end // _HALF].numpy()
        rows.flags.writeable = False
        return rows.reshape(frames, self.width)

    def _video(self, name: str) -> dict[str, Any]:
        if name not in self._videos:
            raise DataError(f"{self._path} holds no features of {name!r}: run `dvc repro` again.")
        return self._videos[name]

    def close(self) -> None:
        """Let go of the files; rows that were given out stay."""
        self._mapped.clear()


def _read_index(path: Path) -> dict[str, Any]:
    try:
        content = json.loads((path / INDEX).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        what = "is no feature store: delete it and" if path.exists() else "is missing:"
        raise DataError(f"{path} {what} {AGAIN}") from None
    except ValueError:
        raise DataError(f"{path} is damaged: delete it and {AGAIN}") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise DataError(f"{path} is no feature store: delete it and {AGAIN}")
    return content
