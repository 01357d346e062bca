"""What other processes do with a video: look at an upload; try to predict it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from stages.core.errors import DataError
from stages.inference.web.apart import Stopped, Worker, run_apart
from stages.inference.web.checking import Facts, check_upload
from stages.inference.web.job import RESULTS, Job, JobFolder, State
from stages.inference.web.settings import Limits
from stages.inference.web.work import Predictor, work

CHECK_SECONDS: Final = 60.0  # longest look at a new upload


def examine(folder: JobFolder, limits: Limits) -> Facts:
    """Look at an upload in a process of its own, and make its poster.

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
    facts: Facts = run_apart(
        check_upload,
        (folder.video, folder.poster, limits),
        log=folder.log,
        seconds=CHECK_SECONDS,
        stop=threading.Event(),
    )
    return facts


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
