"""What is heard beside a voice: other people, music, knocks. All of it generated."""

from functools import partial
from typing import Final

import numpy as np

from stages.synthesis.audio.sentences import sentence
from stages.synthesis.audio.spectra import Sound, coloured_noise, resampled
from stages.synthesis.audio.speech import Manner, sample_voice, speak

_SCALES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))  # semitones
_PAUSE: Final = 1.2  # seconds on average between two sentences of somebody in the background


def unit(sound: Sound) -> Sound:
    """Bring a sound to a root mean square of 1; silence stays silence."""
    level = float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0
    return np.asarray(sound / max(level, 1e-9), np.float32)


def babble(count: int, rate: int, people: int, rng: np.random.Generator) -> Sound:
    """(count,) people who talk at once, in the background."""
    total = np.zeros(count, np.float32)
    for _ in range(people):
        voice = sample_voice(rng, male=bool(rng.random() < 0.5))
        loudness, place = rng.uniform(0.4, 1.0), -int(rng.uniform(0.0, 2.0) * rate)
        while place < count:
            spoken = speak(sentence(rng), voice, Manner(rate=float(rng.uniform(130, 210))))
            sound = resampled(spoken.samples, spoken.sample_rate, rate)
            first, last = max(place, 0), min(place + len(sound), count)
            if last > first:
                total[first:last] += np.float32(loudness) * sound[first - place : last - place]
            place += len(sound) + int(rng.exponential(_PAUSE) * rate)
    return unit(total)


def _note(
    hertz: float, count: int, rate: int, decay: float, harmonics: int, brightness: float
) -> Sound:
    time = np.arange(count, dtype=np.float32) / rate
    numbers = [k for k in range(1, harmonics + 1) if k * hertz < 0.45 * rate]
    tone = sum(np.sin(2 * np.pi * k * hertz * time) * k**-brightness for k in numbers)
    attack = np.minimum(time / 0.012, 1.0)
    return np.asarray(tone * attack * np.exp(-time / decay), np.float32)


def music(count: int, rate: int, rng: np.random.Generator) -> Sound:
    """(count,) samples of chords, a tune and a beat."""
    total = np.zeros(count, np.float32)
    root, scale = float(rng.uniform(90, 260)), _SCALES[int(rng.integers(len(_SCALES)))]
    beat = float(rng.uniform(0.25, 0.7))
    harmonics, brightness = int(rng.integers(1, 9)), float(rng.uniform(0.6, 2.0))
    decay = float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
    sing = partial(_note, rate=rate, decay=decay, harmonics=harmonics, brightness=brightness)
    drums, chords, tune = rng.random() < 0.6, rng.random() < 0.8, rng.random() < 0.8
    for number in range(int(count / (beat * rate)) + 1):
        first = round(number * beat * rate)
        length = min(round(3.0 * decay * rate), count - first)
        if length <= 0:
            break
        steps = []
        if chords and number % 4 == 0:
            degree = int(rng.integers(len(scale)))
            steps += [scale[(degree + k) % len(scale)] for k in (0, 2, 4)]
        if tune and rng.random() < 0.75:
            steps.append(12 + scale[int(rng.integers(len(scale)))])
        for step in steps:
            total[first : first + length] += sing(root * 2 ** (step / 12), length)
        if drums:
            stroke = min(round(0.08 * rate), count - first)
            burst = rng.standard_normal(stroke, np.float32) * np.exp(-np.arange(stroke) / 500.0)
            total[first : first + stroke] += np.float32(rng.uniform(0.3, 1.5)) * burst
    return unit(np.asarray(total, np.float32))


def knocks(count: int, rate: int, per_second: float, rng: np.random.Generator) -> Sound:
    """(count,) samples of doors, dishes and desks; the loudest reaches 1."""
    total = np.zeros(count, np.float32)
    for _ in range(rng.poisson(per_second * count / rate)):
        first, length = int(rng.integers(count)), int(rng.uniform(0.02, 0.2) * rate)
        length = min(length, count - first)
        fall = np.exp(-5.0 * np.arange(length, dtype=np.float32) / max(length, 1))
        burst = coloured_noise(length, rate, float(rng.uniform(0.0, 2.0)), rng) * fall
        total[first : first + length] += np.float32(rng.uniform(0.2, 1.0)) * burst
    return np.asarray(total / max(float(np.abs(total).max(initial=0.0)), 1e-9), np.float32)
