"""Killed in the middle of a stage, then repeated: the same bytes as an undisturbed run."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.clone import Clone

STAGES = (  # stage, what is there when it is in the middle of its work
    ("corpus", "*/pieces/clip-*"),
    ("crop", "*/*.h5"),
    ("pretrain@ires100", "*/state.pt"),
    ("visual@ires100", "*/*.h5"),
    ("train@main", "*/seed0/state.pt"),
)
PATIENCE = 300  # seconds to wait for a stage to get so far


def kill_in(clone: Clone, stage: str, pattern: str) -> None:
    """Run `dvc repro` and kill it with all its children once a piece of `stage` is done."""
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=clone.folder,
        env=clone.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    waited = time.monotonic() + PATIENCE
    home = clone.folder / ".partial" / stage
    while not any(not piece.name.startswith(".") for piece in home.glob(pattern)):
        assert process.poll() is None, f"{stage} ended before it could be killed"
        assert time.monotonic() < waited, f"{stage} never got so far"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def outputs(clone: Clone) -> dict[str, str]:
    """Hash of every output by its path, from DVC."""
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())
    return {
        out["path"]: out["md5"]
        for stage in lock["stages"].values()
        for out in stage.get("outs", [])
    }


@pytest.mark.slow
def test_killed_in_the_middle_of_every_stage(tmp_path: Path) -> None:
    undisturbed, killed = Clone(tmp_path / "a"), Clone(tmp_path / "b")
    undisturbed.run("dvc repro")
    continued = []
    for stage, pattern in STAGES:
        kill_in(killed, stage, pattern)
        printed = killed.run(f"dvc repro {stage}")
        if "continuing where an earlier run stopped" in printed or "were made before" in printed:
            continued.append(stage)
    killed.run("dvc repro")
    assert continued == [stage for stage, _ in STAGES]
    assert outputs(killed) == outputs(undisturbed)
