"""Settings of runs, of the parts that they are trained on, and of their training."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from stages.core.setting_types import (
    Fraction,
    Number,
    Positive,
    Rate,
    Section,
    Share,
)
from stages.core.settings import Compute, CoreSettings, Scale
from stages.learning.settings import Loss
from stages.networks.settings import Model, Models
from stages.sequence.choices import ChoiceSettings, Preset

AUTO: Final = "auto"  # of `ensemble.main`
FRAME_HEAD: Final = "frame_head"  # the baseline: what the encoders say, frame by frame


Split = Annotated[str, Field(pattern=r"^(official|fold[1-9]\d*|mix[1-9]\d*)$")]


Weight = Annotated[float, Field(ge=0), Number]


class RunRow(Section):
    """One run: which network reads what and is trained on which videos.

    What is null, or left out, is taken from the top level: `model`, `features.visual`,
    `features.audio`, `mask.enabled`. Split ``official`` trains on the train videos; ``foldN`` on
    train and validation without part N; ``mixN`` on both without some videos drawn anew for each N.
    """

    model: Model | None = None
    visual: tuple[str, ...] | None = None
    audio: tuple[str, ...] | None = None
    masked: bool | None = None
    split: Split = "official"


class Splits(Section):
    """How train and validation videos are cut up: numbers of parts, and a share of the frames.

    With `mix_held_out` 0 the runs of a mix are trained on all videos for all of their epochs.
    """

    train_folds: Positive
    validation_folds: Positive
    mix_held_out: Annotated[float, Field(ge=0, lt=1), Number]


class Mask(Section):
    """Masked copies of training videos; lengths in frames, `share` of the training frames."""

    enabled: bool
    hidden_label: Literal["zero", "ignore"]
    gap: int = Field(ge=0)
    minimum: Positive
    context: int = Field(ge=0)
    share: Annotated[float, Field(ge=0), Number]


class Features(Section):
    """Which feature stores the networks read."""

    visual: tuple[str, ...] = Field(min_length=1)
    audio: tuple[str, ...]


class Train(Section):
    """How the sequence networks are trained; lengths in frames.

    In ``params.yaml`` null takes the value of the preset (:mod:`stages.sequence.training_presets`).

    `feature_noise` and `shift` are standard deviations, in those of the training part, of what is
    added to each embedding: anew in every frame, and once a window. `feature_dropout` is the share
    of the windows that lose the pictures' embeddings. None of them touches AU logits. `average` is
    the share that the running mean of the weights keeps at each step; 0: the weights are kept.
    """

    window: Positive
    batch: Positive
    epochs: Positive
    learning_rate: Rate
    weight_decay: float = Field(ge=0)
    step_epochs: Positive
    step_factor: Rate
    validations: Positive
    patience: Positive
    sound_dropout: Share
    feature_noise: Weight
    feature_dropout: Fraction
    shift: Weight
    intensity_weight: Weight
    average: Fraction
    seeds: Positive


class Single(Section):
    """How long a network is trained on each encoder alone; the rest is as in ``train``."""

    epochs: Positive
    step_epochs: Positive


class TrainingSettings(Section):
    """What the training of a run reads; all but `compute` is written into the run's file."""

    seed: int = Field(ge=0)
    scale: Scale
    compute: Compute
    protocol: Preset
    choices: ChoiceSettings
    train: Train
    loss: Loss
    splits: Splits


class SequenceSettings(TrainingSettings, CoreSettings):
    """What runs and their training read of ``params.yaml``; of encoders the names alone."""

    visual: Mapping[str, Any]
    audio: Mapping[str, Any]
    model: Model
    features: Features
    mask: Mask
    single: Single
    runs: dict[str, RunRow]
    tables: dict[str, RunRow]
    models: Models
