"""What containers do to pictures, times and sound, after reports of people who had such files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stages.videos.audio import read_sound
from stages.videos.clock import Log
from stages.videos.video import read_frames, scan
from tests.inference.tiny import moving

COLOURS = np.array([[220, 30, 40], [30, 200, 60], [40, 60, 210], [200, 200, 40]], np.uint8)
Picture = NDArray[np.uint8]


def pictures(count: int, width: int = 96, height: int = 64) -> list[Picture]:
    """Even colours in turn, with a white mark in the upper left corner."""
    found = np.empty((count, height, width, 3), np.uint8)
    found[:] = COLOURS[np.arange(count) % 4][:, None, None]
    found[:, : height // 4, : width // 3] = 255
    return list(found)


def write(
    path: Path,
    shown: list[Picture],
    codec: str = "mpeg4",
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    tones: tuple[float, ...] = (),
    layout: str = "mono",
    sound_codec: str = "mp2",
) -> Path:
    """Write pictures at 25 Hz, and one sound track for each of `tones`, its level."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        tracks = [container.add_stream(sound_codec, rate=48_000, layout=layout) for _ in tones]
        for number, image in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        wave = np.sin(np.arange(len(shown) * 1920) / 20)
        for track, level in zip(tracks, tones, strict=True):
            channels = track.codec_context.layout.nb_channels
            samples = np.repeat((wave * level * 32767).astype(np.int16), channels)[None]
            for first in range(0, samples.shape[1], 1152 * channels):
                part = np.ascontiguousarray(samples[:, first : first + 1152 * channels])
                block = av.AudioFrame.from_ndarray(part, "s16", layout)
                block.sample_rate, block.pts = 48_000, first // channels
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path


