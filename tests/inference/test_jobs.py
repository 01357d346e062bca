"""`aufusion predict --jobs`: several videos at once."""

import os
import signal
import threading
from pathlib import Path

import pytest

from stages.core.errors import DataError, SettingsError
from stages.inference.folder import predict_all
from stages.inference.options import Options
from tests.inference.test_folder import clip, contents
from tests.waiting import until

OPTIONS = Options(device="cpu", precision="32-true")


def workers() -> list[int]:
    """Processes that this one has started to predict videos, and that have files open."""
    pid = os.getpid()
    children = [int(one) for thread in Path(f"/proc/{pid}/task").iterdir()
                for one in (thread / "children").read_text().split()]  # fmt: skip
    return [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, and one that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.mp4", "d.mp4")):
        clip(folder / name, seed=seed)
    (folder / "b2.mp4").write_bytes(b"")
    return folder


def test_one_that_dies_is_replaced_and_the_results_are_those_of_one_job(
    ensemble: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # of one process with one thread, as each of several has
    import torch

    threads = torch.get_num_threads()
    alone = predict_all([videos], ensemble, tmp_path / "alone", OPTIONS)
    torch.set_num_threads(threads)
    capsys.readouterr()
    killed: list[int] = []

    def kill() -> None:
        def one_at_work() -> None:
            at_work = workers() if any((tmp_path / "both").glob("*")) else []
            assert at_work
            killed.append(at_work[0])

        until(one_at_work)
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    both = predict_all([videos], ensemble, tmp_path / "both", OPTIONS, jobs=2)
    thread.join()
    assert killed
    assert [one.name for one in both.results] == [one.name for one in alone.results] == [*"abcd"]
    assert list(both.failed) == list(alone.failed) == [str(videos / "b2.mp4")]
    found, wanted = contents(tmp_path / "both"), contents(tmp_path / "alone")
    assert found.keys() == wanted.keys()
    assert {name for name in found if found[name] != wanted[name]} == set()
    said = capsys.readouterr()
    assert sorted(line.split(":")[0] for line in said.out.splitlines() if line[0] == "[") == [
        f"[{number}/5] {name}"
        for number, name in ((1, "a.mp4"), (2, "b.mp4"), (4, "c.mp4"), (5, "d.mp4"))
    ]
    assert "4 of 5 done" in said.out
    assert "b2.mp4" in said.err
    again = predict_all([videos], ensemble, tmp_path / "both", OPTIONS, jobs=2)
    assert not any(one.seconds for one in again.results)  # done before
    assert contents(tmp_path / "both") == found


def test_what_is_wrong_with_all_is_said_once(ensemble: Path, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--jobs is 0"):
        predict_all([videos], ensemble, tmp_path, OPTIONS, jobs=0)
    with pytest.raises(DataError, match="name the folder of an ensemble"):
        predict_all([videos], tmp_path, tmp_path, OPTIONS, jobs=2)
