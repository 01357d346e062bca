"""BP4D: occurrence of action units in 41 people's tasks, and the intensity of five of them."""

import csv
from collections.abc import Iterator
from pathlib import Path

from stages.core.facs import AU_NUMBERS, INTENSITY_MAX
from stages.faces.databases.base import (
    RESEARCH,
    Asked,
    Database,
    Labelled,
    first_of,
    lines_of,
    number_in,
    pictures,
)

CODING = ("AUCoding", ".")
SEQUENCES = ("Sequences", "2D+3D", "Sequences(2D+3D)", ".")


def _records(path: Path) -> list[list[str]]:
    return list(csv.reader(lines_of(path)))


def _occurrence(path: Path) -> dict[int, dict[int, int]]:
    """Presence by frame and AU; the first line names the AUs, 9 means not known."""
    titles, *rows = _records(path)
    numbers = [int(number_in(title or "0", path)) for title in titles]
    found: dict[int, dict[int, int]] = {}
    for row in rows:
        values = {
            number: int(number_in(cell, path))
            for number, cell in zip(numbers[1:], row[1:], strict=False)
            if number in AU_NUMBERS and cell
        }
        told = {number: value for number, value in values.items() if value in (0, 1)}
        found[int(number_in(row[0], path))] = told
    return found


def _intensities(folder: Path, task: str) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for path in sorted(folder.glob(f"AU*/{task}_AU*.csv")):
        number = int(number_in(path.parent.name.removeprefix("AU"), path))
        for row in _records(path) if number in AU_NUMBERS else ():
            value = number_in(row[1], path)
            if 0 <= value <= INTENSITY_MAX:  # 9: not known
                found.setdefault(int(number_in(row[0], path)), {})[number] = value
    return found


def _read(asked: Asked) -> Iterator[Labelled]:
    coding = next((asked.root / one for one in CODING if (asked.root / one / "AU_OCC").is_dir()),
                  None)  # fmt: skip
    for path in sorted((coding / "AU_OCC").glob("*_T*.csv")) if coding is not None else ():
        assert coding is not None
        person, _, task = path.stem.partition("_")
        folder = first_of(asked.root, *(f"{one}/{person}/{task}" for one in SEQUENCES))
        if folder is None:
            continue
        present, strong = _occurrence(path), _intensities(coding / "AU_INT", path.stem)
        told = [image for image in pictures(folder) if image.stem.isdigit()]
        for image in told[:: asked.every]:
            number = int(image.stem)
            strength = {
                au: value
                for au, value in strong.get(number, {}).items()
                if value or not present.get(number, {}).get(au)  # the two were coded apart
            }
            if number in present:
                yield Labelled(image, person, present[number], strength)


DATABASE = Database(
    "BP4D",
    RESEARCH,
    "AUCoding/AU_OCC/F001_T1.csv ... (and AU_INT/AU06/F001_T1_AU06.csv ...) beside "
    "Sequences/F001/T1 with the frames by number.",
    _read,
)
