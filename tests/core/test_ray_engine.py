"""Workers of Ray: the bytes of local ones, both kinds of failure, GPU shares, tokens."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.core import parallel, ray_engine, workers
from stages.core.errors import SettingsError, UnfinishedError
from stages.core.hashing import ROOT
from stages.core.parallel import Outcome, map_videos
from stages.core.ray_cluster import connect
from stages.core.records import ACKNOWLEDGED
from stages.core.settings import Compute
from tests.core.test_parallel import Trial, names, note_threads, square, trials, tried

RAY = Compute(engine="ray")
GPUS = 2  # that Ray takes for there


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    disconnect = connect(None, 4, num_gpus=GPUS)
    yield
    disconnect()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "PAUSE", 0.0)


def work(function: Any, items: dict[str, Any], folder: Path, **options: Any) -> Outcome:
    given = {"suffix": ".txt", "workers": 2, "description": "test", "compute": RAY}
    return map_videos(function, items, folder, **{**given, **options})


def test_bytes_and_failures_are_those_of_local_work(tmp_path: Path) -> None:
    items = {f"n{i}": i for i in (5, 4, 3, 2, 1)}
    far, near = (
        work(square, items, tmp_path / "far"),
        work(square, items, tmp_path / "near", compute=Compute()),
    )
    assert far.failed == near.failed
    assert list(far.failed) == ["n3", "n4"]
    assert far.hashes == near.hashes
    assert list(far.hashes) == ["n1", "n2", "n5"]
    assert names(tmp_path / "far") == names(tmp_path / "near")


def test_a_worker_has_one_thread_and_the_folder_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = work(note_place, {"a": 1}, Path("out"), initializer=initialise)
    threads = f"1 {['1'] * len(workers.ONE_THREAD)}"
    assert outcome.done["a"].read_text() == f"{tmp_path}\ninitialised\n{threads}"


def initialise() -> None:
    os.environ["TEST_INITIALISED"] = "initialised"


def note_place(item: int, path: Path) -> None:
    note_threads(item, path)
    said = path.read_text()
    path.write_text(f"{Path.cwd()}\n{os.environ['TEST_INITIALISED']}\n{said}")


def test_what_is_no_fault_of_the_data_is_tried_again(tmp_path: Path) -> None:
    items = trials(tmp_path / "tries", n2=(2, "killed"), n4=(1, "ENOSPC"), n5=(1, "odd"))
    outcome = work(tried, items, tmp_path / "out", suffix="")
    assert not outcome.failed
    assert {name: path.read_text() for name, path in outcome.done.items()} == {n: n for n in items}
    tries = {name: item.attempts() for name, item in items.items()}
    assert tries == {**dict.fromkeys(items, 1), "n2": 3, "n4": 2, "n5": 2}
    assert names(tmp_path / "out") == list(items), "nothing is left over"


def test_one_that_kills_its_worker_every_time_ends_as_a_sentence(tmp_path: Path) -> None:
    items = trials(tmp_path / "tries", n3=(99, "killed"))
    said = rf"1 of 8 .* n3: its worker process on {socket.gethostname()} was killed.*is kept"
    with pytest.raises(UnfinishedError, match=said):
        work(tried, items, tmp_path / "out", suffix="")
    assert items["n3"].attempts() == parallel.ATTEMPTS
    assert names(tmp_path / "out") == [name for name in items if name != "n3"]
    mended = {name: Trial(name, item.home) for name, item in items.items()}
    assert list(work(tried, mended, tmp_path / "out", suffix="", compute=None).done) == list(items)
    assert {item.attempts() for name, item in items.items() if name != "n3"} == {1}


def fail() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_workers_that_cannot_begin_end_as_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match=r"1 of 1 .*Too many open files"):
        work(square, {"a": 1}, tmp_path, initializer=fail)


def see_device(item: int, path: Path) -> None:
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    begin = path.parent / f"{os.getpid()}-begun"
    begin.write_text(seen)
    while len(list(path.parent.glob("*-begun"))) < item:  # all of them are at work at once
        pass
    path.write_text(seen)


@pytest.mark.parametrize(("share", "count"), [(0.5, 4), (1, 2), (2, 1)])
def test_an_actor_for_each_share_of_a_gpu(tmp_path: Path, share: float, count: int) -> None:
    compute = Compute(engine="ray", gpus_per_worker=share)
    items = {f"n{k}": count for k in range(6)}
    outcome = work(see_device, items, tmp_path, workers=None, compute=compute, on_device=True)
    begun = [path.read_text() for path in tmp_path.glob("*-begun")]
    assert len(begun) == count
    assert {number for seen in begun for number in seen.split(",")} == {"0", "1"}
    assert len(outcome.done) == len(items)


@pytest.mark.parametrize("options", [{}, {"on_device": True, "device": "cpu"}])
def test_what_needs_no_gpu_sees_none(tmp_path: Path, options: dict[str, Any]) -> None:
    compute = Compute(engine="ray", device=options.pop("device", "auto"))
    outcome = work(see_device, {"a": 1}, tmp_path, compute=compute, **options)
    assert outcome.done["a"].read_text() == ""


def test_a_folder_that_workers_do_not_see_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "project"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match=r"cannot enter /.*elsewhere.* must share"):
        work(square, {"a": 1}, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_nothing_is_started_where_nothing_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = {"a": 1, "b": 2}
    first = work(square, items, tmp_path)
    monkeypatch.setattr(ray_engine, "connect", None)
    assert work(square, items, tmp_path) == first
    assert (tmp_path / ACKNOWLEDGED).exists()


def note_process(item: int, path: Path) -> None:
    path.write_text(f"{item} {os.getpid()}")


def test_a_worker_stays_for_the_next_work(tmp_path: Path) -> None:
    """Its start takes seconds, on a busy machine a minute; one that died meanwhile is no harm."""
    pids = []
    for number in range(4):
        if number == 3:
            os.kill(pids[-1], signal.SIGKILL)
        outcome = work(note_process, {"a": number}, tmp_path / str(number), workers=1)
        item, pid = map(int, outcome.done["a"].read_text().split())
        assert item == number
        pids.append(pid)
    assert len(set(pids[:3])) == 1
    assert pids[3] != pids[2]


def open_ports() -> str:
    """HOST:PORT of the Ray that this module runs; it is reached from other machines."""
    import ray  # after the token is there

    return str(ray.get_runtime_context().gcs_address)


CONNECT = """
import sys
from stages.core.console import run_stage
from stages.core.ray_cluster import connect
run_stage(lambda: connect(sys.argv[1], None)())
"""


def ask(address: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    mine = {key: value for key, value in os.environ.items() if not key.startswith("RAY_A")}
    return subprocess.run(
        [sys.executable, "-c", CONNECT, address], cwd=ROOT, env={**mine, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_head_that_others_reach_is_refused_without_a_token() -> None:
    asked = ask(open_ports())
    assert asked.returncode == 1
    assert asked.stderr.startswith("SettingsError: compute.address = ")
    assert "without a token" in asked.stderr
    assert "RAY_AUTH_MODE=token" in asked.stderr


@pytest.mark.slow  # Ray knocks for 20 seconds
def test_another_token_does_not_open_ours() -> None:
    asked = ask(open_ports(), RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)
    assert asked.returncode == 1
    assert "no Ray of ours answers" in asked.stderr
    assert "Traceback" not in asked.stderr
