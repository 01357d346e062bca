"""Writing files and folders so that others see them whole or not at all, and never mixed.

Whatever is written gets a temporary name first, in the folder where it is to go, and takes its
place by one rename. The name holds the machine, the process and a random part, so that no two
writers share it. What a killed process left behind is removed by the next that writes the same.
"""

import contextlib
import csv
import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from stages.core.errors import DataError

_MARK: Final = ".aufusion"
_TEMPORARY: Final = re.compile(
    rf"{re.escape(_MARK)}-(?P<target>[0-9a-f]{{16}})-(?P<machine>[0-9a-f]{{8}})-(?P<pid>[0-9]+)"
    r"-[0-9a-f]{16}(\.\w{1,12})?"
)
_TRIALS: Final = 100  # to open a lock whose holders come and go
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of some network drives


@cache
def machine() -> str:
    """Mark of this machine, or of this container, in the names of temporary files."""
    # process numbers mean something within one machine and one container alone
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()}/{space}".encode()).hexdigest()[:8]


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def temporary_path(path: Path) -> Path:
    """Name in the same folder for what is to become `path`: hidden, short, and nobody else's.

    It ends like `path`, for writers that tell the format by that.
    """
    ending = path.suffix if re.fullmatch(r"\.\w{1,12}", path.suffix) else ""
    unique = f"{machine()}-{os.getpid()}-{secrets.token_hex(8)}"
    return path.with_name(f"{_MARK}-{_digest(path.name)}-{unique}{ending}")


def is_temporary(path: Path) -> bool:
    """Whether a name is one of :func:`temporary_path`."""
    return _TEMPORARY.fullmatch(path.name) is not None


def temporaries(folder: Path, *names: str) -> list[Path]:
    """Temporary files and folders in `folder`, of any process: for `names`, or for all names."""
    wanted = {_digest(name) for name in names}
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            parts = entry.name.startswith(_MARK) and _TEMPORARY.fullmatch(entry.name)
            if parts and (not names or parts["target"] in wanted):
                found.append(folder / entry.name)
    return sorted(found)


def _is_dead(temporary: Path) -> bool:
    parts = _TEMPORARY.fullmatch(temporary.name)
    if parts is None or parts["machine"] != machine():
        return False
    try:
        os.kill(int(parts["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def remove(path: Path) -> None:
    """Remove a file or a folder that may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(folder: Path, *names: str, pid: int | None = None, of: str = "") -> None:
    """Remove what dead processes of this machine left in `folder`, for `names` or for all names.

    Parameters
    ----------
    folder : Path
    *names : str
        Of the files that were to be written.
    pid : int, optional
        Remove what this one process left, and nothing else.
    of : str
        Its machine's :func:`machine`; that of this one where left out.
    """
    for path in temporaries(folder, *names):
        parts = _TEMPORARY.fullmatch(path.name)
        assert parts is not None
        ours = parts["machine"] == (of or machine()) and int(parts["pid"]) == pid
        if ours if pid is not None else _is_dead(path):
            remove(path)


@contextlib.contextmanager
def replacing(path: Path, *, tidy: bool = True) -> Iterator[Path]:
    """Write a file that takes its place, and that of an earlier one, at once.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    tidy : bool
        Remove what killed processes left of the same file. It takes a look at the whole folder:
        not for thousands of files.

    Yields
    ------
    Path
        Where to write. The block's end renames it to `path`; an exception removes it, and leaves
        `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if tidy:
        sweep(path.parent, path.name)
    temporary = temporary_path(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that takes its place, and that of an earlier one, by one rename.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        An empty folder. The block's end renames it to `path`; an exception removes it, and leaves
        `path` as it was. A kill between the two renames leaves no folder, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    fresh, old = temporary_path(path), temporary_path(path)
    fresh.mkdir()
    try:
        yield fresh
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            path.rename(old)
        fresh.rename(path)
    finally:
        remove(fresh)
        remove(old)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any, **options: Any) -> None:
    """Write JSON, indented, with a line's end after it; `options` are those of ``json.dumps``."""
    write_text(path, json.dumps(content, **{"indent": 2, **options}) + "\n")


def write_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write the rows of a CSV file, its heading first, whole or not at all."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or make a copy where the file system cannot; never replace."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def sync(path: Path) -> None:
    """Wait until a file's bytes are on the disk: a crash of the machine leaves them whole."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def claim(path: Path, otherwise: str) -> Iterator[bool]:
    """Hold a file, or all files of a name, against other processes of whatever machine.

    Parameters
    ----------
    path : Path
        What is claimed; it need not exist. Missing folders are made, and removed again where
        nothing has come into them.
    otherwise : str
        What the user is told if another process has it.

    Yields
    ------
    bool
        Whether the claim holds: on file systems without locks it cannot.

    Raises
    ------
    DataError
        `otherwise`, when another process has it.

    Notes
    -----
    The claim is a lock of the kernel on a hidden file beside `path`: it ends with the process,
    however that ends.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    lock = path.with_name(f"{_MARK}-{_digest(path.name)}.lock")
    file, held = _lock(lock, otherwise)
    try:
        yield held
    finally:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)  # while it is still held: see `_lock`
        os.close(file)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _lock(lock: Path, otherwise: str) -> tuple[int, bool]:
    """Open and lock a file; the one that bears the name afterwards is the one that is locked."""
    for trial in itertools.count(1):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # another has just ended and removed the folder
            if trial == _TRIALS:
                raise
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_ino == lock.stat().st_ino:
                return file, True
        except BlockingIOError:
            os.close(file)
            raise DataError(otherwise) from None
        except FileNotFoundError:  # its holder has just ended and removed it
            pass
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return file, False
            os.close(file)
            raise
        os.close(file)
    raise AssertionError("counting does not end")
