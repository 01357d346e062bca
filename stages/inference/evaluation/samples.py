"""All labelled frames of all files, with what a tool says of them, and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS, NOT_ANNOTATED


@dataclass(frozen=True)
class File:
    """A labelled photo or video.

    Attributes
    ----------
    name : str
        Relative to the folder that is evaluated.
    person : str
    photo : bool
    groups : mapping of str to str
        What else is known of it: ``gender``, ``age`` ...; empty values are left out.
    """

    name: str
    person: str
    photo: bool
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Samples:
    """Labelled frames; about 90 bytes each.

    Attributes
    ----------
    files : tuple of File
    file : (n,) int32 np.ndarray
        Position of the file.
    frame : (n,) int32 np.ndarray
        From 1.
    seen : (n,) bool np.ndarray
        Whether the tool has found the face.
    labels : (n, 12) int8 np.ndarray
        1, 0 or -1.
    scores : (n, 12) float32 np.ndarray
        From 0 to 1; NaN where the tool says nothing.
    decisions : (n, 12) int8 np.ndarray
        1, 0 or -1 where the tool decides nothing.
    intensity : (n, 12) float32 np.ndarray or None
        As labelled, 0 to 5, NaN where unknown; None where no file has any.
    told : (n, 12) float32 np.ndarray or None
        Intensity as the tool says it.
    """

    files: tuple[File, ...]
    file: NDArray[np.int32]
    frame: NDArray[np.int32]
    seen: NDArray[np.bool_]
    labels: NDArray[np.int8]
    scores: NDArray[np.float32]
    decisions: NDArray[np.int8]
    intensity: NDArray[np.float32] | None = None
    told: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.file)

    @property
    def people(self) -> list[str]:
        """Everyone, sorted."""
        return sorted({file.person for file in self.files})

    def person(self) -> NDArray[np.intp]:
        """Position of each frame's person in :attr:`people`, (n,)."""
        place = {person: k for k, person in enumerate(self.people)}
        of_file = np.asarray([place[file.person] for file in self.files], np.intp)
        return of_file[self.file]

    def units(self) -> NDArray[np.intp]:
        """Number each frame's clip; a person's photos are one clip together; (n,)."""
        keys = [f"photos {f.person}" if f.photo else f"clip {f.name}" for f in self.files]
        return np.unique(keys, return_inverse=True)[1].astype(np.intp)[self.file]

    def of(self, chosen: Sequence[bool]) -> "Samples":
        """Frames of some of the files."""
        kept = np.asarray(chosen, np.bool_)
        rows = kept[self.file]
        place = np.cumsum(kept) - 1
        return Samples(
            tuple(file for file, keep in zip(self.files, kept, strict=True) if keep),
            place[self.file[rows]].astype(np.int32),
            self.frame[rows],
            self.seen[rows],
            self.labels[rows],
            self.scores[rows],
            self.decisions[rows],
            None if self.intensity is None else self.intensity[rows],
            None if self.told is None else self.told[rows],
        )


class Gathering:
    """Collects samples file by file; frames without any label are left out."""

    def __init__(self) -> None:
        self._files: list[File] = []
        self._parts: list[dict[str, NDArray[np.generic]]] = []

    def add(
        self,
        file: File,
        frame: NDArray[np.int64],
        labels: NDArray[np.int8],
        intensity: NDArray[np.float32],
        seen: NDArray[np.bool_],
        scores: NDArray[np.float32],
        decisions: NDArray[np.int8],
        told: NDArray[np.float32],
    ) -> None:
        """Add the frames of a file, arrays as in :class:`Samples`."""
        kept = (labels != NOT_ANNOTATED).any(axis=1) | ~np.isnan(intensity).all(axis=1)
        number = np.full(int(kept.sum()), len(self._files), np.int32)
        self._files.append(file)
        part: dict[str, NDArray[np.generic]] = {
            "file": number, "frame": frame[kept].astype(np.int32), "seen": seen[kept],
            "labels": labels[kept], "scores": scores[kept], "decisions": decisions[kept],
        }  # fmt: skip
        if not np.isnan(intensity).all():
            part |= {"intensity": intensity[kept], "told": told[kept]}
        self._parts.append(part)

    def finish(self) -> Samples:
        """Return all of it."""
        shapes = {"labels": (np.int8, N_AUS), "scores": (np.float32, N_AUS),
                  "decisions": (np.int8, N_AUS), "file": (np.int32, 0), "frame": (np.int32, 0),
                  "seen": (np.bool_, 0)}  # fmt: skip
        columns: dict[str, NDArray[np.generic]] = {}
        for name, (kind, width) in shapes.items():
            empty: NDArray[np.generic] = np.zeros((0, width) if width else 0, kind)
            columns[name] = np.concatenate([empty, *[part[name] for part in self._parts]])
        if any("intensity" in part for part in self._parts):
            for name in ("intensity", "told"):
                unknown = [np.full((len(p["file"]), N_AUS), np.nan, "f4") for p in self._parts]
                columns[name] = np.concatenate(
                    [p.get(name, u) for p, u in zip(self._parts, unknown, strict=True)]
                )
        return Samples(tuple(self._files), **columns)  # type: ignore[arg-type]
