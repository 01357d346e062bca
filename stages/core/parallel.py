"""Work over many videos: who does it, progress, resume, and what failed and why.

A piece of work writes one file. Whoever makes it acknowledges it with the hash of its bytes, and
the acknowledgement is kept beside the pieces: a run that was killed takes up where it stopped, and
believes a piece for its bytes, not for being there.

What goes wrong is of two kinds (:mod:`stages.core.errors`). A ``DataError`` of one item is recorded
and the work goes on. All else is no fault of the item: it is tried again, for the last time while
nothing else runs, so that it has the machine for itself; if that does not help, the stage fails and
keeps its pieces. Who does the work (:class:`stages.core.workers.Engine`) decides none of this.
"""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from tqdm import tqdm

from stages.core.attempt import Attempt
from stages.core.console import say
from stages.core.errors import FREE_MEMORY, DataError, SettingsError, UnfinishedError
from stages.core.files import sweep
from stages.core.records import Record
from stages.core.settings import Compute
from stages.core.workers import Engine, ThisProcess, Workers, worker_count

__all__ = ["ATTEMPTS", "MOST_GIVEN_UP", "Outcome", "map_videos", "worker_count"]

Item = TypeVar("Item")

ATTEMPTS: Final = 3  # at one item
MOST_GIVEN_UP: Final = 3  # items; after so many the rest is not tried: the fault is a common one
PAUSE = 1.0  # seconds before an item's last attempt: a network drive may come back meanwhile


@dataclass(frozen=True)
class Outcome:
    """What became of a piece of work per item.

    Attributes
    ----------
    done : dict of str to Path
        The file each finished item wrote, sorted by the item's name.
    failed : dict of str to str
        The reason, in one sentence, for each item that failed, sorted by name.
    hashes : dict of str to str
        SHA-256 of the finished items' files.
    """

    done: dict[str, Path]
    failed: dict[str, str]
    hashes: dict[str, str]


def map_videos(
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    folder: Path,
    *,
    suffix: str,
    workers: int | None,
    description: str,
    compute: Compute | None = None,
    on_device: bool = False,
    initializer: Callable[[], None] | None = None,
    identities: Mapping[str, str] | None = None,
    ended: Callable[[str, str], None] | None = None,
) -> Outcome:
    """Run a function once for every item and collect the files that it writes.

    Parameters
    ----------
    function : callable
        ``function(item, path)`` writes its one result to `path`. A top-level function, for it is
        sent to other processes. A ``DataError`` that it raises is recorded, and the other items go
        on. After anything else the item is tried again, three times in all.
    items : mapping of str to object
        The work by name. A name becomes a file name: no separators in it.
    folder : Path
        Where the pieces go. A piece that was acknowledged, and still has the same bytes, is not
        made again.
    suffix : str
        Ending of the pieces, ``".h5"``.
    workers : int or None
        Processes; None for one per core. With 1 the work is done in this process.
    description : str
        What the progress bar says.
    compute : Compute, optional
        Its engine: where that is Ray, the workers are its workers, as many as it has place for if
        `workers` is None. Without, and with the engine ``local``, processes of this machine.
    on_device : bool
        Whether the function computes on the settings' device, and not on the CPU alone.
    initializer : callable, optional
        Run once in every process before its first item.
    identities : mapping of str to str, optional
        For each item the hash of all that its piece is made from, in a folder whose pieces are
        kept: a piece of another identity is made again, those of no item are removed.
    ended : callable, optional
        Called as an item ends, with its name and why it failed, nothing where it is done. Then no
        bar is shown.

    Returns
    -------
    Outcome
        Finished pieces and failures, both sorted by name: nothing depends on the order in which
        the workers finished.

    Raises
    ------
    DataError
        When a name could leave `folder`.
    SettingsError
        The first that the function raises: it would be that of all items.
    UnfinishedError
        When an item was tried three times and failed for another reason than its data. All that
        could be made was made by then, unless the disk is full or three items have failed so.
    """
    for name in items:
        if not name or name.startswith(".") or "/" in name or "\\" in name or "\0" in name:
            raise DataError(f"{name!r} cannot be a file name: rename the video or the annotation.")
    paths = {name: folder / f"{name}{suffix}" for name in sorted(items)}
    sweep(folder)
    record = Record(folder)
    made_of = dict.fromkeys(items, "") if identities is None else identities
    if identities is not None:
        record.keep_only({path.name for path in paths.values()})
    waiting = [name for name, path in paths.items() if not record.knows(path, made_of[name])]
    if identities is not None and len(waiting) < len(paths):
        say(f"{description}: {len(paths) - len(waiting)} of {len(paths)} were made before")
    bar = tqdm(
        total=len(paths),
        initial=len(paths) - len(waiting),
        desc=description,
        unit="item",
        file=sys.stdout,
        mininterval=1.0 if sys.stdout.isatty() else 10.0,
        dynamic_ncols=True,
        disable=ended is not None,
    )
    count = min(worker_count(workers), max(1, len(waiting)))
    engine: Engine
    if compute is not None and compute.engine == "ray" and waiting:
        from stages.core.ray_engine import RayWorkers

        most = min(workers or len(waiting), len(waiting))
        engine = RayWorkers(function, most, initializer, folder, compute, on_device)
    elif count == 1:
        engine = ThisProcess(function, initializer)
    else:
        engine = Workers(function, count, initializer)
    work = _Work(items, paths, record, bar, made_of, ended)
    try:
        with bar:
            work.do(waiting, engine)
    finally:
        engine.close()
    if work.given_up:
        raise UnfinishedError(work.sentence(description))
    done = {name: path for name, path in paths.items() if name not in work.failed}
    hashes = {name: record.hash_of(path) for name, path in done.items()}
    return Outcome(done=done, failed=dict(sorted(work.failed.items())), hashes=hashes)


