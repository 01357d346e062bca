"""Parts of videos, names, lists, and what is predicted again."""

import io
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from stages.cli import app
from stages.core.errors import DataError, SettingsError
from stages.inference import folder
from stages.inference.footage import File, section_frames
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.results import read_faces, read_rows
from stages.inference.sources import expand, find_videos, output_name
from stages.inference.task import Extras
from stages.inference.views.overlay import write_overlay
from stages.synthesis.video_file import write_video
from stages.videos import decoding
from stages.videos.clock import Log
from stages.videos.video import read_frames, scan
from tests.inference import clips, tiny
from tests.inference.test_folder import clip, loaded

__all__ = ["loaded"]

FRAMES = 96


def long_clip(path: Path, start: float = 0.0, codec: str = "libx264") -> Path:
    """Pictures that differ, a key frame every 12, B-frames where the codec has them."""
    with av.open(str(path), "w") as container:
        options = {"g": "12", "bf": "3" if codec == "libx264" else "0", "sc_threshold": "0"}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        for number in range(FRAMES):
            image = np.full((64, 96, 3), 30 + 2 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number + round(25 * start), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "start"),
    [("a.mp4", "libx264", 0.0), ("a.mkv", "libx264", 0.8), ("a.ts", "libx264", 2.0),
     ("a.webm", "libvpx", 0.0), ("a.mpg", "mpeg2video", 0.0), ("a.avi", "mpeg4", 0.0)],
)  # fmt: skip
def test_a_section_has_the_pictures_and_times_of_the_whole(
    tmp_path: Path, name: str, codec: str, start: float
) -> None:
    video = long_clip(tmp_path / name, start, codec)
    whole = list(read_frames(video))
    assert len(whole) == FRAMES
    origin = whole[0][0]
    for first, last in ((0.9, 1.7), (0.0, 0.4), (3.0, None), (None, 0.3), (2.0, 2.04)):
        section = tuple(None if x is None else origin + x for x in (first, last))
        found = list(File(video, section).frames(Log()))
        wanted = [
            (time, image) for time, image in whole
            if (section[0] is None or time >= section[0] - 1e-6)
            and (section[1] is None or time < section[1] - 1e-6)
        ]  # fmt: skip
        assert [time for time, _ in found] == [time for time, _ in wanted]
        for (_, one), (_, other) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_decoding_begins_with_the_key_frame_before(tmp_path: Path) -> None:
    video = long_clip(tmp_path / "a.mp4")
    first = next(decoding.decode(video, Log(), 2.5))[0]
    assert first == pytest.approx(60 / 25), "the sixth of the key frames, of which each 12 has one"
    log = Log()
    assert len(list(section_frames(video, log, (2.5, None)))) == FRAMES - 63
    assert not log.sentences()


@pytest.mark.parametrize(
    ("section", "said"),
    [((10.0, None), "has no picture from 10 seconds: its last picture is at 3.800"),
     ((None, -1.0), "has no picture before -1 seconds: it has one at 0.000"),
     ((0.501, 0.502), "has no picture from 0.501 and before 0.502 seconds: it has one at 0.520")],
)  # fmt: skip
def test_a_section_without_pictures_is_said(
    tmp_path: Path, section: tuple[float | None, float | None], said: str
) -> None:
    video = long_clip(tmp_path / "a.mp4")
    with pytest.raises(DataError, match=said):
        list(section_frames(video, Log(), section))


