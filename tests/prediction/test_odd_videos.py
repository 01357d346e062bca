"""Videos of every kind and state: a right result, or a sentence; never half a file."""

import subprocess
import sys
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.errors import DataError
from stages.prediction import sources
from stages.prediction.options import Options
from stages.prediction.predict import expected_frames, predict_file
from stages.prediction.predictor import Predictor
from stages.prediction.results import Rows, read_rows
from stages.synthesis.video_file import write_video
from tests.prediction import tiny

CLIPS = Path(__file__).parents[3] / "shared" / "clips"
NOTHING: list[str] = []


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


def test_a_truncated_video_keeps_what_decodes(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60), np.arange(60) / 25, crf=20)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    rows, warnings = predicted(path, predictor)
    assert 10 < rows.frame[-1] < 60
    assert any("promises 60 pictures" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:300]),
            "no picture stream|cannot be opened",
        ),
        (lambda path: path.write_text("no video\n" * 100), "cannot be opened as a video"),
        (lambda path: path.write_text("ffconcat version 1.0\nfile b.mp4\n"), "cannot be opened"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(
    predictor: Predictor, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(10), np.arange(10) / 25, crf=20)
    spoil(path)
    with pytest.raises(DataError, match=said):
        predict_file(path, predictor, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_permission_is_a_sentence(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(4), np.arange(4) / 25, crf=20)

    def refuse(asked: Path) -> str:
        raise PermissionError(13, "Permission denied", str(asked))

    # as root, who runs the tests in containers, every file can be read
    monkeypatch.setattr(sources, "file_hash", refuse)
    sources._hash.cache_clear()
    with pytest.raises(DataError, match=r"a\.mp4 cannot be read: Permission denied"):
        predict_file(path, predictor, tmp_path / "out")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(40), np.arange(40) / 25, crf=20)
    predict_file(path, predictor, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    full = OSError(ENOSPC, "No space left on device")

    def write(*given: object, **more: object) -> None:
        raise full

    from stages.prediction import writing

    if ending == ".csv":
        plain = writing.csv.writer

        class Half:
            def __init__(self, *given: Any, **more: Any) -> None:
                self._writer, self._rows = plain(*given, **more), 0

            def writerow(self, row: Any) -> None:
                self._rows += 1
                if self._rows > 10:
                    raise full
                self._writer.writerow(row)

        monkeypatch.setattr(writing.csv, "writer", Half)
    elif ending == ".parquet":
        monkeypatch.setattr(writing.parquet.ParquetWriter, "write_table", write)
    else:
        monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(DataError, match=rf"a\{ending} cannot be written: No space left"):
        predict_file(path, predictor, tmp_path / "out", Options(every=2))
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    with pytest.raises(DataError, match="No space left"):
        predict_file(path, predictor, tmp_path / "fresh")
    assert list((tmp_path / "fresh").iterdir()) == []


def test_a_file_that_is_truly_too_large_for_the_disk(predictor: Predictor, tmp_path: Path) -> None:
    """The same with a limit of the system's own on the size of a file."""
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(120), np.arange(120) / 25, crf=20)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from stages.prediction.predict import predict_file\n"
        "from stages.prediction.predictor import load_predictor\n"
        "from stages.errors import DataError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "p = load_predictor(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try:\n    predict_file(Path(sys.argv[2]), p, Path(sys.argv[3]))\n"
        "except DataError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, predictor.ensemble.folder, path, tmp_path / "out"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "cannot be written: File too large." in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_a_video_that_changes_meanwhile_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60), np.arange(60) / 25, crf=20)

    def grow(done: int, total: int | None, rate: float) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(DataError, match="changed while it was read"):
        predict_file(path, predictor, tmp_path / "out", progress=grow)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "a\0"])
def test_a_name_cannot_leave_the_folder(predictor: Predictor, tmp_path: Path, name: str) -> None:
    write_video(tmp_path / "a.mp4", tiny.moving(2), np.arange(2) / 25, crf=20)
    with pytest.raises(DataError, match="cannot be the name"):
        predict_file(tmp_path / "a.mp4", predictor, tmp_path / "out", name=name)


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
