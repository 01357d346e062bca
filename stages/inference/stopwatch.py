"""Where the time of a prediction goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stopwatch:
    """Adds up seconds by the names of parts; each part is timed by one thread alone.

    Attributes
    ----------
    seconds : dict of str to float
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, part: str, seconds: float) -> None:
        """Add seconds to a part; negative ones take what belongs to another part off."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(part, time.perf_counter() - start)

    def each(self, part: str, items: Iterable[Item], within: str = "") -> Iterator[Item]:
        """Time how long the items take to come; `within` is a part that this is taken off."""
        source = iter(items)
        while True:
            start = time.perf_counter()
            item = next(source, source)
            spent = time.perf_counter() - start
            self.add(part, spent)
            if within:
                self.add(within, -spent)
            if item is source:
                return
            yield item  # type: ignore[misc]