def test_sound_of_a_section_has_a_second_around_it(tmp_path: Path) -> None:
    video = clips.write_clip(tmp_path / "v.mkv", np.arange(250) / 25, sound="pcm_s16le")
    blocks = list(File(video, (4.0, 6.0)).sound(16_000, []))
    assert 2.0 <= blocks[0][0] <= 3.0
    assert 6.0 <= blocks[-1][0] <= 7.1
    whole = np.concatenate([samples for _, samples in File(video).sound(16_000, [])])
    at = round(blocks[0][0] * 16_000)
    np.testing.assert_allclose(blocks[0][1], whole[at : at + len(blocks[0][1])], atol=1e-4)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [({"start": 3, "end": 3}, "start is 3 and end is 3 seconds: the end must be later"),
     ({"start": float("nan")}, "start is nan; allowed: a number of seconds")],
)  # fmt: skip
def test_bounds_that_cannot_be_are_refused(bounds: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Options(**bounds)  # type: ignore[arg-type]


def test_predict_a_section_with_overlay_report_and_formats(
    loaded: Predictor, tmp_path: Path
) -> None:
    video, out = clip(tmp_path / "a:b?.mp4", frames=60), tmp_path / "run:1"
    options = Options(device="cpu", start=0.8, end=1.6)
    extras = Extras(overlay=True, report=True, formats=("events", "openface"))
    done = folder.predict_all([video], tmp_path, out, options, extras=extras)
    assert not done.failed
    (result,) = done.results
    assert result.name == "a_b_"
    rows = read_rows(result.parquet)
    np.testing.assert_allclose(rows.timestamp, np.arange(20, 40) / 25, atol=1e-6)
    assert rows.frame.tolist() == list(range(1, 21))
    assert result.about["options"] | {"start": 0.8, "end": 1.6} == result.about["options"]
    assert not any("promises" in text for text in result.warnings)
    overlay = scan(out / "a_b_.overlay.mp4")
    np.testing.assert_allclose(overlay.timestamps, np.arange(20) / 25, atol=1e-3)
    assert (out / "a_b_.html").is_file()
    assert (out / "a_b_.events.csv").is_file()
    whole = list(read_frames(video))
    (_, _, face), *_ = read_faces(video, rows, {5}, (0.8, 1.6))
    assert face.shape == (112, 112, 3)
    assert len(whole) == 60
    again = folder.predict_all([video], tmp_path, out, options, extras=extras)
    assert again.results[0].seconds == {}, "done before"
    wider = Options(device="cpu", start=0.8)
    folder.predict_all([video], tmp_path, out, wider)
    assert len(read_rows(result.parquet)) == 40
    assert not (out / "a_b_.events.csv").exists(), "it was of the other section"
    assert not (out / "a_b_.overlay.mp4").exists()


def test_overlay_of_a_section_keeps_its_sound(tmp_path: Path) -> None:
    import json

    from tests.inference import tracks

    times = np.arange(100) / 25
    video = clips.write_clip(tmp_path / "v.mp4", times, sound="aac")
    path = tracks.ours(tmp_path, times[50:75], tracks.course(25))
    about = {"kind": "aufusion prediction", "source": {}, "ensemble": {},
             "options": {"start": 2.0, "end": 3.0}}  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(about))
    made = write_overlay(video, path.with_suffix(".parquet"), tmp_path / "o.mp4")
    assert len(scan(made).timestamps) == 25
    with av.open(str(made)) as file:
        packets = [p for p in file.demux(file.streams.audio[0]) if p.size]
        heard = [float(p.pts * p.time_base) for p in packets]
    assert heard[0] == pytest.approx(0, abs=0.03)
    assert heard[-1] == pytest.approx(1, abs=0.05)
    _, image = next(read_frames(made))
    grey = clips.picture(50, 64, 48)[2, 2, 0]
    assert abs(int(image[10, 10, 0]) - int(grey)) < 6


