"""The timeline as a piece of a page: 12 AUs over face thumbnails and the sound, on one time axis.

The report and the web page show the same timeline. The interface:

- ``stages.inference.views.timeline.make_timeline(rows, ...)`` gives a dict that JSON can hold: all
that
  the page draws, with at most 3000 columns however long the video is. A server can hand it out.
- ``timeline_fragment(data, ident, video)`` gives the HTML of one timeline that drives the
  ``<video>`` element with the id `video`. The page around it needs, once, ``timeline_style()`` in
  a ``<style>``, and ``plotly_script()`` and ``timeline_script()`` each in a ``<script>`` (or the
  same texts from addresses of its own server).
- A page that fetches the data itself calls, in JavaScript, ``AUFusion.timeline(element, data,
  video)`` on an empty element; it returns ``{seek(seconds), resize(), destroy()}``.
  ``AUFusion.bars(element, data, video)`` draws the live bars of the 12 AUs, and
  ``AUFusion.moments(list, data, video)`` the moments where each AU is strongest, into a ``<ul>``;
  both return ``{destroy()}``. Seconds are those of the file's clock, and ``data.offset`` is where
  the file begins. A `video` that cannot play still has a place that all three follow.
"""

import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any


@cache
def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def timeline_script() -> str:
    """JavaScript that defines `AUFusion`."""
    return _beside("player.js") + _beside("timeline.js")


def timeline_style() -> str:
    """CSS of what `AUFusion` draws."""
    return _beside("timeline.css")


@cache
def plotly_script() -> str:
    """Return plotly.js as the installed package has it."""
    file = resources.files("plotly") / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8")


def script_json(data: object) -> str:
    """JSON that may stand inside a ``<script>``: no text in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def timeline_fragment(data: Mapping[str, Any], ident: str, video: str) -> str:
    """HTML of one timeline.

    Parameters
    ----------
    data : mapping
        Of :func:`make_timeline`.
    ident : str
        Id of the fragment's element; each fragment of a page has one of its own.
    video : str
        Id of the ``<video>`` element that it drives.

    Returns
    -------
    str
    """
    name = escape(ident, quote=True)
    called = script_json([ident, f"{ident}-data", video])
    return (
        f'<section class="auf-timeline" id="{name}" aria-label="Timeline of 12 action units">'
        "</section>"
        f'<script type="application/json" id="{name}-data">{script_json(data)}</script>'
        f"<script>AUFusion.start(...{called})</script>"
    )
