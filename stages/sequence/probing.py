"""A transformer on one encoder alone: the frozen-encoder probe."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stages.core import paths
from stages.sequence.dataset import Video, load_videos
from stages.sequence.protocol import network_settings, resolve_choices
from stages.sequence.settings import SequenceSettings

if TYPE_CHECKING:  # torch is imported where a network is trained
    from stages.learning.fit import Fitted
    from stages.networks.base import Dimensions
    from stages.sequence.features import Features

MODEL: Final = "transformer"


@dataclass(frozen=True)
class Work:
    """One encoder whose features a network is trained on."""

    name: str
    audio: bool
    store: Path
    params: SequenceSettings


def works(params: SequenceSettings) -> dict[str, Work]:
    """List every encoder of the settings, whether the networks read it or not."""
    found = {
        name: Work(name, False, paths.VISUAL_FEATURES / name, params) for name in params.visual
    }
    for name in params.audio:
        found[name] = Work(name, True, paths.AUDIO_FEATURES / name, params)
    return found


def alone(params: SequenceSettings) -> SequenceSettings:
    """Settings of a training on one encoder: fewer epochs, and sound is never withheld."""
    train = params.train.model_copy(update={**params.single.model_dump(), "sound_dropout": 0.0})
    return params.model_copy(update={"train": train})


def fit_for_once(
    params: SequenceSettings,
    dimensions: "Dimensions",
    features: "Features",
    videos: Mapping[str, list[Video]],
    description: str,
) -> "Fitted":
    """Train a network on the videos of `train`, and leave nothing on disk."""
    from stages.sequence.training import train_network

    with tempfile.TemporaryDirectory() as folder:
        return train_network(
            params,
            dimensions,
            features,
            videos["train"],
            videos["validation"],
            Path(folder),
            Path(folder) / "curves",
            seed=params.seed,
            description=description,
            progress=False,
        )


def train_alone(work: Work, path: Path) -> None:
    """Train a transformer on one encoder; write its validation F1 of each AU as JSON."""
    import torch

    from stages.networks.registry import build_network
    from stages.sequence.features import Features
    from stages.sequence.selection import scored_videos
    from stages.sequence.training import dimensions_of, validation_f1

    params = alone(work.params)
    # masked copies would only blur what is asked here
    videos = {
        split: [video for video in load_videos(split) if not video.masked]
        for split in ("train", "validation")
    }
    settings, choices = network_settings(params, MODEL), resolve_choices(params)
    stores: tuple[list[Path], list[Path]] = ([], [work.store]) if work.audio else ([work.store], [])
    with Features(*stores) as features:
        dimensions = dimensions_of(MODEL, settings, features, choices)
        fitted = fit_for_once(params, dimensions, features, videos, f"{work.name} alone")
        network = build_network(dimensions)
        network.load_state_dict(fitted.state)
        f1 = validation_f1(
            network.eval(),
            features,
            scored_videos(videos["validation"], choices),
            window=params.train.window,
            device=torch.device("cpu"),
            choices=choices,
        )
    path.write_text(json.dumps([float(value) for value in f1]), encoding="utf-8")
