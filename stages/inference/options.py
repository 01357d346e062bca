"""What a user may choose about a prediction."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from stages.core.errors import SettingsError
from stages.core.setting_types import check_device

Faces = Literal["main", "all"]
MOST_SKIPPED = 100  # frames, highest `every`


@dataclass(frozen=True)
class Options:
    """How to predict.

    Attributes
    ----------
    faces : {"main", "all"}
        The main person alone, or everyone.
    every : int
        Predict every so many frames; the rest are interpolated. 1 for all frames.
    batch : int or None
        Faces that are encoded at once; None for what the ensemble says.
    device : str
        ``auto``, ``cpu``, ``cuda``, or ``cuda:N`` for that GPU.
    precision : {"auto", "32-true", "bf16-mixed"}
        Of the encoders of pictures; ``auto`` is what the ensemble was trained on, where the
        processor can.
    start, end : float or None
        Seconds on the clock of the file: pictures from `start` on and before `end` alone. They
        are no matter of photos.
    """

    faces: Faces = "main"
    every: int = 1
    batch: int | None = None
    device: str = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        allowed = {
            "faces": ("main", "all"),
            "precision": ("auto", "32-true", "bf16-mixed"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}; allowed: {', '.join(values)}."
                )
        try:
            check_device(self.device)
        except ValueError as error:
            raise SettingsError(f"device is {self.device!r}; {error}.") from None
        if not 1 <= self.every <= MOST_SKIPPED:
            raise SettingsError(f"every is {self.every}; allowed: 1 to {MOST_SKIPPED} frames.")
        if self.batch is not None and self.batch < 1:
            raise SettingsError(f"batch is {self.batch}; allowed: 1 face or more.")

        for name, value in (("start", self.start), ("end", self.end)):
            if value is not None and not math.isfinite(value):
                raise SettingsError(f"{name} is {value}; allowed: a number of seconds.")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise SettingsError(
                f"start is {self.start:g} and end is {self.end:g} seconds: the end must be later."
            )

    @property
    def section(self) -> dict[str, float]:
        """What of `start` and `end` was chosen."""
        both = {"start": self.start, "end": self.end}
        return {name: value for name, value in both.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
