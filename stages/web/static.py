"""The page's own files and plotly's script, out of installed packages; nothing from elsewhere."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from stages.errors import DataError

PLOTLY: Final = "plotly.min.js"
# What may be asked for below /static/; a name that is not here does not exist.
TYPES: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "requests.js": "text/javascript",
    "words.js": "text/javascript",
    "upload.js": "text/javascript",
    "videos.js": "text/javascript",
    "player.js": "text/javascript",
    "track.js": "text/javascript",
    "timeline.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    PLOTLY: "text/javascript",
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
    body = _plotly() if name == PLOTLY else page(name).encode()
    return Static(body, gzip.compress(body, 6, mtime=0), TYPES[name])


def page(name: str) -> str:
    """Text of a file of the folder ``page`` of this package."""
    return files("stages.web").joinpath("page", name).read_text(encoding="utf-8")


def _plotly() -> bytes:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise DataError("The package plotly is not installed: run `make setup`.")
    return (Path(spec.origin).parent / "package_data" / PLOTLY).read_bytes()
