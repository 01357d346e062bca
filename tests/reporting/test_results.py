"""Scores of runs against counts over all frames, and comparisons on the same videos."""

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.learning.metrics import all_ones_f1, f1_per_au
from stages.reporting.bootstrap import Interval
from stages.reporting.confusion import mistaken_for
from stages.reporting.evidence import Evidence
from stages.reporting.results import compare, score
from stages.sequence.dataset import make_video

FRAMES = {"a": 40, "b": 25, "b_left": 25, "c": 60}
GROUPS = {"a": "a", "b": "b", "b_left": "b", "c": "c"}


def labels(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    made = {n: (random.random((k, 12)) < 0.4).astype(np.int8) for n, k in FRAMES.items()}
    made["c"][:7] = -1
    return made


def logits(truth: dict[str, np.ndarray], noise: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        name: (np.where(rows == 1, 1, -1) + noise * random.normal(size=rows.shape)).astype(
            np.float32
        )
        for name, rows in truth.items()
    }


def test_a_runs_f1_is_that_of_all_its_frames() -> None:
    truth = labels()
    seeds = [logits(truth, 1.5, seed) for seed in range(3)]
    scored = score(seeds, truth, GROUPS)
    assert scored is not None
    joined = np.concatenate([truth[name] for name in sorted(truth)])
    each = [
        f1_per_au(joined, np.concatenate([seed[name] for name in sorted(truth)]) >= 0)
        for seed in seeds
    ]
    np.testing.assert_allclose(scored.f1, np.mean(each, axis=0))
    macros = [values.mean() for values in each]
    assert scored.macro == pytest.approx(np.mean(macros))
    assert scored.spread == pytest.approx(np.std(macros, ddof=1))
    assert scored.interval.value == pytest.approx(scored.macro)
    assert scored.interval.low < scored.macro < scored.interval.high
    np.testing.assert_allclose(scored.baseline.f1, all_ones_f1(joined))


def test_one_seed_has_no_spread() -> None:
    truth = labels()
    scored = score([logits(truth, 1, 0)], truth, GROUPS)
    assert scored is not None
    assert scored.spread is None


def test_only_what_has_labels_and_predictions_is_scored() -> None:
    truth = labels()
    said = logits(truth, 1, 0)
    del said["a"]
    said["elsewhere"] = said["b"]
    scored = score([said], truth, GROUPS)
    assert scored is not None
    assert scored.names == ("b", "b_left", "c")
    assert score([said], {"a": truth["a"]}, GROUPS) is None
    assert score([said], {"b": np.full_like(truth["b"], -1)}, GROUPS) is None
    assert score([], truth, GROUPS) is None


def test_predictions_of_another_length_are_refused() -> None:
    truth = labels()
    said = logits(truth, 1, 0)
    said["b"] = said["b"][:-1]
    with pytest.raises(DataError, match="for b do not fit its 25 frames"):
        score([said], truth, GROUPS)


def test_runs_on_different_videos_are_not_compared() -> None:
    truth = labels()
    said = logits(truth, 1, 0)
    whole = score([said], truth, GROUPS)
    part = score([{name: said[name] for name in ("a", "c")}], truth, GROUPS)
    assert whole is not None
    assert part is not None
    with pytest.raises(DataError, match="different videos"):
        compare([whole], [part])
    with pytest.raises(DataError, match="different videos"):
        compare([whole, part], [whole, part])


def test_groups_are_compared_by_their_means() -> None:
    truth = labels()
    runs = [score([logits(truth, noise, 1)], truth, GROUPS) for noise in (0.5, 1.0, 1.5, 2.0)]
    good, bad = runs[:2], runs[2:]
    found = compare(good, bad)  # type: ignore[arg-type]
    gap = np.mean([r.macro for r in good]) - np.mean([r.macro for r in bad])  # type: ignore[union-attr]
    assert found.value == pytest.approx(gap)
    assert found.probability == 1.0
    assert compare(bad, good).value == pytest.approx(-gap)  # type: ignore[arg-type]


def interval_of(videos: int, *, strangers: bool = False) -> Interval:
    """Of eight people who each make the same errors in some videos of theirs."""
    random = np.random.default_rng(3)
    shown, said = [], {}
    for person in range(8):
        truth = (random.random((50, 12)) < 0.4).astype(np.int8)
        wrong = random.random(truth.shape) < 0.05 * (1 + person)
        for video in range(videos):
            name = f"video{video}_of_{person}"
            group = name if strangers else f"person{person}"
            shown.append(make_video(name, truth, np.ones(50, bool), split="test", group=group))
            said[name] = np.where((truth == 1) ^ wrong, 1, -1).astype(np.float32)
    evidence = Evidence("synthetic", {"train": [], "validation": [], "test": shown})
    evidence.add("run", [said])
    return evidence.results["run"]["test"].interval


def test_more_videos_of_the_same_people_make_no_interval_narrower() -> None:
    one, four = interval_of(1), interval_of(4)
    assert four.value == pytest.approx(one.value)
    assert [four.low, four.high] == pytest.approx([one.low, one.high])
    # had each video shown somebody else, all would be surer
    others = interval_of(4, strangers=True)
    assert others.high - others.low < 0.7 * (one.high - one.low)


def test_what_is_mistaken_for_what_is_counted_frame_by_frame() -> None:
    random = np.random.default_rng(2)
    truth = (random.random((300, 12)) < 0.3).astype(np.int8)
    said = random.random((300, 12)) < 0.3
    truth[:20, 4] = -1  # such frames are left out
    truth[:, 11] = 0  # never missed
    shares, missed = mistaken_for(truth, said)
    for i in range(12):
        misses = [t for t in range(20, 300) if truth[t, i] == 1 and not said[t, i]]
        assert missed[i] == len(misses)
        for j in range(12):
            if i == j or not misses:
                assert np.isnan(shares[i, j])
                continue
            wrong = sum(bool(said[t, j]) and truth[t, j] == 0 for t in misses)
            assert shares[i, j] == pytest.approx(wrong / len(misses))
