"""Verdicts and sentences follow from the figures, whatever these are."""

import re

import numpy as np
import pytest

from stages.reporting.claims import best_single, highest_share, judge
from stages.reporting.paper_tables import SUBMISSIONS, TABLES, table_runs
from stages.reporting.results import Scored, compare, score
from stages.reporting.tables import Results
from stages.reporting.verdicts import (
    AGAINST,
    HELD,
    ONE_SEED,
    OPPOSITE,
    TOWARDS,
    UNDECIDED,
    UNKNOWN,
    share_text,
)

SETS = {"held_out": "v", "test": "t"}


def scored(kind: str, noise: float, seed: int, videos: int = 12, seeds: int = 2) -> Scored:
    truth = np.random.default_rng(ord(kind))
    labels = {f"{kind}{i}": (truth.random((60, 12)) < 0.4).astype(np.int8) for i in range(videos)}
    said = []
    for number in range(seeds):
        random = np.random.default_rng([seed, number, ord(kind)])
        wrong = {name: random.random(rows.shape) < noise for name, rows in labels.items()}
        said.append(
            {
                name: np.where((rows == 1) ^ wrong[name], 1, -1).astype(np.float32)
                for name, rows in labels.items()
            }
        )
    # two videos of one person
    found = score(said, labels, {f"{kind}{i}": f"{kind}{i // 2}" for i in range(videos)})
    assert found is not None
    return found


def run(
    noise: float, seed: int = 0, test: float | None = None, seeds: int = 2
) -> dict[str, Scored]:
    return {
        "held_out": scored("v", noise, seed, seeds=seeds),
        "test": scored("t", noise if test is None else test, seed, seeds=seeds),
    }


def verdicts(results: Results) -> dict[str, str]:
    return {claim.key: claim.verdict for claim in judge(results, "synthetic")}


def test_nothing_trained_is_said_of_every_claim() -> None:
    claims = judge({}, "synthetic")
    assert [claim.verdict for claim in claims] == [UNKNOWN] * 5
    assert all("make tables" in claim.sentence for claim in claims)
    assert [claim.paper for claim in claims] == [
        "0.5508 with, 0.5486 without",
        "0.518 ires100 alone, 0.528 with sound (mean of four)",
        "0.527 mean of three hybrids, 0.517 of six others",
        "0.5796 six together, 0.556 the best alone (validation)",
        "0.5422 K-fold, 0.5404 the next (test)",
    ]


@pytest.mark.parametrize(
    ("first", "second", "verdict"), [(0.05, 0.15, HELD), (0.15, 0.05, OPPOSITE)]
)
def test_a_verdict_follows_the_figures(first: float, second: float, verdict: str) -> None:
    results = {name: run(0.3) for name in table_runs()}
    results["ires100_mobilenet"] = run(first, 1)
    results["ires100_mobilenet_unmasked"] = run(second, 2)
    for row in TABLES[2].rows:
        results[row.run] = run(first, 3)
    results["ires100"] = run(second, 4)
    for row in TABLES[4].rows:
        hybrid = "tcn_t" in row.run or "dual" in row.run or "cross" in row.run
        results[row.run] = run(first if hybrid else second, 5)
    results |= {name: run(second) for name in SUBMISSIONS}
    results["model"] = run(first / 2 if verdict == HELD else 0.4)
    results["kfold"] = run(first / 4 if verdict == HELD else 0.45)
    assert verdicts(results) == {
        "masking": verdict,
        "sound": verdict if verdict == HELD else OPPOSITE,
        "hybrids": verdict,
        "ensembles": verdict,
        "folds": verdict,
    }


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (run(0.05, 1, seeds=1), run(0.15, 2), TOWARDS),  # one seed on one side is too few
        (run(0.15, 1, seeds=1), run(0.05, 2, seeds=1), AGAINST),
        (run(0.2, 1, seeds=1), run(0.2, 2, seeds=1), ONE_SEED),
        (run(0.05, 1, test=0.15), run(0.1, 2), UNDECIDED),  # better on validation, worse on test
        (run(0.05, 1, test=0.1), run(0.1, 1), UNDECIDED),  # better on validation, no more on test
        ({"held_out": scored("v", 0.05, 1)}, {"held_out": scored("v", 0.15, 2)}, TOWARDS),
    ],
)
def test_it_takes_both_sets_and_several_seeds_to_hold(
    first: dict[str, Scored], second: dict[str, Scored], verdict: str
) -> None:
    results = {"ires100_mobilenet": first, "ires100_mobilenet_unmasked": second}
    claim = judge(results, "synthetic")[0]
    assert claim.verdict == verdict
    assert set(claim.differences) == {"validation", "test"} & {
        "validation" if key == "held_out" else key for key in first
    }
    assert ("one seed" in claim.sentence) == (len(first["held_out"].counts) == 1)


