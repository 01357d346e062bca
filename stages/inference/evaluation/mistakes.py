"""The worst mistakes of each AU, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.inference.evaluation.samples import Samples
from stages.inference.results import Rows, read_rows
from stages.videos.video import read_frames

SHOWN = 8  # of each kind of each AU, each of another person
AROUND = 1.35  # sides of the face's box that a picture shows

Kind = Literal["false alarm", "miss"]


@dataclass(frozen=True)
class Mistake:
    """A labelled frame that a tool is wrong about.

    Attributes
    ----------
    au : str
    kind : {"false alarm", "miss"}
    file, person : str
    frame : int
        From 1.
    score : float
        NaN where no face was found.
    """

    au: str
    kind: Kind
    file: str
    person: str
    frame: int
    score: float


def worst(samples: Samples, count: int = SHOWN) -> list[Mistake]:
    """Find the mistakes that are surest of themselves, those of each AU together.

    Parameters
    ----------
    samples : Samples
    count : int
        Of each kind, at most; of each person the worst.
    """
    person = samples.person()
    people = samples.people
    found = []
    for au, name in enumerate(AU_NAMES):
        labels, said = samples.labels[:, au], samples.decisions[:, au]
        scores = samples.scores[:, au]
        kinds: tuple[tuple[Kind, NDArray[np.bool_], int], ...] = (
            ("false alarm", (labels == 0) & (said == 1), -1),
            ("miss", (labels == 1) & (said == 0), 1),
        )
        for kind, wrong, sign in kinds:
            rows = np.flatnonzero(wrong)
            # a face that was not found is the worst of misses
            order = rows[np.argsort(np.nan_to_num(sign * scores[rows], nan=-2.0), kind="stable")]
            _, first = np.unique(person[order], return_index=True)
            for row in order[np.sort(first)][:count].tolist():
                file = samples.files[int(samples.file[row])]
                found.append(
                    Mistake(name, kind, file.name, people[int(person[row])],
                            int(samples.frame[row]), float(scores[row]))
                )  # fmt: skip
    return found


def _around(image: NDArray[np.uint8], box: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """Cut out a square around a face, or around the middle; what lies outside is repeated."""
    import cv2

    height, width = image.shape[:2]
    if box is None or np.isnan(box).any():
        half, centre = min(height, width) / 2, np.asarray([width / 2, height / 2])
    else:
        half = float((box[2:] - box[:2]).max()) / 2 * AROUND
        centre = (box[:2] + box[2:]) / 2
    x0, y0 = (int(v) for v in np.floor(centre - half))
    side = max(int(2 * half), 2)
    pad = max(0, -x0, -y0, x0 + side - width, y0 + side - height)
    if pad:
        image = np.asarray(
            cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.uint8
        )
    return np.ascontiguousarray(image[y0 + pad : y0 + pad + side, x0 + pad : x0 + pad + side])


def _boxes(rows: Rows | None, person: int) -> dict[int, NDArray[np.float32]]:
    if rows is None:
        return {}
    mine = rows.of(person or rows.main_face)
    return dict(zip(mine.frame.tolist(), mine.box, strict=True))


def pictures(
    media: Path, frames: Sequence[int], result: Path | None, person: int = 0
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Cut faces out of some frames of a file.

    Parameters
    ----------
    media : Path
        Photo or video.
    frames : sequence of int
        From 1; decoding ends with the last of them.
    result : Path or None
        Our NAME.parquet, which knows where the face is; else the middle of the picture is shown.
    person : int
        Whose face; 0 for the main one.

    Yields
    ------
    int
        Number of the frame.
    (side, side, 3) uint8 np.ndarray
        RGB.
    """
    known = result is not None and result.suffix == ".parquet" and result.is_file()
    boxes = _boxes(read_rows(result) if known and result is not None else None, person)
    wanted = set(frames)
    for number, (_, image) in enumerate(read_frames(media), start=1):
        if number in wanted:
            yield number, _around(image, boxes.get(number))
        if number >= max(wanted):
            return
