"""Reading Aff-Wild2's annotation files of the AU track, and laying them on a video's frame grid.

A file has the header ``AU1,AU2,...,AU26`` and then one line a frame, each value 0, 1 or -1 (not
annotated); line k after the header is frame k.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError, is_of_the_machine
from stages.core.facs import ANNOTATION_HEADER, N_AUS, NOT_ANNOTATED

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


def _row(path: Path, number: int, line: str) -> list[int]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != N_AUS:
        raise DataError(
            f"{path}, line {number} has {len(cells)} columns instead of {N_AUS}: "
            f"{line.strip()[:_SHOWN]!r}."
        )
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
    path = Path(path)
    # not str.splitlines(), which also breaks at form feeds and the like
    lines = _text(path).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty: its first line must be {ANNOTATION_HEADER}.")
    if "".join(lines[0].split()) != ANNOTATION_HEADER:
        raise DataError(
            f"{path} begins with {lines[0].strip()[:_SHOWN]!r}: "
            f"its first line must be {ANNOTATION_HEADER}."
        )
    rows = [_row(path, number, line) for number, line in enumerate(lines[1:], start=2)]
    return np.asarray(rows, np.int8).reshape(-1, N_AUS)


def on_frame_grid(labels: NDArray[np.int8], frames: int) -> NDArray[np.int8]:
    """Lay labels on the frame grid of a video.

    Parameters
    ----------
    labels : (lines, 12) np.ndarray
        Lines of an annotation file.
    frames : int
        Number of frames that decode.

    Returns
    -------
    (frames, 12) np.ndarray
        Frames beyond the last line are -1; lines beyond the last frame are dropped.
    """
    grid = np.full((frames, N_AUS), NOT_ANNOTATED, np.int8)
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
