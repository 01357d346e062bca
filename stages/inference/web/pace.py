"""How fast frames are done, over the last seconds."""

from collections import deque
from typing import Final

SECONDS: Final = 10.0  # frames a second are averaged over so long


class Pace:
    """Frames a second of work that tells its progress."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, int]] = deque()

    def add(self, moment: float, done: int) -> None:
        """Note that so many frames were done at a moment, in seconds."""
        self._told.append((moment, done))
        while moment - self._told[0][0] > SECONDS and len(self._told) > 2:
            self._told.popleft()

    @property
    def speed(self) -> float | None:
        """Frames a second; None before two moments are known that differ."""
        if not self._told:
            return None
        (first, before), (last, done) = self._told[0], self._told[-1]
        return (done - before) / (last - first) if done > before and last > first else None
