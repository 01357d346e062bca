"""The bootstrap over people against scipy's own loop and against loops written out."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from stages.learning.metrics import f1_per_au
from stages.reporting.bootstrap import (
    ALIKE,
    ONE_GROUP,
    PERCENTILE,
    Interval,
    Term,
    difference,
    estimate,
    f1_of,
    macro_f1,
    sum_groups,
    times_drawn,
    video_counts,
)

# b and h are one person; so are c and both faces of video d
GROUPS = ["a", "b", "b", "c", "c", "c", "f", "b", "i", "j", "k", "l"]


def made(noise: float, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Labels (some unknown) and predictions of videos that differ in how hard they are."""
    truth, random = np.random.default_rng(1), np.random.default_rng(seed)
    labels, predictions = [], []
    for video in range(len(GROUPS)):
        drawn = (truth.random((40 + video, 12)) < 0.35).astype(np.int8)
        wrong = random.random(drawn.shape) < noise * (1 + video) / len(GROUPS)
        predictions.append((drawn == 1) ^ wrong)
        drawn[truth.random(drawn.shape) < 0.1] = -1
        labels.append(drawn)
    return labels, predictions


def counted(noise: float, seed: int = 0) -> np.ndarray:
    """Counts of one seed by face, (1, faces, 12, 3)."""
    labels, predictions = made(noise, seed)
    return np.stack([video_counts(*pair) for pair in zip(labels, predictions, strict=True)])[None]


def grouped(noise: float, *seeds: int) -> np.ndarray:
    return np.concatenate([sum_groups(counted(noise, seed), GROUPS) for seed in seeds or (0,)])


def interval_of(counts: np.ndarray, **options: int) -> Interval:
    return estimate([Term(1.0, counts)], **options)[0]


def test_counts_give_sklearns_f1() -> None:
    labels, predictions = made(0.4)
    ours = f1_of(counted(0.4)[0].sum(0))
    joined, said = np.concatenate(labels), np.concatenate(predictions)
    np.testing.assert_allclose(ours, f1_per_au(joined, said))
    for au in range(12):
        known = joined[:, au] >= 0
        assert ours[au] == pytest.approx(f1_score(joined[known, au], said[known, au]))
    assert f1_of(np.zeros((12, 3), np.int64)).tolist() == [0.0] * 12


def test_a_resample_is_the_f1_of_the_people_drawn() -> None:
    labels, predictions = made(0.4)
    names = sorted(set(GROUPS))
    drawn = np.random.default_rng(5).integers(0, len(names), (20, len(names)))
    ours = macro_f1(grouped(0.4), times_drawn(drawn, len(names)))[:, 0]
    for row, value in zip(drawn, ours, strict=True):
        faces = [i for group in row for i, name in enumerate(GROUPS) if name == names[group]]
        truth = np.concatenate([labels[i] for i in faces])
        said = np.concatenate([predictions[i] for i in faces])
        assert value == pytest.approx(f1_per_au(truth, said).mean())


def test_an_au_that_a_resample_lacks_is_left_out_of_its_mean() -> None:
    # AU 0 occurs in person a alone and is found there; AU 11 never occurs
    counts = np.zeros((1, 3, 12, 3), np.int64)
    counts[0, :, 1:11] = [1, 1, 0]
    counts[0, 0, 0] = [5, 0, 0]
    weights = np.array([[1, 1, 1], [0, 2, 1], [2, 1, 0]], float)
    others = 10 * 2 / 3
    expected = [(1 + others) / 12, others / 11, (1 + others) / 12]
    np.testing.assert_allclose(macro_f1(counts, weights)[:, 0], expected)


