"""From light to pixels: exposure, white balance, tone, noise."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.scene import Scene

Floats = NDArray[np.float32]

CURVE_STEPS: Final = 8192  # entries of the tone curve: at most 0.1 levels from one to the next
BRIGHTEST: Final = 4.0  # linear light at the curve's end
STEPS_A_UNIT: Final = (CURVE_STEPS - 1) / BRIGHTEST**0.5  # of the root of the light
TILE: Final = 64  # pixels by which the noise picture is larger than the frame
LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
TARGET: Final = 0.2  # linear luminance of a face of middling tone in a picture exposed well


def _tone_curve(scene: Scene) -> Floats:
    """Level, 0 to 255, at steps of the root of the light; highlights roll off."""
    light = np.linspace(0.0, np.sqrt(BRIGHTEST), CURVE_STEPS) ** 2
    knee = 0.6
    light = np.where(light < knee, light, knee + (1 - knee) * (1 - np.exp(-(light - knee) / 0.55)))
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    level = np.clip(level, 0, 1) ** scene.gamma
    level = 0.45 + (level - 0.45) * scene.contrast
    return np.asarray(255.0 * level, np.float32)


class Developer:
    """Turns light into pixels.

    Parameters
    ----------
    scene : Scene
        Camera.
    height, width : int
        Pixels.
    skin : (3,) float64 np.ndarray
        Linear colour that the exposure is set for, if only half-way: dark skin stays dark.
    """

    def __init__(self, scene: Scene, height: int, width: int, skin: NDArray[np.float64]) -> None:
        light = np.asarray(scene.ambient) + 0.65 * np.asarray(scene.key_colour)
        light = light + 0.4 * np.asarray(scene.fill_colour)
        seen = float(np.dot(skin, LUMINANCE)) ** 0.55 * TARGET**0.45
        exposure = 1.05 * scene.brightness * TARGET / (seen * float(np.dot(light, LUMINANCE)))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2.0
        gain = exposure * np.asarray(scene.white_balance, np.float32) * STEPS_A_UNIT**2
        self._gain = ((1.0 - scene.vignette * radius)[..., None] * gain).astype(np.float32)
        self._curve = _tone_curve(scene)
        rng = np.random.default_rng(scene.background_seed + 1)
        grain = rng.standard_normal((height + TILE, width + TILE, 3), dtype=np.float32)
        # half of the noise is each colour's own, half is common to all three
        mixing = scene.noise * (0.5 * np.eye(3) + 0.5 * np.full((3, 3), 3.0**-0.5))
        self._noise = cv2.transform(grain, mixing)
        self._seed = scene.background_seed
        self._blur = scene.blur * height / 256.0

    def develop(self, picture: Floats, frame: int) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 pixels of (height, width, 3) float32 light."""
        if self._blur > 0.2:
            side = 2 * int(np.ceil(2.5 * self._blur)) + 1
            picture = cv2.GaussianBlur(picture, (side, side), self._blur)
        light = cv2.multiply(picture, self._gain)
        step = cv2.sqrt(np.maximum(light, 0.0, out=light), light)
        level = self._curve.take(step.astype(np.int32), mode="clip")
        across, down = np.random.default_rng((self._seed, frame)).integers(0, TILE, 2).tolist()
        height, width = picture.shape[:2]
        noise = self._noise[down : down + height, across : across + width]
        return np.asarray(cv2.add(level, noise, dtype=cv2.CV_8U), np.uint8)
