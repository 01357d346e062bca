"""The sections ``visual`` and ``audio`` of ``params.yaml``: which encoders there are."""

from typing import Annotated

from pydantic import AfterValidator

from stages.core.setting_types import (
    Positive,
    Section,
)
from stages.core.settings import CoreSettings
from stages.encoders.source import check_weights

Weights = Annotated[str, AfterValidator(check_weights)]


class Visual(Section):
    """One encoder of face crops: where its weights come from, faces encoded at once."""

    weights: Weights
    batch: Positive


class Audio(Section):
    """One encoder of sound; `weights` is left out where it has none."""

    weights: Weights | None = None


class EncoderSettings(CoreSettings):
    """What encoding reads of ``params.yaml``."""

    visual: dict[str, Visual]
    audio: dict[str, Audio]
