"""The queue and the history: progress, stopping, crashes, restarts."""

import os
import shutil
import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from stages.core.errors import SettingsError
from stages.inference.web import apart
from stages.inference.web.job import hold_folder
from stages.inference.web.jobs import Jobs
from stages.inference.web.pace import Pace
from stages.inference.web.settings import Limits
from stages.inference.web.work import Predictor
from tests.inference.web import stand_in
from tests.inference.web.conftest import Clock, Start
from tests.inference.web.talk import lives, rows, upload, wait_until
from tests.waiting import wait_for


def worker_of(folder: Path, job: str) -> int:
    pid = folder / job / "results" / "pid"
    return int(wait_for(lambda: pid.exists() and pid.read_text()))


def wait_for_progress(client: TestClient, job: str) -> dict[str, Any]:
    def there() -> dict[str, Any] | None:
        row = rows(client)[job]
        return row if row["done"] == 5 else None

    found: dict[str, Any] = wait_for(there)
    return found


def test_progress_is_told(start: Start, clip: Path, folder: Path) -> None:
    client = start(stand_in.predict_at_leave)
    first, second = upload(client, clip), upload(client, clip)
    row = wait_for_progress(client, first)
    assert (row["state"], row["phase"], row["total"]) == ("running", "predicting", 50)
    assert row["speed"] > 0
    assert row["left"] == pytest.approx(45 / row["speed"])
    assert (rows(client)[second]["state"], rows(client)[second]["ahead"]) == ("waiting", 1)
    (folder / "go").touch()
    assert wait_until(client, first, "done")["done"] == 50
    wait_until(client, second, "done")
    assert list(rows(client)) == [second, first]


def test_a_running_job_is_stopped_and_tried_again(start: Start, clip: Path, folder: Path) -> None:
    client = start(stand_in.predict_at_leave)
    job = upload(client, clip)
    pid = worker_of(folder, job)
    assert client.post(f"/api/jobs/{job}/cancel").status_code == 204
    wait_until(client, job, "stopped")
    assert not lives(pid)
    assert not (folder / job / "results").exists()
    assert client.get(f"/api/jobs/{job}/files/csv").status_code == 404
    (folder / "go").touch()
    assert client.post(f"/api/jobs/{job}/restart").status_code == 204
    wait_until(client, job, "done")


def test_a_waiting_job_is_stopped_and_the_first_goes_on(
    start: Start, clip: Path, folder: Path
) -> None:
    client = start(stand_in.predict_at_leave)
    first, second = upload(client, clip), upload(client, clip)
    client.post(f"/api/jobs/{second}/cancel")
    assert rows(client)[second]["state"] == "stopped"
    (folder / "go").touch()
    wait_until(client, first, "done")
    assert rows(client)[second]["state"] == "stopped"


def test_deleting_removes_the_files_of_one_job_alone(
    start: Start, clip: Path, folder: Path
) -> None:
    client = start(stand_in.predict_at_leave)
    running, waiting = upload(client, clip), upload(client, clip)
    pid = worker_of(folder, running)
    assert client.delete(f"/api/jobs/{running}").status_code == 204
    assert set(rows(client)) == {waiting}
    wait_for(lambda: not (folder / running).exists())
    assert not lives(pid)
    (folder / "go").touch()
    wait_until(client, waiting, "done")
    assert client.delete(f"/api/jobs/{waiting}").status_code == 204
    assert not (folder / waiting).exists()
    assert client.delete(f"/api/jobs/{waiting}").json() == {
        "error": "There is no such video: it was deleted."
    }


def test_the_queue_has_an_end(start: Start, clip: Path, folder: Path) -> None:
    client = start(stand_in.predict_at_leave, jobs=2)
    first, second = upload(client, clip), upload(client, clip)
    answer = client.post("/api/jobs", content=clip.read_bytes())
    assert answer.status_code == 429
    assert answer.json()["error"].startswith("The queue is full (2 videos)")
    client.post(f"/api/jobs/{second}/cancel")
    third = upload(client, clip)
    assert client.post(f"/api/jobs/{second}/restart").status_code == 429
    (folder / "go").touch()
    for job in (first, third):
        wait_until(client, job, "done")


@pytest.mark.parametrize(
    ("predict", "sentence"),
    [
        (stand_in.predict_nothing, "This video holds no picture that decodes."),
        (stand_in.predict_and_crash, "broke off (by the signal SIGSEGV)"),
        (stand_in.predict_with_a_defect, "A defect of the program (ZeroDivisionError)"),
    ],
)
def test_a_failure_is_a_sentence(
    start: Start, clip: Path, folder: Path, predict: Predictor, sentence: str
) -> None:
    client = start(predict)
    row = wait_until(client, upload(client, clip), "failed")
    assert sentence in row["error"]
    assert str(folder) not in row["error"]
    assert "secret" not in row["error"]
    assert not (folder / row["id"] / "results").exists()
    log = (folder / row["id"] / "log.txt").read_text()
    assert ("secret" in log) == (predict is stand_in.predict_with_a_defect)


def test_one_bad_upload_harms_no_other(start: Start, clip: Path) -> None:
    client = start(stand_in.predict_or_crash)
    good, bad, also_good = (upload(client, clip, name) for name in ("a.mp4", "bad.mp4", "b.mp4"))
    assert "broke off" in wait_until(client, bad, "failed")["error"]
    wait_until(client, good, "done")
    wait_until(client, also_good, "done")


def loaded(file: Path, number: int) -> list[int]:
    """Wait until so many processes have loaded; which they are."""
    wait_for(lambda: file.exists() and file.read_text().count("\n") == number)
    return [int(line) for line in file.read_text().split()]


