"""Waiting for what happens elsewhere, instead of for a time."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 600.0  # seconds, after which what is waited for will not come
PAUSE = 0.02  # seconds from one look to the next


def wait_for(what: Callable[[], Any]) -> Any:
    """Return the first answer that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(PAUSE)
    return found


def until(check: Callable[[], None], patience: float = PATIENCE) -> None:
    """Repeat assertions until they hold; what they last said where they never do."""
    end = time.monotonic() + patience
    while True:
        try:
            check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE)
        else:
            return
