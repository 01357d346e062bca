"""The section ``crop`` of ``params.yaml``."""

from typing import Literal

from pydantic import Field

from stages.core.setting_types import (
    Positive,
    Section,
    Share,
)


class Crop(Section):
    """How faces are found and cut out; sides in pixels."""

    source: Literal["detect", "cropped_aligned"]
    detector: Literal["centerface", "insightface"]
    pack: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    detect_every: Positive
    detection_side: int = Field(ge=32)
    score_threshold: Share
    jpeg_quality: int = Field(ge=1, le=100)
