"""A server in this process, over a folder of the test's own."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stages.inference.web import apart
from stages.inference.web.app import create_app
from stages.inference.web.jobs import Jobs
from stages.inference.web.settings import Limits, Settings
from stages.inference.web.work import Loader, Predictor
from tests.inference.web import stand_in

Start = Callable[..., TestClient]


@dataclass
class Clock:
    """What a server takes for the time; it goes as the real one does, and can be put forward."""

    ahead: float = 0.0  # seconds

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which work is found to take too long."""
    made = Clock()
    monkeypatch.setattr(apart, "time", made)
    return made


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in.make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(
            predict: Predictor = stand_in.predict,
            load: Loader | None = None,
            *,
            host: str = "127.0.0.1",
            token: str | None = None,
            root_path: str = "",
            public_hosts: tuple[str, ...] = (),
            **limits: float,
        ) -> TestClient:
            settings = Settings(
                folder, host=host, token=token, limits=Limits(**limits), root_path=root_path,
                public_hosts=public_hosts,
            )  # fmt: skip
            jobs = Jobs(folder, settings.limits, predict, load)
            app = create_app(settings, jobs)
            client = TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False)
            return stack.enter_context(client)

        yield begin
