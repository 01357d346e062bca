"""Training under each preset, and that every choice changes what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save

from stages.check_settings import Params, load_params
from stages.core.feature_store import FeatureWriter
from stages.learning.fit import Fitted
from stages.networks.base import Dimensions
from stages.sequence.choices import CORRECTED
from stages.sequence.dataset import Video, make_video
from stages.sequence.features import Features
from stages.sequence.probing import fit_for_once
from stages.sequence.protocol import network_settings

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = {"a": 70, "b": 20, "c": 50, "d": 45, "e": 40}
COPIES = {f"a:upper:{start:06d}": start for start in (0, 10, 20, 30)}


@pytest.fixture(scope="module")
def videos() -> dict[str, list[Video]]:
    generator = np.random.default_rng(0)
    found = {}
    for name, frames in LENGTHS.items():
        labels = (generator.random((frames, 12)) < 0.3).astype(np.int8)
        labels[:4, 2] = -1
        face = np.ones(frames, bool)
        face[6:12] = False
        found[name] = make_video(name, labels, face)
    copies = [
        make_video(name, found["a"].labels[s : s + 20], np.ones(20, bool), source="a", start=s)
        for name, s in COPIES.items()
    ]
    return {
        "train": [found["a"], *copies, found["b"], found["c"]],
        "validation": [found["d"], found["e"]],
    }


@pytest.fixture(scope="module")
def features(
    videos: dict[str, list[Video]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Features]:
    folder = tmp_path_factory.mktemp("stores")
    generator = np.random.default_rng(1)
    lengths = {"visual": LENGTHS, "masked": dict.fromkeys(sorted(COPIES), 20), "audio": LENGTHS}
    for store, names in lengths.items():
        with FeatureWriter(
            folder / store, encoder=store, weights_hash="", width=3, settings={}
        ) as writer:
            for name in sorted(names):
                rows = generator.normal(size=(names[name], 3)).astype(np.float16)
                writer.add(name, rows, 25.0)
    with Features([folder / "visual"], [folder / "audio"], [folder / "masked"]) as opened:
        yield opened


def settings(protocol: str = "corrected", model: str = "transformer", **choices: Any) -> Params:
    content = load_params(ROOT / "params.yaml").model_dump()
    content.update(protocol=protocol, model=model)
    content["choices"].update(choices)
    content["train"].update(window=32, batch=4, epochs=6, patience=2)
    tiny = {"width": 8, "dropout": 0.1, "head": [8]}
    content["models"]["transformer"]["small"].update(tiny, layers=1, heads=2, feedforward=8)
    content["models"]["tcn"]["small"].update(tiny, channels=[8])
    return Params.model_validate(content)


def trained(params: Params, features: Features, videos: dict[str, list[Video]]) -> Fitted:
    dimensions = Dimensions(params.model, 3, 3, network_settings(params, params.model))
    return fit_for_once(params, dimensions, features, videos, "test")


def outcome(fitted: Fitted) -> tuple[bytes, list[dict[str, float]]]:
    return save(dict(sorted(fitted.state.items()))), fitted.history


def test_presets_differ_and_each_gives_the_same_bytes_again(
    features: Features, videos: dict[str, list[Video]]
) -> None:
    found = []
    for preset in ("corrected", "paper", "code"):
        first, again = (outcome(trained(settings(preset), features, videos)) for _ in range(2))
        assert first == again
        found.append(first[0])
    assert len(set(found)) == 3


def test_corrected_is_all_its_choices_set_one_by_one(
    features: Features, videos: dict[str, list[Video]]
) -> None:
    preset = trained(settings(), features, videos)
    by_hand = trained(settings("code", **CORRECTED.model_dump()), features, videos)
    assert outcome(by_hand) == outcome(preset)


@pytest.mark.parametrize(
    ("choice", "value", "model"),
    [
        ("frames", "complete", "transformer"),
        ("no_face", "last", "transformer"),
        ("short_videos", "repeated", "transformer"),
        ("short_videos", "cycled", "transformer"),
        ("training_overlap", "none", "transformer"),
        ("positive_weight", "au25", "transformer"),
        ("positive_weight", "none", "transformer"),
        ("tcn_causal", True, "tcn"),
        ("dropped_copies", 0.3, "transformer"),
    ],
)
def test_each_choice_of_training_changes_the_weights(
    features: Features, videos: dict[str, list[Video]], choice: str, value: object, model: str
) -> None:
    before = trained(settings(model=model), features, videos)
    after = trained(settings(model=model, **{choice: value}), features, videos)
    assert before.history[0]["loss"] != after.history[0]["loss"]


def test_the_choice_of_prediction_changes_the_validation_alone(
    features: Features, videos: dict[str, list[Video]]
) -> None:
    before = trained(settings(stopping="never"), features, videos).history
    after = trained(settings(stopping="never", prediction_overlap="none"), features, videos).history
    assert [row["loss"] for row in before] == [row["loss"] for row in after]
    assert [row["AU01"] for row in before] != [row["AU01"] for row in after]


def test_stopping_rules_against_the_history(
    features: Features, videos: dict[str, list[Video]]
) -> None:
    whole = trained(settings(stopping="never"), features, videos).history
    assert len(whole) == 6
    for rule in ("mean", "each_au"):
        history = trained(settings(stopping=rule), features, videos).history
        keys = ["validation_f1"]
        if rule == "each_au":
            keys += [key for key in whole[0] if key.startswith("AU")]
            assert len(keys) == 13
        best, last, expected = dict.fromkeys(keys, -1.0), 0, 6
        for epoch, row in enumerate(whole, start=1):
            for key in keys:
                if row[key] > best[key]:
                    best[key], last = row[key], epoch
            if epoch - last >= 2:
                expected = epoch
                break
        assert history == whole[:expected]


def test_two_validations_an_epoch_are_two_rows_at_one_rate(
    features: Features, videos: dict[str, list[Video]]
) -> None:
    content = settings(stopping="never").model_dump()
    content["train"].update(validations=2, epochs=3, step_epochs=2, batch=2)
    history = trained(Params.model_validate(content), features, videos).history
    rates = [row["learning_rate"] for row in history]
    assert len(rates) == 6
    assert rates[:4] == [rates[0]] * 4
    assert rates[4:] == [pytest.approx(0.1 * rates[0])] * 2
