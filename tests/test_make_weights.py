"""The recipe of the shipped weights: its settings, its workspace, what is put in place."""

import errno
import json
import shutil
from pathlib import Path

import pytest
import yaml

from stages.check_settings import load_params
from stages.core.errors import DataError, SettingsError
from stages.ensembles import shipping
from stages.ensembles.shipping import LARGEST, RECIPE, log, measured, merged, prepare, ship

ROOT = Path(__file__).resolve().parents[1]


def test_changes_reach_mappings_within_mappings() -> None:
    base = {"a": {"b": 1, "c": {"d": 2, "e": 3}}, "f": [1, 2]}
    assert merged(base, {"a": {"c": {"d": 5}}, "f": []}) == {
        "a": {"b": 1, "c": {"d": 5, "e": 3}},
        "f": [],
    }
    assert base["a"] == {"b": 1, "c": {"d": 2, "e": 3}}


def test_a_setting_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("corpus: {clip: 3}\n")
    with pytest.raises(SettingsError, match=r"corpus\.clip"):
        prepare(recipe, tmp_path / "workspace", load_params)


def test_the_shipped_recipe_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    prepare(RECIPE, tmp_path, load_params)
    params = load_params(tmp_path / "params.yaml")
    assert {item.augmentation for item in params.pretrain.values()} == {1.0}
    assert (tmp_path / "stages" / "corpus.py").is_file()
    assert yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]["corpus"]
    (tmp_path / "stages" / "left_over.py").write_text("")
    (tmp_path / "made").write_text("kept")
    prepare(RECIPE, tmp_path, load_params)
    assert not (tmp_path / "stages" / "left_over.py").exists()
    assert (tmp_path / "made").read_text() == "kept"


def test_a_stage_that_fails_stops_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="failed; run `make weights` to continue"):
        measured(["/bin/sh", "-c", "exit 3"], tmp_path)
    _, gib = measured(["/bin/sh", "-c", "true"], tmp_path)
    assert gib > 0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    ensemble = folder / "models" / "ensemble" / "members"
    ensemble.mkdir(parents=True)
    (ensemble / "fold1.safetensors").write_bytes(b"weights")
    (folder / "metrics").mkdir()
    (folder / "metrics" / "scores.json").write_text('{"f1": 0.5}')
    (folder / "metrics" / "ensembles.json").write_text("{}")
    log(folder, "corpus", 12.3, 0.5)
    return folder


def test_the_ensemble_is_put_in_place_beside_its_recipe(tmp_path: Path, workspace: Path) -> None:
    target = tmp_path / "pretrained"
    (target / "old").mkdir(parents=True)
    (target / "old" / "weights").write_text("x")
    (target / "recipe.yaml").write_text("kept")
    ship(workspace, target)
    assert (target / "members" / "fold1.safetensors").read_bytes() == b"weights"
    assert (target / "recipe.yaml").read_text() == "kept"
    assert not (target / "old").exists()
    figures = json.loads((target / "training.json").read_text())
    assert figures["scores_synthetic"] == {"f1": 0.5}
    assert figures["stages"] == {"corpus": {"seconds": 12.0, "peak_gib": 0.5}}


def test_what_is_too_large_is_not_shipped(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "LARGEST", 3)
    target = tmp_path / "pretrained"
    target.mkdir()
    with pytest.raises(DataError, match="7 bytes; what is shipped may have 3"):
        ship(workspace, target)
    assert not list(target.iterdir())
    assert LARGEST == 40 * 2**20


def test_what_is_shipped_is_the_old_or_the_new_and_no_mixture(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "pretrained"
    (target / "members").mkdir(parents=True)
    (target / "members" / "fold1.safetensors").write_bytes(b"old")
    (target / "ensemble.json").write_text("old")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        ship(workspace, target)
    files = {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()}
    assert files == {"members/fold1.safetensors": "old", "ensemble.json": "old"}
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []
