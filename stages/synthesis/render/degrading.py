"""What cameras, codecs and small pictures lose of a still: resolution, sharpness, lines, colour."""

from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Random = np.random.Generator

SMALLEST: Final = 24  # pixels: height of a face in the smallest pictures, before they are enlarged
CRF: Final = (28, 42)  # constant rate factors of libx264, the last not included
_REDUCING: Final = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST)
_REDUCING_SHARES: Final = (0.7, 0.22, 0.08)
_ENLARGING: Final = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
_ENLARGING_SHARES: Final = (0.55, 0.38, 0.07)


def reduced(image: Image, scale: float, random: Random) -> Image:
    """Make a picture smaller by `scale`, and as large as before again."""
    side = image.shape[0]
    small = max(8, round(side * scale))
    down = int(random.choice(_REDUCING, p=_REDUCING_SHARES))
    up = int(random.choice(_ENLARGING, p=_ENLARGING_SHARES))
    image = np.asarray(cv2.resize(image, (small, small), interpolation=down), np.uint8)
    if random.random() < 0.4:  # as it was sent, before it was enlarged
        image = jpeg(image, int(random.integers(30, 90)))
    return np.asarray(cv2.resize(image, (side, side), interpolation=up), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """Compress as JPEG and decode."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def h264(image: Image, crf: int) -> Image:
    """Compress as one frame of H.264 and decode: its smears are not those of JPEG."""
    height, width = image.shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    frames = [picture for packet in packets for picture in decoder.decode(packet)]
    frames += decoder.decode(None)
    return np.asarray(frames[0].to_ndarray(format="rgb24"), np.uint8)


def moved(image: Image, length: float, angle: float) -> Image:
    """Blur by a movement of `length` pixels in the direction `angle`, in radians."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    step = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(np.round((reach + sign * step) * 16).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def interlaced(image: Image, shift: int) -> Image:
    """Every other line `shift` pixels to the side, as from a movement between two fields."""
    result = image.copy()
    result[1::2] = np.roll(image[1::2], shift, axis=1)
    return result


def _noisy(image: Image, random: Random) -> Image:
    """Noise of the sensor: finer or coarser grains, stronger in the dark or all alike."""
    height, width = image.shape[:2]
    coarse = int(random.choice((1, 1, 2)))
    shape = (-(-height // coarse), -(-width // coarse), int(random.choice((1, 3))))
    noise = random.standard_normal(shape, np.float32) * np.float32(12.0 * random.random() ** 2 + 1)
    noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR).reshape(
        height, width, -1
    )
    if random.random() < 0.5:
        noise = noise * (1.4 - image.mean(axis=2, keepdims=True, dtype=np.float32) / 200.0)
    return np.asarray(np.clip(image + noise + 0.5, 0, 255), np.uint8)


def _sharpened(image: Image, random: Random) -> Image:
    soft = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.8, 2.0)))
    amount = float(random.uniform(0.3, 1.5))
    return np.asarray(cv2.addWeighted(image, 1.0 + amount, soft, -amount, 0.0), np.uint8)


def degraded(image: Image, face: float, random: Random) -> Image:
    """Lose some of a picture: nothing in half of them, much in few; augmentation does more.

    Parameters
    ----------
    image : (side, side, 3) uint8 np.ndarray
        Not changed.
    face : float
        Height of the face in heights of the picture.
    random : np.random.Generator
        Source of chance.

    Returns
    -------
    (side, side, 3) uint8 np.ndarray
    """
    if random.random() < 0.45:
        return image
    side = image.shape[0]
    if random.random() < 0.12:
        image = moved(image, side * random.uniform(0.005, 0.04), random.uniform(0, np.pi))
    if random.random() < 0.15:
        image = np.asarray(
            cv2.GaussianBlur(image, (0, 0), side * float(random.uniform(0.002, 0.008))), np.uint8
        )
    if random.random() < 0.3:
        image = _noisy(image, random)
    if random.random() < 0.35:
        least = SMALLEST / (face * side)
        # mild losses are more frequent than severe ones
        image = reduced(image, float(least ** (random.random() ** 1.8)), random)
    if random.random() < 0.12:
        image = _sharpened(image, random)
    if random.random() < 0.03:
        image = interlaced(image, int(random.integers(1, 5)))
    codec = random.random()
    if codec < 0.45:
        image = jpeg(image, int(random.integers(20, 92)))
    elif codec < 0.6:
        image = h264(image, int(random.integers(*CRF)))
    return image
