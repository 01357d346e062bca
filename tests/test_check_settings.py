"""Settings: the shipped file, and what is refused with which words."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml

from stages.check_settings import load_params
from stages.core.errors import SettingsError
from stages.networks.registry import NETWORKS
from stages.networks.settings import Model, Models
from stages.sequence.runs import resolve_run
from tests.benchmarks.ablation import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (ROOT / "params.yaml").read_text()


def changed(tmp_path: Path, key: str, value: object) -> Path:
    content = yaml.safe_load(SHIPPED)
    section = content
    *parents, last = key.split(".")
    for parent in parents:
        section = section[parent]
    section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_shipped_settings_are_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.model in NETWORKS
    assert set(Models.model_fields) == set(get_args(Model)) == set(NETWORKS)


def test_the_text_that_dvc_writes_for_small_numbers_is_a_number(tmp_path: Path) -> None:
    path = changed(tmp_path, "train.learning_rate", "PLACEHOLDER")
    path.write_text(path.read_text().replace("PLACEHOLDER", "3e-05"))
    assert yaml.safe_load(path.read_text())["train"]["learning_rate"] == "3e-05"
    assert load_params(path).train.learning_rate == pytest.approx(3e-5)


def test_every_row_of_the_tables_is_one_setting_of_dvcs(tmp_path: Path) -> None:
    """As `dvc exp run -S '++runs.mine={model: tcn, ...}'` writes it."""
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    shipped = load_params(ROOT / "params.yaml")
    assert len(shipped.tables) > 30
    for name, row in shipped.tables.items():
        path.write_text(SHIPPED)
        given = row.model_dump(mode="json", exclude_none=True)
        said = ", ".join(
            f"{key}: [{', '.join(value)}]" if isinstance(value, list) else f"{key}: {value}"
            for key, value in given.items()
        )
        apply_overrides(path, [f"++runs.mine={{{said}}}"])
        params = load_params(path)
        ours = resolve_run(params, "mine", params.runs["mine"])
        theirs = resolve_run(shipped, name, row)
        assert replace(ours, name=name, section="tables") == theirs


@pytest.mark.parametrize("variant", list(VARIANTS.values()), ids=list(VARIANTS))
def test_every_variant_of_the_ablation_is_a_setting_of_dvcs(
    tmp_path: Path, variant: list[str]
) -> None:
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    apply_overrides(path, list(variant))
    assert (load_params(path) == load_params(ROOT / "params.yaml")) == (not variant)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ensemble.offsets", {"AU5": 1.0}, "'AU5' is no AU; allowed: AU01"),
        ("loss.kind", "focal", "'bce' or 'asymmetric'"),
        ("loss.smoothing", 1.0, "loss.smoothing"),
        ("loss.gamma_negative", 0.5, "0, or 1 and more"),
        ("loss.weights", "rarity", "loss.weights"),
        ("train.average", 1, "train.average"),
        ("models.au_graph.small.neighbours", 12, "models.au_graph.small.neighbours"),
        ("pretrain.vit.start", "imagenet", "allowed: none, published, file:PATH"),
        ("ensemble.thresholds", [0.6, 0.8], "on either side of 0.5"),
        ("ensemble.thresholds", [0.2, 1.0], "ensemble.thresholds"),
        ("ensemble.false_alarms", 2, "ensemble.false_alarms = 2"),
        ("model", "transfromer", "'au_graph' or 'frame_head'"),
        ("models.gru.small.channels", [8], "allowed here: width, hidden, layers, dropout, head"),
        ("data.faces_expressions", "ferplus", "'affectnet', 'affwild2', 'fer2013' or 'rafdb'"),
        ("scale", "medium", "'small' or 'full'"),
        ("crop.detector", "mtcnn", "'centerface' or 'insightface'"),
        ("visual.ires100.weights", "hub:owner/model@main", "hub:OWNER/REPOSITORY[/FILE]@COMMIT"),
        ("audio.wav2vec.weights", "random", "file:PATH"),
        ("audio.wav2vec.layer", "first", "allowed: last, or a number from 1"),
        ("audio.wav2vec.layer", 0, "allowed: last, or a number from 1"),
        ("audio.wav2vec.layer", True, "allowed: last, or a number from 1"),
        ("licences.noncommercial", "ask", "'warn', 'refuse' or 'allow'"),
        ("compute.offline", "maybe", "compute.offline = 'maybe'"),
        ("compute.device", "gpu", "allowed: auto, cpu, cuda (all GPUs), cuda:0, cuda:1"),
        ("pretrain.wav2vec.kind", "visual", "kind is visual, which has no wav2vec"),
        ("train.epoch", 3, "train.epoch is no setting; allowed here: window, batch"),
        ("modle", "tcn", "modle is no setting; allowed here: seed, scale, compute, licences"),
        ("train.batch", 0, "train.batch = 0"),
        ("train.batch", True, "train.batch = True"),
        ("train.sound_dropout", 1.5, "train.sound_dropout = 1.5"),
        ("corpus.clips", "many", "corpus.clips = 'many'"),
        ("protocol", "papers", "'corrected', 'paper' or 'code'"),
        ("choices.frames", "some", "'all' or 'complete'"),
        ("choices.stopping", "early", "'mean', 'each_au' or 'never'"),
        ("choices.tcn_causal", "maybe", "choices.tcn_causal = 'maybe'"),
        ("choices.dropped_copies", 1.0, "choices.dropped_copies = 1.0"),
        ("choices.fold", "in_order", "allowed here: frames, no_face, short_videos"),
        ("models.tcn.small.causal", True, "allowed here: width, channels, kernel, dropout, head"),
        ("mask.hidden_label", "one", "'zero' or 'ignore'"),
        ("mask.share", -0.1, "mask.share = -0.1"),
        (
            "features.visual",
            ["ires50"],
            "'ires50'; allowed: densenet, ires100, mae, mobilenet, vit",
        ),
        ("pretrain.vit.auxiliary", ["au"], "task and auxiliary name a task twice"),
        ("pretrain.vit.auxiliary", ["mae"], "mae is no auxiliary task"),
        ("pretrain.vit.task", "mae", "reconstruction belongs to the task mae"),
        ("pretrain.mae.auxiliary", [], "the task mae needs auxiliary tasks"),
        ("pretrain.mae.reconstruction.rate", 1, "allowed here: hidden, epochs, learning_rate"),
        ("pretrain.mae.reconstruction.hidden", 1.0, "pretrain.mae.reconstruction.hidden = 1.0"),
        ("pretrain.vit.masked_copies", "all", "'none', 'zero' or 'ignore'"),
        ("pretrain.vit.dropped_copies", 1.0, "pretrain.vit.dropped_copies = 1.0"),
        ("pretrain.hubert.masked_copies", "zero", "masked_copies belong to the task au"),
        ("pretrain.vit.data", "train", "'faces', 'faces+train' or 'corpus/speech'"),
        ("features.audio", ["fbank", "fbank"], "features.audio names an encoder twice"),
        (
            "visual.ires100.batches",
            3,
            "visual.ires100.batches is no setting; allowed here: weights",
        ),
    ],
)
def test_what_is_not_allowed_is_named(tmp_path: Path, key: str, value: object, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_params(changed(tmp_path, key, value))
    assert words in str(caught.value)


def test_faces_of_ones_own_are_learnt_from_or_refused(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["data"]["faces"] = "mine.csv"
    path = tmp_path / "params.yaml"

    def load(scale: str) -> None:
        content["scale"] = scale
        path.write_text(yaml.safe_dump(content))
        load_params(path)

    load("small")  # whose default is to pre-train
    with pytest.raises(SettingsError) as caught:
        load("full")
    for words in ("data.faces is mine.csv", "visual.NAME.weights", "pretrain.NAME.start"):
        assert words in str(caught.value)
    content["visual"]["vit"]["weights"] = "pretrain"
    load("full")
    for encoder in content["visual"].values():
        encoder["weights"] = "published"
    with pytest.raises(SettingsError, match=r"data\.faces is mine\.csv"):
        load("small")


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="top folder"):
        load_params(tmp_path / "nothing.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1")
    with pytest.raises(SettingsError, match="not valid YAML"):
        load_params(tmp_path / "broken.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(SettingsError, match="holds no settings"):
        load_params(tmp_path / "empty.yaml")


def test_no_setting_has_a_name_that_dvcs_run_cache_drops() -> None:
    def keys(section: object) -> set[str]:
        if not isinstance(section, dict):
            return set()
        return set(section) | {key for value in section.values() for key in keys(value)}

    assert not {"size", "nfiles"} & keys(yaml.safe_load(SHIPPED))


def test_a_wrong_setting_stops_a_stage_at_once_without_a_traceback(tmp_path: Path) -> None:
    changed(tmp_path, "model", "lstm9")
    process = subprocess.run(
        [sys.executable, "-m", "stages.train", "main"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "'au_graph' or 'frame_head'" in process.stderr
