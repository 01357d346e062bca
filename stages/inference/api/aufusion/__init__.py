"""Facial action units of photos and videos, from picture and sound.

>>> import aufusion
>>> table = aufusion.predict("video.mp4")  # doctest: +SKIP
>>> aufusion.plot(table)  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

from stages.core.errors import DataError, SettingsError

if TYPE_CHECKING:
    from stages.inference.api.comparing import compare, evaluate
    from stages.inference.api.plotting import plot
    from stages.inference.api.predicting import predict
    from stages.inference.api.streaming import Stream, stream

__all__ = [
    "DataError",
    "SettingsError",
    "Stream",
    "compare",
    "evaluate",
    "plot",
    "predict",
    "stream",
]

# imported once they are used: torch and the encoders' libraries take seconds
_MODULES = {
    "Stream": "streaming",
    "compare": "comparing",
    "evaluate": "comparing",
    "plot": "plotting",
    "predict": "predicting",
    "stream": "streaming",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'aufusion' has no attribute {name!r}")
    value: object = getattr(import_module(f"stages.inference.api.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
