"""What an encoder is pre-trained for: the loss, and the figures on held-out people.

A task's targets are tensors in which what is unknown is marked: -1 for an AU, an expression or a
phoneme, NaN for valence, arousal and an AU's intensity. What is unknown has no part in loss or
figures; the loss of a batch in which nothing is known is 0.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.core.facs import FACE_CLASSES, N_AUS
from stages.core.intensity import intensity_of_logits
from stages.crops.alignment import CROP_SIDE
from stages.crops.face_points import N_COORDINATES
from stages.learning.intensity import VARIANCE_FLOOR, concordance, intensity_error
from stages.learning.losses import masked_bce, positive_weight
from stages.learning.metrics import all_ones_f1, f1_per_au, icc_per_au
from stages.learning.settings import IntensityLoss
from stages.pretraining.expressions import (
    class_count,
    expression_figures,
    expression_loss,
)

UNKNOWN = -1  # AU, expression or phoneme


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    name : str
    outputs : int
        Width of its linear head.
    loss : callable
        ``loss(outputs, targets)``, a scalar tensor.
    figures : callable
        ``figures(outputs, targets)`` over all of the validation data: numbers by name, with what
        chance would give beside them.
    monitor : str
        The figure that picks the best epoch; higher is better.
    head : callable, optional
        ``head(width)`` makes the head behind features of that width; else it is linear.
    au_start : int, optional
        First of the 12 outputs that are AU logits; None where no AU is learnt.
    """

    name: str
    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    figures: Callable[[Tensor, Tensor], dict[str, float]]
    monitor: str
    head: Callable[[int], nn.Module] | None = None
    au_start: int | None = None


def _au(
    targets: Tensor,
    intensity_weight: float = 0.0,
    weighted: bool = True,
    intensity_loss: IntensityLoss = "smooth_l1",
) -> Task:
    """Presence, and intensity where it is known: the columns behind those of presence."""
    weight = positive_weight(targets[:, :N_AUS]) if weighted else torch.ones(N_AUS)

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        presence, strength = truth[:, :N_AUS], truth[:, N_AUS:]
        found = masked_bce(outputs, presence, weight.to(outputs.device))
        if not strength.shape[-1]:
            return found
        return found + intensity_weight * intensity_error(outputs, strength, intensity_loss)

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        labels, strength = truth[:, :N_AUS].numpy().astype(np.int8), truth[:, N_AUS:].numpy()
        found = {
            "f1": float(f1_per_au(labels, outputs.numpy() >= 0).mean()),
            "f1_all_ones": float(all_ones_f1(labels).mean()),
        }
        if np.isfinite(strength).any():
            agreement = icc_per_au(strength, intensity_of_logits(outputs.numpy()))
            found["intensity_icc"] = float(np.nanmean(agreement))
        return found

    return Task("au", N_AUS, loss, figures, "f1", au_start=0)


def _va(_: Tensor) -> Task:
    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        # of one value there is no correlation
        counted = (~torch.isnan(truth)).sum(0) > 1
        distance = torch.where(counted, 1 - concordance(outputs, truth), 0.0)
        return distance.sum() / counted.sum().clamp(min=1)

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        valence, arousal = concordance(outputs, truth).tolist()
        return {"ccc": (valence + arousal) / 2, "ccc_valence": valence, "ccc_arousal": arousal}

    return Task(
        name="va",
        outputs=2,
        loss=loss,
        figures=figures,
        monitor="ccc",
    )


def _expression(targets: Tensor) -> Task:
    classes = class_count(targets)

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        return expression_figures(outputs, truth, classes)

    return Task("expression", classes, expression_loss, figures, "expression_f1")


def _phoneme(targets: Tensor) -> Task:
    classes = int(targets.max()) + 1
    usual = int(torch.bincount(targets[targets != UNKNOWN]).argmax())

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        return functional.cross_entropy(
            outputs.float().flatten(0, -2), truth.flatten(), ignore_index=UNKNOWN
        )

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        known = truth != UNKNOWN
        truth, chosen = truth[known], outputs.argmax(-1)[known]
        accuracy = float((chosen == truth).double().mean())
        chance = float((truth == usual).double().mean())
        return {
            "frame_accuracy": accuracy,
            "frame_error": 1 - accuracy,
            "frame_accuracy_chance": chance,
        }

    return Task("phoneme", classes, loss, figures, "frame_accuracy")


