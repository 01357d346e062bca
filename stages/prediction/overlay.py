"""The video with what was predicted drawn into it: `aufusion predict --overlay`.

In: the video and its NAME.parquet. Out: of a photo a JPEG; else an MP4 file, H.264 (yuv420p) with
the pictures' own presentation times. Sound is copied packet by packet where MP4 players read its
codec, else encoded as AAC, at the times that it has in the video. Pictures and sound are read and
written side by side, so memory does not grow with the length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.provenance import file_hash
from stages.media.decoding import DEFAULT_FRAME_RATE, Log, decode, frame_rate, open_video
from stages.media.photo import is_photo, is_picture, read_photo
from stages.prediction.columns import NO_FACE, NOBODY
from stages.prediction.drawing import BLUE, DARK, ORANGE, Layout, Panel, draw_face, plan
from stages.prediction.outputs import sealing
from stages.prediction.results import Rows, read_about, read_rows
from stages.prediction.seals import remark
from stages.prediction.timeline import faces_of, thresholds_of

COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # in MP4, and played from there
CLOCK = Fraction(1, 90_000)  # where the video's own time base is finer than MP4 can hold
FINEST = 1_000_000  # ticks a second
_BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT
# a fixed number of threads: how the work is split shows in the bytes; mbtree reads memory that
# nothing has written
_X264 = {"crf": "21", "preset": "veryfast", "x264-params": "mbtree=0"}
_THREADS = 4
_FILL = "async=1:min_hard_comp=0.05"  # gaps of the sound longer than so many seconds become silence


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Return the picture of a decoded frame, RGB, turned as it is to be shown."""
    picture = frame.to_ndarray(format="rgb24")
    turns = int(round(frame.rotation / 90) % 4)
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _copied(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Packets of a sound track, with their times in seconds."""
    for packet in container.demux(stream):
        # an edit list may hide packets; MP4 hides again those that lie before 0
        hidden = packet.is_discard and (packet.pts or 0) >= 0
        if packet.dts is not None and not hidden:
            yield float(packet.dts * packet.time_base), packet


def _transcoded(container: Any, stream: Any, target: Any) -> Iterator[tuple[float, Any]]:
    """Packets of a sound track encoded as AAC, with their times in seconds."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(template=stream)
    filled = graph.add("aresample", _FILL)
    shaped = graph.add(
        "aformat",
        f"sample_fmts=fltp:sample_rates={target.rate}:channel_layouts={target.layout.name}",
    )
    sink = graph.add("abuffersink")
    graph.link_nodes(source, filled, shaped, sink).configure()

    def pulled() -> Iterator[Any]:
        while True:
            try:
                yield graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def encoded(frame: Any) -> Iterator[tuple[float, Any]]:
        for packet in target.encode(frame):
            yield float(packet.dts * packet.time_base), packet

    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # damage in the middle becomes a gap, and silence
            continue
        for frame in frames:
            graph.push(frame)
            for piece in pulled():
                yield from encoded(piece)
    graph.push(None)
    for piece in pulled():
        yield from encoded(piece)
    yield from encoded(None)


class _Sound:
    """The sound track on its way from file to file, as far as the pictures have come."""

    def __init__(self, container: Any, output: Any) -> None:
        tracks = () if container is None else container.streams.audio
        streams = [one for one in tracks if one.codec_context is not None]
        self._packets: Iterator[tuple[float, Any]] = iter(())
        self._output, self._target = output, None
        self._next: tuple[float, Any] | None = None
        if not streams:
            return
        stream = streams[0]
        self._copy = stream.codec_context.codec.canonical_name in COPIED
        if self._copy:
            self._target = output.add_stream_from_template(stream)
            self._packets = _copied(container, stream)
        else:
            layout = "mono" if stream.channels == 1 else "stereo"
            rate = (
                stream.rate if stream.rate in (16000, 22050, 24000, 32000, 44100, 48000) else 48000
            )
            self._target = output.add_stream("aac", rate=rate, layout=layout)
            self._target.codec_context.flags |= _BITEXACT
            self._target.codec_context.bit_rate = 128_000
            self._packets = _transcoded(container, stream, self._target)

    def until(self, time: float) -> None:
        """Write all packets up to a time in seconds."""
        while True:
            if self._next is None:
                with contextlib.suppress(av.error.FFmpegError):  # cut off: what is there is kept
                    self._next = next(self._packets, None)
            if self._next is None or self._next[0] > time:
                return
            packet = self._next[1]
            if self._copy:
                packet.stream = self._target
            self._output.mux(packet)
            self._next = None


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
        layout: Layout,
        panel: Panel,
        number: int,
        time: float | None,
    ) -> None:
        """Draw all that is known of a frame, counted from 1, into its picture."""
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
                image, layout, rows.box[row], rows.landmarks[row], str(rows.status[row]), label,
                ORANGE if face == self._main else BLUE,
            )  # fmt: skip
        if main is None or rows.status[main] == NO_FACE:
            panel.draw(image, time, said, None, None)
            return
        said = str(rows.status[main])
        said = f"{said} {self._main}" if self._several else said
        panel.draw(image, time, said, rows.probabilities[main], rows.active[main])


