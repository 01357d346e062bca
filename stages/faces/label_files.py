"""From a table of labelled pictures to a file of aligned faces with their labels.

The file is a crop file (:mod:`stages.crops.crop_file`) with a dataset for each kind of label, a row
each: ``au`` (n, 12) int8, ``au_intensity`` (n, 12) float32 where some are known, ``valence`` and
``arousal`` float32, ``expression`` int8, ``expression_votes`` (n, 8) float32 where there are some,
``person`` int32, and unknown values as in :mod:`stages.pretraining.tasks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError, is_of_the_machine
from stages.core.facs import N_AUS
from stages.core.files import sweep, temporary_path
from stages.crops.alignment import CROP_SIDE, align
from stages.crops.crop_file import FACE, CropReader, CropWriter, decode_jpeg
from stages.faces.detections import detect_within
from stages.faces.detector import load_detector
from stages.faces.face import choose, faces_of
from stages.faces.label_table import AFFECT, Row
from stages.faces.settings import Crop
from stages.faces.votes import TITLES

LARGEST = 1 << 28  # bytes of a picture's file


@dataclass(frozen=True)
class Work:
    """Some rows of the table, and how their faces are found."""

    rows: list[Row]
    settings: Crop
    device: str


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture, (height, width, 3) uint8 RGB.

    Raises
    ------
    DataError
        When there is no such file, or it is no picture.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path} is missing")
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than {LARGEST >> 20} MiB")
        return decode_jpeg(path.read_bytes())  # of any format that OpenCV knows
    except (OSError, cv2.error) as error:
        if is_of_the_machine(error):
            raise
        raise DataError(f"{path} cannot be read") from None
    except DataError as error:
        missing = str(error).startswith(str(path))
        raise DataError(str(error) if missing else f"{path} is no picture") from None


def write_faces(work: Work, path: Path) -> None:
    """Write the aligned faces of some rows, a row each; without a crop and with the reason."""
    settings, reasons = work.settings, []
    detector = load_detector(
        settings.detector, settings.pack, settings.score_threshold, work.device
    )
    with CropWriter(path, {"jpeg_quality": settings.jpeg_quality}) as writer:
        for row in work.rows:
            reason, crop, face = "", None, None
            try:
                image = read_picture(row.image)
                if image.shape[:2] == (CROP_SIDE, CROP_SIDE):
                    crop = image  # aligned already
                else:
                    found = detect_within(detector, image, None, settings.detection_side)
                    face = choose(faces_of(found), "only", image.shape[1])  # the largest
                    if face is None:
                        raise DataError(f"{row.image} shows no face")
                    crop = align(image, face.landmarks)
            except DataError as error:
                reason = str(error)
            if face is None:
                writer.append(crop)
            else:
                writer.append(crop, face.landmarks, face.box, face.score)
            reasons.append(reason.encode())
        writer.add("reason", np.array(reasons, dtype=np.bytes_))


def person_numbers(people: list[str], pictures: Sequence[Path]) -> NDArray[np.int32]:
    """Number people by name; without one, whoever a picture shows is somebody of its own."""
    numbers = {name: number for number, name in enumerate(sorted({*people} - {""}))}
    strangers: dict[Path, int] = {}
    return np.array(
        [
            numbers[name] if name else strangers.setdefault(at, len(numbers) + len(strangers))
            for name, at in zip(people, pictures, strict=True)
        ],
        np.int32,
    )


def join_faces(
    path: Path, pieces: Iterable[tuple[Path, list[Row]]], attributes: Mapping[str, str]
) -> dict[int, str]:
    """Join the files of :func:`write_faces` into one with labels; no JPEG is coded anew.

    Parameters
    ----------
    path : Path
        It appears only when it is complete, and holds a face at least.
    pieces : iterable of (Path, list of Row)
        Each file with its rows.
    attributes : mapping of str to str
        Kept in the file.

    Returns
    -------
    dict of int to str
        By line of the table, why there is no face.
    """
    failed: dict[int, str] = {}
    kept: list[Row] = []
    sweep(path.parent, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    with CropWriter(temporary, attributes) as writer:
        for piece, chunk in pieces:
            with CropReader(piece) as reader:
                reasons, crops = reader.extra("reason"), reader.encoded()
                for number, row in enumerate(chunk):
                    if reader.status[number] != FACE:
                        failed[row.line] = reasons[number].decode()
                        continue
                    writer.append(
                        crops[number].tobytes(),
                        reader.landmarks[number],
                        reader.box[number],
                        float(reader.score[number]),
                    )
                    kept.append(row)
        writer.add("au", np.array([row.aus for row in kept], np.int8).reshape(len(kept), N_AUS))
        strong = np.array([row.intensities for row in kept], np.float32).reshape(len(kept), N_AUS)
        if not np.isnan(strong).all():  # presence alone trains presence alone
            writer.add("au_intensity", strong)
        for name in AFFECT:
            writer.add(name, np.array([getattr(row, name) for row in kept], np.float32))
        writer.add("expression", np.array([row.expression for row in kept], np.int8))
        votes = np.array([row.votes for row in kept], np.float32).reshape(len(kept), len(TITLES))
        if not np.isnan(votes).all():
            writer.add("expression_votes", votes)
        writer.add(
            "person", person_numbers([row.person for row in kept], [row.image for row in kept])
        )
    if kept:
        temporary.replace(path)
    else:
        temporary.unlink()
        path.unlink(missing_ok=True)
    return failed
