"""The ensemble that is shipped: found by default, part of the wheel, with a card that is quoted."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stages.core import paths
from stages.core.errors import DataError
from stages.core.hashing import ROOT
from stages.inference.card import load_card

CARD = {
    "material": [
        {
            "name": "photos", "people": 102, "real": True,
            "figures": {"mean": {"auc": 0.91, "false_alarms": 0.02}, "AU12": {"auc": 0.95}},
        },
        {"name": "corpus", "people": 40, "real": False, "figures": {"AU12": {"f1": 0.8}}},
    ]
}  # fmt: skip


def test_what_is_shipped_is_the_default_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paths.PRETRAINED.resolve() == (ROOT / "models/pretrained").resolve()
    monkeypatch.setattr(paths, "PRETRAINED", tmp_path)
    assert paths.default_ensemble() == paths.ENSEMBLE
    (tmp_path / "ensemble.json").touch()
    assert paths.default_ensemble() == tmp_path


def test_the_card_says_what_was_measured_on_real_faces(tmp_path: Path) -> None:
    assert load_card(tmp_path) is None
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    card = load_card(tmp_path)
    assert card is not None
    assert card.sentence() == (
        "How well this ensemble does: photos (real faces, 102 people): mean of the AUs: AUC 0.91, "
        "false alarms 0.02."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"figures": {"AU5": {"f1": 0.5}}}, "figures names 'AU5'; allowed: mean, AU01"),
        ({"figures": {"AU12": {"f1": 1.5}}}, r"material\.0\.figures\.AU12\.f1"),
        ({"figures": {}}, r"material\.0\.figures"),
        ({"people": 0}, r"material\.0\.people"),
    ],
)
def test_a_wrong_card_is_a_sentence(tmp_path: Path, change: dict, said: str) -> None:
    content = {"material": [{**CARD["material"][0], **change}]}
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"is no card of an ensemble: .*{said}"):
        load_card(tmp_path)


@pytest.mark.slow
def test_an_installed_wheel_predicts_with_the_ensemble_that_it_brings(tmp_path: Path) -> None:
    from stages.synthesis.video_file import write_video
    from tests.inference import tiny

    project = tmp_path / "project"
    skipped = shutil.ignore_patterns("__pycache__", "pretrained")
    shutil.copytree(ROOT / "stages", project / "stages", ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, project / name)
    made = tiny.make_ensemble(tmp_path).folder
    (made / "card.json").write_text(json.dumps(CARD))
    (project / "models").mkdir()
    shutil.copytree(made, project / "models/pretrained")
    (project / "stages/pretrained").symlink_to("../models/pretrained")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "-w", tmp_path, project], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        assert "stages/pretrained/card.json" in archive.namelist()
        archive.extractall(installed)
    write_video(tmp_path / "a.mp4", tiny.moving(10), [k / 25 for k in range(10)], crf=22)
    script = "from stages.cli import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", "a.mp4", "--out", "out", "--device", "cpu"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "out/a.json").read_text())
    assert about["ensemble"]["name"] == "tiny"
    assert any("photos (real faces, 102 people)" in warning for warning in about["warnings"])
