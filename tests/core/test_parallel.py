"""Work over videos: results, two kinds of failure, resume, names that are no file names."""

import errno
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.core import parallel, partial, workers
from stages.core.errors import DataError, SettingsError, UnfinishedError
from stages.core.hashing import file_hash
from stages.core.parallel import map_videos
from stages.core.partial import partial_folder
from stages.core.records import ACKNOWLEDGED


def square(item: int, path: Path) -> None:
    if item == 3:
        raise DataError("three.mp4 holds no picture: record it again.")
    if item == 4:
        path.write_text("half")
        raise DataError("four.mp4 breaks off.")
    path.write_text(str(item**2))


def names(folder: Path) -> list[str]:
    """All files but the acknowledgements."""
    return sorted(p.name for p in folder.iterdir() if p.name != ACKNOWLEDGED)


@dataclass(frozen=True)
class Trial:
    """An item that notes each attempt, and spoils some of them."""

    name: str
    home: Path
    spoilt: int = 0  # so many of the first attempts
    how: str = ""

    def attempts(self) -> int:
        return len(list(self.home.glob(f"{self.name}-*")))


class Odd(Exception):
    """Cannot be sent from one process to another."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")


def tried(item: Trial, path: Path) -> None:
    path.write_text("half of it")
    number = item.attempts()
    (item.home / f"{item.name}-{number}").touch()
    if number < item.spoilt:
        if item.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if item.how == "crashed":
            os._exit(3)
        if item.how == "memory":
            raise MemoryError
        if item.how == "torch":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        if item.how == "defect":
            raise ZeroDivisionError("division by zero")
        if item.how == "odd":
            raise Odd(1, 2)
        if item.how == "settings":
            raise SettingsError("compute.device = 'abacus'; allowed: cpu, cuda.")
        code = getattr(errno, item.how)
        raise OSError(code, os.strerror(code), str(path))
    path.write_text(item.name)


def trials(home: Path, count: int = 8, **spoilt: tuple[int, str]) -> dict[str, Trial]:
    home.mkdir()
    return {
        name: Trial(name, home, *spoilt.get(name, ()))
        for name in (f"n{number}" for number in range(count))
    }


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PAUSE", 0.0)


def note_process(item: int, path: Path) -> None:
    path.write_text(str(os.getpid()))


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
        "n4": "four.mp4 breaks off.",
    }
    assert names(tmp_path) == ["n1.txt", "n2.txt", "n5.txt"]


def test_two_workers_are_other_processes(tmp_path: Path) -> None:
    items = {str(i): i for i in range(4)}
    outcome = map_videos(note_process, items, tmp_path, suffix="", workers=2, description="test")
    pids = {int(path.read_text()) for path in outcome.done.values()}
    assert len(pids) == 2
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("how", "workers"),
    [
        ("killed", 2), ("crashed", 2), ("odd", 2), ("ENOSPC", 2), ("ESTALE", 2),
        ("memory", 1), ("ENOSPC", 1), ("ESTALE", 1), ("EMFILE", 1),
    ],
)  # fmt: skip
def test_what_is_no_fault_of_the_data_is_tried_again(
    tmp_path: Path, how: str, workers: int
) -> None:
    items = trials(tmp_path / "tries", n2=(1, how), n5=(2, how))
    outcome = map_videos(
        tried, items, tmp_path / "out", suffix=".txt", workers=workers, description="test"
    )
    assert not outcome.failed
    assert {name: path.read_text() for name, path in outcome.done.items()} == {n: n for n in items}
    tries = {name: item.attempts() for name, item in items.items()}
    assert tries == {**dict.fromkeys(items, 1), "n2": 2, "n5": 3}, "only theirs were repeated"
    assert names(tmp_path / "out") == [f"{name}.txt" for name in items]


@pytest.mark.parametrize(
    ("how", "workers", "said", "hint"),
    [
        ("killed", 2, "ended by SIGKILL", "compute.workers"),
        ("defect", 2, "division by zero", "mend that"),
        ("memory", 1, "memory ran out", "compute.workers"),
        ("torch", 2, "memory ran out", "compute.workers"),
        ("ESTALE", 1, "Stale file handle", "mend that"),
    ],
)
def test_what_stays_fails_the_stage_and_keeps_the_pieces(
    tmp_path: Path, how: str, workers: int, said: str, hint: str
) -> None:
    items = trials(tmp_path / "tries", n3=(99, how))
    out = tmp_path / "out"
    with pytest.raises(UnfinishedError, match=rf"1 of 8 .* n3: .*{said}.*is kept: .*{hint}"):
        map_videos(tried, items, out, suffix="", workers=workers, description="test")
    assert items["n3"].attempts() == parallel.ATTEMPTS
    assert names(out) == [name for name in items if name != "n3"], "all others were finished"
    mended = {name: Trial(name, item.home) for name, item in items.items()}
    outcome = map_videos(tried, mended, out, suffix="", workers=1, description="test")
    assert list(outcome.done) == list(items)
    assert {item.attempts() for name, item in items.items() if name != "n3"} == {1}


def test_a_full_disk_ends_the_stage_soon(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(40)]
    # there is room after some attempts more: who never gives up ends, too, and is found out
    full = (parallel.ATTEMPTS + 2, "ENOSPC")
    items = trials(tmp_path / "tries", 40, **dict.fromkeys(names[5:], full))
    with pytest.raises(UnfinishedError, match=r"No space left.*make room on the disk of /"):
        map_videos(tried, items, tmp_path / "out", suffix="", workers=2, description="test")
    # two at most were at work then, and of those the first that is tried out ends it
    assert sum(item.attempts() for item in items.values()) < 5 + 2 * parallel.ATTEMPTS


def test_workers_that_a_full_disk_ends_are_no_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 may end a process where there is no room, instead of raising an error."""
    ended = (parallel.ATTEMPTS + 2, "killed")
    items = trials(tmp_path / "tries", 2, n0=ended, n1=ended)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(UnfinishedError, match=r"SIGKILL.*make room on the disk of /"):
        map_videos(tried, items, tmp_path / "out", suffix="", workers=2, description="test")
    assert sum(item.attempts() for item in items.values()) < 2 * parallel.ATTEMPTS


