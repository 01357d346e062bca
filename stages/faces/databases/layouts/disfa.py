"""DISFA: intensities of 12 action units in every frame of 27 people's videos."""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2

from stages.core.errors import DataError
from stages.core.facs import AU_NUMBERS, INTENSITY_MAX
from stages.core.files import replacing
from stages.faces.databases.base import (
    RESEARCH,
    Asked,
    Database,
    Labelled,
    first_of,
    lines_of,
    number_in,
)
from stages.videos.video import read_frames

LABELS = ("ActionUnit_Labels", "Labels")
VIDEOS = ("Videos_LeftCamera", "Video_LeftCamera", "Videos_RightCamera", "Video_RightCamera")


def _intensities(folder: Path) -> dict[int, list[float]]:
    """Intensity of each AU by frame; a line holds the number of the frame, from 1, and it."""
    found: dict[int, list[float]] = {}
    for path in sorted(folder.glob(f"{folder.name}_au*.txt")):
        number = re.fullmatch(r".+_au(\d+)", path.stem)
        if number is None or int(number[1]) not in AU_NUMBERS:
            continue
        values = [number_in(line.split(",")[-1], path) for line in lines_of(path)]
        if not all(0 <= value <= INTENSITY_MAX for value in values):
            raise DataError(f"{path} holds an intensity outside 0 to 5.")
        found[int(number[1])] = values
    return found


def _frames(video: Path, folder: Path, every: int) -> Iterator[tuple[int, Path]]:
    for number, (_, picture) in enumerate(read_frames(video)):
        if number % every:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number + 1:05d}.jpg"
        with replacing(path) as temporary:
            temporary.write_bytes(cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes())
        yield number, path


def _read(asked: Asked) -> Iterator[Labelled]:
    labels, videos = first_of(asked.root, *LABELS), first_of(asked.root, *VIDEOS)
    people = sorted(labels.glob("SN*")) if labels is not None and videos is not None else []
    for folder in people:
        assert videos is not None
        video = next(iter(sorted(videos.glob(f"*Video{folder.name}*"))), None)
        values = _intensities(folder)
        if video is None or not values:
            continue
        length = min(map(len, values.values()))
        for number, image in _frames(video, asked.frames / folder.name, asked.every):
            if number < length:
                told = {au: course[number] for au, course in values.items()}
                yield Labelled(image, person=folder.name, intensities=told)


DATABASE = Database(
    "DISFA",
    RESEARCH,
    "ActionUnit_Labels/SN001/SN001_au1.txt ... beside Videos_LeftCamera/LeftVideoSN001_comp.avi "
    "... (or of the right camera).",
    _read,
)
