"""The plan of a corpus: people, splits, names, pitfalls and the script of every clip."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import N_AUS
from stages.synthesis import pitfalls
from stages.synthesis.people import sample_person
from stages.synthesis.randomness import generator
from stages.synthesis.script import Script
from stages.synthesis.speech import Voice, sample_voice
from stages.synthesis.writing import Brief, spread_required, write_script

# Folder of each split's annotations, and its share of the people.
SPLITS: Final = {"Train_Set": 0.6, "Validation_Set": 0.2, "Test_Set": 0.2}
SIDES: Final = ("left", "right")


@dataclass(frozen=True)
class Settings:
    """What a corpus's clips depend on; lengths in seconds, rates in Hz, resolution in pixels."""

    seed: int
    clips: int
    people: int
    seconds: float
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
    settings: Settings

    def times(self) -> NDArray[np.float64]:
        """(frames,) presentation times in seconds."""
        return _times(self.settings, self.stem, self.pitfall)


def voice_of(seed: int, person: int) -> Voice:
    """Voice of a person: the same in every clip."""
    male = sample_person(generator(seed, "person", person)).male
    return sample_voice(generator(seed, "voice", person), male=male)


def _times(settings: Settings, stem: str, pitfall: str | None) -> NDArray[np.float64]:
    rng = generator(settings.seed, "times", stem)
    return pitfalls.frame_times(settings.seconds, settings.frame_rate, pitfall, rng)


def split_people(people: int) -> list[str]:
    """Split of each person: 60, 20 and 20 %, at least one person in each."""
    counts = {split: max(1, round(share * people)) for split, share in SPLITS.items()}
    counts["Train_Set"] = people - sum(counts.values()) + counts["Train_Set"]
    return [split for split, count in counts.items() for _ in range(count)]


def split_clips(settings: Settings) -> tuple[list[str], list[int]]:
    """Split and person of each clip; within a split every person has as many clips as another."""
    of_person = split_people(settings.people)
    counts = {split: max(1, round(share * settings.clips)) for split, share in SPLITS.items()}
    counts["Train_Set"] = settings.clips - sum(counts.values()) + counts["Train_Set"]
    splits, people = [], []
    for split, count in counts.items():
        members = [person for person, where in enumerate(of_person) if where == split]
        splits += [split] * count
        people += [members[k % len(members)] for k in range(count)]
    return splits, people


def _stems(settings: Settings) -> list[str]:
    """Names after the manner of Aff-Wild2: ``12-25-256x256``, ``video7``."""
    rng = generator(settings.seed, "names")
    numbers = rng.permutation(np.arange(1, 3 * settings.clips + 1))[: settings.clips]
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


def _turns(duration: float, count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Times to speak of each person in a picture: one after the other."""
    if count == 1:
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
        In the order train, validation, test. No person is in two splits.
    """
    splits, people = split_clips(settings)
    stems, traps = _stems(settings), pitfalls.assign_pitfalls(splits, people)
    clips: list[Clip] = []
    for split in SPLITS:
        members = [index for index, where in enumerate(splits) if where == split]
        required = spread_required([str(people[index]) for index in members])
        due = np.zeros(N_AUS)
        for index, columns in zip(members, required, strict=True):
            cast: tuple[int, ...] = (people[index],)
            if traps[index] == pitfalls.TWO_PEOPLE:
                others = sorted({people[k] for k in members} - {people[index]})
                rng = generator(settings.seed, "partner", stems[index])
                cast = (people[index], int(rng.choice(others)))
            clip, due = _write_clip(settings, stems[index], split, traps[index], cast, columns, due)
            clips.append(clip)
    return clips


def _write_clip(
    settings: Settings,
    stem: str,
    split: str,
    pitfall: str | None,
    cast: tuple[int, ...],
    required: frozenset[int],
    due: NDArray[np.float64],
) -> tuple[Clip, NDArray[np.float64]]:
    rng = generator(settings.seed, "clip", stem)
    times = _times(settings, stem, pitfall)
    duration = float(times[-1] + np.median(np.diff(times)))
    scripts = []
    for position, turn in enumerate(_turns(duration, len(cast), rng)):
        blank = Script(
            seed=(settings.seed, *rng.integers(2**31, size=2).tolist()),
            duration=duration,
            away=pitfalls.away_time(duration, pitfall, rng),
            gaps=pitfalls.annotation_gaps(duration, pitfall, rng),
        )
        voice = voice_of(settings.seed, cast[position])
        wanted = required if position == 0 else frozenset()
        script, due = write_script(Brief(blank, times, voice, (turn,), wanted), due, rng)
        scripts.append(script)
    clip = Clip(
        stem=stem,
        folder=f"batch{int(rng.integers(1, 3))}",
        split=split,
        names=_names(stem, pitfall, rng),
        people=cast,
        scripts=tuple(scripts),
        pitfall=pitfall,
        settings=settings,
    )
    return clip, due
