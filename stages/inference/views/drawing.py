"""What the overlay draws: the picture with box and points, and beside it a panel of AU bars.

The panel lies beside the picture, or under it where that is upright, and hides nothing of it. All
sizes follow from the picture's, so that the text can be read at 640x360, at 1920x1080 and upright.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_MEANINGS, AU_NAMES, INTENSITY_MAX, N_AUS
from stages.inference.columns import INTERPOLATED, NO_FACE

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

SHORTEST = 360  # pixels; a smaller picture is enlarged, for the text beside it
PAD = 0.45  # of a bar's height, around the bars
LONGEST = 1920  # pixels; a larger picture is reduced
DARK: Colour = (18, 22, 28)
RAIL: Colour = (52, 60, 70)
BLUE: Colour = (104, 143, 186)
ORANGE: Colour = (240, 150, 50)
WHITE: Colour = (240, 243, 246)
GREY: Colour = (150, 158, 168)


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels of the frame that is written.

    Attributes
    ----------
    scale : float
        By which the picture is enlarged.
    picture : (int, int)
        Width and height of the picture, at the upper left.
    frame : (int, int)
        Width and height of the whole, even numbers.
    panel : (int, int, int, int)
        x, y, width, height of the panel.
    columns : int
        In which the bars stand.
    cell : float
        Height of one bar with its name.
    text : int
        Size of the letters.
    """

    scale: float
    picture: tuple[int, int]
    frame: tuple[int, int]
    panel: tuple[int, int, int, int]
    columns: int
    cell: float
    text: int

    @property
    def line(self) -> int:
        """Width of lines."""
        return max(2, round(min(self.picture) / 270))


def plan(width: int, height: int) -> Layout:
    """Lay out the frame for a picture of a size in pixels."""
    scale = max(1.0, SHORTEST / min(width, height))
    scale = min(scale, max(1.0, LONGEST / max(width, height)))
    scale = min(scale, LONGEST / max(width, height)) if max(width, height) > LONGEST else scale
    w, h = max(2, round(width * scale)), max(2, round(height * scale))
    if w >= h:
        columns, cell = 1, max(h, 260) / (N_AUS + 1.2)
        text = max(12, round(0.34 * cell))
        frame = (w + _room(text) + 2 * round(PAD * cell), max(h, 260))
        panel = (w, 0, frame[0] - w, frame[1])
    else:
        columns, cell = 2, max(27.0, w / 13)
        text = max(12, round(0.34 * cell))
        frame = (max(w, 260), h + round(cell * (N_AUS / 2 + 1.2)))
        panel = (0, h, frame[0], frame[1] - h)
    even = (frame[0] + frame[0] % 2, frame[1] + frame[1] % 2)
    return Layout(scale, (w, h), even, panel, columns, cell, text)


def _room(text: int) -> int:
    """Pixels that the longest name with its meaning and a number need."""
    longest = max(text_width(f"{name} {AU_MEANINGS[name]}", text, True) for name in AU_NAMES)
    return longest + text_width("0.0", text, True) + text


