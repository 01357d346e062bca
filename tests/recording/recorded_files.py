"""Record which files a stage's processes read, write, list and look for, and which settings.

Started by `sitecustomize` in every Python that has this folder on PYTHONPATH and AUFUSION_RECORD,
a folder for the logs, in its environment. It does nothing but in `python -m stages.STAGE` and in
the processes that such a one starts. A line of a log is JSON: stage, kind, path below the folder
that the stage was started in (or absolute, where it lies elsewhere), and who of us did it.

An audit hook sees all that Python does; libraries that open files by themselves are wrapped.
"""

import importlib.abc
import json
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from recorded_libraries import LIBRARIES

PACKAGE = "stages."
MAIN = ("__main__", "__mp_main__")  # the latter in worker processes
FOLDER, STAGE, ROOT = "AUFUSION_RECORD", "AUFUSION_RECORD_STAGE", "AUFUSION_RECORD_ROOT"
STANDARD = os.path.dirname(os.__file__)  # the standard library ...
INSTALLED = f"{STANDARD}/site-packages"  # ... and what may lie within
CHANGES = ("os.truncate", "os.utime", "os.chmod", "os.chown", "os.setxattr", "sqlite3.connect")
_os_open, _os_stat = os.open, os.stat


class Log:
    """What one process was seen to do, each thing once."""

    def __init__(self) -> None:
        self.stage, self.root = os.environ[STAGE], os.environ[ROOT]
        name = os.path.join(os.environ[FOLDER], f"{os.getpid()}-{os.urandom(4).hex()}.jsonl")
        self._file = _os_open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, kind: str, what: str, by: str) -> None:
        if (kind, what, by) not in self._seen:
            self._seen.add((kind, what, by))
            row = {"stage": self.stage, "kind": kind, "what": what, "by": by}
            os.write(self._file, (json.dumps(row) + "\n").encode())

    def path(self, kind: str, path: Any, folder: int | None = None) -> None:
        """Add a file, by its name; `folder` is an open one that the name is relative to."""
        if isinstance(path, int) or path is None:
            path = "." if path is None else _of_descriptor(path)
        elif not isinstance(path, (str, bytes, os.PathLike)):
            return  # a file that is open, or none at all
        name = os.fsdecode(path)
        if folder not in (None, -1) and not os.path.isabs(name):
            name = os.path.join(_of_descriptor(folder), name)
        name = os.path.abspath(name)
        if name.startswith(f"{self.root}/.venv/"):
            return  # installed packages
        if name == self.root or name.startswith(self.root + os.sep):
            self.add(kind, os.path.relpath(name, self.root), _who())
        elif kind == "write":
            self.add(kind, name, _who())


def _of_descriptor(number: Any) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return "/"


def _is_ours() -> bool:
    """Whether one of our functions asked, and not a library that looks for its own files."""
    frame = sys._getframe(2)
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_globals.get("__name__", "")
        if name in MAIN or name.startswith(PACKAGE):
            return True
        ours = file.startswith(("<frozen ", STANDARD, __file__))
        if not ours or file.startswith(("<frozen importlib", INSTALLED)):
            return False  # a library, or the import system
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _who() -> str:
    """The innermost of our functions that are at work."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name in MAIN and (spec := frame.f_globals.get("__spec__")):
            name = spec.name
        if name.startswith(PACKAGE):
            return f"{name}:{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


class _Busy(threading.local):
    within = False  # a wrapper that has recorded it already


_busy = _Busy()


def _hook(log: Log) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if not _busy.within and not isinstance(args[0], int):
                _opened(log, args[0], args[2])
        elif event in ("os.listdir", "os.scandir"):
            if _is_ours():
                log.path("list", args[0])
        elif event == "os.rename":
            log.path("write", args[0], args[2])
            log.path("write", args[1], args[3])
        elif event in ("os.remove", "os.rmdir"):
            log.path("write", args[0], args[1])
        elif event == "os.mkdir":
            log.path("mkdir", args[0], args[2])
        elif event == "os.link":
            log.path("read", args[0], args[2])
            log.path("write", args[1], args[3])
        elif event == "os.symlink":
            log.path("write", args[1], args[2])
        elif event in CHANGES:
            log.path("write", args[0])
        elif event == "subprocess.Popen":
            words = [args[1]] if isinstance(args[1], (str, bytes, os.PathLike)) else args[1]
            log.add("run", " ".join(map(os.fsdecode, words)), _who())

    return hook


def _opened(log: Log, path: Any, flags: int, folder: int | None = None) -> None:
    access = flags & os.O_ACCMODE
    if access in (os.O_RDONLY, os.O_RDWR) and not flags & os.O_TRUNC:
        log.path("read", path, folder)
    if access != os.O_RDONLY:
        log.path("write", path, folder)


def _wrap_os(log: Log) -> None:
    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        _opened(log, path, flags, dir_fd)  # the hook would not know the folder
        _busy.within = True
        try:
            return _os_open(path, flags, mode, dir_fd=dir_fd)
        finally:
            _busy.within = False

    def stat(path: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> os.stat_result:
        if not isinstance(path, int) and _is_ours():
            log.path("look", path, dir_fd)
        return _os_stat(path, *args, dir_fd=dir_fd, **options)

    for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        known.update(
            {_os_open: opened, _os_stat: stat}[one] for one in known & {_os_open, _os_stat}
        )
    os.open, os.stat = opened, stat  # type: ignore[assignment]


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps libraries, and our reader of the settings, as soon as they are imported."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in LIBRARIES and not name.startswith(PACKAGE):
            return None
        others = (one for one in sys.meta_path if one is not self)
        specs = (one.find_spec(name, path, target) for one in others)
        spec = next((one for one in specs if one is not None), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._imported(name, module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _imported(self, name: str, module: ModuleType) -> None:
        if name in LIBRARIES:
            LIBRARIES[name](self._log, module)
        load = getattr(module, "load_params", None)
        if load is not None and load.__module__ == name:
            import recorded_settings

            module.load_params = recorded_settings.recording(load)  # type: ignore[attr-defined]


_log: Log | None = None


def setting(key: str) -> None:
    """Add a setting that was read, by its dotted key."""
    if _log is not None:
        _log.add("setting", key, _who())


def begin() -> None:
    """Record this process, if it is a stage's."""
    global _log
    words = sys.orig_argv
    if "-m" in words[1:2] and words[2].startswith(PACKAGE):
        os.environ[STAGE] = " ".join([words[2].removeprefix(PACKAGE), *words[3:]])
        os.environ[ROOT] = os.getcwd()
    elif STAGE not in os.environ or "--multiprocessing-fork" not in words:
        return  # no stage's; or another program that a stage runs, which is recorded as such
    _log = Log()
    sys.meta_path.insert(0, _Finder(_log))
    _wrap_os(_log)
    sys.addaudithook(_hook(_log))
