"""Folders of unfinished work, ``.partial/STAGE``: one run of a stage at a time works there."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stages.core.console import say

PARTIAL = Path(".partial")  # next to params.yaml; git and DVC ignore it
KEPT: Final = "kept"  # folder there of the pieces that outlive their stage


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
    with _own_folder(stage, identity) as folder:
        if any(folder.iterdir()):
            say(f"{stage}: continuing where an earlier run stopped")
        yield folder
        if not keep:
            shutil.rmtree(folder)


@contextlib.contextmanager
def kept_folder(stage: str) -> Iterator[Path]:
    """Folder for the pieces of one stage that stay when it is done: a new item then costs one.

    Who works there gives each item an identity of its own; see :func:`map_videos`. The stage's
    output is made of hard links to the pieces, where the file system has them.

    Parameters
    ----------
    stage : str
        Name of the stage, as in ``dvc.yaml``.

    Yields
    ------
    Path
        The folder, ``.partial/STAGE/kept``.
    """
    with _own_folder(stage, KEPT) as folder:
        yield folder


@contextlib.contextmanager
def _own_folder(stage: str, name: str) -> Iterator[Path]:
    """One folder of a stage, the only one, held against another run of the same stage."""
    home = PARTIAL / stage
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # DVC was killed and its child lives on: two writers must not meet
            say(f"{stage}: an earlier run of this stage is still at work; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        folder = home / name
        for other in home.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)
        folder.mkdir(exist_ok=True)
        yield folder