def test_a_worker_that_has_loaded_does_all_videos(
    start: Start, clip: Path, folder: Path, tmp_path: Path
) -> None:
    client = start(stand_in.predict_at_leave, partial(stand_in.note_worker, tmp_path / "loaded"))
    (worker,) = loaded(tmp_path / "loaded", 1)
    (folder / "go").touch()
    for _ in range(2):
        job = upload(client, clip)
        wait_until(client, job, "done")
        assert worker_of(folder, job) == worker
    assert lives(worker)
    client.close()
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    assert not lives(worker)
    assert loaded(tmp_path / "loaded", 1) == [worker]


def test_a_process_that_cannot_be_started_ahead_is_no_end(
    start: Start, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, refused = apart.Worker.begin, threading.Event()

    def refuse_once(worker: apart.Worker, *given: Any, **more: Any) -> None:
        if not refused.is_set():
            refused.set()
            raise BlockingIOError(11, "Resource temporarily unavailable")
        plain(worker, *given, **more)

    monkeypatch.setattr(apart.Worker, "begin", refuse_once)
    client = start(stand_in.predict, partial(stand_in.note_worker, tmp_path / "loaded"))
    assert refused.wait(60)
    wait_until(client, upload(client, clip), "done")


def test_after_a_cancel_and_a_crash_another_worker_loads_at_once(
    start: Start, clip: Path, folder: Path, tmp_path: Path
) -> None:
    client = start(stand_in.predict_at_leave, partial(stand_in.note_worker, tmp_path / "loaded"))
    cancelled = upload(client, clip)
    first = worker_of(folder, cancelled)
    client.post(f"/api/jobs/{cancelled}/cancel")
    wait_until(client, cancelled, "stopped")
    _, second = loaded(tmp_path / "loaded", 2)
    assert not lives(first)
    job = upload(client, clip)
    assert worker_of(folder, job) == second
    os.kill(second, signal.SIGKILL)
    assert "broke off (by the signal SIGKILL)" in wait_until(client, job, "failed")["error"]
    *_, third = loaded(tmp_path / "loaded", 3)
    (folder / "go").touch()
    client.post(f"/api/jobs/{job}/restart")
    wait_until(client, job, "done")
    assert worker_of(folder, job) == third


def test_speed_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.speed is None
    pace.add(1.0, 10)
    assert pace.speed is None
    pace.add(3.0, 40)
    assert pace.speed == pytest.approx(15)
    pace.add(12.0, 58)  # the first is older than 10 seconds by now
    assert pace.speed == pytest.approx((58 - 40) / (12 - 3))


def test_work_that_takes_too_long_is_killed(
    start: Start, clip: Path, folder: Path, clock: Clock
) -> None:
    client = start(stand_in.predict_at_leave, working_minutes=60)
    job = upload(client, clip)
    pid = worker_of(folder, job)
    clock.ahead = 59 * 60
    wait_for_progress(client, job)  # it goes on
    assert lives(pid)
    clock.ahead = 2 * 60 * 60
    assert "longer than the server allows" in wait_until(client, job, "failed")["error"]
    assert not lives(pid)


def test_the_history_outlives_the_server(start: Start, clip: Path, folder: Path) -> None:
    client = start(stand_in.predict_at_leave)
    (folder / "go").touch()
    done = upload(client, clip, "done.mp4")
    before = wait_until(client, done, "done")
    (folder / "go").unlink()
    running, waiting = upload(client, clip, "running.mp4"), upload(client, clip, "waiting.mp4")
    stopped = upload(client, clip, "stopped.mp4")
    client.post(f"/api/jobs/{stopped}/cancel")
    worker_of(folder, running)
    client.close()
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    broken_off = folder / ("0" * 32)
    broken_off.mkdir()
    (broken_off / "video").write_bytes(b"half")
    newer = folder / ("1" * 32)
    newer.mkdir()
    (newer / "job.json").write_text('{"format": 99}')
    (folder / "mine").mkdir()
    (folder / "go").touch()

    again = start(stand_in.predict_at_leave)
    assert rows(again)[done] == before
    assert again.get(f"/api/jobs/{done}/view").json()["title"] == "done.mp4"
    for job in (running, waiting):
        wait_until(again, job, "done")
    assert rows(again)[stopped]["state"] == "stopped"
    assert not broken_off.exists()
    assert newer.is_dir()
    assert (folder / "mine").is_dir()
    assert set(rows(again)) == {done, running, waiting, stopped}


def test_a_folder_serves_one_server(start: Start, folder: Path) -> None:
    start()
    with pytest.raises(SettingsError, match="in use by another"):
        Jobs(folder, Limits(), stand_in.predict)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        hold_folder(tmp_path / "file" / "jobs")


def test_a_record_without_its_video_is_no_job(start: Start, clip: Path, folder: Path) -> None:
    client = start()
    job = upload(client, clip)
    wait_until(client, job, "done")
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    (folder / job / "video").unlink()
    assert rows(start()) == {}
    shutil.rmtree(folder / job)


def test_folders_of_others_stay(start: Start, folder: Path) -> None:
    """Though one is named like a job, and a file like the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    theirs, broken = folder / ("ab" * 16), folder / ("cd" * 16)
    for path, name in ((theirs, "thesis.txt"), (broken, "video")):
        path.mkdir()
        (path / name).write_text("mine")
    (folder / "lock").write_text("mine")
    start()
    assert (theirs / "thesis.txt").read_text() == "mine"
    assert (folder / "lock").read_text() == "mine"
    assert not broken.exists(), "an upload that was broken off"
