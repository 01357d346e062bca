"""The video with what was predicted drawn into it: `aufusion predict --overlay`.

In: the video and its NAME.parquet. Out: of a photo a JPEG; else an MP4 file, H.264 (yuv420p) with
the pictures' own presentation times. Sound is copied packet by packet where MP4 players read its
codec, else encoded as AAC, at the times that it has in the video. Pictures and sound are read and
written side by side, so memory does not grow with the length. Pauses of the pictures of more than
a minute are cut to a second; the panel tells the video's own time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.hashing import file_hash
from stages.inference.columns import NO_FACE, NOBODY
from stages.inference.footage import Section, section_frames, section_of
from stages.inference.outputs import sealing
from stages.inference.results import Rows, read_about, read_rows
from stages.inference.seals import remark
from stages.inference.views.drawing import BLUE, DARK, ORANGE, Layout, Panel, draw_face, plan
from stages.inference.views.overlay_sound import BITEXACT, Pauses, Sound
from stages.inference.views.person import faces_of
from stages.inference.views.timeline import levels_told
from stages.videos.clock import Log
from stages.videos.decoding import DEFAULT_FRAME_RATE, frame_rate, open_video
from stages.videos.photo import is_photo, is_picture, read_photo

CLOCK = Fraction(1, 90_000)  # where the video's own time base is finer than MP4 can hold
FINEST = 1_000_000  # ticks a second
# a fixed number of threads: how the work is split shows in the bytes; mbtree reads memory that
# nothing has written
_X264 = {"crf": "21", "preset": "veryfast", "x264-params": "mbtree=0"}
_THREADS = 4


class _ByFrame:
    """Rows of a prediction by the number of their frame."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._main = next(iter(faces_of(rows)), NOBODY)
        self._several = len(faces_of(rows)) > 1
        self.last = int(rows.frame.max(initial=0))

    def draw(
        self,
        image: NDArray[np.uint8],
        place: NDArray[np.uint8],
        layout: Layout,
        panel: Panel,
        number: int,
        time: float | None,
    ) -> None:
        """Draw all that is known of a frame, counted from 1, into it and its picture's place."""
        rows = self._rows
        first, stop = np.searchsorted(rows.frame, (number, number + 1))
        said, main = "no face", None
        for row in range(int(first), int(stop)):
            face = int(rows.face_id[row])
            if face == NOBODY:
                continue
            if face == self._main:
                main = row
            label = ""
            if self._several:
                label = f"{face}"
            draw_face(
                place, layout, rows.box[row], rows.landmarks[row], str(rows.status[row]), label,
                ORANGE if face == self._main else BLUE,
            )  # fmt: skip
        if main is None or rows.status[main] == NO_FACE:
            panel.draw(image, time, said, None, None)
            return
        said = str(rows.status[main])
        said = f"{said} {self._main}" if self._several else said
        panel.draw(image, time, said, rows.intensity[main], rows.active[main])


def _picture_stream(output: Any, layout: Layout, rate: float, base: Fraction) -> Any:
    stream = output.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
    context = stream.codec_context
    context.width, context.height = layout.frame
    context.pix_fmt, context.time_base = "yuv420p", base
    context.thread_count = _THREADS
    context.flags |= BITEXACT
    context.options = dict(_X264)
    # said in the file, so that players show the colours that were drawn
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = 1
    return stream


def write_overlay(video: Path, table: Path, out: Path) -> Path:
    """Write the video with box, points and bars drawn into it.

    Parameters
    ----------
    video : Path
        The video that was predicted.
    table : Path
        ``NAME.parquet`` of the prediction; ``NAME.json`` is read where it lies beside.
    out : Path
        MP4 file, of a photo a JPEG; see :func:`stages.inference.outputs.sealing`.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        When the video or the table cannot be read, they do not belong together, or `out` cannot
        be written or is not ours.
    """
    rows = read_rows(table)
    about = read_about(table.with_suffix(".json")) or {}
    levels = levels_told(about)
    mark = remark("overlay", file_hash(table))
    with sealing(out) as temporary:
        if is_photo(video):
            _write_photo(video, _ByFrame(rows), levels, temporary, mark)
        else:
            _write(video, _ByFrame(rows), levels, temporary, mark, section_of(about))
    return out


