"""Several videos at once: processes that have loaded the ensemble, each with one thread.

They are processes of this machine, or with ``--engine ray`` workers of Ray, on whatever machine.
Those read the videos and write the results themselves, in folders that all machines share.

A process that dies takes its video's attempt along and no more: another one tries the video again,
three times in all (:mod:`stages.core.parallel`). The files of a video are claimed and put in place
by whoever predicts it, so nothing is left to be done when its turn to be told of comes.
"""

import contextlib
import json
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stages.core.errors import SettingsError, UnfinishedError
from stages.core.files import remove, sweep, temporary_path
from stages.core.parallel import MOST_GIVEN_UP, map_videos
from stages.core.settings import Compute
from stages.core.torchrun import use_one_thread
from stages.inference.options import Options
from stages.inference.outputs import sentences
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.results import Result
from stages.inference.task import Ended, Task, carry_out


@dataclass(frozen=True)
class Work:
    """A task for a process that has to load the ensemble.

    Attributes
    ----------
    task : Task
    ensemble : Path
        Its folder.
    driver : str
        Name of the machine where the command runs.
    """

    task: Task
    ensemble: Path
    driver: str


@lru_cache(maxsize=1)
def _predictor(ensemble: Path, options: Options) -> Predictor:
    return load_predictor(ensemble, options)


def carry_out_apart(work: Work, path: Path) -> None:
    """Carry out a task; `path` takes what became of it."""
    ended = _unseen(work) or carry_out(work.task, _predictor(work.ensemble, work.task.options))
    content = {"fresh": ended.fresh, "notes": ended.notes, "failure": ended.failure}
    if ended.result is not None:
        content |= {"name": ended.result.name, "seconds": ended.result.seconds}
    path.write_text(json.dumps(content), encoding="utf-8")


def _unseen(work: Work) -> Ended | None:
    """Say that another machine than the command's does not see what it shall read."""
    host, video = socket.gethostname(), work.task.video.path
    if host == work.driver:
        return None
    shared = f"all machines must share its folder with {work.driver}, under one path"
    if not work.ensemble.is_dir():
        raise SettingsError(f"{work.ensemble} is not there on {host}, where a worker is: {shared}.")
    if not video.exists():
        return Ended(failure=f"{video} is not there on {host}, whose worker had it: {shared}.")
    return None


def _read(task: Task, path: Path) -> Ended:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["failure"]:
        return Ended(failure=content["failure"])
    result = Result.load(task.folder / f"{content['name']}.json", task.video.path)
    result.seconds.update(content["seconds"])
    return Ended(result, content["fresh"], content["notes"])


@contextlib.contextmanager
def _notes(out: Path, ray: bool) -> Iterator[Path]:
    """Folder for what became of each video; for Ray in that of the results, which all share."""
    if not ray:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    new, folder = not out.exists(), temporary_path(out / "notes")
    with sentences(out):
        folder.mkdir(parents=True)
    sweep(out, "notes")  # of a command that was killed
    try:
        yield folder
    finally:
        remove(folder)
        if new:
            with contextlib.suppress(OSError):
                out.rmdir()


@contextlib.contextmanager
def _in_options(folder: Path, out: Path) -> Iterator[None]:
    """Say of Ray's settings what they are called on the command line."""
    try:
        yield
    except SettingsError as error:
        said = str(error).replace(str(folder.absolute()), str(out))
        for name in ("address", "engine", "device"):
            said = said.replace(f"compute.{name}", f"--{name}")
        raise SettingsError(said) from None


def carry_out_all(
    tasks: Sequence[Task],
    ensemble: Path,
    out: Path,
    compute: Compute,
    told: Callable[[int, Ended], None],
) -> None:
    """Carry out tasks in several processes.

    Parameters
    ----------
    tasks : sequence of Task
    ensemble : Path
        Folder of the ensemble, which each process loads once.
    out : Path
        Folder of the results; what became of each video is noted there meanwhile.
    compute : Compute
        Engine and address; `workers` is the number of processes.
    told : callable
        Called as each task ends, with its place among `tasks` and what became of it.

    Raises
    ------
    SettingsError
        When the device or Ray is not there, or Ray's workers do not see the folders.
    """
    names = {f"{place:08d}": place for place in range(len(tasks))}
    untold = set(names)
    driver = socket.gethostname()
    ray = compute.engine == "ray"
    with _notes(out, ray) as folder:

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

        # each that was tried to the end was told of; after three such the rest is not tried
        with contextlib.suppress(UnfinishedError), _in_options(folder, out):
            map_videos(
                carry_out_apart,
                {name: Work(tasks[place], ensemble, driver) for name, place in names.items()},
                folder,
                suffix=".json",
                workers=compute.workers,
                description="predict",
                compute=compute,
                on_device=True,
                initializer=use_one_thread,
                ended=ended,
            )
        for name in sorted(untold):
            reason = f"It was not tried to the end, as {MOST_GIVEN_UP} others ended their processes"
            ended(name, f"{reason}: predict it again, with fewer --jobs.")
