"""The overlay: times, sound and pictures of what is written, against the video it came from."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.inference.views.drawing import BLUE, ORANGE, Panel, draw_face, plan
from stages.inference.views.overlay import write_overlay
from stages.synthesis.video_file import write_video
from stages.videos.audio import read_sound
from stages.videos.video import read_frames, scan
from tests import stand_ins
from tests.inference import clips, tracks


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(file.streams.audio[0]) if packet.size]


def heard(path: Path) -> tuple[float, NDArray[np.float32]]:
    """Sound from 0 on, with the time at which it starts."""
    blocks = list(read_sound(path))
    start = blocks[0][0]
    samples = np.concatenate([block for _, block in blocks])
    lead = round(start * 16_000)
    return start, np.concatenate([np.zeros(max(lead, 0), np.float32), samples[max(-lead, 0) :]])


def overlay(
    folder: Path, video: Path, times: NDArray[np.float64], name: str = "o", **changes: object
) -> Path:
    table = tracks.ours(folder, times, tracks.course(len(times)), **changes).with_suffix(".parquet")
    return write_overlay(video, table, folder / f"{name}.mp4")


@pytest.mark.parametrize(
    ("container", "size", "codec", "start"),
    [("mp4", (64, 48), "libx264", 0.0), ("mkv", (65, 49), "ffv1", 0.0),
     ("mkv", (48, 64), "libvpx", 0.7), ("avi", (64, 48), "mpeg4", 0.0)],
)  # fmt: skip
def test_every_frame_keeps_its_time(
    tmp_path: Path, container: str, size: tuple[int, int], codec: str, start: float
) -> None:
    times = clips.irregular(40, start) if container != "avi" else np.arange(40) / 1000 * 40
    video = clips.write_clip(tmp_path / f"v.{container}", times, size=size, codec=codec)
    true = scan(video).timestamps
    made = scan(overlay(tmp_path, video, true))
    np.testing.assert_array_equal(made.timestamps, true)
    assert not made.problems
    assert (made.info.width % 2, made.info.height % 2) == (0, 0)
    with av.open(str(tmp_path / "o.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_pictures_are_those_of_the_video_in_order(tmp_path: Path) -> None:
    times = clips.irregular(30)
    video = clips.write_clip(tmp_path / "v.mp4", times, size=(640, 360))
    made = overlay(tmp_path, video, times, box=(300.0, 200.0, 500.0, 340.0))
    for number, (_, image) in enumerate(read_frames(made)):
        grey = clips.picture(number, 640, 360)[10, 10]
        assert np.abs(image[5:20, 5:20].astype(int) - grey).max() <= 4, number
        assert image[120, 200].min() > 205
        assert image.shape[:2] == (360, image.shape[1])
        assert image.shape[1] > 640, "the panel stands beside the picture"


@pytest.mark.parametrize("start", [0.0, 0.55])
def test_aac_is_copied_packet_by_packet_and_starts_when_it_did(
    tmp_path: Path, start: float
) -> None:
    times = clips.irregular(60)
    video = clips.write_clip(tmp_path / "v.mp4", times, sound="aac", sound_start=start)
    made = overlay(tmp_path, video, times)
    assert packets(made) == packets(video)
    (before, wanted), (after, got) = heard(video), heard(made)
    assert after == pytest.approx(before, abs=1e-4)
    length = min(len(wanted), len(got))
    np.testing.assert_allclose(got[:length], wanted[:length], atol=0.05)


@pytest.mark.parametrize("codec", ["mp2", "pcm_s16le"])
def test_sound_that_mp4_players_do_not_read_becomes_aac_at_the_same_times(
    tmp_path: Path, codec: str
) -> None:
    times = clips.irregular(60)
    video = clips.write_clip(tmp_path / "v.mkv", times, sound=codec, sound_start=0.4)
    made = overlay(tmp_path, video, times)
    with av.open(str(made)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
    (_, wanted), (_, got) = heard(video), heard(made)
    length = min(len(wanted), len(got))
    spectrum = np.fft.rfft(got[:length], 2 * length) * np.conj(
        np.fft.rfft(wanted[:length], 2 * length)
    )
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert min(lag, 2 * length - lag) <= 16, "a thousandth of a second at 16 kHz"
    assert np.corrcoef(wanted[:length], got[:length])[0, 1] > 0.98


def test_a_gap_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 330 * np.arange(32_000) / 16_000).astype(np.float32) * 0.5
    video = tmp_path / "v.mkv"
    stand_ins.write_video(video, tone, frames=75, gap=(0.5, 0.8))
    made = overlay(tmp_path, video, scan(video).timestamps)
    (_, wanted), (_, got) = heard(video), heard(made)
    inside = slice(round(0.6 * 16_000), round(1.2 * 16_000))
    assert np.abs(got[inside]).max() < 0.02
    later = slice(round(1.5 * 16_000), round(2.5 * 16_000))
    assert np.corrcoef(wanted[later], got[later])[0, 1] > 0.95


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    times = clips.irregular(20)
    video = clips.write_clip(tmp_path / "v.mkv", times, sound="pcm_s16le")
    first = overlay(tmp_path, video, times, "a").read_bytes()
    assert overlay(tmp_path, video, times, "b").read_bytes() == first


def test_a_prediction_of_another_video_is_refused_and_nothing_left(tmp_path: Path) -> None:
    video = clips.write_clip(tmp_path / "v.mp4", clips.irregular(20))
    with pytest.raises(DataError, match="has 20 frames and its prediction 12"):
        overlay(tmp_path, video, clips.irregular(12))
    assert {path.name for path in tmp_path.iterdir()} == {"v.mp4", "clip.csv", "clip.parquet"}


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    times = clips.irregular(5)
    video = clips.write_clip(tmp_path / "v.mp4", times)
    table = tracks.ours(tmp_path, times, tracks.course(5)).with_suffix(".parquet")
    with pytest.raises(DataError, match="cannot be written"):
        write_overlay(video, table, tmp_path / "no" / "o.mp4")


SIZES = [(640, 360), (1920, 1080), (360, 640), (1080, 1920), (256, 256), (160, 120), (3840, 2160)]


@pytest.mark.parametrize("size", SIZES)
def test_the_panel_has_room_and_letters_of_a_readable_size(size: tuple[int, int]) -> None:
    layout = plan(*size)
    x, y, width, height = layout.panel
    assert layout.text >= 12
    assert layout.text >= 0.02 * min(layout.frame), "also when the whole is shown small"
    assert x + width <= layout.frame[0]
    assert y + height <= layout.frame[1]
    assert layout.picture[0] / layout.picture[1] == pytest.approx(size[0] / size[1], rel=0.01)
    assert max(layout.picture) <= 1920
    hidden = x < layout.picture[0] and y < layout.picture[1]
    assert not hidden, "the panel covers nothing of the picture"


@pytest.mark.parametrize(
    "size",
    [SIZES[0], SIZES[2], *(pytest.param(one, marks=pytest.mark.slow) for one in SIZES[1:4:2])],
)
def test_bars_are_as_long_as_intensities_and_orange_where_active(size: tuple[int, int]) -> None:
    layout = plan(*size)
    panel = Panel(layout, None)

    def painted(values: NDArray[np.float32], active: NDArray[np.bool_]) -> tuple[int, int]:
        image = np.zeros((layout.frame[1], layout.frame[0], 3), np.uint8)
        panel.draw(image, 1.0, "face", values, active)
        counts = [(image == np.asarray(colour)).all(-1).sum() for colour in (BLUE, ORANGE)]
        return int(counts[0]), int(counts[1])

    nothing, off = np.zeros(12, np.float32), np.zeros(12, np.bool_)
    for au in range(12):
        half, full = nothing.copy(), nothing.copy()
        half[au], full[au] = 2.5, 5.0
        assert painted(half, off)[0] == pytest.approx(painted(full, off)[0] / 2, rel=0.04)
        on = off.copy()
        on[au] = True
        blue, orange = painted(full, on)
        assert blue == 0
        assert orange >= painted(full, off)[0], "the bar, and its name in the same colour"


def test_the_level_of_presence_is_a_tick_at_its_place() -> None:
    layout = plan(640, 360)
    images = []
    for level in (1.25, 3.75):
        image = np.zeros((layout.frame[1], layout.frame[0], 3), np.uint8)
        Panel(layout, (level,) * 12).draw(image, 0.0, "", None, None)
        images.append(image.astype(int))
    changed = np.flatnonzero((images[0] != images[1]).any((0, 2)))
    left, width = layout.panel[0], layout.panel[2]
    share = (changed - left) / width
    assert (abs(share - 0.27) < 0.04).any()
    assert (abs(share - 0.73) < 0.04).any()
    assert ((abs(share - 0.27) < 0.04) | (abs(share - 0.73) < 0.04)).all()


def test_box_and_points_are_where_the_face_is_and_absent_without_one() -> None:
    layout = plan(1280, 720)
    box = np.array([400, 200, 700, 600], np.float32)
    points = np.array([[480, 330], [620, 330], [550, 420], [490, 510], [610, 510]], np.float32)

    def drawn(status: str, landmarks: NDArray[np.float32] = points) -> NDArray[np.uint8]:
        image = np.zeros((layout.frame[1], layout.frame[0], 3), np.uint8)
        draw_face(image, layout, box, landmarks, status, "", ORANGE)
        return image

    face, partly = drawn("face"), drawn("interpolated")
    for x, y in ((550, 200), (550, 600), (400, 400), (700, 400)):
        assert tuple(face[y, x]) == ORANGE
        assert not partly[y, x].any(), "an interpolated box has corners only"
    assert tuple(partly[200, 420]) == ORANGE
    for x, y in points.astype(int):
        assert face[y, x].min() > 200
    assert not drawn("no_face").any()
    assert not drawn("face", np.full((5, 2), np.nan, np.float32))[330, 480].any()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_turned_by_its_metadata_is_drawn_upright(tmp_path: Path, degrees: int) -> None:
    upright = clips.picture(0, 360, 640)
    plain = tmp_path / "plain.mp4"
    write_video(plain, [np.rot90(upright, degrees // 90)] * 3, np.arange(3) / 25, crf=15)
    data = bytearray(plain.read_bytes())
    # the display matrix of the track header: 16.16 fixed point, a rotation with the clock
    cos, sin = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    header = data.find(b"tkhd") + 4 + 40
    for at, value in ((0, cos), (4, sin), (12, -sin), (16, cos)):
        data[header + at : header + at + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    plain.write_bytes(bytes(data))
    made = overlay(tmp_path, plain, np.arange(3) / 25, box=(200.0, 400.0, 300.0, 600.0))
    _, image = next(iter(read_frames(made)))
    assert np.abs(image[:350, :360].astype(int) - upright[:350]).mean() < 3
    assert image.shape[0] > 640, "the panel stands below an upright picture"


@pytest.mark.parametrize(
    ("pixels", "codec", "step", "frames"),
    [("gray", "ffv1", 0.04, 5), ("yuva420p", "ffv1", 0.04, 5), ("yuv420p10le", "libx264", 0.04, 5),
     ("yuv420p", "libx264", 0.001, 40), ("yuv420p", "libx264", 60.0, 3),
     ("yuv444p", "ffv1", 0.04, 1)],
)  # fmt: skip
def test_unusual_videos_are_drawn_whole(
    tmp_path: Path, pixels: str, codec: str, step: float, frames: int
) -> None:
    video, times = tmp_path / "v.mkv", np.arange(frames) * step
    with av.open(str(video), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(clips.picture(number, 64, 48), "rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    true = scan(video).timestamps
    assert len(true) == frames
    np.testing.assert_array_equal(scan(overlay(tmp_path, video, true)).timestamps, true)
