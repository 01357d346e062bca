"""Intensity: one score with presence, its loss, its agreement; from the data root to the inputs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, PRESENT_FROM
from stages.core.intensity import LOGITS_A_STEP, intensity_of, intensity_of_logits
from stages.crops.half_labels import hide_intensity
from stages.learning.intensity import (
    concordance_loss,
    intensity_error,
    intensity_loss,
    ordinal_loss,
)
from stages.learning.metrics import icc_per_au
from stages.learning.settings import IntensityLoss
from stages.sequence.dataset import load_videos, make_video, write_inputs
from stages.videos.annotations import contradiction, on_frame_grid, read_intensity


def test_intensity_rises_with_probability_and_half_is_presence() -> None:
    logits = np.linspace(-8, 12, 400)
    found = intensity_of_logits(logits)
    np.testing.assert_allclose(intensity_of(expit(logits)), found, atol=1e-3)
    assert (np.diff(found) >= 0).all()
    assert intensity_of(0.5) == pytest.approx(PRESENT_FROM)
    assert (found.min(), found.max()) == (0, 5)
    assert intensity_of([0.0, 1.0]).tolist() == [0, 5]
    assert np.isnan(intensity_of(np.nan))


def test_the_loss_is_nothing_beyond_the_ends_and_leads_back_to_them() -> None:
    logits = torch.tensor([[-9.0, 12.0, 12.0, 0.5]], requires_grad=True)
    truth = torch.tensor([[0.0, 5.0, 0.0, torch.nan]])
    loss = intensity_loss(logits, truth)
    loss.backward()
    assert float(loss.detach()) == pytest.approx((PRESENT_FROM + 6 - 0.5) / 3)
    assert logits.grad is not None
    assert logits.grad[0, [0, 1, 3]].tolist() == [0, 0, 0]
    assert float(logits.grad[0, 2]) > 0
    assert float(intensity_loss(logits, torch.full((1, 4), torch.nan))) == 0


def test_a_network_that_learns_intensity_says_it() -> None:
    torch.manual_seed(0)
    truth = 5 * torch.rand(500, 12)
    logits = torch.zeros(500, 12, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(200):
        loss = intensity_loss(logits, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(intensity_of_logits(logits.detach()), truth, atol=0.05)


def test_grades_that_are_reached_by_hand() -> None:
    """An intensity of 2 reaches grades 1 and 2; what is said is in the middle, presence's edge."""
    loss = ordinal_loss(torch.zeros(1, 1), torch.full((1, 1), 2.0))
    each = 0.0
    for grade in range(1, 6):
        p = expit(LOGITS_A_STEP * (PRESENT_FROM - (grade - 0.5)))
        each -= np.log(p) if grade <= 2 else np.log(1 - p)
    assert float(loss) == pytest.approx(each / 5, rel=1e-5)
    halves = torch.tensor([[2.0, torch.nan], [torch.nan, torch.nan]])
    assert float(ordinal_loss(torch.zeros(2, 2), halves)) == pytest.approx(each / 5, rel=1e-5)
    assert float(ordinal_loss(torch.zeros(2, 2), torch.full((2, 2), torch.nan))) == 0


def test_concordance_is_that_of_lin_over_what_is_known_and_varies() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 6, (40, 3)).astype(np.float32)
    truth[::4, 0] = np.nan
    truth[:, 1] = 2.0  # of one grade alone nobody can agree
    truth[:, 2] = np.nan
    logits = torch.from_numpy(random.normal(size=(40, 3)).astype(np.float32)).requires_grad_()
    loss = concordance_loss(logits, torch.from_numpy(truth))
    known = ~np.isnan(truth[:, 0])
    said = PRESENT_FROM + logits.detach().numpy()[known, 0] / LOGITS_A_STEP
    real = truth[known, 0]
    apart = said.var() + real.var() + (said.mean() - real.mean()) ** 2
    expected = 1 - 2 * np.cov(said, real, bias=True)[0, 1] / apart
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[:, 1:].any()
    assert not logits.grad[~torch.from_numpy(known), 0].any()


