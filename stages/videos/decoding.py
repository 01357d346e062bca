"""Opening and decoding a video file, whatever state it is in."""

from __future__ import annotations

import errno
import math
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
from stages.videos.clock import Clock, Log, Timeline
from stages.videos.display import Shown, pixel_aspect
from stages.videos.photo import is_picture, picture_frames
from stages.videos.tracks import choose_pictures, choose_sound, moving_pictures, sounds_of

# Formats that hold pictures themselves. Play lists and scripts that name other files, which FFmpeg
# would follow whatever the file's extension says, are not among them.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,"
    "gif,apng,yuv4mpegpipe,nut,mxf,dv,ivf,obu,rm,wtv,h264,hevc,m4v,vc1,mjpeg"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

# FFmpeg gives these also for files that are cut off or damaged
_MACHINE = MACHINE_ERRNOS - {errno.EIO, errno.ENOMEM}

_INDEXED = {"mov", "matroska"}  # formats whose index leads to the key frame before a time

OWN = "AUFusion "  # how the remark in videos begins that AUFusion has drawn
DEFAULT_FRAME_RATE = 25.0  # Hz, where neither header nor time stamps give one
REORDERED = 16  # pictures, most that H.264 and HEVC decode before one that is shown earlier


def raise_if_of_the_machine(error: BaseException) -> None:
    """Let an error pass that speaks of the machine: the video is not to blame for it."""
    known = _MACHINE if isinstance(error, av.error.FFmpegError) else MACHINE_ERRNOS
    if getattr(error, "errno", None) in known:
        raise error


@dataclass(frozen=True)
class _Opener:
    """Opens a file; equal to another one of the same bytes."""

    path: Path
    changed: int  # ns
    size: int

    @classmethod
    def of(cls, path: Path) -> _Opener:
        state = path.stat()
        return cls(path, state.st_mtime_ns, state.st_size)

    def __call__(self) -> Any:
        # titles and the like may be of any encoding; they are not used
        return av.open(f"file:{self.path}", options=_OPTIONS, metadata_errors="replace")


@contextmanager
def open_video(
    path: Path, threads: bool = True, log: Log | None = None
) -> Iterator[tuple[Any, Any]]:
    """Open a file and choose its stream of moving pictures.

    Parameters
    ----------
    path : Path
    threads : bool
        Decode with several threads.
    log : Log, optional
        Takes a note where there were several streams to choose from.

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
        opener = _Opener.of(path)
        if opener.size == 0:
            raise DataError(f"{path} is empty: copy it again.")
        container = opener()
    except (av.error.FFmpegError, OSError) as error:
        raise_if_of_the_machine(error)
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"{path} cannot be opened as a video ({reason}): it is cut off, damaged or no video."
        ) from None
    with container:
        streams = moving_pictures(container)
        if not streams:
            if moving_pictures(container, decodable=False):
                raise DataError(
                    f"{path} cannot be decoded: it is cut off, damaged or in an unknown video "
                    "format."
                )
            raise DataError(f"{path} holds no picture stream: it is no video or sound alone.")
        stream, note = choose_pictures(streams, opener)
        if note and log is not None and note not in log.notes:
            log.notes.append(note)
        stream.thread_type = "AUTO" if threads else "NONE"
        stream.codec_context.thread_count = decoder_threads() if threads else 1
        yield container, stream


def sound_of(path: Path, container: Any) -> tuple[Any, str]:
    """Choose the sound track of an open file: see :func:`stages.videos.tracks.choose_sound`."""
    return choose_sound(container, _Opener.of(path))


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


def frame_rate(stream: Any) -> float:
    """Average frame rate in Hz by the header."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else DEFAULT_FRAME_RATE


def promised_pictures(stream: Any) -> int:
    """Pictures that a file's header promises; 0 where it does not say.

    What an edit list hides (a video that was trimmed without coding it anew) is not promised.
    """
    promised = max(int(stream.frames), 0)
    entries = stream.index_entries
    # only this format's index is complete from the start
    if "mov" in stream.container.format.name and len(entries):
        promised = min(promised, sum(not entry.is_discard for entry in entries))
    return promised


