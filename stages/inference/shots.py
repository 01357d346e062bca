"""Hard cuts: where one shot ends, and nothing of it is to be followed, windowed or smoothed on.

A cut is told by two things at once: the edges of two pictures lie elsewhere (a flash, or a fade,
changes light and leaves them), and the pictures differ more than those right before did (a shaken
camera differs all the time). Black and other empty pictures are passed over; of what lies on
both sides of many of them nothing is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Frame = tuple[float, Image]

SMALL: Final = (48, 27)  # pixels to which pictures are reduced
EMPTY: Final = 4.0  # standard deviation of grey, of 255, up to which a picture shows nothing
ALIKE: Final = 0.5  # correlation of edges from which on two pictures are of one shot
LEAST: Final = 8.0  # mean difference of grey, of 255, at a cut
LEAP: Final = 3.0  # times as much as the largest difference of ...
RECENT: Final = 12  # ... so many frames before
LONGEST: Final = 12  # empty pictures, behind which the one before still says something


class CutDetector:
    """Says of picture after picture whether a shot begins with it."""

    def __init__(self) -> None:
        self._grey: NDArray[np.float32] | None = None
        self._edges: NDArray[np.float32] | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._empty = 0  # pictures, right before

    def begins(self, image: Image) -> bool:
        """Whether a picture, (height, width, 3) uint8 RGB, is of another shot than the last."""
        # two steps: the first, which looks at few pixels, makes large pictures cheap
        first = (2 * SMALL[0], 2 * SMALL[1])
        small = cv2.resize(image, first, interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(small, SMALL, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
        if grey.std() <= EMPTY:
            self._empty += 1
            if self._empty > LONGEST:
                self._grey = self._edges = None
            return False
        self._empty = 0
        edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        edges = np.asarray(edges - edges.mean(), np.float32)
        before, outline = self._grey, self._edges
        self._grey, self._edges = grey, edges
        if before is None or outline is None:
            return False
        difference = float(np.abs(grey - before).mean())
        norm = float(np.linalg.norm(edges) * np.linalg.norm(outline))
        alike = float((edges * outline).sum()) / norm if norm else 1.0
        cut = (
            alike < ALIKE
            and difference > LEAST
            and difference > LEAP * max(self._recent, default=0.0)
        )
        if cut:
            self._recent.clear()
        else:
            self._recent.append(difference)
        return cut


@dataclass(frozen=True)
class _Marked:
    """A frame, the number of its part, and whether that begins with a cut."""

    part: int
    cut: bool
    frame: Frame


def _marked(frames: Iterable[Frame]) -> Iterator[_Marked]:
    detector = CutDetector()
    part, begins, size = 0, False, None
    for frame in frames:
        shape = frame[1].shape[:2]
        cut = detector.begins(frame[1])
        if cut or (size is not None and size != shape):
            part, begins = part + 1, cut
        size = shape
        yield _Marked(part, begins, frame)


def split(frames: Iterable[Frame]) -> Iterator[tuple[bool, Iterator[Frame]]]:
    """Split a video where a cut is, and where the pictures change their size.

    Parameters
    ----------
    frames : iterable of (float, (height, width, 3) uint8 np.ndarray)
        Times and RGB pictures.

    Yields
    ------
    bool
        Whether the part begins with a cut.
    iterator of (float, np.ndarray)
        Its frames; to be gone through before the next part is asked for.
    """
    for (_, cut), marked in groupby(_marked(frames), key=lambda one: (one.part, one.cut)):
        yield cut, (one.frame for one in marked)
