"""The manifest: what the data root holds, one entry per annotated face.

Stage ``index`` writes it, every later stage reads it. ``manifest.json`` holds what a person wants
to read; ``frames.h5`` holds one group per entry with the presentation times and the labels.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError, is_of_the_machine
from stages.core.files import replacing, write_json

SPLITS = ("train", "validation", "test", "unlabelled")

MANIFEST_FILE = "manifest.json"
FRAMES_FILE = "frames.h5"

# A name becomes a file name, an HDF5 group and a line of a submission.
MAX_NAME_LENGTH = 200
_FORBIDDEN = re.compile(r'[/\\\x00-\x1f\x7f<>:"|?*]')


def check_name(name: str) -> str:
    """Return `name` if it can safely become a file name and an HDF5 group.

    Raises
    ------
    DataError
        If the name is empty, too long, starts with a dot, or holds a separator, a control
        character or another character that file systems refuse.
    """
    if not name or name != name.strip():
        raise DataError(f"{name!r} cannot be the name of a video: it is empty or padded by blanks.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{name!r} cannot be the name of a video: it is not UTF-8; rename the file."
        ) from None
    if len(name.encode()) > MAX_NAME_LENGTH:
        raise DataError(f"{name[:40]!r}... cannot be the name of a video: it is too long.")
    if name.startswith(".") or _FORBIDDEN.search(name):
        raise DataError(
            f"{name!r} cannot be the name of a video: rename it without slashes, "
            'leading dots, control characters or any of <>:"|?*.'
        )
    return name


@dataclass(frozen=True)
class Entry:
    """One annotated face of one video.

    Attributes
    ----------
    name : str
        Name of the annotation, of the crops and of the feature datasets: ``03-1280x720_left``.
    video : str or None
        Path of the video, relative to the data root; None where there are only published crops.
    video_hash : str
        SHA-256 of the video file; without one, of the names and sizes of the published crops.
    side : str
        Which face of the picture: ``only``, ``left`` or ``right``, in picture coordinates.
    person : str
        Who is seen, from ``people.csv``; without it, the name of the entry.
    group : str
        Stem of the video; all entries of one group stay on one side of every split.
    split : str
        ``train``, ``validation``, ``test`` or ``unlabelled``.
    frames : int
        Number of frames that decode.
    frame_rate : float
        Average frame rate in Hz, from the presentation times; that of the settings without a video.
    variable_frame_rate : bool
        True where the time from frame to frame varies.
    width, height : int
        Size of the picture in pixels, after rotation for display; of the crops without a video.
    sound : bool
        True where the file has a sound track.
    sound_start : float
        Presentation time in seconds at which the sound starts; 0 where there is none.
    annotation : str or None
        Path of the annotation file, relative to the data root.
    annotation_lines : int
        Number of lines in the annotation file, header not counted.
    official_crops : str or None
        Path of the folder of published crops, relative to the data root.
    warnings : tuple of str
        Sentences about what is odd but did not keep the entry out.
    intensity : str or None
        Path of the file of intensities, relative to the data root.
    """

    name: str
    video: str | None
    video_hash: str
    side: str
    person: str
    group: str
    split: str
    frames: int
    frame_rate: float
    variable_frame_rate: bool
    width: int
    height: int
    sound: bool
    sound_start: float
    annotation: str | None
    annotation_lines: int
    official_crops: str | None
    warnings: tuple[str, ...]
    intensity: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything that was found under one data root.

    Attributes
    ----------
    root : str
        The data root, as the settings name it.
    entries : tuple of Entry
        Sorted by name.
    unreadable : dict of str to str
        What was left out, by name or path, with the reason as a sentence.
    """

    root: str
    entries: tuple[Entry, ...]
    unreadable: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read ``folder/manifest.json``.

        Raises
        ------
        DataError
            If the file is missing or is not a manifest.
        """
        path = Path(folder) / MANIFEST_FILE
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            entries = tuple(
                Entry(**{**entry, "warnings": tuple(entry["warnings"])})
                for entry in content["entries"]
            )
            manifest = cls(content["root"], entries, dict(content["unreadable"]))
        except FileNotFoundError:
            raise DataError(f"{path} is missing: run `dvc repro index` first.") from None
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path} is not a manifest: run `dvc repro -f index` again.") from None
        for entry in manifest.entries:
            check_name(entry.name)
        return manifest

    def save(self, folder: Path) -> None:
        """Write ``folder/manifest.json``: sorted, indented, the same bytes for the same content."""
        content = {
            "root": self.root,
            "entries": [asdict(e) for e in sorted(self.entries, key=lambda e: e.name)],
            "unreadable": dict(sorted(self.unreadable.items())),
        }
        write_json(Path(folder) / MANIFEST_FILE, content, ensure_ascii=False)

    def names(self, *splits: str) -> tuple[str, ...]:
        """Names of the entries of the given splits, or of all entries if none is given."""
        return tuple(e.name for e in self.entries if not splits or e.split in splits)

    def entry(self, name: str) -> Entry:
        """Return the entry called `name`.

        Raises
        ------
        DataError
            If there is none.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise DataError(f"The manifest has no entry {name!r}.")


