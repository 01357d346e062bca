"""Pre-training by one and by two processes: the same step but for the rounding of sums."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stages.core.errors import SettingsError
from stages.core.hashing import ROOT
from stages.encoders.registry import audio_encoder, visual_encoder
from stages.encoders.weights import load_network
from stages.learning.processes import Share
from stages.pretraining import faces
from stages.pretraining.examples import load_examples
from stages.pretraining.settings import Pretrain
from tests import stand_ins


@pytest.mark.parametrize("processes", [2, 3])
def test_each_process_decodes_its_share_of_every_batch(tmp_path: Path, processes: int) -> None:
    stand_ins.write_faces(tmp_path / "faces.h5", faces=40, people=5)
    training, validation = faces.load_faces(tmp_path / "faces.h5", ["au"], 0.2, seed=0)
    encoder = visual_encoder("ires100")
    shares = [Share(rank, processes) for rank in range(processes)]
    alone = list(faces.training_batches(training, encoder, 112, 7, 0, 1))
    parts = [
        list(faces.training_batches(training, encoder, 112, 7, 0, 1, share=share))
        for share in shares
    ]
    assert len(alone) == 4
    for rank, part in enumerate(parts):
        for whole, own in zip(alone, part, strict=True):
            for mine, all_rows in zip(own, whole, strict=True):
                assert torch.equal(mine, all_rows[rank::processes])
    # eight held-out faces in batches of seven: the last one has nothing for the second process
    seen = [list(faces.validation_batches(validation, encoder, 112, 7, share)) for share in shares]
    assert [len(targets) for _, targets in seen[1]] == [len(range(1, 7, processes)), 0]
    assert [len(images) for images, _ in seen[1]] == [len(range(1, 7, processes)), 1]
    together = torch.cat([targets for part in seen for _, targets in part])
    assert sorted(together.tolist()) == sorted(validation.targets.tolist())


def test_a_share_of_speech_is_cut_out_of_the_whole_batch(tmp_path: Path) -> None:
    stand_ins.write_speech(tmp_path / "speech.h5")
    settings = Pretrain(
        kind="audio", data="corpus/speech", task="phoneme", epochs=1, batch=5,
        learning_rate=1e-3, weight_decay=0.0, validation=0.25,
    )  # fmt: skip
    encoder = audio_encoder("wav2vec")

    def batches(share: Share) -> list[tuple[torch.Tensor, ...]]:
        examples = load_examples(encoder, "small", settings, tmp_path / "speech.h5", 0, share)
        return list(examples.training(0))

    alone, second = batches(Share()), batches(Share(1, 2))
    for whole, own in zip(alone, second, strict=True):
        assert torch.equal(own[0], whole[0][1::2])
        assert torch.equal(own[1], whole[1][1::2])
    with pytest.raises(
        SettingsError, match=r"wav2vec\.batch = 5 has nothing for some of the 6 pro"
    ):
        batches(Share(0, 6))


def start(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *command],
        cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_processes_take_the_step_that_one_would_take(tmp_path: Path) -> None:
    stand_ins.write_faces(tmp_path / "faces.h5", faces=48)
    stand_ins.settings(tmp_path)
    start(tmp_path, str(ROOT / "tests/pretraining/in_processes.py"), "faces.h5", "found.json")
    for name, figures in json.loads((tmp_path / "found.json").read_text()).items():
        assert figures["parts"] == 1, name
        assert abs(figures["loss"]) < 1e-4, name
        assert figures["gradient"] < 1e-5, name
        assert figures["figures"] < 1e-9, name


@pytest.mark.slow
def test_an_encoder_is_pretrained_by_two_processes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    stand_ins.write_faces(tmp_path / "data/faces.h5")
    stand_ins.settings(
        tmp_path,
        pretrain__mae__epochs=8,
        pretrain__mae__batch=13,
        pretrain__mae__validation=0.25,
        pretrain__mae__reconstruction={"hidden": 0.75, "epochs": 1, "learning_rate": 5e-4},
    )
    printed = start(tmp_path, "-m", "stages.pretrain", "mae")
    assert printed.count("72 training samples of") == 1  # one speaks for both
    figures = json.loads((tmp_path / "metrics/pretrain/mae.json").read_text())
    assert figures["f1"] > figures["f1_all_ones"] + 0.1
    assert "reconstruction_r2" in figures
    assert load_network(
        visual_encoder("mae"), "small", tmp_path / "models/encoders/mae.safetensors"
    )
    assert not list((tmp_path / ".partial").glob("pretrain@*/*/*"))
