"""The sound of a clip: voices in a room, with its echo and its noise."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.speech import Utterance

Sound = NDArray[np.float32]
SAMPLE_RATES: Final = (44_100, 48_000, 16_000)  # Hz


@dataclass(frozen=True)
class Room:
    """How a clip was recorded.

    Attributes
    ----------
    sample_rate : int
        Hz.
    channels : int
        1 or 2.
    bit_rate : int
        Of the compressed sound, bits a second.
    gain : float
        Of the voices; 1 leaves them as they are.
    echo : float
        Seconds in which the room's echo falls by 60 dB.
    wetness : float
        Loudness of the echo beside the direct sound.
    noise : float
        Spread of the background noise.
    colour : float
        Slope of the noise: power falls with frequency to this exponent (0 white, 1 pink, 2 brown).
    hum : float
        Strength of a hum of 50 Hz and its overtones.
    """

    sample_rate: int
    channels: int
    bit_rate: int
    gain: float
    echo: float
    wetness: float
    noise: float
    colour: float
    hum: float


def sample_room(rng: np.random.Generator) -> Room:
    """Draw a recording."""
    sample_rate = int(rng.choice(SAMPLE_RATES))
    channels = int(rng.integers(1, 3))
    gain = 10 ** rng.uniform(-0.45, 0.25)
    return Room(
        sample_rate=sample_rate,
        channels=channels,
        bit_rate=channels * (32_000 if sample_rate < 40_000 else 64_000),
        gain=gain,
        echo=float(rng.uniform(0.1, 0.7)),
        wetness=float(rng.uniform(0.0, 0.35)),
        noise=gain * 10 ** rng.uniform(-3.2, -1.9),  # about 10 to 35 dB below the voice
        colour=float(rng.uniform(0.3, 2.0)),
        hum=gain * 10 ** rng.uniform(-4.0, -2.4) * float(rng.random() < 0.3),
    )


def _smooth_size(count: int) -> int:
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
    size = unit * _smooth_size(-(-len(samples) // unit))
    wanted = size * new // old
    spectrum = np.fft.rfft(samples, size)
    kept = np.zeros(wanted // 2 + 1, spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    sound = np.fft.irfft(kept, wanted)[: round(len(samples) * new / old)]
    return np.asarray(sound * (wanted / size), np.float32)


def _coloured_noise(count: int, rate: int, colour: float, rng: np.random.Generator) -> Sound:
    size = _smooth_size(count)
    spectrum = np.fft.rfft(rng.standard_normal(size, np.float32))
    frequency = np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 40.0).astype(np.float32)
    noise = np.fft.irfft(spectrum * frequency ** np.float32(-0.5 * colour), size)[:count]
    return np.asarray(noise / max(noise.std(), 1e-12), np.float32)


def _with_echo(dry: Sound, room: Room, rng: np.random.Generator) -> Sound:
    count = int(room.echo * room.sample_rate)
    time = np.arange(count, dtype=np.float32) / room.sample_rate
    tail = rng.standard_normal(count, np.float32) * 10 ** (-3.0 * time / room.echo)
    tail[: int(0.008 * room.sample_rate)] = 0.0  # the walls are some steps away
    tail *= room.wetness / max(float(np.sqrt((tail**2).sum())), 1e-12)
    size = _smooth_size(len(dry) + count)
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)[: len(dry)]
    return np.asarray(dry + wet, np.float32)


def record(
    utterances: list[tuple[float, Utterance]],
    duration: float,
    room: Room,
    rng: np.random.Generator,
) -> Sound:
    """Record what is said in a room.

    Parameters
    ----------
    utterances : list of tuple
        Start in seconds and sound of each; what lies beyond `duration` is cut off.
    duration : float
        Seconds.
    room : Room
        How it is recorded.
    rng : np.random.Generator
        Source of the noise.

    Returns
    -------
    (channels, samples) float32 np.ndarray
        Between -1 and 1.
    """
    count = round(duration * room.sample_rate)
    dry = np.zeros(count, np.float32)
    for start, utterance in utterances:
        voice = resampled(utterance.samples, utterance.sample_rate, room.sample_rate)
        first = round(start * room.sample_rate)
        length = min(len(voice), count - first)
        if length > 0:
            dry[first : first + length] += room.gain * voice[:length]
    wet = _with_echo(dry, room, rng)
    time = np.arange(count) / room.sample_rate
    phases = rng.uniform(0, 2 * np.pi, 3)
    hum = sum(
        np.sin(2 * np.pi * 50 * (k + 1) * time + phase) / (k + 1) for k, phase in enumerate(phases)
    )
    mono = wet + np.asarray(room.hum * hum, np.float32)
    channels = [
        mono + room.noise * _coloured_noise(count, room.sample_rate, room.colour, rng)
        for _ in range(room.channels)
    ]
    return np.asarray(np.clip(np.stack(channels), -1.0, 1.0), np.float32)
