"""The page's own files and plotly's script, out of installed packages; nothing from elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from stages.inference.views.fragment import plotly_script, timeline_script, timeline_style

# What may be asked for below /static/; a name that is not here does not exist.
TYPES: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "requests.js": "text/javascript",
    "words.js": "text/javascript",
    "upload.js": "text/javascript",
    "videos.js": "text/javascript",
    "player.js": "text/javascript",
    "controls.js": "text/javascript",
    "focus.js": "text/javascript",
    "beside.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "demo.mp4": "video/mp4",  # a clip of the generated corpus
    "plotly.min.js": "text/javascript",
    "timeline.js": "text/javascript",
    "timeline.css": "text/css",
}
_MADE: Final[dict[str, Callable[[], str]]] = {
    "plotly.min.js": plotly_script,
    "timeline.js": timeline_script,
    "timeline.css": timeline_style,
}


@dataclass(frozen=True)
class Static:
    """A file that never changes while the server runs.

    Attributes
    ----------
    body : bytes
    packed : bytes
        The same, by gzip.
    media_type : str
    """

    body: bytes
    packed: bytes
    media_type: str


@cache
def static_file(name: str) -> Static:
    """Read a file of the page.

    Parameters
    ----------
    name : str
        A key of `TYPES`.
    """
    body = _MADE[name]().encode() if name in _MADE else _file(name)
    return Static(body, gzip.compress(body, 6, mtime=0), TYPES[name])


def page(name: str) -> str:
    """Text of a file of the folder ``page`` of this package."""
    return _file(name).decode("utf-8")


def _file(name: str) -> bytes:
    return files("stages.inference.web").joinpath("page", name).read_bytes()
