"""Writes the scripts of a split, so that every AU is present for its share of the time.

A ledger of the time that each AU is still due steers the choice: affect states whose AUs are due
are drawn more often, and what they leave is filled with AUs that act alone or in pairs that no
state has. So the shares hold for any number of clips, and no AU can be told from another.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AFF_WILD2_BASE_RATES, AU_NUMBERS, N_AUS
from stages.synthesis import articulation
from stages.synthesis.affect import (
    NEUTRAL_MANNER,
    STATES,
    VISIBLE,
    AffectState,
    probabilities,
    sample_active,
    sample_apex,
)
from stages.synthesis.episodes import Episode, Floats, intensities, sample_episode
from stages.synthesis.script import Line, Script, combine, mouth_of_line
from stages.synthesis.sentences import sentence
from stages.synthesis.speech import Manner, Voice, speak

PRESSOR, PART, DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))
RARE: Final = 0.04  # AUs rarer than this are shown this often: 2 % of a small test set is 2 seconds
SHORTEST: Final = 0.6  # seconds that a filling episode is visible for, at least
RAMPS: Final = 0.45  # seconds of an episode's rise and fall in which it is not yet visible
_SILENT: Final = 0.12  # share of scripts in which nothing is said
_TRIES: Final = 12  # places tried for an episode

TARGETS: Final = np.maximum(list(AFF_WILD2_BASE_RATES.values()), RARE)


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
    """

    script: Script
    times: Floats
    voice: Voice
    turns: tuple[tuple[float, float], ...]
    required: frozenset[int]


class _Writer:
    """Writes one script; `due` is the time in seconds that each AU is due, kept up to date."""

    def __init__(self, brief: Brief, due: Floats, rng: np.random.Generator) -> None:
        self.brief, self.rng = brief, rng
        self.kept = brief.script.annotated(brief.times)
        self.frame = float(np.diff(brief.times).mean()) if len(brief.times) > 1 else 1.0
        self.duration = brief.script.duration
        self.share = TARGETS * self.frame * self.kept.sum()
        self.budget = due + self.share
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

    def fill(self, column: int, length: float) -> None:
        """Show one AU for about `length` seconds where it is most free."""
        total = min(length + RAMPS, self.duration)
        blocked = self.blocked(column)
        places = self.rng.uniform(0, self.duration - total + 1e-9, _TRIES)
        if self.episodes and self.rng.random() < 0.3:  # with another AU, as chance has it
            places[0] = self.episodes[int(self.rng.integers(len(self.episodes)))].start
        times = self.brief.times
        cost = [blocked[(times >= p) & (times < p + total)].sum() for p in places]
        best = int(np.argmin(cost))
        hard = column in (PRESSOR, PART, DROP)
        if cost[best] * self.frame > (0.1 if hard else 0.5) * total:
            return
        start = float(np.clip(places[best], 0, self.duration - total))
        self.add(column, start, start + total, max(sample_apex(self.rng), 0.5))

    def fill_due(self, column: int) -> None:
        """Pay an AU's due with episodes of natural length; some clips do without."""
        rng = self.rng
        required = column in self.brief.required
        if required and self.visible()[:, column].sum() * self.frame < SHORTEST:
            self.fill(column, min(SHORTEST, 0.3 * self.duration))
        if rng.random() < 0.25 and self.due()[column] < 2.0 * self.share[column]:
            return
        for _ in range(8):
            due = self.due()[column]
            shortest = min(SHORTEST, 0.3 * self.duration)
            if due < shortest:
                return
            self.fill(column, min(due, float(rng.uniform(shortest, 3.5))))

    def act(self) -> list[tuple[float, float, AffectState]]:
        """Episodes of affect, one after the other with neutral times between."""
        rng, states = self.rng, []
        time = rng.uniform(-0.3, 1.2)
        weights = np.array([state.weight for state in STATES])
        while time < self.duration - 0.5:
            length = min(float(rng.uniform(1.2, 4.2)), self.duration - time)
            if rng.random() < 0.35:
                time += 0.5 * length
                continue
            favour = np.clip(self.due() / self.share.clip(1e-9), 0.03, 3.0)
            chance = np.stack([probabilities(state) for state in STATES])
            pull = np.exp(chance @ np.log(favour) / chance.sum(axis=1)) * weights
            state = STATES[int(rng.choice(len(STATES), p=pull / pull.sum()))]
            active = sample_active(state, rng, favour)
            strength = sample_apex(rng)
            for column in np.flatnonzero(active).tolist():
                begin = max(time + rng.normal(0, 0.15), -0.2)
                end = time + length * rng.uniform(0.6, 1.1)
                apex = float(np.clip(strength * rng.uniform(0.75, 1.25), 0.4, 1.0))
                # lips that a state has pressed stay so until it is over, and the other way round
                hindered = column in (PRESSOR, PART, DROP) and self.hindered(column, begin, end)
                if end - begin > 0.4 and not hindered:
                    self.add(column, begin, end, apex)
            states.append((time, time + length, state))
            time += length + rng.exponential(0.5)
        return states

    def hindered(self, column: int, start: float, end: float) -> bool:
        """Whether an AU of the lips would meet one that excludes it."""
        times = self.brief.times
        inside = (times >= start) & (times < end)
        rivals = [PART, DROP] if column == PRESSOR else [PRESSOR]
        return bool((self.acted[inside][:, rivals] > 0).any())

    def speak(self, states: list[tuple[float, float, AffectState]]) -> list[Line]:
        """Lines with pauses, in the manner of the state of the moment; never with lips pressed."""
        rng = self.rng
        lines: list[Line] = []
        ratio = self.due()[PART] / self.share[PART]
        talk = float(np.clip(rng.beta(2.0, 1.6) * ratio, 0.0, 0.9))
        if talk < 0.12 or rng.random() < _SILENT:
            return lines
        # loud speech drops the jaw, so loudness is what settles how often AU26 is seen
        jaw = float(np.clip(self.due()[DROP] / self.share[DROP], 0.6, 1.3))
        effort, energy = rng.uniform(0.85, 1.2), rng.uniform(0.6, 1.15) * jaw
        pressed = self.brief.times[self.acted[:, PRESSOR] > 0.05]
        for first, last in self.brief.turns:
            time = first + rng.uniform(0.05, 1.2) * (1.0 - talk)
            while time < last - 0.4:
                manner = self.manner(states, time, energy)
                line = Line(sentence(rng), self.brief.voice, manner, time, effort)
                utterance = speak(line.text, line.voice, line.manner)
                length = len(utterance.samples) / utterance.sample_rate
                meets = pressed[(pressed > time - 0.15) & (pressed < time + length + 0.1)]
                if meets.size or (time + length > last and last < self.duration):
                    time += 0.4
                    continue
                lines.append(line)
                track = mouth_of_line(line, utterance, self.brief.times)
                np.maximum(self.mouth, track, out=self.mouth)
                time += length + 0.15 + length * (1 - talk) / talk * rng.uniform(0.4, 1.4)
        return lines

    def manner(
        self, states: list[tuple[float, float, AffectState]], time: float, energy: float
    ) -> Manner:
        """How someone speaks now: as the state has it, with some chance."""
        now = [state.manner for start, end, state in states if start - 0.2 <= time < end]
        manner = now[-1] if now else NEUTRAL_MANNER
        return Manner(
            rate=manner.rate * self.rng.uniform(0.92, 1.08),
            pitch=manner.pitch + self.rng.normal(0, 2),
            pitch_range=manner.pitch_range * self.rng.uniform(0.85, 1.15),
            volume=manner.volume * energy,
        )

    def faint(self) -> None:
        """Traces below the visible level, labelled 0: what a detector must leave alone."""
        for _ in range(self.rng.poisson(self.duration / 4.0)):
            column = int(self.rng.integers(N_AUS))
            length = min(float(self.rng.uniform(0.6, 2.0)), self.duration)
            start = float(self.rng.uniform(0, self.duration - length + 1e-9))
            if not self.hindered(column, start, start + length):
                self.add(column, start, start + length, float(self.rng.uniform(0.08, 0.2)))


