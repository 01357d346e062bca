"""The section ``pretrain`` of ``params.yaml``."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from stages.core.setting_types import (
    Fraction,
    Number,
    Positive,
    Rate,
    Section,
    Share,
)
from stages.learning.settings import IntensityLoss

Weight = Annotated[float, Field(ge=0), Number]


PretrainTask = Literal["au", "va", "expression", "mae", "phoneme", "cluster", "speaker", "points"]


PretrainData = Literal["faces", "faces+train", "corpus/speech"]


def _start(value: str) -> str:
    if value in ("none", "published") or value.startswith(("file:", "hub:")):
        return value
    raise ValueError("allowed: none, published, file:PATH[@sha256:HASH], hub:... as in `weights`")


class Reconstruction(Section):
    """First part of the task `mae`: share of the patches that are hidden, how long, how fast."""

    hidden: Annotated[float, Field(gt=0, lt=1), Number]
    epochs: Positive
    learning_rate: Rate


class Pretrain(Section):
    """How one encoder is pre-trained: its task, and those that are trained along with it.

    `kind` is the section that the encoder has its `weights` in, `data` the file below data/ that it
    learns from; `dvc.yaml` needs both. Task `mae` needs `reconstruction`, and `auxiliary` tasks
    for the supervised run that follows. `intensity_weight` is that of the loss of the AUs'
    intensity, where it is known, beside that of their presence, and `intensity_loss` that loss:
    distance on the scale, cross entropy of each grade's being reached, or 1 less the concordance of
    a batch. `augmentation` is how far and how
    often faces are varied, as a share of what `stages/pretraining/augmentation.py` says; sound is
    not varied.

    `start` are the weights that training begins with. `layer_decay` is the factor of the learning
    rate from one layer to the one before it, `stochastic_depth` the share of the pictures that the
    last residual block does nothing for; neither has a part in reconstruction. `accumulate` is the
    number of batches whose gradients one step takes the mean of.

    `masked_copies` adds faces with one half black to the training part, see
    :mod:`stages.pretraining.masked_copies`; it says what becomes of the labels of covered AUs.
    `dropped_copies` is the share of them that is left out.
    """

    kind: Literal["visual", "audio"]
    data: PretrainData
    augmentation: Share = 1.0
    task: PretrainTask
    auxiliary: tuple[PretrainTask, ...] = ()
    reconstruction: Reconstruction | None = None
    epochs: Positive
    batch: Positive
    learning_rate: Rate
    weight_decay: float = Field(ge=0)
    average: Annotated[float, Field(ge=0, lt=1), Number] = 0.0
    validation: Annotated[float, Field(gt=0, lt=1)]
    intensity_weight: Weight = 0.5
    intensity_loss: IntensityLoss = "smooth_l1"
    positive_weight: Literal["negatives", "none"] = "negatives"
    start: Annotated[str, AfterValidator(_start)] = "none"
    layer_decay: Annotated[float, Field(gt=0, le=1), Number] = 1.0
    stochastic_depth: Fraction = 0.0
    accumulate: Positive = 1
    masked_copies: Literal["none", "zero", "ignore"] = "none"
    dropped_copies: Fraction = 0.0

    @property
    def supervised(self) -> tuple[PretrainTask, ...]:
        """The tasks with labels; the first picks the best epoch."""
        tasks = (self.task, *self.auxiliary)
        return tasks[1:] if self.task == "mae" else tasks

    @model_validator(mode="after")
    def _tasks_fit(self) -> Self:
        if self.task == "points":
            raise ValueError("points is an auxiliary task: it picks no epoch")
        if "mae" in self.auxiliary:
            raise ValueError("mae is no auxiliary task: make it the task")
        if (self.task == "mae") != (self.reconstruction is not None):
            raise ValueError("reconstruction belongs to the task mae, and to no other")
        if not self.supervised:
            raise ValueError("the task mae needs auxiliary tasks, for the supervised run after it")
        if len(set(self.supervised)) < len(self.supervised):
            raise ValueError("task and auxiliary name a task twice")
        if self.masked_copies != "none" and "au" not in self.supervised:
            raise ValueError("masked_copies belong to the task au: make it one, or leave them out")
        return self
