"""The paper's five claims, and whether each held here: words made of the figures, none written in.

A claim compares two runs, or the means of two groups of runs, on the same videos: on validation, by
which epochs were chosen, and on test. It held where the first is higher beyond the 95 % interval on
both, and that interval draws people and seeds together; it did not where it is lower so. With one
seed, or one of the two sets, the figures can at most point somewhere: the interval then lacks the
training noise, or the judge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stages.reporting.bootstrap import Difference
from stages.reporting.paper_tables import (
    CALIBRATED,
    ENSEMBLE,
    HYBRIDS,
    SUBMISSIONS,
    TABLES,
    run_name,
    run_title,
    table_runs,
)
from stages.reporting.results import Scored, compare
from stages.reporting.tables import Results

HELD, OPPOSITE, UNKNOWN = "held", "did not hold", "not trained"
TOWARDS, AGAINST = "points to it", "points against it"
UNDECIDED, ONE_SEED = "undecided", "undecided (one seed)"
VERDICTS: Final = (HELD, OPPOSITE, TOWARDS, AGAINST, UNDECIDED, ONE_SEED, UNKNOWN)
WHERE: Final = {"held_out": "validation", "test": "test"}
ENSEMBLES: Final = (*SUBMISSIONS, ENSEMBLE, CALIBRATED)  # no single networks
PAPER: Final = {row.run: float(row.printed) for table in reversed(TABLES) for row in table.rows}


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and what is known of it here.

    Attributes
    ----------
    key : str
    title : str
    paper : str
        The paper's figures.
    verdict : str
        One of ``VERDICTS``.
    sentence : str
    differences : mapping of str to Difference
        On ``validation`` and ``test``; empty where the runs were not trained.
    """

    key: str
    title: str
    paper: str
    verdict: str
    sentence: str
    differences: Mapping[str, Difference]


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


def best_single(results: Results) -> str | None:
    """Single network that is best on the validation videos; of equals the first by name.

    Returns
    -------
    str or None
        None where no run was scored both there and on test.
    """
    known = [name for name in ("main", *table_runs()) if "held_out" in results.get(name, {})]
    if not known:
        return None
    validation = results[known[0]]["held_out"].names  # folds hold other videos out
    macro = {
        name: found["held_out"].macro
        for name, found in sorted(results.items())
        if name not in ENSEMBLES
        and {"held_out", "test"} <= set(found)
        and found["held_out"].names == validation
    }
    return max(macro, key=macro.__getitem__) if macro else None


def _masking(results: Results) -> list[Contest]:
    balanced, plain = (row.run for row in TABLES[0].rows)
    return [Contest([balanced], [plain], "with masked copies", "without")]


def _sound(results: Results) -> list[Contest]:
    heard = [row.run for row in TABLES[2].rows]
    return [
        Contest(heard, ["ires100"], "mean of ires100 with each audio encoder", "ires100 alone"),
        Contest(["main"], ["visual"], "the main run", "the same trained without sound"),
    ]


def _hybrids(results: Results) -> list[Contest]:
    both = ("ires100", "ecapatdnn")
    hybrids = [run_name(both, model) for model in HYBRIDS]
    single = [row.run for row in TABLES[4].rows if row.run not in hybrids]
    return [Contest(hybrids, single, "mean of the three hybrids", "mean of the six others")]


def _ensembles(results: Results) -> list[Contest]:
    best = best_single(results)
    if best is None:
        return []
    titles = {"model": SUBMISSIONS["model"], ENSEMBLE: "the ensemble of table 6"}
    titles |= {name: title for name, title in SUBMISSIONS.items() if name not in titles}
    return [
        Contest([name], [best], title, f"the best single run on validation ({run_title(best)})")
        for name, title in titles.items()
    ]


def _folds(results: Results) -> list[Contest]:
    others = [name for name in SUBMISSIONS if name != "kfold" and "test" in results.get(name, {})]
    if not others:
        return []
    best = max(others, key=lambda name: results[name]["test"].macro)
    words = f"the best of the others ({SUBMISSIONS[best]})"
    return [Contest(["kfold"], [best], "K-fold", words)]


def highest_share(name: str, others: Sequence[str], results: Results) -> float:
    """Share of the resamples of the test videos in which one is higher than all others."""
    samples = results[name]["test"].samples
    rivals = np.stack([results[other]["test"].samples for other in others])
    return float((samples > rivals.max(0)).mean()) if len(samples) else 0.5


def _mean(runs: Sequence[str]) -> float:
    return float(np.mean([PAPER[run] for run in runs]))


def _paper_texts() -> Mapping[str, str]:
    """Figures of the paper behind each claim."""
    (masked, plain) = TABLES[0].rows
    hybrids, single = _hybrids({})[0].first, _hybrids({})[0].second
    *members, six = TABLES[5].rows
    best, *rest = sorted(TABLES[7].rows, key=lambda row: -float(row.printed))
    return {
        "masking": f"{masked.printed} with, {plain.printed} without",
        "sound": f"{TABLES[1].rows[0].printed} ires100 alone, "
        f"{_mean([row.run for row in TABLES[2].rows]):.3f} with sound (mean of four)",
        "hybrids": f"{_mean(hybrids):.3f} mean of three hybrids, {_mean(single):.3f} of six others",
        "ensembles": f"{six.printed} six together, {max(row.printed for row in members)} the best "
        "alone (validation)",
        "folds": f"{best.printed} {best.label}, {rest[0].printed} the next (test)",
    }


CLAIMS: Final[Mapping[str, tuple[str, Callable[[Results], list[Contest]]]]] = {
    "masking": ("Training with masked copies helps", _masking),
    "sound": ("Sound helps", _sound),
    "hybrids": ("Hybrid networks beat single ones", _hybrids),
    "ensembles": ("An ensemble beats the best single run", _ensembles),
    "folds": ("The k-fold ensemble is best on test", _folds),
}


def judge(results: Results, label: str) -> list[Claim]:
    """Say of each of the paper's claims whether it held here, and how surely.

    Parameters
    ----------
    results : Results
        Of all runs and submissions that there are.
    label : str
        ``synthetic`` or ``own_data``.

    Returns
    -------
    list of Claim
    """
    papers = _paper_texts()
    claims = []
    for key, (title, contests) in CLAIMS.items():
        outcome = None
        for contest in contests(results):
            outcome = weigh(contest, results, label)
            if outcome is not None:
                break
        if outcome is None:
            sentence = "The runs that this takes are not trained: make tables."
            claims.append(Claim(key, title, papers[key], UNKNOWN, sentence, {}))
            continue
        verdict, sentence, differences = outcome
        if key == "folds" and "test" in differences:
            others = [n for n in SUBMISSIONS if n != "kfold" and "test" in results.get(n, {})]
            share = share_text(highest_share("kfold", others, results)).replace(" %", "\u00a0%")
            number = len(others) + 1
            sentence += f" On test it is the highest of all {number} in {share} of the resamples."
        claims.append(Claim(key, title, papers[key], verdict, sentence, differences))
    return claims
