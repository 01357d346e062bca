"""Settings that every room may read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.core import paths
from stages.core.expressions import FaceExpressions
from stages.core.setting_types import (
    DeviceName,
    GpuShare,
    Positive,
    Rate,
    RayAddress,
    Section,
)

# it ends up in a cell of a Markdown table
LicenceText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^|\r\n]+$")]


Scale = Literal["small", "full"]


class Compute(Section):
    """Where the work runs; never part of what a result was made from.

    With several GPUs `device` ``cuda`` and ``auto`` spread the workers over them; ``cuda:1`` is
    one of them. `address` and `gpus_per_worker` are of the engine ``ray``.
    """

    engine: Literal["local", "ray"] = "local"
    address: RayAddress | None = None
    gpus_per_worker: GpuShare = 0.5
    workers: Positive | None = None
    device: DeviceName = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    offline: bool = False


class Data(Section):
    """The data root in the layout of Aff-Wild2, and the labelled faces for pre-training.

    `licence` and `faces_licence` are those of a user's own `root` and `faces`; the generated ones
    have theirs. `faces_expressions` says in whose order a CSV counts expressions; `frame_step` is
    in frames, `frame_rate` in Hz and that of videos of which there are published crops alone.
    """

    root: Path
    licence: LicenceText | None
    faces: Path
    faces_licence: LicenceText | None
    faces_expressions: FaceExpressions
    frame_step: Positive
    frame_rate: Rate | None


class Licences(Section):
    """What to do about weights that are not for commercial use."""

    noncommercial: Literal["warn", "refuse", "allow"]


class CoreSettings(Section):
    """What every room may read of ``params.yaml``; a room's own class adds its sections."""

    seed: int = Field(ge=0)
    scale: Scale
    compute: Compute
    licences: Licences
    data: Data

    @property
    def data_label(self) -> str:
        """What every figure is labelled with: ``synthetic``, or ``own_data`` of a user."""
        return "synthetic" if self.data.root == paths.CORPUS_VIDEOS else "own_data"
