"""Scores against scikit-learn and against hand-counted cases."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_curve

from stages.learning.metrics import all_ones_f1, base_rates, f1_per_au, precision_recall


@pytest.fixture
def labels() -> np.ndarray:
    generator = np.random.default_rng(3)
    rates = np.linspace(0.03, 0.6, 12)
    drawn = (generator.random((500, 12)) < rates).astype(np.int8)
    drawn[generator.random((500, 12)) < 0.2] = -1
    return drawn


def test_f1_is_sklearns_binary_f1_of_the_annotated_frames(labels: np.ndarray) -> None:
    predictions = np.random.default_rng(4).random((500, 12)) < 0.4
    ours = f1_per_au(labels, predictions)
    for au in range(12):
        known = labels[:, au] >= 0
        reference = f1_score(labels[known, au], predictions[known, au], pos_label=1)
        assert ours[au] == pytest.approx(reference, abs=1e-12)


def test_frames_that_are_not_annotated_change_nothing(labels: np.ndarray) -> None:
    predictions = np.random.default_rng(4).random((500, 12)) < 0.4
    flipped = np.where(labels == -1, ~predictions, predictions)
    np.testing.assert_array_equal(f1_per_au(labels, predictions), f1_per_au(labels, flipped))


def test_an_au_neither_present_nor_predicted_scores_zero() -> None:
    assert f1_per_au(np.zeros((5, 12), np.int8), np.zeros((5, 12), bool)).tolist() == [0.0] * 12


def test_all_ones_baseline_follows_from_the_base_rate(labels: np.ndarray) -> None:
    rate = base_rates(labels)
    np.testing.assert_allclose(all_ones_f1(labels), 2 * rate / (1 + rate))


def test_precision_recall_is_the_upper_envelope_of_sklearns_curve(labels: np.ndarray) -> None:
    truth = labels[:, 9]
    generator = np.random.default_rng(5)
    probabilities = (0.4 * (truth == 1) + generator.random(500)).astype(np.float32)
    known = truth >= 0
    precision, recall, _ = precision_recall_curve(truth[known] == 1, probabilities[known])
    grid, ours = precision_recall(truth, probabilities, points=21)
    for r, p in zip(grid, ours, strict=True):
        assert p == pytest.approx(precision[recall >= r - 1e-12].max())


def test_precision_recall_of_an_absent_au_is_undefined() -> None:
    _, precision = precision_recall(np.zeros(10, np.int8), np.zeros(10, np.float32))
    assert np.isnan(precision).all()
