"""Losses of the intensity of AUs, which is told by the same logit as their presence.

A logit stands for an intensity, see :func:`stages.core.intensity.intensity_of_logits`: so the two
never contradict each other.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from stages.core.facs import INTENSITY_MAX, PRESENT_FROM
from stages.core.intensity import LOGITS_A_STEP
from stages.learning.settings import IntensityLoss

VARIANCE_FLOOR: Final = 1e-6


def concordance(predictions: Tensor, targets: Tensor) -> Tensor:
    """Concordance correlation coefficient of each column.

    Parameters
    ----------
    predictions, targets : (samples, columns) torch.Tensor
        A target that is NaN is left out.

    Returns
    -------
    (columns,) torch.Tensor
        2 cov / (var + var + (mean - mean)^2), with variances over the samples (not samples - 1).

    References
    ----------
    L. I. Lin. A concordance correlation coefficient to evaluate reproducibility. Biometrics 1989.
    """
    known = ~torch.isnan(targets)
    count = known.sum(0).clamp(min=1)
    x = torch.where(known, predictions.float(), 0.0)
    y = torch.where(known, targets.float(), 0.0)
    mean_x, mean_y = x.sum(0) / count, y.sum(0) / count
    dx = torch.where(known, x - mean_x, 0.0)
    dy = torch.where(known, y - mean_y, 0.0)
    spread = (dx.square().sum(0) + dy.square().sum(0)) / count + (mean_x - mean_y).square()
    return 2 * (dx * dy).sum(0) / count / spread.clamp(min=VARIANCE_FLOOR)


def said_intensity(logits: Tensor) -> Tensor:
    """Return the intensities that logits stand for, beyond the ends of the scale too."""
    return PRESENT_FROM + logits.float() / LOGITS_A_STEP


def intensity_loss(logits: Tensor, intensity: Tensor, count: Tensor | None = None) -> Tensor:
    """Smooth L1 between the intensity that a logit stands for and the true one, where known.

    Parameters
    ----------
    logits : (..., aus) torch.Tensor
        See :func:`stages.core.intensity.intensity_of_logits`.
    intensity : (..., aus) torch.Tensor
        0 to 5; what is NaN has no part in the loss.
    count : () torch.Tensor, optional
        What the sum over the known intensities is divided by, where that is not their number.

    Returns
    -------
    () torch.Tensor
        Mean over the known intensities; 0 where none is known.
    """
    known = ~torch.isnan(intensity)
    truth = torch.where(known, intensity, 0.0)
    said = said_intensity(logits)
    # what lies beyond an end of the scale is that end: no error where the truth is there, too,
    # and a gradient that leads back where it is not
    said = torch.where(truth <= 0, said.clamp(min=0), said)
    said = torch.where(truth >= INTENSITY_MAX, said.clamp(max=INTENSITY_MAX), said)
    loss = functional.smooth_l1_loss(said, truth, reduction="none")
    count = known.sum().clamp(min=1) if count is None else count
    return torch.where(known, loss, 0.0).sum() / count


def ordinal_loss(logits: Tensor, intensity: Tensor, count: Tensor | None = None) -> Tensor:
    """Cross entropy of each grade's being reached: an error of two grades is two errors.

    Parameters
    ----------
    logits, intensity, count
        As for :func:`intensity_loss`.

    Returns
    -------
    () torch.Tensor
        Mean over the known intensities, each the mean over the five grades; 0 where none is known.
        Grade g is reached where the intensity is g - 0.5 at least.

    References
    ----------
    P. McCullagh. Regression models for ordinal data. Journal of the Royal Statistical Society B
    42(2), 1980 (proportional odds).
    """
    known = ~torch.isnan(intensity)
    truth = torch.where(known, intensity, 0.0)[..., None]
    steps = torch.arange(0.5, INTENSITY_MAX, device=logits.device)
    reached = (truth >= steps).float()
    odds = LOGITS_A_STEP * (said_intensity(logits)[..., None] - steps)
    loss = functional.binary_cross_entropy_with_logits(odds, reached, reduction="none").mean(-1)
    count = known.sum().clamp(min=1) if count is None else count
    return torch.where(known, loss, 0.0).sum() / count


def concordance_loss(logits: Tensor, intensity: Tensor) -> Tensor:
    """1 less the concordance of each AU's intensities in a batch, mean over the AUs.

    Parameters
    ----------
    logits, intensity : (samples, aus) torch.Tensor
        As for :func:`intensity_loss`.

    Returns
    -------
    () torch.Tensor
        Over the AUs whose known intensities are not all alike, of which there is no agreement to
        speak; 0 where there is none.
    """
    known = ~torch.isnan(intensity)
    truth = torch.where(known, intensity, torch.nan)
    highest = torch.where(known, intensity, -torch.inf).amax(0)
    lowest = torch.where(known, intensity, torch.inf).amin(0)
    counted = highest > lowest
    distance = torch.where(counted, 1 - concordance(said_intensity(logits), truth), 0.0)
    return distance.sum() / counted.sum().clamp(min=1)


def intensity_error(logits: Tensor, intensity: Tensor, kind: IntensityLoss) -> Tensor:
    """Error of the intensities that are known, by one of the losses of this file.

    Parameters
    ----------
    logits, intensity : (samples, aus) torch.Tensor
    kind : {"smooth_l1", "ordinal", "concordance"}
    """
    if kind == "ordinal":
        return ordinal_loss(logits, intensity)
    if kind == "concordance":
        return concordance_loss(logits, intensity)
    return intensity_loss(logits, intensity)
