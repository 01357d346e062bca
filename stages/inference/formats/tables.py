"""Results as tables of text: OpenFace's, events, a summary, BORIS's, BIDS's."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.facs import AU_MEANINGS, AU_NAMES, INTENSITY_MAX, N_AUS
from stages.inference.columns import COLUMNS, DECISIONS, INTENSITIES, NO_FACE, NOBODY
from stages.inference.formats.episodes import Episode
from stages.inference.formats.recording import Recording

EVENT_COLUMNS = (
    "face_id", "au", "onset", "apex", "offset", "duration", "peak", "mean", "first_frame",
    "apex_frame", "last_frame",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "file", "face_id", "au", "frames", "frames_with_face", "share_present", "seconds_present",
    "events", "mean_event_seconds", "mean_intensity", "mean_intensity_present", "peak", "peak_at",
)  # fmt: skip
# as BORIS exports aggregated events
BORIS_COLUMNS = (
    "Observation id", "Observation date", "Description", "Observation type", "Source",
    "Time offset (s)", "Media duration (s)", "FPS (frame/s)", "Subject", "Behavior",
    "Behavioral category", "Modifiers", "Behavior type", "Start (s)", "Stop (s)", "Duration (s)",
    "Media file name", "Comment start", "Comment stop",
)  # fmt: skip
BIDS_COLUMNS = {
    "onset": ("Onset", "Time of the first frame that shows the action unit, on the clock of the "
              "video file.", "s"),
    "duration": ("Duration", "Time until the first frame that does not show it.", "s"),
    "trial_type": ("Action unit", "Which action unit of FACS is present.", None),
    "face_id": ("Person", "Number of the person, from 1.", None),
    "apex": ("Apex", "Time of the strongest frame, on the clock of the video file.", "s"),
    "peak": ("Peak intensity", f"Intensity at the apex, 0 to {INTENSITY_MAX:g}.", None),
    "mean": ("Mean intensity", f"Mean intensity, 0 to {INTENSITY_MAX:g}.", None),
}  # fmt: skip

Paths = Mapping[str, Path]


def _write(path: Path, rows: Iterable[Sequence[object]], separator: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator, lineterminator="\n").writerows(rows)


def _seconds(value: float) -> str:
    return f"{value:.6f}"


def _strength(value: float) -> str:
    return f"{value:.3f}"


def write_openface(recording: Recording, paths: Paths) -> None:
    """Write a row a person and frame, with the columns that OpenFace 2.2 has for AUs.

    As there, people are counted from 0, and where ``success`` is 0 nothing is said: zeros.
    """

    def rows() -> Iterator[Sequence[object]]:
        yield ("frame", "face_id", "timestamp", "confidence", "success", *INTENSITIES, *DECISIONS)
        for part in recording.parts():
            seen = (part.status != NO_FACE) & (part.face_id != NOBODY)
            strong = np.where(seen[:, None], np.nan_to_num(part.intensity), 0.0)
            active = part.active & seen[:, None]
            for row in range(len(part)):
                yield (
                    int(part.frame[row]),
                    max(int(part.face_id[row]) - 1, 0),
                    _seconds(float(part.timestamp[row])),
                    f"{float(part.confidence[row]):.4f}",
                    int(seen[row]),
                    *map(_strength, strong[row].tolist()),
                    *map(int, active[row].tolist()),
                )

    _write(paths[".openface.csv"], rows())


def write_table(recording: Recording, paths: Paths) -> None:
    """Write the columns of ``NAME.csv``: of a subtracted rest the table to go on with."""

    def numbers(values: Iterable[float], decimals: int) -> list[str]:
        return ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]

    def rows() -> Iterator[Sequence[object]]:
        yield tuple(COLUMNS)
        for part in recording.parts():
            for row in range(len(part)):
                nobody = int(part.face_id[row]) == NOBODY
                yield (
                    int(part.frame[row]),
                    _seconds(float(part.timestamp[row])),
                    int(part.face_id[row]),
                    str(part.status[row]),
                    f"{float(part.confidence[row]):.4f}",
                    *numbers(part.box[row].tolist(), 2),
                    *numbers(part.probabilities[row].tolist(), 6),
                    *numbers(part.intensity[row].tolist(), 3),
                    *([""] * N_AUS if nobody else map(int, part.active[row].tolist())),
                    *numbers(part.landmarks[row].ravel().tolist(), 2),
                )

    _write(paths[".table.csv"], rows())


def _event(one: Episode) -> list[object]:
    times = (one.onset, one.apex, one.offset, one.duration)
    frames = (one.first_frame, one.apex_frame, one.last_frame)
    strengths = (_strength(one.peak), _strength(one.mean))
    return [one.face_id, AU_NAMES[one.au], *map(_seconds, times), *strengths, *frames]


def write_events(recording: Recording, paths: Paths) -> None:
    """Write one row an event: onset, apex, offset and duration in seconds, peak."""
    _write(paths[".events.csv"], [EVENT_COLUMNS, *map(_event, recording.episodes)])


class _Sums:
    """What is added up of one person, each (12,)."""

    def __init__(self) -> None:
        self.frames = 0
        self.present, self.total, self.strong = np.zeros((3, N_AUS))
        self.peak, self.peak_at = np.full(N_AUS, -1.0), np.zeros(N_AUS)


def write_summary(recording: Recording, paths: Paths) -> None:
    """Write one row a person and AU: how often, how long, how strong in the whole video."""
    people: dict[int, _Sums] = {}
    for part in recording.parts():
        for person in part.face_ids:
            mine = part.of(person)
            seen = mine.status != NO_FACE
            if not seen.any():
                continue
            sums = people.setdefault(person, _Sums())
            strong, active = mine.intensity[seen].astype(np.float64), mine.active[seen]
            times = mine.timestamp[seen]
            sums.frames += len(strong)
            sums.present += active.sum(0)
            sums.total += strong.sum(0)
            sums.strong += np.where(active, strong, 0.0).sum(0)
            best = strong.argmax(0)
            top = strong[best, np.arange(N_AUS)]
            sums.peak_at = np.where(top > sums.peak, times[best], sums.peak_at)
            sums.peak = np.maximum(sums.peak, top)
    frames = recording.span[2]
    rows: list[Sequence[object]] = [SUMMARY_COLUMNS]
    for person in sorted(people):
        sums = people[person]
        for au, name in enumerate(AU_NAMES):
            lengths = [
                one.duration
                for one in recording.episodes
                if (one.face_id, one.au) == (person, au) and not recording.photo
            ]
            count = int(sums.present[au])
            rows.append((
                recording.media, person, name, frames, sums.frames,
                f"{sums.present[au] / sums.frames:.6f}", _seconds(sum(lengths)), len(lengths),
                _seconds(float(np.mean(lengths))) if lengths else "",
                _strength(sums.total[au] / sums.frames),
                _strength(sums.strong[au] / count) if count else "",
                _strength(sums.peak[au]), _seconds(float(sums.peak_at[au])),
            ))  # fmt: skip
    _write(paths[".summary.csv"], rows)


def write_boris(recording: Recording, paths: Paths) -> None:
    """Write aggregated events as BORIS exports them: state events, times of the player."""
    first, end, frames = recording.span
    rate = frames / (end - first) if end > first else 0.0
    rows: list[Sequence[object]] = [BORIS_COLUMNS]
    for one in recording.episodes:
        start, stop = one.onset - recording.start, one.offset - recording.start
        rows.append((
            recording.name, "", "AUFusion", "Media file(s)", f"player #1:{recording.media}", 0,
            f"{end - recording.start:.3f}", f"{rate:.3f}", f"face {one.face_id}",
            AU_NAMES[one.au], AU_MEANINGS[AU_NAMES[one.au]], f"peak {_strength(one.peak)}",
            "STATE", f"{start:.3f}", f"{stop:.3f}", f"{stop - start:.3f}", recording.media, "", "",
        ))  # fmt: skip
    _write(paths[".boris.csv"], rows)


def _sidecar() -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for column, (name, description, unit) in BIDS_COLUMNS.items():
        columns[column] = {"LongName": name, "Description": description}
        if unit:
            columns[column]["Units"] = unit
    columns["trial_type"]["Levels"] = {name: AU_MEANINGS[name] for name in AU_NAMES}
    return columns


def write_bids(recording: Recording, paths: Paths) -> None:
    """Write events as the Brain Imaging Data Structure wants them, with what the columns are."""
    rows: list[Sequence[object]] = [tuple(BIDS_COLUMNS)]
    for one in recording.episodes:
        rows.append((
            _seconds(one.onset), _seconds(one.duration), AU_NAMES[one.au], one.face_id,
            _seconds(one.apex), _strength(one.peak), _strength(one.mean),
        ))  # fmt: skip
    _write(paths["_events.tsv"], rows, "\t")
    text = json.dumps(_sidecar(), indent=2, ensure_ascii=False) + "\n"
    paths["_events.json"].write_text(text, encoding="utf-8")