def with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    for at, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[start + at : start + at + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "matrix",
    [(x, 0, 0, y) for x in (1, -1) for y in (1, -1)]
    + [(0, x, y, 0) for x in (1, -1) for y in (1, -1)],
)
def test_all_eight_orientations_are_shown_as_players_do(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    path = write(tmp_path / "a.mp4", pictures(2))
    with_matrix(path, matrix)
    _, image = next(read_frames(path))
    a, b, c, d = matrix  # x' = a x + c y, y' = b x + d y: where does the mark's corner go?
    corner = np.array([[a, c], [b, d]]) @ np.array([-1, -1])
    height, width = image.shape[:2]
    mark = image[height // 16 :: height - height // 8, width // 16 :: width - width // 8].min(-1)
    expected = np.zeros((2, 2), bool)
    expected[int(corner[1] > 0), int(corner[0] > 0)] = True
    assert ((mark[:2, :2] > 200) == expected).all()
    assert (width, height) == ((96, 64) if a else (64, 96))
    assert (scan(path).info.width, scan(path).info.height) == (width, height)


@pytest.mark.parametrize(("aspect", "size"), [((64, 45), (137, 64)), ((8, 9), (96, 72))])
def test_pixels_that_are_not_square_become_so(
    tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]
) -> None:
    path = write(tmp_path / "a.mp4", pictures(2), aspect=Fraction(*aspect))
    _, image = next(read_frames(path))
    assert image.shape[1::-1] == size
    assert (scan(path).info.width, scan(path).info.height) == size
    assert image[: size[1] // 5, : size[0] // 4].min() > 200
    with_matrix(path, (0, 1, -1, 0))
    assert next(read_frames(path))[1].shape[:2] == size


def test_times_that_are_not_those_of_their_pictures_are_steps(tmp_path: Path) -> None:
    path = write(tmp_path / "x.avi", moving(40), "libx264", {"bf": "3"})
    seen = scan(path)
    np.testing.assert_allclose(np.diff(seen.timestamps), 0.04, atol=1e-6)
    assert len(seen.timestamps) == 40
    assert any("stored in another order" in sentence for sentence in seen.problems)
    plain = scan(write(tmp_path / "y.mp4", moving(40), "libx264", {"bf": "3"}))
    assert plain.problems == ()


def test_pictures_far_apart_that_are_stored_out_of_order_are_no_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, image in enumerate(pictures(8)):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = 1000 * number, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    seen = scan(path)
    assert seen.timestamps.tolist() == list(range(8))
    assert seen.problems == ()


def test_time_that_starts_again_goes_on_in_pictures_and_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", pictures(50), "mpeg2video", tones=(0.5,))
    start = scan(path).timestamps[0]
    path.write_bytes(path.read_bytes() * 2)
    seen = scan(path)
    np.testing.assert_allclose(seen.timestamps - start, np.arange(100) / 25, atol=0.05)
    assert any("starts again" in sentence for sentence in seen.problems)
    blocks = list(read_sound(path))
    heard = np.concatenate([samples for _, samples in blocks])
    assert len(heard) == pytest.approx(4 * 16_000, abs=3000)
    assert all(np.abs(part).max() > 0.2 for part in np.array_split(heard, 8))


def later(path: Path, seconds: float) -> Path:
    """Write the same packets again with later times."""
    with av.open(str(path)) as source:
        stamped = path.with_name(f"later{path.suffix}")
        with av.open(str(stamped), "w") as output:
            streams = {s.index: output.add_stream_from_template(s) for s in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    shift = round(seconds / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)
    return stamped


def test_a_gap_of_hours_is_said_and_no_silence_is_made(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", pictures(50), "mpeg2video", tones=(0.5,))
    path.write_bytes(path.read_bytes() + later(path, 40_000).read_bytes())
    seen = scan(path)
    assert len(seen.timestamps) == 100
    assert np.diff(seen.timestamps).max() == pytest.approx(39_998, abs=2)
    assert any("pause" in sentence for sentence in seen.problems)
    blocks = list(read_sound(path))
    assert sum(len(samples) for _, samples in blocks) == pytest.approx(4 * 16_000, abs=3000)
    assert blocks[-1][0] > 40_000


def test_channels_that_nobody_can_mix_are_averaged(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.mov", pictures(50), tones=(0.5,), layout="9 channels", sound_codec="pcm_s16le"
    )
    notes: list[str] = []
    heard = np.concatenate([samples for _, samples in read_sound(path, notes=notes)])
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.02)
    assert len(heard) == pytest.approx(2 * 16_000, abs=64)
    assert any("9 channels" in note for note in notes)


def test_the_first_sound_track_that_is_not_silent_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", pictures(50), tones=(0.0, 0.5))
    notes: list[str] = []
    heard = np.concatenate([samples for _, samples in read_sound(path, notes=notes)])
    assert np.abs(heard).max() > 0.3
    assert notes == [
        "The file has 2 sound tracks: the second is taken, the first that is not silent."
    ]
    path = write(tmp_path / "b.mkv", pictures(50), tones=(0.2, 0.5))
    heard = np.concatenate([samples for _, samples in read_sound(path)])
    assert np.abs(heard).max() < 0.25


def test_the_video_is_taken_and_not_the_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        thumb = container.add_stream("mjpeg", rate=25)
        thumb.width, thumb.height, thumb.pix_fmt = 32, 32, "yuvj420p"
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(pictures(1, 32, 32)[0], "rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*thumb.encode(frame), *thumb.encode(None)])
        for number, image in enumerate(pictures(30)):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    log = Log()
    shown = [image for _, image in read_frames(path, log)]
    assert len(shown) == 30
    assert shown[0].shape == (64, 96, 3)
    assert any("second is taken" in sentence for sentence in log.sentences())


def test_a_video_that_was_trimmed_without_coding_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", pictures(50), options={"g": "50"})
    trimmed = later(path, -1.0)
    seen = scan(trimmed)
    assert len(seen.timestamps) == 25
    assert seen.problems == ()
