"""What the stages `visual` and `audio` share: from one piece a video to one store an encoder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from stages.core.console import say
from stages.core.errors import DataError
from stages.core.feature_store import merge_stores
from stages.core.parallel import map_videos, partial_folder, worker_count
from stages.core.torchrun import use_one_thread

Item = TypeVar("Item")


def make_store(
    path: Path,
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    *,
    names: Mapping[str, Sequence[str]],
    stage: str,
    identity: str,
    workers: int | None,
    frames: int,
    worth_a_worker: int,
) -> None:
    """Encode every video and assemble the store.

    Parameters
    ----------
    path : Path
        The store.
    function : callable
        ``function(item, path)`` writes the features of one item, a store of one dataset.
    items : mapping of str to object
        The work by name.
    names : mapping of str to sequence of str
        The entries of the manifest that each item serves.
    stage : str
        As DVC calls it: ``visual@ires100``.
    identity : str
        See :func:`stages.core.hashing.identity_of`.
    workers : int or None
        See :func:`stages.core.parallel.map_videos`.
    frames : int
        Frames of all items.
    worth_a_worker : int
        Frames that take about as long as a process takes to start: for fewer, none is started.

    Raises
    ------
    DataError
        When no item could be encoded.
    """
    with partial_folder(stage, identity) as folder:
        outcome = map_videos(
            function,
            items,
            folder,
            suffix=".h5",
            workers=min(worker_count(workers), 1 + frames // worth_a_worker),
            description=stage,
            initializer=use_one_thread,
        )
        failures = [f"  {name}: {reason}" for name, reason in outcome.failed.items()]
        if not outcome.done:
            raise DataError("\n".join([f"{stage}: no video could be encoded:", *failures]))
        rows = merge_stores(path, outcome.done, names)
        entries = sum(len(names[key]) for key in outcome.done)
        say(f"{path}: {rows} frames of {entries} entries; {len(failures)} failed")
        for line in failures:
            say(line)
