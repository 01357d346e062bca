"""Reading a table of labels.

It has a column ``image``, ``video`` or ``file``, with paths relative to the table; AU columns
``AU1`` (or ``AU01``) with 1, 0 or nothing where it is not known; where known, intensities
``AU01_r`` from 0 to 5; and if it likes ``person``, and ``frame`` (from 1; without it a row holds
for the whole file). Every further column is a group.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, AU_NUMBERS, N_AUS, NOT_ANNOTATED
from stages.inference.comparison.csv_table import BLANK, Sheet, read_sheet
from stages.inference.comparison.tracks import INTENSITY
from stages.inference.evaluation.items import Found, Labelled
from stages.inference.evaluation.samples import File
from stages.videos.photo import is_photo

FILE_COLUMNS = ("image", "video", "file", "path", "filename")
_PRESENCE = re.compile(r"AU0*(\d+)")
_STRENGTH = re.compile(r"AU0*(\d+)_(?:r|intensity)", re.IGNORECASE)


def _columns(sheet: Sheet, pattern: re.Pattern[str]) -> dict[int, str]:
    """Columns of AUs by the AU's number."""
    found: dict[int, str] = {}
    for name in sheet.columns:
        match = pattern.fullmatch(name)
        if match:
            number = int(match.group(1))
            if number in found:
                raise DataError(f"{sheet.path}, line 1 names AU{number} twice.")
            found[number] = name
    return found


def _safe(sheet: Sheet, cells: Sequence[str], column: str) -> list[PurePosixPath]:
    paths = []
    for row, cell in enumerate(cells):
        path = PurePosixPath(cell.replace("\\", "/"))
        if not cell or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: {cell[:80]!r} in column {column} is no "
                "path below the table's folder."
            )
        paths.append(path)
    return paths


def _presence(sheet: Sheet, columns: dict[int, str]) -> NDArray[np.int8]:
    labels = np.full((len(sheet), N_AUS), NOT_ANNOTATED, np.int8)
    for au, number in enumerate(AU_NUMBERS):
        if number not in columns:
            continue
        values = sheet.numbers(columns[number], NOT_ANNOTATED)
        wrong = np.flatnonzero(~np.isnan(values) & ~np.isin(values, (0, 1, NOT_ANNOTATED)))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: {sheet.texts(columns[number])[row]!r} in "
                f"column {columns[number]} is neither 0 nor 1; an intensity goes into a column AU"
                f"{number:02d}_r."
            )
        labels[:, au] = np.nan_to_num(values, nan=NOT_ANNOTATED)
    return labels


def _strength(sheet: Sheet, columns: dict[int, str]) -> NDArray[np.float32]:
    values = np.full((len(sheet), N_AUS), np.nan, np.float32)
    for au, number in enumerate(AU_NUMBERS):
        if number in columns:
            values[:, au] = sheet.numbers(columns[number], 0, INTENSITY)
    return values


def read_table(path: Path) -> Found:
    """Read a table of labels.

    Raises
    ------
    DataError
        When something in it is wrong; the message names the line.
    """
    sheet = read_sheet(path)
    lower = {name.lower(): name for name in sheet.columns}
    column = next((lower[name] for name in FILE_COLUMNS if name in lower), None)
    if column is None:
        raise DataError(f"{path}, line 1 names no column {' or '.join(FILE_COLUMNS)}.")
    presence, strength = _columns(sheet, _PRESENCE), _columns(sheet, _STRENGTH)
    if not {*presence, *strength} & set(AU_NUMBERS):
        raise DataError(f"{path}, line 1 names none of the 12 AUs ({ANNOTATION_HEADER}).")
    cells = sheet.texts(column)
    paths = _safe(sheet, cells, column)
    person = sheet.texts(lower["person"]) if "person" in lower else cells
    frame = None
    if "frame" in lower:
        frame = sheet.numbers(lower["frame"], 1, blank=False).astype(np.int64)
    labels, values = _presence(sheet, presence), _strength(sheet, strength)
    used = {column, lower.get("person"), lower.get("frame"), *presence.values(), *strength.values()}
    groups = [name for name in sheet.columns if name and name not in used]
    rows: dict[PurePosixPath, list[int]] = {}
    for row, name in enumerate(paths):
        rows.setdefault(name, []).append(row)
    found = Found()
    if "person" not in lower:
        found.notes.append("The table has no column person: every file counts as a person.")
    others = sorted({*presence, *strength} - set(AU_NUMBERS))
    if others:
        names = ", ".join(f"AU{number}" for number in others)
        found.notes.append(f"Labels of {names} are not used: only 12 AUs are predicted.")
    for name, at in rows.items():
        media = path.parent / name
        if not media.is_file():
            found.left_out[str(name)] = f"{media} is not there."
            continue
        if frame is None and len(at) > 1:
            raise DataError(
                f"{path}, line {at[1] + 2}: {name} stands in line {at[0] + 2} already; labels of "
                "single frames need a column frame."
            )
        cells_of = {group: sheet.columns[group][at[0]] for group in groups}
        about = {g: cell for g, cell in cells_of.items() if cell.lower() not in BLANK}
        file = File(name.as_posix(), person[at[0]] or name.as_posix(), is_photo(media), about)
        numbers = None if frame is None else frame[at]
        found.items.append(Labelled(media, file, numbers, labels[at], values[at]))
    return found
