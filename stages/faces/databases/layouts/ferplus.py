"""FER+: the votes of ten people on each picture of FER2013, and the class with most of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from stages.core.errors import DataError
from stages.core.files import replacing
from stages.faces.databases.base import Asked, Database, Labelled, number_in, rows_of

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
NOT_OURS = ("unknown", "NF")
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
SIDE = 48  # pixels


def winner(votes: Mapping[str, float]) -> str:
    """Class with most votes; ``""`` where two have as many, or it is none."""
    most = max(votes.values())
    best = [name for name, count in votes.items() if count == most]
    return best[0] if most > 0 and len(best) == 1 and best[0] not in NOT_OURS else ""


def kept_votes(votes: Mapping[str, float]) -> dict[str, float]:
    """Votes for a class; none where as many or more say that it shows none, or no face."""
    others = max(votes[name] for name in NOT_OURS)
    kept = {name: votes[name] for name in CLASSES}
    return kept if max(kept.values()) > others else {}


def _picture(pixels: str, path: Path, table: Path) -> None:
    try:
        values = np.array(pixels.split(), dtype=np.uint8).reshape(SIDE, SIDE)
    except (ValueError, OverflowError):
        raise DataError(f"{table}: a row has no {SIDE} x {SIDE} pixels.") from None
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", values)[1].tobytes())


def _read(asked: Asked) -> Iterator[Labelled]:
    votes, faces = asked.root / "fer2013new.csv", asked.root / "fer2013.csv"
    if not votes.is_file():
        return
    pixels = rows_of(faces, "pixels") if faces.is_file() else None
    for number, row in enumerate(rows_of(votes, "Usage", "Image name", *CLASSES, *NOT_OURS)):
        drawn = next(pixels, {}).get("pixels", "") if pixels is not None else ""
        name = row["Image name"]
        if not name or Path(name).name != name:  # without a name: no face
            continue
        image = asked.root / FOLDERS.get(row["Usage"], ".") / name
        if not image.is_file():
            if not drawn:
                continue
            asked.frames.mkdir(parents=True, exist_ok=True)
            image = asked.frames / f"{number:05d}.png"
            _picture(drawn, image, faces)
        counted = {key: number_in(row[key] or "0", votes) for key in (*CLASSES, *NOT_OURS)}
        yield Labelled(image, expression=winner(counted), votes=kept_votes(counted))


DATABASE = Database(
    "FER+",
    "labels: MIT; pictures of FER2013: not known",
    "fer2013new.csv (the votes) beside fer2013.csv (the pixels), or beside the folders "
    "FER2013Train, FER2013Valid and FER2013Test with the pictures.",
    _read,
)