@lru_cache(maxsize=16)
def _font(size: int, bold: bool) -> "FreeTypeFont":
    import matplotlib as mpl
    from PIL import ImageFont

    # the one that comes with matplotlib: the same letters on every machine
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(maxsize=1024)
def _letters(text: str, size: int, bold: bool) -> Image:
    """Coverage of a text's pixels, 0 to 255, (height, width)."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    font = _font(size, bold)
    ascent, descent = font.getmetrics()
    canvas = Pillow.new("L", (max(1, round(font.getlength(text)) + 1), ascent + descent), 0)
    ImageDraw.Draw(canvas).text((0, 0), text, fill=255, font=font)
    return np.asarray(canvas)


def write(
    image: Image, text: str, place: tuple[int, int], size: int, colour: Colour, bold: bool = False
) -> int:
    """Write a text with its upper left corner at (x, y); return its width in pixels."""
    letters = _letters(text, size, bold)
    x, y = max(0, place[0]), max(0, place[1])
    target = image[y : y + letters.shape[0], x : x + letters.shape[1]]
    cover = letters[: target.shape[0], : target.shape[1], None].astype(np.uint16)
    mixed = target * (255 - cover) + np.asarray(colour, np.uint16) * cover
    target[:] = (mixed // 255).astype(np.uint8)
    return int(letters.shape[1])


def text_width(text: str, size: int, bold: bool = False) -> int:
    """Width of a text in pixels."""
    return int(_letters(text, size, bold).shape[1])


def clock(seconds: float) -> str:
    """Time as 0:03.04 or 1:02:03.04."""
    hundredths = round(abs(seconds) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{'-' if seconds < 0 else ''}{start}:{rest // 100:02d}.{rest % 100:02d}"


class Panel:
    """Draws the bars of 12 AUs: their intensities, on rails with a notch at each whole one.

    Parameters
    ----------
    layout : Layout
    levels : sequence of float or None
        Intensity, 0 to 5, from which each AU is present; drawn as a tick.
    """

    def __init__(self, layout: Layout, levels: tuple[float, ...] | None) -> None:
        self._layout = layout
        self._levels = levels
        self._size = layout.text
        x, y, width, _ = layout.panel
        pad = round(layout.cell * PAD)
        across = (width - pad * (layout.columns + 1)) // layout.columns
        rows = N_AUS // layout.columns
        self._bar = max(5, round(layout.cell * 0.26))
        self._cells = [
            (
                x + pad + (au // rows) * (across + pad),
                y + round(layout.cell * (1.05 + au % rows)),
                across,
            )
            for au in range(N_AUS)
        ]
        self._head = (x + pad, y + round(layout.cell * 0.22), width - 2 * pad)
        names = [f"{name} {AU_MEANINGS[name]}" for name in AU_NAMES]
        room = across - text_width("0.0", self._size, True) - self._size // 2
        fits = all(text_width(name, self._size, True) <= room for name in names)
        self._labels = names if fits else list(AU_NAMES)

    def draw(
        self,
        image: Image,
        time: float | None,
        said: str,
        intensities: NDArray[np.float32] | None,
        active: NDArray[np.bool_] | None,
    ) -> None:
        """Draw the panel into a frame.

        Parameters
        ----------
        image : (height, width, 3) uint8 np.ndarray
            Changed in place.
        time : float or None
            Seconds; None for a photo.
        said : str
            About the face: its number, or that it is not seen.
        intensities : (12,) np.ndarray or None
            0 to 5; None where nothing is known.
        active : (12,) np.ndarray or None
        """
        size = self._size
        x, y, width = self._head
        if time is not None:
            write(image, clock(time), (x, y), size, WHITE, bold=True)
        write(image, said, (x + width - text_width(said, size), y), size, GREY)
        for au, (left, top, across) in enumerate(self._cells):
            known = intensities is not None and not np.isnan(intensities[au])
            value = float(intensities[au]) if known and intensities is not None else 0.0
            on = active is not None and known and bool(active[au])
            ink = (ORANGE if on else WHITE) if known else GREY
            write(image, self._labels[au], (left, top), size, ink, bold=on)
            number = f"{value:.1f}" if known else "–"
            shift = across - text_width(number, size, on)
            write(image, number, (left + shift, top), size, ink, bold=on)
            bar = top + round(size * 1.28)
            image[bar : bar + self._bar, left : left + across] = RAIL
            filled = round(across * value / INTENSITY_MAX)
            image[bar : bar + self._bar, left : left + filled] = ORANGE if on else BLUE
            for whole in range(1, round(INTENSITY_MAX)):
                notch = left + round(across * whole / INTENSITY_MAX)
                image[bar : bar + self._bar, notch : notch + max(1, size // 14)] = DARK
            if self._levels is not None:
                tick = left + min(round(across * self._levels[au] / INTENSITY_MAX), across - 2)
                image[bar - 2 : bar + self._bar + 2, tick : tick + max(2, size // 9)] = WHITE


def draw_face(
    image: Image,
    layout: Layout,
    box: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    status: str,
    label: str,
    colour: Colour,
) -> None:
    """Draw the box and the five points of a face into a frame.

    Parameters
    ----------
    image : (height, width, 3) uint8 np.ndarray
        Changed in place.
    layout : Layout
    box : (4,) np.ndarray
        x0, y0, x1, y1 in pixels of the video's picture; NaN for none.
    landmarks : (5, 2) np.ndarray
        In pixels of the video's picture; NaN for none.
    status : str
        Of the row: the box of an interpolated face has corners only.
    label : str
        Written at the box; may be empty.
    colour : (int, int, int)
    """
    if status == NO_FACE or np.isnan(box).any():
        return
    width, height = layout.picture
    picture = image[:height, :width]
    scaled = np.clip(
        np.nan_to_num(box * layout.scale), -2 * width - 2 * height, 4 * (width + height)
    )
    x0, y0, x1, y1 = (round(float(value)) for value in scaled)
    line = layout.line
    dark = line + 2 * max(1, line // 2)
    corner = max(4, round(0.2 * min(x1 - x0, y1 - y0))) if status == INTERPOLATED else 0
    for shade, thick in ((DARK, dark), (colour, line)):
        if not corner:
            cv2.rectangle(picture, (x0, y0), (x1, y1), shade, thick, cv2.LINE_AA)
            continue
        for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
            inward = (corner if x == x0 else -corner, corner if y == y0 else -corner)
            cv2.line(picture, (x, y), (x + inward[0], y), shade, thick, cv2.LINE_AA)
            cv2.line(picture, (x, y), (x, y + inward[1]), shade, thick, cv2.LINE_AA)
    if not np.isnan(landmarks).any():
        for point in landmarks * layout.scale:
            place = (round(float(point[0])), round(float(point[1])))
            cv2.circle(picture, place, line + 2, DARK, -1, cv2.LINE_AA)
            cv2.circle(picture, place, line, WHITE, -1, cv2.LINE_AA)
    if label:
        size = max(11, round(min(layout.picture) / 30))
        above = y0 - line - round(1.3 * size)
        place = (
            min(max(x0, 0), width - 1),
            above if above >= 0 else min(max(y0 + line, 0), height - 1),
        )
        back = picture[place[1] : place[1] + round(1.25 * size),
                       place[0] : place[0] + text_width(label, size, True) + size // 2]  # fmt: skip
        back[:] = DARK
        write(picture, label, (place[0] + size // 4, place[1]), size, colour, bold=True)
