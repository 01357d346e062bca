"""Measures against scikit-learn and plain sums over frames drawn again person by person."""

import numpy as np
import pytest
from scipy.stats import bootstrap, pearsonr
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from stages.inference.evaluation import metrics
from stages.inference.evaluation.intervals import estimate, weights_of
from stages.inference.evaluation.ranking import Pair, quarters, rank
from stages.inference.evaluation.samples import File, Samples
from stages.inference.evaluation.scoring import bands, by_group, score, within_clips

PEOPLE = 12


@pytest.fixture
def frames() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores with many ties, and persons of 400 frames."""
    random = np.random.default_rng(3)
    person = random.integers(0, PEOPLE, 400)
    labels = (random.random(400) < 0.2 + 0.04 * person).astype(np.int8)
    scores = np.round(np.clip(0.3 * labels + 0.7 * random.random(400), 0, 1), 2)
    return labels, scores, person


def test_auc_is_scikit_learns(frames: tuple[np.ndarray, ...]) -> None:
    labels, scores, _ = frames
    found = metrics.auc(scores[labels == 1], scores[labels == 0])
    assert found == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert np.isnan(metrics.auc(scores, scores[:0]))


def test_auc_of_people_drawn_is_that_of_their_frames_repeated(
    frames: tuple[np.ndarray, ...],
) -> None:
    labels, scores, person = frames
    drawn = np.random.default_rng(1).integers(0, PEOPLE, (20, PEOPLE))
    won = metrics.wins(scores, labels == 1, person, PEOPLE)
    positives = np.bincount(person[labels == 1], minlength=PEOPLE).astype(float)
    negatives = np.bincount(person[labels == 0], minlength=PEOPLE).astype(float)
    weights = weights_of(drawn, PEOPLE)
    found = metrics.auc_of_people(weights, won, positives, negatives)
    for people, value in zip(drawn, found, strict=True):
        rows = np.concatenate([np.flatnonzero(person == k) for k in people])
        assert value == pytest.approx(roc_auc_score(labels[rows], scores[rows]), abs=1e-9)


def test_binned_scores_hardly_change_an_auc(frames: tuple[np.ndarray, ...]) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 20_000)
    scores = random.random(20_000) + 0.4 * labels
    won = metrics.wins(scores, labels == 1, np.zeros(20_000, int), 1)
    count = labels.sum()
    assert won[0, 0] / (count * (20_000 - count)) == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-4
    )


def test_shares_and_f1_are_scikit_learns(frames: tuple[np.ndarray, ...]) -> None:
    labels, scores, person = frames
    said = (scores >= 0.5).astype(np.int8)
    counts = metrics.count(labels, said, person, PEOPLE).sum(0)
    assert metrics.f1(counts) == pytest.approx(f1_score(labels, said))
    assert metrics.precision(counts) == pytest.approx(precision_score(labels, said))
    assert metrics.hits(counts) == pytest.approx(recall_score(labels, said))
    assert metrics.false_alarms(counts) == pytest.approx(said[labels == 0].mean())
    nothing = np.asarray([0.0, 3, 0, 5])
    assert np.isnan(metrics.f1(nothing))
    assert np.isnan(metrics.hits(nothing))


def icc_by_anova(x: np.ndarray, y: np.ndarray) -> float:
    """Shrout and Fleiss's ICC(3,1) from the mean squares."""
    table = np.stack([x, y], axis=1)
    n, k = table.shape
    rows = k * ((table.mean(1) - table.mean()) ** 2).sum() / (n - 1)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    return float((rows - error) / (rows + (k - 1) * error))


def test_correlations_of_intensities() -> None:
    random = np.random.default_rng(5)
    x = random.uniform(0, 5, 300)
    y = np.clip(0.8 * x + 1 + random.normal(0, 0.7, 300), 0, 5)
    person = random.integers(0, 9, 300)
    sums = metrics.moments(x, y, person, 9).sum(0)
    assert metrics.icc(sums) == pytest.approx(icc_by_anova(x, y), abs=1e-9)
    assert metrics.pearson(sums) == pytest.approx(pearsonr(x, y)[0], abs=1e-9)


def test_an_interval_is_that_of_the_people_themselves() -> None:
    """A mean over people, each counted once: scipy's own bootstrap of their values."""
    values = np.random.default_rng(2).gamma(2.0, size=30)
    found = estimate(lambda weights: weights @ values / weights.sum(1), 30, 30)
    expected = bootstrap(
        (values,), np.mean, n_resamples=2000, method="BCa", batch=500,
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-6)


def test_too_few_people_and_alike_people_are_said() -> None:
    values = np.arange(5.0)
    found = estimate(lambda weights: weights @ values / weights.sum(1), 5, 5)
    assert np.isnan(found.low)
    assert found.note == "too few people (5) for an interval"
    same = estimate(lambda weights: 0 * weights.sum(1), 51, 51)
    assert "alike" in same.note
    share = estimate(lambda weights: 0 * weights.sum(1), 51, 51, share=True)
    assert (share.low, share.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 51)))


