"""The ledger of a script that is being written: what is seen, and what each AU is still due."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.audio.speech import Voice
from stages.synthesis.performance import articulation
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.performance.courses import PLAIN, TARGETS, Course
from stages.synthesis.performance.episodes import Episode, Floats, intensities, sample_episode
from stages.synthesis.performance.script import Script, combine

PRESSOR, PART, DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))
_AT_ONCE: Final = 1.5  # seconds of an AU's debt that a script pays at least, if it is as much


@dataclass(frozen=True)
class Brief:
    """What is settled about a script before it is written.

    Attributes
    ----------
    script : Script
        With seed, duration, time away and gaps; episodes and lines are to be filled in.
    times : (frames,) float64 np.ndarray
        Presentation times in seconds.
    voice : Voice
        The person's.
    turns : tuple of tuple of float
        Starts and ends of the times when this person may speak.
    required : frozenset of int
        Columns of AUs that must be seen in this script.
    course : Course
        What kind of clip it is.
    later : float
        Seconds of the split's scripts that are written after this one.
    """

    script: Script
    times: Floats
    voice: Voice
    turns: tuple[tuple[float, float], ...]
    required: frozenset[int]
    course: Course = PLAIN
    later: float = 0.0


class Ledger:
    """A script so far, and the time in seconds that each AU is still due in it.

    Parameters
    ----------
    brief : Brief
        What is settled.
    due : (12,) float64 np.ndarray
        Seconds that each AU is due from the scripts before, negative where it had too much.
    rng : np.random.Generator
        Source of chance.
    """

    def __init__(self, brief: Brief, due: Floats, rng: np.random.Generator) -> None:
        self.brief, self.rng = brief, rng
        self.kept = brief.script.annotated(brief.times)
        self.frame = float(np.diff(brief.times).mean()) if len(brief.times) > 1 else 1.0
        self.duration = brief.script.duration
        self.share = TARGETS * self.frame * self.kept.sum()
        own = self.duration / (self.duration + brief.later)
        self.owed = due
        self.budget = self.share + np.maximum(own * due, np.minimum(due, _AT_ONCE))
        self.episodes: list[Episode] = []
        self.acted = np.zeros((len(brief.times), N_AUS))
        self.mouth = np.zeros((len(brief.times), articulation.N_FEATURES))

    def visible(self) -> NDArray[np.bool_]:
        """(frames, 12) where each AU is visible and annotated."""
        seen = combine(self.acted, self.mouth) >= VISIBLE
        return np.asarray(seen & self.kept[:, None])

    def due(self) -> Floats:
        """(12,) seconds still due of each AU."""
        return np.asarray(self.budget - self.visible().sum(axis=0) * self.frame)

    def still_due(self) -> Floats:
        """(12,) seconds due after this script, all debts counted."""
        return np.asarray(self.owed + self.share - self.visible().sum(axis=0) * self.frame)

    def room(self) -> Floats:
        """(12,) seconds of each AU that the split still has, this script and later ones."""
        shown = self.visible().sum(axis=0) * self.frame
        return np.asarray(self.owed + self.share + TARGETS * self.brief.later - shown)

    def add(self, column: int, start: float, end: float, apex: float) -> None:
        """Let an AU act between two times."""
        episode = sample_episode(column, start, end, apex, self.rng)
        self.episodes.append(episode)
        np.maximum(self.acted, intensities([episode], self.brief.times), out=self.acted)

    def blocked(self, column: int) -> NDArray[np.bool_]:
        """(frames,) where this AU should not be begun: seen already, or hindered by the lips."""
        seen = self.visible()
        blocked = seen[:, column] | ~self.kept
        if column == PRESSOR:
            speaking = self.mouth[:, articulation.PARTED] > 0
            blocked |= speaking | (self.acted[:, [PART, DROP]] > 0).any(axis=1)
        if column in (PART, DROP):
            blocked |= self.acted[:, PRESSOR] > 0
        return np.asarray(blocked)

    def hindered(self, column: int, start: float, end: float) -> bool:
        """Whether an AU of the lips would meet one that excludes it."""
        times = self.brief.times
        inside = (times >= start) & (times < end)
        rivals = [PART, DROP] if column == PRESSOR else [PRESSOR]
        return bool((self.acted[inside][:, rivals] > 0).any())