def test_after_three_that_fail_for_good_the_rest_is_not_tried_thrice(tmp_path: Path) -> None:
    items = trials(tmp_path / "tries", 12, **{f"n{k}": (99, "defect") for k in range(12)})
    with pytest.raises(UnfinishedError, match="3 of 12"):
        map_videos(tried, items, tmp_path / "out", suffix="", workers=1, description="test")
    assert max(item.attempts() for item in items.values()) == parallel.ATTEMPTS
    assert sum(item.attempts() for item in items.values()) == 2 * 12 + 3


def test_a_wrong_setting_is_said_at_once(tmp_path: Path) -> None:
    items = trials(tmp_path / "tries", n1=(99, "settings"))
    with pytest.raises(SettingsError, match="abacus"):
        map_videos(tried, items, tmp_path / "out", suffix="", workers=1, description="test")
    assert items["n1"].attempts() == 1


def note_threads(item: int, path: Path) -> None:
    from stages.core.workers import ONE_THREAD, decoder_threads

    path.write_text(f"{decoder_threads()} {[os.environ.get(name) for name in ONE_THREAD]}")


def test_a_worker_computes_and_decodes_with_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in workers.ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    items = {"a": 1, "b": 2}
    outcome = map_videos(note_threads, items, tmp_path, suffix="", workers=2, description="test")
    said = {path.read_text() for path in outcome.done.values()}
    assert said == {f"1 {['1'] * len(workers.ONE_THREAD)}"}
    assert workers.decoder_threads() == 0, "this process is none"


def test_finished_pieces_are_not_made_again(tmp_path: Path) -> None:
    items = trials(tmp_path / "tries", 4)
    for count in (2, 1):
        map_videos(tried, items, tmp_path / "out", suffix="", workers=count, description="test")
    assert [item.attempts() for item in items.values()] == [1] * 4


def test_a_piece_is_believed_for_its_bytes(tmp_path: Path) -> None:
    """Not for being there: a crash of the machine can leave a file of zeros, or none."""
    items = trials(tmp_path / "tries", 5)
    out = tmp_path / "out"
    out.mkdir()
    (out / "n0").write_text("n0")  # whoever made it, nobody acknowledged it
    map_videos(tried, items, out, suffix="", workers=1, description="test")
    (out / "n1").write_text("\0\0")
    (out / "n2").write_text("")
    (out / "n3").unlink()
    with (out / ACKNOWLEDGED).open("a") as file:
        file.write('{"piece": "n4", "sha2')  # the kill came in the middle of the line
    outcome = map_videos(tried, items, out, suffix="", workers=1, description="test")
    assert [path.read_text() for path in outcome.done.values()] == list(items)
    assert [item.attempts() for item in items.values()] == [1, 2, 2, 2, 1]
    map_videos(tried, items, out, suffix="", workers=1, description="test")
    assert [item.attempts() for item in items.values()] == [1, 2, 2, 2, 1]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\\b", "a\0b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be a file name"):
        map_videos(square, {name: 1}, tmp_path, suffix="", workers=1, description="test")


