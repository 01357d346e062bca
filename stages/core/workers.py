"""Worker processes of this machine: each holds one item at a time, and dies alone.

This is what :func:`stages.core.parallel.map_videos` asks of whatever does its work: `free` says
whether another item can be begun, `begin` begins it, `wait` gives those that have ended. How often
an item is tried, and what a failure means, is decided there.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Protocol

from stages.core.attempt import Attempt, Function, attempt
from stages.core.files import sweep

_LIBRARIES: Final = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
ONE_THREAD: Final = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES}  # read at a process's start
ROOM: Final = 1 << 20  # bytes; a disk with less is full
_THREADS: Final = "AUFUSION_WORKER_THREADS"  # of decoders: in a worker's environment
NUMBER: Final = "AUFUSION_WORKER"  # in a worker's environment, too
IN_A_WORKER: Final = {**ONE_THREAD, _THREADS: "1"}  # the environment of all


def decoder_threads() -> int:
    """Threads that one decoder may use: 1 in a worker, else 0, which is the decoder's choice."""
    return int(os.environ.get(_THREADS, "0"))


def worker_count(workers: int | None) -> int:
    """Return the number of worker processes: the setting, or the cores this process may use."""
    return workers if workers is not None else len(os.sched_getaffinity(0))


def worker_number() -> int:
    """Which of the workers this process is, from 0; 0 also for one that is none."""
    return int(os.environ.get(NUMBER, "0"))


class Engine(Protocol):
    """What does the work."""

    @property
    def free(self) -> bool:
        """Whether another item can be begun."""

    def begin(self, name: str, item: Any, path: Path) -> None:
        """Begin an attempt at an item."""

    def wait(self) -> Iterator[tuple[str, Attempt]]:
        """Wait until an attempt ends, or for a while; give the names of those that did, and how."""

    def close(self) -> None:
        """End what is at work."""


class ThisProcess:
    """No worker at all: the work is done where it is asked for."""

    def __init__(self, function: Function, initializer: Callable[[], None] | None) -> None:
        self._function, self._initializer = function, initializer
        self._begun: deque[tuple[str, Any, Path]] = deque()

    @property
    def free(self) -> bool:
        """Whether another item can be begun."""
        return not self._begun

    def begin(self, name: str, item: Any, path: Path) -> None:
        """Begin an attempt at an item."""
        self._begun.append((name, item, path))

    def wait(self) -> Iterator[tuple[str, Attempt]]:
        """Make the attempt."""
        name, item, path = self._begun.popleft()
        if self._initializer is not None:
            self._initializer()
            self._initializer = None
        yield name, attempt(self._function, item, path)

    def close(self) -> None:
        """End what is at work: nothing is."""


@dataclass
class _Worker:
    process: BaseProcess
    line: Connection
    number: int
    name: str | None = None  # of the item that it has
    folder: Path = Path()


class Workers:
    """Worker processes, started when there is work for them.

    A worker that is killed (by the kernel for want of memory, by a crash in a library) takes one
    attempt at its own item along; the other workers do not notice, and a fresh one is started.

    Parameters
    ----------
    function : callable
        See :func:`stages.core.parallel.map_videos`.
    count : int
        Most workers at a time.
    initializer : callable, optional
        Run once in every worker.
    """

    def __init__(
        self, function: Function, count: int, initializer: Callable[[], None] | None
    ) -> None:
        # spawn: a fork of a process that runs torch or onnxruntime threads can hang
        self._context = multiprocessing.get_context("spawn")
        self._function, self._count, self._initializer = function, count, initializer
        self._workers: list[_Worker] = []

    @property
    def free(self) -> bool:
        """Whether another item can be begun."""
        return sum(worker.name is not None for worker in self._workers) < self._count

    def begin(self, name: str, item: Any, path: Path) -> None:
        """Hand an item to a worker that has none."""
        idle = [worker for worker in self._workers if worker.name is None]
        worker = idle[0] if idle else self._start()
        worker.name, worker.folder = name, path.parent
        with contextlib.suppress(OSError):  # it is dead: `wait` will find that out
            worker.line.send((item, path))

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._function, self._initializer)
        )
        # that of a worker that died is given away again: who takes a GPU by it leaves none idle
        number = min(set(range(self._count)) - {worker.number for worker in self._workers})
        with _environment({**IN_A_WORKER, NUMBER: str(number)}):
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, number))
        return self._workers[-1]

    def wait(self) -> Iterator[tuple[str, Attempt]]:
        """Wait until an attempt ends, or for a while; give the names of those that did, and how."""
        busy = {worker.line: worker for worker in self._workers if worker.name is not None}
        for line in wait(list(busy)):
            worker = busy[line]  # type: ignore[index]
            name, worker.name = worker.name, None
            assert name is not None
            try:
                ended: Attempt = worker.line.recv()
            except Exception:  # half an answer, or none: it was killed
                ended = self._bury(worker)
            yield name, ended

    def _bury(self, worker: _Worker) -> Attempt:
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        sweep(worker.folder, pid=worker.process.pid)
        code = worker.process.exitcode or 0
        worker.line.close()
        worker.process.close()
        full = ended_by_full_disk(worker.folder)
        return Attempt("disk" if full else "killed", _how_it_ended(code))

    def close(self) -> None:
        """End the workers; what they are at is lost."""
        while self._workers:
            worker = self._workers[-1]
            if worker.name is None:
                worker.line.close()  # it ends by itself
                worker.process.join(5)
            self._bury(worker)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its worker process ended with exit code {code}"
    name = f"signal {-code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
    more = ", as the system does where memory runs out" if -code == signal.SIGKILL else ""
    return f"its worker process was ended by {name}{more}"


def ended_by_full_disk(folder: Path) -> bool:
    """Whether the disk is full, where HDF5 may end a process instead of raising an error."""
    try:
        return shutil.disk_usage(folder).free < ROOM
    except OSError:
        return False


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Have a process that is started inherit some variables; those that are set stay."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in values.items() if name not in before})
    try:
        yield
    finally:
        for name in values:
            if name not in before:
                del os.environ[name]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _serve(line: Connection, function: Function, initializer: Callable[[], None] | None) -> None:
    """Make the pieces that come over the line until it is closed."""
    # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # a worker whose parent was killed would wait for work for ever
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer()
    while True:
        try:
            item, path = line.recv()
        except EOFError:
            return
        line.send(attempt(function, item, path))
