"""Stage `ensemble`: joined predictions, calibration, export; and that no test video has a say."""

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from stages import ensemble
from stages.core import paths
from stages.core.errors import DataError, SettingsError
from stages.core.hashing import file_hash
from stages.ensembles import calibration_steps, choosing
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import load_ensemble, sigmoid
from stages.learning.metrics import f1_per_au
from stages.networks.registry import load_network
from stages.sequence.dataset import load_videos, make_video
from stages.sequence.predictions import read_predictions
from tests import stand_ins
from tests.test_train import finish, run, trained, write_weights, write_workspace

__all__ = ["trained"]  # a fixture


def figures(folder: Path) -> dict:
    return json.loads((folder / paths.ENSEMBLE_SCORES).read_text())["synthetic"]


def test_each_video_is_judged_by_those_who_have_not_seen_it(trained: Path) -> None:
    folds = {
        n: read_predictions(trained / f"models/runs/fold{n}/predictions.h5").seeds[0]
        for n in (1, 2, 3)
    }
    joined = read_predictions(trained / "data/ensembles/kfold.h5").seeds[0]
    videos = {video.name: video for video in load_videos(path=trained / paths.INPUTS)}
    assert set(joined) == set(videos)
    for name, video in videos.items():
        mine = [folds[video.fold]] if video.fold else list(folds.values())
        expected = np.mean([sigmoid(said[name]) for said in mine], axis=0)
        np.testing.assert_allclose(sigmoid(joined[name]), expected, atol=2e-5)


def test_scores_are_those_of_the_exported_calibration(trained: Path) -> None:
    exported = load_ensemble(trained / paths.ENSEMBLE)
    joined = read_predictions(trained / "data/ensembles/kfold.h5").seeds[0]
    videos = load_videos("test", path=trained / paths.INPUTS)
    labels = np.concatenate([video.labels for video in videos])
    decided = [
        exported.calibration.decide(exported.calibration.smooth(sigmoid(joined[video.name])))
        for video in videos
    ]
    f1 = f1_per_au(labels, np.concatenate(decided))
    assert figures(trained)["kfold"]["smoothing"]["test"]["macro"] == pytest.approx(
        f1.mean(), abs=1e-3
    )
    assert set(figures(trained)) == {"kfold"}


def test_the_folder_holds_all_that_predicting_needs(trained: Path) -> None:
    exported = load_ensemble(trained / paths.ENSEMBLE)
    assert [member.run for member in exported.members] == ["fold1", "fold2", "fold3"]
    for member in exported.members:
        network, _ = load_network(exported.folder / member.file)
        assert network.dimensions.visual_width == 10
        source = trained / paths.RUN_RESULTS / member.run / "seed0.safetensors"
        assert file_hash(source) == member.sha256
    assert set(exported.visual) == {"ires100"}
    assert exported.audio["fbank"].file is None
    assert exported.scores["label"] == "synthetic"
    assert exported.window == 32


def test_again_gives_the_same_bytes(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    monkeypatch.setattr(sys, "argv", ["ensemble"])
    ensemble.main()
    for name in ("models/ensemble/ensemble.json", "data/ensembles/kfold.h5", paths.ENSEMBLE_SCORES):
        assert Path(name).read_bytes() == (trained / name).read_bytes()


def test_test_videos_have_no_say_in_anything(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    tests = {f"test{i}" for i in range(3)}
    with h5py.File("data/index/frames.h5", "a") as file:
        for name in tests:
            labels = file[f"{name}/labels"]
            labels[...] = np.where(labels[()] < 0, -1, 1 - np.maximum(labels[()], 0))
    for store in Path("data/features").glob("*/*"):
        for name in tests:
            stand_ins.change_features(store, name, lambda rows: rows * 3 + 1)
    finish(monkeypatch, tmp_path)
    for name in ("main", "visual", "fold1", "fold2", "fold3"):
        path = f"models/runs/{name}/seed0.safetensors"
        assert Path(path).read_bytes() == (trained / path).read_bytes()
    ours, theirs = load_ensemble(paths.ENSEMBLE), load_ensemble(trained / paths.ENSEMBLE)
    assert ours.calibration == theirs.calibration
    assert ours.members == theirs.members
    after, before = figures(tmp_path)["kfold"]["raw"], figures(trained)["kfold"]["raw"]
    assert after["validation"] == before["validation"]
    assert after["test"]["macro"] < before["test"]["macro"] - 0.1


def test_an_ensemble_without_its_runs_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["runs"] = {name: content["runs"][name] for name in ("main", "fold1", "fold2")}
    content["ensemble"]["main"] = "train_val_mix"
    content["train"]["epochs"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    run(monkeypatch, tmp_path, "main", "fold1", "fold2")
    write_weights()
    monkeypatch.setattr(sys, "argv", ["ensemble"])
    with pytest.raises(DataError, match=r"'train_val_mix' needs runs.*there can be: kfold"):
        ensemble.main()
    monkeypatch.setattr(sys, "argv", ["ensemble", "all"])
    with pytest.raises(SettingsError, match="tables"):
        ensemble.main()


def fit_of(decided: dict[str, np.ndarray]) -> calibration_steps.Fit:
    return calibration_steps.Fit(Calibration(), {}, {}, decided)


def test_the_baseline_is_exported_unless_it_is_beaten_beyond_the_standard_error() -> None:
    generator = np.random.default_rng(0)
    videos, labels = {}, {}
    for name in "abcdefgh":
        labels[name] = (generator.random((50, 12)) < 0.4).astype(np.int8)
        videos[name] = make_video(name, labels[name], np.ones(50, bool), split="validation")

    def wrong(share: float) -> dict[str, np.ndarray]:
        return {
            name: (rows == 1) ^ (generator.random(rows.shape) < share)
            for name, rows in labels.items()
        }

    fits = {"frame_head": fit_of(wrong(0.2)), "kfold": fit_of(wrong(0.1))}
    best, margins = choosing.unbeaten(fits, videos)
    assert best == "kfold"
    assert margins["kfold"][0] > margins["kfold"][1] > 0
    fits["kfold"] = fits["frame_head"]
    assert choosing.unbeaten(fits, videos)[0] == "frame_head"
    fits["kfold"] = fit_of(wrong(0.3))
    assert choosing.unbeaten(fits, videos)[0] == "frame_head"
    assert choosing.choose_main("kfold", fits, videos) == "kfold"
    del fits["frame_head"]
    assert choosing.choose_main("auto", fits, videos) == "kfold"
    with pytest.raises(DataError, match=r"'auto' needs runs.*there can be: none"):
        choosing.choose_main("auto", {}, videos)
