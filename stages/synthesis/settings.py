"""The section ``corpus`` of ``params.yaml``."""

from pydantic import Field

from stages.core.setting_types import (
    Positive,
    Rate,
    Section,
    Span,
)


class Corpus(Section):
    """The generated corpus; lengths in seconds, rates in Hz, resolution in pixels."""

    seed: int = Field(ge=0)
    clips: Positive
    people: Positive | None
    seconds: Span
    test_clips: Positive
    test_seconds: Span
    frame_rate: Rate
    resolution: Positive
    faces: Positive
    face_people: Positive
    utterances: Positive
    speakers: Positive
