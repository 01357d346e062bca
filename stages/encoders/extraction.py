"""What the stages `visual` and `audio` share: from one piece a video to one store an encoder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from stages.core.attempts import try_again
from stages.core.console import say
from stages.core.errors import DataError
from stages.core.feature_store import VIDEOS, shard_path, write_index
from stages.core.files import link_or_copy, replacing_folder
from stages.core.parallel import map_videos, worker_count
from stages.core.partial import kept_folder
from stages.core.settings import Compute
from stages.core.torchrun import use_one_thread

Item = TypeVar("Item")


def make_store(
    path: Path,
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    stage: str,
    identities: Mapping[str, str],
    compute: Compute,
    workers: int | None,
    frames: int,
    worth_a_worker: int,
) -> None:
    """Encode every video and assemble the store.

    Parameters
    ----------
    path : Path
        The store's folder.
    function : callable
        ``function(item, path)`` writes the features of one item, a shard of the store.
    items : mapping of str to object
        The work by name.
    names : mapping of str to sequence of str, optional
        The entries of the manifest that each video of a shard serves; itself where left out.
    stage : str
        As DVC calls it: ``visual@ires100``.
    identities : mapping of str to str
        Of each item, see :func:`stages.core.hashing.identities_of`: one that is as it was when it
        was last encoded is not encoded again.
    compute : Compute
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
    most, everywhere = 1 + frames // worth_a_worker, compute.engine == "ray" and workers is None
    with kept_folder(stage) as folder:
        outcome = map_videos(
            function,
            items,
            folder,
            suffix=".h5",
            workers=most if everywhere else min(worker_count(workers), most),
            description=stage,
            compute=compute,
            on_device=True,
            initializer=use_one_thread,
            identities=identities,
        )
        failures = [f"  {name}: {reason}" for name, reason in outcome.failed.items()]
        if not outcome.done:
            raise DataError("\n".join([f"{stage}: no video could be encoded:", *failures]))
        with replacing_folder(path) as fresh:
            (fresh / VIDEOS).mkdir()
            for name, piece in outcome.done.items():
                link_or_copy(piece, shard_path(fresh, name))
            rows = write_index(fresh, {}, outcome.hashes, names)
        entries = sum(1 if names is None else len(names[key]) for key in outcome.done)
        say(f"{path}: {rows} frames of {entries} entries; {len(failures)} failed")
        for line in failures:
            say(line)
        if failures:
            try_again(stage.partition("@")[0])
