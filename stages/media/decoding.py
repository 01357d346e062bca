"""Opening and decoding a video file, whatever state it is in."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av

from stages.core.errors import MACHINE_ERRNOS, DataError
from stages.core.workers import decoder_threads
from stages.media.photo import is_picture, picture_frames

# Formats that hold pictures themselves. Play lists and scripts that name other files, which FFmpeg
# would follow whatever the file's extension says, are not among them.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,"
    "gif,apng,yuv4mpegpipe,nut,mxf,dv,ivf,obu,rm,wtv,h264,hevc,m4v,vc1"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

# FFmpeg gives these also for files that are cut off or damaged
_MACHINE = MACHINE_ERRNOS - {errno.EIO, errno.ENOMEM}

OWN = "AUFusion "  # how the remark in videos begins that AUFusion has drawn
DEFAULT_FRAME_RATE = 25.0  # Hz, where neither header nor time stamps give one
REORDERED = 16  # pictures, most that H.264 and HEVC decode before one that is shown earlier


def raise_if_of_the_machine(error: BaseException) -> None:
    """Let an error pass that speaks of the machine: the video is not to blame for it."""
    known = _MACHINE if isinstance(error, av.error.FFmpegError) else MACHINE_ERRNOS
    if getattr(error, "errno", None) in known:
        raise error


@contextmanager
def open_video(path: Path, threads: bool = True) -> Iterator[tuple[Any, Any]]:
    """Open a file and choose its first stream of moving pictures.

    Yields
    ------
    av.container.InputContainer
        The file.
    av.video.stream.VideoStream
        The stream.

    Raises
    ------
    DataError
        If the file cannot be opened or has no such stream.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty: copy it again.")
        # titles and the like may be of any encoding; they are not used
        container = av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise_if_of_the_machine(error)
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"{path} cannot be opened as a video ({reason}): it is cut off, damaged or no video."
        ) from None
    with container:
        streams = [
            stream
            for stream in container.streams.video
            # cover art of a sound file is a stream of pictures, too
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not streams:
            raise DataError(f"{path} holds no picture stream: it is no video or sound alone.")
        if streams[0].codec_context is None:
            raise DataError(
                f"{path} cannot be decoded: it is cut off, damaged or in an unknown video format."
            )
        streams[0].thread_type = "AUTO" if threads else "NONE"
        streams[0].codec_context.thread_count = decoder_threads() if threads else 1
        yield container, streams[0]


def is_our_video(path: Path) -> bool:
    """Whether AUFusion drew a video or photo: an overlay, or a preview, is no recording.

    Raises
    ------
    DataError
        If the file cannot be opened or has no pictures.
    """
    if is_picture(path):  # in a JPEG the remark stands near its beginning
        with path.open("rb") as file:
            return f"{OWN}overlay".encode() in file.read(4096)
    with open_video(path) as (container, _):
        return str(container.metadata.get("comment", "")).startswith(OWN)


@dataclass
class Log:
    """What went wrong while a file was decoded."""

    undecodable: int = 0
    damaged: int = 0
    mended: int = 0
    cut_off: bool = False

    def sentences(self) -> tuple[str, ...]:
        """Say what went wrong; nothing where nothing did."""
        parts = (
            (self.cut_off, "The file breaks off before its end."),
            (self.undecodable, f"{self.undecodable} packets cannot be decoded."),
            (self.damaged, f"{self.damaged} pictures are damaged."),
            (self.mended, f"{self.mended} presentation times were missing or out of order."),
        )
        return tuple(sentence for said, sentence in parts if said)


@dataclass
class _Clock:
    """Presentation times that always increase."""

    step: float
    log: Log
    last: float | None = None

    def read(self, frame: Any) -> float:
        time = None if frame.pts is None else float(frame.pts * frame.time_base)
        if self.last is None:
            self.last = 0.0 if time is None else time
        elif time is None or time <= self.last:
            self.log.mended += 1
            self.last += self.step
        else:
            self.last = time
        return self.last


def frame_rate(stream: Any) -> float:
    """Average frame rate in Hz by the header."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else DEFAULT_FRAME_RATE


def _packets(container: Any, stream: Any, log: Log) -> Iterator[Any]:
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as error:
        raise_if_of_the_machine(error)
        log.cut_off = True
        yield None  # flushes the decoder


def pictures(container: Any, stream: Any, log: Log) -> Iterator[Any]:
    """Decode an open stream, ``av.VideoFrame`` by ``av.VideoFrame``; skip what cannot be."""
    for packet in _packets(container, stream, log):
        try:
            frames = stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            log.undecodable += 1
            continue
        for frame in frames:
            log.damaged += bool(frame.is_corrupt)
            yield frame


def decode(path: Path, log: Log) -> Iterator[tuple[float, Any]]:
    """Decode a file with several threads until damage shows, and with one from there on.

    How a decoder conceals damage depends on what its other threads have finished by then; one
    thread alone makes the same pictures every time.

    Yields
    ------
    float
        Presentation time in seconds; always increasing. That of a photo is 0.
    av.VideoFrame
        The picture.
    """
    if is_picture(path):
        yield from picture_frames(path)
        return
    done = 0
    held: deque[Any] = deque()
    with open_video(path) as (container, stream):
        clock = _Clock(1 / frame_rate(stream), log)
        trial = Log()
        for frame in pictures(container, stream, trial):
            if trial.damaged or trial.undecodable:
                break
            held.append(frame)
            if len(held) > REORDERED:
                done += 1
                yield clock.read(held[0]), held.popleft()
        if not (trial.damaged or trial.undecodable):
            log.cut_off = trial.cut_off
            for frame in held:
                yield clock.read(frame), frame
            return
    held.clear()
    with open_video(path, threads=False) as (container, stream):
        for frame in islice(pictures(container, stream, log), done, None):
            yield clock.read(frame), frame
