"""The plan of a corpus: people, splits, names, pitfalls and the script of every clip."""

from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.synthesis.audio.speech import Voice, sample_voice
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance import pitfalls
from stages.synthesis.performance.courses import KINDS, Course, assign_courses, spread_required
from stages.synthesis.performance.ledger import Brief
from stages.synthesis.performance.script import Script
from stages.synthesis.performance.writing import write_script
from stages.synthesis.randomness import generator

SPLITS: Final = ("Train_Set", "Validation_Set", "Test_Set")  # folders of the annotations
VALIDATION: Final = 0.25  # share of the clips and people that are not of the test set
_SHORT_ONES: Final = 1.5  # above 1 there are more short clips than long ones


@dataclass(frozen=True)
class Settings:
    """What a corpus's clips depend on; rates in Hz, resolution in pixels.

    Attributes
    ----------
    seed : int
    clips, people : int
        Of training and validation together.
    seconds : tuple of float
        Shortest and longest of these clips.
    test_clips : int
        Clips of the test set, each of somebody who is in no other.
    test_seconds : tuple of float
        Shortest and longest of these.
    frame_rate : float
    resolution : int
    """

    seed: int
    clips: int
    people: int
    seconds: tuple[float, float]
    test_clips: int
    test_seconds: tuple[float, float]
    frame_rate: float
    resolution: int


@dataclass(frozen=True)
class Clip:
    """Everything that decides one clip; small, for it is sent to the worker that renders it.

    Attributes
    ----------
    stem : str
        Name of the video file, without its ending.
    folder : str
        ``batch1`` or ``batch2``.
    split : str
        Folder of its annotations, a key of `SPLITS`.
    names : tuple of str
        Of the annotations, one for each person.
    people : tuple of int
        Person in front of the camera; two from left to right.
    scripts : tuple of Script
        Part of each person.
    pitfall : str or None
        The trap it holds.
    seconds : float
        Length that was planned; some pitfalls shorten it.
    course : str
        What kind of clip it is, one of `courses.KINDS`.
    settings : Settings
        Of the corpus.
    """

    stem: str
    folder: str
    split: str
    names: tuple[str, ...]
    people: tuple[int, ...]
    scripts: tuple[Script, ...]
    pitfall: str | None
    seconds: float
    course: str
    settings: Settings

    def times(self) -> NDArray[np.float64]:
        """(frames,) presentation times in seconds."""
        return _times(self.settings, self.stem, self.seconds, self.pitfall)


def voice_of(seed: int, person: int) -> Voice:
    """Voice of a person: the same in every clip."""
    male = sample_person(generator(seed, "person", person)).male
    return sample_voice(generator(seed, "voice", person), male=male)


def _times(
    settings: Settings, stem: str, seconds: float, pitfall: str | None
) -> NDArray[np.float64]:
    rng = generator(settings.seed, "times", stem)
    return pitfalls.frame_times(seconds, settings.frame_rate, pitfall, rng)


def split_people(settings: Settings) -> list[str]:
    """Split of each person, as many in the test set as it has clips."""
    validation = max(1, round(VALIDATION * settings.people))
    counts = (settings.people - validation, validation, settings.test_clips)
    return [split for split, n in zip(SPLITS, counts, strict=True) for _ in range(n)]


def split_clips(settings: Settings) -> tuple[list[str], list[int]]:
    """Split and person of each clip; within a split every person has as many clips as another."""
    of_person = split_people(settings)
    validation = max(1, round(VALIDATION * settings.clips))
    counts = (settings.clips - validation, validation, settings.test_clips)
    splits, people = [], []
    for split, number in zip(SPLITS, counts, strict=True):
        members = [person for person, where in enumerate(of_person) if where == split]
        splits += [split] * number
        people += [members[k % len(members)] for k in range(number)]
    return splits, people


def spread_lengths(clips: int, span: tuple[float, float], rng: np.random.Generator) -> list[float]:
    """Lengths of clips in seconds from the shortest to the longest, more short ones, in any order.

    They are the quantiles of a distribution, so that the sum hardly depends on chance.
    """
    low, high = span
    places = ((np.arange(clips) + 0.5) / clips) ** _SHORT_ONES
    lengths = low * (high / low) ** places
    return [round(float(length), 2) for length in rng.permutation(lengths)]


