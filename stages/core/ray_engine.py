"""Workers of a Ray cluster: each an actor, which holds one item at a time and dies alone.

All machines see the project's folder under the same path: a worker changes into the driver's
folder and writes its piece there, as one of this machine does; what comes back over the network is
the acknowledgement. Workers may come and go with their machines while the work is going on.
"""

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stages.core.attempt import Attempt, Function, attempt
from stages.core.console import say
from stages.core.errors import SettingsError
from stages.core.files import machine, sweep, temporary_path
from stages.core.hashing import ROOT
from stages.core.ray_cluster import connect, import_ray
from stages.core.settings import Compute
from stages.core.workers import IN_A_WORKER, NUMBER, ended_by_full_disk

LOOK: Final = 1.0  # seconds between two looks at what the cluster has
VISIBLE: Final = 60.0  # seconds until a network drive must show here what was written there
PATIENCE: Final = 30.0  # seconds without any worker before the user is told
_LOW_MEMORY: Final = ("out of memory", "outofmemory", "low on memory")


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
        if not _appears(sign, 0):
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
class _Worker:
    actor: Any
    number: int
    asked: Any  # what it shall answer next; None while it has nothing to do
    place: Place | None = None  # None until it has begun
    item: tuple[str, Any, Path] | None = None
    folders: set[Path] = field(default_factory=set)

    def sweep(self) -> None:
        """Remove what it left half done."""
        for folder in self.folders:
            if self.place is not None:
                sweep(folder, pid=self.place.pid, of=self.place.machine)


