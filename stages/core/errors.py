"""The three errors that are meant for the user's eyes: a sentence, no traceback.

A video that fails is either of the two kinds that decide what happens next. ``DataError``: its own
data are wrong, and would be so again. All else that may go wrong in work on it (a worker killed
for want of memory, a full disk, a stale file of a network drive) is no property of the video: it
is tried again, and ends in ``UnfinishedError`` if it stays.
"""

import errno
import os
from typing import Final

MACHINE_ERRNOS: Final = frozenset(
    (
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOLCK,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    )
)
FULL_DISK: Final = frozenset((errno.EDQUOT, errno.ENOSPC, errno.EROFS))


class DataError(Exception):
    """Something is wrong with the user's data: what, where, and what to do about it."""


class SettingsError(Exception):
    """Something is wrong with a setting: which one, and the values that are allowed."""


class UnfinishedError(Exception):
    """The machine kept work from being finished: what is done is kept, run it again."""


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error speaks of the machine (memory, disks, network drives), not of the data.

    Who turns an ``OSError`` into a sentence about somebody's file lets these pass.
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OSError) and error.errno in MACHINE_ERRNOS


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error says so, or one that it followed on: libraries have errors of their own."""
    while error is not None:
        code, text = getattr(error, "errno", None), str(error)
        if code in FULL_DISK or any(os.strerror(known) in text for known in FULL_DISK):
            return True
        error = error.__cause__ or error.__context__
    return False
