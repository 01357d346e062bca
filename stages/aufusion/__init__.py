"""Facial action units of photos and videos, from picture and sound.

>>> import aufusion
>>> table = aufusion.predict("video.mp4")  # doctest: +SKIP
>>> aufusion.plot(table)  # doctest: +SKIP
"""

from stages.api.comparing import compare, evaluate
from stages.api.plotting import plot
from stages.api.predicting import predict
from stages.api.streaming import Stream, stream
from stages.core.errors import DataError, SettingsError

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
