"""Other people's files in the folder of the results, two writers of one output, kills, seals."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.core import files
from stages.core.errors import DataError
from stages.core.hashing import ROOT, file_hash
from stages.inference import outputs as outputs_module
from stages.inference.comparison.compare import compare_files
from stages.inference.outputs import Outputs
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor
from stages.inference.results import KIND, read_about, read_rows
from stages.inference.seals import sealed_table
from stages.inference.views.overlay import write_overlay
from stages.inference.views.report import write_report
from stages.synthesis.video_file import write_video
from stages.videos import indexing
from stages.videos.decoding import is_our_video
from tests.inference import tiny, tracks
from tests.inference.test_folder import clip as long_clip
from tests.inference.test_folder import contents, loaded, names, run

__all__ = ["loaded"]  # a fixture


def clip(path: Path, frames: int = 6, seed: int = 0) -> Path:
    return long_clip(path, frames, seed)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ("a.csv", []), ("a.parquet", []), ("a.json", []),
        ("a.html", ["--report"]), ("a.overlay.mp4", ["--overlay"]),
    ],
)  # fmt: skip
def test_files_of_others_are_never_touched(
    loaded: Predictor, tmp_path: Path, theirs: str, words: list[str]
) -> None:
    own = tmp_path / "own"
    video = clip(own / "a.mp4")
    (own / theirs).write_text("my own notes")
    (own / "a.txt").write_text("and some more")
    before = contents(own)
    code, said = run("predict", video, "--out", own, *words)
    assert code == 1
    assert f"{theirs} is there and not as AUFusion wrote it" in said
    assert "name another folder with --out" in said
    assert contents(own) == before


def test_a_page_of_others_is_no_hindrance_where_none_is_asked_for(
    loaded: Predictor, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    video = clip(own / "a.mp4")
    (own / "a.html").write_text("my own page")
    for words in ([], ["--every", "2"]):
        assert run("predict", video, "--out", own, *words)[0] == 0
    assert (own / "a.html").read_text() == "my own page"


def test_what_somebody_changed_is_theirs(loaded: Predictor, tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4")
    words = ["--overlay", "--report"]
    assert run("predict", video, "--out", tmp_path / "whole", *words)[0] == 0
    whole = contents(tmp_path / "whole")
    assert set(whole) == {*names(["a"]), "a.html", "a.overlay.mp4"}
    for changed, content in whole.items():
        out = tmp_path / f"out of {changed}"
        shutil.copytree(tmp_path / "whole", out)
        if changed == "a.json":
            content = content.replace(b'"kind"', b'"my notes": "none", "kind"')
        (out / changed).write_bytes(content + b"\n")
        before = contents(out)
        code, said = run("predict", video, "--out", out, *words, "--every", "2")
        assert code == 1
        assert f"{changed} is there and not as AUFusion wrote it" in said
        assert contents(out) == before


def test_what_is_damaged_is_not_taken_for_done(loaded: Predictor, tmp_path: Path) -> None:
    """As a crash of the machine leaves it: there, of the right size, and full of zeros."""
    out, video = tmp_path / "out", clip(tmp_path / "a.mp4")
    run("predict", video, "--out", out)
    size = (out / "a.parquet").stat().st_size
    (out / "a.parquet").write_bytes(bytes(size))
    code, said = run("predict", video, "--out", out)
    assert code == 1
    assert "a.parquet is there and not as AUFusion wrote it" in said
    (out / "a.parquet").unlink()
    assert run("predict", video, "--out", out)[0] == 0
    read_rows(out / "a.parquet")


def test_overlay_and_page_show_the_prediction_that_is_there(
    loaded: Predictor, tmp_path: Path
) -> None:
    out, video = tmp_path / "out", clip(tmp_path / "a.mp4")
    words = ["predict", video, "--out", out, "--overlay", "--report"]
    run(*words)
    first = contents(out)
    older = {name: first[name] for name in ("a.overlay.mp4", "a.html")}
    run(*words, "--every", "3")
    second = contents(out)
    assert all(second[name] != older[name] for name in older)
    for name, content in older.items():  # as a kill between tables and overlay would leave them
        (out / name).write_bytes(content)
    run(*words, "--every", "3")
    assert contents(out) == second


def test_another_process_is_refused_and_nothing_is_mixed(loaded: Predictor, tmp_path: Path) -> None:
    out, video = tmp_path / "out", clip(tmp_path / "a.mp4")
    clip(tmp_path / "b.mp4", seed=3)
    run("predict", video, "--out", out)
    before = contents(out)
    with Outputs(out, "a", KIND):
        code, said = run("predict", tmp_path, "--out", out, "--every", 3)
    assert code == 1
    assert "a.* is being written by another AUFusion" in said
    assert "or name another folder with --out" in said
    after = contents(out)
    assert list(after) == names(["a", "b"]), "the other video is no matter of theirs"
    assert {name: after[name] for name in before} == before
    assert run("predict", video, "--out", out, "--every", 3)[0] == 0


KILLED_AT = ("a.csv", "a.parquet", "a.json")


@pytest.mark.parametrize("last", KILLED_AT)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_kill_between_two_renames_is_mended(
    loaded: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, fresh: bool
) -> None:
    out, video = tmp_path / "out", clip(tmp_path / "a.mp4")
    run("predict", video, "--out", tmp_path / "undisturbed", "--every", 3)
    if not fresh:
        run("predict", video, "--out", out)
    plain = Path.replace

    class Killed(BaseException):
        pass

    def replace(path: Path, target: Path) -> Path:
        if Path(target).name == last:
            raise Killed
        return plain(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        patch.setattr(outputs_module, "discard", lambda paths: None)
        patch.setattr("stages.inference.writing.discard", lambda paths: None)
        with pytest.raises(Killed):
            run("predict", video, "--out", out, "--every", 3)
    assert files.temporaries(out)
    code, said = run("predict", video, "--out", out, "--every", 3)
    assert code == 0, said
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_own_results_are_no_input(loaded: Predictor, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    clip(folder / "a.mp4")
    for _ in range(3):
        code, said = run("predict", folder, "--out", folder, "--overlay", "--report")
        assert code == 0
    assert set(contents(folder)) == {*names(["a"]), "a.mp4", "a.overlay.mp4", "a.html"}
    assert "a.overlay.mp4: left out, AUFusion drew it" in said
    shutil.move(folder / "a.overlay.mp4", tmp_path / "b.mp4")
    code, said = run("predict", tmp_path / "b.mp4", "--out", tmp_path / "out")
    assert code == 1
    assert "b.mp4 was drawn by AUFusion: name the video that it shows" in said
    with pytest.raises(DataError, match=r"^b\.mp4 was drawn by AUFusion"):
        indexing.scan_video(indexing.Video(tmp_path, "b.mp4"), tmp_path / "piece.json")
    assert not is_our_video(folder / "a.mp4")


def test_a_photo_with_its_overlay_is_no_input_either(loaded: Predictor, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "d"
    folder.mkdir()
    Image.fromarray(tiny.portrait()).save(folder / "a.png")
    for _ in range(2):
        code, said = run("predict", folder, "--out", folder, "--overlay")
        assert code == 0, said
    assert sealed_table(folder / "a.overlay.jpg") == file_hash(folder / "a.parquet")
    assert not list(folder.glob("*.overlay.overlay*"))
    (folder / "a.overlay.jpg").write_bytes(b"mine")
    assert run("predict", folder / "a.png", "--out", folder, "--overlay")[0] == 1
    assert (folder / "a.overlay.jpg").read_bytes() == b"mine"


def test_a_comparison_replaces_only_itself(tmp_path: Path) -> None:
    times = np.arange(30) / 25
    ours = tracks.ours(tmp_path, times, tracks.course(30))
    theirs = tracks.ours(tmp_path, times, tracks.course(30, seed=1), name="again")
    out = tmp_path / "out"
    compare_files(ours, theirs, out)
    (made,) = out.glob("*.csv")
    assert {p.suffix for p in out.iterdir()} == {".csv", ".png", ".json"}
    first = contents(out)
    compare_files(ours, theirs, out)
    assert contents(out) == first
    made.write_text("my own table")
    before = contents(out)
    with pytest.raises(DataError, match="not as AUFusion wrote it"):
        compare_files(ours, theirs, out)
    assert contents(out) == before


@pytest.mark.parametrize("write", [write_overlay, write_report])
def test_overlay_and_page_are_never_written_over_others(
    tmp_path: Path, write: Callable[[Path, Path, Path], Path]
) -> None:
    video, times = tmp_path / "v.mp4", np.arange(6) / 25
    write_video(video, tiny.moving(6), times, crf=24)
    table = tracks.ours(tmp_path, times, tracks.course(6)).with_suffix(".parquet")
    out = tmp_path / f"o{'.mp4' if write is write_overlay else '.html'}"
    write(video, table, out)
    first = out.read_bytes()
    assert sealed_table(out) == file_hash(table)
    assert write(video, table, out).read_bytes() == first
    for spoilt in (b"", b"mine", first[:-1], first + b" ", first[:99] + b"?" + first[100:]):
        out.write_bytes(spoilt)
        assert sealed_table(out) is None
        with pytest.raises(DataError, match="not as AUFusion wrote it"):
            write(video, table, out)
        assert out.read_bytes() == spoilt


@pytest.mark.slow
def test_two_commands_at_once_and_twenty_kills(ensemble: Path, tmp_path: Path) -> None:
    """Real processes: one of two is refused; what is killed is mended by the next run."""
    video = clip(tmp_path / "a.mp4", frames=60)
    words = [sys.executable, "-m", "stages.cli", "predict", str(video), "--overlay", "--report"]
    words += ["--ensemble", str(ensemble), "--device", "cpu", "--out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def go(out: str, *more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([*words, str(tmp_path / out), *more], env=environment, text=True,
                                cwd=tmp_path, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)  # fmt: skip

    whole = {}
    for every in ("1", "3"):
        assert go(every, "--every", every).wait() == 0
        whole[every] = contents(tmp_path / every)
    both = {every: go("out", "--every", every) for every in whole}
    for process in both.values():
        said = process.communicate()[0]
        assert process.returncode == 0 or "another AUFusion" in said
    assert contents(tmp_path / "out") in whole.values()
    random = np.random.default_rng(5)
    for moment in random.uniform(1.0, 9.0, 20):
        every = str(random.choice(list(whole)))
        process = go("out", "--every", every)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert go("out", "--every", "3").wait() == 0
    assert contents(tmp_path / "out") == whole["3"]
    assert read_about(tmp_path / "out/a.json")


def test_results_are_named_by_what_they_hold(predictor: Predictor, tmp_path: Path) -> None:
    result = predict_file(clip(tmp_path / "a.mp4"), predictor, tmp_path / "out")
    assert result.about["files"] == {
        "a.csv": file_hash(result.csv), "a.parquet": file_hash(result.parquet)
    }  # fmt: skip