def samples(labels: np.ndarray, scores: np.ndarray, files: list[File], file: np.ndarray) -> Samples:
    n = len(labels)
    wide = np.full((n, 12), -1, np.int8)
    wide[:, 6] = labels
    said = np.full((n, 12), np.nan, np.float32)
    said[:, 6] = scores
    decisions = np.where(np.nan_to_num(said) >= 0.5, 1, 0).astype(np.int8)
    return Samples(
        tuple(files), file.astype(np.int32), np.arange(1, n + 1, dtype=np.int32),
        ~np.isnan(said[:, 6]), wide, said, decisions,
    )  # fmt: skip


def test_scores_of_samples(frames: tuple[np.ndarray, ...]) -> None:
    labels, scores, person = frames
    files = [
        File(f"{k}.mp4", f"p{k:02d}", False, {"gender": "fm"[k % 2], "age": str(17 + 5 * k)})
        for k in range(PEOPLE)
    ]
    scores = scores.copy()
    scores[:7] = np.nan  # no face found
    labels[:2], labels[2:7] = 1, 0
    found = score(samples(labels, scores, files, person))["AU12"]
    seen = ~np.isnan(scores)
    assert found.unseen == 7
    assert found.measures["auc"].value == pytest.approx(
        roc_auc_score(labels[seen], scores[seen].astype("f4"))
    )
    said = np.nan_to_num(scores) >= 0.5  # who is not found is not said to smile
    assert found.measures["hits"].value == pytest.approx(recall_score(labels, said))
    assert found.measures["false_alarms"].value == pytest.approx(said[labels == 0].mean())
    inside = [
        roc_auc_score(labels[rows], scores[rows])
        for k in range(PEOPLE)
        if len(set(labels[rows := np.flatnonzero((person == k) & seen)])) == 2
    ]
    assert found.measures["auc_within"].value == pytest.approx(np.mean(inside), abs=1e-6)
    for one in found.measures.values():
        assert one.low < one.value < one.high
    groups = by_group(samples(labels, scores, files, person))
    assert list(groups) == ["age", "gender"]
    rows = np.asarray([files[k].groups["gender"] == "f" for k in person])
    assert groups["gender"]["f"]["AU12"].measures["hits"].value == pytest.approx(
        recall_score(labels[rows], said[rows])
    )
    assert set(groups["age"]) == {
        "10 to 19", "20 to 29", "30 to 39", "40 to 49", "50 to 59", "60 or older",
    }  # fmt: skip


def test_bands() -> None:
    assert bands({"a": "19", "b": "60", "c": "77.5"}, "Age") == {
        "a": "10 to 19", "b": "60 or older", "c": "60 or older",
    }  # fmt: skip
    few = {str(k): str(k % 3) for k in range(9)}
    assert bands(few, "camera") == few
    many = bands({str(k): str(k) for k in range(40)}, "light")
    assert sorted(many.values()).count("up to 9.75") == 10
    assert bands({"a": "old", "b": "3"}, "age") == {"a": "old", "b": "3"}


def test_within_clips_skips_clips_of_one_class() -> None:
    labels = np.asarray([1, 0, 1, 1, 0, 0], np.int8)
    units, values = within_clips(
        labels, np.asarray([0.9, 0.1, 0.2, 0.3, 0.4, 0.4], "f4"), np.asarray([0, 0, 1, 1, 2, 2])
    )
    assert units.tolist() == [0]
    assert values.tolist() == [1.0]


def test_ranking_takes_quarters_and_only_clips_that_show_the_au() -> None:
    random = np.random.default_rng(4)
    reference = random.random(80)
    ours = reference + random.normal(0, 0.3, 80)
    order = np.argsort(reference)
    expected = roc_auc_score([0] * 20 + [1] * 20, ours[np.r_[order[:20], order[-20:]]])
    result = quarters(ours, reference)
    assert result is not None
    assert result[0] == pytest.approx(expected)
    assert quarters(ours[:19], reference[:19]) is None

    def pair(name: str, scale: float) -> Pair:
        wide = np.full((80, 12), np.nan, np.float32)
        other = wide.copy()
        wide[:, 6], other[:, 6] = ours, scale * reference
        return Pair(name, name, wide, other)

    found = rank([pair("a", 1.0), pair("faint", 0.1)])
    assert list(found) == ["AU12"]
    assert found["AU12"].clips == {"a": pytest.approx(expected)}
    assert set(found["AU12"].reach) == {"a", "faint"}
    assert found["AU12"].high == (reference.astype("f4") > 0.5).sum()
    assert found["AU12"].low == (reference.astype("f4") < 0.1).sum() + 80