def test_partial_folder_lives_until_the_work_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "PARTIAL", tmp_path)
    with pytest.raises(RuntimeError), partial_folder("crop", "a" * 32) as folder:
        (folder / "piece").touch()
        raise RuntimeError("killed")
    with partial_folder("crop", "a" * 32) as folder:
        assert (folder / "piece").exists()
    assert not folder.exists()


def test_pieces_of_other_settings_are_never_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "PARTIAL", tmp_path)
    with pytest.raises(RuntimeError), partial_folder("crop", "a" * 32) as old:
        (old / "piece").touch()
        raise RuntimeError("killed")
    with partial_folder("crop", "b" * 32) as new:
        assert not any(new.iterdir())
        assert not old.exists()


def _hold(home: Path, entered: object) -> None:
    partial.PARTIAL = home
    with partial_folder("crop", "a" * 32):
        entered.set()  # type: ignore[attr-defined]
        time.sleep(1.0)
        (home / "first_is_done").touch()


def test_two_runs_of_one_stage_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "PARTIAL", tmp_path)
    context = multiprocessing.get_context("fork")
    entered = context.Event()
    other = context.Process(target=_hold, args=(tmp_path, entered))
    other.start()
    assert entered.wait(20)
    with partial_folder("crop", "a" * 32):
        assert (tmp_path / "first_is_done").exists()
    other.join()


def numbered(item: int, path: Path) -> None:
    path.write_text(str(workers.worker_number()))


def test_workers_know_their_number(tmp_path: Path) -> None:
    items = {f"item{n}": n for n in range(6)}
    outcome = map_videos(
        numbered, items, tmp_path, suffix=".txt", workers=3, description="numbered"
    )
    # each is handed an item before any is waited for
    assert {path.read_text() for path in outcome.done.values()} == {"0", "1", "2"}
    assert workers.worker_number() == 0


def kept(identities: dict[str, str], items: dict[str, Trial]) -> dict[str, bytes]:
    with partial.kept_folder("crop") as folder:
        outcome = map_videos(
            tried, items, folder, suffix=".txt", workers=1, description="test",
            identities=identities,
        )  # fmt: skip
    assert outcome.hashes.keys() == outcome.done.keys()
    for name, path in outcome.done.items():
        assert file_hash(path) == outcome.hashes[name]
    return {name: path.read_bytes() for name, path in outcome.done.items()}


def test_of_kept_pieces_only_those_are_made_that_are_new_or_made_of_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "PARTIAL", tmp_path)
    items = trials(tmp_path / "tries", 4)
    identities = dict.fromkeys(items, "a")

    def attempts() -> list[int]:
        return [item.attempts() for item in items.values()]

    three = {name: item for name, item in items.items() if name != "n3"}
    assert list(kept(identities, three)) == ["n0", "n1", "n2"]
    assert attempts() == [1, 1, 1, 0]
    places = {path.name: path.stat().st_ino for path in (tmp_path / "crop/kept").glob("*.txt")}
    assert list(kept(identities, items)) == list(items)
    assert attempts() == [1, 1, 1, 1]
    for name, place in places.items():
        assert (tmp_path / "crop/kept" / name).stat().st_ino == place
    kept({**identities, "n1": "b"}, items)
    assert attempts() == [1, 2, 1, 1]
    kept(identities, items)
    assert attempts() == [1, 3, 1, 1], "it was made of something else meanwhile"
    kept(identities, three)
    assert names(tmp_path / "crop/kept") == ["n0.txt", "n1.txt", "n2.txt"]


def test_what_failed_is_tried_again_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "PARTIAL", tmp_path)
    items = {"n3": 3, "n5": 5}
    for number in (3, 6):
        with partial.kept_folder("crop") as folder:
            outcome = map_videos(
                square, {**items, "n3": number}, folder, suffix="", workers=1, description="test",
                identities=dict.fromkeys(items, "a"),
            )  # fmt: skip
        assert list(outcome.failed) == (["n3"] if number == 3 else [])
    assert outcome.done["n3"].read_text() == "36"
