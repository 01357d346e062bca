"""The sound of a clip: voices in a room, with its echo, what else is heard in it, a microphone.

References
----------
J. B. Allen, D. A. Berkley. Image method for efficiently simulating small-room acoustics. J. Acoust.
Soc. Am. 65, 1979: the early echoes are those of a box, up to two walls.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stages.synthesis.audio.microphones import Microphone, fitted, sample_microphone, through
from stages.synthesis.audio.spectra import Sound, coloured_noise, resampled, smooth_size
from stages.synthesis.audio.speech import Utterance
from stages.synthesis.audio.surroundings import babble, knocks, music
from stages.synthesis.audio.timbre import LEVEL

SAMPLE_RATES: Final = (44_100, 48_000, 16_000)  # Hz
CLEAN: Final = 0.45  # share of recordings of a voice near a good microphone in a quiet room
SPEED: Final = 343.0  # of sound, metres a second


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
        Strength of a hum of 50 or 60 Hz and its overtones.
    mains : int
        50 or 60, in Hz.
    size : tuple of float
        Width, depth and height of the room in metres.
    people : int
        Who talk in the background.
    babble, music, knocks : float
        Root mean square of the voices and of the music in the background; peak of the knocks.
    unsteadiness : float
        Spread in decibels with which a voice comes nearer and turns away.
    microphone : Microphone
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
    mains: int
    size: tuple[float, float, float]
    people: int
    babble: float
    music: float
    knocks: float
    unsteadiness: float
    microphone: Microphone


def _decibels(rng: np.random.Generator, low: float, high: float, chance: float = 1.0) -> float:
    """Draw an amplitude between two levels, or 0 where chance has it."""
    level = 10 ** (rng.uniform(low, high) / 20)
    return float(level) if rng.random() < chance else 0.0


def sample_room(rng: np.random.Generator) -> Room:
    """Draw a recording: nearly half are close and clean, the others anything."""
    clean = rng.random() < CLEAN
    room = _sample_room(rng)
    if not clean:
        return room
    voice = LEVEL * room.gain
    return replace(
        room,
        wetness=0.2 * room.wetness,
        noise=min(room.noise, 0.03 * voice),
        hum=0.1 * room.hum,
        babble=0.0,
        music=0.0,
        knocks=0.0,
        microphone=replace(
            room.microphone,
            decibels=tuple(0.4 * level for level in room.microphone.decibels),
            drive=1.0,
            codec="",
        ),
    )


def _sample_room(rng: np.random.Generator) -> Room:
    sample_rate = int(rng.choice(SAMPLE_RATES))
    channels = int(rng.integers(1, 3))
    gain = _decibels(rng, -22.0, 9.0)
    voice = LEVEL * gain
    highest = 64_000 if sample_rate > 40_000 else 32_000
    return Room(
        sample_rate=sample_rate,
        channels=channels,
        bit_rate=channels * int(rng.choice((highest // 2, highest))),
        gain=gain,
        echo=float(np.exp(rng.uniform(np.log(0.08), np.log(0.9)))),
        wetness=float(rng.uniform(0.0, 0.5)),
        noise=voice * _decibels(rng, -48.0, -12.0),
        colour=float(rng.uniform(0.0, 2.2)),
        hum=voice * _decibels(rng, -45.0, -18.0, 0.3),
        mains=int(rng.choice((50, 60))),
        size=(float(rng.uniform(2, 9)), float(rng.uniform(2, 7)), float(rng.uniform(2.2, 3.5))),
        people=int(rng.integers(1, 5)),
        babble=voice * _decibels(rng, -40.0, -12.0, 0.35),
        music=voice * _decibels(rng, -40.0, -10.0, 0.3),
        knocks=voice * _decibels(rng, -15.0, 12.0, 0.3),
        unsteadiness=float(rng.uniform(0.0, 4.0)),
        microphone=sample_microphone(rng),
    )


def _early(room: Room, rng: np.random.Generator) -> Sound:
    """Echoes of up to two walls, from a mouth to a microphone somewhere in the room."""
    size = np.array(room.size)
    mouth, ear = size * rng.uniform(0.2, 0.8, 3), size * rng.uniform(0.2, 0.8, 3)
    direct = max(float(np.linalg.norm(mouth - ear)), 0.3)
    kept = 0.9 * 10 ** (-0.15 / room.echo)  # of a sound that a wall sends back
    taps = np.zeros(round(0.06 * room.sample_rate), np.float32)
    for order in np.ndindex(3, 3, 3):
        walls = np.array(order) - 1
        bounces = int(np.abs(walls).sum())
        if not 1 <= bounces <= 2:
            continue
        image = np.where(walls < 0, -mouth, np.where(walls > 0, 2 * size - mouth, mouth))
        way = float(np.linalg.norm(image - ear))
        place = round((way - direct) / SPEED * room.sample_rate)
        if 0 < place < len(taps):
            taps[place] += np.float32(kept**bounces * direct / way)
    return taps


def _late(room: Room, rng: np.random.Generator) -> Sound:
    """The dying away of an echo, its high sounds sooner than its low ones."""
    count = int(room.echo * room.sample_rate)
    time = np.arange(count, dtype=np.float32) / room.sample_rate
    dull, sharp = (coloured_noise(count, room.sample_rate, c, rng) for c in (1.2, -0.3))
    tail = dull * 10 ** (-3.0 * time / room.echo) + sharp * 10 ** (-6.0 * time / room.echo)
    tail[: int(0.008 * room.sample_rate)] = 0.0  # the walls are some steps away
    return np.asarray(tail / max(float(np.sqrt((tail**2).sum())), 1e-12), np.float32)


def _with_echo(dry: Sound, room: Room, rng: np.random.Generator) -> Sound:
    early, late = _early(room, rng), _late(room, rng)
    answer = np.zeros(max(len(early), len(late), 1), np.float32)
    answer[0] = 1.0
    answer[: len(early)] += np.float32(min(1.0, 2.0 * room.wetness)) * early
    answer[: len(late)] += np.float32(room.wetness) * late
    size = smooth_size(len(dry) + len(answer))
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(answer, size), size)
    return np.asarray(wet[: len(dry)], np.float32)


def _swell(count: int, room: Room, rng: np.random.Generator) -> Sound:
    """(count,) gain of a voice that comes nearer and turns away."""
    seconds = count / room.sample_rate
    points = np.arange(0.0, seconds + 1.0, 0.4)
    levels = rng.normal(0.0, room.unsteadiness, len(points))
    time = np.arange(count) / room.sample_rate
    return np.asarray(10 ** (np.interp(time, points, levels) / 20), np.float32)


def _background(count: int, room: Room, rng: np.random.Generator) -> Sound:
    """(count,) all that is heard of the room itself but its noise."""
    time = np.arange(count) / room.sample_rate
    phases = rng.uniform(0, 2 * np.pi, 3)
    hum = sum(
        np.sin(2 * np.pi * room.mains * (k + 1) * time + phase) / (k + 1)
        for k, phase in enumerate(phases)
    )
    total = np.asarray(room.hum * hum, np.float32)
    if room.babble:
        others = babble(count, room.sample_rate, room.people, rng)
        total += np.float32(room.babble) * _with_echo(others, room, rng)
    if room.music:
        total += np.float32(room.music) * music(count, room.sample_rate, rng)
    if room.knocks:
        total += np.float32(room.knocks) * knocks(count, room.sample_rate, 0.5, rng)
    return total


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
    near = _with_echo(dry * _swell(count, room, rng), room, rng)
    mono = near + _background(count, room, rng)
    channels = [
        mono + room.noise * coloured_noise(count, room.sample_rate, room.colour, rng)
        for _ in range(room.channels)
    ]
    heard = [
        fitted(through(channel, room.sample_rate, room.microphone), count) for channel in channels
    ]
    return np.asarray(np.stack(heard), np.float32)
