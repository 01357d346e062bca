import hashlib
from pathlib import Path

import av
import numpy as np
import pytest

from stages.core.errors import DataError
from stages.synthesis.video_file import write_video
from stages.videos.video import read_frames, scan

CLIPS = Path(__file__).parents[3] / "shared" / "clips"
COLOURS = np.array([[220, 30, 40], [30, 200, 60], [40, 60, 210], [200, 200, 40]], np.uint8)


def pictures(count: int, width: int = 96, height: int = 64):
    """Even colours in turn; a white mark in the upper left corner of each."""
    for k in range(count):
        image = np.empty((height, width, 3), np.uint8)
        image[:] = COLOURS[k % 4]
        image[:16, :32] = 255
        yield image


@pytest.fixture
def video(tmp_path) -> Path:
    path = tmp_path / "video.mp4"
    write_video(path, pictures(60), np.arange(60) / 25, crf=20)
    return path


def test_every_picture_comes_with_its_time_and_colour(video):
    times, images = zip(*read_frames(video), strict=True)
    np.testing.assert_allclose(times, np.arange(60) / 25, atol=1e-6)
    assert all(image.shape == (64, 96, 3) and image.dtype == np.uint8 for image in images)
    for image, true in zip(images, pictures(60), strict=True):
        assert np.abs(image[32:].astype(int) - true[32:]).mean() < 8
        assert image[4:12, 4:28].mean() > 245


def test_a_variable_frame_rate_keeps_its_true_times(tmp_path):
    times = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.02, 0.09, 40)])
    write_video(tmp_path / "a.mp4", pictures(len(times)), times, crf=30)
    seen = scan(tmp_path / "a.mp4")
    np.testing.assert_allclose(seen.timestamps, times, atol=1e-4)
    assert seen.variable_frame_rate
    assert seen.frame_rate == pytest.approx(40 / times[-1], rel=1e-3)
    assert [t for t, _ in read_frames(tmp_path / "a.mp4")] == seen.timestamps.tolist()


def test_a_constant_frame_rate_is_told_from_a_variable_one(video, tmp_path):
    seen = scan(video)
    assert not seen.variable_frame_rate
    assert seen.frame_rate == pytest.approx(25)
    assert seen.problems == ()
    times = np.delete(np.arange(60) / 25, 30)  # one picture is missing
    write_video(tmp_path / "gap.mp4", pictures(59), times, crf=30)
    assert scan(tmp_path / "gap.mp4").variable_frame_rate


def test_late_sound_is_known_by_its_time(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (1, 48_000)).astype(np.float32)
    write_video(
        tmp_path / "a.mp4", pictures(50), np.arange(50) / 25, crf=30, sound=sound, sound_start=0.8
    )
    info = scan(tmp_path / "a.mp4").info
    assert info.sound
    assert info.sound_start == pytest.approx(0.8, abs=0.03)  # one AAC frame is 0.021 s


def test_a_silent_video_has_no_sound(video):
    info = scan(video).info
    assert (info.width, info.height, info.sound, info.sound_start) == (96, 64, False, 0.0)


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [  # what phones write: the picture is stored lying and turned for display
        ((0, 1, -1, 0), -1),
        ((-1, 0, 0, -1), 2),
        ((0, -1, 1, 0), 1),
    ],
)
def test_a_turned_picture_comes_upright(video, matrix, turns):
    data = bytearray(video.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # the matrix of a version 0 box
    a, b, c, d = (int.to_bytes(v * 65536, 4, "big", signed=True) for v in matrix)
    data[start : start + 36] = a + b + bytes(4) + c + d + bytes(12) + (1 << 30).to_bytes(4, "big")
    video.write_bytes(data)
    _, image = next(read_frames(video))
    expected = np.rot90(next(pictures(1)), turns)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8
    info = scan(video).info
    assert (info.height, info.width) == expected.shape[:2]


def test_a_video_cut_off_in_the_middle_keeps_what_decodes(video):
    data = video.read_bytes()
    video.write_bytes(data[: int(len(data) * 0.7)])
    seen = scan(video)
    assert 0 < len(seen.timestamps) < 60
    assert any("promises 60 pictures" in sentence for sentence in seen.problems)
    assert len(list(read_frames(video))) == len(seen.timestamps)


def test_a_damaged_video_decodes_to_the_same_pictures_every_time(tmp_path):
    random = np.random.default_rng(0)
    noise = random.integers(0, 255, (64, 9, 8, 3), np.uint8).repeat(12, axis=1).repeat(16, axis=2)
    write_video(tmp_path / "a.mp4", noise, np.arange(64) / 25, crf=20)
    data = np.frombuffer((tmp_path / "a.mp4").read_bytes(), np.uint8).copy()
    data[random.integers(len(data) // 3, len(data), 40)] ^= 255
    (tmp_path / "a.mp4").write_bytes(data.tobytes())

    def digest() -> str:
        pictures = (image.tobytes() for _, image in read_frames(tmp_path / "a.mp4"))
        return hashlib.sha256(b"".join(pictures)).hexdigest()

    assert scan(tmp_path / "a.mp4").problems
    assert len({digest() for _ in range(10)}) == 1


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        for start in range(0, 16000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("read", [scan, lambda path: list(read_frames(path))])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "cannot be opened"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("no video\n" * 100), "cannot be opened"),
        (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nother.mp4\n"), "cannot be opened"),
        (lambda path: path.write_text("ffconcat version 1.0\nfile b.mp4\n"), "cannot be opened"),
        (lambda path: path.unlink(), "cannot be opened"),
        (sound_alone, "no picture stream"),
    ],
)
def test_what_is_no_video_is_a_sentence(video, read, spoil, said):
    spoil(video)
    with pytest.raises(DataError, match=said) as error:
        read(video)
    assert str(video) in str(error.value) or "cannot be opened" not in said


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not beside the checkout")
def test_real_clips_have_the_frames_that_they_have():
    seen = scan(CLIPS / "grid_brbk7n.mpg")
    assert seen.info.header_frames == 0
    assert len(seen.timestamps) == 75
    assert seen.frame_rate == pytest.approx(25)
    phone = scan(CLIPS / "face_noface.mov")
    assert len(phone.timestamps) == 169
    assert phone.variable_frame_rate
    assert phone.info.sound_start == pytest.approx(2.43, abs=0.005)
