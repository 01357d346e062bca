"""Reading what other tools, and people, say of a video's AUs: recognised by their columns.

=============  =======================================================================
OpenFace 2.2   CSV of FeatureExtraction: ``frame`` from 1, ``timestamp``, ``success``,
               ``AU01_r`` (0 to 5), ``AU01_c`` (0 or 1); blanks after the commas
py-feat        CSV of a Fex: ``AU01`` (probability), ``frame`` from 0, ``FaceScore``,
               ``approx_time`` in whole seconds, which is not used
LibreFace      CSV: ``frame_idx`` from 0, ``frame_time_in_ms``, ``au_1`` (0 or 1),
               ``au_1_intensity`` (0 to 5)
MediaPipe      table of blendshapes, ``browInnerUp`` ... from 0 to 1, one row a frame (``frame``
               from 1) or picture; see :mod:`stages.inference.comparison.blendshapes`
Aff-Wild2      annotation: ``AU1,AU2,...``, a line a frame of 0, 1 and -1
AUFusion       NAME.csv or NAME.parquet of ``aufusion predict``
=============  =======================================================================

A tool that gives an intensity and no decision is not given one here: there is then a correlation
and no F1.

References
----------
T. Baltrusaitis, A. Zadeh, Y. C. Lim, L.-P. Morency. OpenFace 2.0. FG 2018.
J. H. Cheong et al. Py-Feat: Python facial expression analysis toolbox. Affective Science 2023.
D. Chang et al. LibreFace. WACV 2024.
"""

from pathlib import Path, PurePath

import numpy as np

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES, AU_NUMBERS
from stages.inference.columns import COLUMNS
from stages.inference.comparison.blendshapes import BLENDSHAPES, read_mediapipe
from stages.inference.comparison.csv_table import (
    PICTURE_COLUMNS,
    Sheet,
    open_text,
    picture_column,
    read_sheet,
)
from stages.inference.comparison.laboratory import (
    VIDEO_TIME,
    is_openface3,
    is_preamble_end,
    plain,
    read_facereader,
    read_imotions,
    read_openface3,
)
from stages.inference.comparison.laboratory import is_wanted as of_laboratory
from stages.inference.comparison.ours import read_our_parquet, read_our_sheet, read_rested
from stages.inference.comparison.tracks import (
    INTENSITY,
    UNKNOWN,
    Track,
    commonest,
    decisions,
    frames,
    graded,
    largest,
    rising,
    strengths,
)
from stages.learning.metrics import THRESHOLD
from stages.videos.annotations import other_task, read_annotation


def _read_openface(sheet: Sheet) -> Track:
    seen = decisions(sheet, "success") == 1 if "success" in sheet else np.ones(len(sheet), bool)
    confidence = sheet.numbers("confidence", 0, 1) if "confidence" in sheet else None
    if confidence is not None and "success" not in sheet:
        seen = confidence >= THRESHOLD
    named = {name: f"{name}_r" for name in AU_NAMES if f"{name}_r" in sheet}
    strength, notes = strengths(sheet, named, INTENSITY)
    decision = {name: decisions(sheet, f"{name}_c") for name in AU_NAMES if f"{name}_c" in sheet}
    mine = np.ones(len(sheet), np.bool_)
    if "face_id" in sheet:  # of several people (FaceLandmarkVidMulti) the one with most rows
        mine = commonest(sheet.numbers("face_id", blank=False))
    time = None
    if "timestamp" in sheet:
        time = rising(sheet, "timestamp", sheet.numbers("timestamp", blank=False), mine)
    frame = frames(sheet, "frame", 1, mine)
    if frame is None and time is None:
        frame = np.arange(1, len(sheet) + 1)
    track = Track(
        sheet.path, "OpenFace", frame, time, seen, strength, decision, graded(strength), notes
    )
    return track.take(mine)


def _read_pyfeat(sheet: Sheet) -> Track:
    named = {name: name for name in AU_NAMES if name in sheet}
    strength, notes = strengths(sheet, named, 1)
    decision = {
        name: np.where(np.isnan(values), UNKNOWN, values >= THRESHOLD).astype(np.int8)
        for name, values in strength.items()
    }
    seen = np.asarray(~np.isnan(np.stack(list(strength.values()))).all(0), np.bool_)
    if "FaceScore" in sheet:
        seen &= ~np.isnan(sheet.numbers("FaceScore"))
    frame = frames(sheet, "frame", 0)
    if frame is None:
        frame = np.arange(1, len(sheet) + 1)
    size = np.zeros(len(sheet))
    if "FaceRectWidth" in sheet and "FaceRectHeight" in sheet:
        size = sheet.numbers("FaceRectWidth") * sheet.numbers("FaceRectHeight")
    track = Track(sheet.path, "py-feat", frame, None, seen, strength, decision, notes=notes)
    return track.take(largest(frame, size))


