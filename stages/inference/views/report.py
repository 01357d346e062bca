"""One offline HTML page a video: `aufusion predict --report`.

In: the video, its NAME.parquet and, where it lies beside, NAME.json. Out: one file that asks no
other host for anything. It holds the timeline (:mod:`stages.inference.views.fragment`), the live
bars and the moments; the video itself is named by its path from the page, or embedded.
"""

import base64
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import INTENSITY_MAX
from stages.core.hashing import file_hash
from stages.inference.footage import File, player_start, section_of
from stages.inference.outputs import sealing
from stages.inference.results import read_about, read_faces, read_rows
from stages.inference.seals import remark
from stages.inference.sources import printable
from stages.inference.views.fragment import (
    plotly_script,
    timeline_fragment,
    timeline_script,
    timeline_style,
)
from stages.inference.views.timeline import (
    add_pictures,
    make_timeline,
    thresholds_of,
    wanted_frames,
)
from stages.videos.audio import RATE
from stages.videos.photo import is_photo, read_photo

Face = tuple[int, int, NDArray[np.uint8]]  # frame, person, picture
Faces = Callable[[set[int]], Iterable[Face]]

SHOWN_SIDE = 1280  # pixels of the longer side of a photo on its page
EMBED_LIMIT = 64 * 2**20  # bytes; a page with more becomes hard to open
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}
CANNOT_PLAY = (
    "This browser cannot play the video: it is no longer where the page expects it, or its format "
    "is none that this browser plays. The timeline works without it; `aufusion predict --overlay` "
    "writes a copy in a format that browsers play."
)

_SCALE = (
    f"Intensity, 0 to {INTENSITY_MAX:g}; an action unit is present, and orange, from the mark on."
)

STYLE = """
:root { --page: #fff; --text: #1d2733; --faint: #5b6673; --rule: #e3e7ec; --note: #fdf3e4;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --page: #1a2129; --text: #e6ebf1; --faint: #a7b3c1; --rule: #364250; --note: #3a2a17; }
}
*, *::before { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  margin: 0 auto; max-width: 78rem; padding: .8rem 1rem 3rem; }
h1 { font-size: 1.35rem; margin: .2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
.facts { color: var(--faint); margin: 0 0 .8rem; }
.note { background: var(--note); border-left: 4px solid #d9822b; padding: .45rem .8rem;
  margin: .5rem 0; }
.top { display: grid; grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); gap: 1.2rem;
  align-items: start; margin-bottom: 1rem; }
.player video, .player img { display: block; width: 100%; max-height: 26rem; background: #14181d;
  border-radius: .4rem; object-fit: contain; }
.player [hidden] { display: none; }
.made { overflow-x: auto; } .made table { border-collapse: collapse; font-size: .9rem; }
.made th, .made td { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
.made th { font-weight: 500; white-space: nowrap; color: var(--faint); }
summary { cursor: pointer; min-height: 2rem; }
@media (max-width: 760px) {
  body { padding: .5rem .7rem 2rem; }
  .top { grid-template-columns: minmax(0, 1fr); gap: .6rem; }
  .player { position: sticky; top: 0; z-index: 5; background: var(--page); padding-bottom: .3rem; }
  .player:has(#problem:not([hidden])) { position: static; }
  .top { display: contents; }
  .player video, .player img { max-height: 32vh; }
  /* what has the focus is not behind the player */
  html:not(:has(#problem:not([hidden]))) { scroll-padding-top: 34vh; }
}
"""

SCRIPT = """
(() => {
  const video = document.getElementById("video"), data = AUFusion.read("timeline-data");
  AUFusion.bars(document.getElementById("bars"), data, video);
  AUFusion.moments(document.getElementById("moments"), data, video);
  const look = () => {
    // a browser that knows the sound's format and not the picture's plays the sound alone
    const blind = video.readyState > 0 && video.videoWidth === 0;
    if (video.error || blind) document.getElementById("problem").hidden = false;
  };
  video.addEventListener("error", look);
  video.addEventListener("loadedmetadata", look);
  look();
})();
"""


def video_address(video: Path, page: Path, *, embed: bool = False) -> str:
    """Address of a video for a page: its path from there, or the video itself.

    Raises
    ------
    DataError
        When it shall be embedded and is too large, or browsers play no such file.
    """
    if not embed:
        path = Path(os.path.relpath(video.resolve(), page.resolve().parent))
        return quote(os.fsencode(path.as_posix()))
    size = video.stat().st_size
    if size > EMBED_LIMIT:
        raise DataError(
            f"{video} has {size / 2**20:.0f} MiB, too much to be embedded in a page (at most "
            f"{EMBED_LIMIT // 2**20}): leave it beside the page."
        )
    kind = MEDIA_TYPES.get(video.suffix.lower())
    if kind is None:
        raise DataError(
            f"{video} cannot be embedded: browsers play none that ends in {video.suffix or '?'}; "
            f"allowed: {', '.join(MEDIA_TYPES)}."
        )
    return f"data:{kind};base64,{base64.b64encode(video.read_bytes()).decode()}"


