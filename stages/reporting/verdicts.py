"""Two groups of runs compared on the same videos, and what the difference amounts to, in words.

On validation, by which epochs were chosen, and on test. A claim held where the first group is
higher beyond the 95 % interval on both, and that interval draws people and seeds together; it did
not where it is lower so. With one seed, or one of the two sets, the figures can at most point
somewhere: the interval then lacks the training noise, or the judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stages.reporting.bootstrap import Difference
from stages.reporting.results import Scored, compare
from stages.reporting.tables import Results

HELD, OPPOSITE, UNKNOWN = "held", "did not hold", "not trained"
TOWARDS, AGAINST = "points to it", "points against it"
UNDECIDED, ONE_SEED = "undecided", "undecided (one seed)"
WHERE: Final = {"held_out": "validation", "test": "test"}


@dataclass(frozen=True)
class Contest:
    """Two groups of runs that a claim compares, each with what to call it."""

    first: Sequence[str]
    second: Sequence[str]
    first_words: str
    second_words: str


def sign_of(difference: Difference) -> int:
    """1 where the first is higher beyond the interval, -1 where lower, 0 where neither is sure."""
    return int(difference.known) * (int(difference.low > 0) - int(difference.high < 0))


def verdict_of(differences: Mapping[str, Difference], seeds: int) -> str:
    """What the differences on validation and test amount to.

    Parameters
    ----------
    differences : mapping of str to Difference
        On ``validation``, ``test`` or both.
    seeds : int
        That each of the runs has at least.
    """
    signs = {sign_of(difference) for difference in differences.values()}
    if signs in ({1}, {-1}):
        if seeds > 1 and len(differences) == len(WHERE):
            return HELD if signs == {1} else OPPOSITE
        return TOWARDS if signs == {1} else AGAINST
    return UNDECIDED if seeds > 1 else ONE_SEED


def share_text(probability: float) -> str:
    """A share of the resamples in percent, never rounded up to all or down to none."""
    if probability in (0.0, 1.0):
        return "all" if probability else "none"
    if 0.005 <= probability < 0.995:
        return f"{100 * probability:.0f} %"
    return "more than 99 %" if probability > 0.5 else "fewer than 1 %"


def _closing(differences: Mapping[str, Difference], seeds: int) -> str:
    verdict = verdict_of(differences, seeds)
    if verdict == HELD:
        return "It held."
    if verdict == OPPOSITE:
        return "It did not hold: the opposite is sure here."
    if verdict in (TOWARDS, AGAINST):
        lacking = [] if seeds > 1 else ["one seed: training noise is not in the interval"]
        lacking += [f"no {where} labels" for where in WHERE.values() if where not in differences]
        return f"This {verdict}, no more ({'; '.join(lacking)})."
    values = [difference.value for difference in differences.values()]
    if not any(values):
        return "There is no difference to be seen."
    if min(values) < 0 < max(values):
        return "Validation and test disagree: it stays undecided."
    leaning = "for" if max(values) > 0 else "against"
    return f"The figures lean {leaning} it, but it stays undecided."


def _bounds(difference: Difference) -> str:
    if not difference.known:
        return difference.note
    kind = f" ({difference.note})" if difference.note else ""
    return f"95 % interval {difference.low:+.3f} to {difference.high:+.3f}{kind}"


def _scores(names: Sequence[str], results: Results, split: str) -> list[Scored] | None:
    found = [results.get(name, {}).get(split) for name in names]
    scored = [one for one in found if one is not None]
    return scored if names and len(scored) == len(names) else None


def _weigh_on(
    contest: Contest, results: Results, split: str, label: str
) -> tuple[str, Difference, int] | None:
    """Sentence, difference and fewest seeds on one set of videos; None unless all runs are there.

    Folds and their ensembles say more videos than the validation ones: what all have is compared.
    """
    sides = [_scores(names, results, split) for names in (contest.first, contest.second)]
    if sides[0] is None or sides[1] is None:
        return None
    shared = set.intersection(*(set(one.names) for one in (*sides[0], *sides[1])))
    if not shared:
        return None
    first, second = ([one.only(sorted(shared)) for one in side] for side in sides if side)
    seeds = min(len(one.counts) for one in (*first, *second))
    difference = compare(first, second, draw_seeds=seeds > 1)
    means = [float(np.mean([one.macro for one in side])) for side in (first, second)]
    kind = ", synthetic" if label == "synthetic" else ""
    over = f"people and {seeds} seeds" if seeds > 1 else "people, one seed"
    sentence = (
        f"on {WHERE[split]} {contest.first_words} {means[0]:.3f}, {contest.second_words} "
        f"{means[1]:.3f} ({len(shared)} videos of {first[0].people} people{kind}): a difference of "
        f"{difference.value:+.3f}, {_bounds(difference)} over {over}; the first is higher in "
        f"{share_text(difference.probability)} of the resamples."
    )
    return sentence[0].upper() + sentence[1:], difference, seeds


def weigh(
    contest: Contest, results: Results, label: str
) -> tuple[str, str, dict[str, Difference]] | None:
    """Compare two groups of runs on validation and test, and say so in words.

    Returns
    -------
    (str, str, dict of str to Difference) or None
        Verdict, sentences, and the differences by set; None unless all runs are there.
    """
    sentences, differences, seeds = [], {}, []
    for split, where in WHERE.items():
        found = _weigh_on(contest, results, split, label)
        if found is not None:
            sentences.append(found[0])
            differences[where] = found[1]
            seeds.append(found[2])
    if not differences:
        return None
    sentences.append(_closing(differences, min(seeds)))
    text = " ".join(sentences).replace(" -0.", " −0.").replace(" %", "\u00a0%")
    return verdict_of(differences, min(seeds)), text, differences  # no line ends before %
