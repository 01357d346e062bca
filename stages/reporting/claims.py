"""The paper's five claims, and whether each held here: words made of the figures, none written in.

A claim compares two runs, or the means of two groups, on the same videos. It held where the first
is higher in at least 97.5 % of the resamples of those videos; it did not where that share is 2.5 %
or less; between the two the videos are too few to say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stages.bootstrap import Difference
from stages.paper_tables import (
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

SURE: Final = 0.975
HELD, OPPOSITE, UNDECIDED, UNKNOWN = "held", "did not hold", "undecided", "not trained"
VERDICTS: Final = (HELD, OPPOSITE, UNDECIDED, UNKNOWN)
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
    difference : Difference or None
        None where the runs were not trained.
    """

    key: str
    title: str
    paper: str
    verdict: str
    sentence: str
    difference: Difference | None


@dataclass(frozen=True)
class Contest:
    """Two groups of runs that a claim compares, each with what to call it."""

    first: Sequence[str]
    second: Sequence[str]
    first_words: str
    second_words: str
    split: str = "held_out"


def verdict_of(difference: Difference) -> str:
    """Whether the first is surely higher, surely lower, or neither."""
    if difference.probability >= SURE:
        return HELD
    return OPPOSITE if difference.probability <= 1 - SURE else UNDECIDED


def share_text(probability: float) -> str:
    """A share of the resamples in percent, never rounded up to all or down to none."""
    if probability in (0.0, 1.0):
        return "all" if probability else "none"
    if 0.005 <= probability < 0.995:
        return f"{100 * probability:.0f} %"
    return "more than 99 %" if probability > 0.5 else "fewer than 1 %"


def _closing(difference: Difference) -> str:
    verdict = verdict_of(difference)
    if verdict == HELD:
        return "It held."
    if verdict == OPPOSITE:
        return "It did not hold: the opposite is sure here."
    if difference.value == 0:
        return "There is no difference to be seen."
    leaning = "for" if difference.value > 0 else "against"
    return f"The figures lean {leaning} it, but with these videos it stays undecided."


def weigh(contest: Contest, results: Results, label: str) -> tuple[str, Difference] | None:
    """Compare two groups of runs, and say so in words.

    Returns
    -------
    (str, Difference) or None
        None unless all runs are there.
    """
    groups: list[list[Scored]] = []
    for names in (contest.first, contest.second):
        found = [results.get(name, {}).get(contest.split) for name in names]
        groups.append([scored for scored in found if scored is not None])
        if not names or len(groups[-1]) < len(names):
            return None
    difference = compare(*groups)
    first, second = (float(np.mean([scored.macro for scored in group])) for group in groups)
    where = "test" if contest.split == "test" else "validation"
    kind = ", synthetic" if label == "synthetic" else ""
    sentence = (
        (
            f"{contest.first_words} {first:.3f}, {contest.second_words} {second:.3f} "
            f"({len(groups[0][0].names)} {where} videos{kind}): a difference of "
            f"{difference.value:+.3f}, 95 % interval {difference.low:+.3f} to "
            f"{difference.high:+.3f}; "
            f"the first is higher in {share_text(difference.probability)} of the resamples. "
            f"{_closing(difference)}"
        )
        .replace(" -0.", " −0.")
        .replace(" %", "\u00a0%")
    )  # no line ends before %
    return sentence[0].upper() + sentence[1:], difference


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
        Contest(
            [name], [best], title, f"the best single run on validation ({run_title(best)})", "test"
        )
        for name, title in titles.items()
    ]


def _folds(results: Results) -> list[Contest]:
    others = [name for name in SUBMISSIONS if name != "kfold" and "test" in results.get(name, {})]
    if not others:
        return []
    best = max(others, key=lambda name: results[name]["test"].macro)
    words = f"the best of the others ({SUBMISSIONS[best]})"
    return [Contest(["kfold"], [best], "K-fold", words, "test")]


def highest_share(name: str, others: Sequence[str], results: Results) -> float:
    """Share of the resamples of the test videos in which one is higher than all others."""
    samples = results[name]["test"].samples[1:]
    rivals = np.stack([results[other]["test"].samples[1:] for other in others])
    return float((samples > rivals.max(0)).mean())


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
        outcome, contest = None, None
        for contest in contests(results):
            outcome = weigh(contest, results, label)
            if outcome is not None:
                break
        if outcome is None or contest is None:
            sentence = "The runs that this takes are not trained: make tables."
            claims.append(Claim(key, title, papers[key], UNKNOWN, sentence, None))
            continue
        sentence, difference = outcome
        if key == "folds":
            others = [n for n in SUBMISSIONS if n != "kfold" and "test" in results.get(n, {})]
            share = highest_share("kfold", others, results)
            number = len(others) + 1
            sentence += f" It is the highest of all {number} in {share_text(share)} of them."
        claims.append(Claim(key, title, papers[key], verdict_of(difference), sentence, difference))
    return claims
