"""All that is done for one video, in a worker's process: predict, draw, make a preview."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stages.core.errors import DataError
from stages.inference.web.apart import Tell
from stages.inference.web.checking import Facts
from stages.inference.web.job import JobFolder
from stages.inference.web.preview import write_picture, write_preview
from stages.inference.web.view import SeenFaces, write_page, write_view

# Frames done, and frames expected (None where the predictor does not know).
Progress = Callable[[int, int | None], None]
# Reads a video and writes its CSV, Parquet and JSON into a folder; of a module's top level,
# or a functools.partial of such a function: it is handed to another process.
Predictor = Callable[[Path, Path, Progress], None]
# Loads what the predictor needs, so that the first video need not wait for it; of the same kind.
Loader = Callable[[], None]

TELL_SECONDS: Final = 0.1  # from one message about progress to the next, at least


def load_ahead(tell: Tell, load: Loader) -> None:
    """Load what the work needs before there is any; what is wrong is said when there is."""
    with contextlib.suppress(Exception):
        load()


def work(tell: Tell, predict: Predictor, folder: JobFolder, name: str, facts: Facts) -> None:
    """Make all files of a job.

    Parameters
    ----------
    tell : callable
        Takes ("phase", text) and ("frames", (done, expected)).
    predict : callable
    folder : JobFolder
    name : str
        The client's name of the video, to show.
    facts : Facts

    Raises
    ------
    DataError
        If nothing can be predicted.
    """
    folder.results.mkdir(parents=True, exist_ok=True)
    tell(("phase", "loading the networks"))
    last = -TELL_SECONDS

    def progress(done: int, total: int | None) -> None:
        nonlocal last
        if last < 0:
            tell(("phase", "predicting"))
        moment = time.monotonic()
        if moment - last >= TELL_SECONDS or done == total:
            last = moment
            tell(("frames", (done, total)))

    predict(folder.video, folder.results, progress)
    if facts.still:
        write_picture(folder.video, folder.picture)
    elif facts.plays is None:
        tell(("phase", "making a preview that browsers play"))
        try:
            write_preview(folder.video, folder.preview, facts.start)
        except DataError as error:  # the results are there all the same
            print(error)
            folder.preview.unlink(missing_ok=True)
    tell(("phase", "drawing"))
    faces = SeenFaces(folder)
    write_page(folder, name, facts, faces)
    write_view(folder, name, facts, faces)
