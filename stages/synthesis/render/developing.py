"""From light to pixels: exposure, white balance, tone, noise."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.render.environments import basis
from stages.synthesis.render.scene import Scene

Floats = NDArray[np.float32]

CURVE_STEPS: Final = 8192  # entries of the tone curve: at most 0.1 levels from one to the next
BRIGHTEST: Final = 4.0  # linear light at the curve's end
STEPS_A_UNIT: Final = (CURVE_STEPS - 1) / BRIGHTEST**0.5  # of the root of the light
TILE: Final = 256  # pixels by which the noise picture is larger than the frame
LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
CORRECTION: Final = 0.65  # of the light's colour by the camera's white balance; 1 is all of it
TARGET: Final = 0.2  # linear luminance of a face of middling tone in a picture exposed well
# Ways a face's surface looks, whose light sets the exposure.
_FACING: Final = np.array([(0, 0.1, 0.995), (-0.6, 0, 0.8), (0.6, 0, 0.8), (0, 0.5, 0.866),
                           (0, -0.3, 0.954)])  # fmt: skip


def _tone_curve(scene: Scene) -> Floats:
    """Level, 0 to 255, at steps of the root of the light; highlights roll off."""
    light = np.linspace(0.0, np.sqrt(BRIGHTEST), CURVE_STEPS) ** 2
    knee = 0.6
    light = np.where(light < knee, light, knee + (1 - knee) * (1 - np.exp(-(light - knee) / 0.55)))
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    level = np.clip(level, 0, 1) ** scene.gamma
    level = 0.45 + (level - 0.45) * scene.contrast
    return np.asarray(255.0 * level, np.float32)


def _saturating(amount: float) -> NDArray[np.float64]:
    """(3, 3) matrix on colours: 0 makes grey of them, 1 leaves them as they are."""
    return amount * np.eye(3) + (1.0 - amount) * np.tile(LUMINANCE, (3, 1))


@cache
def _grain(height: int, width: int) -> Floats:
    """Noise of unit spread, larger than a picture by `TILE`: half each colour's own, half common.

    One for all scenes: each frame cuts its own piece out of it.
    """
    grain = np.random.default_rng(0).standard_normal((height + TILE, width + TILE, 3), np.float32)
    return np.asarray(cv2.transform(grain, 0.5 * np.eye(3) + 0.5 * np.full((3, 3), 3.0**-0.5)))


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
        light = np.maximum(basis(_FACING) @ np.array(scene.ambient), 0.0).mean(axis=0)
        for direction, colour in ((scene.key, scene.key_colour), (scene.fill, scene.fill_colour)):
            arriving = np.maximum(_FACING @ np.array(direction), 0.05).mean()
            light = light + arriving * np.array(colour)
        seen = float(np.dot(skin, LUMINANCE)) ** 0.55 * TARGET**0.45
        exposure = 1.05 * scene.brightness * TARGET / (seen * float(np.dot(light, LUMINANCE)))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2.0
        corrected = (float(np.dot(light, LUMINANCE)) / np.maximum(light, 1e-3)) ** CORRECTION
        gain = exposure * corrected * np.asarray(scene.white_balance) * STEPS_A_UNIT**2
        self._colour = _saturating(scene.saturation) @ np.diag(gain)
        self._falloff = cv2.merge([(1.0 - scene.vignette * radius).astype(np.float32)] * 3)
        self._curve = _tone_curve(scene)
        self._noise = scene.noise
        self._seed = scene.background_seed
        self._blur = scene.blur * height / 256.0
        self._sharpening = scene.sharpening

    def develop(self, picture: Floats, frame: int) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 pixels of (height, width, 3) float32 light."""
        if self._blur > 0.2:
            side = 2 * int(np.ceil(2.5 * self._blur)) + 1
            picture = cv2.GaussianBlur(picture, (side, side), self._blur)
        light = cv2.multiply(cv2.transform(picture, self._colour), self._falloff)
        step = cv2.sqrt(np.maximum(light, 0.0, out=light), light)
        level = self._curve.take(step.astype(np.int32), mode="clip")
        if self._sharpening > 0:
            soft = cv2.GaussianBlur(level, (5, 5), 1.2)
            level = cv2.addWeighted(level, 1.0 + self._sharpening, soft, -self._sharpening, 0.0)
        across, down = np.random.default_rng((self._seed, frame)).integers(0, TILE, 2).tolist()
        height, width = picture.shape[:2]
        grain = _grain(height, width)[down : down + height, across : across + width]
        return np.asarray(
            cv2.addWeighted(level, 1.0, grain, self._noise, 0.0, dtype=cv2.CV_8U), np.uint8
        )
