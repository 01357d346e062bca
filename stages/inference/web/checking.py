"""What a new upload is: a video or a photo, how long, does a browser play it.

It is found out before any work on the upload.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stages.core.errors import DataError
from stages.inference.footage import player_start
from stages.inference.web.apart import Tell
from stages.inference.web.settings import Limits
from stages.videos.clock import PAUSE_SECONDS, Log
from stages.videos.decoding import frame_rate, open_video, packets_of, pictures
from stages.videos.display import Shown, pixel_aspect
from stages.videos.photo import is_photo, is_picture, picture_frames
from stages.videos.video import read_frames

POSTER_SIDE: Final = 320  # pixels, longer side of the still picture in the list

# Containers and codecs that the browsers of today play; all else gets a preview.
_MP4: Final = {"h264", "av1", "vp9"}
_MP4_SOUND: Final = {"aac", "mp3", "opus", "flac"}
_WEBM: Final = {"vp8", "vp9", "av1"}
_WEBM_SOUND: Final = {"opus", "vorbis"}
_PLAIN: Final = {"yuv420p", "yuvj420p"}  # 8 bits, colour at half resolution
_LARGEST: Final = 4096 * 2304  # pixels that a browser decodes in time
_START: Final = 0.01  # seconds


@dataclass(frozen=True)
class Facts:
    """What a video is.

    Attributes
    ----------
    seconds : float
        From the first picture's presentation time to the end of the last one.
    start : float
        Presentation time in seconds at which a player's clock is 0.
    pictures : int
        Pictures in the file, by its packets; those that are damaged are counted, too.
    width, height : int
        Size upright, in pixels.
    codec : str
        Of the pictures, by FFmpeg's name.
    sound : bool
        True where there is a sound track.
    plays : str or None
        Media type, where a browser plays the file as it is.
    still : bool
        Whether it is a photo.
    """

    seconds: float
    start: float
    pictures: int
    width: int
    height: int
    codec: str
    sound: bool
    plays: str | None
    still: bool = False


def check_upload(tell: Tell, video: Path, poster: Path, limits: Limits) -> Facts:
    """Look at a new upload, and write its first picture as a small JPEG.

    Parameters
    ----------
    tell : callable
        Not used; :meth:`stages.inference.web.apart.Worker.run` passes it.
    video : Path
    poster : Path
        JPEG to write.
    limits : Limits

    Raises
    ------
    DataError
        If it is no video and no photo, or too long; the sentence does not name the server's path.
    """
    try:
        facts = _picture_facts(video, limits) if is_picture(video) else _facts(video, limits)
        _write_poster(video, poster)
    except DataError as error:
        raise DataError(str(error).replace(str(video), "This file")) from None
    return facts


def _facts(video: Path, limits: Limits) -> Facts:
    with open_video(video) as (container, stream):
        first, end, count = _span(container, stream, limits)
        if not count:
            raise DataError("No picture of this file can be decoded: it is damaged, copy it again.")
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
        sounds = container.streams.audio
        sound = sounds[0].codec_context.name if sounds and sounds[0].codec_context else None
        names = set(container.format.name.split(","))
    start = player_start(video)
    with open_video(video) as (container, stream):
        frame = next(iter(pictures(container, stream, Log())), None)
        if frame is None:
            raise DataError("No picture of this file can be decoded: it is damaged, copy it again.")
        size = Shown(frame, pixel_aspect(stream)).size
    # where a clock does not start at 0, browsers differ in what they call 0
    plain = pixels in _PLAIN and size[0] * size[1] <= _LARGEST and start < _START
    plays = _plays(names, codec, sound) if plain else None
    return Facts(end - first, start, count, *size, codec, bool(sounds), plays)


def _picture_facts(path: Path, limits: Limits) -> Facts:
    """What a photo is, or a picture that moves and that FFmpeg does not read."""
    count, before, last = 0, 0.0, 0.0
    width = height = 0
    for time, frame in picture_frames(path):
        count, before, last = count + 1, last, time
        width, height = frame.width, frame.height
        _refuse_long(last, limits)
    still = is_photo(path)
    end = last if still else 2 * last - before  # the last is shown as long as the one before
    return Facts(end, 0.0, count, width, height, "photo" if still else "webp", False, None, still)


def _refuse_long(seconds: float, limits: Limits) -> None:
    if seconds > limits.minutes * 60:
        raise DataError(
            f"This video is {seconds / 60:.1f} minutes long, and the server takes"
            f" at most {limits.minutes:g}: cut it into pieces."
        )


def _span(container: Any, stream: Any, limits: Limits) -> tuple[float, float, int]:
    """First presentation time, end, and number of packets; headers are not believed."""
    step = 1 / frame_rate(stream)
    first = last = None
    count = 0
    pauses = 0.0  # seconds in which nothing is shown
    for packet in packets_of(container, stream, Log()):
        if packet is None or packet.size == 0:
            continue
        count += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:  # some old formats have none: as long as its pictures take
            continue
        seconds = float(time * packet.time_base)
        if last is not None and seconds - last > PAUSE_SECONDS:
            pauses += seconds - last
        first = seconds if first is None else min(first, seconds)
        last = seconds if last is None else max(last, seconds)
    begin = 0.0 if first is None else first
    end = count * step if last is None else last + step
    _refuse_long(end - begin - pauses, limits)
    return begin, end, count


def _plays(containers: set[str], codec: str, sound: str | None) -> str | None:
    if "mp4" in containers and codec in _MP4 and (sound is None or sound in _MP4_SOUND):
        return "video/mp4"
    if "webm" in containers and codec in _WEBM and (sound is None or sound in _WEBM_SOUND):
        return "video/webm"
    return None


def _write_poster(video: Path, path: Path) -> None:
    from PIL import Image

    for _, picture in read_frames(video):
        image = Image.fromarray(picture)
        image.thumbnail((POSTER_SIDE, POSTER_SIDE))
        image.save(path, "JPEG", quality=80)
        return
