"""Faces of real people that lie beside the checkout, cut out as stage `crop` does it.

They are to measure with: nothing is trained on them, nothing of them is kept.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import align
from stages.faces.detections import detect_within
from stages.faces.detector import load_detector
from stages.faces.face import choose, faces_of
from stages.videos.video import read_frames

SHARED = Path(__file__).resolve().parents[3] / "shared"
DETECTED = 640  # pixels that the longer side is reduced to

# the blendshapes that stand for an AU: the mean of those of a name, the largest over names
BLENDSHAPES: dict[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUp*",),
    "AU04": ("browDown*",),
    "AU07": ("eyeSquint*",),
    "AU10": ("mouthUpperUp*",),
    "AU12": ("mouthSmile*",),
    "AU26": ("jawOpen",),
}

Crops = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A real clip: crops (n, 112, 112, 3), and blendshapes by AU, (n,) each, NaN where unknown."""

    name: str
    crops: Crops
    shapes: dict[str, NDArray[np.float64]]


def cut_out(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The aligned face of a picture, (112, 112, 3), or None."""
    found = detect_within(load_detector("centerface", "", 0.5, "cpu"), image, None, DETECTED)
    face = choose(faces_of(found), "only", image.shape[1])
    return None if face is None else align(image, face.landmarks)


def photos(root: Path = SHARED / "london") -> tuple[Crops, NDArray[np.bool_], list[dict[str, str]]]:
    """Crops of the photos, which of them smile, and their rows in the table."""
    crops, rows = [], []
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = cv2.imread(str(root / row["image"]))
            assert image is not None, row["image"]
            crop = cut_out(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
            if crop is None:
                print(f"no face found: {row['image']}")
                continue
            crops.append(crop)
            rows.append(row)
    return np.stack(crops), np.array([row["AU12"] == "1" for row in rows]), rows


def _shape(row: dict[str, str], name: str) -> float:
    names = [name[:-1] + side for side in ("Left", "Right")] if name.endswith("*") else [name]
    return float(np.mean([float(row[each] or "nan") for each in names]))


def clips(root: Path = SHARED / "clips") -> list[Clip]:
    """The clips that have blendshapes beside them."""
    result = []
    for table in sorted((root / "blendshapes").glob("*.csv")):
        path = next(root.glob(f"{table.stem}.m*"))
        with table.open(newline="", encoding="utf-8") as file:
            rows = {int(row["frame"]): row for row in csv.DictReader(file)}
        crops, used = [], []
        for number, (_, image) in enumerate(read_frames(path), start=1):
            crop = cut_out(image) if number in rows else None
            if crop is not None:
                crops.append(crop)
                used.append(rows[number])
        shapes = {
            au: np.array([max(_shape(row, name) for name in names) for row in used])
            for au, names in BLENDSHAPES.items()
        }
        result.append(Clip(path.stem, np.stack(crops), shapes))
    return result
