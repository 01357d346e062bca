"""From a database's folder to the CSV that `data.faces` names."""

import csv
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Final

from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NUMBERS, FACE_CLASSES
from stages.core.files import replacing
from stages.faces import votes
from stages.faces.databases import layouts
from stages.faces.databases.base import Asked, Database, Labelled

DATABASES: Final[Mapping[str, Database]] = {
    module.name: import_module(f"{layouts.__name__}.{module.name}").DATABASE
    for module in pkgutil.iter_modules(layouts.__path__)
}
TITLES = (
    "image", "person", *(f"AU{n}" for n in AU_NUMBERS), *(f"AU{n}_r" for n in AU_NUMBERS),
    "valence", "arousal", "expression", *votes.TITLES,
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What a table holds.

    Attributes
    ----------
    pictures, people, unlabelled : int
        Rows; different people in them; pictures that were left out, for none of our labels is
        known of them.
    """

    pictures: int
    people: int
    unlabelled: int


def write_table(name: str, root: Path, out: Path, *, every: int = 1) -> Written:
    """Write a database's pictures and labels as a CSV.

    Parameters
    ----------
    name : str
        A key of :data:`DATABASES`.
    root : Path
        Its folder, as it was handed out.
    out : Path
        The CSV. Pictures that lie in videos or tables go to the folder ``STEM_frames`` beside it.
        Neither may be there.
    every : int
        Of clips and videos, take every so many frames.

    Returns
    -------
    Written

    Raises
    ------
    SettingsError
        When there is no such database, or `every` is less than 1.
    DataError
        When the folder is laid out otherwise, or something is there where it would be written.
    """
    if name not in DATABASES:
        raise SettingsError(f"{name!r} is no database; allowed: {', '.join(DATABASES)}.")
    if every < 1:
        raise SettingsError(f"--every is {every}; allowed: 1 frame or more.")
    database, frames = DATABASES[name], out.with_name(f"{out.stem}_frames")
    for path in (out, frames):
        if path.exists():
            raise DataError(f"{path} is there already: name another file, or remove it.")
    if not root.is_dir():
        raise DataError(f"{root} is no folder. {_expected(database)}")
    found = database.read(Asked(root, frames, every))
    first = next(found, None)
    if first is None:
        raise DataError(f"{root} holds nothing of {database.title}. {_expected(database)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    count, unlabelled, people = 0, 0, set()
    with (
        replacing(out) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TITLES)
        for one in chain([first], found):
            labels = _labels(one)
            if not any(labels):
                unlabelled += 1
                continue
            writer.writerow([one.image.absolute(), one.person, *labels])
            people.add(one.person or one.image)
            count += 1
        if not count:
            raise DataError(f"{root}: of no picture a label is known that AUFusion has.")
    return Written(count, len(people), unlabelled)


def _expected(database: Database) -> str:
    return f"Of {database.title} this is expected: {database.layout}"


def _labels(one: Labelled) -> list[str]:
    affect = [f"{value:g}" if math.isfinite(value) else "" for value in (one.valence, one.arousal)]
    return [
        *(str(one.aus.get(n, "")) for n in AU_NUMBERS),
        *(f"{one.intensities[n]:g}" if n in one.intensities else "" for n in AU_NUMBERS),
        *affect,
        one.expression,
        *(f"{one.votes[name]:g}" if one.votes.get(name) else "" for name in FACE_CLASSES),
    ]
