"""The list of videos: a page of it, whatever else there is; the queue is always in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stages.inference.web import jobs as jobs_module
from stages.inference.web.history import History
from stages.inference.web.job import Job, summary
from tests.inference.web import stand_in
from tests.inference.web.conftest import Start
from tests.inference.web.histories import FACTS, write_history
from tests.inference.web.talk import upload, wait_until
from tests.inference.web.test_page import Watched, browser, watch

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
__all__ = ["browser", "watch"]  # fixtures


def job(place: int, state: str = "done") -> Job:
    return Job(f"{place:032x}", "", 0, f"2026-01-01T00:00:{place:02d}", FACTS, state)  # type: ignore[arg-type]


def places(found: list[Job]) -> list[int]:
    return [int(one.id, 16) for one in found]


def test_a_page_has_the_newest_the_queue_and_what_is_named() -> None:
    waiting = {4, 5}
    history = History(job(n, "waiting" if n in waiting else "done") for n in (7, 1, 5, 4, 3, 9, 8))
    assert len(history) == 7
    assert places(history.page(2)) == [9, 8, 5, 4]
    assert places(history.page(2, [f"{1:032x}", f"{9:032x}", "nothing"])) == [9, 8, 5, 4, 1]
    assert places(history.page(99)) == [9, 8, 7, 5, 4, 3, 1]
    assert places(history.page(0)) == [5, 4]


def test_the_queue_is_first_come_first_served() -> None:
    history = History([job(2, "waiting"), job(1, "waiting"), job(3, "stopped")])
    history.add(job(0, "waiting"))
    assert places(list(history.waiting)) == [1, 2, 0]
    again = history.find(f"{3:032x}")
    assert again is not None
    again.state = "waiting"
    history.queue(again)
    assert places(list(history.waiting)) == [1, 2, 0, 3]
    history.remove(job(2))
    assert places(history.active) == [1, 0, 3]
    assert places(history.page(9)) == [3, 1, 0]
    history.remove(job(2))
    assert len(history) == 3
    history.leave(again)
    assert places(history.active) == [1, 0]
    assert again in history


def test_the_state_reads_no_more_of_the_history_than_it_tells(
    start: Start, folder: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = write_history(folder, 120)
    read: list[str] = []

    def counting(job: Job) -> dict[str, object]:
        read.append(job.id)
        return summary(job)

    monkeypatch.setattr(jobs_module, "summary", counting)
    client = start(stand_in.predict_at_leave)
    answer = client.get("/api/state").json()
    assert answer["all"] == 120
    assert [row["id"] for row in answer["jobs"]] == read == ids[:50]
    more = client.get("/api/state", params={"show": 70, "with": [ids[100], "../x", "", ids[3]]})
    assert [row["id"] for row in more.json()["jobs"]] == [*ids[:70], ids[100]]
    assert client.post(f"/api/jobs/{ids[110]}/restart").status_code == 204
    new = upload(client, clip)
    answer = client.get("/api/state?show=2").json()
    assert [row["id"] for row in answer["jobs"]] == [new, ids[0], ids[110]]
    assert answer["jobs"][0]["ahead"] == 1
    (folder / "go").touch()
    wait_until(client, new, "done")
    assert [row["id"] for row in client.get("/api/state?show=1").json()["jobs"]] == [new]


@pytest.mark.parametrize("show", ["", "-1", "1.5", "many", "9" * 10, "٣"])
def test_what_is_no_number_of_videos_is_refused(start: Start, show: str) -> None:
    answer = start().get("/api/state", params={"show": show})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("show is a number of videos")


def test_show_more_by_keyboard_and_after_a_reload(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    ids = write_history(tmp_path / "jobs", 120)
    watched = watch()
    page = watched.page
    listed = page.locator("#videos li")
    expect(listed).to_have_count(50)
    expect(listed.first).to_contain_text("119.mp4")
    expect(page.locator("#older")).to_have_text("50 of 120 videos shown")
    more = page.get_by_role("button", name="Show more")
    more.press("Enter")
    expect(listed).to_have_count(100)
    expect(page.get_by_role("button", name="Try 69.mp4 again")).to_be_focused()
    page.reload()
    expect(listed).to_have_count(100)
    more.press("Space")
    expect(listed).to_have_count(120)
    expect(page.get_by_role("button", name="Try 19.mp4 again")).to_be_focused()
    expect(more).to_be_hidden()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete 0.mp4").click()
    expect(listed).to_have_count(119)
    assert not (tmp_path / "jobs" / ids[-1]).exists()


def test_an_old_video_opens_by_its_address(
    watch: Callable[..., Watched], folder: Path, clip: Path, start: Start
) -> None:
    client = start()
    old = upload(client, clip, "old.mp4")
    wait_until(client, old, "done")
    client.app.state.jobs.close()  # type: ignore[attr-defined]
    write_history(folder, 60, begin=datetime(2100, 1, 1, tzinfo=UTC))
    page = watch().page
    expect(page.locator("#videos li")).to_have_count(50)
    page.evaluate(f"window.location.hash = '{old}'")
    expect(page.locator("#title")).to_have_text("old.mp4")
    expect(page.locator("#videos li")).to_have_count(51)
    expect(page.locator("#videos li").last).to_contain_text("old.mp4")
    page.reload()
    expect(page.locator("#title")).to_have_text("old.mp4")
