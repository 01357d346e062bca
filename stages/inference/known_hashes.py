"""What was found out by reading large files is kept beside the results, by their state on disk.

A line holds the device, inode, size, and times of change of a file's content and entry (mtime,
ctime), and what its bytes gave. Another file of the same name, size and time has another inode
or ctime, and is read. A file whose times are not well before the reading is never noted: another
change within the clock's grain would leave them as they are (git's "racily clean" entries).

The bytes stay the truth: it decides whether work is done already, never whether a file of another
may be written over.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

from stages.core.hashing import file_hash

NAME: Final = ".aufusion-hashes"
HEAD: Final = "AUFusion's hashes of large files, 1; may be deleted\n"
LARGE: Final = 1_000_000  # bytes; less is read as soon as looked up
GRAIN: Final = 2_000_000_000  # nanoseconds: the coarsest file system's (FAT)
_CHECK: Final = 16  # hexadecimal digits at a line's end: of a torn line they are wrong


def _state(path: Path) -> tuple[int, int, int, int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECK]


class KnownHashes:
    """The notes of one folder. Several processes may add to them at a time.

    Parameters
    ----------
    folder : Path
        Of the results. Nothing is written before :meth:`keep`.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        self._known: dict[str, str] = {}
        self._new: list[str] = []
        try:
            text = self._file.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return
        if text.startswith(HEAD):
            for line in text.splitlines()[1:]:
                key, _, rest = line.rpartition(" = ")
                value, _, check = rest.rpartition(" ")
                if check == _check(f"{key} = {value}"):
                    self._known[key] = value

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        return self.recall("sha256", path, file_hash) or ""

    def recall(self, kind: str, path: Path, read: Callable[[Path], str | None]) -> str | None:
        """Return what `read` says of a file, from the notes where the file is as it was.

        Parameters
        ----------
        kind : str
            What `read` finds out, a word.
        path : Path
        read : callable
            None is not noted.

        Raises
        ------
        OSError
            When the file cannot be read.
        """
        state = _state(path)
        if state[2] < LARGE:
            return read(path)
        key = f"{kind} {' '.join(map(str, state))}"
        if key in self._known:
            return self._known[key]
        begun = time.time_ns()
        value = read(path)
        settled = max(state[3:]) + GRAIN < begun and _state(path) == state
        if value is not None and settled:
            self._known[key] = value
            self._new.append(f"{key} = {value}")
        return value

    def keep(self) -> None:
        """Add what is new to the notes, by one write; where that cannot be, it is read again."""
        if not self._new:
            return
        lines = "".join(f"{text} {_check(text)}\n" for text in self._new)
        self._new.clear()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            file = os.open(self._file, flags, 0o666)
        except OSError:
            return
        try:
            begin = os.pread(file, len(HEAD), 0)
            if begin in (b"", HEAD.encode()):  # else it is another's
                os.write(file, (lines if begin else HEAD + lines).encode())
        except OSError:
            pass
        finally:
            os.close(file)


@lru_cache(maxsize=64)
def known_hashes(folder: Path) -> KnownHashes:
    """Return the notes of a folder, read once a process."""
    return KnownHashes(folder)
