"""`aufusion predict --jobs`: several videos at once."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages.core.errors import DataError, SettingsError
from stages.core.settings import Compute
from stages.inference import side_by_side
from stages.inference.folder import predict_all
from stages.inference.options import Options
from stages.inference.sources import Input
from stages.inference.task import Extras, Task
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


def poisonous(work: Any, path: Path) -> None:
    """Stands for the prediction: some videos end the process."""
    if work.task.text.startswith("bad"):
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_text(json.dumps({"failure": "it was predicted", "fresh": True, "notes": []}))


@pytest.mark.slow
def test_of_every_video_it_is_told_what_became_of_it_whoever_dies(
    ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "carry_out_apart", poisonous)
    names = ["good 1", "bad 1", "bad 2", "good 2", "bad 3", "bad 4", "bad 5", "good 3"]
    tasks = [Task(Input(tmp_path / name, Path(), name), tmp_path, name, OPTIONS, Extras())
             for name in names]  # fmt: skip
    found: dict[str, str] = {}
    side_by_side.carry_out_all(
        tasks, ensemble, tmp_path, Compute(workers=2),
        lambda place, ended: found.update({names[place]: ended.failure}),
    )  # fmt: skip
    assert found.keys() == set(names)
    assert [found[name] for name in names if "good" in name] == ["it was predicted"] * 3
    bad = [found[name] for name in names if "bad" in name]
    assert sum("SIGKILL" in text for text in bad) >= 3
    assert all("SIGKILL" in text or "with fewer --jobs" in text for text in bad)


def test_another_picture_of_the_same_name_and_size_is_not_taken_for_done(
    ensemble: Path, tmp_path: Path
) -> None:
    for folder, shade in (("one", 40), ("two", 90)):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (64, 48), (shade,) * 3).save(tmp_path / folder / "rest.bmp")
    first, second = tmp_path / "one/rest.bmp", tmp_path / "two/rest.bmp"
    assert first.stat().st_size == second.stat().st_size
    assert not predict_all([first], ensemble, tmp_path / "out", OPTIONS).failed
    failed = predict_all([second], ensemble, tmp_path / "out", OPTIONS).failed
    assert "is of another video" in failed[str(second)]


def test_what_is_wrong_with_all_is_said_once(ensemble: Path, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--jobs is 0"):
        predict_all([videos], ensemble, tmp_path, OPTIONS, jobs=0)
    with pytest.raises(DataError, match="name the folder of an ensemble"):
        predict_all([videos], tmp_path, tmp_path, OPTIONS, jobs=2)
