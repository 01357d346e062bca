"""Verdicts and sentences follow from the figures, whatever these are."""

import re

import numpy as np
import pytest

from stages.paper_tables import SUBMISSIONS, TABLES, table_runs
from stages.reporting.claims import (
    HELD,
    OPPOSITE,
    UNDECIDED,
    UNKNOWN,
    best_single,
    highest_share,
    judge,
    share_text,
)
from stages.reporting.results import Scored, score
from stages.reporting.tables import Results

SETS = {"held_out": "v", "test": "t"}


def scored(kind: str, noise: float, seed: int, videos: int = 12) -> Scored:
    truth, random = np.random.default_rng(len(kind)), np.random.default_rng(seed)
    labels, said = {}, {}
    for i in range(videos):
        rows = (truth.random((60, 12)) < 0.4).astype(np.int8)
        labels[f"{kind}{i}"] = rows
        wrong = random.random(rows.shape) < noise
        said[f"{kind}{i}"] = np.where((rows == 1) ^ wrong, 1, -1).astype(np.float32)
    found = score([said], labels)
    assert found is not None
    return found


def run(noise: float, seed: int = 0, test: float | None = None) -> dict[str, Scored]:
    return {
        "held_out": scored("v", noise, seed),
        "test": scored("t", noise if test is None else test, seed),
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
    results |= {name: run(0.3, test=second) for name in SUBMISSIONS}
    results["model"] = run(0.3, test=first / 2 if verdict == HELD else 0.4)
    results["kfold"] = run(0.3, test=first / 4 if verdict == HELD else 0.45)
    assert verdicts(results) == {
        "masking": verdict,
        "sound": verdict if verdict == HELD else OPPOSITE,
        "hybrids": verdict,
        "ensembles": verdict,
        "folds": verdict,
    }


def test_equal_runs_are_undecided_and_the_sentence_shows_the_figures() -> None:
    a, b = run(0.2, 3), run(0.2, 7)
    results = {"ires100_mobilenet": a, "ires100_mobilenet_unmasked": b}
    claim = judge(results, "synthetic")[0]
    assert claim.verdict == UNDECIDED
    assert claim.difference is not None
    assert f"With masked copies {a['held_out'].macro:.3f}, without" in claim.sentence
    assert f"{b['held_out'].macro:.3f} (12 validation videos, synthetic)" in claim.sentence
    assert re.search(r"difference of [+−]0\.0\d\d, 95\u00a0% interval −", claim.sentence)
    assert "stays undecided" in claim.sentence
    assert "synthetic" not in judge(results, "own_data")[0].sentence


def test_sound_falls_back_on_the_runs_of_every_repro() -> None:
    results = {"main": run(0.05), "visual": run(0.2)}
    claim = judge(results, "synthetic")[1]
    assert claim.verdict == HELD
    assert claim.sentence.startswith("The main run")
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
