"""What kind of course each clip of a split takes: lively, held, constant or neutral.

Real faces hold an expression for half a minute, or have none at all, and a recording begins and
ends in the middle of it. What lasts is therefore planned first, within the split's share of each
AU; lively clips then pay what is still due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stages.core.facs import AFF_WILD2_BASE_RATES, N_AUS

RARE: Final = 0.04  # AUs rarer than this are shown this often: 2 % of a small test set is 2 seconds
TARGETS: Final = np.maximum(list(AFF_WILD2_BASE_RATES.values()), RARE)

NEUTRAL: Final = "neutral"  # no expression from the first frame to the last
CONSTANT: Final = "constant"  # one AU from the first frame to the last
HELD: Final = "held"  # expressions that last for 5 to 30 seconds
LIVELY: Final = "lively"  # expressions that come and go
# Kinds in the order in which they are written, and their shares of the clips; the rest is lively.
SHARES: Final = {NEUTRAL: 0.1, CONSTANT: 0.15, HELD: 0.45}
KINDS: Final = (*SHARES, LIVELY)
_FEWEST: Final = 6  # clips of a split from which on there are other kinds than lively ones
_EXCESS: Final = 1.2  # at most so many times its share of the time for a kind
_MOST: Final = 0.4  # of the split's time for an AU that one constant clip takes up


@dataclass(frozen=True)
class Course:
    """Course of one clip.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    column : int or None
        The AU that a constant clip shows, its position in `AU_NUMBERS`.
    """

    kind: str = LIVELY
    column: int | None = None


PLAIN: Final = Course()


def assign_courses(durations: Sequence[float], rng: np.random.Generator) -> list[Course]:
    """Give each clip of a split its course.

    Parameters
    ----------
    durations : sequence of float
        Lengths of the clips in seconds.
    rng : np.random.Generator
        Source of chance.

    Returns
    -------
    list of Course
        Every clip is lively where there are fewer than 6. Constant clips show AUs that differ as
        far as they can; a rare AU only in a clip that its share of the split's time allows.
    """
    courses = [PLAIN for _ in durations]
    if len(durations) < _FEWEST:
        return courses
    order = rng.permutation(len(durations)).tolist()
    taken: list[int] = []
    whole = sum(durations)
    for kind, share in SHARES.items():
        chosen: list[int] = []
        for clip in order:
            spent = sum(durations[k] for k in chosen) + durations[clip]
            if len(chosen) < round(share * len(durations)) and spent <= _EXCESS * share * whole:
                chosen.append(clip)
        order = [clip for clip in order if clip not in chosen]
        for clip in chosen:
            if kind != CONSTANT:
                courses[clip] = Course(kind)
                continue
            fits = np.flatnonzero(_MOST * TARGETS * whole >= durations[clip]).tolist()
            if not fits:
                courses[clip] = Course(HELD)
                continue
            fewest = min(taken.count(column) for column in fits)
            column = int(rng.choice([c for c in fits if taken.count(c) == fewest]))
            taken.append(column)
            courses[clip] = Course(CONSTANT, column)
    return courses


def spread_required(
    people: Sequence[str], courses: Sequence[Course] | None = None, times: int = 2
) -> list[frozenset[int]]:
    """Decide which scripts must show which AU, so that no split is without one.

    Parameters
    ----------
    people : sequence of str
        The person of each script of one split.
    courses : sequence of Course, optional
        Of each script; nothing is required of neutral and constant ones. All lively by default.
    times : int
        Scripts, of different people where there are as many, in which each AU must be seen.

    Returns
    -------
    list of frozenset of int
        Columns required of each script.
    """
    free = [
        k for k in range(len(people)) if courses is None or courses[k].kind in (HELD, LIVELY)
    ]  # fmt: skip
    required: list[set[int]] = [set() for _ in people]
    golden = 0.6180339887498949
    for column in range(N_AUS):
        first = int(len(free) * ((column * golden) % 1.0))
        order = [(first + k) % len(free) for k in range(len(free))]
        chosen = {people[free[i]]: i for i in reversed(order)}  # the first script of each person
        distinct = sorted(chosen.values(), key=lambda i: (i - first) % len(free))[:times]
        rest = [i for i in order[: times + len(distinct)] if i not in distinct]
        for index in (distinct + rest)[:times]:
            required[free[index]].add(column)
    return [frozenset(columns) for columns in required]
