"""What a tool says of the labelled frames: our own results, or the files of another tool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES, N_AUS
from stages.inference.columns import NO_FACE
from stages.inference.comparison.agreement import nearest_pairs
from stages.inference.comparison.csv_table import (
    PICTURE_COLUMNS,
    Sheet,
    picture_column,
    read_header,
    read_sheet,
)
from stages.inference.comparison.external_predictions import is_wanted, read_track, track_of
from stages.inference.comparison.ours import rested_track, track_of_rows
from stages.inference.comparison.tracks import UNKNOWN, Track
from stages.inference.results import Rows, read_rows

ENDINGS = (".parquet", ".csv", ".txt")  # the first that is there is read


@dataclass(frozen=True)
class Said:
    """What is said of some frames of one file.

    Attributes
    ----------
    tool : str
    seen : (frames,) bool np.ndarray
        Whether the face was found.
    scores : (frames, 12) float32 np.ndarray
        From 0 to 1; NaN where nothing is said.
    decisions : (frames, 12) int8 np.ndarray
        1, 0 or -1.
    intensity : (frames, 12) float32 np.ndarray
        0 to 5; NaN where none is said.
    """

    tool: str
    seen: NDArray[np.bool_]
    scores: NDArray[np.float32]
    decisions: NDArray[np.int8]
    intensity: NDArray[np.float32]


def frames_of(track: Track, media: Path) -> NDArray[np.int64]:
    """Numbers of a track's frames from 1; by the video's own times where it has times alone."""
    if track.frame is not None:
        return track.frame
    from stages.videos.video import scan

    assert track.time is not None
    times = scan(media).timestamps
    numbers = np.zeros(len(track), np.int64)
    ours, theirs = nearest_pairs(times, track.time)
    numbers[theirs] = ours + 1
    return numbers


def at_frames(track: Track, numbers: NDArray[np.int64], wanted: NDArray[np.int64]) -> Said:
    """Lay a track on some frames; of those that it does not have nothing is said.

    Parameters
    ----------
    track : Track
    numbers : (rows,) np.ndarray
        Of its frames, from 1.
    wanted : (frames,) np.ndarray
        Each once.
    """
    _, at, row = np.intersect1d(wanted, numbers, return_indices=True)
    scores = np.full((len(wanted), N_AUS), np.nan, np.float32)
    told = np.full((len(wanted), N_AUS), np.nan, np.float32)
    decisions = np.full((len(wanted), N_AUS), UNKNOWN, np.int8)
    seen = np.zeros(len(wanted), np.bool_)
    seen[at] = track.seen[row]
    for au, name in enumerate(AU_NAMES):
        if name in track.strength:
            scores[at, au] = track.strength[name][row]
        if name in track.decision:
            decisions[at, au] = track.decision[name][row]
            decisions[~seen, au] = 0  # a face that is not found is an AU that is not found
        if name in track.intensity:
            told[at, au] = track.intensity[name][row]
    scores[~seen], told[~seen] = np.nan, np.nan
    return Said(track.tool, seen, scores, decisions, told)


def _on_side(path: Path, side: str) -> tuple[Rows, int]:
    """Rows of everyone in a result of ours, and the number of who is on a side."""
    rows = read_rows(path)
    shown = (rows.face_id > 0) & (rows.status != NO_FACE)
    people, counts = np.unique(rows.face_id[shown], return_counts=True)
    two = people[np.argsort(-counts, kind="stable")][:2]
    if not len(two):
        return rows, 0
    centres = {}
    for person in two.tolist():
        box = rows.box[(rows.face_id == person) & shown]
        centres[person] = float(np.median((box[:, 0] + box[:, 2]) / 2))
    ordered = sorted(centres, key=lambda person: centres[person])
    return rows, ordered[0] if side == "left" else ordered[-1]


def person_of(path: Path, side: str) -> int:
    """Number of the person on a side in a NAME.parquet of ours; 0 for nobody."""
    return _on_side(path, side)[1]


def our_track(path: Path, side: str = "", baseline: float | None = None) -> Track:
    """Read a result of ours, of two people the one on a side, less the rest of some seconds."""
    if not side:
        return read_track(path, baseline=baseline)
    rows, person = _on_side(path, side)
    mine = rows.of(person)
    return track_of_rows(path, mine) if baseline is None else rested_track(path, mine, baseline)


def _picture_column(path: Path) -> str | None:
    return picture_column(read_header(path)) if path.suffix.lower() == ".csv" else None


class Library:
    """The files of a tool, to be asked for what it says of a photo or video.

    Parameters
    ----------
    given : Path
        A folder with a file for each, named after it (``a.csv`` of ``a.mp4``), or tables of many
        pictures with a column ``image`` or ``input``; or one such table.
    """

    def __init__(self, given: Path) -> None:
        if not given.exists():
            raise DataError(f"{given} is not there: name a folder of predictions.")
        self.given = given
        self._files: dict[str, Path] = {}
        self._rows: dict[str, Sheet] = {}
        self._tables: list[Path] = []
        files = [given] if given.is_file() else sorted(p for p in given.rglob("*") if p.is_file())
        for path in files:
            if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
                continue
            if _picture_column(path) is not None:
                self._tables.append(path)
                continue
            known = self._files.get(path.stem)
            if known is None or ENDINGS.index(path.suffix.lower()) < ENDINGS.index(
                known.suffix.lower()
            ):
                self._files[path.stem] = path
        self._read_tables()

    def _read_tables(self) -> None:
        for path in self._tables:
            column = _picture_column(path)
            assert column is not None
            sheet = read_sheet(path, lambda name, column=column: name == column or is_wanted(name))  # type: ignore[misc]
            parts = sheet.parts(column)
            try:
                track_of(next(iter(parts.values())))
            except DataError:  # a table of labels that lies beside, say
                continue
            for name, part in parts.items():
                self._rows[name.replace("\\", "/")] = part
        for name in list(self._rows):
            self._rows.setdefault(PurePosixPath(name).name, self._rows[name])

    def find(self, name: str) -> Track | None:
        """What is said of a file, by its path relative to the folder; None for nothing."""
        path = PurePosixPath(name)
        for key in (name, path.name):
            if key in self._rows:
                return track_of(self._rows[key])
        for key in (path.name, path.stem):
            if key in self._files:
                return read_track(self._files[key])
        return None

    def tool(self, names: Iterable[str]) -> str:
        """Name of the tool that made the files."""
        for name in names:
            track = self.find(name)
            if track is not None:
                return track.tool
        raise DataError(
            f"{self.given} has nothing for any of the files: it needs NAME.csv for NAME.mp4, or a "
            f"table with a column {' or '.join(PICTURE_COLUMNS)}."
        )