def _on_canvas(
    picture: NDArray[np.uint8], layout: Layout
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Layout]:
    """Put a picture into its place in a dark frame.

    Returns
    -------
    (height, width, 3) np.ndarray
        The frame.
    (height, width, 3) np.ndarray
        The part of it, by reference, that is the picture.
    Layout
        With the scale of this picture: its size may change on the way.
    """
    canvas = np.full((layout.frame[1], layout.frame[0], 3), DARK, np.uint8)
    width, height = layout.picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    wide = min(width, max(1, round(picture.shape[1] * scale)))
    high = min(height, max(1, round(picture.shape[0] * scale)))
    if picture.shape[:2] != (high, wide):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, (wide, high), interpolation=method), np.uint8)
    x, y = (width - wide) // 2, (height - high) // 2
    place = canvas[y : y + high, x : x + wide]
    place[:] = picture
    return canvas, place, replace(layout, scale=scale)


def _write_photo(
    photo: Path, rows: _ByFrame, levels: tuple[float, ...] | None, path: Path, mark: str
) -> None:
    from PIL import Image

    picture = read_photo(photo)
    layout = plan(picture.shape[1], picture.shape[0])
    canvas, place, scaled = _on_canvas(picture, layout)
    rows.draw(canvas, place, scaled, Panel(layout, levels), 1, None)
    Image.fromarray(canvas).save(path, "JPEG", quality=92, subsampling=0, comment=mark.encode())


@contextlib.contextmanager
def _source(video: Path) -> Iterator[tuple[Any, float]]:
    """Open a video for its sound and frame rate in Hz; an animation has neither of them."""
    if is_picture(video):
        yield None, DEFAULT_FRAME_RATE
        return
    with open_video(video) as (container, stream):
        yield container, frame_rate(stream)


def _write(
    video: Path,
    rows: _ByFrame,
    levels: tuple[float, ...] | None,
    path: Path,
    mark: str,
    section: Section,
) -> None:
    # a start later than 0 is kept in ticks of the movie: its usual thousandths are too coarse
    options = {"fflags": "+bitexact", "movflags": "+faststart", "movie_timescale": "90000"}
    # a section of a video begins at 0 seconds of its overlay
    number, last, pauses = 0, -1, Pauses(section[0] or 0.0)
    with (
        _source(video) as (source, rate),
        av.open(f"file:{path}", "w", format="mp4", options=options) as output,
    ):
        stream: Any = None
        output.metadata["comment"] = mark
        for number, (time, shown) in enumerate(section_frames(video, Log(), section), start=1):
            picture = shown.rgb()
            if stream is None:
                layout = plan(picture.shape[1], picture.shape[0])
                base = Fraction(shown.frame.time_base or CLOCK)
                base = base if base.denominator <= FINEST else CLOCK
                panel = Panel(layout, levels)
                stream = _picture_stream(output, layout, rate, base)
                sound = Sound(video, source, output, pauses, section)
            canvas, place, scaled = _on_canvas(picture, layout)
            rows.draw(canvas, place, scaled, panel, number, time)
            drawn = av.VideoFrame.from_ndarray(canvas, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            pauses.see(time)
            last = max(round(pauses.written(time) / base), last + 1)
            drawn.pts, drawn.time_base = last, base
            sound.until(time)
            output.mux(stream.encode(drawn))
        output.mux(stream.encode(None))
        sound.finish()
    if number != rows.last:
        raise DataError(
            f"{video} has {number} frames and its prediction {rows.last}: the video was changed "
            "after it was predicted; predict it again."
        )
