"""A clip's script for one person: what the face does, what is said, and the exact labels."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, INTENSITY_MAX, N_AUS, NOT_ANNOTATED
from stages.synthesis.audio.speech import Manner, Utterance, Voice, speak
from stages.synthesis.performance import articulation as mouth_of
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.performance.episodes import Episode, Floats, intensities
from stages.synthesis.performance.motion import Motion, leave_picture, sample_motion

_PRESSOR, _PART, _DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))
PRESS_OF_CLOSURE: Final = 0.25  # lips that close for p, b or m show a trace of AU24: not visible


@dataclass(frozen=True)
class Line:
    """A sentence that is said.

    Attributes
    ----------
    text : str
        The sentence.
    voice : Voice
        Who says it.
    manner : Manner
        How.
    start : float
        Seconds in the clip.
    effort : float
        How distinctly the mouth moves; 1 is normal.
    """

    text: str
    voice: Voice
    manner: Manner
    start: float
    effort: float


@dataclass(frozen=True)
class Script:
    """One person's part in a clip; times in seconds.

    Attributes
    ----------
    seed : tuple of int
        Of the head's own movement.
    duration : float
        Length of the clip.
    episodes : tuple of Episode
        What the face does apart from speaking.
    lines : tuple of Line
        What is said.
    away : tuple of float or None
        Start and end of a time out of the picture.
    gaps : tuple of tuple of float
        Starts and ends of stretches that are not annotated.
    """

    seed: tuple[int, ...]
    duration: float
    episodes: tuple[Episode, ...] = ()
    lines: tuple[Line, ...] = ()
    away: tuple[float, float] | None = None
    gaps: tuple[tuple[float, float], ...] = ()

    def annotated(self, times: Floats) -> NDArray[np.bool_]:
        """(frames,) whether the frame at each of `times` has labels."""
        kept = np.ones(len(times), dtype=bool)
        for start, end in (*self.gaps, *((self.away,) if self.away else ())):
            kept &= (times < start) | (times >= end)
        return kept


@dataclass(frozen=True)
class Tracks:
    """A script played: one row for each frame.

    Attributes
    ----------
    intensity : (frames, 12) float64 np.ndarray
        Of each AU, 0 to 1, as rendered: speech and affect together.
    mouth : (frames, 6) float64 np.ndarray
        What speech alone does, `articulation.FEATURES`.
    motion : Motion
        Pose, blinks and gaze.
    labels : (frames, 12) int8 np.ndarray
        1 where the intensity is visible, 0 where not, -1 where not annotated.
    """

    intensity: Floats
    mouth: Floats
    motion: Motion
    labels: NDArray[np.int8]

    @property
    def known_intensity(self) -> Floats:
        """(frames, 12) intensities as annotated: 0 to 5, NaN where there is no annotation."""
        known = self.labels != NOT_ANNOTATED
        return np.where(known, INTENSITY_MAX * np.clip(self.intensity, 0.0, 1.0), np.nan)


def speech_of(script: Script) -> list[tuple[float, Utterance]]:
    """Say the lines: start in seconds and sound of each."""
    return [(line.start, speak(line.text, line.voice, line.manner)) for line in script.lines]


def mouth_of_line(line: Line, utterance: Utterance, times: Floats) -> Floats:
    """(frames, 6) movement of the mouth that says a line, at `times` of the clip."""
    return mouth_of.mouth_track(
        utterance.phones,
        times - line.start,
        loudness=line.manner.volume,
        effort=line.effort,
    )


def combine(acted: Floats, mouth: Floats) -> Floats:
    """AU intensities of a face that acts and speaks at once.

    Parameters
    ----------
    acted : (frames, 12) float64 np.ndarray
        Intensities of the episodes.
    mouth : (frames, 6) float64 np.ndarray
        What speech does.

    Returns
    -------
    (frames, 12) float64 np.ndarray
        Lips and jaw open as far as the wider of the two; lips that close for p, b or m, or that
        AU24 presses, are closed whatever else opens them.
    """
    total = acted.copy()
    closed = mouth[:, mouth_of.CLOSED]
    pressed = acted[:, _PRESSOR]
    parted = np.maximum(acted[:, _PART], mouth[:, mouth_of.PARTED])
    total[:, _PART] = parted * (1.0 - closed) * (1.0 - np.clip(pressed / VISIBLE, 0.0, 1.0))
    total[:, _DROP] = np.maximum(acted[:, _DROP], mouth[:, mouth_of.JAW])
    total[:, _PRESSOR] = np.maximum(pressed, PRESS_OF_CLOSURE * closed)
    return total


def labels_of(intensity: Floats, annotated: NDArray[np.bool_]) -> NDArray[np.int8]:
    """(frames, 12) labels: 1 from the visible level on, -1 where a frame is not annotated."""
    labels = (intensity >= VISIBLE).astype(np.int8)
    labels[~annotated] = NOT_ANNOTATED
    return labels


def play(script: Script, times: Floats, utterances: list[tuple[float, Utterance]]) -> Tracks:
    """Turn a script into tracks.

    Parameters
    ----------
    script : Script
        One person's part.
    times : (frames,) float64 np.ndarray
        True presentation times in seconds.
    utterances : list of tuple
        The spoken lines, from `speech_of`.

    Returns
    -------
    Tracks
    """
    mouth = np.zeros((len(times), mouth_of.N_FEATURES))
    for line, (_, utterance) in zip(script.lines, utterances, strict=True):
        np.maximum(mouth, mouth_of_line(line, utterance, times), out=mouth)
    intensity = combine(intensities(script.episodes, times), mouth)
    motion = sample_motion(times, script.duration, np.random.default_rng(script.seed))
    if script.away is not None:
        start, end = script.away
        shift = leave_picture(motion.shift, times, start, end - start)
        motion = Motion(motion.rotation, shift, motion.blink, motion.gaze)
    assert intensity.shape[1] == N_AUS
    return Tracks(intensity, mouth, motion, labels_of(intensity, script.annotated(times)))
