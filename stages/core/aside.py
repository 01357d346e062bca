"""Long work of several DVC stages done at once, before the stages put it in place one by one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from stages.core.console import say
from stages.core.errors import SettingsError
from stages.core.hashing import identity_of
from stages.core.parallel import map_videos
from stages.core.partial import partial_folder
from stages.core.settings import Compute
from stages.core.torchrun import use_one_thread

Item = TypeVar("Item")


def asked_jobs(words: Sequence[str], what: str) -> int | None:
    """How many are asked for at once by the first word of a command line; None without a word.

    Parameters
    ----------
    words : sequence of str
        The command line, without the program.
    what : str
        What is done at once, in the plural, for the message.

    Raises
    ------
    SettingsError
        When the word is no number from 1.
    """
    if not words or not words[0]:
        return None
    if not (words[0].isdecimal() and int(words[0]) > 0):
        raise SettingsError(f"{words[0]!r} is no number of {what} at once: 1, 2, ...")
    return int(words[0])


def pays(compute: Compute, count: int, jobs: int) -> bool:
    """Whether it pays: one piece alone its own stage does as well, unless Ray is to do it."""
    return count > 0 and (compute.engine == "ray" or min(count, jobs) > 1)


def do_aside(
    function: Callable[[Item, Path], None],
    items: Mapping[str, Item],
    hashes: Sequence[str],
    *,
    jobs: int,
    compute: Compute,
    name: str,
    what: str,
) -> None:
    """Do the work of several stages, each piece into its own folder of unfinished work.

    What fails is said, and is left to the stage that it belongs to.

    Parameters
    ----------
    function : callable
        ``function(item, path)``, as :func:`stages.core.parallel.map_videos` takes it.
    items : mapping
        Name of each piece, and the piece.
    hashes : sequence of str
        What each piece is made from.
    jobs : int
        How many at once; with Ray it is ``compute.workers`` that says so.
    compute : Compute
    name : str
        Of the command.
    what : str
        Of the progress bar.

    Raises
    ------
    UnfinishedError
        When what is no fault of one piece's own data does not go away; what is finished is kept.
    """
    with partial_folder(name, identity_of(f"stages.{name}", [*hashes])) as folder:
        outcome = map_videos(
            function,
            items,
            folder,
            suffix=".txt",
            workers=compute.workers if compute.engine == "ray" else jobs,
            description=what,
            compute=compute,
            on_device=True,
            initializer=use_one_thread,
        )
    for item, reason in outcome.failed.items():
        say(f"{item}: {reason}")


def places(compute: Compute, jobs: int) -> str:
    """Where pieces are done, for a message."""
    return "by Ray" if compute.engine == "ray" else f"{jobs} at once"
