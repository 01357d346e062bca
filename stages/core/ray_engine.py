"""Workers of a Ray cluster: each an actor, which holds one item at a time and dies alone.

All machines see the project's folder under the same path: a worker changes into the driver's
folder and writes its piece there, as one of this machine does; what comes back over the network is
the acknowledgement. Workers may come and go with their machines while the work is going on.
"""

import contextlib
import itertools
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from stages.core.attempt import Attempt, Function
from stages.core.console import say
from stages.core.errors import SettingsError
from stages.core.files import machine, temporary_path
from stages.core.hashing import ROOT
from stages.core.ray_cluster import connect, import_ray, session
from stages.core.ray_worker import Place, RemoteWorker, Spare, Worker, appears
from stages.core.settings import Compute
from stages.core.workers import IN_A_WORKER, NUMBER, ended_by_full_disk

LOOK: Final = 1.0  # seconds between two looks at what the cluster has
PATIENCE: Final = 30.0  # seconds without any worker before the user is told
SPARE: Final = Spare()  # of this process
_LOW_MEMORY: Final = ("out of memory", "outofmemory", "low on memory")


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
        connect(compute.address, compute.workers)  # it stays, for the next piece of work
        self._root, self._workers = Path.cwd(), list[Worker]()
        self._queue: deque[tuple[str, Any, Path]] = deque()
        self._looked, self._capacity, self._since = -LOOK, 0, time.monotonic()
        on_gpus = on_device and compute.device != "cpu"
        self._share = self._gpu_share(compute) if on_gpus else 0.0
        self._environment = self._of_workers()
        kind = (session(), self._share, *self._environment.items(), *sys.path)
        self._kind: tuple[Any, ...] = kind
        self._spare, unfit = SPARE.take(kind)
        self._kill(unfit)
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
        idle = [worker for worker in self._workers if worker.idle]
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

    def _of_workers(self) -> dict[str, str]:
        """What a worker's environment is to say."""
        said = {name: os.environ.get(name, one) for name, one in IN_A_WORKER.items()}
        said["HDF5_USE_FILE_LOCKING"] = "FALSE"  # some network drives have no locks
        if not self._share:
            said["CUDA_VISIBLE_DEVICES"] = ""
        return said

    def _start(self) -> None:
        worker = self._spare.pop() if self._spare else self._new()
        worker.asked = worker.actor.begin.remote(
            ROOT, self._root, self._sign, self._function, self._initializer
        )
        self._workers.append(worker)

    def _new(self) -> Worker:
        taken = {worker.number for worker in (*self._workers, *self._spare)}
        number = next(one for one in itertools.count() if one not in taken)
        options: dict[str, Any] = {
            "num_cpus": 1, "num_gpus": self._share, "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
        }  # fmt: skip
        environment = self._environment | {NUMBER: str(number)}
        actor = self._ray.remote(RemoteWorker).options(**options).remote(environment, sys.path)
        return Worker(actor, self._kind, number)

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
        self, worker: Worker, answer: Place | str | Attempt
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
        elif self._queue and not worker.used:
            # it never began: an attempt is used up, so that this ends
            yield self._queue.popleft()[0], answer

    def _seen(self, answer: Attempt, path: Path, place: Place | None) -> Attempt:
        """Wait until this machine sees a piece that another wrote."""
        done = answer.acknowledgement
        if done is None or place is None or place.machine == machine():
            return answer
        if appears(path, done.bytes):
            return answer
        reason = f"{path} was written on {done.host}, but does not appear on this machine"
        return Attempt("other", reason)

    def _bury(self, worker: Worker, error: Exception) -> Attempt:
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
        """End the workers that are at something, which is lost; the others stay."""
        self._sign.unlink(missing_ok=True)
        gone, self._workers = self._workers, []
        idle = [worker for worker in gone if worker.idle]
        for worker in (*idle, *self._spare):
            SPARE.keep(worker)
        self._spare = []
        self._kill([worker for worker in gone if not worker.idle])

    def _kill(self, workers: list[Worker]) -> None:
        with contextlib.suppress(Exception):  # the cluster may be gone
            for worker in workers:
                self._ray.kill(worker.actor, no_restart=True)
        for worker in workers:
            worker.sweep()
