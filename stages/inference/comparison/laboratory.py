"""Tables of FaceReader, of iMotions (AFFDEX, FACET) and of OpenFace 3.0."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES, AU_NUMBERS
from stages.inference.comparison.csv_table import BLANK, Sheet
from stages.inference.comparison.tracks import (
    INTENSITY,
    UNKNOWN,
    Track,
    commonest,
    frames,
    rising,
    strengths,
)
from stages.learning.metrics import THRESHOLD

VIDEO_TIME = "Video Time"  # FaceReader's column of times
_FACEREADER = re.compile(r"Action Unit 0*(\d+) - [^-]+")
_LETTERS = {"notactive": 0.0, "not active": 0.0, **dict(zip("abcde", range(1, 6), strict=True))}
# where FaceReader's A to E begin on its scale of 0 to 1
_BOUNDS = (0.0, 0.1, 0.217, 0.334, 0.622, 0.91)
_FAILED = ("fit_failed", "find_failed", "unknown", "-", *BLANK)

# AFFDEX's names of what AUs do, without blanks and in lower case
AFFDEX = {
    "AU01": "innerbrowraise", "AU02": "browraise", "AU04": "browfurrow", "AU06": "cheekraise",
    "AU07": "lidtighten", "AU10": "upperlipraise", "AU12": "smile", "AU15": "lipcornerdepressor",
    "AU24": "lippress", "AU25": "mouthopen", "AU26": "jawdrop",
}  # fmt: skip
_FACET = re.compile(r"au0*(\d+)evidence")

OPENFACE3 = (1, 2, 4, 6, 9, 12, 25, 26)  # AUs, in the order in which its network gives them
_ANY_AU = re.compile(r"au_?0*(\d+)", re.IGNORECASE)


def is_preamble_end(line: str) -> bool:
    """Whether a line is the header of one of these tools, which others precede in their files."""
    return VIDEO_TIME in line or ("Brow Furrow" in line or re.search(r"AU0*1 Evidence", line) is not
                                  None)  # fmt: skip


def plain(name: str) -> str:
    """Name of a column in lower case, with letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def is_wanted(column: str) -> bool:
    """Whether a column is one that these readers take."""
    key = plain(column)
    return (
        column in (VIDEO_TIME, "Timestamp", "timestamp", "frame_index", "gaze_yaw", "gaze_pitch")
        or column in ("emotion", "emotion_index")
        or key in AFFDEX.values()
        or _FACET.fullmatch(key) is not None
        or _FACEREADER.fullmatch(column) is not None
    )


def _clock(sheet: Sheet, column: str) -> NDArray[np.float64]:
    """Seconds of cells like 00:01:02.040."""
    times = np.empty(len(sheet))
    for row, cell in enumerate(sheet.texts(column)):
        parts = cell.replace(",", ".").split(":")
        try:
            times[row] = sum(float(part) * 60**k for k, part in enumerate(reversed(parts)))
        except ValueError:
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: {cell[:40]!r} in column {column} is no "
                "time as 00:00:01.040."
            ) from None
    return rising(sheet, column, times)


