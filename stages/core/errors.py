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
# as torch and onnxruntime say it, in errors of kinds of their own
_NO_MEMORY: Final = ("can't allocate memory", "failed to allocate memory", "out of memory")
FREE_MEMORY: Final = (
    "free memory, or set lower what is held at once: `compute.workers` and the `batch` of what was"
    " at work in params.yaml, JOBS of make, --jobs of predict"
)


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
    if is_out_of_memory(error):
        return True
    return isinstance(error, OSError) and error.errno in MACHINE_ERRNOS


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the machine or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text, library = str(error).lower(), type(error).__module__.startswith("onnxruntime")
    return (library or isinstance(error, RuntimeError)) and any(w in text for w in _NO_MEMORY)


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error says so, or one that it followed on: libraries have errors of their own."""
    while error is not None:
        code, text = getattr(error, "errno", None), str(error)
        if code in FULL_DISK or any(os.strerror(known) in text for known in FULL_DISK):
            return True
        error = error.__cause__ or error.__context__
    return False
