"""The paper's five claims, and whether each held here: words made of the figures, none written in.

A claim compares two runs, or the means of two groups of runs; see :mod:`stages.reporting.verdicts`.
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
from stages.reporting.tables import Results
from stages.reporting.verdicts import UNKNOWN, Contest, share_text, weigh

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
        ``HELD``, ``OPPOSITE``, ``TOWARDS``, ``AGAINST``, ``UNDECIDED``, ``ONE_SEED``, ``UNKNOWN``.
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