def _facereader_cells(sheet: Sheet, column: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Intensities, 0 to 5, and whether a letter says them."""
    found, letters = np.full(len(sheet), np.nan), np.zeros(len(sheet), np.bool_)
    for row, cell in enumerate(sheet.texts(column)):
        text = cell.lower()
        if text in _FAILED:
            continue
        if text in _LETTERS:
            found[row], letters[row] = _LETTERS[text], True
            continue
        try:
            value = float(text.replace(sheet.decimal, "."))
        except ValueError:
            value = np.nan
        if not 0 <= value <= 1:
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: {cell[:40]!r} in column {column} is "
                "neither a number from 0 to 1 nor NotActive, A, B, C, D or E."
            )
        found[row] = np.interp(value, _BOUNDS, range(6))
    return found, letters


def read_facereader(sheet: Sheet) -> Track:
    """FaceReader's detailed log: an AU is active from A on, as FaceReader itself has it.

    Its numbers from 0 to 1 become A to E, 1 to 5, at the bounds between its categories.
    """
    intensity: dict[str, NDArray[np.float64]] = {}
    for column in sheet.columns:
        match = _FACEREADER.fullmatch(column)
        if match and int(match[1]) in AU_NUMBERS:
            name = AU_NAMES[AU_NUMBERS.index(int(match[1]))]
            intensity[name] = _facereader_cells(sheet, column)[0]
    decision = {
        au: np.where(np.isnan(values), UNKNOWN, values >= 1).astype(np.int8)
        for au, values in intensity.items()
    }
    seen = np.asarray(~np.isnan(np.stack(list(intensity.values()))).all(0), np.bool_)
    strength = {au: values / INTENSITY for au, values in intensity.items()}
    time = _clock(sheet, VIDEO_TIME)
    return Track(sheet.path, "FaceReader", None, time, seen, strength, decision, intensity)


def _milliseconds(sheet: Sheet, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    column = next((name for name in ("Timestamp", "timestamp") if name in sheet), None)
    if column is None:
        raise DataError(f"{sheet.path}, line 1 names no column Timestamp: its rows have no times.")
    return rising(sheet, column, sheet.numbers(column, blank=False), chosen) / 1000


def read_imotions(sheet: Sheet) -> Track:
    """Read iMotions' export of AFFDEX (0 to 100) or FACET (evidence, logarithms of odds).

    Rows of other sensors, without any value of the face, are passed over.
    """
    keys = {plain(name): name for name in sheet.columns}
    columns = {au: keys[key] for au, key in AFFDEX.items() if key in keys}
    notes: tuple[str, ...] = ()
    if columns:
        strength, notes = strengths(sheet, columns, 100)
    else:
        strength = {}
        for key, name in keys.items():
            match = _FACET.fullmatch(key)
            if match and int(match[1]) in AU_NUMBERS:
                evidence = sheet.numbers(name)
                strength[AU_NAMES[AU_NUMBERS.index(int(match[1]))]] = 1 / (1 + 10.0**-evidence)
    mine = np.asarray(~np.isnan(np.stack(list(strength.values()))).all(0), np.bool_)
    if not mine.any():
        raise DataError(f"{sheet.path} has columns of a face and no value in any of them.")
    decision = {
        au: np.where(np.isnan(values), UNKNOWN, values >= THRESHOLD).astype(np.int8)
        for au, values in strength.items()
    }
    time = _milliseconds(sheet, mine)
    time = time - time[mine][0]  # iMotions counts from the start of the recording
    track = Track(sheet.path, "iMotions", None, time, mine, strength, decision, notes=notes)
    return track.take(mine)


def openface3_columns(sheet: Sheet) -> Mapping[str, str]:
    """Columns of OpenFace 3.0's AUs by AU: by their numbers, or eight in its order."""
    numbered: dict[int, str] = {}
    for name in sheet.columns:
        match = _ANY_AU.fullmatch(name)
        if match:
            numbered[int(match[1])] = name
    order = sorted(numbered)
    if len(order) == len(OPENFACE3) and order in (list(range(8)), list(range(1, 9))):
        numbered = {au: numbered[key] for au, key in zip(OPENFACE3, order, strict=True)}
    return {
        name: numbered[number]
        for number, name in zip(AU_NUMBERS, AU_NAMES, strict=True)
        if number in numbered
    }


def is_openface3(sheet: Sheet) -> bool:
    """Whether a table has OpenFace 3.0's gaze or emotion beside AUs."""
    beside = {"gaze_yaw", "gaze_pitch", "emotion_index", "emotion"} & set(sheet.columns)
    return bool(beside) and bool(openface3_columns(sheet))


def read_openface3(sheet: Sheet) -> Track:
    """Tables of OpenFace 3.0's outputs: probabilities of eight AUs, active from 0.5 on."""
    strength, notes = strengths(sheet, openface3_columns(sheet), 1)
    decision = {
        au: np.where(np.isnan(values), UNKNOWN, values >= THRESHOLD).astype(np.int8)
        for au, values in strength.items()
    }
    mine = np.ones(len(sheet), np.bool_)
    if "face_id" in sheet:
        mine = commonest(sheet.numbers("face_id", blank=False))
    column = next((name for name in ("frame", "frame_index", "frame_idx") if name in sheet), None)
    frame = None
    if column is not None:
        first = int(min(sheet.numbers(column, 0, blank=False)[0], 1))
        frame = frames(sheet, column, first, mine)
    if frame is None:
        frame = np.arange(1, len(sheet) + 1)
    seen = np.asarray(~np.isnan(np.stack(list(strength.values()))).all(0), np.bool_)
    track = Track(sheet.path, "OpenFace-3", frame, None, seen, strength, decision, notes=notes)
    return track.take(mine)
