"""Libraries that open files by themselves, unseen by Python's audit hook: wrapped, they tell."""

import functools
from types import ModuleType
from typing import Any, Protocol


class Log(Protocol):
    """Where they tell it."""

    def path(self, kind: str, path: Any) -> None: ...


def _function(log: Log, module: ModuleType, name: str, kind: str, position: int = 0) -> None:
    """Wrap a function, or a class, whose argument at `position` names a file."""
    original = getattr(module, name, None)
    if original is None:  # not in every build, or not yet
        return

    @functools.wraps(original, updated=())
    def wrapped(*args: Any, **options: Any) -> Any:
        if len(args) > position:
            log.path(kind, args[position])
        else:
            log.path(kind, next((v for k, v in options.items() if "file" in k or k == "f"), 0))
        return original(*args, **options)

    setattr(module, name, wrapped)


def _h5py(log: Log, module: ModuleType) -> None:
    original = module.File.__init__

    @functools.wraps(original)
    def wrapped(self: Any, name: Any, mode: str = "r", *args: Any, **options: Any) -> None:
        if set(mode) & set("ra"):
            log.path("read", name)
        if set(mode) & set("wax+"):
            log.path("write", name)
        original(self, name, mode, *args, **options)

    module.File.__init__ = wrapped


def _av(log: Log, module: ModuleType) -> None:
    original = module.open

    @functools.wraps(original)
    def wrapped(file: Any, mode: Any = None, *args: Any, **options: Any) -> Any:
        name = file.removeprefix("file:") if isinstance(file, str) else file
        log.path("write" if mode and "w" in mode else "read", name)
        return original(file, mode, *args, **options)

    module.open = wrapped


def _safetensors(log: Log, module: ModuleType) -> None:
    _function(log, module, "safe_open", "read")
    _function(log, module, "serialize_file", "write", 1)


def _torch(log: Log, module: ModuleType) -> None:
    _function(log, module, "save", "write", 1)
    _function(log, module, "load", "read")
    _function(log, module, "from_file", "read")


def _cv2(log: Log, module: ModuleType) -> None:
    for name in ("imread", "imreadmulti", "VideoCapture", "CascadeClassifier"):
        _function(log, module, name, "read")
    for name in ("imwrite", "VideoWriter"):
        _function(log, module, name, "write")
    if hasattr(module, "dnn"):
        for name in ("readNet", "readNetFromONNX"):
            _function(log, module.dnn, name, "read")


def _onnxruntime(log: Log, module: ModuleType) -> None:
    original = module.InferenceSession.__init__

    @functools.wraps(original)
    def wrapped(self: Any, path_or_bytes: Any, *args: Any, **options: Any) -> None:
        if not isinstance(path_or_bytes, bytes):
            log.path("read", path_or_bytes)
        original(self, path_or_bytes, *args, **options)

    module.InferenceSession.__init__ = wrapped


def _parquet(log: Log, module: ModuleType) -> None:
    for name in ("read_table", "ParquetFile"):
        _function(log, module, name, "read")
    _function(log, module, "write_table", "write", 1)
    _function(log, module, "ParquetWriter", "write")


LIBRARIES = {
    "av": _av,
    "cv2": _cv2,
    "h5py": _h5py,
    "onnxruntime": _onnxruntime,
    "pyarrow.parquet": _parquet,
    "safetensors": _safetensors,
    "torch": _torch,
}
