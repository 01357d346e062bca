"""Small videos with pictures that can be told apart, irregular times, and sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000


def irregular(frames: int, start: float = 0.0) -> NDArray[np.float64]:
    """Presentation times in whole milliseconds, as a camera in poor light makes them."""
    random = np.random.default_rng(0)
    steps = random.choice([0.033, 0.040, 0.067, 0.120], frames - 1)
    return np.round(start + np.concatenate([[0.0], np.cumsum(steps)]), 3)


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Grey whose level tells the frame's number, with a bright face-like patch."""
    image = np.full((height, width, 3), 40 + 2 * (number % 60), np.uint8)
    image[height // 4 : height // 2, width // 4 : width // 2] = 220
    return image


def write_clip(
    path: Path,
    times: NDArray[np.float64],
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    sound: str | None = None,
    sound_start: float = 0.0,
) -> Path:
    """Write a clip; `sound` names the codec of a tone that rises from 200 Hz."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=30)
        video.width, video.height = size
        video.pix_fmt = "yuv420p" if codec != "ffv1" else "yuv444p"
        video.codec_context.time_base = Fraction(1, 1000)
        track = None
        if sound is not None:
            track = container.add_stream(sound, rate=RATE)
            track.layout = "mono"
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), "rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if track is not None:
            seconds = np.arange(round((times[-1] - sound_start) * RATE)) / RATE
            wave = 0.5 * np.sin(2 * np.pi * (200 + 150 * seconds) * seconds)
            wave[: RATE // 20] = 0  # so that encoders' delay shows in nothing that is heard
            for first in range(0, len(wave), 1024):
                part = (wave[None, first : first + 1024] * 32767).astype(np.int16)
                block = av.AudioFrame.from_ndarray(part, "s16", "mono")
                block.sample_rate, block.time_base = RATE, Fraction(1, RATE)
                block.pts = first + round(sound_start * RATE)
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path
