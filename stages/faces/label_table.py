"""A user's labelled pictures: a CSV with a column of paths and columns of labels.

``image`` is a path relative to the CSV, which may not lead out of the CSV's folder, or an
absolute one, for the CSV is the user's own. ``person`` (optional) keeps one person's pictures on
one side of the validation; without it whoever a picture shows counts as somebody of its own.
Labels are any of AU1 ... AU26 (our 12; AU01 as well; 1, 0), their intensities AU1_r ... AU26_r (0
to 5; AU01_r as well; beside presence or alone, which is present from
:data:`stages.core.facs.PRESENT_FROM` on then), ``valence`` and ``arousal`` (-1 to 1),
``expression`` (a name of :data:`stages.core.facs.FACE_CLASSES`, or the number that the database of
the setting `data.faces_expressions` gives it), and the annotators' votes on it
(:mod:`stages.faces.votes`). An empty cell, ``nan`` and, but for valence and arousal, -1 mean that
it is not known; so does an expression of the database that is none of ours.
"""

import csv
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import DataError
from stages.core.expressions import ALIASES, DATABASES
from stages.core.facs import AU_NUMBERS, FACE_CLASSES, INTENSITY_MAX, PRESENT_FROM
from stages.faces.votes import TITLES, most_voted, read_votes

UNKNOWN = -1
AU_COLUMN = re.compile(r"au0?([1-9]\d?)(_r)?", re.IGNORECASE)
AFFECT = ("valence", "arousal")
ALLOWED = (
    "image, person, AU1 ... AU26, AU1_r ... AU26_r, valence, arousal, expression, "
    f"{TITLES[0]} ... {TITLES[-1]}"
)
OWN = ("image", "person", *AFFECT, "expression", *TITLES)


class AmbiguousNumber(Exception):
    """The number of an expression, of which nobody said in whose order."""


@dataclass(frozen=True)
class Row:
    """One picture of the table.

    Attributes
    ----------
    line : int
        Its line in the CSV, from 1.
    image : Path
    person : str
        ``""`` where it is not known.
    aus : tuple of int
        1, 0 or -1 (not known) for each of the 12 AUs.
    intensities : tuple of float
        0 to 5 or NaN (not known) for each of them.
    valence, arousal : float
        NaN where it is not known.
    expression : int
        -1 where it is not known.
    votes : tuple of float
        Share of the annotators for each class; NaN where it is not known.
    """

    line: int
    image: Path
    person: str
    aus: tuple[int, ...]
    intensities: tuple[float, ...]
    valence: float
    arousal: float
    expression: int
    votes: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """What a CSV holds.

    Attributes
    ----------
    rows : list of Row
        The good ones, in the order of the file.
    left_out : dict of int to str
        By line, the reason why it is left out.
    ignored : list of str
        Columns that are none of ours.
    """

    rows: list[Row]
    left_out: dict[int, str]
    ignored: list[str]


def _key(title: str) -> str:
    """Return the name under which we know a column, ``""`` for one that is none of ours."""
    title = title.strip()
    au = AU_COLUMN.fullmatch(title)
    if au:
        return f"AU{int(au[1])}{(au[2] or '').lower()}" if int(au[1]) in AU_NUMBERS else ""
    return title.lower() if title.lower() in OWN else ""


