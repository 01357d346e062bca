"""The bootstrap against scipy's and against loops written out."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from stages.bootstrap import (
    difference,
    draw_weights,
    f1_of,
    interval,
    macro_samples,
    video_counts,
    video_groups,
)
from stages.scores import f1_per_au

NAMES = ["a", "b", "b_left", "c", "d", "e_right", "f", "g", "h", "i"]


def made(noise: float, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Labels (some unknown) and predictions of ten videos that differ in how hard they are."""
    truth, random = np.random.default_rng(1), np.random.default_rng(seed)
    labels, predictions = [], []
    for video in range(len(NAMES)):
        drawn = (truth.random((40 + video, 12)) < 0.35).astype(np.int8)
        wrong = random.random(drawn.shape) < noise * (1 + video) / len(NAMES)
        predictions.append((drawn == 1) ^ wrong)
        drawn[truth.random(drawn.shape) < 0.1] = -1
        labels.append(drawn)
    return labels, predictions


def counted(noise: float, seed: int = 0) -> np.ndarray:
    labels, predictions = made(noise, seed)
    return np.stack([video_counts(*pair) for pair in zip(labels, predictions, strict=True)])


def test_counts_give_sklearns_f1() -> None:
    labels, predictions = made(0.4)
    ours = f1_of(counted(0.4).sum(0))
    joined, said = np.concatenate(labels), np.concatenate(predictions)
    np.testing.assert_allclose(ours, f1_per_au(joined, said))
    for au in range(12):
        known = joined[:, au] >= 0
        assert ours[au] == pytest.approx(f1_score(joined[known, au], said[known, au]))
    assert f1_of(np.zeros((12, 3), np.int64)).tolist() == [0.0] * 12


def test_faces_of_one_video_are_drawn_together() -> None:
    groups = video_groups(NAMES)
    assert groups[1] == groups[2]
    assert len(set(groups.tolist())) == len(NAMES) - 1
    weights = draw_weights(NAMES, 50)
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[0] == 1).all()
    # one weight a video: drawing with replacement keeps their number
    assert (np.delete(weights, 2, axis=1).sum(1) == len(NAMES) - 1).all()


def test_a_resample_is_the_f1_of_the_videos_drawn() -> None:
    labels, predictions = made(0.4)
    weights = draw_weights(NAMES, 20, seed=5)
    ours = macro_samples(counted(0.4)[None], weights)
    for row, value in zip(weights.astype(int), ours, strict=True):
        order = np.repeat(np.arange(len(NAMES)), row)
        drawn = np.concatenate([labels[i] for i in order])
        said = np.concatenate([predictions[i] for i in order])
        assert value == pytest.approx(f1_per_au(drawn, said).mean())


def test_an_au_that_a_resample_lacks_is_left_out_of_its_mean() -> None:
    # AU 0 occurs in video a alone and is found there; AU 11 never occurs
    counts = np.zeros((3, 12, 3), np.int64)
    counts[:, 1:11] = [1, 1, 0]
    counts[0, 0] = [5, 0, 0]
    names = ["a", "b", "c"]
    weights = draw_weights(names, 200)
    found = macro_samples(counts[None], weights)
    others = 10 * 2 / 3
    assert found[0] == pytest.approx((1 + others + 0) / 12)
    for row, value in zip(weights, found, strict=True):
        expected = (1 + others) / 12 if row[0] else others / 11
        assert value == pytest.approx(expected)
    assert (weights[:, 0] == 0).any()


def test_seeds_are_averaged() -> None:
    weights = draw_weights(NAMES, 10)
    one, two = counted(0.4, 0), counted(0.4, 1)
    both = macro_samples(np.stack([one, two]), weights)
    alone = [macro_samples(counts[None], weights) for counts in (one, two)]
    np.testing.assert_allclose(both, np.mean(alone, axis=0))


def test_interval_is_scipys_percentile_bootstrap() -> None:
    names = [name for name in NAMES if name != "b_left"]
    counts = counted(0.6)[[i for i, name in enumerate(NAMES) if name != "b_left"]]
    ours = interval(macro_samples(counts[None], draw_weights(names, 20_000)))

    def macro(chosen: np.ndarray) -> float:
        return float(f1_of(counts[chosen].sum(0)).mean())

    theirs = stats.bootstrap(
        (np.arange(len(names)),), macro, n_resamples=2500, vectorized=False,
        method="percentile", rng=np.random.default_rng(8),
    ).confidence_interval  # fmt: skip
    assert ours.value == pytest.approx(macro(np.arange(len(names))))
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)
    assert ours.low < ours.value < ours.high


def test_paired_difference_is_a_loops_and_surer_than_two_intervals() -> None:
    # b makes a's errors and a few more: far surer than their overlapping intervals say
    labels, predictions = made(0.5)
    a = np.stack([video_counts(*pair) for pair in zip(labels, predictions, strict=True)])
    worse = [said ^ (np.random.default_rng(3).random(said.shape) < 0.03) for said in predictions]
    b = np.stack([video_counts(*pair) for pair in zip(labels, worse, strict=True)])
    weights = draw_weights(NAMES, 3000)
    first, second = macro_samples(a[None], weights), macro_samples(b[None], weights)
    found = difference(first, second)

    random, above, gaps = np.random.default_rng(9), 0, []
    groups = video_groups(NAMES)
    for _ in range(1500):
        drawn = random.integers(0, groups.max() + 1, groups.max() + 1)
        faces = [i for group in drawn for i in np.flatnonzero(groups == group)]
        gap = f1_of(a[faces].sum(0)).mean() - f1_of(b[faces].sum(0)).mean()
        gaps.append(gap)
        above += gap > 0
    assert found.probability == pytest.approx(above / 1500, abs=0.03)
    assert found.low == pytest.approx(np.quantile(gaps, 0.025), abs=0.004)
    assert interval(first).low < interval(second).high
    assert found.low > 0
    assert found.probability > 0.99


def test_a_result_beside_itself_is_undecided() -> None:
    samples = macro_samples(counted(0.5)[None], draw_weights(NAMES, 100))
    assert difference(samples, samples).probability == 0.5
    mirrored = difference(samples, samples - 0.1)
    assert mirrored.probability == 1.0
    assert difference(samples - 0.1, samples).probability == 0.0


def test_same_seed_same_resamples() -> None:
    assert (draw_weights(NAMES, 30, 4) == draw_weights(NAMES, 30, 4)).all()
    assert (draw_weights(NAMES, 30, 4) != draw_weights(NAMES, 30, 5)).any()
