"""The section ``ensemble`` of ``params.yaml``."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from stages.core.facs import AU_NAMES
from stages.core.setting_types import (
    Number,
    Positive,
    Section,
)
from stages.encoders.settings import Audio, EncoderSettings, Visual
from stages.faces.settings import Crop
from stages.sequence.settings import SequenceSettings

Main = Literal["auto", "au_top", "model", "kfold", "train_val_mix", "kfold_mix", "frame_head"]


ThresholdBound = Annotated[float, Field(gt=0, lt=1), Number]


def _around_half(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] <= 0.5 <= bounds[1]:
        raise ValueError("the lowest and the highest threshold, on either side of 0.5")
    return bounds


class EnsembleSettings(Section):
    """Ensembles of runs: the one that is exported, how members are joined, what is fitted.

    `main` ``auto`` is the one with the best validation F1 that beats `frame_head` by more than the
    standard error over people; where none does, `frame_head`.

    `members` is the number that `model` and `kfold_mix` select; `smoothing` are the widths, in
    frames, that calibration may choose from; `parts` is the number of parts of cross-fitting.
    `thresholds` are the lowest and the highest that it may choose. `false_alarms` is the largest
    share of frames at rest (no AU annotated as present; of videos that no member was trained on)
    that may get an AU: its threshold is raised for that, as far as `thresholds` allows; null: not
    raised.

    `offsets` are added to the logits of what is exported, by AU: what the step from one kind of
    faces to another asks for. They are given, not fitted.
    """

    main: Main
    rule: Literal["mean", "vote"]
    members: Positive
    smoothing: tuple[int, ...] = Field(min_length=1)
    parts: Annotated[int, Field(ge=2), Number]
    thresholds: Annotated[tuple[ThresholdBound, ThresholdBound], AfterValidator(_around_half)]
    false_alarms: Annotated[float, Field(gt=0, lt=1), Number] | None
    offsets: dict[str, Annotated[float, Field(ge=-5, le=5)]] = Field(default_factory=dict)

    @field_validator("offsets")
    @classmethod
    def _offsets_are_of_aus(cls, offsets: dict[str, float]) -> dict[str, float]:
        unknown = [name for name in offsets if name not in AU_NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no AU; allowed: {', '.join(AU_NAMES)}")
        return offsets


class ExportSettings(SequenceSettings, EncoderSettings):
    """What an ensemble is made and exported by."""

    visual: dict[str, Visual]
    audio: dict[str, Audio]
    crop: Crop
    ensemble: EnsembleSettings
