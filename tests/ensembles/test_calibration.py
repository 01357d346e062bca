"""Smoothing and thresholds, against loops written out and scikit-learn."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d
from scipy.special import logit
from sklearn.metrics import f1_score

from stages.core.facs import N_AUS
from stages.core.intensity import intensity_of
from stages.ensembles.calibration import Calibration, Judged, box_smooth, decide, f1_of
from stages.ensembles.calibration_fit import (
    Limits,
    alarms_at_rest,
    count_frames,
    cross_fit,
    fit_calibration,
)


def made_videos(count: int, seed: int, *, shift: float = 0.0, frames: int = 90) -> list[Judged]:
    """Videos whose probabilities rise with their labels, around 0.5 + `shift`."""
    draw = np.random.default_rng(seed)
    videos = []
    for number in range(count):
        labels = (draw.random((frames, N_AUS)) < 0.3).astype(np.int8)
        probabilities = 0.35 + shift + 0.3 * labels + draw.normal(0, 0.08, labels.shape)
        labels[draw.random(labels.shape) < 0.1] = -1
        videos.append(Judged(labels, probabilities.clip(0, 1).astype(np.float32), str(number)))
    return videos


@pytest.mark.parametrize("width", [0, 3, 7, 201])
def test_a_box_is_the_mean_of_what_lies_in_it(width: int) -> None:
    values = np.random.default_rng(0).random((40, 2)).astype(np.float32)
    half = width // 2
    expected = [values[max(i - half, 0) : i + half + 1].mean(0) for i in range(len(values))]
    np.testing.assert_allclose(box_smooth(values, width), expected, atol=1e-6)


def test_the_curve_over_thresholds_is_scikit_learns() -> None:
    videos = made_videos(3, 1)
    tables = count_frames(videos, (0,))
    above, hits = tables.above.sum(0)[0].T, tables.hits.sum(0)[0].T
    curve = 2 * hits / (above + tables.positives.sum(0))
    labels = np.concatenate([video.labels for video in videos])
    probabilities = np.concatenate([video.probabilities for video in videos])
    for au in (0, 7):
        known = labels[:, au] >= 0
        for column in (9, 49, 62):
            threshold = (column + 1) / 100
            expected = f1_score(labels[known, au], probabilities[known, au] >= threshold)
            assert curve[column, au] == pytest.approx(expected, abs=0.02)


def test_a_shifted_probability_gets_a_shifted_threshold() -> None:
    fitted = fit_calibration(made_videos(6, 2, shift=-0.2), (0,))
    assert all(0.22 < threshold < 0.38 for threshold in fitted.thresholds)
    videos = made_videos(4, 3, shift=-0.2)
    assert f1_of(videos, decide(videos, fitted)).mean() > 0.9
    assert f1_of(videos, decide(videos, Calibration())).mean() < 0.6


def flickering(people: int = 6) -> list[Judged]:
    """Half of the AUs flicker around 0.5."""
    draw = np.random.default_rng(4)
    noise = np.where(np.arange(N_AUS) < 6, 0.5, 0.02)
    videos = []
    for person in range(people):
        labels = np.repeat((draw.random((8, N_AUS)) < 0.5), 20, axis=0).astype(np.int8)
        p = (0.3 + 0.4 * labels + draw.normal(0, 1, labels.shape) * noise).clip(0, 1)
        videos.append(Judged(labels, p.astype(np.float32), str(person)))
    return videos


def test_flicker_is_smoothed_and_what_does_not_flicker_is_not() -> None:
    fitted = fit_calibration(flickering(), (0, 3, 9))
    assert all(width > 0 for width in fitted.smoothing[:6])
    assert all(width == 0 for width in fitted.smoothing[6:])


def test_nothing_moves_for_a_gain_within_its_standard_error() -> None:
    # labels and probabilities have nothing to do with each other but for one person of many, whose
    # frames make a low threshold best over all
    draw = np.random.default_rng(0)
    videos = []
    for person in range(8):
        labels = (draw.random((50, N_AUS)) < 0.4).astype(np.int8)
        p = 0.3 + 0.4 * labels
        if person == 0:
            labels[:] = 1
            p = np.full(labels.shape, 0.25)
        videos.append(Judged(labels, p.astype(np.float32), str(person)))
    assert fit_calibration(videos, (0,)).thresholds == (0.5,) * N_AUS
    # each person's best threshold lies elsewhere, evenly around 0.5: some gain is chance
    draw = np.random.default_rng(0)
    differing = []
    for person in range(8):
        labels = (draw.random((90, N_AUS)) < 0.3).astype(np.int8)
        own = draw.normal(0, 0.15, N_AUS)
        p = (0.35 + own + 0.3 * labels + draw.normal(0, 0.08, labels.shape)).clip(0, 1)
        differing.append(Judged(labels, p.astype(np.float32), str(person)))
    assert fit_calibration(differing, (0,)).thresholds == (0.5,) * N_AUS
    # where all people have them low, it pays
    assert max(fit_calibration(made_videos(8, 2, shift=-0.2), (0,)).thresholds) < 0.4


def some_flicker(count: int) -> list[Judged]:
    """Eight people: a box of three frames mends those who flicker, and blurs what others do."""
    videos = []
    for person in range(8):
        labels = np.repeat([0, 1], 30)
        if person < count:
            p = np.where(labels == 1, 0.6, 0.4)
            flips = [*range(3, 27, 3), *range(33, 57, 3)]
            p[flips] = 1 - p[flips]
        else:
            labels[[10, 20]] = 1  # for a single frame each
            p = np.where(labels == 1, 0.7, 0.3)
        truth, said = (np.repeat(rows[:, None], N_AUS, axis=1) for rows in (labels, p))
        videos.append(Judged(truth.astype(np.int8), said.astype(np.float32), str(person)))
    return videos


@pytest.mark.parametrize(("count", "width"), [(2, 0), (4, 3)])
def test_smoothing_moves_for_no_gain_within_its_standard_error(count: int, width: int) -> None:
    videos = some_flicker(count)
    smoothed = decide(videos, Calibration(smoothing=(3,) * N_AUS))
    # over all it always pays; but where two people alone bring that, others need not be like them
    assert (f1_of(videos, smoothed) > f1_of(videos, decide(videos, Calibration())) + 0.03).all()
    assert fit_calibration(videos, (0, 3)).smoothing == (width,) * N_AUS


def test_thresholds_stay_within_their_bounds_and_are_shrunk() -> None:
    low, high = made_videos(6, 2, shift=-0.3), made_videos(6, 2, shift=0.3)
    for videos, bound in ((low, 0.4), (high, 0.6)):
        fitted = fit_calibration(videos, (0,), Limits(0.4, 0.6))
        assert all(min(bound, 0.5) <= value <= max(bound, 0.5) for value in fitted.thresholds)
    # people who differ: the gain is there, but not sure, so it is taken in part
    mixed = [
        Judged(one.labels, one.probabilities, f"{kind}{one.group}")
        for kind, part in (
            ("a", made_videos(8, 3, shift=-0.2)),
            ("b", made_videos(2, 4, shift=0.1)),
        )
        for one in part
    ]
    sure = fit_calibration(made_videos(8, 3, shift=-0.2), (0,)).thresholds
    part = fit_calibration(mixed, (0,)).thresholds
    tables = count_frames(mixed, (0,))
    above, hits = tables.above.sum(0)[0], tables.hits.sum(0)[0]
    curve = 2 * hits / (above + tables.positives.sum(0)[:, None])
    best = 0.01 + uniform_filter1d(curve, 11, axis=1, mode="nearest").argmax(1) / 100
    assert (np.asarray(part) < 0.5).all()
    assert (np.asarray(part) > best + 0.005).all()
    assert np.mean(part) > np.mean(sure) + 0.02


def test_one_person_moves_nothing() -> None:
    videos = [Judged(v.labels, v.probabilities, "one") for v in made_videos(6, 2, shift=-0.2)]
    assert fit_calibration(videos, (0, 3)) == Calibration()


def test_false_alarms_at_rest_are_held_down_within_the_bounds() -> None:
    videos = made_videos(6, 5)
    for video in videos:  # the second half rests; there the AUs are said at up to 0.7
        video.labels[45:] = 0
        rows = video.probabilities[45:]
        rows[:] = np.random.default_rng(len(video.group)).uniform(0.2, 0.7, rows.shape)
        rows[:, 3] = 0.9  # one that no threshold within the bounds helps
    free = fit_calibration(videos, (0,))
    limits = Limits(0.2, 0.8, false_alarms=0.02)
    held = fit_calibration(videos, (0,), limits)
    before, after = (alarms_at_rest(videos, fitted) for fitted in (free, held))
    others = np.arange(N_AUS) != 3
    assert (before[others] > 0.02).all()
    assert (after[others] <= 0.02).all()
    assert held.thresholds[3] == 0.8
    # no higher than it takes
    for au in np.flatnonzero(others):
        lower = list(held.thresholds)
        lower[au] = round(lower[au] - 0.01, 2)
        assert alarms_at_rest(videos, Calibration(tuple(lower)))[au] > 0.02


def test_intensity_and_decision_never_contradict() -> None:
    fitted = Calibration((0.2, 0.8, 0.5) * 4, (0,) * N_AUS)
    p = np.random.default_rng(1).random((500, N_AUS)).astype(np.float32)
    thresholds = np.asarray(fitted.thresholds, np.float32)
    reaches = intensity_of(p) >= intensity_of(thresholds)
    said = fitted.decide(p)
    assert (said <= reaches).all()
    assert (said == reaches).mean() > 0.999  # equal but for rounding


def test_an_au_that_never_occurs_keeps_the_default() -> None:
    videos = made_videos(3, 6)
    for video in videos:
        video.labels[:, 4] = np.minimum(video.labels[:, 4], 0)
    fitted = fit_calibration(videos, (0, 3))
    assert (fitted.thresholds[4], fitted.smoothing[4]) == (0.5, 0)


def test_no_person_judges_themself() -> None:
    # ten videos of five people, in three parts
    videos = [
        Judged(v.labels, v.probabilities, str(number // 2))
        for number, v in enumerate(made_videos(10, 7, shift=-0.2))
    ]
    parts = {"0": 0, "1": 1, "2": 2, "3": 0, "4": 2}
    before = cross_fit(videos, parts, (0,))
    # other labels for one part change what is said of the others, never of itself
    changed = [
        Judged(1 - np.maximum(v.labels, 0), v.probabilities, v.group) if parts[v.group] == 1 else v
        for v in videos
    ]
    after = cross_fit(changed, parts, (0,))
    for video, one, other in zip(videos, before, after, strict=True):
        assert np.array_equal(one, other) == (parts[video.group] == 1)


@pytest.mark.parametrize(
    "content",
    [
        {"thresholds": [0.5] * 11, "smoothing": [0] * 12},
        {"thresholds": [1.5] * 12, "smoothing": [0] * 12},
        {"thresholds": [0.5] * 12, "smoothing": [4] * 12},
        {"thresholds": [0.5] * 12, "smoothing": [-3] * 12},
    ],
)
def test_what_is_no_calibration_is_refused(content: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match=r"threshold|width"):
        Calibration.from_dict(content)


def test_plain_values_and_back() -> None:
    fitted = fit_calibration(made_videos(2, 8), (0, 3))
    assert Calibration.from_dict(fitted.as_dict()) == fitted


def test_an_offset_moves_the_logit_of_its_au_alone() -> None:
    offsets = (0.0,) * 6 + (1.5,) + (0.0,) * 5
    rows = np.random.default_rng(0).uniform(0.01, 0.99, (30, N_AUS)).astype(np.float32)
    moved = Calibration(offsets=offsets).smooth(rows)
    np.testing.assert_array_equal(np.delete(moved, 6, 1), np.delete(rows, 6, 1))
    np.testing.assert_allclose(logit(moved[:, 6]), logit(rows[:, 6]) + 1.5, atol=1e-4)
    assert Calibration.from_dict(Calibration(offsets=offsets).as_dict()).offsets == offsets
    edges = Calibration(offsets=offsets).smooth(np.repeat([[0.0], [1.0]], N_AUS, 1))
    np.testing.assert_array_equal(edges[:, 6], [0, 1])
