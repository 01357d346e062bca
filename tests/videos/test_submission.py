"""The challenge's file: what is written passes the check, each defect is named with its line."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from stages import check_submission as command
from stages.core.errors import DataError, SettingsError
from stages.videos.manifest import Entry, Manifest
from stages.videos.submission import HEADER, check_submission, frames_of_test, write_submission
from tests import stand_ins

FRAMES = {"07-30-1920x1080": 3, "video12": 2, "video12_left": 2}


def decided(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.random((count, 12)) < 0.5 for name, count in FRAMES.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "submission.txt"
    assert write_submission(path, decided(), FRAMES) == []
    return path


def test_every_frame_is_written_as_the_challenge_wants_it(file: Path) -> None:
    text = file.read_bytes().decode()
    assert text.startswith(
        "image_location,AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26\n"
    )
    assert "\r" not in text
    rows = list(csv.reader(text.splitlines()))[1:]
    assert [row[0] for row in rows] == [
        "07-30-1920x1080/00001.jpg", "07-30-1920x1080/00002.jpg", "07-30-1920x1080/00003.jpg",
        "video12/00001.jpg", "video12/00002.jpg", "video12_left/00001.jpg",
        "video12_left/00002.jpg",
    ]  # fmt: skip
    values = np.array([row[1:] for row in rows], int)
    np.testing.assert_array_equal(values, np.concatenate([decided()[name] for name in FRAMES]))
    assert check_submission(file, FRAMES) == 7
    assert [item.name for item in file.parent.iterdir()] == ["submission.txt"]


def test_a_video_without_predictions_is_written_as_zeros_and_named(tmp_path: Path) -> None:
    decisions = decided()
    del decisions["video12"]
    path = tmp_path / "submission.txt"
    assert write_submission(path, decisions, FRAMES) == ["video12"]
    assert "video12/00002.jpg" + ",0" * 12 in path.read_text().splitlines()
    assert check_submission(path, FRAMES) == 7


def test_predictions_of_another_length_are_refused(tmp_path: Path) -> None:
    decisions = {**decided(), "video12": np.zeros((5, 12), bool)}
    with pytest.raises(DataError, match="video12 has 2 frames, but 5 predictions"):
        write_submission(tmp_path / "s.txt", decisions, FRAMES)
    with pytest.raises(DataError, match="no test videos"):
        write_submission(tmp_path / "s.txt", decisions, {})
    assert not (tmp_path / "s.txt").exists()


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (1, "image_location,AU1", r"line 1 is 'image_location,AU1': it must be image_location,AU1"),
        (3, "07-30-1920x1080/00002.jpg,2" + ",0" * 11, "line 3 holds '2': write 0 or 1"),
        (3, "07-30-1920x1080/00002.jpg,-1" + ",0" * 11, "line 3 holds '-1'"),
        (3, "07-30-1920x1080/00002.jpg,0.0" + ",0" * 11, "line 3 holds '0.0'"),
        (3, "07-30-1920x1080/00002.jpg" + ",0" * 11, "line 3 has 11 values instead of 12"),
        (3, "07-30-1920x1080/00002.jpg" + ",0" * 13, "line 3 has 13 values"),
        (5, "07-30-1920x1080/00001.jpg" + ",0" * 12, "line 5 repeats .* which is on line 2"),
        (5, "video12/00003.jpg" + ",0" * 12, "line 5 video12 has no frame 00003: .* to 00002"),
        (5, "video12/00000.jpg" + ",0" * 12, "line 5 video12 has no frame 00000"),
        (5, "video12/000001.jpg" + ",0" * 12, "line 5 video12 has no frame 000001"),
        (5, "video13/00001.jpg" + ",0" * 12, "line 5 'video13' is no test video"),
        (5, "video12/1.jpg" + ",0" * 12, r"line 5 begins with 'video12/1\.jpg'"),
        (5, "video12/00001.png" + ",0" * 12, "line 5 begins with 'video12/00001.png'"),
        (5, "", "line 5 begins with ''"),
    ],
)
def test_a_defect_is_named_with_its_line(file: Path, line: int, text: str, said: str) -> None:
    lines = file.read_text().splitlines()
    lines[line - 1] = text
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=said):
        check_submission(file, FRAMES)


def test_missing_frames_are_counted(file: Path) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:3] + lines[5:]) + "\n")
    with pytest.raises(DataError) as caught:
        check_submission(file, FRAMES)
    said = str(caught.value)
    assert "07-30-1920x1080 lacks 1 of 3 frames, first 07-30-1920x1080/00003.jpg" in said
    assert "video12 lacks 1 of 2 frames, first video12/00001.jpg" in said
    assert "video12_left" not in said


def test_all_defects_are_named_up_to_twenty(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("\n".join([HEADER, *["x"] * 30]))
    with pytest.raises(DataError) as caught:
        check_submission(path, {"a": 1})
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("and 11 more")


def test_windows_line_ends_are_accepted_and_other_files_are_not(file: Path) -> None:
    text = file.read_text()
    file.write_bytes(text.replace("\n", "\r\n").encode())
    assert check_submission(file, FRAMES) == 7
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not plain text"):
        check_submission(file, FRAMES)
    file.write_text("")
    with pytest.raises(DataError, match="holds no rows"):
        check_submission(file, FRAMES)
    with pytest.raises(DataError, match="is not there"):
        check_submission(file.with_name("none.txt"), FRAMES)


def entry(name: str, split: str, frames: int, annotation: str | None) -> Entry:
    return stand_ins.entry(name, f"{name}.mp4", frames, split=split, annotation=annotation)


def test_the_command_reads_the_test_videos_of_the_index(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    # test videos of a list of names have no annotation
    entries = [entry(name, "test", count, None) for name, count in FRAMES.items()]
    entries.append(entry("train1", "train", 9, "train1.txt"))
    monkeypatch.chdir(file.parent)
    Path("data/index").mkdir(parents=True)
    manifest = Manifest("videos", tuple(entries), {})
    assert frames_of_test(manifest) == FRAMES
    manifest.save(Path("data/index"))
    monkeypatch.setattr(sys, "argv", ["check_submission", "submission.txt"])
    command.main()
    assert "7 rows for every frame of 3 test videos" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["check_submission"])
    with pytest.raises(SettingsError, match="Name one file"):
        command.main()
