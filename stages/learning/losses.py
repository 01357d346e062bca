"""Losses over labels of which some are unknown."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from stages.core.errors import DataError
from stages.core.facs import AU_NUMBERS, NOT_ANNOTATED
from stages.learning.settings import AUWeight, Loss, PositiveWeight

PLAIN: Final = Loss()


def positive_weight(labels: Tensor, limit: float = 30.0) -> Tensor:
    """Weight of each AU's positive class: its negatives for each of its positives, 1 at least.

    An AU that is active more often than not is not weighted down: F1 counts what is found of it.

    Parameters
    ----------
    labels : (samples, aus) torch.Tensor
        1, 0 or -1 (not annotated), of the training part alone.
    limit : float
        Largest weight, for an AU that hardly ever occurs.

    Returns
    -------
    (aus,) torch.Tensor
        float32.
    """
    positives = (labels == 1).sum(0).float()
    negatives = (labels == 0).sum(0).float()
    return (negatives / positives.clamp(min=1)).clamp(1, limit)


def class_weight(labels: Tensor, rule: PositiveWeight) -> Tensor | None:
    """Weight of each AU's positive class by one of the protocol's rules.

    Parameters
    ----------
    labels : (samples, 12) torch.Tensor
        1, 0 or -1 (not annotated), of the training part alone.
    rule : {"negatives", "au25", "none"}
        :func:`positive_weight`; active frames of AU25 for each of the AU's; no weight.

    Returns
    -------
    (12,) torch.Tensor or None
        float32; None for the plain loss.

    Raises
    ------
    DataError
        When the weights are relative to AU25, and it is never active.
    """
    if rule == "none":
        return None
    if rule == "negatives":
        return positive_weight(labels)
    active = (labels == 1).sum(0).float()
    reference = active[AU_NUMBERS.index(25)]
    if not reference:
        raise DataError(
            "No training frame has AU25 active, which the weights of the loss are relative to: "
            "set choices.positive_weight to negatives or none."
        )
    return reference / active.clamp(min=1)


def known_labels(labels: Tensor) -> Tensor:
    """How many labels are known, a scalar."""
    return (labels != NOT_ANNOTATED).sum()


def known_intensities(intensity: Tensor) -> Tensor:
    """How many intensities are known, a scalar."""
    return (~torch.isnan(intensity)).sum()


def au_weight(labels: Tensor, rule: AUWeight, limit: float = 30.0) -> Tensor | None:
    """Weight of each AU as a whole, positives and negatives alike.

    Parameters
    ----------
    labels : (samples, aus) torch.Tensor
        1, 0 or -1 (not annotated), of the training part alone.
    rule : {"equal", "rarity"}
        No weight; known labels for each positive one.
    limit : float
        Of that ratio, for an AU that hardly ever occurs.

    Returns
    -------
    (aus,) torch.Tensor or None
        float32, 1 in the mean; None for no weight.

    References
    ----------
    C. Luo et al. Learning multi-dimensional edge feature-based AU relation graph for facial action
    unit recognition. IJCAI 2022, weighted asymmetric loss.
    """
    if rule == "equal":
        return None
    active = (labels == 1).sum(0).float()
    known = (labels != NOT_ANNOTATED).sum(0).float()
    ratio = (known / active.clamp(min=1)).clamp(1, limit)
    return ratio / ratio.mean()


def asymmetric_errors(logits: Tensor, targets: Tensor, settings: Loss) -> Tensor:
    """Error of each label as a positive and as a negative, in the shares of its target.

    Parameters
    ----------
    logits, targets : (..., aus) torch.Tensor
        Targets from 0 to 1.
    settings : Loss
        With p the probability and q = max(p - margin, 0) the errors are
        -(1 - p)^gamma_positive log p and -q^gamma_negative log(1 - q).

    Returns
    -------
    (..., aus) torch.Tensor

    References
    ----------
    T. Ridnik et al. Asymmetric loss for multi-label classification. ICCV 2021.
    """
    absent = torch.sigmoid(-logits)  # 1 - p, exact also where p is nearly 1
    positive = -targets * functional.logsigmoid(logits)
    if settings.gamma_positive:
        positive = positive * absent**settings.gamma_positive
    if settings.margin:
        absent = (absent + settings.margin).clamp(max=1)
        negative = -(1 - targets) * absent.log()
    else:
        negative = -(1 - targets) * functional.logsigmoid(-logits)
    if settings.gamma_negative:
        negative = negative * (1 - absent) ** settings.gamma_negative
    return positive + negative


def presence_loss(
    logits: Tensor,
    labels: Tensor,
    settings: Loss,
    weight: Tensor | None = None,
    share: Tensor | None = None,
    count: Tensor | None = None,
) -> Tensor:
    """Error on the presence of AUs over the labels that are known.

    Parameters
    ----------
    logits : (..., aus) torch.Tensor
    labels : (..., aus) torch.Tensor
        1, 0 or -1; what is -1 has no part in the loss.
    settings : Loss
    weight : (aus,) torch.Tensor, optional
        Weight of the positive class (``pos_weight``, not ``weight``: the latter would scale
        an AU's negatives along with its positives).
    share : (aus,) torch.Tensor, optional
        Weight of each AU as a whole, see :func:`au_weight`.
    count : () torch.Tensor, optional
        What the sum over the known labels is divided by, where that is not their number.

    Returns
    -------
    () torch.Tensor
        Mean over the known labels; 0 where none is known.
    """
    known = labels != NOT_ANNOTATED
    targets = labels.clamp(min=0).float()
    if settings.smoothing:
        targets = targets + settings.smoothing * (0.5 - targets)
    # a smoothed label weighs as the hard one: else all negatives of a rare AU would tell of it
    apart = settings.smoothing > 0 or settings.kind != "bce"
    if settings.kind == "bce":
        loss = functional.binary_cross_entropy_with_logits(
            logits.float(), targets, pos_weight=None if apart else weight, reduction="none"
        )
    else:
        loss = asymmetric_errors(logits.float(), targets, settings)
    if apart and weight is not None:
        loss = torch.where(labels == 1, loss * weight, loss)
    if share is not None:
        loss = loss * share
    zero = torch.zeros((), device=loss.device)
    count = known.sum().clamp(min=1) if count is None else count
    return torch.where(known, loss, zero).sum() / count


def masked_bce(
    logits: Tensor, labels: Tensor, weight: Tensor | None = None, count: Tensor | None = None
) -> Tensor:
    """Binary cross entropy over the labels that are known; see :func:`presence_loss`."""
    return presence_loss(logits, labels, PLAIN, weight, count=count)
