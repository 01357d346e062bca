"""How a decoded picture is to be shown: upright, not mirrored, with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Width of a pixel in heights; what lies outside is damage. Anamorphic film has 2.
_NARROWEST: Final = Fraction(1, 5)
_WIDEST: Final = Fraction(5)


def pixel_aspect(stream: Any) -> Fraction:
    """Width of a pixel in heights, as the file says; 1 where it does not, or nonsense."""
    told = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if not told or not _NARROWEST <= told <= _WIDEST:
        return Fraction(1)
    return Fraction(told)


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """a, b, c, d of the display matrix: x' = a x + c y, y' = b x + d y; None without one."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
            return a, b, c, d
    return None


@dataclass(frozen=True)
class Shown:
    """A decoded picture and how it is to be shown.

    Attributes
    ----------
    frame : av.VideoFrame
        As stored.
    aspect : Fraction
        Width of a stored pixel in heights.
    """

    frame: Any
    aspect: Fraction = Fraction(1)

    @property
    def _square(self) -> tuple[int, int]:
        """Width and height with square pixels, before turning; nothing is made smaller."""
        width, height = self.frame.width, self.frame.height
        if self.aspect >= 1:
            return round(width * self.aspect), height
        return width, round(height / self.aspect)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as shown."""
        width, height = self._square
        matrix = _display_matrix(self.frame)
        return (height, width) if matrix and abs(matrix[1]) > abs(matrix[0]) else (width, height)

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture, (height, width, 3) RGB, turned and mirrored as players show it."""
        width, height = self._square
        if (width, height) == (self.frame.width, self.frame.height):
            picture: NDArray[np.uint8] = self.frame.to_ndarray(format="rgb24")
        else:
            picture = self.frame.to_ndarray(
                format="rgb24", width=width, height=height, interpolation="BICUBIC"
            )
        matrix = _display_matrix(self.frame)
        if matrix is None:
            return picture
        a, b, c, d = matrix
        if abs(b) > abs(a):
            picture, down, right = picture.transpose(1, 0, 2), b, c
        else:
            down, right = d, a
        picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
        return np.ascontiguousarray(picture)
