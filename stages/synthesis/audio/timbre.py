"""What makes a voice somebody's own, beside espeak-ng's: the vocal tract, breath, creak."""

import zlib
from typing import Final

import numpy as np

from stages.synthesis.audio.spectra import Sound, filtered, resampled

LEVEL: Final = 0.07  # root mean square of every voice at normal loudness
_LOUDER: Final = 4.0  # times that a faint voice is amplified at most
_UNIT: Final = 49  # espeak-ng's 22,050 Hz are 49 times 450; tracts come in such steps
_SMOOTHING: Final = 0.01  # seconds over which a voice's loudness is taken


def tract_rate(rate: int, tract: float) -> int:
    """Sample rate in Hz to resample to, and to play at `rate`, for a tract of a relative length."""
    return round(_UNIT * tract) * rate // _UNIT


def voiced(
    samples: Sound, rate: int, *, tract: float, breath: float, creak: float, name: str
) -> Sound:
    """Give a voice its timbre.

    Parameters
    ----------
    samples : (n,) float32 np.ndarray
        As espeak-ng speaks.
    rate : int
        Hz.
    tract : float
        Length of the vocal tract; above 1 all resonances are lower, and the sound is longer.
    breath, creak : float
        0 to 1: noise in time with the voice; a roughness of 30 to 80 Hz.
    name : str
        Of what is said and by whom: the noise depends on nothing else.

    Returns
    -------
    (m,) float32 np.ndarray
        At the same rate.
    """
    level = float(np.sqrt(np.mean(samples**2)))
    sound = samples * np.float32(min(LEVEL / max(level, 1e-9), _LOUDER))
    sound = resampled(sound, rate, tract_rate(rate, tract))
    if breath == 0.0 and creak == 0.0:
        return sound
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if breath > 0.0:
        width = round(_SMOOTHING * rate)
        loudness = np.sqrt(np.convolve(sound**2, np.full(width, 1.0 / width), "same").clip(0.0))
        air = filtered(
            rng.standard_normal(len(sound), np.float32),
            rate, [1.0, 400.0, 1500.0, 5000.0, 11000.0], [-40.0, -25.0, 0.0, -3.0, -12.0],
        )  # fmt: skip
        sound = sound * np.float32(1.0 - 0.4 * breath) + np.float32(0.6 * breath) * loudness * air
    if creak > 0.0:
        time = np.arange(len(sound)) / rate
        wander = np.interp(time, np.arange(0.0, time[-1] + 0.2, 0.1), _walk(time[-1], rng))
        beat = np.cumsum(rng.uniform(30.0, 80.0) * (1.0 + 0.25 * wander)) / rate
        sound = sound * (1.0 - 0.45 * creak * (1.0 + np.sin(2 * np.pi * beat)))
    return np.asarray(sound, np.float32)


def _walk(seconds: float, rng: np.random.Generator) -> Sound:
    return rng.standard_normal(len(np.arange(0.0, seconds + 0.2, 0.1)), np.float32)
