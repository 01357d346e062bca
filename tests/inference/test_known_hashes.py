"""Notes on large files: what is as it was is not read, and everything else is."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core.hashing import file_hash
from stages.inference import known_hashes as module
from stages.inference.known_hashes import HEAD, LARGE, NAME, KnownHashes
from stages.inference.predictor import Predictor
from tests.inference.test_folder import clip, loaded, names, run

__all__ = ["loaded"]  # a fixture


class Later:
    """The time of day, ten seconds on: what was written just now has settled by then."""

    @staticmethod
    def time_ns() -> int:
        return time.time_ns() + 10_000_000_000


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were hashed."""
    found: list[str] = []

    def hashing(path: Path) -> str:
        found.append(path.name)
        return file_hash(path)

    monkeypatch.setattr(module, "file_hash", hashing)
    return found


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Later)


def large(path: Path, byte: bytes = b"a") -> Path:
    path.write_bytes(LARGE * byte)
    return path


def again(folder: Path, path: Path) -> str:
    """Ask as another process would."""
    notes = KnownHashes(folder)
    found = notes.sha256(path)
    notes.keep()
    return found


def rewritten(path: Path) -> None:
    large(path, b"b")


def replaced(path: Path) -> None:
    large(path.with_name("other"), b"b").replace(path)


def copied_over(path: Path) -> None:
    path.unlink()
    large(path, b"b")


@pytest.mark.usefixtures("settled")
def test_what_is_as_it_was_is_read_once(tmp_path: Path, read: list[str]) -> None:
    path, expected = large(tmp_path / "video"), file_hash(tmp_path / "video")
    for _ in range(3):
        assert again(tmp_path, path) == expected
    assert read == ["video"]
    moved = path.rename(tmp_path / "moved")  # changes the ctime
    assert again(tmp_path, moved) == expected
    assert read == ["video", "moved"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [rewritten, replaced, copied_over])
def test_another_file_of_the_same_name_size_and_time_is_read(
    tmp_path: Path, read: list[str], change: Callable[[Path], None]
) -> None:
    path = large(tmp_path / "video")
    before = again(tmp_path, path)
    state = path.stat()
    change(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert again(tmp_path, path) == file_hash(path) != before
    assert read == ["video", "video"]


def test_what_was_changed_just_now_is_not_noted(tmp_path: Path, read: list[str]) -> None:
    path = large(tmp_path / "video")
    for _ in range(2):
        again(tmp_path, path)
    assert read == ["video", "video"]
    assert not (tmp_path / NAME).exists()


@pytest.mark.usefixtures("settled")
def test_what_changes_while_it_is_read_is_not_noted(tmp_path: Path) -> None:
    path = large(tmp_path / "video")

    def reading(asked: Path) -> str:
        found = file_hash(asked)
        large(asked, b"c")
        return found

    notes = KnownHashes(tmp_path)
    notes.recall("sha256", path, reading)
    assert notes.sha256(path) == file_hash(path)


@pytest.mark.usefixtures("settled")
def test_small_files_are_always_read(tmp_path: Path, read: list[str]) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(LARGE - 1))
    for _ in range(2):
        again(tmp_path, path)
    assert read == ["small", "small"]
    assert not (tmp_path / NAME).exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("theirs", [b"mine\n", HEAD.encode()[:-5], b"\xff\x00"])
def test_a_file_of_others_is_not_touched(tmp_path: Path, theirs: bytes) -> None:
    path = large(tmp_path / "video")
    (tmp_path / NAME).write_bytes(theirs)
    assert again(tmp_path, path) == file_hash(path)
    assert (tmp_path / NAME).read_bytes() == theirs


@pytest.mark.usefixtures("settled")
def test_lines_that_are_torn_or_changed_are_no_notes(tmp_path: Path, read: list[str]) -> None:
    path = large(tmp_path / "video")
    expected = again(tmp_path, path)
    whole = (tmp_path / NAME).read_text()
    for spoilt in (whole.replace(expected, "0" * 64), whole[:-9], whole + "half a li", HEAD):
        (tmp_path / NAME).write_text(spoilt)
        assert again(tmp_path, path) == expected
    assert len(read) == 1 + 3  # the third still has the whole line


@pytest.mark.usefixtures("settled")
def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(HEAD)
    (tmp_path / NAME).symlink_to("theirs")
    again(tmp_path, large(tmp_path / "video"))
    assert (tmp_path / "theirs").read_text() == HEAD


@pytest.mark.usefixtures("settled")
def test_a_restart_reads_no_large_file_but_those_that_changed(
    loaded: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(module, "LARGE", 0)
    given, out = tmp_path / "in", tmp_path / "out"
    clip(given / "a.mp4", 6)
    clip(given / "b.mp4", 6, 3)
    assert run("predict", given, "--out", out)[0] == 0
    for _ in range(2):
        module.known_hashes.cache_clear()  # as another process begins
        read.clear()
        code, said = run("predict", given, "--out", out)
        assert (code, said.count("done before")) == (0, 2)
    assert read == []
    size = (out / "b.parquet").stat().st_size
    (out / "b.parquet").write_bytes(bytes(size))
    state = (given / "a.mp4").stat()
    other = clip(tmp_path / "other" / "a.mp4", 6, 5).read_bytes()
    (given / "a.mp4").write_bytes(other.ljust(state.st_size, b"\0")[: state.st_size])
    os.utime(given / "a.mp4", ns=(state.st_atime_ns, state.st_mtime_ns))
    code, said = run("predict", given, "--out", out)
    assert code == 1
    assert "a.json is of another video" in said
    assert "b.parquet is there and not as AUFusion wrote it" in said


def test_nothing_is_noted_of_what_is_no_video(loaded: Predictor, tmp_path: Path) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    large(given / "a.mp4")
    shutil.copy(clip(tmp_path / "b.mp4", 6), given / "b.mp4")
    assert run("predict", given, "--out", out)[0] == 1
    assert sorted(path.name for path in out.iterdir()) == sorted(names(["b"]))
