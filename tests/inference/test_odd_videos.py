"""Videos of every kind: a right result."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.inference.options import Options
from stages.inference.predict import expected_frames, predict_file
from stages.inference.predictor import Predictor
from stages.inference.results import Rows, read_rows
from stages.synthesis.video_file import write_video
from tests.inference import tiny

CLIPS = Path(__file__).parents[3] / "shared" / "clips"


def predicted(path: Path, predictor: Predictor, **options: Any) -> tuple[Rows, tuple[str, ...]]:
    result = predict_file(path, predictor, path.parent / "out", Options(**options))
    rows = read_rows(result.parquet)
    assert result.frames == rows.frame[-1]
    return rows, result.warnings


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("grey.avi", "ffv1", "gray"),
        ("ten_bit.mkv", "ffv1", "yuv420p10le"),
        ("ten_bit.mp4", "libx265", "yuv420p10le"),
        ("alpha.mov", "png", "rgba"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("full_range.avi", "mjpeg", "yuvj420p"),
        ("four_four_four.mkv", "libx264", "yuv444p"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("small.mpg", "mpeg2video", "yuv420p"),
        ("small.ts", "mpeg2video", "yuv420p"),
        ("small.nut", "ffv1", "yuv420p"),
        ("small.y4m", "wrapped_avframe", "yuv420p"),
        ("small.ivf", "libvpx-vp9", "yuv420p"),
        ("small.mxf", "mpeg2video", "yuv420p"),
        ("small.gif", "gif", "rgb8"),
        ("small.h264", "libx264", "yuv420p"),
    ],
)
def test_kinds_of_pictures(
    predictor: Predictor, tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    try:
        tiny.write_raw(tmp_path / name, tiny.moving(12), codec=codec, pix_fmt=pix_fmt)
    except (av.FFmpegError, ValueError, OSError) as error:
        pytest.skip(f"this FFmpeg writes no {codec} of {pix_fmt}: {error}")
    rows, _ = predicted(tmp_path / name, predictor)
    assert rows.frame.tolist() == list(range(1, 13))
    assert (rows.status != "no_face").all()
    centre = (rows.box[:, :2] + rows.box[:, 2:]) / 2
    # the face is where it was painted: at the same place of the portrait
    places = [(64 + round(40 * np.sin(k / 9)), 24 + round(16 * np.cos(k / 7))) for k in range(12)]
    assert np.ptp(centre + np.asarray(places), axis=0).max() < 10


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_turned_by_its_metadata_is_upright(
    predictor: Predictor, tmp_path: Path, degrees: int
) -> None:
    write_video(tmp_path / "upright.mp4", tiny.moving(8), np.arange(8) / 25, crf=15)
    upright, _ = predicted(tmp_path / "upright.mp4", predictor)
    turned = [np.rot90(image, degrees // 90) for image in tiny.moving(8)]
    plain = tmp_path / "plain.mp4"
    write_video(plain, turned, np.arange(8) / 25, crf=15)
    data = bytearray(plain.read_bytes())
    # the display matrix of the track header: 16.16 fixed point, a rotation with the clock
    cos, sin = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    header = data.find(b"tkhd") + 4 + 40
    for at, value in ((0, cos), (4, sin), (12, -sin), (16, cos)):
        data[header + at : header + at + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    (tmp_path / "turned.mp4").write_bytes(bytes(data))
    rows, _ = predicted(tmp_path / "turned.mp4", predictor)
    assert (rows.status != "no_face").all()
    np.testing.assert_allclose(rows.landmarks, upright.landmarks, atol=3)


def test_a_thousand_frames_a_second(predictor: Predictor, tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", tiny.moving(300), np.arange(300) / 1000, crf=25)
    rows, warnings = predicted(tmp_path / "a.mp4", predictor)
    np.testing.assert_allclose(rows.timestamp, np.arange(300) / 1000, atol=1e-5)
    assert any("1000 frames a second" in warning for warning in warnings)


@pytest.mark.parametrize("faces", ["main", "all"])
def test_a_single_frame(predictor: Predictor, tmp_path: Path, faces: str) -> None:
    write_video(tmp_path / "a.mp4", tiny.moving(1), np.zeros(1), crf=20)
    rows, _ = predicted(tmp_path / "a.mp4", predictor, faces=faces)
    assert (rows.frame.tolist(), rows.face_id.tolist()) == ([1], [1])
    assert np.isfinite(rows.probabilities).all()


@pytest.mark.parametrize("faces", ["main", "all"])
def test_no_face_at_all(predictor: Predictor, tmp_path: Path, faces: str) -> None:
    write_video(
        tmp_path / "a.mp4", tiny.moving(40, without=range(40)), np.arange(40) / 25, crf=20,
        sound=tiny.speech(2),
    )  # fmt: skip
    rows, warnings = predicted(tmp_path / "a.mp4", predictor, faces=faces)
    assert rows.frame.tolist() == list(range(1, 41))
    assert set(rows.face_id.tolist()) == {0}
    assert set(rows.status.tolist()) == {"no_face"}
    assert np.isnan(rows.probabilities).all()
    assert not rows.active.any()
    assert any("No face was found" in warning for warning in warnings)


def test_a_picture_of_8k(predictor: Predictor, tmp_path: Path) -> None:
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[1000:3880, 2000:4880] = tiny.portrait().repeat(10, axis=0).repeat(10, axis=1)
    tiny.write_raw(tmp_path / "a.avi", [image], codec="mjpeg", pix_fmt="yuvj420p")
    small = [np.ascontiguousarray(image[::10, ::10])]
    tiny.write_raw(tmp_path / "b.avi", small, codec="mjpeg", pix_fmt="yuvj420p")
    rows, _ = predicted(tmp_path / "a.avi", predictor)
    expected, _ = predicted(tmp_path / "b.avi", predictor)
    assert rows.status.tolist() == ["face"]
    # the large one is reduced before the face is looked for, and its crop is sharper
    np.testing.assert_allclose(rows.box / 10, expected.box, atol=8)


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "frames", "faces"),
    [("grid_brbk7n.mpg", 75, 75), ("single_face.mp4", 72, 72), ("face_noface.mov", 169, 60)],
)
def test_real_clips(
    predictor: Predictor, tmp_path: Path, name: str, frames: int, faces: int
) -> None:
    result = predict_file(CLIPS / name, predictor, tmp_path)
    rows = read_rows(result.parquet)
    with av.open(str(CLIPS / name)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert result.frames == len(times) == frames
    np.testing.assert_allclose(rows.timestamp, times, atol=1e-6)
    assert (rows.status != "no_face").sum() >= faces
    if name == "face_noface.mov":
        heard = result.about["frames_with_sound"]
        assert heard == pytest.approx(sum(time >= 2.43 for time in times), abs=4)
    if name.startswith("grid"):
        assert expected_frames(CLIPS / name)[0] == 0
