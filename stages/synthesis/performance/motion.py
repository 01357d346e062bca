"""How a head moves by itself: pose, blinks and gaze, as smooth functions of time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.synthesis.performance.episodes import smooth_step

Floats = NDArray[np.float64]

BLINKS_A_MINUTE: Final = (6.0, 24.0)
LIMITS: Final = (42.0, 24.0, 18.0)  # degrees of yaw, pitch and roll to either side
_SLOW: Final = 0.06  # share of blinks that keep the eyes closed for a while
_WAVES: Final = 5  # sine waves that make one drifting coordinate


@dataclass(frozen=True)
class Motion:
    """Movement of one head; every array has one row for each time asked for.

    Attributes
    ----------
    rotation : (frames, 3) float64 np.ndarray
        Yaw (to the person's left), pitch (up) and roll (to the person's right) in degrees.
    shift : (frames, 2) float64 np.ndarray
        To the person's left (the picture's right) and up, in heights of the face.
    blink : (frames,) float64 np.ndarray
        How far the lids are closed, 0 to 1.
    gaze : (frames, 2) float64 np.ndarray
        To the person's left and up, -1 to 1.
    """

    rotation: Floats
    shift: Floats
    blink: Floats
    gaze: Floats


def _drift(times: Floats, rng: np.random.Generator, low: float, high: float) -> Floats:
    """(frames,) noise of unit spread made of waves between two frequencies in Hz."""
    frequency = np.exp(rng.uniform(np.log(low), np.log(high), _WAVES))
    phase = rng.uniform(0, 2 * np.pi, _WAVES)
    weight = (low / frequency) ** 0.7
    waves = np.sin(2 * np.pi * frequency * times[:, None] + phase) @ weight
    return np.asarray(waves / np.sqrt(0.5 * (weight**2).sum()))


def _rotation(times: Floats, duration: float, rng: np.random.Generator) -> Floats:
    liveliness = rng.uniform(0.4, 1.5)
    centre = rng.normal(0.0, (5.0, 3.0, 2.0))  # on top of the scene's
    spread = liveliness * np.array([4.0, 2.5, 2.0])
    angles = np.stack([_drift(times, rng, 0.08, 0.8) for _ in range(3)], axis=1)
    rotation = np.asarray(centre + spread * angles)
    for _ in range(rng.poisson(duration / 6.0)):  # turns of the head, and back
        start, hold = rng.uniform(-3.0, duration), np.exp(rng.uniform(np.log(0.4), np.log(6.0)))
        size = rng.choice([-1, 1]) * rng.uniform(10, 34), rng.normal(0.0, 6.0)
        there = smooth_step((times - start) / rng.uniform(0.45, 1.0))
        back = smooth_step((times - start - 1.0 - hold) / rng.uniform(0.45, 1.0))
        rotation[:, :2] += np.outer(there - back, size)
    for _ in range(rng.poisson(duration / 12.0)):  # it is lowered or raised, and back
        start, hold = rng.uniform(-3.0, duration), rng.uniform(0.5, 4.0)
        tilt = -rng.uniform(6, 18) if rng.random() < 0.65 else rng.uniform(5, 14)
        there = smooth_step((times - start) / rng.uniform(0.4, 0.9))
        back = smooth_step((times - start - 0.9 - hold) / rng.uniform(0.4, 0.9))
        rotation[:, 1] += tilt * (there - back)
    for _ in range(rng.poisson(duration / 5.0)):  # nods
        start, length = rng.uniform(0, duration), rng.uniform(0.4, 1.0)
        phase = np.clip((times - start) / length, 0, 1)
        rotation[:, 1] += rng.uniform(3, 9) * np.sin(np.pi * phase) * np.sin(3 * np.pi * phase)
    return np.clip(rotation, [-limit for limit in LIMITS], LIMITS)


def _blinks(times: Floats, duration: float, rng: np.random.Generator) -> Floats:
    closed = np.zeros(len(times))
    rate = rng.uniform(*BLINKS_A_MINUTE) / 60.0
    time = rng.exponential(1.0 / rate)
    while time < duration:
        closing, opening = rng.uniform(0.07, 0.11), rng.uniform(0.14, 0.24)
        depth = rng.uniform(0.75, 1.0) if rng.random() < 0.8 else rng.uniform(0.35, 0.7)
        shut = rng.uniform(0.3, 1.2) if rng.random() < _SLOW else 0.0
        lid = smooth_step((times - time) / closing) - smooth_step(
            (times - time - closing - shut) / opening
        )
        closed = np.maximum(closed, depth * lid)
        time += closing + shut + opening + max(0.6, rng.exponential(1.0 / rate))
    return closed


def _gaze(times: Floats, duration: float, rng: np.random.Generator) -> Floats:
    gaze = np.zeros((len(times), 2))
    time, where = 0.0, np.zeros(2)
    restless = rng.uniform(0.3, 0.8)
    while time < duration:
        away = rng.random() < restless
        target = rng.normal(0, (0.35, 0.22)) if away else rng.normal(0, 0.05, 2)
        if away and rng.random() < 0.15:  # down, as one who reads
            target = np.array([rng.normal(0.0, 0.2), -rng.uniform(0.3, 0.7)])
        gaze += np.outer(smooth_step((times - time) / 0.045), target - where)
        where = target
        time += rng.exponential(1.3) + 0.3
    return np.clip(gaze, -1, 1)


def sample_motion(times: Floats, duration: float, rng: np.random.Generator) -> Motion:
    """Draw how a head moves.

    Parameters
    ----------
    times : (frames,) float64 np.ndarray
        Seconds.
    duration : float
        Seconds the movement is planned for.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    Motion
    """
    rotation = _rotation(times, duration, rng)
    shift = np.stack([_drift(times, rng, 0.05, 0.5) for _ in range(2)], axis=1)
    return Motion(
        rotation=rotation,
        shift=shift * rng.uniform(0.01, 0.05),
        blink=_blinks(times, duration, rng),
        gaze=_gaze(times, duration, rng),
    )


def leave_picture(shift: Floats, times: Floats, start: float, length: float) -> Floats:
    """Move a head out of the picture to the right and back in.

    Parameters
    ----------
    shift : (frames, 2) float64 np.ndarray
        The head's own movement, in heights of the face.
    times : (frames,) float64 np.ndarray
        Seconds.
    start, length : float
        Seconds; in between the head is on its way or outside.

    Returns
    -------
    (frames, 2) float64 np.ndarray
    """
    way = min(0.35, 0.3 * length)
    out = smooth_step((times - start) / way) - smooth_step((times - start - length + way) / way)
    return np.asarray(shift + np.outer(out, (4.0, 0.0)))