def write_script(brief: Brief, due: Floats, rng: np.random.Generator) -> tuple[Script, Floats]:
    """Write one person's part in a clip.

    Parameters
    ----------
    brief : Brief
        What is settled already.
    due : (12,) float64 np.ndarray
        Seconds that each AU is due from the scripts before, negative where it had too much.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    tuple
        The script and the seconds that are due after it.
    """
    writer = _Writer(brief, due, rng)
    states = writer.act()
    writer.fill_due(PRESSOR)
    lines = writer.speak(states)
    for column in (DROP, PART, *rng.permutation([c for c in range(N_AUS) if c < PRESSOR])):
        writer.fill_due(int(column))
    writer.faint()
    script = replace(brief.script, episodes=tuple(writer.episodes), lines=tuple(lines))
    return script, writer.due()


def spread_required(people: list[str], times: int = 2) -> list[frozenset[int]]:
    """Decide which scripts must show which AU, so that no split is without one.

    Parameters
    ----------
    people : list of str
        The person of each script of one split.
    times : int
        Scripts, of different people where there are as many, in which each AU must be seen.

    Returns
    -------
    list of frozenset of int
        Columns required of each script.
    """
    required: list[set[int]] = [set() for _ in people]
    golden = 0.6180339887498949
    for column in range(N_AUS):
        first = int(len(people) * ((column * golden) % 1.0))
        order = [(first + k) % len(people) for k in range(len(people))]
        chosen = {people[i]: i for i in reversed(order)}  # the first script of each person
        distinct = sorted(chosen.values(), key=lambda i: (i - first) % len(people))[:times]
        rest = [i for i in order[: times + len(distinct)] if i not in distinct]
        for index in (distinct + rest)[:times]:
            required[index].add(column)
    return [frozenset(columns) for columns in required]
