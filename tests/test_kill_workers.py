"""SIGKILL at 20 random moments over four stages: 20 times the bytes of undisturbed runs.

In `corpus`, `crop` and `visual` one worker process is killed and the stage goes on by itself. What
trains has no workers: the stage itself is killed, and the user runs it again. The figures of a run
(`pytest -m slow -s tests/test_kill_workers.py`) are printed.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.paths import ENCODERS
from stages.core.provenance import ROOT
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import save_weights
from tests.test_train import write_workspace

KILLS = 5  # of each stage
PATIENCE = 600  # seconds that a stage may take
CORPUS = {
    "clips": 9, "people": 6, "seconds": 1.6, "test_clips": 3, "test_seconds": [1.2, 2.0],
    "frame_rate": 10, "resolution": 128, "faces": 6, "face_people": 2, "utterances": 4,
    "speakers": 2,
}  # fmt: skip
# a store as small as this one's would be made without workers
CODE = """
import runpy, sys
from stages import face_features
face_features.WORTH_A_WORKER["small"] = 1
sys.argv[:] = sys.argv[1:]
runpy.run_module(f"stages.{sys.argv[0]}", run_name="__main__")
"""
STAGES = {"corpus": "data/corpus", "crop": "data/crops", "visual": "data/features/visual"}


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
    except FileNotFoundError:
        return []
    return sorted(one for one, line in lines.items() if b"spawn_main" in line)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def disturb(folder: Path, words: list[str], random: np.random.Generator, span: float) -> float:
    """Run a stage and kill one of its workers; seconds after the first appeared, or -1."""
    process = start(folder, *words)
    while not workers(process.pid) and process.poll() is None:
        time.sleep(0.01)
    moment = float(random.uniform(0, span))
    time.sleep(moment)
    alive = workers(process.pid)
    if alive:
        os.kill(int(random.choice(alive)), signal.SIGKILL)
    finish(process)
    return moment if alive else -1.0


def lifetime(folder: Path, words: list[str]) -> float:
    """Run a stage undisturbed; seconds that it has workers."""
    process = start(folder, *words)
    first = last = None
    while process.poll() is None:
        if workers(process.pid):
            last = time.monotonic()
            first = first or last
        time.sleep(0.02)
    finish(process)
    assert first is not None, f"{words} had no workers"
    assert last is not None
    return last - first


@pytest.mark.slow
def test_a_killed_worker_leaves_no_trace(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["corpus"] |= CORPUS
    content["compute"] |= {"workers": 2, "device": "cpu"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"])
    weights = tmp_path / ENCODERS / "ires100.safetensors"
    save_weights(weights, encoder, "small", "au", network.state_dict(), {})
    random = np.random.default_rng(11)
    for stage, out in STAGES.items():
        words = [stage, "ires100"] if stage == "visual" else [stage]
        span = lifetime(tmp_path, words)
        whole = digests(tmp_path / out)
        moments: list[float] = []
        for _ in range(4 * KILLS):
            if len(moments) == KILLS:
                break
            shutil.rmtree(tmp_path / out)
            moment = disturb(tmp_path, words, random, span)
            if moment >= 0:
                moments.append(round(moment, 2))
            assert digests(tmp_path / out) == whole, f"{stage}, killed after {moment} s"
            assert not list((tmp_path / ".partial").glob(f"{stage}*/*/*"))
        print(f"{stage}: {len(whole)} files, workers for {span:.1f} s, killed after {moments} s")
        assert len(moments) == KILLS
        if stage == "corpus":
            finish(start(tmp_path, "index"))


@pytest.mark.slow
def test_killed_training_goes_on_when_it_is_run_again(tmp_path: Path) -> None:
    write_workspace(tmp_path)
    finish(start(tmp_path, "inputs"))
    outs = ("models/runs", "data/predictions", "metrics/curves")

    def made() -> dict[str, dict[str, str]]:
        return {out: digests(tmp_path / out) for out in outs}

    begun = time.monotonic()
    finish(start(tmp_path, "train", "main"))
    span, whole = time.monotonic() - begun, made()
    random = np.random.default_rng(12)
    moments, continued = [], 0
    for _ in range(KILLS):
        for out in outs:
            shutil.rmtree(tmp_path / out)
        process = start(tmp_path, "train", "main")
        moment = float(random.uniform(0, span))
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        moments.append(round(moment, 2))
        continued += "continuing where an earlier run stopped" in finish(
            start(tmp_path, "train", "main")
        )
        assert made() == whole, f"train, killed after {moment} s"
    print(f"train: {span:.1f} s, killed after {moments} s, {continued} of {KILLS} continued")
