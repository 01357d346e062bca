"""Aff-Wild2: every track's annotations on the published crops."""

import math
from collections.abc import Iterator
from pathlib import Path

from stages.core.errors import DataError
from stages.core.expressions import DATABASES
from stages.core.facs import ANNOTATION_HEADER, AU_NUMBERS
from stages.faces.databases.base import (
    RESEARCH,
    Asked,
    Database,
    Labelled,
    first_of,
    known,
    lines_of,
    number_in,
    pictures,
)

CROPS = ("cropped_aligned", "cropped_aligned_images")
PARTS = ("Train_Set", "Validation_Set")
TRACKS = {
    "au": ("AU_Detection_Challenge", "AU_Set"),
    "expression": ("EXPR_Recognition_Challenge", "EXPR_Classification_Challenge", "EXPR_Set"),
    "affect": ("VA_Estimation_Challenge", "VA_Set"),
}
CLASSES = DATABASES["affwild2"]


def _track(root: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Annotations of a track by video; they may lie in a folder ``Annotations``."""
    found: dict[str, Path] = {}
    for name in names:
        for part in PARTS:
            for home in (root / name / part, root / "Annotations" / name / part):
                found |= {path.stem: path for path in sorted(home.glob("*.txt"))}
    return found


def _rows(path: Path | None, width: int) -> list[list[float]]:
    """Numbers by frame; the first line names the columns."""
    if path is None:
        return []
    rows = [[number_in(cell, path) for cell in line.split(",")] for line in lines_of(path)[1:]]
    if any(len(row) != width for row in rows):
        raise DataError(f"{path} has lines of another number than {width} values.")
    return rows


def _one(image: Path, person: str, au: list[float], expression: float, affect: list[float]) -> (
    Labelled
):  # fmt: skip
    told = dict(zip(AU_NUMBERS, au, strict=False))
    name = CLASSES.get(int(expression), "")
    valence, arousal = affect
    return Labelled(
        image,
        person,
        aus={number: int(value) for number, value in told.items() if value in (0, 1)},
        valence=known(valence, -1, 1),  # -5: not known
        arousal=known(arousal, -1, 1),
        expression="" if name == "other" else name,
    )


def _read(asked: Asked) -> Iterator[Labelled]:
    crops = first_of(asked.root, *CROPS)
    tracks = {name: _track(asked.root, folders) for name, folders in TRACKS.items()}
    videos = sorted(set().union(*tracks.values())) if crops is not None else []
    for video in videos:
        assert crops is not None
        folder = crops / video
        if not folder.is_dir():
            continue
        au = _rows(tracks["au"].get(video), len(ANNOTATION_HEADER.split(",")))
        expression = _rows(tracks["expression"].get(video), 1)
        affect = _rows(tracks["affect"].get(video), 2)
        person = video.removesuffix("_left").removesuffix("_right")
        for image in [one for one in pictures(folder) if one.stem.isdigit()][:: asked.every]:
            row = int(image.stem) - 1  # a line a frame, whether it has a crop or not
            yield _one(
                image,
                person,
                au[row] if row < len(au) else [],
                expression[row][0] if row < len(expression) else -1,
                affect[row] if row < len(affect) else [math.nan, math.nan],
            )


DATABASE = Database(
    "Aff-Wild2",
    RESEARCH,
    "cropped_aligned/VIDEO/00001.jpg ... beside AU_Detection_Challenge, "
    "EXPR_Recognition_Challenge, VA_Estimation_Challenge with Train_Set and Validation_Set "
    "(any of them, also in Annotations).",
    _read,
)