def _picture_stream(output: Any, layout: Layout, rate: float, base: Fraction) -> Any:
    stream = output.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
    context = stream.codec_context
    context.width, context.height = layout.frame
    context.pix_fmt, context.time_base = "yuv420p", base
    context.thread_count = _THREADS
    context.flags |= _BITEXACT
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
        MP4 file, of a photo a JPEG; see :func:`stages.prediction.outputs.sealing`.

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
    thresholds = thresholds_of(read_about(table.with_suffix(".json")) or {})
    write = _write_photo if is_photo(video) else _write
    with sealing(out) as temporary:
        write(video, _ByFrame(rows), thresholds, temporary, remark("overlay", file_hash(table)))
    return out


def _on_canvas(picture: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Put a picture into its place in a dark frame."""
    canvas = np.full((layout.frame[1], layout.frame[0], 3), DARK, np.uint8)
    width, height = layout.picture
    if picture.shape[:2] != (height, width):  # to another size, or it changes on the way
        method = cv2.INTER_AREA if layout.scale < 1 else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
    canvas[:height, :width] = picture
    return canvas


def _write_photo(
    photo: Path, rows: _ByFrame, thresholds: tuple[float, ...] | None, path: Path, mark: str
) -> None:
    from PIL import Image

    picture = read_photo(photo)
    layout = plan(picture.shape[1], picture.shape[0])
    canvas = _on_canvas(picture, layout)
    rows.draw(canvas, layout, Panel(layout, thresholds), 1, None)
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
    video: Path, rows: _ByFrame, thresholds: tuple[float, ...] | None, path: Path, mark: str
) -> None:
    # a start later than 0 is kept in ticks of the movie: its usual thousandths are too coarse
    options = {"fflags": "+bitexact", "movflags": "+faststart", "movie_timescale": "90000"}
    number, last = 0, -1
    with (
        _source(video) as (source, rate),
        av.open(str(path), "w", format="mp4", options=options) as output,
    ):
        stream: Any = None
        output.metadata["comment"] = mark
        for number, (time, frame) in enumerate(decode(video, Log()), start=1):
            picture = _upright(frame)
            if stream is None:
                layout = plan(picture.shape[1], picture.shape[0])
                base = Fraction(frame.time_base or CLOCK)
                base = base if base.denominator <= FINEST else CLOCK
                panel = Panel(layout, thresholds)
                stream = _picture_stream(output, layout, rate, base)
                sound = _Sound(source, output)
            canvas = _on_canvas(picture, layout)
            rows.draw(canvas, layout, panel, number, time)
            drawn = av.VideoFrame.from_ndarray(canvas, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            last = max(round(time / base), last + 1)
            drawn.pts, drawn.time_base = last, base
            sound.until(time)
            output.mux(stream.encode(drawn))
        if stream is None:
            raise DataError(f"No picture of {video} can be decoded: it is damaged, copy it again.")
        output.mux(stream.encode(None))
        sound.until(np.inf)
    if number != rows.last:
        raise DataError(
            f"{video} has {number} frames and its prediction {rows.last}: the video was changed "
            "after it was predicted; predict it again."
        )
