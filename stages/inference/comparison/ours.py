"""Results of AUFusion as tracks, if wanted less a person's own rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.core.facs import AU_NAMES
from stages.inference.baseline import find_rest, sentence, subtract, thresholds_in
from stages.inference.columns import NO_FACE, NOBODY
from stages.inference.comparison.csv_table import Sheet
from stages.inference.comparison.tracks import INTENSITY, Track, decisions, frames, rising
from stages.inference.results import Rows, join_rows, read_about, read_parts, read_rows

OURS = "AUFusion"


def read_our_sheet(sheet: Sheet) -> Track:
    """Read the main person of a ``NAME.csv``."""
    person = sheet.numbers("face_id", 0, blank=False)
    seen = np.asarray([text != NO_FACE for text in sheet.texts("status")])
    somebody = (person != NOBODY) & seen
    mine = person == (np.bincount(person[somebody].astype(int)).argmax() if somebody.any() else -1)
    strength = {name: sheet.numbers(name, 0, 1) for name in AU_NAMES}
    decision = {name: decisions(sheet, f"{name}_c") for name in AU_NAMES}
    frame = frames(sheet, "frame", 1)
    time = rising(sheet, "timestamp", sheet.numbers("timestamp", blank=False))
    intensity = {name: sheet.numbers(f"{name}_r", 0, INTENSITY) for name in AU_NAMES}
    track = Track(sheet.path, OURS, frame, time, seen, strength, decision, intensity)
    return _on_the_whole(track).take(mine)


def _on_the_whole(track: Track) -> Track:
    """Give the later part of a video, whose frames are counted anew, its times alone.

    They count from where the file begins, as those of other tools do.
    """
    about = read_about(track.path.with_suffix(".json")) or {}
    if track.time is None or "start" not in about.get("options", {}):
        return track
    return replace(track, frame=None, time=track.time - float(about.get("start", 0.0)))


def read_our_parquet(path: Path) -> Track:
    """Read the main person of a ``NAME.parquet``."""
    rows = read_rows(path)
    return track_of_rows(path, rows.of(rows.main_face))


def rested_track(path: Path, rows: Rows, baseline: float) -> Track:
    """Make a track of one person's rows of ours, less the rest of the first `baseline` seconds."""
    about = read_about(path.with_suffix(".json")) or {}
    shifts = find_rest([rows], baseline, path.stem)
    rested = subtract(rows, shifts, thresholds_in(about, path.stem))
    return replace(track_of_rows(path, rested), notes=(sentence(path.stem, baseline, shifts),))


def read_rested(path: Path, baseline: float) -> Track:
    """Read the main person of a result of ours, less their rest."""
    rows = join_rows(list(read_parts(path)))
    return rested_track(path, rows.of(rows.main_face), baseline)


def track_of_rows(path: Path, rows: Rows) -> Track:
    """Make a track of one person's rows of ours."""
    return _on_the_whole(
        Track(
            path,
            OURS,
            rows.frame,
            rows.timestamp,
            np.asarray(rows.status != NO_FACE),
            {
                name: rows.probabilities[:, au].astype(np.float64)
                for au, name in enumerate(AU_NAMES)
            },
            {name: rows.active[:, au].astype(np.int8) for au, name in enumerate(AU_NAMES)},
            {name: rows.intensity[:, au].astype(np.float64) for au, name in enumerate(AU_NAMES)},
        )
    )
