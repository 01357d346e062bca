"""Trainings by Ray, killed in their middle: the bytes of those that nobody disturbed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.core.hashing import ROOT
from stages.core.paths import RUN_RESULTS
from tests.core.test_kill_workers import digests
from tests.ray_workers import at_work
from tests.test_train import write_workspace
from tests.waiting import wait_for

pytestmark = pytest.mark.slow
RUNS = ("main", "visual", "fold1")
EPOCHS = 12
# whoever asks DVC what has changed needs a repository
CODE = """
import importlib, sys
from stages.core.console import run_stage
sys.argv[:] = sys.argv[1:]
stage = importlib.import_module(f"stages.{sys.argv[0]}")
stage.changed_stages = lambda group, names: sys.argv[2:]
run_stage(stage.main)
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that were trained on this machine, one after another."""
    folder = tmp_path_factory.mktemp("workspace")
    write_workspace(folder)
    settle(folder, "local")
    finish(start(folder, "inputs"))
    for name in RUNS:
        finish(start(folder, "train", name))
    return folder


def settle(folder: Path, engine: str) -> None:
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["train"]["epochs"] = EPOCHS
    content["compute"] |= {"engine": engine, "workers": 2, "device": "cpu"}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words], cwd=folder, text=True,
        env={**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> str:
    said = process.communicate(timeout=1800)[0]
    assert process.returncode == 0, said[-3000:]
    return said


def half_done(folder: Path) -> bool:
    return bool(list((folder / ".partial").glob("train@*/*/seed0/state.pt")))


def begin(folder: Path) -> "subprocess.Popen[str]":
    """Have the runs trained by Ray; one is in the middle when this ends."""
    process = start(folder, "train_parallel", "1", *RUNS)  # 1: of no account for Ray
    wait_for(lambda: half_done(folder) or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0][-3000:]
    return process


def put_in_place(folder: Path) -> None:
    """Let the stage find the runs done."""
    for name in RUNS:
        assert "held out:" not in finish(start(folder, "train", name))


def test_a_killed_worker_and_a_killed_driver_leave_no_trace(workspace: Path) -> None:
    whole = digests(workspace / RUN_RESULTS)
    assert whole
    settle(workspace, "ray")
    shutil.rmtree(workspace / RUN_RESULTS)
    process = begin(workspace)
    alive = wait_for(lambda: at_work(process.pid))
    os.kill(alive[0], signal.SIGKILL)
    said = finish(process)
    assert f"training {len(RUNS)} runs, by Ray" in said
    put_in_place(workspace)
    assert digests(workspace / RUN_RESULTS) == whole

    shutil.rmtree(workspace / RUN_RESULTS)
    process = begin(workspace)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert half_done(workspace)
    assert "runs trained" in finish(start(workspace, "train_parallel", "1", *RUNS))
    put_in_place(workspace)
    assert digests(workspace / RUN_RESULTS) == whole
    assert {path.name for path in (workspace / ".partial").glob("train*/*")} == {"lock"}