def packets_of(container: Any, stream: Any, log: Log) -> Iterator[Any]:
    """Packets of one stream, whose times go on where the file's time starts again."""
    timeline = Timeline()
    # what is fed to the timeline must not depend on the stream that is asked for
    clocked = {one.index: one for one in (*moving_pictures(container), *sounds_of(container))}
    try:
        for packet in container.demux(*clocked.values()):
            timeline.place(packet)
            if packet.stream.index == stream.index:
                yield packet
    except av.error.FFmpegError as error:
        raise_if_of_the_machine(error)
        log.cut_off = True
        yield None  # flushes the decoder
    log.restarts = len(timeline.shifts) - 1


def _go_to(container: Any, stream: Any, begin: float) -> bool:
    """Go to the last key frame before a time in seconds; False where that cannot be relied on."""
    if not _INDEXED & set(container.format.name.split(",")):
        return False
    wanted = math.floor(begin / stream.time_base)
    if wanted <= (stream.start_time or 0):
        return False
    try:
        container.seek(wanted, backward=True, any_frame=False, stream=stream)
    except av.error.FFmpegError as error:
        raise_if_of_the_machine(error)
        return False
    return True


def _from_key_frame(packets: Iterator[Any]) -> Iterator[Any]:
    """Leave out what needs pictures from before the first key frame."""
    key = None
    for packet in packets:
        if packet is not None and packet.size:
            if key is None and packet.is_keyframe:
                key = packet.pts
            if key is None or (packet.pts is not None and packet.pts < key):
                continue
        yield packet


def pictures(container: Any, stream: Any, log: Log, begin: float | None = None) -> Iterator[Any]:
    """Decode an open stream, ``av.VideoFrame`` by ``av.VideoFrame``; skip what cannot be.

    With `begin`, in seconds, from the key frame before it on, where the format has an index.
    """
    packets = packets_of(container, stream, log)
    if begin is not None and _go_to(container, stream, begin):
        packets = _from_key_frame(packets)
    for packet in packets:
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


def decode(path: Path, log: Log, begin: float | None = None) -> Iterator[tuple[float, Shown]]:
    """Decode a file with several threads until damage shows, and with one from there on.

    How a decoder conceals damage depends on what its other threads have finished by then; one
    thread alone makes the same pictures every time.

    Parameters
    ----------
    path : Path
    log : Log
        Takes what goes wrong.
    begin : float, optional
        Seconds. Pictures before it may be left out: decoding begins with a key frame before it.

    Yields
    ------
    float
        Presentation time in seconds; always increasing. That of a photo is 0.
    Shown
        The picture.
    """
    if is_picture(path):
        for time, frame in picture_frames(path):
            yield time, Shown(frame)
        return
    done = 0
    with open_video(path, log=log) as (container, stream):
        clock, aspect = Clock(1 / frame_rate(stream), log), pixel_aspect(stream)
        trial = Log()
        frames = _undamaged(pictures(container, stream, trial, begin), trial)
        for time, frame in _in_time(frames, clock, trial):
            done += 1
            yield time, Shown(frame, aspect)
        if not (trial.damaged or trial.undecodable):
            log.cut_off, log.restarts = trial.cut_off, trial.restarts
            return
    with open_video(path, threads=False) as (container, stream):
        frames = islice(pictures(container, stream, log, begin), done, None)
        for time, frame in _in_time(frames, clock, Log()):
            yield time, Shown(frame, aspect)


def _undamaged(frames: Iterator[Any], log: Log) -> Iterator[Any]:
    for frame in frames:
        if log.damaged or log.undecodable:
            return
        yield frame


def _in_time(frames: Iterator[Any], clock: Clock, log: Log) -> Iterator[tuple[float, Any]]:
    """Give pictures their times; those near damage that the log tells of are held back."""
    held: deque[Any] = deque()
    for frame in frames:
        held.append(frame)
        clock.expect(frame)
        if len(held) > REORDERED:
            yield clock.read(held[0]), held.popleft()
    if log.damaged or log.undecodable:
        clock.forget()
        return
    while held:
        yield clock.read(held[0]), held.popleft()
