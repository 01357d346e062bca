"""What other processes do with a video: look at an upload; try to predict it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stages.core.closing import Closing
from stages.core.errors import DataError
from stages.inference.web.apart import Stopped, Tell, Worker
from stages.inference.web.checking import Facts, check_upload
from stages.inference.web.job import RESULTS, Job, JobFolder, State
from stages.inference.web.settings import Limits
from stages.inference.web.work import Predictor, work

CHECK_SECONDS: Final = 60.0  # longest look at a new upload


def get_ready(tell: Tell) -> None:
    """Import what a look at an upload needs."""
    from PIL import Image  # noqa: F401  as check_upload does


class Examiner(Closing):
    """Looks at uploads in a process of its own that stays, so that none waits for its start.

    One that crashed, or that a file kept for too long, is replaced. Of several uploads at one time
    each has a process; one of them stays.
    """

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._changing = threading.Lock()
        self._stop = threading.Event()  # of all looks, when the server stops

    def begin(self) -> None:
        """Start a process, and wait for nothing."""
        self._keep(Worker())

    def examine(self, folder: JobFolder, limits: Limits) -> Facts:
        """Look at an upload, and make its poster.

        Parameters
        ----------
        folder : JobFolder
        limits : Limits

        Returns
        -------
        Facts

        Raises
        ------
        DataError
            If it is no video, or too long.
        """
        with self._changing:
            worker = self._idle.pop() if self._idle else Worker()
        try:
            facts: Facts = worker.run(
                check_upload,
                (folder.video, folder.poster, limits),
                log=folder.log,
                seconds=CHECK_SECONDS,
                stop=self._stop,
            )
        except Stopped:
            raise DataError("The server is being stopped: upload the file again later.") from None
        finally:
            self._keep(worker)
        return facts

    def _keep(self, worker: Worker) -> None:
        with self._changing:
            if self._idle or self._stop.is_set():
                worker.close()
                return
            if not worker.lives:
                with contextlib.suppress(OSError):  # no process to be had: the next look says so
                    worker.begin(get_ready, (), log=Path(os.devnull))
            self._idle.append(worker)

    def close(self) -> None:
        """Stop all looks, and the process that stays."""
        self._stop.set()
        with self._changing:
            while self._idle:
                self._idle.pop().close()


def attempt(
    worker: Worker,
    job: Job,
    folder: JobFolder,
    predict: Predictor,
    *,
    seconds: float,
    stop: threading.Event,
    hear: Callable[[Any], None],
) -> tuple[State, str]:
    """Make the files of a job, and note their sizes in it.

    Parameters
    ----------
    worker : Worker
    job : Job
    folder : JobFolder
        What an earlier try has left in it is removed.
    predict : callable
    seconds : float
        After so long the work is killed.
    stop : threading.Event
        Set by another thread, it has the work killed at once.
    hear : callable
        Is called with each message of :func:`stages.inference.web.work.work`.

    Returns
    -------
    state : str
        ``done``, ``failed`` or ``stopped``.
    error : str
        Why it failed, a sentence.
    """
    try:
        folder.clear()
        worker.run(
            work,
            (predict, folder, job.name, job.facts),
            log=folder.log,
            seconds=seconds,
            stop=stop,
            hear=hear,
        )
        job.files = {kind: file.stat().st_size for kind in RESULTS if (file := folder.result(kind))}
    except Stopped:
        return "stopped", ""
    except DataError as problem:
        return "failed", str(problem).replace(str(folder.video), "This video")
    except OSError as problem:
        return "failed", f"The server's disk gave an error: {problem.strerror}."
    return "done", ""
