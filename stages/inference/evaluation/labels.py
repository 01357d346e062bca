"""Reading labels: a table of photos and videos, or annotations as Aff-Wild2 has them.

Annotations are files ``NAME.txt`` with Aff-Wild2's header, in any folder, beside videos of these
names; files below ``AU_Intensity`` hold intensities. ``people.csv`` (name, person) says who is
seen. Tables are read by :mod:`stages.inference.evaluation.label_table`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

import numpy as np

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, N_AUS, NOT_ANNOTATED
from stages.inference.comparison.csv_table import read_sheet
from stages.inference.evaluation.items import Found, Labelled
from stages.inference.evaluation.label_table import read_table
from stages.inference.evaluation.samples import File
from stages.inference.sources import TAKEN
from stages.videos.annotations import on_frame_grid, read_annotation, read_intensity
from stages.videos.photo import SUFFIXES, is_photo

TABLE = "labels.csv"
PEOPLE = "people.csv"
SIDES = {"_left": "left", "_right": "right"}
INTENSITIES = "AU_Intensity"
CROPS = "cropped_aligned"  # folders of pictures cut from the videos


def read_labels(given: Path) -> Found:
    """Read the labels of a folder, or of a table.

    Raises
    ------
    DataError
        When there are none, or something in them is wrong; the message names file and line.
    """
    if given.is_file():
        return read_table(given)
    if not given.is_dir():
        raise DataError(f"{given} is not there: name a folder of labelled photos or videos.")
    if (given / TABLE).is_file():
        return read_table(given / TABLE)
    return _read_annotations(given)


def unlabelled(folder: Path) -> Found:
    """All photos and videos of a folder, each a person of its own, without labels."""
    found = Found()
    if not folder.is_dir():
        return found
    for path in _media(folder):
        name = path.relative_to(folder).as_posix()
        file = File(name, name, is_photo(path), {})
        nothing = np.full((1, N_AUS), NOT_ANNOTATED, np.int8)
        found.items.append(Labelled(path, file, None, nothing, np.full((1, N_AUS), np.nan, "f4")))
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n[0] != "." and not n.startswith(CROPS))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(here) / name


def _media(folder: Path) -> Iterator[Path]:
    for path in _walk(folder):
        if path.suffix.lower() in TAKEN and not path.stem.endswith(".overlay"):
            yield path


def _is_annotation(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return "".join(file.readline(200).split()) == ANNOTATION_HEADER
    except OSError:
        return False


def _people(folder: Path) -> dict[str, str]:
    if not (folder / PEOPLE).is_file():
        return {}
    sheet = read_sheet(folder / PEOPLE)
    names = [normalize("NFC", name) for name in sheet.texts("name")]
    return dict(zip(names, sheet.texts("person"), strict=True))


def _video_of(name: str, videos: dict[str, Path]) -> tuple[Path | None, str]:
    if name in videos:
        return videos[name], ""
    for suffix, side in SIDES.items():
        stem = name.removesuffix(suffix)
        if stem != name and stem in videos:
            return videos[stem], side
    return None, ""


def _read_annotations(folder: Path) -> Found:
    videos: dict[str, Path] = {}
    texts: dict[str, Path] = {}
    strengths: dict[str, Path] = {}
    for path in _walk(folder):
        # two systems spell an accented letter in two ways: a video and its annotation may
        stem = normalize("NFC", path.stem)
        if path.suffix.lower() in TAKEN - SUFFIXES:
            videos.setdefault(stem, path)
        elif path.suffix.lower() == ".txt" and _is_annotation(path):
            kind = strengths if INTENSITIES in path.parts else texts
            kind.setdefault(stem, path)
    if not texts:
        raise DataError(
            f"{folder} holds no labels: it needs {TABLE}, or annotations NAME.txt that begin with "
            f"{ANNOTATION_HEADER}; with --reference another tool's values are ranked against."
        )
    people, found = _people(folder), Found()
    for name, path in sorted(texts.items()):
        video, side = _video_of(name, videos)
        if video is None:
            found.left_out[name] = f"{path} annotates no video of this folder."
            continue
        labels = read_annotation(path)
        if not (labels != NOT_ANNOTATED).any():
            continue
        strength = np.full(labels.shape, np.nan, np.float32)
        if name in strengths:
            strength = on_frame_grid(read_intensity(strengths[name]), len(labels))
        file = File(name, people.get(name, video.stem), False, {"set": path.parent.name})
        frame = np.arange(1, len(labels) + 1)
        found.items.append(Labelled(video, file, frame, labels, strength, side))
    if not people:
        found.notes.append("There is no people.csv: every video counts as a person.")
    return found