def _number(text: str) -> float:
    """Return the number in a cell: NaN for an empty one, infinity for what is none."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.inf


def _au(name: str, text: str) -> int:
    value = _number(text)
    if math.isnan(value):
        return UNKNOWN
    if value not in (0, 1, UNKNOWN):
        raise DataError(f"{name} = {text!r}; allowed: 0, 1, and -1 or nothing where not known")
    return int(value)


def _intensity(name: str, text: str) -> float:
    value = _number(text)
    if value == UNKNOWN:
        return math.nan
    if not (math.isnan(value) or 0 <= value <= INTENSITY_MAX):
        raise DataError(
            f"{name} = {text!r}; allowed: 0 to {INTENSITY_MAX:g}, and -1 or nothing where not known"
        )
    return value


def _with_strength(name: str, presence: int, intensity: float) -> int:
    """Presence of an AU whose intensity may be known beside it, or alone."""
    if math.isnan(intensity):
        return presence
    if presence == UNKNOWN:
        return int(intensity >= PRESENT_FROM)
    if presence and not intensity:
        raise DataError(f"{name} = 1 and {name}_r = 0 contradict each other: correct one of them")
    return presence


def _affect(name: str, text: str) -> float:
    value = _number(text)
    if abs(value) > 1:  # never true of NaN
        raise DataError(f"{name} = {text!r}; allowed: -1 to 1, and nothing where not known")
    return value


def _expression(text: str, database: str) -> int:
    name = ALIASES.get(text.lower(), text.lower())
    value = _number(text)
    if math.isnan(value) or value == UNKNOWN:
        return UNKNOWN
    numbers = DATABASES.get(database, {})
    if math.isfinite(value) and not numbers:
        raise AmbiguousNumber(text)
    if not math.isinf(value):
        name = numbers.get(int(value), "") if value.is_integer() else ""
    if name in FACE_CLASSES:
        return FACE_CLASSES.index(name)
    if name and any(name in others.values() for others in DATABASES.values()):
        return UNKNOWN  # "other", say
    allowed = ", ".join(f"{number} {name}" for number, name in numbers.items())
    allowed = allowed or ", ".join(FACE_CLASSES)
    raise DataError(f"expression = {text!r}; allowed: {allowed}, and nothing where not known")


def _place(folder: Path, text: str) -> Path:
    if not text:
        raise DataError("image is empty")
    if "\0" in text:
        raise DataError("image holds a character that no path can hold")
    if Path(text).is_absolute():
        return Path(text)
    if Path(os.path.normpath(text)).parts[:1] == (os.pardir,):
        raise DataError(f"image = {text!r} leads out of the CSV's folder: give an absolute path")
    return folder / text


def _row(line: int, folder: Path, cells: dict[str, str], database: str) -> Row:
    told = tuple(_au(f"AU{n}", cells.get(f"AU{n}", "")) for n in AU_NUMBERS)
    strong = tuple(_intensity(f"AU{n}_r", cells.get(f"AU{n}_r", "")) for n in AU_NUMBERS)
    aus = tuple(
        _with_strength(f"AU{n}", presence, intensity)
        for n, presence, intensity in zip(AU_NUMBERS, told, strong, strict=True)
    )
    votes = read_votes(cells)
    expression = _expression(cells.get("expression", ""), database)
    row = Row(
        line=line,
        image=_place(folder, cells["image"]),
        person=cells.get("person", ""),
        aus=aus,
        intensities=strong,
        valence=_affect("valence", cells.get("valence", "")),
        arousal=_affect("arousal", cells.get("arousal", "")),
        expression=most_voted(votes) if expression == UNKNOWN else expression,
        votes=votes,
    )
    affect_known = not (math.isnan(row.valence) and math.isnan(row.arousal))
    expressed = row.expression != UNKNOWN or not math.isnan(votes[0])
    if not (affect_known or expressed or set(row.aus) != {UNKNOWN}):
        raise DataError("it has no label")
    return row


def _lines(text: Iterator[str]) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield the records of a CSV with their lines; one that cannot be read as its error."""
    reader = csv.reader(text)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, error
        else:
            if record:  # a blank line has no cells
                yield reader.line_num, record


def _columns(path: Path, titles: list[str]) -> list[str]:
    keys = [_key(title) for title in titles]
    known = [key for key in keys if key]
    twice = {key for key in known if known.count(key) > 1}
    if twice:
        raise DataError(f"{path} has two columns {', '.join(sorted(twice))}: leave one out.")
    if "image" not in known:
        raise DataError(f"{path} has no column image: its first line names columns; {ALLOWED}.")
    if not set(known) - {"image", "person"}:
        raise DataError(f"{path} has no column of labels; allowed: {ALLOWED}.")
    return keys


def read_table(path: Path, database: str = "names") -> Table:
    """Read a CSV of labelled pictures; the pictures themselves are not looked at.

    Parameters
    ----------
    path : Path
        UTF-8, commas, the first line names the columns in any order.
    database : str
        Whose numbers expressions have: a key of :data:`stages.core.expressions.DATABASES`, or
        ``names``, with which numbers are refused.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When the file is missing or no CSV, has no column of pictures or none of labels, or has
        numbers of expressions in nobody's order.
    """
    rows, left_out = [], {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(iter(file))
            _, titles = next(lines, (0, []))
            if isinstance(titles, csv.Error):
                raise DataError(f"{path} is no CSV ({titles}).")
            keys = _columns(path, titles)
            for line, record in lines:
                if isinstance(record, csv.Error):
                    left_out[line] = f"it is no line of a CSV ({record})"
                elif len(record) != len(keys):
                    left_out[line] = f"it has {len(record)} columns, the first line {len(keys)}"
                else:
                    cells = zip(keys, record, strict=True)
                    try:
                        row = {key: cell.strip() for key, cell in cells if key}
                        rows.append(_row(line, path.parent, row, database))
                    except DataError as error:
                        left_out[line] = str(error)
                    except AmbiguousNumber as error:
                        raise DataError(
                            f"{path}, line {line}: expression = {error} is a number, and each "
                            f"database counts in an order of its own: write names "
                            f"({', '.join(FACE_CLASSES)}), or say whose numbers they are by "
                            f"data.faces_expressions: {', '.join(DATABASES)}."
                        ) from None
    except FileNotFoundError:
        raise DataError(f"{path} is missing: check the setting `data.faces`.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a CSV in UTF-8 ({error}).") from None
    ignored = [title.strip() for title, key in zip(titles, keys, strict=True) if not key]
    return Table(rows, left_out, ignored)
