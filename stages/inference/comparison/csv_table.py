"""Tables of numbers in text files, read so that what is wrong is refused with its line."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError

# as pandas, numpy, Windows' C library and people write "nothing"
BLANK = ("", "nan", "na", "none", "null", "-nan", "-nan(ind)", "nan(ind)", "-1.#ind", "1.#qnan")
INFINITE = ("inf", "-inf", "1.#inf", "-1.#inf")
SEPARATORS = ",;\t|"
PICTURE_COLUMNS = ("image", "input", "file", "filename", "path")  # of tables of many pictures
PREAMBLE = 60  # lines before a header, at most
_SHOWN = 80  # characters of a wrong cell or line that a message quotes


@dataclass(frozen=True)
class Sheet:
    """A CSV file with a header, by columns.

    Attributes
    ----------
    path : Path
    columns : dict of str to list of str
        Cells without the blanks around them, by the name of their column, also without them.
    lines : tuple of int or None
        Line of each row in the file; None where they are those after the header.
    decimal : str
        What stands before the decimals of a number.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: tuple[int, ...] | None = None
    decimal: str = "."

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def line(self, row: int) -> int:
        """Line of a row in the file, the header being line 1."""
        return row + 2 if self.lines is None else self.lines[row]

    def parts(self, column: str) -> dict[str, "Sheet"]:
        """Rows by the text in a column."""
        rows: dict[str, list[int]] = {}
        for row, cell in enumerate(self.texts(column)):
            rows.setdefault(cell, []).append(row)
        return {
            key: Sheet(
                self.path,
                {name: [cells[row] for row in at] for name, cells in self.columns.items()},
                tuple(self.line(row) for row in at),
                self.decimal,
            )
            for key, at in rows.items()
        }

    def texts(self, name: str) -> list[str]:
        """Return the cells of a column.

        Raises
        ------
        DataError
            When there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.path}, line 1 names no column {name!r}.")
        return self.columns[name]

    def numbers(
        self,
        name: str,
        low: float = -math.inf,
        high: float = math.inf,
        *,
        blank: bool = True,
    ) -> NDArray[np.float64]:
        """Return the numbers of a column.

        Parameters
        ----------
        name : str
        low, high : float
            What a number must lie between.
        blank : bool
            Whether a cell may be empty.

        Returns
        -------
        (rows,) np.ndarray
            NaN for an empty cell.

        Raises
        ------
        DataError
            When there is no such column, or a cell is no number or lies outside; the message
            names the line.
        """
        values = np.empty(len(self))
        for row, cell in enumerate(self.texts(name)):
            try:
                nothing = cell.lower() in BLANK or (blank and cell.lower() in INFINITE)
                value = math.nan if nothing else float(cell.replace(self.decimal, "."))
            except ValueError:
                raise self._wrong(row, name, "is no number") from None
            if math.isnan(value) and not blank:
                raise self._wrong(row, name, "is empty")
            if not (low <= value <= high or math.isnan(value)):
                raise self._wrong(row, name, f"is not between {low:g} and {high:g}")
            values[row] = value
        return values

    def _wrong(self, row: int, name: str, what: str) -> DataError:
        cell = self.columns[name][row][:_SHOWN]
        return DataError(f"{self.path}, line {self.line(row)}: {cell!r} in column {name} {what}.")


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file, with or without a byte-order mark.

    Raises
    ------
    DataError
        When it cannot be read or is no text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError:
        raise DataError(f"{path} is not plain text: save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise DataError(f"{path} is not CSV ({error}).") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None


def separator_of(header: str) -> str:
    """What separates the cells of a table, by its header: comma, semicolon, tab, bar or blank."""
    best = max(SEPARATORS, key=header.count)
    return best if best in header else " "


def _preamble(file: IO[str], ends: Callable[[str], bool] | None) -> int:
    """Lines before the header, where one that `ends` them is there; the file is at its begin."""
    if ends is not None:
        for number, line in enumerate(islice(file, PREAMBLE)):
            if ends(line):
                file.seek(0)
                return number
        file.seek(0)
    return 0


def picture_column(header: Iterable[str]) -> str | None:
    """Which column names the picture or video of a row; None where none does."""
    return next((name for name in header if name.lower() in PICTURE_COLUMNS), None)


def read_header(path: Path) -> list[str]:
    """Names of the columns of a table.

    Raises
    ------
    DataError
        When it cannot be read or is no text.
    """
    with open_text(path) as file:
        first = file.readline()
        if first.strip().lower().startswith("sep="):
            first = file.readline()
        cells = next(csv.reader([first], delimiter=separator_of(first)), [])
    return [cell.strip() for cell in cells]


def read_sheet(
    path: Path,
    wanted: Callable[[str], bool] = lambda _: True,
    header_is: Callable[[str], bool] | None = None,
) -> Sheet:
    """Read a CSV file with a header.

    Parameters
    ----------
    path : Path
    wanted : callable
        Says by its name whether a column is kept; the others take no memory. Tools write
        hundreds of columns of landmarks.
    header_is : callable, optional
        Says of a line whether it is the header: some tools write of the recording before it.

    Returns
    -------
    Sheet

    Raises
    ------
    DataError
        When it cannot be read, has no rows, or a line has another number of cells than the
        header; the message names the line, the header being line 1.
    """
    with open_text(path) as file:
        before = _preamble(file, header_is)
        first = "".join(islice(file, before, before + 1))
        stated = first.strip().lower().startswith("sep=")  # Excel's own first line
        separator = separator_of(file.readline() if stated else first)
        before += stated
        padded = separator == " " and "  " in first  # columns below one another
        file.seek(0)
        for _ in range(before):  # of any form, a quote that is never closed too
            file.readline()
        lines = csv.reader(file, delimiter=separator, skipinitialspace=padded)
        header = [cell.strip() for cell in next(lines, [])]
        # where commas do not separate, they may stand before decimals
        decimal = "," if separator in ";\t" else "."
        kept = {name: place for place, name in enumerate(header) if wanted(name)}
        columns: dict[str, list[str]] = {name: [] for name in kept}
        numbers: list[int] = []
        rows, blank = 0, False
        for cells in lines:
            if not any(cell.strip() for cell in cells) and len(cells) < 2:
                blank = True  # allowed at the end
                continue
            rows += 1
            if blank or len(cells) != len(header):
                what = "follows an empty line" if blank else f"has {len(cells)} cells"
                raise DataError(
                    f"{path}, line {before + lines.line_num} {what}, the header has "
                    f"{len(header)} cells: the file is cut off or damaged there."
                )
            for name, place in kept.items():
                columns[name].append(cells[place].strip())
            numbers.append(before + lines.line_num)
    if not rows:
        raise DataError(f"{path} holds no rows: it needs a header and at least one line after it.")
    return Sheet(path, columns or {"": [""] * rows}, tuple(numbers), decimal)
