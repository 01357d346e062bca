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
    """A value for every choice; what each value does is in ``MEANINGS``."""

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


CORRECTED: Final = Choices(
    frames="all",
    no_face="nearest",
    short_videos="held",
    training_overlap="half",
    prediction_overlap="half",
    positive_weight="negatives",
    stopping="mean",
    tcn_causal=False,
    balanced_aus="below_average",
    dropped_copies=0.0,
    folds="stratified",
    centre="none",
    encoder_aus="skip",
)

# what the paper says; all else is as corrected
PAPER_WORDS: Final[Mapping[str, object]] = {
    "no_face": "nearest",
    "short_videos": "repeated",
    "positive_weight": "none",
    "stopping": "never",
    "balanced_aus": "paper",
    "encoder_aus": "none",
}

PRESETS: Final[Mapping[Preset, Choices]] = {
    "corrected": CORRECTED,
    "paper": CORRECTED.model_copy(update=dict(PAPER_WORDS)),
    "code": Choices(
        frames="complete",
        no_face="last",
        short_videos="cycled",
        training_overlap="none",
        prediction_overlap="none",
        positive_weight="au25",
        stopping="each_au",
        tcn_causal=True,
        balanced_aus="below_average",
        dropped_copies=0.3,
        folds="in_order",
        centre="none",
        encoder_aus="none",
    ),
}

# for each choice what each value does, then why the corrected one is as it is
MEANINGS: Final[Mapping[str, tuple[Mapping[object, str], str]]] = {
    "frames": (
        {
            "all": "every frame; what is not annotated has no part in the loss",
            "complete": "training drops frames without a face or with any AU not annotated",
        },
        "dropped frames leave gaps in time that a network over time cannot see",
    ),
    "no_face": (
        {
            "nearest": "a frame without a face takes the nearest one with a face",
            "last": "a frame without a face takes the video's last one with a face",
        },
        "a face of the same moment says more than one of seconds or minutes later",
    ),
    "short_videos": (
        {
            "held": "the last frame is held, without labels: a picture is a video that is still",
            "masked": "the last frame is repeated under a mask",
            "repeated": "the last frame and its labels are repeated",
            "cycled": "the video and its labels start again",
        },
        "networks know whole windows; a repeated label would count as often as it is repeated, "
        "and a cycle has a false cut",
    ),
    "training_overlap": (
        {
            "half": "training windows overlap by half",
            "none": "training windows follow one another",
        },
        "more windows from the same video, cut at other frames",
    ),
    "prediction_overlap": (
        {
            "half": "windows overlap by half, their logits are averaged",
            "none": "windows follow one another; the last adds only what is left",
        },
        "a frame at the edge of a window is seen with half of its surroundings",
    ),
    "positive_weight": (
        {
            "negatives": "BCE; positives weigh negatives / positives of their AU, 1 to 30",
            "au25": "BCE; positives weigh active frames of AU25 / those of their AU",
            "none": "plain BCE",
        },
        "F1 counts what is found of a rare AU; the ratio is that of the AU itself",
    ),
    "stopping": (
        {
            "mean": "stop after `train.patience` epochs without a better mean F1",
            "each_au": "stop after 2 epochs in which neither the mean nor any AU got better",
            "never": "train all of `train.epochs`",
        },
        "the mean is what picks the epoch; twelve AUs nearly always have one that got better",
    ),
    "tcn_causal": (
        {False: "the TCN sees both sides of a frame", True: "the TCN sees the past alone"},
        "whole videos are at hand, and an AU is known by its end as well as by its onset",
    ),
    "balanced_aus": (
        {
            "below_average": "masked copies for AUs that are below the average in these labels",
            "paper": "masked copies for the AUs that the paper lists, but for AU5",
        },
        "the paper's list has AU12, which is above the average, and AU5, which has no labels",
    ),
    "dropped_copies": (
        {
            0.0: "every masked copy is trained on",
            0.3: "30 % of the masked copies are left out, drawn from the seed",
        },
        "`mask.share` bounds the copies already",
    ),
    "folds": (
        {
            "stratified": "folds of whole videos, alike in how often each AU is active",
            "in_order": "folds of whole videos in the order of their names (the code's own cut is "
            "not known)",
        },
        "an AU that a fold lacks cannot be scored there",
    ),
    "centre": (
        {
            "window": "networks take the window's mean off all features",
            "visual": "networks take the window's mean off the visual features",
            "none": "networks read the features standardised, and nothing taken off",
        },
        "an AU that lasts as long as a window, or a picture, would be taken off with the person",
    ),
    "encoder_aus": (
        {
            "skip": "the mean of the encoders' AU logits is added to the network's",
            "input": "networks read the encoders' AU logits beside the features",
            "none": "networks do not know the encoders' AU logits",
        },
        "a network over time begins with what its encoders know, and cannot forget it",
    ),
}
