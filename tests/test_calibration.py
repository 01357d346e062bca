"""Smoothing and thresholds, against loops written out and scikit-learn."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import f1_score

from stages.calibration import (
    Calibration,
    Judged,
    _f1_by_threshold,
    box_smooth,
    cross_fit,
    decide,
    f1_of,
    fit_calibration,
)
from stages.core.facs import N_AUS


def made_videos(count: int, seed: int, *, shift: float = 0.0, frames: int = 90) -> list[Judged]:
    """Videos whose probabilities rise with their labels, around 0.5 + `shift`."""
    draw = np.random.default_rng(seed)
    videos = []
    for _ in range(count):
        labels = (draw.random((frames, N_AUS)) < 0.3).astype(np.int8)
        probabilities = 0.35 + shift + 0.3 * labels + draw.normal(0, 0.08, labels.shape)
        labels[draw.random(labels.shape) < 0.1] = -1
        videos.append(Judged(labels, probabilities.clip(0, 1).astype(np.float32)))
    return videos


@pytest.mark.parametrize("width", [0, 3, 7, 201])
def test_a_box_is_the_mean_of_what_lies_in_it(width: int) -> None:
    values = np.random.default_rng(0).random((40, 2)).astype(np.float32)
    half = width // 2
    expected = [values[max(i - half, 0) : i + half + 1].mean(0) for i in range(len(values))]
    np.testing.assert_allclose(box_smooth(values, width), expected, atol=1e-6)


def test_the_curve_over_thresholds_is_scikit_learns() -> None:
    videos = made_videos(3, 1)
    curve = _f1_by_threshold(videos, 0)
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


def test_flicker_is_smoothed_and_what_does_not_flicker_is_not() -> None:
    draw = np.random.default_rng(4)
    labels = np.repeat((draw.random((30, N_AUS)) < 0.5), 20, axis=0).astype(np.int8)
    noise = np.where(np.arange(N_AUS) < 6, 0.5, 0.02)
    probabilities = (0.3 + 0.4 * labels + draw.normal(0, 1, labels.shape) * noise).clip(0, 1)
    fitted = fit_calibration([Judged(labels, probabilities.astype(np.float32))], (0, 3, 9))
    assert all(width > 0 for width in fitted.smoothing[:6])
    assert all(width == 0 for width in fitted.smoothing[6:])


def test_thresholds_can_stay() -> None:
    fitted = fit_calibration(made_videos(3, 5, shift=-0.1), (0, 3), thresholds=False)
    assert fitted.thresholds == (0.5,) * N_AUS


def test_an_au_that_never_occurs_keeps_the_default() -> None:
    videos = made_videos(3, 6)
    for video in videos:
        video.labels[:, 4] = np.minimum(video.labels[:, 4], 0)
    fitted = fit_calibration(videos, (0, 3))
    assert (fitted.thresholds[4], fitted.smoothing[4]) == (0.5, 0)


def test_no_video_judges_itself() -> None:
    videos = made_videos(6, 7)
    parts = [0, 0, 1, 1, 2, 2]
    before = cross_fit(videos, parts, (0,))
    # other labels for one part change what is said of the others, never of itself
    changed = [
        Judged(1 - np.maximum(video.labels, 0), video.probabilities) if part == 1 else video
        for video, part in zip(videos, parts, strict=True)
    ]
    after = cross_fit(changed, parts, (0,))
    for i, part in enumerate(parts):
        same = np.array_equal(before[i], after[i])
        assert same == (part == 1)


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
