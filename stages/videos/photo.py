"""Photos, and pictures that move but are no video to FFmpeg: a photo is a video of one frame.

Files are told by their first bytes, never by their names. What moves is a video: FFmpeg reads an
animated GIF or PNG, and an animated WebP is read here. Of a file with several pages (TIFF) or
several views (the MPO of some cameras) the first is the photo.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from stages.core.errors import DataError, is_of_the_machine

SUFFIXES: Final = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff")
)
_STREAMS: Final = (".mjpeg", ".mjpg")  # JPEG after JPEG: begins as a photo does and is a video
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF")
_BEGINNINGS: Final = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a",
)  # fmt: skip
_HEADER: Final = 21  # bytes, up to where a WebP says that it moves
_STILL_WITH_PAGES: Final = ("TIFF", "MPO", "JPEG")
_LARGEST: Final = 178_956_970  # pixels; Pillow's bound against files that unfold without end
_SHORTEST: Final = 0.02  # seconds that a picture of an animation is shown at least, as browsers do
_PAPER: Final = 255  # what shows through where a photo is transparent


def _beginning(path: Path) -> bytes:
    """First bytes of a file that may be a picture, as many as there are; else none."""
    if path.suffix.lower() in _STREAMS:
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_HEADER)
    except OSError:
        return b""


def _may_be_picture(path: Path) -> bool:
    """Whether a file begins as one of the known formats does."""
    head = _beginning(path)
    return head.startswith(_BEGINNINGS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture; DataError says in a sentence why it cannot be."""
    Image.init()  # Pillow knows some of the formats only then
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large or slightly damaged files: they are read
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > _LARGEST:
                    raise Image.DecompressionBombError
                yield image
    except Image.DecompressionBombError:
        raise DataError(
            f"{path} is too large a photo: at most {_LARGEST // 1_000_000} million pixels are read."
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        if is_of_the_machine(error):
            raise
        reason = " ".join(str(error).split())[:120].replace(str(path), "it") or "no picture"
        raise DataError(
            f"{path} cannot be read as a photo ({reason}): it is cut off, damaged or of a kind "
            "that is not known; save it again as JPEG or PNG."
        ) from None


def is_photo(path: Path) -> bool:
    """Whether a file holds one still picture. False for what cannot be opened as a picture."""
    if not _may_be_picture(path):
        return False
    try:
        with _opened(path) as image:
            return not _moves(image)
    except DataError:
        # a damaged photo is no video: reading it says what is wrong
        return path.suffix.lower() in SUFFIXES


def is_animated_webp(path: Path) -> bool:
    """Whether a file is a moving WebP, which FFmpeg does not read."""
    head = _beginning(path)
    if len(head) < _HEADER or head[:4] != b"RIFF" or head[8:16] != b"WEBPVP8X":
        return False
    return bool(head[20] & 2)  # the extended header's bit 1: it holds an animation


def _moves(image: Image.Image) -> bool:
    return image.format not in _STILL_WITH_PAGES and getattr(image, "n_frames", 1) > 1


def _plain(image: Image.Image) -> Image.Image:
    """Bring a picture to 8 bits of red, green and blue, without transparency."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_as_bytes(np.asarray(image))).convert("RGB")
    if image.mode == "CMYK":
        return _from_inks(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (_PAPER, _PAPER, _PAPER, 255))
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")


def _as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Reduce 16 bits, or numbers with a point, to 8 bits."""
    if np.issubdtype(values.dtype, np.floating):
        top = 1.0 if np.nanmax(values, initial=0.0) <= 1 else 255.0
    else:
        top = 65_535.0 if values.max(initial=0) > 255 else 255.0
    shares = np.nan_to_num(values.astype(np.float32)) / np.float32(top)
    return np.asarray(np.rint(shares.clip(0, 1) * 255), np.uint8)


def _from_inks(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            printer = ImageCms.ImageCmsProfile(BytesIO(profile))
            screen = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, printer, screen, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a damaged profile: as if there were none
    return image.convert("RGB")


def _deep(path: Path) -> NDArray[np.uint8] | None:
    """Read a colour TIFF of 16 or 32 bits, which Pillow does not open; None where it is none."""
    import cv2

    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except (OSError, cv2.error):
        return None
    if values is None or values.ndim != 3 or values.shape[2] < 3:
        return None
    return np.ascontiguousarray(_as_bytes(values[:, :, 2::-1]))


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Read a photo, upright, as its EXIF orientation says.

    Parameters
    ----------
    path : Path
        JPEG, PNG, WebP, BMP, TIFF or GIF: grey, CMYK, with a palette, with 16 bits a colour; what
        is transparent is white.

    Returns
    -------
    (height, width, 3) uint8 np.ndarray
        RGB.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        with _opened(path) as image:
            upright = ImageOps.exif_transpose(image)
            return np.array(_plain(upright), np.uint8)
    except DataError:
        deep = _deep(path)
        if deep is None:
            raise
        return deep


def picture_frames(path: Path) -> Iterator[tuple[float, Any]]:
    """Frames of a photo (one, at 0 seconds) or of an animated WebP.

    Yields
    ------
    float
        Presentation time in seconds.
    av.VideoFrame
        RGB, 8 bits.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    if not is_animated_webp(path):
        yield 0.0, _frame(read_photo(path))
        return
    time = 0.0
    with _opened(path) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            yield time, _frame(np.array(_plain(image), np.uint8))
            time += max(float(image.info.get("duration", 0)) / 1000, _SHORTEST)


def _frame(picture: NDArray[np.uint8]) -> Any:
    return av.VideoFrame.from_ndarray(picture, format="rgb24")


def is_picture(path: Path) -> bool:
    """Whether a file is read by this module: a photo, or an animated WebP."""
    return is_animated_webp(path) or is_photo(path)


def expected_pictures(path: Path) -> int:
    """Number of pictures of a photo or an animated WebP by its header."""
    if not is_animated_webp(path):
        return 1
    with _opened(path) as image:
        return int(getattr(image, "n_frames", 1))
