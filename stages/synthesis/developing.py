"""From light to pixels: exposure, white balance, tone, noise."""

from typing import Final

import cv2
import numpy as np
import warp as wp
from numpy.typing import NDArray

from stages.synthesis.geometry_kernels import launch
from stages.synthesis.light_kernels import develop_pixels
from stages.synthesis.scene import Scene

Floats = NDArray[np.float32]

CURVE_STEPS: Final = 2048  # entries of the tone curve
BRIGHTEST: Final = 4.0  # linear light at the curve's end
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
        self._gain = wp.vec3(*(exposure * np.asarray(scene.white_balance)).tolist())
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2.0
        vignette = (1.0 - scene.vignette * radius).astype(np.float32)
        self._vignette = wp.array(vignette, dtype=wp.float32, device="cpu")
        self._curve = wp.array(_tone_curve(scene), dtype=wp.float32, device="cpu")
        rng = np.random.default_rng(scene.background_seed + 1)
        grain = rng.standard_normal((height + TILE, width + TILE, 3), dtype=np.float32)
        grain = 0.5 * grain + 0.5 * grain.mean(-1, keepdims=True) * np.sqrt(3.0)
        self._noise = wp.array(scene.noise * grain, dtype=wp.vec3, device="cpu")
        self._seed = scene.background_seed
        self._blur = scene.blur * height / 256.0
        self._shape = height, width

    def develop(self, picture: Floats, frame: int) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 pixels of (height, width, 3) float32 light."""
        if self._blur > 0.2:
            picture = cv2.GaussianBlur(picture, (0, 0), self._blur)
        pixels = np.empty((*self._shape, 3), np.uint8)
        across, down = np.random.default_rng((self._seed, frame)).integers(0, TILE, 2).tolist()
        launch(
            develop_pixels,
            self._shape,
            [
                wp.array(picture, dtype=wp.vec3, device="cpu", copy=False),
                self._gain, self._vignette, self._curve,
                (CURVE_STEPS - 1) / float(np.sqrt(BRIGHTEST)), self._noise, across, down,
                wp.array(pixels, dtype=wp.uint8, device="cpu", copy=False),
            ],
        )  # fmt: skip
        return pixels
