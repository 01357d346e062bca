"""SIGKILL at 20 random moments over four stages: 20 times the bytes of undisturbed runs.

In `corpus`, `crop` and `visual` one worker process is killed and the stage goes on by itself. What
trains has no workers: the stage itself is killed, and the user runs it again. The figures of a run
(`pytest -m slow -s tests/core/test_kill_workers.py`) are printed.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.hashing import ROOT
from stages.core.paths import ENCODERS, RUN_RESULTS
from stages.core.records import ACKNOWLEDGED
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import save_weights
from tests.test_train import write_workspace

KILLS = 5  # of each stage
PATIENCE = 1200  # seconds that a stage may take
POLL = 0.05  # seconds; looking costs what the stage could use
EPOCHS = 8
ENCODER = "ires100"
CORPUS = {
    "clips": 2, "people": 2, "seconds": 1.0, "test_clips": 2, "test_seconds": [0.8, 1.2],
    "frame_rate": 10, "resolution": 128, "faces": 2, "face_people": 2, "utterances": 2,
    "speakers": 2,
}  # fmt: skip
# a store as small as this one's would be made without workers
CODE = """
import importlib, sys
from stages.core.console import run_stage
from stages.encoders import face_extraction
face_extraction.WORTH_A_WORKER["small"] = 1
sys.argv[:] = sys.argv[1:]
run_stage(importlib.import_module(f"stages.{sys.argv[0]}").main)
"""
OUTS = {"corpus": "data/corpus", "crop": "data/crops", "visual": "data/features/visual"}
ORDER = ("corpus", "index", "crop", "mask", "visual")


def words_of(stage: str) -> list[str]:
    return [stage, ENCODER] if stage == "visual" else [stage]


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> str:
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, said[-3000:]
    return said


def workers(pid: int) -> list[int]:
    """Worker processes of a stage."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in children}
    except (FileNotFoundError, ProcessLookupError):
        return []
    return sorted(one for one, line in lines.items() if b"spawn_main" in line)


def pieces(folder: Path, stage: str) -> int:
    """Pieces that a stage at work has acknowledged; 0 before and after."""
    try:
        return sum(
            len(path.read_bytes().splitlines())
            for path in (folder / ".partial").glob(f"{stage}*/**/{ACKNOWLEDGED}")
        )
    except FileNotFoundError:  # it has just been removed
        return 0


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Undisturbed:
    """A stage's run by one process.

    Attributes
    ----------
    files : dict of str to str
        SHA-256 of what it makes.
    pieces : int
        That it was seen to acknowledge.
    pace : float
        Seconds a piece.
    """

    files: dict[str, str]
    pieces: int
    pace: float


@dataclass
class Workspace:
    """A tiny one, in which each stage runs undisturbed once."""

    folder: Path
    whole: dict[str, Undisturbed] = field(default_factory=dict)

    def settle(self, count: int) -> None:
        """Set the number of workers."""
        content = yaml.safe_load((ROOT / "params.yaml").read_text())
        content["corpus"] |= CORPUS
        content["compute"] |= {"workers": count, "device": "cpu"}
        (self.folder / "params.yaml").write_text(yaml.safe_dump(content))

    def run(self, last: str) -> Undisturbed:
        """Run the stages up to one, as far as that was not done."""
        self.settle(1)
        for stage in ORDER[: ORDER.index(last) + 1]:
            if stage in self.whole:
                continue
            process, seen, begun, ended = start(self.folder, *words_of(stage)), 0, 0.0, 0.0
            while process.poll() is None:
                known = pieces(self.folder, stage)
                if known > seen:
                    seen, ended = known, time.monotonic()
                    begun = begun or ended
                time.sleep(POLL)
            finish(process)
            files = digests(self.folder / OUTS.get(stage, "data/index"))
            self.whole[stage] = Undisturbed(files, seen, (ended - begun) / max(seen - 1, 1))
        self.settle(2)
        return self.whole[last]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    encoder = visual_encoder(ENCODER)
    network = encoder.build(encoder.scales["small"])
    path = made.folder / ENCODERS / f"{ENCODER}.safetensors"
    save_weights(path, encoder, "small", "au", network.state_dict(), {})
    return made


def disturb(folder: Path, stage: str, after: int, pause: float, which: int) -> bool:
    """Run a stage and kill a worker after so many pieces and seconds; whether there was one."""
    process = start(folder, *words_of(stage))
    while process.poll() is None:
        if pieces(folder, stage) >= after and workers(process.pid):
            break
        time.sleep(POLL)
    time.sleep(pause)
    alive = workers(process.pid)
    if alive:
        os.kill(alive[which % len(alive)], signal.SIGKILL)
    finish(process)
    return bool(alive)


@pytest.mark.slow
@pytest.mark.parametrize("stage", OUTS)
def test_a_killed_worker_leaves_no_trace(workspace: Workspace, stage: str) -> None:
    folder, undisturbed = workspace.folder, workspace.run(stage)
    assert undisturbed.pieces >= 2
    random = np.random.default_rng(11)
    moments: list[str] = []
    for _ in range(4 * KILLS):
        if len(moments) == KILLS:
            break
        shutil.rmtree(folder / OUTS[stage])
        shutil.rmtree(folder / ".partial")
        after = int(random.integers(undisturbed.pieces - 1))
        pause = float(random.uniform(0, undisturbed.pace))
        if disturb(folder, stage, after, pause, int(random.integers(2))):
            moments.append(f"{after} + {pause:.2f} s")
        assert digests(folder / OUTS[stage]) == undisturbed.files, f"killed after {moments[-1:]}"
        left = list((folder / ".partial").glob(f"{stage}*/**/.*"))
        assert {path.name for path in left} <= {ACKNOWLEDGED}
    print(
        f"\n{stage}: {len(undisturbed.files)} files of {undisturbed.pieces} pieces, each "
        f"{undisturbed.pace:.2f} s; a worker killed after {', '.join(moments)}"
    )
    assert len(moments) == KILLS


@pytest.mark.slow
def test_killed_training_goes_on_when_it_is_run_again(tmp_path: Path) -> None:
    write_workspace(tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["train"]["epochs"] = EPOCHS
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    finish(start(tmp_path, "inputs"))
    out = tmp_path / RUN_RESULTS

    def begin() -> "subprocess.Popen[str]":
        """Start to train; the imports are over when this ends."""
        process = start(tmp_path, "train", "main")
        while process.poll() is None and not list((tmp_path / ".partial").glob("train@main/*/*")):
            time.sleep(POLL)
        return process

    process, begun = begin(), time.monotonic()
    finish(process)
    span, whole = time.monotonic() - begun, digests(out)
    assert whole
    random = np.random.default_rng(12)
    moments, continued = [], 0
    for _ in range(KILLS):
        shutil.rmtree(out)
        process = begin()
        moment = float(random.uniform(0, span))
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        moments.append(round(moment, 2))
        continued += "continuing where an earlier run stopped" in finish(
            start(tmp_path, "train", "main")
        )
        assert digests(out) == whole, f"train, killed after {moment} s"
    print(f"\ntrain: {span:.1f} s, killed after {moments} s, {continued} of {KILLS} continued")
