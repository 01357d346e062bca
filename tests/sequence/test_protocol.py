"""Presets and choices: what is taken from where."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from stages.check_settings import Params, load_params
from stages.networks.base import Dimensions
from stages.networks.registry import build_network
from stages.networks.settings import Model
from stages.networks.tcn import Convolution
from stages.sequence.choices import (
    CORRECTED,
    PAPER_WORDS,
    PRESETS,
    Choices,
    ChoiceSettings,
)
from stages.sequence.protocol import network_settings, resolve_choices, window_stride
from stages.sequence.training import stopping_rule
from stages.sequence.training_presets import CORRECTED_TRAINING

ROOT = Path(__file__).resolve().parents[2]


def params(protocol: str = "corrected", **choices: Any) -> Params:
    content = load_params(ROOT / "params.yaml").model_dump()
    content["protocol"] = protocol
    content["choices"].update(choices)
    return Params.model_validate(content)


def allowed(name: str) -> tuple[object, ...]:
    """Values of a choice: those that are named, or some."""
    kind = Choices.model_fields[name].annotation
    return get_args(kind) or {bool: (False, True), float: (0.0, 0.3)}[kind]


def test_the_shipped_settings_are_corrected_in_every_choice() -> None:
    assert resolve_choices(load_params(ROOT / "params.yaml")) == CORRECTED


@pytest.mark.parametrize("preset", ["corrected", "paper", "code"])
def test_a_choice_that_is_set_overrules_the_preset_and_no_other_choice(preset: str) -> None:
    base = resolve_choices(params(preset)).model_dump()
    for name in Choices.model_fields:
        for value in allowed(name):
            resolved = resolve_choices(params(preset, **{name: value})).model_dump()
            assert resolved == {**base, name: value}


def test_what_protocol_md_says_of_paper_and_code() -> None:
    paper, code = resolve_choices(params("paper")), resolve_choices(params("code"))
    assert (paper.positive_weight, paper.short_videos, paper.no_face) == (
        "none", "repeated", "nearest",
    )  # fmt: skip
    assert code.model_dump() == {
        "frames": "complete",
        "no_face": "last",
        "short_videos": "cycled",
        "training_overlap": "none",
        "prediction_overlap": "none",
        "positive_weight": "au25",
        "stopping": "each_au",
        "tcn_causal": True,
        "balanced_aus": "below_average",
        "dropped_copies": 0.3,
        "folds": "in_order",
        "centre": "none",
        "encoder_aus": "none",
    }


def test_where_the_paper_is_silent_it_is_as_corrected() -> None:
    for name in Choices.model_fields:
        if name not in PAPER_WORDS:
            assert getattr(PRESETS["paper"], name) == getattr(CORRECTED, name)


def test_every_choice_is_a_setting_and_says_what_its_values_do() -> None:
    assert list(Choices.model_fields) == list(ChoiceSettings.model_fields)
    sections = re.split(r"\n    (?=\w[\w, ]* : )", str(Choices.__doc__))[1:]
    said = {name: part for part in sections for name in part.split(" : ")[0].split(", ")}
    assert list(said) == list(Choices.model_fields)
    for name, part in said.items():
        named = re.findall(r'"(\w+)"', part.splitlines()[0])
        assert set(named) == set(get_args(Choices.model_fields[name].annotation))


@pytest.mark.parametrize(
    ("overlap", "window", "stride"), [("half", 128, 64), ("none", 128, 128), ("half", 1, 1)]
)
def test_window_stride(overlap: Any, window: int, stride: int) -> None:
    assert window_stride(window, overlap) == stride


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_are_causal_where_it_is_chosen(causal: bool) -> None:
    chosen = params(tcn_causal=causal)
    for model in get_args(Model):
        settings = network_settings(chosen, model)
        network = build_network(Dimensions(model, 16, 3, settings, au_starts=(4,)))
        paddings = [m.padding for m in network.modules() if isinstance(m, Convolution)]
        assert bool(paddings) == (model in ("tcn", "tcn_transformer"))
        assert all((after == 0) == causal for _, after in paddings)
    assert network_settings(chosen, "tcn", "full")["channels"] == [768, 256, 128]


def loaded(folder: Path, protocol: str, **train: Any) -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["protocol"] = protocol
    content["train"].update(train)
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return load_params(folder / "params.yaml")


def test_the_paper_trains_as_its_text_says(tmp_path: Path) -> None:
    train = loaded(tmp_path, "paper").train
    assert (train.learning_rate, train.epochs, train.window) == (1e-4, 50, 128)
    assert (train.step_epochs, train.step_factor, train.sound_dropout) == (20, 0.1, 0.0)
    assert (train.feature_noise, train.shift, train.feature_dropout) == (0.0, 0.0, 0.0)
    assert (train.intensity_weight, train.validations) == (0.0, 1)
    code = loaded(tmp_path, "code").train
    assert code == train.model_copy(update={"batch": 32, "validations": 2})
    assert loaded(tmp_path, "corrected").train.model_dump().items() >= CORRECTED_TRAINING.items()


def test_a_training_setting_that_is_set_overrules_the_preset_and_no_other(tmp_path: Path) -> None:
    for protocol in ("corrected", "paper", "code"):
        base = loaded(tmp_path, protocol).train
        for name, value in (("epochs", 3), ("learning_rate", 0.5), ("sound_dropout", 0.9)):
            found = loaded(tmp_path, protocol, **{name: value}).train
            assert found == base.model_copy(update={name: value})


def test_the_released_code_validates_twice_an_epoch(tmp_path: Path) -> None:
    patience, watched = stopping_rule(loaded(tmp_path, "code"))
    assert (patience, len(watched)) == (3, 12)  # more than two validations, which are one epoch
    assert stopping_rule(loaded(tmp_path, "corrected")) == (7, ())
    assert stopping_rule(loaded(tmp_path, "corrected", validations=3)) == (21, ())
