"""Figures of the masked copies: faces at several head rolls, and label counts before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.crops.alignment import CROP_SIDE
from stages.crops.crop_file import FACE, CropReader
from stages.crops.half_masks import HALVES, dividing_lines, hide
from stages.reporting.plots import BLUE, GREY, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FACES = 7  # columns of the picture


@dataclass(frozen=True)
class RolledFace:
    """One aligned crop and how far the head is tilted in the picture it comes from.

    Attributes
    ----------
    crop : (112, 112, 3) uint8 np.ndarray
    line : (3,) float32 np.ndarray
        See :func:`stages.crops.half_masks.dividing_lines`.
    roll : float
        Degrees, positive where the head is turned clockwise as seen in the picture.
    """

    crop: NDArray[np.uint8]
    line: NDArray[np.float32]
    roll: float


def head_rolls(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Angle of the line through the eyes.

    Parameters
    ----------
    landmarks : (frames, 5, 2) np.ndarray
        Pixels of the picture.

    Returns
    -------
    (frames,) np.ndarray
        Degrees, positive clockwise as seen; 0 where there are no landmarks.
    """
    along = landmarks[:, 1].astype(np.float64) - landmarks[:, 0]
    return np.nan_to_num(np.degrees(np.arctan2(along[:, 1], along[:, 0])))


def faces_at_rolls(crops: Mapping[str, Path], count: int = FACES) -> list[RolledFace]:
    """Pick faces whose rolls are spread evenly over those that occur, each of another video.

    Parameters
    ----------
    crops : mapping of str to Path
        Crop files by the video's name.
    count : int
        Faces at most.

    Returns
    -------
    list of RolledFace
        From the most to the least anticlockwise.
    """
    found = []
    for name, path in sorted(crops.items()):
        with CropReader(path) as reader:
            rows = np.flatnonzero(reader.status == FACE)
            rolls = head_rolls(reader.landmarks[rows])
            found += [(float(roll), name, int(row)) for roll, row in zip(rolls, rows, strict=True)]
    if not found:
        return []
    low, high = (float(np.percentile([roll for roll, _, _ in found], q)) for q in (1, 99))
    chosen: list[tuple[float, str, int]] = []
    for target in np.linspace(low, high, count):
        used = {name for _, name, _ in chosen}
        free = [face for face in found if face[1] not in used]
        if free:
            chosen.append(min(free, key=lambda face: abs(face[0] - target)))
    faces = []
    for roll, name, row in sorted(chosen):
        with CropReader(crops[name]) as reader:
            (crop,) = reader.read(row, row + 1)
            line = dividing_lines(reader.landmarks[row : row + 1])[0]
        if crop is not None:
            faces.append(RolledFace(crop, line, roll))
    return faces


def as_in_the_picture(crop: NDArray[np.uint8], roll: float) -> NDArray[np.uint8]:
    """Turn an upright crop back by the head's roll; white where the crop does not reach."""
    centre = ((CROP_SIDE - 1) / 2, (CROP_SIDE - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, -roll, 0.9)  # OpenCV counts anticlockwise
    return np.asarray(
        cv2.warpAffine(crop, matrix, (CROP_SIDE, CROP_SIDE), borderValue=(255, 255, 255)), np.uint8
    )


def face_grid(path: Path, faces: Sequence[RolledFace]) -> None:
    """Draw faces as tilted as in their pictures: whole, upper half hidden, lower half hidden."""
    labels = ("as it is", *(f"{half} half hidden" for half in HALVES))
    figure, axes = new_figure(1.35 * max(len(faces), 3), 4.4, rows=3, columns=max(len(faces), 1))
    for column, face in enumerate(faces):
        image, line = face.crop[None], face.line[None]
        shown = [face.crop, *(hide(image, line, half)[0] for half in HALVES)]
        for row, (label, crop) in enumerate(zip(labels, shown, strict=True)):
            axis: Axes = axes[row, column]  # type: ignore[index]
            axis.imshow(as_in_the_picture(crop, face.roll), interpolation="bilinear")
            axis.set_xticks([])
            axis.set_yticks([])
            for side in axis.spines.values():
                side.set_visible(False)
            if row == 0:
                axis.set_title(f"roll {face.roll:+.0f}°", fontsize=9)
            if column == 0:
                axis.set_ylabel(label, fontsize=9)
    save_figure(figure, path)


def count_bars(path: Path, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
    """Draw active frames of each AU before and after, with the gain in percent.

    Parameters
    ----------
    path : Path
        PNG file.
    before, after : (12,) np.ndarray
        Frames in which each AU is active.
    """
    figure, axes = new_figure(9.5, 3.4)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    places = np.arange(len(AU_NAMES))
    axis.bar(places - 0.2, before, 0.38, label="training videos", color=GREY)
    axis.bar(places + 0.2, after, 0.38, label="with masked copies", color=BLUE)
    for place, old, new in zip(places, before, after, strict=True):
        if old:
            axis.annotate(
                f"+{100 * (new / old - 1):.0f} %",
                (place, new),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axis.set_xticks(places, AU_NAMES)
    axis.set_ylabel("active frames")
    axis.grid(axis="x", visible=False)
    axis.legend(frameon=False, fontsize=9)
    save_figure(figure, path)