@pytest.mark.parametrize("kind", ["smooth_l1", "ordinal", "concordance"])
def test_every_loss_of_intensity_teaches_the_grades(kind: IntensityLoss) -> None:
    torch.manual_seed(0)
    truth = torch.randint(0, 6, (300, 12)).float()
    logits = torch.zeros(300, 12) + 0.01 * torch.randn(300, 12)
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(150):
        loss = intensity_error(logits, truth, kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = intensity_of_logits(logits.detach().numpy())
    assert np.abs(found - truth.numpy()).mean() < 0.6
    assert icc_per_au(truth.numpy(), found).min() > 0.9


def test_icc_against_the_analysis_of_variance() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random((80, 2)) * 5
    said = truth + generator.normal(size=(80, 2))
    truth[3, 1] = np.nan
    found = icc_per_au(truth, said)
    for au in range(2):
        known = ~np.isnan(truth[:, au])
        table = np.stack([truth[known, au], said[known, au]], 1)
        total = ((table - table.mean()) ** 2).sum()
        rows = 2 * ((table.mean(1) - table.mean()) ** 2).sum()
        columns = len(table) * ((table.mean(0) - table.mean()) ** 2).sum()
        between = rows / (len(table) - 1)
        error = (total - rows - columns) / (len(table) - 1)
        assert found[au] == pytest.approx((between - error) / (between + error))
    assert icc_per_au(truth, truth + 1)[0] == pytest.approx(1)  # consistency, not agreement
    assert np.isnan(icc_per_au(np.zeros((5, 1)), np.zeros((5, 1)))[0])


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([ANNOTATION_HEADER, *lines]) + "\n")
    return path


def test_files_of_intensities(tmp_path: Path) -> None:
    rows = read_intensity(write(tmp_path / "a.txt", ",".join(["2.5", "-1"] * 6)))
    assert rows[0, 0] == 2.5
    assert np.isnan(rows[0, 1::2]).all()
    grid = on_frame_grid(rows, 3)
    assert np.isnan(grid[1:]).all()
    for cell in ("5.1", "x", "nan", "-0.5"):
        path = write(tmp_path / "b.txt", ",".join(["0"] * 12), ",".join([cell, *["0"] * 11]))
        with pytest.raises(DataError, match=r"b\.txt, line 3 holds .*decimals of 0 to 5"):
            read_intensity(path)


def test_intensities_that_contradict_presence_are_named() -> None:
    labels = np.zeros((2, 12), np.int8)
    labels[0, 6] = 1
    intensity = np.zeros((2, 12), np.float32)
    intensity[:, 6] = 3, 1
    assert contradiction(labels, intensity) is None
    intensity[:, 6] = 1, 3
    assert (
        contradiction(labels, intensity) == "AU12 is present at 1, and absent at 3 somewhere else"
    )
    assert contradiction(labels, intensity[:1]) == "1 lines, 2 in the annotation"


def test_inputs_keep_what_is_known(tmp_path: Path) -> None:
    labels, face = np.zeros((4, 12), np.int8), np.ones(4, bool)
    intensity = np.linspace(0, 5, 48, dtype=np.float32).reshape(4, 12)
    videos = [make_video("a", labels, face, intensity=intensity), make_video("b", labels, face)]
    write_inputs(tmp_path / "inputs.h5", videos)
    first, second = load_videos(path=tmp_path / "inputs.h5")
    assert first.intensity is not None
    np.testing.assert_array_equal(first.intensity, intensity)
    assert second.intensity is None


def test_a_hidden_half_shows_nothing() -> None:
    known = np.full((1, 12), 3.0, np.float32)
    known[0, 0] = np.nan
    zero, unknown = (hide_intensity(known, "lower", rule) for rule in ("zero", "ignore"))
    assert zero[0, 6] == 0
    assert np.isnan(unknown[0, 6])
    assert zero[0, 1] == unknown[0, 1] == 3
    assert np.isnan(zero[0, 0])