class RayWorkers:
    """The workers of one piece of work; see :class:`stages.core.workers.Engine`.

    Parameters
    ----------
    function : callable
        See :func:`stages.core.parallel.map_videos`.
    count : int
        Items, or most workers at a time.
    initializer : callable, optional
        Run once in every worker.
    folder : Path
        Of the pieces.
    compute : Compute
        Address, and a GPU worker's share.
    on_device : bool
        Whether the work is done on a GPU, where the cluster has some and the settings do not
        refuse them. Then all workers are on GPUs: a mix would give a mix of results.
    """

    def __init__(
        self,
        function: Function,
        count: int,
        initializer: Callable[[], None] | None,
        folder: Path,
        compute: Compute,
        on_device: bool,
    ) -> None:
        self._function, self._count, self._initializer = function, count, initializer
        self._ray = import_ray(compute.address)
        self._disconnect = connect(compute.address, compute.workers)
        self._root, self._workers = Path.cwd(), list[_Worker]()
        self._queue: deque[tuple[str, Any, Path]] = deque()
        self._looked, self._capacity, self._since = -LOOK, 0, time.monotonic()
        self._share = 0.0
        try:
            if on_device and compute.device != "cpu":
                self._share = self._gpu_share(compute)
        except SettingsError:
            self._disconnect()
            raise
        self._sign = temporary_path(folder.absolute() / "shared")
        self._sign.write_text("all workers must see this file\n", encoding="utf-8")

    def _gpu_share(self, compute: Compute) -> float:
        if self._ray.cluster_resources().get("GPU", 0) > 0:
            return compute.gpus_per_worker
        if compute.device == "auto":
            return 0.0
        raise SettingsError(
            f"compute.device = {compute.device!r}, but Ray has no GPU; allowed: auto, cpu."
        )

    def _most(self) -> int:
        """Workers that the cluster has place for, now."""
        if time.monotonic() - self._looked >= LOOK:
            there = self._ray.cluster_resources()
            room = int(there.get("CPU", 0))
            if self._share:
                room = min(room, int(there.get("GPU", 0) / self._share + 1e-6))
            self._looked, self._capacity = time.monotonic(), min(self._count, room)
        return self._capacity

    @property
    def free(self) -> bool:
        """Whether another item can be begun."""
        held = len(self._queue) + sum(worker.item is not None for worker in self._workers)
        return held < max(self._most(), 1)

    def begin(self, name: str, item: Any, path: Path) -> None:
        """Begin an attempt at an item, as soon as a worker has nothing to do."""
        self._queue.append((name, item, path.absolute()))
        self._deal()

    def _deal(self) -> None:
        idle = [one for one in self._workers if one.place is not None and one.item is None]
        while self._queue and idle:
            worker = idle.pop()
            worker.item = self._queue.popleft()
            _, item, path = worker.item
            worker.folders.add(path.parent)
            worker.asked = worker.actor.make.remote(item, path)
        coming = sum(worker.place is None for worker in self._workers)
        while coming < len(self._queue) and len(self._workers) < self._most():
            self._start()
            coming += 1

    def _start(self) -> None:
        number = min(set(range(self._count)) - {worker.number for worker in self._workers})
        environment = {name: os.environ.get(name, one) for name, one in IN_A_WORKER.items()}
        environment[NUMBER] = str(number)
        environment["HDF5_USE_FILE_LOCKING"] = "FALSE"  # some network drives have no locks
        if not self._share:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        options: dict[str, Any] = {
            "num_cpus": 1, "num_gpus": self._share, "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
        }  # fmt: skip
        actor = self._ray.remote(RemoteWorker).options(**options).remote(environment, sys.path)
        asked = actor.begin.remote(ROOT, self._root, self._sign, self._function, self._initializer)
        self._workers.append(_Worker(actor, number, asked))

    def wait(self) -> Iterator[tuple[str, Attempt]]:
        """Wait until an attempt ends, or for a second; give the names, and how theirs ended."""
        self._deal()
        asked = {worker.asked: worker for worker in self._workers if worker.asked is not None}
        if asked:
            answered, _ = self._ray.wait(list(asked), num_returns=1, timeout=LOOK)
        else:
            answered = []
            time.sleep(LOOK)
        for ref in answered:
            worker = asked[ref]
            worker.asked = None
            try:
                answer = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                answer = self._bury(worker, error)
            yield from self._heard(worker, answer)
        self._deal()
        self._tell_of_waiting()

    def _heard(
        self, worker: _Worker, answer: Place | str | Attempt
    ) -> Iterator[tuple[str, Attempt]]:
        if isinstance(answer, Place):
            worker.place = answer
        elif isinstance(answer, str):
            raise SettingsError(
                f"compute.engine = 'ray': {answer}. All machines must share this project's folder, "
                "with its .venv, under one path: see docs/cluster.md."
            )
        elif worker.item is not None:
            (name, _, path), worker.item = worker.item, None
            yield name, self._seen(answer, path, worker.place)
        elif self._queue:  # it never began: an attempt is used up, so that this ends
            yield self._queue.popleft()[0], answer

    def _seen(self, answer: Attempt, path: Path, place: Place | None) -> Attempt:
        """Wait until this machine sees a piece that another wrote."""
        done = answer.acknowledgement
        if done is None or place is None or place.machine == machine():
            return answer
        if _appears(path, done.bytes):
            return answer
        reason = f"{path} was written on {done.host}, but does not appear on this machine"
        return Attempt("other", reason)

    def _bury(self, worker: _Worker, error: Exception) -> Attempt:
        self._workers.remove(worker)
        self._ray.kill(worker.actor, no_restart=True)
        worker.sweep()
        host = worker.place.host if worker.place else "one of the machines"
        cause = getattr(error, "cause", None)
        if isinstance(cause, Exception):  # raised by an initializer
            return Attempt("other", f"{type(cause).__name__}: {cause}", str(error))
        if any(words in str(error).lower() for words in _LOW_MEMORY):
            return Attempt("memory", f"memory ran out on {host}")
        if any(ended_by_full_disk(folder) for folder in worker.folders):
            return Attempt("disk", f"its worker process on {host} ended: the disk is full")
        return Attempt("killed", f"its worker process on {host} was killed, or the machine is gone")

    def _tell_of_waiting(self) -> None:
        if any(worker.place is not None for worker in self._workers):
            self._since = time.monotonic()
        elif time.monotonic() - self._since > PATIENCE:
            self._since = time.monotonic()
            need = f"a CPU and {self._share:g} of a GPU" if self._share else "a CPU"
            say(f"waiting for a machine with {need} free to join Ray, or to become free")

    def close(self) -> None:
        """End the workers; what they are at is lost."""
        self._sign.unlink(missing_ok=True)
        gone, self._workers = self._workers, []
        with contextlib.suppress(Exception):  # the cluster may be gone
            for worker in gone:
                self._ray.kill(worker.actor, no_restart=True)
        self._disconnect()
        for worker in gone:
            worker.sweep()


def _appears(path: Path, size: int) -> bool:
    """Whether a file of at least that size is there, or comes to be within a minute."""
    begun = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            next(path.parent.iterdir(), None)  # has a network drive look again
            if path.stat().st_size >= size:
                return True
        if time.monotonic() - begun > VISIBLE:
            return False
        time.sleep(0.1)