def save_frames(
    folder: Path,
    frames: Iterable[
        tuple[str, NDArray[np.float64], NDArray[np.int8]]
        | tuple[str, NDArray[np.float64], NDArray[np.int8], NDArray[np.float32] | None]
    ],
) -> None:
    """Write ``folder/frames.h5``.

    Parameters
    ----------
    folder : Path
        Folder of the manifest.
    frames : iterable of (name, (frames,) array, (frames, 12) array, (frames, 12) array or None)
        Name, presentation times in seconds, labels and, where known, intensities of each entry,
        sorted by name.
    """
    with replacing(Path(folder) / FRAMES_FILE) as temporary, h5py.File(temporary, "w") as file:
        for name, timestamps, labels, *rest in frames:
            group = file.create_group(check_name(name))
            group.create_dataset("timestamps", data=timestamps.astype(np.float64))
            group.create_dataset("labels", data=labels.astype(np.int8))
            intensity = rest[0] if rest else None
            if intensity is not None:
                group.create_dataset("intensity", data=intensity.astype(np.float32))


def _read(folder: Path, name: str, dataset: str) -> NDArray[Any]:
    path = Path(folder) / FRAMES_FILE
    check_name(name)
    try:
        with h5py.File(path, "r") as file:
            if name not in file:
                raise DataError(f"{path} holds nothing for {name!r}: run `dvc repro index`.")
            return np.asarray(file[name][dataset][()])
    except OSError as error:
        if is_of_the_machine(error):
            raise
        raise DataError(f"{path} cannot be read: run `dvc repro index` first.") from None


def read_timestamps(folder: Path, name: str) -> NDArray[np.float64]:
    """Presentation times of the frames of one entry.

    Returns
    -------
    (frames,) np.ndarray
        Seconds, in the order of display.
    """
    return _read(folder, name, "timestamps").astype(np.float64, copy=False)


def times_hash(folder: Path, name: str) -> str:
    """SHA-256 of the presentation times of one entry."""
    return hashlib.sha256(read_timestamps(folder, name).tobytes()).hexdigest()


def read_intensities(folder: Path, name: str) -> NDArray[np.float32] | None:
    """Intensities of one entry on the frame grid of its video.

    Returns
    -------
    (frames, 12) np.ndarray or None
        0 to 5, NaN where not known; None where none is known.
    """
    try:
        return _read(folder, name, "intensity").astype(np.float32, copy=False)
    except KeyError:
        return None


def read_labels(folder: Path, name: str) -> NDArray[np.int8]:
    """Labels of one entry on the frame grid of its video.

    Returns
    -------
    (frames, 12) np.ndarray
        1, 0, or -1 where a frame is not annotated.
    """
    return _read(folder, name, "labels").astype(np.int8, copy=False)
