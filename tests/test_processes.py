"""One network trained by one, two and three processes: the same but for the rounding of sums."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from stages import inputs
from stages.check_settings import load_params
from stages.core.hashing import ROOT
from stages.sequence.predictions import read_predictions
from stages.sequence.run import RESULT, Training, run_folder, train_aside
from stages.sequence.runs import read_run, read_training
from tests.test_train import write_workspace

EPOCHS = 3


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing in it is drawn at random in a process, but the order of the windows."""
    folder = tmp_path_factory.mktemp("workspace")
    write_workspace(folder)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["models"]["transformer"]["small"] |= {"dropout": 0.0, "head": []}  # it has its own
    # 36 windows: the last of 8 batches has one, and nothing for the other processes
    content["train"].update(
        epochs=EPOCHS, batch=5, feature_noise=0.0, shift=0.0, feature_dropout=0.0,
        intensity_weight=0.1,
    )  # fmt: skip
    content["compute"].update(device="cpu", precision="32-true")
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        inputs.main()
    return folder


def train(folder: Path, processes: int) -> None:
    command = [sys.executable, "-m", "stages.train", "main"]
    if processes > 1:
        command[1:1] = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def curve(result: Path, name: str) -> list[float]:
    with (result / f"curves/seed0/plots/metrics/{name}.tsv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.slow
def test_processes_train_what_one_would_train(workspace: Path) -> None:
    result, found = workspace / "models/runs/main", {}
    for processes in (1, 2, 3):
        train(workspace, processes)
        found[processes] = (
            load_file(result / "seed0.safetensors"),
            curve(result, "loss"),
            curve(result, "validation_f1"),
            read_predictions(result / "predictions.h5").seeds[0],
        )
        assert not list((workspace / ".partial").glob("train@main/*/*"))
    alone = found.pop(1)
    assert len(alone[1]) == EPOCHS
    assert alone[1][-1] < alone[1][0]
    for weights, losses, scores, predictions in found.values():
        np.testing.assert_allclose(losses, alone[1], rtol=1e-4)
        np.testing.assert_allclose(scores, alone[2], atol=2e-3)
        assert weights.keys() == alone[0].keys()
        for name, values in weights.items():
            np.testing.assert_allclose(values, alone[0][name], rtol=1e-2, atol=1e-3)
        for name, logits in predictions.items():
            np.testing.assert_allclose(logits, alone[3][name], atol=2e-2)


@pytest.mark.slow
def test_processes_put_in_place_what_is_trained_already(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    work = Training(read_run("main"), read_training("main", load_params().compute))
    train_aside(work, tmp_path / "note.txt")
    with run_folder(work.params, work.run, keep=True) as (folder, _):
        made = {path.name: path.read_bytes() for path in (folder / RESULT).glob("*.safetensors")}
    shutil.rmtree(workspace / "models/runs/main", ignore_errors=True)
    train(workspace, 2)  # without a word between them one would wait for the other
    placed = (workspace / "models/runs/main").glob("*.safetensors")
    assert made
    assert {path.name: path.read_bytes() for path in placed} == made