def _stems(settings: Settings) -> list[str]:
    """Names after the manner of Aff-Wild2: ``12-25-256x256``, ``video7``."""
    rng = generator(settings.seed, "names")
    total = settings.clips + settings.test_clips
    numbers = rng.permutation(np.arange(1, 3 * total + 1))[:total]
    side, rate = settings.resolution, round(settings.frame_rate)
    return [
        f"video{number}" if rng.random() < 0.2 else f"{number}-{rate}-{side}x{side}"
        for number in numbers
    ]


def _names(stem: str, pitfall: str | None, rng: np.random.Generator) -> tuple[str, ...]:
    if pitfall != pitfalls.TWO_PEOPLE:
        return (stem,)
    # the annotation without a side belongs to the face on the other side
    return (stem, f"{stem}_right") if rng.random() < 0.5 else (f"{stem}_left", stem)


def _turns(duration: float, people: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Times to speak of each person in a picture: one after the other."""
    if people == 1:
        return [(0.0, duration)]
    change = duration * rng.uniform(0.4, 0.6)
    return [(0.0, change), (change, duration)]


def plan_clips(settings: Settings) -> list[Clip]:
    """Plan all clips of a corpus.

    Parameters
    ----------
    settings : Settings
        Size and seed.

    Returns
    -------
    list of Clip
        In the order train, validation, test. No person is in two splits, none of the test set in
        two clips.
    """
    splits, people = split_clips(settings)
    stems, traps = _stems(settings), pitfalls.assign_pitfalls(splits, people)
    newcomers = count(settings.people + settings.test_clips)
    clips: dict[int, Clip] = {}
    for split in SPLITS:
        members = [index for index, where in enumerate(splits) if where == split]
        span = settings.test_seconds if split == SPLITS[-1] else settings.seconds
        rng = generator(settings.seed, "courses", split)
        seconds = dict(zip(members, spread_lengths(len(members), span, rng), strict=True))
        kinds = assign_courses(list(seconds.values()), rng)
        courses = dict(zip(members, kinds, strict=True))
        names = [str(people[index]) for index in members]
        required = dict(zip(members, spread_required(names, kinds), strict=True))
        due, later = np.zeros(N_AUS), sum(seconds.values())
        # what lasts first; the others pay what is due after it, the longest at last
        queue = [(KINDS.index(courses[k].kind), seconds[k], k) for k in members]
        for _, _, index in sorted(queue):
            cast: tuple[int, ...] = (people[index],)
            if traps[index] == pitfalls.TWO_PEOPLE:
                others = sorted({people[k] for k in members} - {people[index]})
                rng = generator(settings.seed, "partner", stems[index])
                # nobody is in two clips of the test set
                partner = next(newcomers) if split == SPLITS[-1] else int(rng.choice(others))
                cast = (people[index], partner)
            later -= seconds[index]
            order = _Order(
                stems[index], split, traps[index], cast, seconds[index], courses[index],
                required[index], max(0.0, later),
            )  # fmt: skip
            clips[index], due = _write_clip(settings, order, due)
    return [clips[index] for index in sorted(clips)]


@dataclass(frozen=True)
class _Order:
    """What is settled about a clip before its scripts are written; as in `Clip` and `Brief`."""

    stem: str
    split: str
    pitfall: str | None
    cast: tuple[int, ...]
    seconds: float
    course: Course
    required: frozenset[int]
    later: float


def _write_clip(
    settings: Settings, order: _Order, due: NDArray[np.float64]
) -> tuple[Clip, NDArray[np.float64]]:
    rng = generator(settings.seed, "clip", order.stem)
    times = _times(settings, order.stem, order.seconds, order.pitfall)
    duration = float(times[-1] + np.median(np.diff(times)))
    scripts = []
    for position, turn in enumerate(_turns(duration, len(order.cast), rng)):
        blank = Script(
            seed=(settings.seed, *rng.integers(2**31, size=2).tolist()),
            duration=duration,
            away=pitfalls.away_time(duration, order.pitfall, rng),
            gaps=pitfalls.annotation_gaps(duration, order.pitfall, rng),
        )
        voice = voice_of(settings.seed, order.cast[position])
        brief = Brief(blank, times, voice, (turn,), frozenset(), later=order.later)
        if position == 0:
            brief = replace(brief, required=order.required, course=order.course)
        script, due = write_script(brief, due, rng)
        scripts.append(script)
    clip = Clip(
        stem=order.stem,
        folder=f"batch{int(rng.integers(1, 3))}",
        split=order.split,
        names=_names(order.stem, order.pitfall, rng),
        people=order.cast,
        scripts=tuple(scripts),
        pitfall=order.pitfall,
        seconds=order.seconds,
        course=order.course.kind,
        settings=settings,
    )
    return clip, due
