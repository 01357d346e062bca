"""Stage `probe`: each encoder alone, on stores whose features carry the labels."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import f1_score

from stages import inputs, probe
from stages.core import paths
from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.learning.metrics import THRESHOLD
from stages.reporting.sections import encoders_section
from stages.sequence.dataset import load_videos
from stages.sequence.features import Features
from stages.sequence.training import validation_f1
from stages.sequence.windows import predict_video
from tests.test_train import write_workspace


def only(folder: Path, epochs: int) -> None:
    """Leave two encoders in the settings: one that sees AU1 to AU24, one that hears the others."""
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["single"].update(epochs=epochs, step_epochs=epochs)
    content["compute"] = {"workers": 1, "device": "cpu", "precision": "auto"}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("single")
    write_workspace(folder)
    only(folder, epochs=20)
    (folder / "metrics/pretrain").mkdir(parents=True)
    (folder / "metrics/pretrain/ires100.json").write_text(
        json.dumps({"f1": 0.7, "f1_all_ones": 0.45, "best_epoch": 3})
    )
    (folder / "metrics/speed.json").write_text(json.dumps({"small": {"ires100": 812.4}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        inputs.main()
        probe.main()
    return folder


def scores(folder: Path) -> dict:
    return json.loads((folder / paths.SINGLE_SCORES).read_text())["synthetic"]


def test_each_encoder_tells_of_what_is_in_its_features_and_of_nothing_else(made: Path) -> None:
    ours = scores(made)
    assert set(ours) == {"ires100", "fbank", "all_ones"}
    seen, heard, ones = (ours[name] for name in ("ires100", "fbank", "all_ones"))
    for name in AU_NAMES[:10]:
        assert seen[name] > ones[name] + 0.2
        assert heard[name] < ones[name] + 0.2
    for name in AU_NAMES[10:]:
        assert heard[name] > ones[name] + 0.2
        assert seen[name] < ones[name] + 0.2
    assert seen["macro"] == pytest.approx(np.mean([seen[name] for name in AU_NAMES]), abs=1e-5)


def test_the_table_says_what_is_known_of_each_encoder(made: Path) -> None:
    with (made / paths.SINGLE_REPORT / "table.csv").open() as file:
        heading, *rows = csv.reader(file)
    assert [row[0] for row in rows] == ["ires100", "fbank", "all-ones baseline"]
    assert {len(row) for row in rows} == {len(heading)}
    ires100 = dict(zip(heading, rows[0], strict=True))
    assert ires100["pre-training, held-out people"] == "f1 0.700 (chance 0.450)"
    assert ires100["width"] == "10"
    assert ires100["frames a second, one core"] == "812"
    assert ires100["weights from"] == "pretrain (au)"
    assert ires100["F1 alone"] == f"{scores(made)['ires100']['macro']:.3f}"
    fbank = dict(zip(heading, rows[1], strict=True))
    assert fbank["weights from"].startswith("none")
    assert fbank["frames a second, one core"] == "-"
    assert fbank["F1 alone, AU25"] == f"{scores(made)['fbank']['AU25']:.3f}"
    section = encoders_section(made / paths.SINGLE_REPORT, "synthetic")
    assert section is not None
    title, html = section
    assert title == "Encoders"
    assert "alone" in html
    assert "f1 0.700 (chance 0.450)" in html


def test_chance_stands_beside_every_score_that_has_one() -> None:
    figures = {"ccc": 0.26, "ccc_valence": 0.1, "f1": 0.5, "f1_all_ones": 0.45,
               "frame_accuracy": 0.39, "frame_accuracy_chance": 0.08, "best_epoch": 2}  # fmt: skip
    assert probe.beside_chance(figures) == (
        "ccc 0.260 (chance 0.000), f1 0.500 (chance 0.450), frame accuracy 0.390 (chance 0.080)"
    )
    assert probe.beside_chance({}) == "-"


def test_validation_f1_is_that_of_scikit_learn(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    videos = load_videos("validation")

    class Says(torch.nn.Module):
        def forward(self, visual, audio, sound, real):
            return torch.cat([visual, visual[..., :2]], dim=-1) - 0.6

    with Features([Path("data/features/visual/ires100")], []) as features:
        ours = validation_f1(Says(), features, videos, window=32, device=torch.device("cpu"))
        predicted = np.concatenate(
            [predict_video(Says(), features, v, window=32, device=torch.device("cpu"))
             for v in videos]
        ) >= THRESHOLD  # fmt: skip
    labels = np.concatenate([video.labels for video in videos])
    for i in range(12):
        known = labels[:, i] >= 0
        assert ours[i] == pytest.approx(f1_score(labels[known, i], predicted[known, i]))


def test_again_gives_the_same_bytes(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    only(tmp_path, epochs=2)
    (tmp_path / "metrics").mkdir()
    monkeypatch.chdir(tmp_path)
    inputs.main()
    files = (paths.SINGLE_SCORES, paths.SINGLE_REPORT / "table.csv")
    first = []
    for _ in range(2):
        probe.main()
        first.append([path.read_bytes() for path in files])
    assert first[0] == first[1]
    assert not list((tmp_path / ".partial/single").glob("*/*"))


def test_a_store_that_is_missing_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    only(tmp_path, epochs=1)
    monkeypatch.chdir(tmp_path)
    inputs.main()
    shutil.rmtree("data/features/audio/fbank")
    with pytest.raises(DataError, match=r"fbank is missing: run `dvc repro visual audio`"):
        probe.main()
