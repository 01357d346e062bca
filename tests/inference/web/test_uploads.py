"""What is taken in, what is refused and why; names are text; downloads are the files on disk."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from stages.inference.web.job import ID, LONGEST_NAME
from tests.inference.web.conftest import Start
from tests.inference.web.talk import rows, upload, wait_until

NAMES = [
    ("../../evil.mp4", "evil.mp4"),
    ("/etc/passwd", "passwd"),
    ("..\\..\\evil.mp4", "evil.mp4"),
    ("..", ".."),
    ("a\x00b\r\nc.mp4", "a b  c.mp4"),
    ('<img src="x" onerror="alert(1)">.mp4', '<img src="x" onerror="alert(1)">.mp4'),
    ("Vidéo 1 面.mp4", "Vidéo 1 面.mp4"),
    ("x" * 5000, "x" * LONGEST_NAME),
    ("", "video"),
]


def inside(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "lock"]


def test_results_are_those_on_disk(start: Start, clip: Path, folder: Path) -> None:
    client = start()
    job = upload(client, clip, "My clip.mp4")
    row = wait_until(client, job, "done")
    assert row["facts"]["pictures"] == 50
    assert row["facts"]["seconds"] == pytest.approx(2.0, abs=0.001)
    endings = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "report": ".html"}
    assert set(row["files"]) == set(endings)
    for kind, ending in endings.items():
        answer = client.get(f"/api/jobs/{job}/files/{kind}")
        (path,) = (folder / job / "results").glob(f"*{ending}")
        assert answer.content == path.read_bytes()
        assert len(answer.content) == row["files"][kind]
        assert f"My%20clip{ending}" in answer.headers["content-disposition"]
        assert answer.headers["content-disposition"].startswith("attachment")
    assert client.get(f"/api/jobs/{job}/poster").content.startswith(b"\xff\xd8\xff")
    assert client.get(f"/api/jobs/{job}/view").json()["frames"] == 50
    assert b"My clip.mp4" in client.get(f"/api/jobs/{job}/files/report").content


def test_the_video_is_served_in_ranges(start: Start, clip: Path) -> None:
    client, content = start(), clip.read_bytes()
    address = f"/api/jobs/{upload(client, clip)}/video"
    whole = client.get(address)
    assert whole.content == content
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(address, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    rest = client.get(address, headers={"range": f"bytes={len(content) - 7}-"})
    assert rest.content == content[-7:]
    assert client.get(address, headers={"range": "bytes=9999999-"}).status_code == 416


def test_a_clients_name_is_text_and_never_a_path(start: Start, clip: Path, folder: Path) -> None:
    client = start(jobs=len(NAMES))
    jobs = {upload(client, clip, name): shown for name, shown in NAMES}
    assert {job: row["name"] for job, row in rows(client).items()} == jobs
    assert {path.name for path in inside(folder)} == set(jobs)
    assert all(ID.fullmatch(job) for job in jobs)
    assert [path.name for path in folder.parent.iterdir()] == ["jobs"]
    for job in jobs:
        wait_until(client, job, "done")
        header = client.get(f"/api/jobs/{job}/files/csv").headers["content-disposition"]
        assert "/" not in unquote(header.replace("utf-8''", ""))
        assert "\n" not in header


def test_only_results_can_be_asked_for(start: Start, clip: Path) -> None:
    client = start()
    job = upload(client, clip)
    wait_until(client, job, "done")
    for kind in ("..%2fjob.json", "%2e%2e%2fjob.json", "job.json", "log", "CSV", "%2e%2e"):
        for path in (f"/api/jobs/{job}/files/{kind}", f"/api/jobs/{job}/{kind}"):
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert "error" in answer.json()


@pytest.mark.parametrize("job", ["0" * 32, "..", "%2e%2e%2f%2e%2e", "a" * 500])
def test_no_other_folder_can_be_asked_for(start: Start, job: str) -> None:
    client = start()
    for path in ("video", "view", "files/csv"):
        assert client.get(f"/api/jobs/{job}/{path}").status_code == 404
    assert client.delete(f"/api/jobs/{job}").status_code in (404, 405)


def test_a_file_that_announces_too_much_is_refused(start: Start, folder: Path) -> None:
    answer = start(megabytes=0.001).post("/api/jobs", content=b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json()["error"] == "This file is too large: the server takes at most 0.001 MB."
    assert inside(folder) == []


def test_a_stream_is_cut_off_where_it_is_too_large(start: Start, folder: Path) -> None:
    client = start(megabytes=0.1)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    answer = client.post("/api/jobs", content=endless())
    assert answer.status_code == 413
    assert inside(folder) == []


def test_too_long_a_video_is_refused(start: Start, clip: Path, folder: Path) -> None:
    answer = start(minutes=1 / 60).post("/api/jobs", content=clip.read_bytes())
    assert answer.status_code == 422
    assert "is 0.0 minutes long" in answer.json()["error"]
    assert inside(folder) == []


def bad_files(clip: Path) -> dict[str, bytes]:
    content = clip.read_bytes()
    return {
        "text": b"hello",
        "page": b"<!doctype html><script>alert(1)</script>",
        "start": content[: len(content) // 50],
        "play list": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{clip}\n".encode(),
        "script": f"ffconcat version 1.0\nfile '{clip}'\n".encode(),
        "noise": bytes(range(256)) * 500,
    }


def test_what_is_no_video_is_refused_in_a_sentence(start: Start, clip: Path, folder: Path) -> None:
    client = start()
    for kind, content in bad_files(clip).items():
        answer = client.post("/api/jobs", content=content)
        assert answer.status_code == 422, kind
        assert answer.json()["error"].startswith("This file")
        assert answer.json()["error"].endswith(".")
        assert str(folder) not in answer.text
        assert inside(folder) == []


def test_nothing_at_all_is_refused(start: Start, folder: Path) -> None:
    answer = start().post("/api/jobs", content=b"")
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "This file is empty: choose another.",
    )
    assert inside(folder) == []


def test_a_full_disk_is_said(
    start: Start, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: TestClient = start()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
    answer = client.post("/api/jobs", content=clip.read_bytes())
    assert answer.status_code == 429
    assert "disk is full" in answer.json()["error"]
    assert inside(folder) == []
