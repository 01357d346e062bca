"""Settings that every room may read."""

from typing import Literal

from stages.core.setting_types import DeviceName, Positive, Section


class Compute(Section):
    """Where the work runs; never part of what a result was made from.

    With several GPUs `device` ``cuda`` and ``auto`` spread the workers over them; ``cuda:1`` is
    one of them.
    """

    workers: Positive | None = None
    device: DeviceName = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    offline: bool = False
