"""What a new upload is found to be; previews for browsers keep the times."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stages.core.errors import DataError
from stages.inference.web.checking import check_upload
from stages.inference.web.preview import SIDE, write_picture, write_preview
from stages.inference.web.settings import Limits
from stages.videos.audio import read_sound
from stages.videos.video import scan
from tests.inference.web import stand_in

RATE = 25


def make(
    path: Path,
    codec: str,
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    begin: int = 0,
) -> Path:
    """Ten frames; the first is shown `begin` frames after 0."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for number in range(10):
            image = np.full((size[1], size[0], 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = begin + number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "plays"),
    [
        ("a.mp4", "libx264", "yuv420p", "video/mp4"),
        ("a.mov", "libx264", "yuv420p", "video/mp4"),
        ("a.mp4", "libx264", "yuv420p10le", None),
        ("a.mp4", "libx264", "yuv444p", None),
        ("a.webm", "libvpx", "yuv420p", "video/webm"),
        ("a.mkv", "libx264", "yuv420p", None),
        ("a.avi", "mpeg4", "yuv420p", None),
        ("a.mp4", "mpeg4", "yuv420p", None),
        ("a.mpg", "mpeg1video", "yuv420p", None),
    ],
)
def test_what_browsers_play(
    tmp_path: Path, name: str, codec: str, pixels: str, plays: str | None
) -> None:
    video = make(tmp_path / name, codec, pixels)
    facts = check_upload(print, video, tmp_path / "poster.jpg", Limits())
    assert facts.plays == plays
    assert (facts.pictures, facts.width, facts.height) == (10, 64, 48)
    assert facts.seconds == pytest.approx(0.4, abs=0.001)
    assert not facts.sound
    assert (tmp_path / "poster.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_a_clock_that_starts_late_needs_a_preview(tmp_path: Path) -> None:
    video = make(tmp_path / "late.mp4", "libx264", begin=50)
    facts = check_upload(print, video, tmp_path / "poster.jpg", Limits())
    assert (facts.plays, facts.start) == (None, 2.0)
    assert facts.seconds == pytest.approx(0.4, abs=0.001)


def test_the_length_is_that_of_the_pictures(tmp_path: Path, clip: Path) -> None:
    facts = check_upload(print, clip, tmp_path / "poster.jpg", Limits(minutes=2.01 / 60))
    assert facts.seconds == pytest.approx(2, abs=0.001)
    with pytest.raises(DataError, match="cut it into pieces"):
        check_upload(print, clip, tmp_path / "poster.jpg", Limits(minutes=1.99 / 60))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.tif", "a.gif"])
def test_a_photo_is_one_upright_frame_whatever_its_name(tmp_path: Path, name: str) -> None:
    orientation = Image.Exif()
    orientation[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / name, exif=orientation)
    (tmp_path / name).rename(tmp_path / "video")  # as uploads are called
    facts = check_upload(print, tmp_path / "video", tmp_path / "poster.jpg", Limits())
    turned = name != "a.bmp" and name != "a.gif"  # they hold no orientation
    assert (facts.width, facts.height) == ((48, 64) if turned else (64, 48))
    assert (facts.still, facts.pictures, facts.seconds, facts.plays) == (True, 1, 0.0, None)
    write_picture(tmp_path / "video", tmp_path / "picture.jpg")
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.size == (facts.width, facts.height)


def test_a_webp_that_moves_is_a_video(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (64, 48), (n, 0, 0)) for n in (10, 90, 170)]
    pictures[0].save(tmp_path / "video", "WEBP", save_all=True, append_images=pictures[1:],
                     duration=40)  # fmt: skip
    facts = check_upload(print, tmp_path / "video", tmp_path / "poster.jpg", Limits())
    assert (facts.still, facts.pictures) == (False, 3)
    assert facts.seconds == pytest.approx(0.12)
    with pytest.raises(DataError, match="minutes long"):
        check_upload(print, tmp_path / "video", tmp_path / "p.jpg", Limits(minutes=0.001))


def test_a_sound_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match="This file holds no picture stream"):
        check_upload(print, path, tmp_path / "poster.jpg", Limits())


def test_a_preview_keeps_times_and_sound(tmp_path: Path, clip: Path) -> None:
    write_preview(clip, tmp_path / "preview", 0.0)
    ours, theirs = scan(tmp_path / "preview"), scan(clip)
    np.testing.assert_allclose(ours.timestamps, theirs.timestamps, atol=1e-4)
    facts = check_upload(print, tmp_path / "preview", tmp_path / "poster.jpg", Limits())
    assert (facts.plays, facts.sound) == ("video/mp4", True)

    def loudest(path: Path) -> float:
        """Frequency in Hz."""
        samples = np.concatenate([block for _, block in read_sound(path)])
        return float(np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples))

    assert loudest(tmp_path / "preview") == pytest.approx(440, abs=2)


def test_a_preview_begins_where_the_players_clock_does(tmp_path: Path) -> None:
    video = make(tmp_path / "late.mkv", "mpeg4", begin=50)
    first = scan(video).timestamps[0]
    assert first == pytest.approx(2, abs=0.002)
    write_preview(video, tmp_path / "preview", 1.5)
    assert scan(tmp_path / "preview").timestamps[0] == pytest.approx(first - 1.5, abs=1e-3)


def test_a_preview_ends_with_its_pictures(tmp_path: Path) -> None:
    long = stand_in.make_clip(tmp_path / "long.mp4", frames=100)
    video = tmp_path / "loud.mp4"  # the sound of 4 seconds beside pictures of 2
    with av.open(str(long)) as source, av.open(str(video), "w") as target:
        streams = {one.index: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.pts is not None and (packet.stream.type == "audio" or packet.pts < 180_000):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    write_preview(video, tmp_path / "preview", 0.0)
    with av.open(str(tmp_path / "preview")) as preview:
        assert preview.duration / av.time_base == pytest.approx(2, abs=0.05)


def test_a_preview_is_no_larger_than_a_page_needs(tmp_path: Path) -> None:
    write_preview(make(tmp_path / "a.avi", "mpeg4", size=(1920, 300)), tmp_path / "preview", 0.0)
    info = scan(tmp_path / "preview").info
    assert (info.width, info.height) == (SIDE, 150)
