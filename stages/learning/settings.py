"""What may be chosen of a loss."""

from typing import Literal

PositiveWeight = Literal["negatives", "au25", "none"]