def test_interval_is_scipys_over_people_and_wider_than_over_videos() -> None:
    counts = grouped(0.6)
    ours = interval_of(counts, resamples=9000)
    groups = np.arange(counts.shape[1])

    def macro(chosen: np.ndarray) -> float:
        return float(f1_of(counts[0, chosen].sum(0)).mean())

    theirs = stats.bootstrap(
        (groups,), macro, n_resamples=2500, vectorized=False, method="BCa",
        rng=np.random.default_rng(8),
    ).confidence_interval  # fmt: skip
    assert ours.value == pytest.approx(macro(groups))
    assert ours.low == pytest.approx(theirs.low, abs=0.006)
    assert ours.high == pytest.approx(theirs.high, abs=0.006)
    assert ours.low < ours.value < ours.high
    assert ours.note == ""
    # twins of every video: as sure as without them, where videos would be surer
    twice = sum_groups(np.concatenate([counted(0.6)] * 2, axis=1), GROUPS * 2)
    assert interval_of(twice) == interval_of(counts)
    alone = sum_groups(np.concatenate([counted(0.6)] * 2, axis=1), [str(i) for i in range(24)])
    videos = interval_of(alone)
    assert videos.high - videos.low < ours.high - ours.low


def test_seeds_are_averaged_and_widen_the_interval_where_they_are_drawn() -> None:
    both = grouped(0.4, 0, 1)
    both[1] = sum_groups(counted(0.6, 1), GROUPS)[0]  # a seed that went worse
    alone = [interval_of(both[:1]).value, interval_of(both[1:]).value]
    people = interval_of(both)
    assert people.value == pytest.approx(np.mean(alone))
    together, samples = estimate([Term(1.0, both)], draw_seeds=True)
    assert together.value == people.value
    assert together.high - together.low > 1.2 * (people.high - people.low)
    # the pigeonhole bootstrap, written out
    random, expected = np.random.default_rng(2), []
    for _ in range(1500):
        groups = random.integers(0, both.shape[1], both.shape[1])
        seeds = random.integers(0, 2, 2)
        expected.append(np.mean([f1_of(both[s][groups].sum(0)).mean() for s in seeds]))
    assert samples.std() == pytest.approx(np.std(expected), rel=0.08)


def test_paired_difference_is_surer_than_two_intervals() -> None:
    # b makes a's errors and a few more: far surer than their overlapping intervals say
    labels, predictions = made(0.5)
    worse = [said ^ (np.random.default_rng(3).random(said.shape) < 0.03) for said in predictions]
    pairs = [video_counts(*pair) for pair in zip(labels, worse, strict=True)]
    a, b = grouped(0.5), sum_groups(np.stack(pairs)[None], GROUPS)
    found = difference([a], [b])
    first, second = interval_of(a), interval_of(b)
    assert found.value == pytest.approx(first.value - second.value)
    assert first.low < second.high
    assert found.low > 0
    assert found.probability > 0.99
    mirrored = difference([b], [a])
    assert mirrored.probability == pytest.approx(1 - found.probability)
    assert mirrored.high < 0


def test_where_there_is_no_interval_it_says_why() -> None:
    one = interval_of(grouped(0.4)[:, :1])
    assert (one.known, one.note) == (False, ONE_GROUP)
    counts = grouped(0.5)
    same = difference([counts], [counts])
    assert (same.value, same.known, same.note, same.probability) == (0, False, ALIKE, 0.5)


def test_where_bca_has_no_answer_the_interval_is_a_percentile_one() -> None:
    # two people, each with an AU that is said of the other too: leaving out either is the same
    counts = np.zeros((1, 2, 12, 3), np.int64)
    counts[0, 0, :2] = [[1, 0, 0], [0, 1, 0]]
    counts[0, 1, :2] = [[0, 1, 0], [1, 0, 0]]
    found, samples = estimate([Term(1.0, counts)])
    assert found.note == PERCENTILE
    np.testing.assert_allclose([found.low, found.high], np.quantile(samples, [0.025, 0.975]))
    assert found.low < found.high


def test_same_seed_same_bytes() -> None:
    counts = grouped(0.4)
    first, second = (estimate([Term(1.0, counts)], seed=4)[1].tobytes() for _ in range(2))
    assert first == second
    assert first != estimate([Term(1.0, counts)], seed=5)[1].tobytes()