def _read_libreface(sheet: Sheet) -> Track:
    columns = {
        name: f"au_{number}_intensity" for number, name in zip(AU_NUMBERS, AU_NAMES, strict=True)
    }
    named = {name: column for name, column in columns.items() if column in sheet}
    strength, notes = strengths(sheet, named, INTENSITY)
    decision = {}
    for number, name in zip(AU_NUMBERS, AU_NAMES, strict=True):
        if f"au_{number}" in sheet:
            decision[name] = decisions(sheet, f"au_{number}")
    known = [~np.isnan(values) for values in strength.values()]
    known += [values != UNKNOWN for values in decision.values()]
    time = None
    if "frame_time_in_ms" in sheet:
        milliseconds = sheet.numbers("frame_time_in_ms", blank=False)
        time = rising(sheet, "frame_time_in_ms", milliseconds) / 1000
    frame = frames(sheet, "frame_idx", 0)
    if frame is None and time is None:
        frame = np.arange(1, len(sheet) + 1)
    seen = np.asarray(np.logical_or.reduce(known), np.bool_)
    return Track(
        sheet.path, "LibreFace", frame, time, seen, strength, decision, graded(strength), notes
    )


def _read_annotation(path: Path) -> Track:
    labels = read_annotation(path)
    if not len(labels):
        raise DataError(f"{path} has a header and no line after it.")
    strength = np.where(labels < 0, np.nan, labels)
    return Track(
        path,
        "Aff-Wild2",
        np.arange(1, len(labels) + 1),
        None,
        np.asarray((labels >= 0).any(1), np.bool_),
        {name: strength[:, au] for au, name in enumerate(AU_NAMES)},
        {name: labels[:, au] for au, name in enumerate(AU_NAMES)},
    )


_WANTED = {
    *COLUMNS, "success", "FaceScore", "FaceRectWidth", "FaceRectHeight", "frame_idx",
    "frame_time_in_ms", "face", "time", *PICTURE_COLUMNS,
    *(name for groups in BLENDSHAPES.values() for names in groups for name in names),
}  # fmt: skip


def is_wanted(column: str) -> bool:
    """Whether a column of a table is one that :func:`track_of` reads."""
    return column in _WANTED or column.lower().startswith("au") or of_laboratory(column)


def one_video(sheet: Sheet, video: str) -> Sheet:
    """Take the rows of one video of a table that may hold several.

    Raises
    ------
    DataError
        When it holds several and none is called so.
    """
    column = picture_column(sheet.columns)
    if column is None:
        return sheet
    parts = sheet.parts(column)
    if len(parts) == 1:
        return sheet
    mine = [name for name in parts if PurePath(name.replace("\\", "/")).stem == video]
    if len(mine) == 1:
        return parts[mine[0]]
    names = ", ".join(sorted(parts)[:4]) + (" ..." if len(parts) > 4 else "")
    raise DataError(
        f"{sheet.path} holds rows of {len(parts)} videos or pictures by its column {column} "
        f"({names}), "
        + (f"and not of one called {video!r}" if video else "and one is needed")
        + ": keep the rows of the one that is compared."
    )


def read_track(path: Path, video: str = "", baseline: float | None = None) -> Track:
    """Read a file of any of the known kinds; of several people the one who is seen most.

    Parameters
    ----------
    path : Path
    video : str
        Name, without its ending, of the video whose rows are taken of a table of several.
    baseline : float, optional
        Seconds of rest to subtract, of a result of ours.

    Raises
    ------
    DataError
        When it is of none, or something in it is wrong; the message names the line.
    """
    if baseline is not None:
        return read_rested(path, baseline)
    if path.suffix.lower() == ".parquet":
        return read_our_parquet(path)
    with open_text(path) as file:
        header = file.readline()
    if "".join(header.split()) == ANNOTATION_HEADER:
        return _read_annotation(path)
    task = other_task(header)
    if task is not None:
        raise DataError(
            f"{path} is an annotation of {task}, not of AUs: its first line would be "
            f"{ANNOTATION_HEADER}."
        )
    return track_of(one_video(read_sheet(path, is_wanted, is_preamble_end), video))


def track_of(sheet: Sheet) -> Track:
    """Read a table of any of the known kinds; of several people the one who is seen most.

    Raises
    ------
    DataError
        When it is of none, or something in it is wrong; the message names the line.
    """
    if all(name in sheet for name in COLUMNS):
        return read_our_sheet(sheet)
    rated = any(f"{name}_r" in sheet for name in AU_NAMES)
    if rated or ("AU01_c" in sheet and "success" in sheet):
        return _read_openface(sheet)
    if VIDEO_TIME in sheet and any(name.startswith("Action Unit") for name in sheet.columns):
        return read_facereader(sheet)
    keys = {plain(name) for name in sheet.columns}
    if {"browfurrow", "innerbrowraise"} <= keys or "au1evidence" in keys:
        return read_imotions(sheet)
    if is_openface3(sheet):
        return read_openface3(sheet)
    if any(f"au_{n}" in sheet or f"au_{n}_intensity" in sheet for n in AU_NUMBERS):
        return _read_libreface(sheet)
    # py-feat 2 has blendshapes beside AUs
    if "AU01" in sheet and ("FaceScore" in sheet or "frame" in sheet):
        return _read_pyfeat(sheet)
    if "browInnerUp" in sheet and "jawOpen" in sheet:
        return read_mediapipe(sheet)
    raise DataError(
        f"{sheet.path}, line 1 is the header of no known format: it needs the columns of OpenFace "
        "(AU01_r, AU01_c), py-feat (AU01, FaceScore), LibreFace (au_1, au_1_intensity), "
        "MediaPipe (browInnerUp, jawOpen), FaceReader (Video Time, Action Unit 01 - ...), iMotions "
        "(Brow Furrow, Inner Brow Raise; AU1 Evidence), OpenFace 3.0 (AU1 ..., gaze_yaw), "
        f"`aufusion predict`, or the line {ANNOTATION_HEADER}."
    )
