"""Reading Aff-Wild2's annotation files of the AU track, and laying them on a video's frame grid.

A file has the header ``AU1,AU2,...,AU26`` and then one line a frame, each value 0, 1 or -1 (not
annotated); line k after the header is frame k. A file of intensities is the same with decimals of 0
to 5 in place of 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError, is_of_the_machine
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES, INTENSITY_MAX, N_AUS, NOT_ANNOTATED

_VALUES = {"0": 0, "1": 1, "-1": NOT_ANNOTATED}
_SHOWN = 80  # characters of a wrong line that a message quotes


def _text(path: Path) -> str:
    try:
        # utf-8-sig: editors on Windows put a byte-order mark first
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not plain text: save it as UTF-8.") from None
    except OSError as error:
        if is_of_the_machine(error):
            raise
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None


def _cells(path: Path, number: int, line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != N_AUS:
        raise DataError(
            f"{path}, line {number} has {len(cells)} columns instead of {N_AUS}: "
            f"{line.strip()[:_SHOWN]!r}."
        )
    return cells


def _strengths(path: Path, number: int, line: str) -> list[float]:
    found = []
    for cell in _cells(path, number, line):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not (value == NOT_ANNOTATED or 0 <= value <= INTENSITY_MAX):
            raise DataError(
                f"{path}, line {number} holds {cell[:_SHOWN]!r}: write decimals of 0 to 5, or -1 "
                "where not known."
            )
        found.append(math.nan if value == NOT_ANNOTATED else value)
    return found


def _row(path: Path, number: int, line: str) -> list[int]:
    cells = _cells(path, number, line)
    try:
        return [_VALUES[cell] for cell in cells]
    except KeyError as error:
        cell = error.args[0][:_SHOWN]
        raise DataError(f"{path}, line {number} holds {cell!r}: write 0, 1 or -1.") from None


def read_annotation(path: Path) -> NDArray[np.int8]:
    """Read one annotation file.

    Parameters
    ----------
    path : Path
        Text file. Either kind of line end and a byte-order mark are accepted.

    Returns
    -------
    (lines, 12) np.ndarray
        1, 0 or -1 (not annotated).

    Raises
    ------
    DataError
        If the header is not the AU track's, or a line has another number of columns or another
        value; the message names the line, the header being line 1.
    """
    rows = [_row(path, number, line) for number, line in _lines(path)]
    return np.asarray(rows, np.int8).reshape(-1, N_AUS)


def read_intensity(path: Path) -> NDArray[np.float32]:
    """Read one file of intensities.

    Parameters
    ----------
    path : Path

    Returns
    -------
    (lines, 12) np.ndarray
        0 to 5; NaN where not known.

    Raises
    ------
    DataError
        As :func:`read_annotation`.
    """
    rows = [_strengths(path, number, line) for number, line in _lines(path)]
    return np.asarray(rows, np.float32).reshape(-1, N_AUS)


def other_task(header: str) -> str | None:
    """Say of what another annotation of Aff-Wild2 is, by its first line; None for other lines."""
    names = {name.strip().lower() for name in header.split(",")}
    if {"neutral", "anger", "disgust"} <= names:
        return "expressions (the EXPR track)"
    if {"valence", "arousal", "expression"} <= names:
        return "several tasks (the MTL challenge)"
    if {"valence", "arousal"} <= names:
        return "valence and arousal (the VA track)"
    return None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines after the header, with their numbers."""
    # not str.splitlines(), which also breaks at form feeds and the like
    lines = _text(path).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty: its first line must be {ANNOTATION_HEADER}.")
    task = other_task(lines[0])
    if task is not None:
        raise DataError(
            f"{path} is an annotation of {task}, not of AUs: its first line must be "
            f"{ANNOTATION_HEADER}."
        )
    if "".join(lines[0].split()) != ANNOTATION_HEADER:
        raise DataError(
            f"{path} begins with {lines[0].strip()[:_SHOWN]!r}: "
            f"its first line must be {ANNOTATION_HEADER}."
        )
    return enumerate(lines[1:], start=2)


def on_frame_grid(labels: NDArray[Any], frames: int) -> NDArray[Any]:
    """Lay labels, or intensities, on the frame grid of a video.

    Parameters
    ----------
    labels : (lines, 12) np.ndarray
        Lines of an annotation file.
    frames : int
        Number of frames that decode.

    Returns
    -------
    (frames, 12) np.ndarray
        Frames beyond the last line are -1, in intensities NaN; lines beyond the last frame are
        dropped.
    """
    unknown = NOT_ANNOTATED if labels.dtype.kind == "i" else np.nan
    grid = np.full((frames, N_AUS), unknown, labels.dtype)
    count = min(frames, len(labels))
    grid[:count] = labels[:count]
    return grid


def length_warning(lines: int, frames: int) -> str | None:
    """Sentence about an annotation whose length is not its video's; None where they agree."""
    if lines < frames:
        return f"{frames - lines} frames at the end have no annotation line: they count as -1."
    if lines > frames:
        return f"{lines - frames} annotation lines after the last frame were dropped."
    return None


def contradiction(labels: NDArray[np.int8], intensity: NDArray[np.float32]) -> str | None:
    """Say where intensities cannot be those of some labels; None where they can.

    Which intensity counts as present is the annotators' own affair; but it is the same all through
    a file, so of one AU no present frame is weaker than an absent one.
    """
    if len(labels) != len(intensity):
        return f"{len(intensity)} lines, {len(labels)} in the annotation"
    for au, name in enumerate(AU_NAMES):
        known = ~np.isnan(intensity[:, au])
        present = intensity[known & (labels[:, au] == 1), au]
        absent = intensity[known & (labels[:, au] == 0), au]
        if len(present) and len(absent) and present.min() < absent.max():
            return (
                f"{name} is present at {present.min():.4g}, and absent at {absent.max():.4g} "
                "somewhere else"
            )
    return None