def _points(targets: Tensor) -> Task:
    """Where the dense points of the face are: learnt beside AUs, it ties them to its shape."""
    known = ~torch.isnan(targets)
    usual = torch.where(known, targets, 0.0).sum(0) / known.sum(0).clamp(min=1)
    spread = torch.where(known, targets - usual, 0.0).square().sum(0) / known.sum(0).clamp(min=1)
    spread = spread.sqrt().clamp(min=VARIANCE_FLOOR)

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        there = ~torch.isnan(truth)
        wanted = (truth - usual.to(truth.device)) / spread.to(truth.device)
        distance = functional.smooth_l1_loss(
            outputs.float(), torch.where(there, wanted, outputs.detach().float()), reduction="none"
        )
        return torch.where(there, distance, 0.0).sum() / there.sum().clamp(min=1)

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        there = ~torch.isnan(truth)
        found = outputs.float() * spread + usual
        steps = (found - truth).reshape(-1, 2).norm(dim=-1)
        missed = (found - truth)[there].square().sum()
        return {
            "points_explained": 1 - float(missed / (truth - usual)[there].square().sum()),
            "points_error": float(steps[~torch.isnan(steps)].mean()) * CROP_SIDE,  # pixels
        }

    return Task("points", N_COORDINATES, loss, figures, "points_explained")


_TASKS: dict[str, Callable[[Tensor], Task]] = {
    "va": _va,
    "expression": _expression,
    "phoneme": _phoneme,
    "points": _points,
}

# columns of the targets of the tasks that can be joined
WIDTHS = {"au": N_AUS, "va": 2, "expression": 1, "points": N_COORDINATES}
# of each task's loss in their sum; the points count as much as all AUs, though they are more
IMPORTANCE = {"au": N_AUS, "va": 2, "expression": 1, "points": N_AUS}


def make_task(
    name: str,
    targets: Tensor,
    intensity_weight: float = 0.0,
    weighted: bool = True,
    intensity_loss: IntensityLoss = "smooth_l1",
) -> Task:
    """Make a task for the training part's targets; class weights come from them alone."""
    if name == "au":
        return _au(targets, intensity_weight, weighted, intensity_loss)
    return _TASKS[name](targets)


def widths_of(names: Sequence[str], columns: int) -> list[int]:
    """Columns of each task's targets, of which there are so many.

    They are as :data:`WIDTHS` says, but for what only some data know: 12 intensities behind the
    presence of AUs, and a share of votes for each class in place of one expression.
    """
    widths = [WIDTHS[name] for name in names]
    more = columns - sum(widths)
    votes = len(FACE_CLASSES) - 1
    soft = "expression" in names and more in (votes, N_AUS + votes)
    graded = more - votes * soft
    added = {"au": graded, "expression": votes * soft}
    return [width + added.get(name, 0) for name, width in zip(names, widths, strict=True)]


def make_joint_task(
    names: Sequence[str],
    targets: Tensor,
    intensity_weight: float = 0.0,
    weighted: bool = True,
    intensity_loss: IntensityLoss = "smooth_l1",
) -> Task:
    """Make one task of several that are trained at once, each with outputs of its own.

    Parameters
    ----------
    names : sequence of str
        The first is the one by which the best epoch is picked.
    targets : (samples, columns) torch.Tensor
        The tasks' targets side by side, as wide as :func:`widths_of` says; those of ``au`` are
        presence (1, 0, -1) and behind it, where the data knows some, intensity (0 to 5, NaN).
    intensity_weight : float
        Of the loss of intensity beside that of presence.
    weighted : bool
        Whether a rare AU's presence counts more, see
        :func:`stages.learning.losses.positive_weight`.
    intensity_loss : {"smooth_l1", "ordinal", "concordance"}
        See :func:`stages.learning.intensity.intensity_error`.

    Returns
    -------
    Task
        Its loss is the sum of theirs, each times its number of labels (:data:`IMPORTANCE`): else
        the concordance of two columns, or one expression, would outweigh the mean over 12 AUs.
    """
    if len(names) == 1:
        return make_task(names[0], targets, intensity_weight, weighted, intensity_loss)
    widths = widths_of(names, targets.shape[-1])
    parts = zip(names, torch.split(targets, widths, dim=-1), strict=True)
    tasks = [
        make_task(name, columns, intensity_weight, weighted, intensity_loss)
        for name, columns in parts
    ]
    outputs_of = [task.outputs for task in tasks]

    def columns(outputs: Tensor, truth: Tensor) -> Iterator[tuple[Task, Tensor, Tensor]]:
        given = torch.split(outputs, outputs_of, dim=-1)
        return zip(tasks, given, torch.split(truth, widths, dim=-1), strict=True)

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        each = [task.loss(x, y) for task, x, y in columns(outputs, truth)]
        counts = (IMPORTANCE[name] for name in names)
        return torch.stack([n * value for n, value in zip(counts, each, strict=True)]).sum()

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        each = [task.figures(x, y) for task, x, y in columns(outputs, truth)]
        return {key: value for part in each for key, value in part.items()}

    before = sum(outputs_of[: names.index("au")]) if "au" in names else None
    return Task("+".join(names), sum(outputs_of), loss, figures, tasks[0].monitor, au_start=before)