class _Work:
    """The attempts at some items, and what came of them."""

    def __init__(
        self,
        items: Mapping[str, Any],
        paths: Mapping[str, Path],
        record: Record,
        bar: "tqdm[None]",
        made_of: Mapping[str, str],
        ended: Callable[[str, str], None] | None,
    ) -> None:
        self._items, self._paths, self._record, self._bar = items, paths, record, bar
        self._made_of, self._ended = made_of, ended
        self._tried: Counter[str] = Counter()
        self._waiting: deque[str] = deque()
        self._alone: deque[str] = deque()  # each to be tried while nothing else runs
        self._single = ""  # the last one that was
        self._full = False  # the disk: until an attempt alone finds room, nothing new is begun
        self.failed: dict[str, str] = {}
        self.given_up: dict[str, Attempt] = {}

    def do(self, names: list[str], engine: Engine) -> None:
        """Try all items until each is done, has failed or is given up."""
        self._waiting.extend(names)
        running: set[str] = set()

        def begin(name: str) -> None:
            self._tried[name] += 1
            running.add(name)
            engine.begin(name, self._items[name], self._paths[name])

        while True:
            while self._waiting and engine.free and not self._full:
                begin(self._waiting.popleft())
            if not running:
                if not self._alone or self._hopeless():
                    return
                time.sleep(PAUSE)
                self._single = self._alone.popleft()
                begin(self._single)
            for name, ended in engine.wait():
                running.discard(name)
                self._note(name, ended)

    def _note(self, name: str, ended: Attempt) -> None:
        if name == self._single and ended.kind != "disk":
            self._full = False
        if ended.acknowledgement is not None:
            self._record.add(self._paths[name], ended.acknowledgement, self._made_of[name])
        elif ended.kind == "data":
            self.failed[name] = ended.reason
        elif ended.kind == "settings":
            raise SettingsError(ended.reason)
        elif self._tried[name] >= ATTEMPTS:
            self.given_up[name] = ended
        else:
            self._full |= ended.kind == "disk"
            alone = self._full or self._tried[name] == ATTEMPTS - 1
            (self._alone if alone else self._waiting).append(name)
            return
        self._bar.update()
        if self._ended is not None:
            self._ended(name, ended.reason)

    def _hopeless(self) -> bool:
        full = any(ended.kind == "disk" for ended in self.given_up.values())
        return full or len(self.given_up) >= MOST_GIVEN_UP

    def sentence(self, description: str) -> str:
        """Say what could not be finished, why, and what to do."""
        name, ended = next(iter(self.given_up.items()))
        print(ended.trace, end="", file=sys.stderr, flush=True)
        hint = {
            "disk": f"make room on the disk of {self._paths[name].parent.absolute()}",
            "killed": FREE_MEMORY,
            "memory": FREE_MEMORY,
        }.get(ended.kind, "mend that")
        return (
            f"{description}: {len(self.given_up)} of {len(self._paths)} could not be finished "
            f"in {ATTEMPTS} attempts each. The first is {name}: {ended.reason.rstrip('.')}. The "
            f"fault is not in its data. What is done is kept: {hint}; then run it again."
        )
