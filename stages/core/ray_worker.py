"""What runs in a worker process of Ray, and those that wait for their next piece of work.

A process that has just been started imports torch for some seconds, for a minute where the machine
is busy. So one that has done its part stays, and the next piece of work of the same driver has it;
all end with their driver.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stages.core.attempt import Attempt, Function, attempt
from stages.core.files import machine, sweep
from stages.core.hashing import ROOT

VISIBLE: Final = 60.0  # seconds until a network drive must show here what was written there


@dataclass(frozen=True)
class Place:
    """Where a worker is: its machine's name and mark, its process there."""

    host: str
    machine: str
    pid: int


class RemoteWorker:
    """What runs in a worker process.

    Parameters
    ----------
    environment : dict of str to str
        To be set before any library reads it: the function, whose modules import them, comes later.
    path : list of str
        The driver's ``sys.path``.
    """

    def __init__(self, environment: dict[str, str], path: list[str]) -> None:
        os.environ.update(environment)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._function: Function | None = None

    def begin(
        self,
        code: Path,
        root: Path,
        sign: Path,
        function: Function,
        initializer: Callable[[], None] | None,
    ) -> Place | str:
        """Go to the folder of the work; where that is not the driver's own, return a sentence."""
        import socket

        host = socket.gethostname()
        if code != ROOT:  # `dvc exp run --temp` has a copy of its own
            return f"the worker on {host} has the code of {ROOT}, not that of {code}"
        try:
            os.chdir(root)
        except OSError as error:
            return f"the worker on {host} cannot enter {root}: {error.strerror}"
        if not appears(sign):
            return f"the worker on {host} has another {sign.parent} than this machine"
        self._function = function
        if initializer is not None:
            initializer()
        return Place(host, machine(), os.getpid())

    def make(self, item: Any, path: Path) -> Attempt:
        """Make one piece."""
        assert self._function is not None
        return attempt(self._function, item, path)


@dataclass
class Worker:
    """What the driver knows of a worker.

    Attributes
    ----------
    actor
        Ray's handle.
    kind : tuple
        What it was started with; another piece of work of the same kind can have it.
    number : int
        Which of the driver's workers it is, from 0.
    asked
        What it shall answer next; None while it has nothing to do.
    place : Place or None
        None until it has begun.
    item : tuple or None
        Name, item and path of what it is at.
    folders : set of Path
        Where it wrote.
    used : bool
        Whether it has done another piece of work before.
    """

    actor: Any
    kind: tuple[Any, ...]
    number: int
    asked: Any = None
    place: Place | None = None
    item: tuple[str, Any, Path] | None = None
    folders: set[Path] = field(default_factory=set)
    used: bool = False

    @property
    def idle(self) -> bool:
        """Whether it waits for an item."""
        return self.place is not None and self.item is None

    def sweep(self) -> None:
        """Remove what it left half done."""
        for folder in self.folders:
            if self.place is not None:
                sweep(folder, pid=self.place.pid, of=self.place.machine)


class Spare:
    """Workers that wait for the next piece of work; those of one driver."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def keep(self, worker: Worker) -> None:
        """Keep a worker that is idle."""
        self._workers.append(Worker(worker.actor, worker.kind, worker.number, used=True))

    def take(self, kind: tuple[Any, ...]) -> tuple[list[Worker], list[Worker]]:
        """Give away all of them: those of a kind, and the others, which are of no use any more."""
        gone, self._workers = self._workers, []
        fit = [worker for worker in gone if worker.kind == kind]
        return fit, [worker for worker in gone if worker.kind != kind]


def appears(path: Path, size: int = 0) -> bool:
    """Whether a file of at least so many bytes is there, or comes to be within a minute."""
    begun = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            next(path.parent.iterdir(), None)  # has a network drive look again
            if path.stat().st_size >= size:
                return True
        if time.monotonic() - begun > VISIBLE:
            return False
        time.sleep(0.1)