def photo_address(photo: Path) -> str:
    """A photo, reduced, as the address of an embedded JPEG: browsers show no TIFF."""
    from PIL import Image

    picture = Image.fromarray(read_photo(photo))
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = BytesIO()
    picture.save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _player(title: str, address: str, photo: bool) -> str:
    name, source = escape(title, quote=True), escape(address, quote=True)
    if photo:  # the element that keeps the place on the timeline stays, unseen
        return f"<img src='{source}' alt='The photo {name}'><video id='video' hidden></video>"
    return (
        f"<video id='video' src='{source}' controls playsinline preload='auto' "
        f"aria-label='The video {name}'></video>"
    )


def _facts(data: Mapping[str, Any], photo: bool) -> str:
    span = data["edges"][-1] - data["edges"][0]
    minutes, seconds = divmod(round(span), 60)
    length = f"{minutes} min {seconds:02d} s" if minutes else f"{span:.1f} s"
    parts = ["photo"] if photo else [length, f"{data['frames']} frames"]
    seen = [track for track in data["tracks"] if track["without_face"] < 1]
    parts.append({0: "no face", 1: "one face"}.get(len(seen), f"{len(seen)} faces"))
    if seen and seen[0]["without_face"]:
        parts.append(f"{100 * seen[0]['without_face']:.1f} % of frames without a face")
    if data["waveform"] is None and not photo:
        parts.append("no sound")
    return ", ".join(parts)


def _columns(data: Mapping[str, Any]) -> str:
    held = data["frames"] / max(len(data["first_frame"]), 1)
    if held <= 1:
        return ""
    return f" Each column shows the largest intensity of its {round(held)} frames."


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, str | int | float) or value is None:
        return "" if value is None else str(value)
    return ", ".join(_plain(one) for one in value) if isinstance(value, Sequence) else str(value)


def _made(about: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(str(key))}</th><td>{escape(_plain(value))}</td></tr>"
        for key, value in about.items()
        if key not in ("warnings", "kind")
    )
    return (
        f"<details><summary>What made this page's figures</summary><div class='made'>"
        f"<table>{rows}</table></div></details>"
    )


def write_report(
    video: Path,
    table: Path,
    out: Path,
    *,
    embed: bool = False,
    title: str | None = None,
    faces: Faces | None = None,
) -> Path:
    """Write the page of one video.

    Parameters
    ----------
    video : Path
        The video that was predicted.
    table : Path
        ``NAME.parquet`` of the prediction; ``NAME.json`` is read where it lies beside.
    out : Path
        HTML file; see :func:`stages.inference.outputs.sealing`.
    embed : bool
        Put the video into the page. Without, the page names its path from `out`.
    title : str, optional
        What the video is called on the page; else the name of its file.
    faces : callable, optional
        Takes numbers of frames, and gives their faces as
        :func:`stages.inference.results.read_faces` does, which is asked else.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        When the video or the table cannot be read, the video is too large to be embedded, or
        `out` cannot be written or is a file that is not ours.
    """
    rows = read_rows(table)
    about = read_about(table.with_suffix(".json")) or {}
    photo, section = is_photo(video), section_of(about)
    address = photo_address(video) if photo else video_address(video, out, embed=embed)
    data = make_timeline(
        rows,
        title=title or printable(video),
        thresholds=thresholds_of(about),
        sound=File(video, section).sound(RATE, []),
        sound_rate=RATE,
        offset=player_start(video),
    )
    wanted = wanted_frames(data)
    add_pictures(data, faces(wanted) if faces else read_faces(video, rows, wanted, section))
    mark = remark("page", file_hash(table))
    with sealing(out) as temporary:
        temporary.write_text(_page(data, about, address, photo, mark), encoding="utf-8")
    return out


def _page(
    data: Mapping[str, Any], about: Mapping[str, Any], address: str, photo: bool, mark: str
) -> str:
    title = escape(data["title"])
    notes = "".join(f"<p class='note'>{escape(str(one))}</p>" for one in about.get("warnings", ()))
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<meta name='generator' content='{mark}'><link rel='icon' href='data:,'>"
        f"<title>{title}: action units</title><style>{STYLE}{timeline_style()}</style>"
        f"<script>{plotly_script()}</script><script>{timeline_script()}</script></head><body>"
        f"<header><h1>{title}</h1><p class='facts'>{escape(_facts(data, photo))}</p>{notes}"
        "</header><main>"
        "<div class='top'><div class='player'>"
        f"{_player(data['title'], address, photo)}"
        f"<p class='note' id='problem' role='status' hidden>{CANNOT_PLAY}</p></div>"
        "<section aria-label='Intensities at this moment'><div id='bars'></div>"
        f"<p class='facts'>{_SCALE}</p></section></div>"
        "<h2>Timeline</h2><p class='facts'>Click to go there; drag, or Ctrl and the wheel, to zoom."
        f"{_columns(data)}</p>"
        f"{timeline_fragment(data, 'timeline', 'video')}"
        "<h2>Where each action unit is strongest</h2><ul id='moments'></ul>"
        f"<h2>Origin</h2>{_made(about)}</main><script>{SCRIPT}</script></body></html>\n"
    )
