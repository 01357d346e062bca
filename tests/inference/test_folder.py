"""The command line over many videos: continued, complete, and honest about what failed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from stages.cli import app
from stages.core import files
from stages.core.errors import DataError
from stages.core.hashing import ROOT
from stages.inference import folder, predict
from stages.inference.columns import COLUMNS
from stages.inference.known_hashes import NAME as NOTES
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.results import Result, read_rows
from stages.synthesis.video_file import write_video
from stages.videos.video import scan
from tests.inference import tiny


def clip(path: Path, frames: int = 24, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = tiny.moving(frames + seed)[seed:]
    write_video(path, pictures, np.arange(frames) / 25, crf=24, sound=tiny.speech(frames / 25))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos, and a file that is none."""
    for seed, name in enumerate(("a.mp4", "b.mov", "c.mp4")):
        clip(tmp_path / "videos" / name, seed=seed)
    (tmp_path / "videos/b2.mp4").write_bytes(b"")
    (tmp_path / "videos/notes.txt").write_text("no video")
    return tmp_path / "videos"


@pytest.fixture
def loaded(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """Commands take the loaded ensemble, and leave torch's threads alone."""

    def load(path: Path, options: Options) -> Predictor:
        from dataclasses import replace

        return replace(predictor, options=options)

    monkeypatch.setattr(folder.predict_all, "__kwdefaults__", {
        **(folder.predict_all.__kwdefaults__ or {}), "load": load})  # fmt: skip
    monkeypatch.setattr(folder, "share_cores", lambda: None)
    return predictor


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, done.output


def contents(out: Path) -> dict[str, bytes]:
    """All files but the notes on large ones, which come when a page has aged two seconds."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != NOTES]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def names(stems: Sequence[str]) -> list[str]:
    return sorted(f"{stem}.{ending}" for stem in stems for ending in ("csv", "json", "parquet"))


def test_a_bad_file_is_reported_and_the_rest_is_done(
    loaded: Predictor, videos: Path, tmp_path: Path
) -> None:
    code, said = run("predict", videos, "--out", tmp_path / "out")
    assert code == 1
    assert "b2.mp4 is empty" in said
    assert "3 of 4 done" in said
    assert list(contents(tmp_path / "out")) == names(["a", "b", "c"])
    (videos / "b2.mp4").unlink()
    code, said = run("predict", videos, "--out", tmp_path / "out")
    assert code == 0
    assert said.count("done before") == 3


def test_done_files_are_left_alone_unless_something_differs(
    loaded: Predictor, videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (videos / "b2.mp4").unlink()
    run("predict", videos, "--out", out)
    stamps = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    first = contents(out)
    (out / "a.csv").unlink()
    run("predict", videos, "--out", out)
    again = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    assert {p.name for p in stamps if again[p] != stamps[p]} == set(names(["a"]))
    assert contents(out) == first
    code, said = run("predict", videos, "--out", out, "--every", 3)
    assert code == 0
    assert "done before" not in said
    assert (read_rows(out / "a.parquet").status[1::3] == "interpolated").all()


def test_results_of_another_video_are_not_overwritten(loaded: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("predict", clip(tmp_path / "one/a.mp4"), "--out", out)
    before = contents(out)
    code, said = run("predict", clip(tmp_path / "two/a.mp4", seed=5), "--out", out)
    assert code == 1
    assert "is of another video" in said
    assert contents(out) == before


def test_two_of_one_name_are_both_predicted(loaded: Predictor, tmp_path: Path) -> None:
    one, two = clip(tmp_path / "one/a.mp4"), clip(tmp_path / "two/a.mp4", frames=30, seed=3)
    code, _ = run("predict", one, two, "--out", tmp_path / "out")
    assert code == 0
    found = sorted((tmp_path / "out").glob("*.json"))
    assert sorted(Result.load(path, one).frames for path in found) == [24, 30]


@pytest.mark.parametrize("recursive", [False, True])
def test_folders_within_folders(loaded: Predictor, tmp_path: Path, recursive: bool) -> None:
    clip(tmp_path / "videos/a.mp4")
    clip(tmp_path / "videos/deep/b.mp4", seed=2)
    words = ["predict", tmp_path / "videos", "--out", tmp_path / "out"]
    code, _ = run(*words, *(["-r"] if recursive else []))
    assert code == 0
    below = names(["a", "deep/b"]) if recursive else names(["a"])
    assert list(contents(tmp_path / "out")) == below


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", "0"], "every is 0"),
        (["--batch", "-1"], "batch is -1"),
        (["--device", "tpu"], "tpu"),
        (["--faces", "both"], "both"),
        (["--ensemble", "nowhere"], "ensemble.json is not there"),
        (["--what"], "--what"),
    ],
)
def test_what_cannot_begin_is_code_2(videos: Path, words: list[str], said: str) -> None:
    code, text = run("predict", videos, "--out", videos / "out", *words)
    assert code == 2
    assert said in text
    assert "Traceback" not in text
    assert not (videos / "out").exists()


def test_a_folder_without_videos_is_code_1(loaded: Predictor, tmp_path: Path) -> None:
    code, said = run("predict", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "holds no video" in said


def test_a_folder_that_cannot_be_written_is_a_sentence(loaded: Predictor, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, where a folder is asked for")
    code, said = run("predict", clip(tmp_path / "a.mp4"), "--out", tmp_path / "out")
    assert code == 1
    assert "cannot be written: File exists" in said


def test_overlay_and_report_are_made_once(loaded: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["predict", clip(tmp_path / "a.mp4"), "--out", out]
    run(*words)
    assert set(contents(out)) == set(names(["a"]))
    assert run(*words, "--overlay", "--report")[0] == 0
    extras = [out / "a.overlay.mp4", out / "a.html"]
    assert scan(extras[0]).timestamps.tolist() == scan(tmp_path / "a.mp4").timestamps.tolist()
    assert "AUFusion.timeline" in extras[1].read_text()
    made = [path.stat().st_mtime_ns for path in extras]
    run(*words, "--overlay", "--report")
    assert [path.stat().st_mtime_ns for path in extras] == made
    run(*words, "--every", 2)
    assert list(contents(out)) == names(["a"]), "of an earlier prediction nothing is left"


def test_help_and_columns_explain_themselves() -> None:
    code, said = run("--help")
    assert code == 0
    assert "predict" in said
    code, said = run("info", "--columns")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == list(COLUMNS)


def test_info_says_what_an_ensemble_is(ensemble: Path, tmp_path: Path) -> None:
    code, said = run("info", ensemble)
    assert code == 0
    for words in ("Ensemble tiny", "2 members", "wav2vec", "Apache-2.0", "CenterFace", "MIT",
                  "synthetic", "test, f1", "0.250", "0.40"):  # fmt: skip
        assert words in said
    code, said = run("info", tmp_path)
    assert code == 2
    assert "is not there" in said


@pytest.mark.slow
def test_killed_in_the_middle_of_a_folder(ensemble: Path, tmp_path: Path) -> None:
    """The same bytes as an undisturbed run, and what was done is not touched."""
    for seed, name in enumerate("abc"):
        clip(tmp_path / f"videos/{name}.mp4", frames=60, seed=seed)
    words = [sys.executable, "-m", "stages.cli", "predict", str(tmp_path / "videos")]
    words += ["--ensemble", str(ensemble), "--device", "cpu", "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def go(out: Path, **more: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([*words, str(out)], env=environment, cwd=tmp_path,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    assert go(tmp_path / "undisturbed").wait() == 0
    killed = go(tmp_path / "killed")
    patience = time.monotonic() + 120
    # in the middle of the second video
    while not files.temporaries(tmp_path / "killed", "b.csv"):
        assert killed.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").iterdir() if p.name[0] == "a"}
    assert len(done) == 3
    assert not (tmp_path / "killed/c.json").exists()
    assert go(tmp_path / "killed").wait() == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())


def test_ctrl_c_keeps_what_is_finished(
    loaded: Predictor, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = predict.predict_file

    def stopped(path: Path, *given: object, **more: object) -> Result:
        if path.name == "b.mov":
            raise KeyboardInterrupt
        return plain(path, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(predict, "predict_file", stopped)
    code, said = run("predict", videos, "--out", tmp_path / "out")
    assert code == 130
    assert "What is finished is kept" in said
    assert list(contents(tmp_path / "out")) == names(["a"])


def test_a_defect_of_ours_stops_one_video_alone(
    loaded: Predictor, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = predict.predict_file

    def broken(path: Path, *given: object, **more: object) -> Result:
        if path.name == "b.mov":
            raise ZeroDivisionError("nothing to divide by")
        return plain(path, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(predict, "predict_file", broken)
    code, said = run("predict", videos, "--out", tmp_path / "out")
    assert code == 1
    assert "b.mov: ZeroDivisionError: nothing to divide by. This is a defect" in said
    assert list(contents(tmp_path / "out")) == names(["a", "c"])


def test_a_result_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"kind": "something else"}')
    with pytest.raises(DataError, match="does not say what made"):
        Result.load(tmp_path / "a.json", tmp_path / "a.mp4")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="is no prediction"):
        read_rows(tmp_path / "a.parquet")
