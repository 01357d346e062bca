"""What a run leaves: one folder, put in place by one rename; and every seed has its say."""

import errno
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from stages import ensemble, inputs, table
from stages.ensembles.ensemble import load_ensemble, sigmoid
from stages.learning.metrics import f1_per_au
from stages.networks.registry import load_network
from stages.sequence.dataset import load_videos
from stages.sequence.predictions import read_predictions
from stages.sequence.run import RESULT, put_in_place, run_seed
from tests.test_train import RUNS, finish, run, trained, write_weights, write_workspace

__all__ = ["trained"]  # a fixture


class Killed(BaseException):
    pass


@pytest.mark.parametrize("renames", [0, 1])
def test_killed_while_it_is_put_in_place_a_run_is_whole_at_the_next_repro(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    shutil.copytree(trained, tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    home = Path("models/runs/main")
    rename, left = Path.rename, renames

    def kill_at_the_rename(path: Path, target: Path) -> Path:
        nonlocal left
        if Path(target) == home:
            if left == 0:
                raise Killed
            left -= 1
            rename(path, target)
            raise Killed
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", kill_at_the_rename)
    with pytest.raises(Killed):
        run(monkeypatch, tmp_path / "again", "main")
    assert home.exists() == bool(renames)
    monkeypatch.setattr(Path, "rename", rename)
    shutil.rmtree(home, ignore_errors=True)  # as DVC does with a stage's outputs before it runs
    run(monkeypatch, tmp_path / "again", "main")
    assert contents(home) == contents(trained / home)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_is_one_folder_also_on_another_disk(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(trained / "models/runs/main")
    files = {"seed0.safetensors", "predictions.h5"}
    curves = {"loss", "validation_f1"}
    assert set(expected) >= files | {f"curves/seed0/plots/metrics/{n}.tsv" for n in curves}
    work, target = tmp_path / "work", tmp_path / "disk/runs/main"
    shutil.copytree(trained / "models/runs/main", work / RESULT)
    target.mkdir(parents=True)
    (target / "old").touch()
    rename, link = Path.rename, Path.hardlink_to

    def refuse(one: Path, other: Path) -> None:
        if ("disk" in one.parts) != ("disk" in other.parts):
            raise OSError(errno.EXDEV, "Invalid cross-device link")

    def from_disk_to_disk(path: Path, to: Path) -> Path:
        refuse(path, to)
        return rename(path, to)

    def across_disks(path: Path, to: Path) -> None:
        refuse(path, to)
        link(path, to)

    monkeypatch.setattr(Path, "rename", from_disk_to_disk)
    monkeypatch.setattr(Path, "hardlink_to", across_disks)
    put_in_place(work, target)
    assert contents(target) == expected
    assert [path.name for path in target.parent.iterdir()] == ["main"]
    assert not (work / RESULT).exists()


def test_results_of_a_run_that_is_gone_go_too_and_nothing_else(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    content = yaml.safe_load(Path("params.yaml").read_text())
    del content["runs"]["fold3"]
    Path("params.yaml").write_text(yaml.safe_dump(content))
    Path("models/runs/mine").mkdir()
    Path("models/runs/mine/notes.txt").touch()
    inputs.main()
    assert {path.name for path in Path("models/runs").iterdir()} == {*RUNS, "mine"} - {"fold3"}


def test_every_seed_has_its_say_in_scores_and_ensemble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["train"].update(epochs=3, seeds=2)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    finish(monkeypatch, tmp_path)
    videos = load_videos("test")
    labels = np.concatenate([video.labels for video in videos])
    both = read_predictions(Path("models/runs/main/predictions.h5")).seeds
    said = [np.concatenate([seed[video.name] for video in videos]) >= 0 for seed in both]
    macros = [f1_per_au(labels, rows).mean() for rows in said]
    assert macros[0] != macros[1]
    scores = table.read_scores()[1]["test"]
    assert scores["f1"]["macro"] == pytest.approx(np.mean(macros), abs=1e-5)
    assert scores["f1_spread"]["macro"] == pytest.approx(np.std(macros, ddof=1), abs=1e-5)
    members = load_ensemble(Path("models/ensemble")).members
    assert [member.run for member in members] == [f"fold{n}" for n in (1, 1, 2, 2, 3, 3)]
    assert len({member.sha256 for member in members}) == 6
    networks = [
        seed
        for n in (1, 2, 3)
        for seed in read_predictions(Path(f"models/runs/fold{n}/predictions.h5")).seeds
    ]
    joined = read_predictions(Path("data/ensembles/kfold.h5")).seeds
    assert len(joined) == 1
    for video in videos:
        expected = np.mean([sigmoid(seed[video.name]) for seed in networks], axis=0)
        np.testing.assert_allclose(sigmoid(joined[0][video.name]), expected, atol=2e-5)


def test_mixes_have_seeds_of_their_own_also_where_nothing_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_workspace(tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["runs"] = {name: {"split": name} for name in ("mix1", "mix2", "fold1", "fold2")}
    content["splits"]["mix_held_out"] = 0
    content["train"]["epochs"] = 1
    content["ensemble"]["main"] = "train_val_mix"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    run(monkeypatch, tmp_path, *content["runs"])
    first, second = (
        load_network(Path(f"models/runs/{name}/seed0.safetensors"))[0].state_dict()
        for name in ("mix1", "mix2")
    )
    assert any(not torch.equal(first[key], second[key]) for key in first)
    write_weights()
    monkeypatch.setattr(sys, "argv", ["ensemble"])
    ensemble.main()
    printed = capsys.readouterr().out
    assert "mix1, mix2: nothing annotated was held out" in printed
    found = json.loads(Path("metrics/ensembles.json").read_text())["synthetic"]
    assert set(found) == {"kfold", "train_val_mix"}


def test_each_mix_begins_with_another_seed() -> None:
    assert [run_seed(3, split) for split in ("official", "fold2")] == [3, 3]
    seeds = [run_seed(3, f"mix{n}") for n in range(1, 7)]
    assert len({*seeds, 3}) == 7
