"""Stages `train` and `evaluate` end to end on tiny feature stores that carry the labels."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load
from sklearn.metrics import f1_score

from stages import ensemble, evaluate, inputs, table, train
from stages.core.errors import DataError
from stages.core.feature_store import FeatureWriter
from stages.crops.crop_file import CropWriter
from stages.crops.masked_clips import write_copies
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import save_weights
from stages.learning import fit
from stages.learning.metrics import all_ones_f1, f1_per_au
from stages.networks.registry import load_network
from stages.sequence.dataset import load_videos
from stages.sequence.predictions import read_predictions
from stages.videos.manifest import Entry, Manifest, save_frames
from tests import stand_ins

ROOT = Path(__file__).resolve().parent.parent
TINY = {"width": 16, "layers": 2, "heads": 2, "feedforward": 16, "dropout": 0.1, "head": [16]}
VIDEOS = {"train": 12, "validation": 3, "test": 3}
FRAMES = 60


def entry(name: str, split: str) -> Entry:
    return stand_ins.entry(name, f"{name}.mp4", FRAMES, split=split, annotation_lines=FRAMES)


TERMS = {"source": "pretrain (au)", "licence": "Apache-2.0", "noncommercial": False, "sha256": ""}


def write_workspace(folder: Path, shuffled: bool = False) -> None:
    """AUs 1 to 10 can be read off the picture, AU25 and AU26 off the sound."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["features"] = {"visual": ["ires100"], "audio": ["fbank"]}
    content["visual"] = {"ires100": content["visual"]["ires100"]}
    content["audio"] = {"fbank": {}}
    content["pretrain"] = {"ires100": content["pretrain"]["ires100"]}
    content["splits"].update(train_folds=2, validation_folds=1)
    folds = {f"fold{i}": {"split": f"fold{i}", "audio": ["fbank"]} for i in (1, 2, 3)}
    content["runs"] = {"main": {}, "visual": {"audio": []}, **folds}
    content["tables"] = {}
    content["train"].update(window=32, batch=4, epochs=25, learning_rate=0.01)
    content["models"]["transformer"]["small"] = TINY
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    for name in ("data/index", "data/crops", "data/features/visual", "data/features/audio"):
        (folder / name).mkdir(parents=True)
    generator = np.random.default_rng(7)
    names = [(f"{split}{i}", split) for split, count in VIDEOS.items() for i in range(count)]
    rows, features = [], {"visual/ires100": {}, "audio/fbank": {}}
    for name, _ in names:
        labels = np.repeat(generator.random((FRAMES // 6, 12)) < 0.3, 6, axis=0).astype(np.int8)
        shown = generator.permutation(labels) if shuffled else labels
        noise = generator.normal(size=(FRAMES, 12)) * 0.2
        features["visual/ires100"][name] = (shown[:, :10] + noise[:, :10]).astype(np.float16)
        features["audio/fbank"][name] = (shown[:, 10:] + noise[:, 10:]).astype(np.float16)
        labels[:3] = -1
        rows.append((name, np.arange(FRAMES) / 25, labels))
        with CropWriter(folder / f"data/crops/{name}.h5", {}) as crops:
            for t in range(FRAMES):
                face = None if t == 5 else np.zeros((112, 112, 3), np.uint8)
                crops.append(face, None, None, 0.0, t / 25)
        features["visual/ires100"][name][5] = np.nan
    entries = tuple(sorted((entry(*item) for item in names), key=lambda e: e.name))
    Manifest("videos", entries, {}).save(folder / "data/index")
    save_frames(folder / "data/index", sorted(rows, key=lambda row: row[0]))
    write_copies(folder / "data/masked.h5", [])
    for store, videos in features.items():
        path = folder / f"data/features/{store}"
        width = 10 if store.startswith("visual") else 2
        about = {"weights": TERMS} if store.startswith("visual") else {}
        with FeatureWriter(
            path, encoder=path.name, weights_hash="", width=width, settings=about
        ) as writer:
            for name in sorted(videos):
                writer.add(name, videos[name], 25.0)


RUNS = ("main", "visual", "fold1", "fold2", "fold3")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *runs: str) -> None:
    monkeypatch.chdir(folder)
    inputs.main()
    for name in runs:
        monkeypatch.setattr(sys, "argv", ["train", name])
        train.main()


def finish(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    run(monkeypatch, folder, *RUNS)
    write_weights()
    monkeypatch.setattr(sys, "argv", ["ensemble"])
    ensemble.main()
    evaluate.main()


def write_weights() -> None:
    encoder = visual_encoder("ires100")
    path = Path("models/encoders/ires100.safetensors")
    save_weights(path, encoder, "small", "au", {"a": torch.zeros(1)}, {})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_workspace(folder)
    with pytest.MonkeyPatch.context() as patch:
        finish(patch, folder)
    return folder


def network_bytes(folder: Path) -> bytes:
    return (folder / "models/runs/main/seed0.safetensors").read_bytes()


def test_train_writes_a_checkpoint_that_says_what_it_is(trained: Path) -> None:
    path = trained / "models/runs/main/seed0.safetensors"
    network, notes = load_network(path)
    assert (network.dimensions.visual_width, network.dimensions.audio_width) == (10, 2)
    assert (notes["visual"], notes["audio"]) == ("ires100", "fbank")
    with safe_open(path, framework="pt") as file:
        assert "visual_scale.mean" in file.keys()  # noqa: SIM118
    assert not list((trained / ".partial").glob("*/*/*"))


def test_learning_curves_have_a_row_an_epoch(trained: Path) -> None:
    curve = trained / "models/runs/main/curves/seed0/plots/metrics/validation_f1.tsv"
    rows = curve.read_text().split("\n")
    assert rows[0].split("\t") == ["step", "validation_f1"]
    assert [row.split("\t")[0] for row in rows[1:] if row] == [
        str(i) for i in range(1, len(rows) - 1)
    ]
    assert not (trained / "dvc.yaml").exists()


def test_scores_are_those_of_an_independent_count(trained: Path) -> None:
    label, scores = table.read_scores(trained / "metrics/scores.json")
    assert label == "synthetic"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)

        videos = load_videos("test")
        logits = read_predictions(Path("models/runs/main/predictions.h5")).seeds[0]
        predicted = np.concatenate([logits[video.name] for video in videos]) >= 0
    labels = np.concatenate([video.labels for video in videos])
    known = labels[:, 3] >= 0
    assert scores["test"]["f1"]["AU06"] == pytest.approx(
        f1_score(labels[known, 3], predicted[known, 3]), abs=1e-6
    )
    by_au = [value for name, value in scores["test"]["f1"].items() if name != "macro"]
    assert len(by_au) == 12
    assert scores["test"]["f1"]["macro"] == pytest.approx(np.mean(by_au), abs=1e-5)
    assert scores["test"]["no_face_share"] == pytest.approx(1 / FRAMES, abs=1e-5)
    assert scores["test"]["annotated_frames"] == 3 * (FRAMES - 3)


def test_what_is_in_the_features_is_learnt_and_sound_carries_what_only_sound_has(
    trained: Path,
) -> None:
    scores = table.read_scores(trained / "metrics/scores.json")[1]["test"]
    assert scores["f1"]["macro"] > scores["f1_all_ones"]["macro"] + 0.2
    for name in ("AU25", "AU26"):
        for without in ("f1_sound_withheld", "f1_trained_without_sound"):
            assert scores["f1"][name] > scores[without][name] + 0.1


def test_shuffled_features_give_no_more_than_the_all_ones_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path, shuffled=True)
    run(monkeypatch, tmp_path, "main")
    said = read_predictions(Path("models/runs/main/predictions.h5")).seeds[0]
    videos = load_videos("validation", "test")
    labels = np.concatenate([video.labels for video in videos])
    predicted = np.concatenate([said[video.name] for video in videos]) >= 0
    ones = all_ones_f1(labels).mean()
    assert 0.1 < f1_per_au(labels, predicted).mean() < ones + 0.1


def test_metrics_hold_numbers_only(trained: Path) -> None:
    def leaves(node: object) -> list[object]:
        if isinstance(node, dict):
            return [leaf for value in node.values() for leaf in leaves(value)]
        return [node]

    content = json.loads((trained / "metrics/scores.json").read_text())
    assert all(type(leaf) in (int, float) for leaf in leaves(content))


def test_same_seed_same_bytes_also_after_a_kill(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    before = network_bytes(trained)
    network_bytes_path = Path("models/runs/main/seed0.safetensors")
    shutil.rmtree("models/runs/main")

    class Killed(BaseException):
        pass

    written = fit.write_state
    count = 0

    def kill_in_the_fourth_epoch(path: Path, state: dict) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise Killed
        written(path, state)

    monkeypatch.setattr(fit, "write_state", kill_in_the_fourth_epoch)
    with pytest.raises(Killed):
        run(monkeypatch, tmp_path / "again", "main")
    assert not network_bytes_path.exists()
    monkeypatch.setattr(fit, "write_state", written)
    run(monkeypatch, tmp_path / "again", "main")
    assert network_bytes_path.read_bytes() == before
    curve = "models/runs/main/curves/seed0/plots/metrics/loss.tsv"
    assert Path(curve).read_bytes() == (trained / curve).read_bytes()


def test_table_shows_every_au_and_the_mean(trained: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        table.main()
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 12 + 1
    assert len({len(line) for line in lines}) == 1
    assert "synthetic" in printed
    assert "metrics/report.html" in printed


@pytest.mark.parametrize("preset", ["paper", "code"])
def test_a_run_under_a_preset_predicts_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    write_workspace(tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content.update(protocol=preset, model="tcn")
    content["train"]["epochs"] = 2
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    run(monkeypatch, tmp_path, "main")
    network, _ = load_network(tmp_path / "models/runs/main/seed0.safetensors")
    assert network.dimensions.settings["causal"] == (preset == "code")
    said = read_predictions(tmp_path / "models/runs/main/predictions.h5")
    assert set(said.videos) == {video.name for video in load_videos("validation", "test")}
    for logits in said.seeds[0].values():
        assert logits.shape == (FRAMES, 12)
        assert np.isfinite(logits).all()


def test_losses_and_the_running_mean_are_followed_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    plain = yaml.safe_load((tmp_path / "params.yaml").read_text())
    plain["runs"], plain["train"]["epochs"] = {"main": {}}, 2
    made: dict[str, bytes] = {}
    losses: dict[str, list[float]] = {}
    for key, loss, average in (
        ("plain", {}, 0.0),
        ("asymmetric", {"kind": "asymmetric"}, 0.0),
        ("without its exponents", {"kind": "asymmetric", "gamma_negative": 0, "margin": 0}, 0.0),
        ("smoothed", {"smoothing": 0.2}, 0.0),
        ("weighted", {"au_weight": "rarity"}, 0.0),
        ("mean", {}, 0.9),
    ):
        content = {**plain, "loss": {**plain["loss"], **loss}}
        content["train"] = {**plain["train"], "average": average}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        run(monkeypatch, tmp_path, "main")
        kept = json.loads(Path("data/runs/main.json").read_text())["training"]
        assert kept["loss"].items() >= loss.items()
        assert kept["train"]["average"] == average
        made[key] = network_bytes(tmp_path)
        curve = Path("models/runs/main/curves/seed0/plots/metrics/loss.tsv").read_text()
        losses[key] = [float(line.split("\t")[1]) for line in curve.splitlines()[1:]]
    assert len(set(made.values())) == 6
    assert losses["without its exponents"] == pytest.approx(losses["plain"], rel=1e-3)
    assert losses["smoothed"] != pytest.approx(losses["plain"], rel=1e-2)
    first, mean = load(made["plain"]), load(made["mean"])
    # the mean lags behind: it is nearer to where all began
    steps = "encoder.layers.layers.0.linear1.weight"
    assert not torch.allclose(mean[steps], first[steps], atol=1e-4)


def test_no_training_video_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    manifest = Manifest.load(Path("data/index"))
    rest = tuple(e for e in manifest.entries if e.split != "train")
    Manifest("videos", rest, {}).save(Path("data/index"))
    with pytest.raises(DataError, match="has no video to train on"):
        run(monkeypatch, tmp_path, "main")


def test_a_video_whose_rows_are_not_its_frames_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    with CropWriter(Path("data/crops/train3.h5"), {}) as crops:
        for t in range(FRAMES - 1):
            crops.append(None, None, None, 0.0, t / 25)
    Path("data/crops/test1.h5").unlink()
    inputs.main()
    printed = capsys.readouterr().out
    assert f"train3 has {FRAMES} frames, but {FRAMES - 1} rows in its crops" in printed
    assert "test1.h5 is missing" in printed
    assert f"{VIDEOS['train'] - 1} train" in printed
    names = [video.name for video in load_videos("train", "test")]
    assert "train3" not in names
    assert "test1" not in names
    assert "train4" in names


def test_a_run_depends_on_the_stores_that_it_reads_and_on_its_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)

    def prepared() -> dict[str, bytes]:
        inputs.main()
        return {path.stem: path.read_bytes() for path in Path("data/runs").iterdir()}

    def changed(before: dict[str, bytes]) -> set[str]:
        after = prepared()
        return {name for name in after if after[name] != before.get(name)}

    before = prepared()
    assert set(before) == set(RUNS)
    stand_ins.change_features(Path("data/features/audio/fbank"), "train0", lambda rows: rows + 1)
    assert changed(before) == {"main", "fold1", "fold2", "fold3"}  # `visual` reads no sound
    before = prepared()
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["runs"]["fold2"]["model"] = "tcn"
    Path("params.yaml").write_text(yaml.safe_dump(content))
    assert changed(before) == {"fold2"}
    before = prepared()
    content["model"] = "gru"
    Path("params.yaml").write_text(yaml.safe_dump(content))
    assert changed(before) == {"main", "visual", "fold1", "fold3"}
    content["models"]["lstm"]["small"]["hidden"] = 7
    Path("params.yaml").write_text(yaml.safe_dump(content))
    before = prepared()
    assert changed(before) == set()
