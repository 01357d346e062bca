"""`aufusion predict --engine ray`: the videos of a shared folder over the workers of a Ray."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.core.errors import SettingsError
from stages.core.ray_cluster import connect
from stages.core.settings import Compute
from stages.inference import side_by_side
from stages.inference.folder import predict_all
from stages.inference.side_by_side import Work, carry_out_apart
from stages.inference.sources import Input
from stages.inference.task import Ended, Extras, Task
from tests.inference.test_folder import clip, contents
from tests.inference.test_jobs import OPTIONS, poisonous
from tests.ray_workers import at_work
from tests.waiting import until


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.mp4", "d.mp4")):
        clip(folder / name, seed=seed)
    (folder / "b2.mp4").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    disconnect = connect(None, 2)
    yield
    disconnect()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_one_that_dies_is_replaced_and_the_results_are_those_of_local_processes(
    ensemble: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = predict_all([videos], ensemble, tmp_path / "near", OPTIONS, jobs=2)
    capsys.readouterr()
    killed: list[int] = []

    def kill() -> None:
        def one_at_work() -> None:
            killed.extend(at_work(os.getpid())[:1])
            assert killed

        until(one_at_work, 300)
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    far = predict_all([videos], ensemble, tmp_path / "far", OPTIONS, engine="ray")
    thread.join()
    assert killed
    assert [one.name for one in far.results] == [one.name for one in near.results] == [*"abcd"]
    assert list(far.failed) == list(near.failed) == [str(videos / "b2.mp4")]
    assert contents(tmp_path / "far") == contents(tmp_path / "near"), "nothing is left over, too"
    assert "4 of 5 done" in capsys.readouterr().out
    again = predict_all([videos / "a.mp4"], ensemble, tmp_path / "far", OPTIONS, engine="ray")
    assert not any(one.seconds for one in again.results)  # done before


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_video_that_ends_its_worker_each_time_is_a_sentence(
    ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "carry_out_apart", poisonous)
    for name in ("bad.mp4", "good.mp4"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    videos, told = [Path("bad.mp4"), Path("good.mp4")], {}
    tasks = [Task(Input(path, Path(), path.stem), tmp_path / "out", path.stem, OPTIONS, Extras())
             for path in videos]  # fmt: skip
    compute = Compute(engine="ray", workers=2)

    def note(place: int, ended: Ended) -> None:
        told[videos[place].stem] = ended.failure

    side_by_side.carry_out_all(tasks, ensemble, tmp_path / "out", compute, note)
    assert told["good"] == "it was predicted"
    assert f"its worker process on {socket.gethostname()} was killed" in told["bad"]
    assert not (tmp_path / "out").exists()


def test_what_a_worker_elsewhere_does_not_see_is_said(ensemble: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    task = Task(Input(video, Path(), "a"), tmp_path, "a", OPTIONS, Extras())
    carry_out_apart(Work(task, ensemble, "elsewhere"), tmp_path / "far.json")
    said = (tmp_path / "far.json").read_text()
    assert f"{video} is not there on {socket.gethostname()}" in said
    assert "share its folder with elsewhere" in said
    with pytest.raises(SettingsError, match=r"nowhere is not there on .*elsewhere"):
        carry_out_apart(Work(task, tmp_path / "nowhere", "elsewhere"), tmp_path / "far.json")
    carry_out_apart(Work(task, ensemble, socket.gethostname()), tmp_path / "near.json")
    assert "not there on" not in (tmp_path / "near.json").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "head:6379"}, "--address is that of a Ray: name --engine ray"),
        ({"engine": "ray", "address": "head"}, "--address = 'head': allowed: auto"),
        ({"engine": "ray", "jobs": 0}, "--jobs is 0"),
        ({"engine": "ray", "address": "198.51.100.7:6379"}, r"--address = '198.*without a token"),
    ],
)
def test_the_refusals_are_those_of_the_settings(
    options: dict[str, Any], said: str, ensemble: Path, videos: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(SettingsError, match=said):
        predict_all([videos], ensemble, tmp_path / "out", OPTIONS, **options)
    assert not (tmp_path / "out").exists()
