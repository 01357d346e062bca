"""The sections ``visual`` and ``audio`` of ``params.yaml``: which encoders there are."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from stages.core.setting_types import (
    Positive,
    Section,
)
from stages.core.settings import CoreSettings
from stages.encoders.source import check_weights

Weights = Annotated[str, AfterValidator(check_weights)]


LAST: Final = "last"


def _layer(value: object) -> object:
    if value == LAST or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise ValueError("allowed: last, or a number from 1 to that of the encoder's layers")


Layer = Annotated[Literal["last"] | int, BeforeValidator(_layer)]


class Visual(Section):
    """One encoder of face crops: where its weights come from, faces encoded at once."""

    weights: Weights
    batch: Positive


class Audio(Section):
    """One encoder of sound; `weights` is left out where it has none.

    `layer` is the one of its transformer's whose output is taken, 1 being the first.
    """

    weights: Weights | None = None
    layer: Layer = LAST


class EncoderSettings(CoreSettings):
    """What encoding reads of ``params.yaml``."""

    visual: dict[str, Visual]
    audio: dict[str, Audio]
