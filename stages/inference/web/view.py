"""What the page draws of a finished video: the data of the report's timeline, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stages.core.errors import DataError
from stages.core.files import write_json
from stages.inference.results import read_about, read_faces, read_rows
from stages.inference.views.report import EMBED_LIMIT, Face, Faces, write_report
from stages.inference.views.timeline import (
    add_pictures,
    make_timeline,
    thresholds_of,
    wanted_frames,
)
from stages.inference.web.checking import Facts
from stages.inference.web.job import JobFolder
from stages.videos.audio import RATE, read_sound

COLUMNS: Final = (
    12_000  # of the timeline: a frame each for 8 minutes at 25 Hz, so that bars are exact
)


class SeenFaces:
    """The faces of some frames of a video, decoded once however often they are asked for.

    Parameters
    ----------
    folder : JobFolder
        With the predictor's results.

    Raises
    ------
    DataError
        If the results are missing or cannot be read.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._video, self._rows = folder.video, read_rows(_table(folder))
        self._frames: set[int] = set()
        self._seen: list[Face] = []

    def __call__(self, frames: set[int]) -> list[Face]:
        """Return what :func:`stages.inference.results.read_faces` yields for these frames."""
        if frames != self._frames:
            self._frames, self._seen = frames, list(read_faces(self._video, self._rows, frames))
        return self._seen


def write_view(folder: JobFolder, name: str, facts: Facts, faces: Faces) -> None:
    """Write ``view.json``: :func:`stages.inference.views.timeline.make_timeline`'s data, and notes.

    Parameters
    ----------
    folder : JobFolder
        With the predictor's results.
    name : str
        The client's name of the video, to show.
    facts : Facts
    faces : callable
        See :class:`SeenFaces`.

    Raises
    ------
    DataError
        If the results are missing or cannot be read.
    """
    table = _table(folder)
    rows = read_rows(table)
    about = read_about(table.with_suffix(".json")) or {}
    data = make_timeline(
        rows,
        title=name,
        thresholds=thresholds_of(about),
        sound=read_sound(folder.video),
        sound_rate=RATE,
        offset=facts.start,
        columns=COLUMNS,
    )
    add_pictures(data, faces(wanted_frames(data)))
    data["notes"] = [str(note) for note in about.get("warnings", ())]
    data["preview"] = folder.preview.is_file()
    data["still"] = facts.still
    write_json(folder.view, data, indent=None, separators=(",", ":"))


def write_page(folder: JobFolder, name: str, facts: Facts, faces: Faces) -> None:
    """Write the report beside the results; with the video in it where browsers play that.

    Raises
    ------
    DataError
        If the results are missing or cannot be read.
    """
    table = _table(folder)
    embed = facts.plays is not None and folder.video.stat().st_size <= EMBED_LIMIT
    if not embed:
        write_report(folder.video, table, table.with_suffix(".html"), title=name, faces=faces)
        return
    # the upload has no ending, by which the report tells what browsers play
    named = folder.path / ("named.webm" if facts.plays == "video/webm" else "named.mp4")
    named.unlink(missing_ok=True)
    named.symlink_to(folder.video.name)
    try:
        write_report(named, table, table.with_suffix(".html"), embed=True, title=name, faces=faces)
    finally:
        named.unlink()


def _table(folder: JobFolder) -> Path:
    table = folder.result("parquet")
    if table is None:
        raise DataError("The predictor wrote no table for this video.")
    return table
