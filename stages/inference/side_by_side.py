"""Several videos at once: processes that have loaded the ensemble, each with one thread.

A process that dies takes its video's attempt along and no more: another one tries the video again,
three times in all (:mod:`stages.core.parallel`). The files of a video are claimed and put in place
by whoever predicts it, so nothing is left to be done when its turn to be told of comes.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stages.core.errors import UnfinishedError
from stages.core.parallel import MOST_GIVEN_UP, map_videos
from stages.core.torchrun import use_one_thread
from stages.inference.options import Options
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.results import Result
from stages.inference.task import Ended, Task, carry_out


@dataclass(frozen=True)
class _Work:
    task: Task
    ensemble: Path


@lru_cache(maxsize=1)
def _predictor(ensemble: Path, options: Options) -> Predictor:
    return load_predictor(ensemble, options)


def carry_out_apart(work: _Work, path: Path) -> None:
    """Carry out a task; `path` takes what became of it."""
    ended = carry_out(work.task, _predictor(work.ensemble, work.task.options))
    content = {"fresh": ended.fresh, "notes": ended.notes, "failure": ended.failure}
    if ended.result is not None:
        content |= {"name": ended.result.name, "seconds": ended.result.seconds}
    path.write_text(json.dumps(content), encoding="utf-8")


def _read(task: Task, path: Path) -> Ended:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["failure"]:
        return Ended(failure=content["failure"])
    result = Result.load(task.folder / f"{content['name']}.json", task.video.path)
    result.seconds.update(content["seconds"])
    return Ended(result, content["fresh"], content["notes"])


def carry_out_all(
    tasks: Sequence[Task], ensemble: Path, jobs: int, told: Callable[[int, Ended], None]
) -> None:
    """Carry out tasks in several processes.

    Parameters
    ----------
    tasks : sequence of Task
    ensemble : Path
        Folder of the ensemble, which each process loads once.
    jobs : int
        Processes, 2 or more.
    told : callable
        Called as each task ends, with its place among `tasks` and what became of it.

    Raises
    ------
    SettingsError
        When the device is not there.
    """
    names = {f"{place:08d}": place for place in range(len(tasks))}
    untold = set(names)
    with tempfile.TemporaryDirectory() as name:

        def ended(name: str, reason: str) -> None:
            place = names[name]
            untold.discard(name)
            try:
                found = (
                    Ended(failure=reason)
                    if reason
                    else _read(tasks[place], folder / f"{name}.json")
                )
            except Exception as error:
                found = Ended(failure=str(error))
            told(place, found)

        folder = Path(name)
        # each that was tried to the end was told of; after three such the rest is not tried
        with contextlib.suppress(UnfinishedError):
            map_videos(
                carry_out_apart,
                {name: _Work(tasks[place], ensemble) for name, place in names.items()},
                folder,
                suffix=".json",
                workers=max(jobs, 2),
                description="predict",
                initializer=use_one_thread,
                ended=ended,
            )
        for name in sorted(untold):
            reason = f"It was not tried to the end, as {MOST_GIVEN_UP} others ended their processes"
            ended(name, f"{reason}: predict it again, with fewer --jobs.")
