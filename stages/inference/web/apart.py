"""Work on a stranger's file in a process of its own: it can be stopped, and may crash alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from stages.core.errors import DataError, SettingsError, is_out_of_memory

Tell = Callable[[object], None]  # sends a message to the server; any value that pickles

WAIT: Final = 0.1  # seconds, at most, until a wish to stop is seen


class Stopped(Exception):
    """The work was stopped because somebody asked for it."""


def run_apart(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    *,
    log: Path,
    seconds: float,
    stop: threading.Event,
    hear: Callable[[Any], None] = lambda message: None,
) -> Any:
    """Call ``function(tell, *arguments)`` in a new process and wait for what it returns.

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
    context = multiprocessing.get_context("spawn")  # a fork would inherit sockets and locks
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_begin, args=(theirs, log, function, arguments))
    process.start()
    theirs.close()
    try:
        return _listen(ours, process, hear, time.monotonic() + seconds, stop)
    finally:
        _kill(process)
        ours.close()


def _listen(
    connection: Any,
    process: Any,
    hear: Callable[[Any], None],
    deadline: float,
    stop: threading.Event,
) -> Any:
    while True:
        if stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise DataError("This took longer than the server allows, and was stopped.")
        try:
            if not connection.poll(WAIT):
                continue
            kind, value = connection.recv()
        except (EOFError, OSError):
            process.join(5)
            raise DataError(_crash(process.exitcode)) from None
        if kind == "told":
            hear(value)
        elif kind == "returned":
            return value
        else:
            raise DataError(value)


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


def _begin(
    connection: Any, log: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()  # so that the processes it starts are killed with it
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    with _printing_to(log):
        lock = threading.Lock()

        def tell(message: object) -> None:
            with lock:
                connection.send(("told", message))

        try:
            answer = ("returned", function(tell, *arguments))
        except (DataError, SettingsError) as error:
            answer = ("failed", str(error))
        except Exception as error:
            answer = ("failed", _reason(error))
        with lock:
            connection.send(answer)


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
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        yield
