"""The traps of real collections, each put into some clips on purpose.

Which clip has which is listed in the corpus's `ground_truth.csv`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TWO_PEOPLE: Final = "two_people"
NO_SOUND: Final = "no_sound"
LATE_SOUND: Final = "late_sound"
VARIABLE_FRAME_RATE: Final = "variable_frame_rate"
OUT_OF_PICTURE: Final = "out_of_picture"
SHORT: Final = "short"
UNANNOTATED: Final = "unannotated"
LINE_TOO_MANY: Final = "line_too_many"
LINE_TOO_FEW: Final = "line_too_few"
PITFALLS: Final = (
    TWO_PEOPLE,
    NO_SOUND,
    LATE_SOUND,
    VARIABLE_FRAME_RATE,
    OUT_OF_PICTURE,
    SHORT,
    UNANNOTATED,
    LINE_TOO_MANY,
    LINE_TOO_FEW,
)
MEANINGS: Final = dict(
    zip(
        PITFALLS,
        (
            "two people, both annotated",
            "no sound track",
            "sound that starts late",
            "variable frame rate",
            "a face that leaves the picture",
            "shorter than one window",
            "stretches without annotation",
            "one annotation line too many",
            "one annotation line too few",
        ),
        strict=True,
    )
)

CLIPS_PER_PITFALL: Final = 30  # each pitfall occurs once in so many clips, and at least once
WINDOW: Final = 128  # frames of a window of training: a short clip has fewer


def assign_pitfalls(splits: Sequence[str], people: Sequence[int]) -> list[str | None]:
    """Give each pitfall to at least one clip, spread over the splits.

    Parameters
    ----------
    splits : sequence of str
        Split of each clip.
    people : sequence of int
        Person of each clip; two people in one picture need a second one in the same split.

    Returns
    -------
    list of str or None
        The pitfall of each clip, no clip with two. With fewer than 9 clips the last of
        `PITFALLS` are left out.
    """
    clips_of = {split: [k for k, where in enumerate(splits) if where == split] for split in splits}
    rounds = max(1, len(splits) // CLIPS_PER_PITFALL)
    count = min(rounds * len(PITFALLS), len(splits))
    slots = _spread(clips_of, count)
    chosen: list[str | None] = [None] * len(splits)
    for turn in range(rounds):
        part = slots[turn * len(PITFALLS) : (turn + 1) * len(PITFALLS)]
        # every round begins elsewhere, so that a pitfall comes to other splits, too
        others = [*PITFALLS[1:][3 * turn % 8 :], *PITFALLS[1:][: 3 * turn % 8]]
        had = [splits[clip] for clip, pitfall in enumerate(chosen) if pitfall == TWO_PEOPLE]
        pairs = [c for c in part if len({people[k] for k in clips_of[splits[c]]}) > 1]
        both = min(pairs, key=lambda c: had.count(splits[c]), default=None)
        if both is not None:
            chosen[both] = TWO_PEOPLE
        rest = [clip for clip in part if clip != both]
        for clip, pitfall in zip(rest, others, strict=False):
            chosen[clip] = pitfall
    return chosen


def _spread(clips_of: Mapping[str, list[int]], count: int) -> list[int]:
    """`count` clips, taking turns between the splits in proportion to their sizes."""
    total = sum(len(clips) for clips in clips_of.values())
    taken = dict.fromkeys(clips_of, 0)
    slots: list[int] = []
    for k in range(count):
        # the split that is furthest behind its share
        split = max(taken, key=lambda s: (k + 1) * len(clips_of[s]) / total - taken[s])
        quota = max(1.0, count * len(clips_of[split]) / total)
        index = min(int(taken[split] * len(clips_of[split]) / quota), len(clips_of[split]) - 1)
        free = [c for c in clips_of[split][index:] + clips_of[split][:index] if c not in slots]
        slots.append(free[0])
        taken[split] += 1
    return slots


def frame_times(
    duration: float, frame_rate: float, pitfall: str | None, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Presentation times of a clip's frames.

    Parameters
    ----------
    duration : float
        Seconds.
    frame_rate : float
        Frames a second, the average where it varies.
    pitfall : str or None
        The clip's.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    (frames,) float64 np.ndarray
        Seconds, rising from 0; evenly spaced but for a variable frame rate, where frames come
        early, late, doubled in rate, or not at all.
    """
    if pitfall == SHORT:
        duration = min(duration, 0.75 * WINDOW / frame_rate)
    count = max(2, round(duration * frame_rate))
    if pitfall != VARIABLE_FRAME_RATE:
        return np.arange(count) / frame_rate
    steps = rng.choice((0.5, 0.8, 1.0, 1.0, 1.3, 2.0), count - 1)
    times = np.concatenate(([0.0], np.cumsum(steps / frame_rate)))
    return np.asarray(times[times < max(duration, 2 / frame_rate)])


def away_time(
    duration: float, pitfall: str | None, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Start and end in seconds of a face's time out of the picture, ways included."""
    if pitfall != OUT_OF_PICTURE:
        return None
    length = min(1.9, 0.4 * duration)
    start = rng.uniform(0.2, 0.5) * duration
    return start, start + length


def annotation_gaps(
    duration: float, pitfall: str | None, rng: np.random.Generator
) -> tuple[tuple[float, float], ...]:
    """Starts and ends in seconds of stretches that nobody annotated."""
    if pitfall != UNANNOTATED:
        return ()
    first, second = rng.uniform(0.05, 0.3) * duration, rng.uniform(0.6, 0.8) * duration
    return ((first, first + 0.15 * duration), (second, second + 0.12 * duration))


def sound_start(duration: float, pitfall: str | None) -> float:
    """Seconds after the first picture at which the sound track begins."""
    return min(1.2, 0.3 * duration) if pitfall == LATE_SOUND else 0.0


def annotation_lines(labels: NDArray[Any], pitfall: str | None) -> NDArray[Any]:
    """Labels as they are written: (lines, 12), a line too many or too few where it is a trap."""
    if pitfall == LINE_TOO_MANY:
        return np.concatenate([labels, labels[-1:]])
    return labels[:-1] if pitfall == LINE_TOO_FEW else labels
