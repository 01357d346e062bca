"""One try at a video: how it ended, as a state and a sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from stages.core.errors import DataError
from stages.inference.web.apart import Stopped, run_apart
from stages.inference.web.job import RESULTS, Job, JobFolder, State
from stages.inference.web.work import Predictor, work


def attempt(
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
        run_apart(
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
