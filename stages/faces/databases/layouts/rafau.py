"""RAF-AU: action units of pictures from the web, coded by experts."""

import re
from collections.abc import Iterator
from pathlib import Path

from stages.core.errors import DataError
from stages.core.facs import AU_NUMBERS
from stages.faces.databases.base import RESEARCH, Asked, Database, Labelled, first_of, lines_of

LABELS = "RAFAU_label.txt"
CODE = re.compile(r"[LRlr]?(\d{1,2})")


def _numbers(text: str, path: Path) -> set[int]:
    if text == "null":
        return set()
    found = [CODE.fullmatch(code) for code in text.split("+")]
    if not all(found):
        raise DataError(f"{path}: {text!r} are no AUs; expected 1+L2+25, or null.")
    return {int(one[1]) for one in found if one}


def _read(asked: Asked) -> Iterator[Labelled]:
    path = asked.root / LABELS
    if not path.is_file():
        return
    for line in lines_of(path):
        name, codes = [*line.split(), ""][:2]
        stem = Path(Path(name).name).stem
        image = first_of(
            asked.root, f"original/{stem}.jpg", f"aligned/{stem}_aligned.jpg",
            f"aligned/{stem}.jpg", f"{stem}.jpg",
        )  # fmt: skip
        if image is not None and codes:
            present = _numbers(codes, path)
            yield Labelled(image, aus={number: int(number in present) for number in AU_NUMBERS})


DATABASE = Database(
    "RAF-AU",
    RESEARCH,
    f"{LABELS} (a line a picture: 0001.jpg 1+L2+25) beside original or aligned with the pictures.",
    _read,
)
