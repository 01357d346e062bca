"""What a preset of ``protocol`` decides of the section ``train``; a value that is set overrules it.

Where the paper says nothing of a setting, ``paper`` takes the value of ``corrected``. What neither
the paper nor its code has, such as modality dropout, is 0 in both.
"""

from collections.abc import Mapping
from typing import Any, Final

from stages.sequence.choices import Preset

_NOTHING_ADDED: Final = {
    "sound_dropout": 0.0,
    "feature_noise": 0.0,
    "shift": 0.0,
    "feature_dropout": 0.0,
    "intensity_weight": 0.0,
}

CORRECTED_TRAINING: Final[Mapping[str, Any]] = {
    "window": 128,
    "batch": 8,
    "epochs": 24,
    "learning_rate": 1e-3,
    "weight_decay": 1e-5,
    "step_epochs": 16,
    "step_factor": 0.1,
    "validations": 1,
    "sound_dropout": 0.2,
    "feature_noise": 0.1,
    "shift": 0.5,
    "feature_dropout": 0.2,
    "intensity_weight": 0.5,
}
# section 3.4 of the paper: Adam, StepLR, windows of 128 frames
PAPER_TRAINING: Final[Mapping[str, Any]] = {
    "window": 128,
    "epochs": 50,
    "learning_rate": 1e-4,
    "step_epochs": 20,
    "step_factor": 0.1,
    **_NOTHING_ADDED,
}

TRAINING: Final[Mapping[Preset, Mapping[str, Any]]] = {
    "corrected": CORRECTED_TRAINING,
    "paper": {**CORRECTED_TRAINING, **PAPER_TRAINING},
    "code": {**CORRECTED_TRAINING, **PAPER_TRAINING, "batch": 32, "validations": 2},
}


def fill_training(content: object) -> object:
    """Put the preset's values where the section ``train`` of all settings has null."""
    if not isinstance(content, dict) or not isinstance(content.get("train"), dict):
        return content
    protocol = content.get("protocol")
    known = protocol if isinstance(protocol, str) and protocol in TRAINING else "corrected"
    preset = TRAINING[known]  # type: ignore[index]
    train = {
        key: preset.get(key) if value is None else value for key, value in content["train"].items()
    }
    return {**content, "train": train}
