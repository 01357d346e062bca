"""What tests say to a server."""

import os
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.waiting import wait_for


def rows(client: TestClient) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in client.get("/api/state").json()["jobs"]}


def upload(client: TestClient, video: Path, name: str = "clip.mp4") -> str:
    answer = client.post("/api/jobs", params={"name": name}, content=video.read_bytes())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def wait_until(client: TestClient, job: str, state: str) -> dict[str, Any]:
    ended = {"done", "failed", "stopped"}

    def there() -> dict[str, Any] | None:
        row = rows(client)[job]
        assert row["state"] == state or row["state"] not in ended, row
        return row if row["state"] == state else None

    found: dict[str, Any] = wait_for(there)
    return found


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