def test_name_and_overwrite(
    loaded: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = clip(tmp_path / "x/a.mp4", 24), clip(tmp_path / "y/a.mp4", 30, seed=3)
    out, options = tmp_path / "out", Options(device="cpu")
    folder.predict_all([first], tmp_path, out, options, name="chosen")
    assert len(read_rows(out / "chosen.parquet")) == 24
    failed = folder.predict_all([second], tmp_path, out, options, name="chosen").failed
    assert "is of another video" in failed[str(second)]
    assert "--overwrite" in failed[str(second)]
    done = folder.predict_all([second], tmp_path, out, options, name="chosen", overwrite=True)
    assert not done.failed
    assert len(read_rows(out / "chosen.parquet")) == 30
    again = folder.predict_all([second], tmp_path, out, options, name="chosen", overwrite=True)
    assert again.results[0].seconds, "predicted again"
    with (out / "chosen.csv").open("a") as file:
        file.write("mine\n")
    failed = folder.predict_all(
        [second], tmp_path, out, options, name="chosen", overwrite=True
    ).failed
    assert "not as AUFusion wrote it" in failed[str(second)]
    assert (out / "chosen.csv").read_text().endswith("mine\n")
    for name, said in (("../up", "without slashes"), ("", "is empty")):
        with pytest.raises(SettingsError, match=said):
            folder.predict_all([first], tmp_path, out, options, name=name)
    with pytest.raises(SettingsError, match="--name is for one video or photo; 2 are named"):
        folder.predict_all([first, second], tmp_path, out, options, name="chosen")


def test_lists_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my list.txt").write_bytes(
        "\ufeff# of today\r\na b.mp4\r\n\r\n/x/c.mp4\r\n".encode()
    )
    wanted = [tmp_path / "a b.mp4", Path("/x/c.mp4")]
    assert expand([], [tmp_path / "my list.txt"]) == wanted
    assert expand([Path("v.mp4"), Path(f"@{tmp_path / 'my list.txt'}")]) == [Path("v.mp4"), *wanted]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "@odd.mp4").touch()
    assert expand([Path("@odd.mp4")]) == [Path("@odd.mp4")], "a file of this name comes first"
    stdin = io.TextIOWrapper(io.BytesIO(b"one.mp4\nni\xf1o.mp4\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert expand([], [Path("-")]) == [Path("one.mp4"), Path(os.fsdecode(b"ni\xf1o.mp4"))]
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    (tmp_path / "v.bin").write_bytes(b"\0\1")
    for given, said in (
        (["@none.txt"], "The list none.txt cannot be read: No such file"),
        (["@empty.txt"], "names no file: write one path a line"),
        (["@v.bin"], "is no text"),
        ([], "There is nothing to do: name videos"),
    ):
        with pytest.raises(SettingsError, match=said):
            expand([Path(one) for one in given])
    run = CliRunner().invoke(app, ["predict", "@none.txt", "--out", str(tmp_path / "o")])
    assert run.exit_code == 2
    assert "none.txt cannot be read" in run.stderr


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Screencast from 2024-11-14 22:57:44", "Screencast from 2024-11-14 22_57_44"),
     ("Why do we smile?", "Why do we smile_"), ('a "b" | c', "a _b_ _ c"), ("..x", "_x"),
     (" ", "_"), (os.fsdecode(b"entrevista_ni\xf1o"), "entrevista_ni_o")],
)  # fmt: skip
def test_names_that_linux_allows_become_names_that_all_do(stem: str, name: str) -> None:
    assert output_name(stem) == name


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    titles = ["视频" * 40 + tail for tail in "ab"]
    names = [output_name(title) for title in titles]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 200 for name in names)
    for name in ("a:b.mp4", "a?b.mp4"):
        (tmp_path / name).touch()
    found, _ = find_videos([tmp_path], False)
    assert len({one.name for one in found}) == 2


def test_a_name_that_is_no_utf8_is_predicted(loaded: Predictor, tmp_path: Path) -> None:
    video = tmp_path / os.fsdecode(b"entrevista_ni\xf1o.mp4")
    clip(tmp_path / "a.mp4").rename(video)
    extras = Extras(report=True, overlay=True)
    done = folder.predict_all([video], tmp_path, tmp_path / "out", Options(device="cpu"),
                              extras=extras)  # fmt: skip
    assert not done.failed
    assert (tmp_path / "out/entrevista_ni_o.csv").is_file()
    assert (tmp_path / "out/entrevista_ni_o.html").is_file()
    assert done.results[0].about["source"]["name"] == "entrevista_ni\ufffdo.mp4"


def test_raw_jpegs_and_odd_endings_are_videos(tmp_path: Path) -> None:
    tiny.write_raw(tmp_path / "a.mjpeg", tiny.moving(6), codec="mjpeg", pix_fmt="yuvj420p")
    assert len(scan(tmp_path / "a.mjpeg").timestamps) == 6
    write_video(tmp_path / "b.mp4", tiny.moving(4), np.arange(4) / 25, crf=24)
    for ending in ("MOD", "divx", "m2v"):
        (tmp_path / f"{ending}.{ending}").write_bytes(b"")
    found, _ = find_videos([tmp_path], False)
    assert {one.path.name for one in found} == {
        "a.mjpeg", "b.mp4", "MOD.MOD", "divx.divx", "m2v.m2v",
    }  # fmt: skip


def test_a_reader_that_has_gone_does_not_stop_the_work(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    child = os.fork()
    if child == 0:  # pragma: no cover
        os.dup2(write, 1)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        try:
            folder.tell("one")
            folder.tell("two")
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