def test_seeds_that_disagree_are_not_sure_whatever_the_people_are() -> None:
    # one seed is better by far, the other worse: people alone would be sure of the mean
    good, bad, plain = (run(noise, 1, seeds=1) for noise in (0.05, 0.17, 0.12))
    mixed = {
        key: Scored(
            good[key].names,
            np.concatenate([good[key].counts, bad[key].counts]),
            good[key].ones,
            good[key].groups,
        )
        for key in SETS
    }
    rival = run(0.12, 2)
    results = {"ires100_mobilenet": mixed, "ires100_mobilenet_unmasked": rival}
    assert judge(results, "synthetic")[0].verdict == UNDECIDED
    assert compare([mixed["test"]], [plain["test"]]).low > 0


def test_equal_runs_are_undecided_and_the_sentence_shows_the_figures() -> None:
    a, b = run(0.2, 3), run(0.2, 7)
    results = {"ires100_mobilenet": a, "ires100_mobilenet_unmasked": b}
    claim = judge(results, "synthetic")[0]
    assert claim.verdict == UNDECIDED
    for key, where in (("held_out", "validation"), ("test", "test")):
        assert f"n {where} with masked copies {a[key].macro:.3f}, without" in claim.sentence
        assert f"{b[key].macro:.3f} (12 videos of 6 people, synthetic)" in claim.sentence
    assert re.search(r"difference of [+−]0\.0\d\d, 95\u00a0% interval −", claim.sentence)
    assert "over people and 2 seeds" in claim.sentence
    assert "stays undecided" in claim.sentence
    assert "synthetic" not in judge(results, "own_data")[0].sentence


def test_an_ensemble_of_folds_is_compared_on_the_validation_videos() -> None:
    kfold = run(0.05)
    kfold["held_out"] = scored("v", 0.05, 0, videos=20)  # of train, too
    claim = judge({"main": run(0.2), "kfold": kfold}, "synthetic")[3]
    assert "12 videos of 6 people" in claim.sentence
    assert set(claim.differences) == {"validation", "test"}


def test_sound_falls_back_on_the_runs_of_every_repro() -> None:
    results = {"main": run(0.05), "visual": run(0.2)}
    claim = judge(results, "synthetic")[1]
    assert claim.verdict == HELD
    assert claim.sentence.startswith("On validation the main run")
    assert verdicts(results)["masking"] == UNKNOWN


def test_the_best_single_run_is_chosen_on_validation_and_is_no_ensemble() -> None:
    results = {
        "main": run(0.2, test=0.01),
        "ires100": run(0.1, test=0.3),
        "model": run(0.01),
        "six": run(0.01),
        # another fold is easier, and no rival
        "fold1": {"held_out": scored("f", 0.01, 0), "test": scored("t", 0.2, 0)},
    }
    assert best_single(results) == "ires100"
    assert best_single({"model": run(0.1)}) is None


def test_the_share_of_resamples_in_which_one_is_highest() -> None:
    results = {"kfold": run(0.1, 0), "model": run(0.1, 1), "au_top": run(0.1, 2)}
    shares = [
        highest_share(name, [other for other in results if other != name], results)
        for name in results
    ]
    assert sum(shares) == pytest.approx(1, abs=0.02)
    results["model"] = run(0.4, 1)
    assert highest_share("model", ["kfold", "au_top"], results) == 0


def test_shares_are_never_rounded_to_certainty() -> None:
    assert share_text(1.0) == "all"
    assert share_text(0.0) == "none"
    assert share_text(0.9999) == "more than 99 %"
    assert share_text(0.0001) == "fewer than 1 %"
    assert share_text(0.974) == "97 %"
