"""Settings that say which of their keys were read: what `load_params` returns, and its copies.

A value that is read is recorded by its dotted key, ``crop.detector``; what reads a section as a
whole (writes it down, compares it) by the section's. To go through the names of a section that has
one entry per encoder is to read that section.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import recorded_files
from pydantic import BaseModel

_known: dict[int, tuple[Any, str]] = {}  # the objects are kept, so that no number is used twice
_watched: set[type] = set()


def _inside(path: str, name: Any) -> str:
    return f"{path}.{name}" if path else str(name)


class Names(dict[str, Any]):
    """A section with one entry per encoder, run or network."""

    path = ""

    def _all(self) -> None:
        recorded_files.setting(self.path)

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if not isinstance(value, (BaseModel, Names)):
            recorded_files.setting(_inside(self.path, name))
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - it would call itself

    def __contains__(self, name: object) -> bool:
        recorded_files.setting(_inside(self.path, name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._all()
        return super().__iter__()

    def __len__(self) -> int:
        self._all()
        return super().__len__()

    def keys(self) -> Any:
        self._all()
        return super().keys()

    def items(self) -> Any:
        self._all()
        return super().items()

    def values(self) -> Any:
        self._all()
        return super().values()

    def __reduce__(self) -> Any:
        return _names, (dict(dict.items(self)), self.path)


def _names(content: dict[str, Any], path: str) -> Names:
    made = Names(content)
    made.path = path
    return made


def _built(kind: type[BaseModel], state: dict[str, Any], path: str) -> BaseModel:
    """Make a section anew, in another process."""
    made = kind.__new__(kind)
    made.__setstate__(state)  # type: ignore[no-untyped-call]
    return _remember(made, path)


def _remember(section: BaseModel, path: str) -> BaseModel:
    _known[id(section)] = (section, path)
    _watch(type(section))
    return section


def watch(value: Any, path: str = "") -> Any:
    """Record from now on what is read of a section and of all below it."""
    if isinstance(value, BaseModel):
        for name, child in value.__dict__.items():
            value.__dict__[name] = watch(child, _inside(path, name))
        return _remember(value, path)
    if isinstance(value, Mapping):
        return _names({name: watch(one, _inside(path, name)) for name, one in value.items()}, path)
    return value


def _path(section: BaseModel) -> str | None:
    known = _known.get(id(section))
    return known[1] if known is not None and known[0] is section else None


def _watch(kind: type[BaseModel]) -> None:
    """Have a class of sections tell of what is read; those that are not known are silent."""
    kind = [one for one in kind.__mro__ if one.__module__.startswith(recorded_files.PACKAGE)][-1]
    if kind in _watched:
        return
    _watched.add(kind)
    fields = object.__getattribute__

    def read(self: BaseModel, name: str) -> Any:
        value = fields(self, name)
        if not name.startswith("_") and name in fields(self, "__dict__"):
            path = _path(self)
            if path is not None and not isinstance(value, (BaseModel, Names)):
                recorded_files.setting(_inside(path, name))
        return value

    def whole(name: str) -> Any:
        original = getattr(kind, name)

        @functools.wraps(original)
        def wrapped(self: BaseModel, *args: Any, **options: Any) -> Any:
            path = _path(self)
            if path is not None:
                left_out = options.get("exclude") or set()
                for key in fields(self, "__dict__"):
                    if key not in left_out:
                        recorded_files.setting(_inside(path, key))
            return original(self, *args, **options)

        return wrapped

    def copied(name: str) -> Any:
        original = getattr(kind, name)

        @functools.wraps(original)
        def wrapped(self: BaseModel, *args: Any, **options: Any) -> BaseModel:
            path, made = _path(self), original(self, *args, **options)
            return made if path is None else _remember(made, path)

        return wrapped

    def reduced(self: BaseModel, protocol: Any = None) -> Any:
        path = _path(self)
        if path is None:
            return object.__reduce_ex__(self, 2)
        return _built, (type(self), self.__getstate__(), path)

    for name in ("model_dump", "model_dump_json", "__eq__", "__repr__", "__iter__"):
        setattr(kind, name, whole(name))
    for name in ("model_copy", "__copy__", "__deepcopy__"):
        setattr(kind, name, copied(name))
    kind.__reduce_ex__ = reduced  # type: ignore[method-assign,assignment]
    kind.__getattribute__ = read  # type: ignore[method-assign]


def recording(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the reader of the settings."""

    @functools.wraps(load)
    def wrapped(*args: Any, **options: Any) -> Any:
        return watch(load(*args, **options))

    return wrapped
