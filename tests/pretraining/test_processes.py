"""Pre-training by one and by two processes: the same but for the rounding of sums."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from stages.core.errors import SettingsError
from stages.core.hashing import ROOT
from stages.encoders.registry import audio_encoder, visual_encoder
from stages.learning.processes import Share
from stages.pretraining import faces
from stages.pretraining.examples import load_examples
from stages.pretraining.settings import Pretrain
from tests import stand_ins

ENCODERS = ("mobilenet", "mae", "ecapatdnn", "vit")


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


def train(folder: Path, processes: int) -> dict[str, tuple[dict[str, np.ndarray], dict]]:
    script = str(ROOT / "tests/pretraining/in_processes.py")
    command = [sys.executable, script, *ENCODERS]
    if processes > 1:
        command[1:1] = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True,
        timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("training samples of") == len(ENCODERS)  # one speaks for all
    assert not list((folder / ".partial").glob("pretrain@*/*/*"))
    return {
        name: (
            load_file(folder / f"models/encoders/{name}.safetensors"),
            json.loads((folder / f"metrics/pretrain/{name}.json").read_text()),
        )
        for name in ENCODERS
    }


@pytest.mark.slow
def test_processes_learn_what_one_would_learn(tmp_path: Path) -> None:
    (tmp_path / "data/corpus").mkdir(parents=True)
    stand_ins.write_faces(tmp_path / "data/faces.h5", faces=72)
    stand_ins.write_speech(tmp_path / "data/corpus/speech.h5")
    changes: dict[str, object] = {
        f"pretrain__{name}__{key}": value
        for name in ENCODERS
        for key, value in {"epochs": 2, "batch": 13, "validation": 0.25}.items()
    }
    changes |= {
        "pretrain__ecapatdnn__validation": 0.5,
        "pretrain__mae__reconstruction": {"hidden": 0.75, "epochs": 1, "learning_rate": 5e-4},
        "pretrain__vit__average": 0.0,  # its own network is validated, not the running mean's
        "pretrain__vit__accumulate": 2,
    }
    stand_ins.settings(tmp_path, **changes)
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("precision: auto", "precision: 32-true"))
    alone, together = train(tmp_path, 1), train(tmp_path, 2)
    for name, (weights, figures) in together.items():
        expected, scores = alone[name]
        assert figures.keys() == scores.keys()
        for key, value in figures.items():
            assert value == pytest.approx(scores[key], abs=0.02), (name, key)
        assert weights.keys() == expected.keys()
        for key, tensor in weights.items():
            np.testing.assert_allclose(
                tensor, expected[key], rtol=1e-2, atol=1e-3, err_msg=f"{name} {key}"
            )
