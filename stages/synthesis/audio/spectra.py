"""Sounds by way of their spectra: change of rate, coloured noise, gains by frequency."""

import math

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def smooth_size(count: int) -> int:
    """Smallest number from `count` on without prime factors above 5: quick to transform."""
    size = max(1, count)
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1


def resampled(samples: Sound, old: int, new: int) -> Sound:
    """Change the sample rate in Hz of (n,) samples, through their spectrum."""
    if old == new or len(samples) == 0:
        return samples
    unit = old // math.gcd(old, new)
    size = unit * smooth_size(-(-len(samples) // unit))
    wanted = size * new // old
    spectrum = np.fft.rfft(samples, size)
    kept = np.zeros(wanted // 2 + 1, spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    sound = np.fft.irfft(kept, wanted)[: round(len(samples) * new / old)]
    return np.asarray(sound * (wanted / size), np.float32)


def coloured_noise(count: int, rate: int, colour: float, rng: np.random.Generator) -> Sound:
    """(count,) noise of unit spread whose power falls with frequency to the exponent `colour`."""
    if count == 0:
        return np.zeros(0, np.float32)
    size = smooth_size(count)
    spectrum = np.fft.rfft(rng.standard_normal(size, np.float32))
    frequency = np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 40.0).astype(np.float32)
    noise = np.fft.irfft(spectrum * frequency ** np.float32(-0.5 * colour), size)[:count]
    return np.asarray(noise / max(noise.std(), 1e-12), np.float32)


def filtered(samples: Sound, rate: int, hertz: list[float], decibels: list[float]) -> Sound:
    """Amplify (n,) samples by frequency, without delay.

    Parameters
    ----------
    samples : (n,) float32 np.ndarray
    rate : int
        Hz.
    hertz, decibels : list of float
        Points of the response, rising in frequency; straight in between on a logarithmic scale.

    Returns
    -------
    (n,) float32 np.ndarray
    """
    if len(samples) == 0:
        return samples
    size = smooth_size(len(samples) + rate // 20)  # what rings goes into the zeros behind
    frequency = np.log(np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 1.0))
    gain = 10 ** (np.interp(frequency, np.log(hertz), decibels) / 20)
    spectrum = np.fft.rfft(samples, size) * gain.astype(np.float32)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(samples)], np.float32)
