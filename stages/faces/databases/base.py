"""What a database of faces is to us."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stages.core.errors import DataError


@dataclass(frozen=True)
class Labelled:
    """One picture with what a database says of it.

    Attributes
    ----------
    image : Path
    person : str
        Whose face it is; of a clip of nobody known the clip. ``""`` where each counts as another.
    aus : mapping of int to int
        Presence, 1 or 0, by the number of the AU; what is not known is left out.
    intensities : mapping of int to float
        0 to 5, likewise.
    valence, arousal : float
        -1 to 1; NaN where it is not known.
    expression : str
        A name of :data:`stages.core.facs.FACE_CLASSES`, or another that the database has; ``""``
        where it is not known.
    votes : mapping of str to float
        How many annotators chose each of those; empty where that is not known.
    """

    image: Path
    person: str = ""
    aus: Mapping[int, int] = field(default_factory=dict)
    intensities: Mapping[int, float] = field(default_factory=dict)
    valence: float = math.nan
    arousal: float = math.nan
    expression: str = ""
    votes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A folder that is to be read, and how.

    Attributes
    ----------
    root : Path
        The database as it was handed out.
    frames : Path
        Where pictures go that lie in videos or tables.
    every : int
        Of clips and videos, take every so many frames.
    """

    root: Path
    frames: Path
    every: int = 1


@dataclass(frozen=True)
class Database:
    """A database.

    Attributes
    ----------
    title : str
        As its authors call it.
    licence : str
        For `data.faces_licence`: what its agreement allows.
    layout : str
        What is expected in its folder.
    read : callable
        ``read(asked)`` yields the pictures.
    """

    title: str
    licence: str
    layout: str
    read: Callable[[Asked], Iterator[Labelled]]


RESEARCH = "non-commercial research only, by the database's agreement"


def rows_of(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV, titles and cells without blanks and quotes around them.

    Raises
    ------
    DataError
        When it lacks a column, or is no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            titles = [title.strip(" '\"\t") for title in next(reader, [])]
            lacking = [column for column in columns if column not in titles]
            if lacking:
                raise DataError(f"{path} has no column {', '.join(lacking)}.")
            for record in reader:
                cells = (cell.strip(" '\"\t") for cell in record)
                yield dict(zip(titles, cells, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a CSV in UTF-8 ({error}).") from None


def lines_of(path: Path) -> list[str]:
    """Lines of a text file, blank ones left out.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text in UTF-8 ({error}).") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def number_in(text: str, where: Path) -> float:
    """Return the number in a cell.

    Raises
    ------
    DataError
        When it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is no number.") from None


def known(value: float, lowest: float, highest: float) -> float:
    """Return a value, or NaN where it lies outside, by which databases say that it is not known."""
    return value if lowest <= value <= highest else math.nan


def pictures(folder: Path) -> list[Path]:
    """JPEG and PNG files of a folder, by number where their names are numbers."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return sorted(found, key=lambda path: (len(path.stem), path.stem))


def first_of(root: Path, *names: str) -> Path | None:
    """Return the first of some files or folders that is there."""
    return next((root / name for name in names if (root / name).exists()), None)
