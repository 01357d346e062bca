"""The process that looks at uploads stays, and is replaced where a file ends it or keeps it."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stages.inference.web import attempt
from stages.inference.web.apart import Tell
from stages.inference.web.checking import Facts, check_upload
from stages.inference.web.settings import Limits
from tests.inference.web import stand_in
from tests.inference.web.conftest import Clock, Start
from tests.inference.web.talk import lives, upload, wait_until
from tests.waiting import wait_for


def check_or_not(tell: Tell, video: Path, poster: Path, limits: Limits) -> Facts:
    """Note who looks; some files end the process, or keep it."""
    content, jobs = video.read_bytes(), video.parent.parent
    with (jobs / "who").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if content == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while content == b"keep":
        time.sleep(0.02)
    if content == b"wait":
        wait_for((jobs / "go").exists)
    return check_upload(tell, video, poster, limits)


@pytest.fixture
def client(start: Start, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(attempt, "check_upload", check_or_not)
    return start()


def who(folder: Path, number: int) -> list[int]:
    """Wait until so many looks have begun; who looked."""
    file = folder / "who"
    wait_for(lambda: file.exists() and file.read_text().count("\n") >= number)
    return [int(line) for line in file.read_text().split()]


def refusal(client: TestClient, content: bytes) -> str:
    answer = client.post("/api/jobs", content=content)
    assert answer.status_code == 422
    return str(answer.json()["error"])


def test_one_process_looks_at_all_uploads_good_or_bad(
    client: TestClient, clip: Path, folder: Path
) -> None:
    for _ in range(2):
        upload(client, clip)
        assert "cannot be opened as a video" in refusal(client, b"hello")
    assert len(set(who(folder, 4))) == 1
    assert lives(who(folder, 4)[0])
    client.close()
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    assert not lives(who(folder, 4)[0])


def test_a_file_that_ends_the_process_harms_no_other(
    client: TestClient, clip: Path, folder: Path
) -> None:
    upload(client, clip)
    for _ in range(2):
        assert "broke off (by the signal SIGSEGV)" in refusal(client, b"crash")
    wait_until(client, upload(client, clip), "done")
    first, same, second, third = who(folder, 4)
    assert first == same
    assert len({first, second, third}) == 3
    assert [lives(pid) for pid in (first, second, third)] == [False, False, True]


def test_a_file_that_keeps_the_process_is_given_up(
    client: TestClient, clip: Path, folder: Path, clock: Clock
) -> None:
    def wait_long() -> None:
        who(folder, 1)
        clock.ahead = 2 * attempt.CHECK_SECONDS

    helper = threading.Thread(target=wait_long)
    helper.start()
    assert "longer than the server allows" in refusal(client, b"keep")
    helper.join()
    upload(client, clip)
    first, second = who(folder, 2)
    assert [lives(pid) for pid in (first, second)] == [False, True]


def test_uploads_at_one_time_do_not_wait_for_one_another(
    client: TestClient, clip: Path, folder: Path
) -> None:
    slow = threading.Thread(target=refusal, args=(client, b"wait"))
    slow.start()
    who(folder, 1)
    upload(client, clip)
    (folder / "go").touch()
    slow.join()
    upload(client, clip)
    first, second, third = who(folder, 3)
    assert first != second
    assert third == second  # it was there first
    wait_for(lambda: not lives(first))


def test_where_videos_are_predicted_a_process_is_ready_before_the_first(
    start: Start, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(attempt.Examiner, "begin", lambda one: begun.append(one))
    start(stand_in.predict, load=stand_in.load_nothing)
    assert len(begun) == 1
