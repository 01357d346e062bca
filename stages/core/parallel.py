"""Work over many videos: local worker processes, progress, resume, and what failed and why.

This is the only module that knows how work is spread. A piece of work writes one file; it is
written under a temporary name and renamed, so a file that is there is complete, and a run that
was killed takes up where it stopped.
"""

import contextlib
import fcntl
import multiprocessing
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from stages.core.console import say
from stages.core.errors import DataError, SettingsError

Item = TypeVar("Item")

PARTIAL = Path(".partial")  # unfinished work, next to params.yaml; git and DVC ignore it


@dataclass(frozen=True)
class Outcome:
    """What became of a piece of work per item.

    Attributes
    ----------
    done : dict of str to Path
        The file each finished item wrote, sorted by the item's name.
    failed : dict of str to str
        The reason, in one sentence, for each item that failed, sorted by name.
    """

    done: dict[str, Path]
    failed: dict[str, str]


@contextlib.contextmanager
def partial_folder(stage: str, identity: str, *, keep: bool = False) -> Iterator[Path]:
    """Folder for the unfinished pieces of one stage's run.

    Parameters
    ----------
    stage : str
        Name of the stage, as in ``dvc.yaml`` (``visual@ires100``).
    identity : str
        Hash of settings, inputs and code; pieces of another identity are never taken up.
    keep : bool
        Leave the folder as it is when the block ends, for a later run to take up.

    Yields
    ------
    Path
        The folder, ``.partial/STAGE/IDENTITY``. It holds what an earlier, killed run with the
        same identity finished. It is removed when the block ends without an exception.
    """
    home = PARTIAL / stage
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # DVC was killed and its child lives on: two writers must not meet
            say(f"{stage}: an earlier run of this stage is still at work; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        folder = home / identity
        for other in home.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)
        if folder.is_dir() and any(folder.iterdir()):
            say(f"{stage}: continuing where an earlier run stopped")
        folder.mkdir(exist_ok=True)
        yield folder
        if not keep:
            shutil.rmtree(folder)


def worker_count(workers: int | None) -> int:
    """Return the number of worker processes: the setting, or the cores this process may use."""
    return workers if workers is not None else len(os.sched_getaffinity(0))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _start_worker(initializer: Callable[[], None] | None) -> None:
    # a worker whose parent was killed would wait for work for ever
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer()


def _write_piece(function: Callable[[Item, Path], None], item: Item, path: Path) -> None:
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        function(item, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, DataError | SettingsError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def map_videos(
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    folder: Path,
    *,
    suffix: str,
    workers: int | None,
    description: str,
    initializer: Callable[[], None] | None = None,
) -> Outcome:
    """Run a function once for every item and collect the files that it writes.

    Parameters
    ----------
    function : callable
        ``function(item, path)`` writes its one result to `path`. A top-level function, for it is
        sent to other processes. What it raises is recorded, and the other items go on.
    items : mapping of str to object
        The work by name. A name becomes a file name: no separators in it.
    folder : Path
        Where the pieces go. A piece that is there already is not made again.
    suffix : str
        Ending of the pieces, ``".h5"``.
    workers : int or None
        Processes; None for one per core. With 1 the work is done in this process.
    description : str
        What the progress bar says.
    initializer : callable, optional
        Run once in every process before its first item.

    Returns
    -------
    Outcome
        Finished pieces and failures, both sorted by name: nothing depends on the order in which
        the workers finished.

    Raises
    ------
    DataError
        When a name could leave `folder`.
    """
    for name in items:
        if not name or name.startswith(".") or "/" in name or "\\" in name or "\0" in name:
            raise DataError(f"{name!r} cannot be a file name: rename the video or the annotation.")
    paths = {name: folder / f"{name}{suffix}" for name in sorted(items)}
    waiting = [name for name, path in paths.items() if not path.exists()]
    failed: dict[str, str] = {}
    count = min(worker_count(workers), max(1, len(waiting)))
    bar = tqdm(
        total=len(paths),
        initial=len(paths) - len(waiting),
        desc=description,
        unit="item",
        file=sys.stdout,
        mininterval=1.0 if sys.stdout.isatty() else 10.0,
        dynamic_ncols=True,
    )
    with bar:
        if count == 1:
            if initializer is not None and waiting:
                initializer()
            for name in waiting:
                try:
                    _write_piece(function, items[name], paths[name])
                except Exception as error:
                    failed[name] = _reason(error)
                bar.update()
        elif waiting:
            _map_in_processes(function, items, paths, waiting, failed, count, initializer, bar)
    done = {name: path for name, path in paths.items() if path.exists()}
    return Outcome(done=done, failed=dict(sorted(failed.items())))


def _map_in_processes(
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    paths: Mapping[str, Path],
    waiting: list[str],
    failed: dict[str, str],
    count: int,
    initializer: Callable[[], None] | None,
    bar: "tqdm[None]",
) -> None:
    # spawn: a fork of a process that runs torch or onnxruntime threads can hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=_start_worker, initargs=(initializer,)
    )
    try:
        futures: dict[Future[None], str] = {
            pool.submit(_write_piece, function, items[name], paths[name]): name for name in waiting
        }
        for future in as_completed(futures):
            error = future.exception()
            if error is not None:
                failed[futures[future]] = _reason(error)
            bar.update()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
