"""AffectNet: expressions of 8 classes, valence and arousal of pictures from the web."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.core.errors import DataError
from stages.core.expressions import DATABASES
from stages.faces.databases.base import (
    RESEARCH,
    Asked,
    Database,
    Labelled,
    first_of,
    known,
    number_in,
    rows_of,
)

LISTS = ("Manually_Annotated_file_lists", ".")
IMAGES = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", ".")
CLASSES = DATABASES["affectnet"]
HEADER = 1 << 12  # bytes; an annotation holds one number


def _expression(number: float) -> str:
    name = CLASSES.get(int(number), "") if number == int(number) else ""
    return "" if name in ("none", "uncertain", "no-face") else name


def _of_lists(root: Path) -> Iterator[Labelled]:
    images = first_of(root, *IMAGES)
    assert images is not None
    for folder in LISTS:
        for name in ("training.csv", "validation.csv"):
            path = root / folder / name
            if not path.is_file():
                continue
            wanted = ("subDirectory_filePath", "expression", "valence", "arousal")
            for row in rows_of(path, *wanted):
                image = images / row["subDirectory_filePath"]
                if ".." in image.parts or not image.is_file():
                    continue
                valence, arousal = (number_in(row[key], path) for key in ("valence", "arousal"))
                yield Labelled(
                    image,
                    valence=known(valence, -1, 1),  # -2: not known
                    arousal=known(arousal, -1, 1),
                    expression=_expression(number_in(row["expression"], path)),
                )


def _number(path: Path) -> float:
    """The number in a file of numpy: a text or a number, without dimensions."""
    try:
        if path.stat().st_size > HEADER:
            raise ValueError("more than one number")
        value = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        return float(value)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} holds no number of AffectNet ({error}).") from None


def _of_sets(root: Path) -> Iterator[Labelled]:
    for part in ("train_set", "val_set"):
        for path in sorted((root / part / "annotations").glob("*_exp.npy")):
            stem = path.name.removesuffix("_exp.npy")
            image = root / part / "images" / f"{stem}.jpg"
            if image.is_file():
                yield Labelled(
                    image,
                    valence=known(_number(path.with_name(f"{stem}_val.npy")), -1, 1),
                    arousal=known(_number(path.with_name(f"{stem}_aro.npy")), -1, 1),
                    expression=_expression(_number(path)),
                )


def _read(asked: Asked) -> Iterator[Labelled]:
    yield from _of_lists(asked.root)
    yield from _of_sets(asked.root)


DATABASE = Database(
    "AffectNet",
    RESEARCH,
    "training.csv and validation.csv in Manually_Annotated_file_lists with their pictures in "
    "Manually_Annotated_Images; or train_set and val_set with images and annotations (the release "
    "of 8 classes).",
    _read,
)
