"""EmotioNet: action units of pictures from the web, the part that was coded by hand."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from stages.core.facs import AU_NUMBERS
from stages.faces.databases.base import Asked, Database, Labelled, first_of, number_in, rows_of

TABLES = "EmotioNet_FACS*.csv"
AU = re.compile(r"AU ?0?(\d{1,2})", re.IGNORECASE)


def _read(asked: Asked) -> Iterator[Labelled]:
    images = first_of(asked.root, "imgs", "images", "img")
    for path in sorted(asked.root.glob(TABLES)) if images is not None else ():
        for row in rows_of(path, "URL"):
            assert images is not None
            image = images / PurePosixPath(row["URL"].partition("?")[0]).name
            if not image.is_file():  # many have gone from the web
                continue
            aus = {}
            for title, cell in row.items():
                found = AU.fullmatch(title)
                if found and int(found[1]) in AU_NUMBERS and cell:
                    value = number_in(cell, path)
                    if value in (0, 1):  # 999: not known
                        aus[int(found[1])] = int(value)
            yield Labelled(image, aus=aus)


DATABASE = Database(
    "EmotioNet",
    "non-commercial research only, by the database's agreement; pictures: their owners'",
    f"{TABLES} (columns URL, AU 1, ...; a sheet is to be saved as CSV) beside imgs or images with "
    "the pictures under the last part of their addresses.",
    _read,
)
