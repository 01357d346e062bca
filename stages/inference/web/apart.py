"""Work on a stranger's file in a process of its own: it can be stopped, and may crash alone.

A :class:`Worker` keeps its process from one piece of work to the next, with all that was loaded for
it, as long as nothing goes wrong.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from stages.core.closing import Closing
from stages.core.errors import DataError, SettingsError, is_out_of_memory

Tell = Callable[[object], None]  # sends a message to the server; any value that pickles

WAIT: Final = 0.1  # seconds, at most, until a wish to stop is seen


class Stopped(Exception):
    """The work was stopped because somebody asked for it."""


class Worker(Closing):
    """A process that is started when it is needed, and does one piece of work after another.

    One that was stopped, took too long, died, or failed in another way than by a DataError or
    SettingsError is killed with all that it started; the next piece of work begins a new one.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None
        self._number = 0  # of the last piece of work: answers bear it

    @property
    def lives(self) -> bool:
        """Whether there is a process that waits for work, or works."""
        return self._process is not None and self._process.is_alive()

    def begin(self, function: Callable[..., Any], arguments: tuple[Any, ...], *, log: Path) -> None:
        """Have ``function(tell, *arguments)`` called, and wait for nothing.

        What comes of it is not told; work that :meth:`run` asks for is done after it.

        Parameters
        ----------
        function : callable
            Of the top level of a module.
        arguments : tuple
            What else it is called with; must pickle.
        log : Path
            File that takes all that the process prints.
        """
        if not self.lives:
            self._start()
        self._number += 1
        with contextlib.suppress(OSError):  # it has died just now: that is seen when it is heard
            self._connection.send((self._number, log, function, arguments))

    def run(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        log: Path,
        seconds: float,
        stop: threading.Event,
        hear: Callable[[Any], None] = lambda message: None,
    ) -> Any:
        """Call ``function(tell, *arguments)`` in the process and wait for what it returns.

        Parameters
        ----------
        function : callable
            Of the top level of a module. What it passes to `tell` reaches `hear`.
        arguments : tuple
            What else it is called with; must pickle.
        log : Path
            File that takes all that the process prints, and the traceback of a defect.
        seconds : float
            After so long the process and all that it started are killed.
        stop : threading.Event
            Set by another thread, it has them killed at once.
        hear : callable
            Is called in this thread with each message.

        Returns
        -------
        object
            What the function returned.

        Raises
        ------
        DataError
            The sentence of the function's own DataError or SettingsError, or one about a crash, a
            defect or too long a time.
        Stopped
            If `stop` was set.
        """
        kind = "broken"
        try:
            self.begin(function, arguments, log=log)
            kind, value = self._listen(hear, time.monotonic() + seconds, stop)
        finally:
            if kind == "broken":
                self.close()
        if kind != "returned":
            raise DataError(value)
        return value

    def _start(self) -> None:
        self.close()
        context = multiprocessing.get_context("spawn")  # a fork would inherit sockets and locks
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,))
        self._process.start()
        theirs.close()

    def _listen(
        self, hear: Callable[[Any], None], deadline: float, stop: threading.Event
    ) -> tuple[str, Any]:
        while True:
            if stop.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                raise DataError("This took longer than the server allows, and was stopped.")
            try:
                if not self._connection.poll(WAIT):
                    continue
                number, kind, value = self._connection.recv()
            except (EOFError, OSError):
                self._process.join(5)
                raise DataError(_crash(self._process.exitcode)) from None
            if number != self._number:  # of work that nobody waits for
                continue
            if kind != "told":
                return kind, value
            hear(value)

    def close(self) -> None:
        """Kill the process and all that it started; wait until it has gone."""
        if self._process is None:
            return
        _kill(self._process)
        self._connection.close()
        self._process = self._connection = None


def _crash(code: int | None) -> str:
    reason = f"exit code {code}"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            reason = f"by the signal {signal.Signals(-code).name}"
    return (
        f"The work on this video broke off ({reason}): the file is damaged, or the machine ran out"
        " of memory. Other videos are not concerned."
    )


def _kill(process: Any) -> None:
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # in case it had no time yet to become the head of a group
    process.join()
    with contextlib.suppress(ProcessLookupError, PermissionError):  # what it left behind
        os.killpg(process.pid, signal.SIGKILL)
    process.close()


def _work(connection: Any) -> None:
    os.setsid()  # so that the processes it starts are killed with it
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    lock = threading.Lock()

    def send(*message: object) -> None:
        with lock:
            connection.send(message)

    while True:
        try:
            number, log, function, arguments = connection.recv()
        except EOFError:  # nobody wants anything any more
            return
        send(number, *_answer(partial(send, number, "told"), log, function, arguments))


def _answer(
    tell: Tell, log: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[str, Any]:
    try:
        with _printing_to(log):
            try:
                return "returned", function(tell, *arguments)
            except (DataError, SettingsError) as error:
                return "failed", str(error)
            except Exception as error:
                return "broken", _reason(error)
    except OSError as error:  # of the log
        return "broken", _reason(error)


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "The machine has too little memory for this video."
    traceback.print_exc()
    if isinstance(error, OSError):
        return f"The server could not read or write a file ({error.strerror})."
    return f"A defect of the program ({type(error).__name__}); the server's log has it."


def _die_with(parent: Any) -> None:
    parent.join()
    os.killpg(0, signal.SIGKILL)


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    with path.open("ab", buffering=0) as file:
        _print_into(file)
    try:
        yield
    finally:
        with Path(os.devnull).open("wb") as nowhere:
            _print_into(nowhere)


def _print_into(file: IO[bytes]) -> None:
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.flush()
        os.dup2(file.fileno(), number)
