"""The settings ``protocol`` and ``choices``: what was done where the paper and its code differ.

A preset is one value for every choice. Where the paper says nothing of a choice, ``paper`` takes
the value of ``corrected``: the two then differ in the paper's own words alone.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from stages.core.setting_types import Number, Section
from stages.learning.settings import PositiveWeight

Preset = Literal["corrected", "paper", "code"]

Frames = Literal["all", "complete"]
NoFace = Literal["nearest", "last"]
ShortVideos = Literal["held", "masked", "repeated", "cycled"]
Overlap = Literal["half", "none"]
Stopping = Literal["mean", "each_au", "never"]
BalancedAUs = Literal["below_average", "paper"]
Folds = Literal["stratified", "in_order"]
Centre = Literal["window", "visual", "none"]
EncoderAUs = Literal["skip", "input", "none"]
DroppedCopies = Annotated[float, Field(ge=0, lt=1), Number]


class ChoiceSettings(Section):
    """The section ``choices`` of ``params.yaml``; null takes the value of the preset."""

    frames: Frames | None
    no_face: NoFace | None
    short_videos: ShortVideos | None
    training_overlap: Overlap | None
    prediction_overlap: Overlap | None
    positive_weight: PositiveWeight | None
    stopping: Stopping | None
    tcn_causal: bool | None
    balanced_aus: BalancedAUs | None
    dropped_copies: DroppedCopies | None
    folds: Folds | None
    centre: Centre | None
    encoder_aus: EncoderAUs | None


class Choices(Section):
    """A value for every choice; the README's table says why ``corrected`` is as it is.

    Attributes
    ----------
    frames : {"all", "complete"}
        Trained on: every frame, and what is not annotated has no part in the loss; or none
        without a face or with any AU not annotated.
    no_face : {"nearest", "last"}
        Which frame with a face stands for one without: the nearest, or the last before.
    short_videos : {"held", "masked", "repeated", "cycled"}
        What fills up a window: the last frame without labels; the same under a mask; the last
        frame with its labels; the video from its start.
    training_overlap, prediction_overlap : {"half", "none"}
        Of windows. Where they overlap logits are averaged, else the last adds only what is left.
    positive_weight : {"negatives", "au25", "none"}
        In the BCE: negatives / positives of the AU, 1 to 30; active frames of AU25 / those of the
        AU; 1.
    stopping : {"mean", "each_au", "never"}
        After `train.patience` epochs without a better mean F1; after 2 in which neither the mean
        nor any AU got better; after all of `train.epochs`.
    tcn_causal : bool
        Whether the TCN sees the past alone.
    balanced_aus : {"below_average", "paper"}
        AUs with masked copies: those below the average in these labels, or the paper's but AU5.
    dropped_copies : float
        Share of the masked copies that is left out, drawn from the seed.
    folds : {"stratified", "in_order"}
        Of whole videos: alike in how often each AU is active, or in the order of their names.
    centre : {"window", "visual", "none"}
        Whether the window's mean is subtracted from all features, or from the visual ones.
    encoder_aus : {"skip", "input", "none"}
        The mean of the encoders' AU logits is added to the network's, is read beside the
        features, or is not known to it.
    """

    frames: Frames
    no_face: NoFace
    short_videos: ShortVideos
    training_overlap: Overlap
    prediction_overlap: Overlap
    positive_weight: PositiveWeight
    stopping: Stopping
    tcn_causal: bool
    balanced_aus: BalancedAUs
    dropped_copies: DroppedCopies
    folds: Folds
    centre: Centre
    encoder_aus: EncoderAUs


# values of `corrected`, of `paper` (None where the paper says nothing of it) and of `code`
_VALUES: Final[Mapping[str, tuple[object, object, object]]] = {
    "frames": ("all", None, "complete"),
    "no_face": ("nearest", "nearest", "last"),
    "short_videos": ("held", "repeated", "cycled"),
    "training_overlap": ("half", None, "none"),
    "prediction_overlap": ("half", None, "none"),
    "positive_weight": ("negatives", "none", "au25"),
    "stopping": ("mean", "never", "each_au"),
    "tcn_causal": (False, None, True),
    "balanced_aus": ("below_average", "paper", "below_average"),
    "dropped_copies": (0.0, None, 0.3),
    "folds": ("stratified", None, "in_order"),
    "centre": ("none", None, "none"),
    "encoder_aus": ("skip", "none", "none"),
}

PAPER_WORDS: Final = {name: paper for name, (_, paper, _) in _VALUES.items() if paper is not None}


def _preset(column: int) -> Choices:
    values = {k: row[0] if row[column] is None else row[column] for k, row in _VALUES.items()}
    return Choices.model_validate(values)


CORRECTED: Final = _preset(0)
PRESETS: Final[Mapping[Preset, Choices]] = {
    "corrected": CORRECTED,
    "paper": _preset(1),
    "code": _preset(2),
}
