"""Work over videos: results, failures, resume, names that are no file names."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from stages.core import parallel
from stages.core.errors import DataError
from stages.core.parallel import map_videos, partial_folder


def square(item: int, path: Path) -> None:
    if item == 3:
        raise DataError("three.mp4 holds no picture: record it again.")
    if item == 4:
        path.write_text("half")
        raise ZeroDivisionError("division by zero")
    path.write_text(str(item**2))


def note_process(item: int, path: Path) -> None:
    time.sleep(0.3)
    path.write_text(str(os.getpid()))


def unreachable(item: int, path: Path) -> None:
    raise AssertionError("a finished piece was made again")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_and_failures_by_name(tmp_path: Path, workers: int) -> None:
    items = {f"n{i}": i for i in (5, 4, 3, 2, 1)}
    outcome = map_videos(
        square, items, tmp_path, suffix=".txt", workers=workers, description="test"
    )
    assert list(outcome.done) == ["n1", "n2", "n5"]
    assert [path.read_text() for path in outcome.done.values()] == ["1", "4", "25"]
    assert outcome.failed == {
        "n3": "three.mp4 holds no picture: record it again.",
        "n4": "ZeroDivisionError: division by zero",
    }
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n1.txt", "n2.txt", "n5.txt"]


def test_two_workers_are_other_processes(tmp_path: Path) -> None:
    items = {str(i): i for i in range(4)}
    outcome = map_videos(note_process, items, tmp_path, suffix="", workers=2, description="test")
    pids = {int(path.read_text()) for path in outcome.done.values()}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_finished_pieces_are_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("kept")
    outcome = map_videos(
        unreachable, {"a": 1}, tmp_path, suffix=".txt", workers=2, description="test"
    )
    assert outcome.done["a"].read_text() == "kept"
    assert not outcome.failed


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\\b", "a\0b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be a file name"):
        map_videos(square, {name: 1}, tmp_path, suffix="", workers=1, description="test")


def test_partial_folder_lives_until_the_work_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PARTIAL", tmp_path)
    with pytest.raises(RuntimeError), partial_folder("crop", "a" * 32) as folder:
        (folder / "piece").touch()
        raise RuntimeError("killed")
    with partial_folder("crop", "a" * 32) as folder:
        assert (folder / "piece").exists()
    assert not folder.exists()


def test_pieces_of_other_settings_are_never_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PARTIAL", tmp_path)
    with pytest.raises(RuntimeError), partial_folder("crop", "a" * 32) as old:
        (old / "piece").touch()
        raise RuntimeError("killed")
    with partial_folder("crop", "b" * 32) as new:
        assert not any(new.iterdir())
        assert not old.exists()


def _hold(home: Path, entered: object) -> None:
    parallel.PARTIAL = home
    with partial_folder("crop", "a" * 32):
        entered.set()  # type: ignore[attr-defined]
        time.sleep(1.0)
        (home / "first_is_done").touch()


def test_two_runs_of_one_stage_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PARTIAL", tmp_path)
    context = multiprocessing.get_context("fork")
    entered = context.Event()
    other = context.Process(target=_hold, args=(tmp_path, entered))
    other.start()
    assert entered.wait(20)
    with partial_folder("crop", "a" * 32):
        assert (tmp_path / "first_is_done").exists()
    other.join()
