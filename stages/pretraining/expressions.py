"""Loss and figures of the task `expression`: one class a face, or the shares of votes.

Targets are an index of :data:`stages.core.facs.FACE_CLASSES` in one column, -1 where it is not
known; or a share of the annotators for each of them side by side, NaN where it is not known.
Contempt, the last of them, is a class where the training part has it.
"""

import torch
from torch import Tensor
from torch.nn import functional

from stages.core.facs import EXPRESSIONS, FACE_CLASSES, NOT_ANNOTATED


def is_soft(targets: Tensor) -> bool:
    """Whether targets are shares of votes."""
    return targets.shape[-1] == len(FACE_CLASSES)


def class_count(targets: Tensor) -> int:
    """How many classes the training part tells apart: contempt is one where it has it."""
    if is_soft(targets):
        return len(FACE_CLASSES)
    return max(len(EXPRESSIONS), int(targets.max()) + 1)


def expression_loss(outputs: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy over the faces of which something is known; 0 where nothing is.

    Parameters
    ----------
    outputs : (samples, classes) torch.Tensor
    truth : (samples, 1) or (samples, classes) torch.Tensor

    Returns
    -------
    () torch.Tensor

    References
    ----------
    E. Barsoum et al. Training deep networks for facial expression recognition with crowd-sourced
    label distribution. ICMI 2016 (FER+; the loss over shares of votes).
    """
    if is_soft(truth):
        known = ~torch.isnan(truth).any(-1)
        shares = torch.where(known[:, None], truth, 0.0)
        each = -(shares * functional.log_softmax(outputs.float(), -1)).sum(-1)
        return each.sum() / known.sum().clamp(min=1)
    wanted = truth.flatten().long()
    total = functional.cross_entropy(
        outputs.float(), wanted, ignore_index=NOT_ANNOTATED, reduction="sum"
    )
    return total / (wanted != NOT_ANNOTATED).sum().clamp(min=1)


def one_class(truth: Tensor) -> Tensor:
    """Class of each face, (samples,): -1 where it is not known, or two have as many votes."""
    if not is_soft(truth):
        return truth.flatten().long()
    shares = torch.nan_to_num(truth, nan=0.0)
    most, chosen = shares.max(-1)
    single = (shares == most[:, None]).sum(-1) == 1
    return torch.where(single & (most > 0), chosen, NOT_ANNOTATED)


def expression_figures(outputs: Tensor, truth: Tensor, classes: int) -> dict[str, float]:
    """Accuracy, that of always the most frequent class, and the mean F1 of the classes."""
    wanted = one_class(truth)
    known = wanted != NOT_ANNOTATED
    wanted, chosen = wanted[known], outputs.argmax(-1)[known]
    pairs = torch.bincount(wanted * classes + chosen, minlength=classes**2)
    table = pairs.view(classes, classes).double()  # of the true class (row) and the chosen one
    both = (table.sum(0) + table.sum(1)).clamp(min=1)
    count = max(len(wanted), 1)
    return {
        "accuracy": float(table.diagonal().sum()) / count,
        "accuracy_chance": float(table.sum(1).max()) / count,
        "expression_f1": float((2 * table.diagonal() / both).mean()),
    }
