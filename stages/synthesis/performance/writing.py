"""Writes the scripts of a split, so that every AU is present for its share of the time.

A ledger of the time that each AU is still due steers the choice: affect states whose AUs are due
are drawn more often, and what they leave is filled with AUs that act alone or in pairs that no
state has. So the shares hold for any number of clips, and no AU can be told from another. What
lasts may run ahead of the ledger, up to what the split has for the AU; later scripts save it.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from stages.core.facs import N_AUS
from stages.synthesis.audio.sentences import sentence
from stages.synthesis.audio.speech import Manner, speak
from stages.synthesis.performance.affect import (
    NEUTRAL_MANNER,
    STATES,
    AffectState,
    probabilities,
    sample_active,
    sample_apex,
)
from stages.synthesis.performance.courses import CONSTANT, HELD, LIVELY, TARGETS
from stages.synthesis.performance.episodes import Floats
from stages.synthesis.performance.ledger import DROP, PART, PRESSOR, Brief, Ledger
from stages.synthesis.performance.script import Line, Script, mouth_of_line

SHORTEST: Final = 0.6  # seconds that a filling episode is visible for, at least
RAMPS: Final = 0.45  # seconds of an episode's rise and fall in which it is not yet visible
_SILENT: Final = 0.12  # share of scripts in which nothing is said
_SILENT_LASTING: Final = 0.6  # the same of neutral and constant clips
_RESTING: Final = 0.3  # share of scripts with a trace of an AU throughout
_TRIES: Final = 12  # places tried for an episode
LONGEST: Final = 3.5  # seconds of a filling episode in a lively clip
HOLD: Final = (5.0, 30.0)  # seconds for which an expression lasts that is held
_BEFORE: Final = 0.5  # seconds by which something that is there already began before the clip


class _Writer(Ledger):
    """Writes one script."""

    def fill(self, column: int, length: float) -> None:
        """Show one AU for about `length` seconds where it is most free."""
        total = min(length + RAMPS, self.duration)
        blocked = self.blocked(column)
        places = self.rng.uniform(0, self.duration - total + 1e-9, _TRIES)
        earliest, latest = 0.0, self.duration - total
        if self.episodes and self.rng.random() < 0.3:  # with another AU, as chance has it
            places[0] = self.episodes[int(self.rng.integers(len(self.episodes)))].start
        elif self.rng.random() < 0.25:  # it is there when the clip begins, or when it ends
            earliest, latest = -_BEFORE, latest + _BEFORE
            places[:2] = self.rng.permutation((earliest, latest))
        times = self.brief.times
        cost = [blocked[(times >= p) & (times < p + total)].sum() for p in places]
        best = int(np.argmin(cost))
        hard = column in (PRESSOR, DROP)
        if cost[best] * self.frame > (0.1 if hard else 0.5) * total:
            return
        if column == PART and self.hindered(column, places[best], places[best] + total):
            return
        start = float(np.clip(places[best], earliest, max(earliest, latest)))
        self.add(column, start, start + total, max(sample_apex(self.rng), 0.5))

    def fill_due(self, column: int) -> None:
        """Pay an AU's due with episodes of natural length; some clips do without."""
        rng = self.rng
        required = column in self.brief.required
        if required and self.visible()[:, column].sum() * self.frame < SHORTEST:
            self.fill(column, min(SHORTEST, 0.3 * self.duration))
        common = column == PART
        # what one of the last clips does without, nothing makes up for
        spare = not common and self.brief.later > 2.0 * self.duration
        if spare and rng.random() < 0.25 and self.due()[column] < 2.0 * self.share[column]:
            return
        longest = HOLD[1] if common or self.brief.course.kind == HELD else LONGEST
        for _ in range(8):
            due = self.due()[column]
            shortest = min(SHORTEST, 0.3 * self.duration)
            if due < shortest:
                return
            self.fill(column, min(due, float(rng.uniform(shortest, longest))))

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

    def hold(self) -> list[tuple[float, float, AffectState]]:
        """Expressions and single AUs that last, the first often from before the clip began."""
        rng, states = self.rng, []
        time = -rng.uniform(*HOLD) if rng.random() < 0.6 else float(rng.uniform(0.0, 1.5))
        while time < self.duration - 1.0:
            length = float(rng.uniform(*HOLD))
            end = time + length if time > 0.0 else max(time + length, 0.4 * self.duration)
            seen = min(end, self.duration) - max(time, 0.0)
            room = self.room()
            free = np.where(room >= seen, room / (TARGETS * (self.duration + self.brief.later)), 0)
            for column in (PRESSOR, PART, DROP):
                free[column] *= not self.hindered(column, time, end)
            favour = np.clip(free, 0.0, 3.0)
            chance = np.stack([probabilities(state) for state in STATES])
            weights = np.array([state.weight for state in STATES]) * (chance @ favour)
            if weights.sum() == 0.0:
                break
            state = STATES[int(rng.choice(len(STATES), p=weights / weights.sum()))]
            active = sample_active(state, rng, favour)
            alone = not active.any() or rng.random() < 0.35
            if alone:
                active = np.arange(N_AUS) == rng.choice(N_AUS, p=favour / favour.sum())
            strength = sample_apex(rng)
            for column in np.flatnonzero(active).tolist():
                begin = time + rng.normal(0, 0.3)
                apex = float(np.clip(strength * rng.uniform(0.75, 1.25), 0.45, 1.0))
                self.add(column, begin, begin + (end - time) * rng.uniform(0.7, 1.0), apex)
            if not alone:
                states.append((time, end, state))
            time = end + rng.exponential(2.0)
        return states

    def keep(self, column: int) -> None:
        """Show one AU from the first frame to the last."""
        self.add(column, -_BEFORE - 1.0, self.duration + _BEFORE + 1.0, sample_apex(self.rng))

    def speak(self, states: list[tuple[float, float, AffectState]]) -> list[Line]:
        """Lines with pauses, in the manner of the state of the moment; never with lips pressed."""
        rng = self.rng
        lines: list[Line] = []
        ratio = self.due()[PART] / self.share[PART]
        lasting = self.brief.course.kind not in (HELD, LIVELY)
        talk = float(np.clip(rng.beta(2.0, 1.6) * (1.0 if lasting else ratio), 0.0, 0.9))
        if talk < 0.12 or rng.random() < (_SILENT_LASTING if lasting else _SILENT):
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
        if self.rng.random() < _RESTING:  # a face that looks like a faint AU when it rests
            column = int(self.rng.integers(N_AUS))
            if not self.hindered(column, -1.0, self.duration + 1.0):
                apex = float(self.rng.uniform(0.08, 0.22))
                self.add(column, -_BEFORE - 1.0, self.duration + _BEFORE + 1.0, apex)


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
    course = brief.course
    states = []
    if course.kind in (HELD, LIVELY):
        states = writer.act() if course.kind == LIVELY else writer.hold()
        writer.fill_due(PRESSOR)
    if course.kind == CONSTANT and course.column is not None:
        writer.keep(course.column)
    # a mouth that is kept open or pressed says nothing
    lines = [] if course.column in (PRESSOR, PART, DROP) else writer.speak(states)
    if course.kind in (HELD, LIVELY):
        for column in (DROP, PART, *rng.permutation([c for c in range(N_AUS) if c < PRESSOR])):
            writer.fill_due(int(column))
    writer.faint()
    script = replace(brief.script, episodes=tuple(writer.episodes), lines=tuple(lines))
    return script, writer.still_due()
