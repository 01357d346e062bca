"""An ensemble, loaded and ready: its networks, and the encoders that they share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.errors import DataError
from stages.core.settings import Compute
from stages.ensembles.ensemble import Ensemble, load_ensemble
from stages.faces.detector import load_detector
from stages.inference.options import Options

if TYPE_CHECKING:
    import torch
    from torch import nn

    from stages.encoders.base import AudioEncoder, VisualEncoder
    from stages.networks.base import Network


@dataclass(frozen=True)
class VisualPart:
    """One encoder of pictures and its network; `width` is that of its features and AU logits."""

    encoder: VisualEncoder
    network: nn.Module
    width: int
    au_start: int | None = None


@dataclass(frozen=True)
class AudioPart:
    """One encoder of sound and its network."""

    encoder: AudioEncoder
    network: nn.Module
    width: int


@dataclass(frozen=True)
class Voice:
    """One member's network and the columns of the joint features that it reads.

    Attributes
    ----------
    network : Network
    visual, audio : list of int
        Columns.
    """

    network: Network
    visual: list[int]
    audio: list[int]


@dataclass(frozen=True)
class Predictor:
    """All that predicting needs, on its device.

    Attributes
    ----------
    ensemble : Ensemble
    hash : str
        Of the ensemble.
    options : Options
        What it was loaded for; `faces` and `every` may differ from video to video.
    visual : tuple of VisualPart
        The encoders whose features, one after another, are the joint visual features.
    audio : tuple of AudioPart
        The same for sound.
    voices : tuple of Voice
        The members.
    device : torch.device
    precision : str
        Of the encoders of pictures.
    batch : int
        Faces that are encoded at once.
    """

    ensemble: Ensemble
    hash: str
    options: Options
    visual: tuple[VisualPart, ...]
    audio: tuple[AudioPart, ...]
    voices: tuple[Voice, ...]
    device: torch.device
    precision: str
    batch: int

    def settings(self, options: Options) -> dict[str, Any]:
        """What a prediction is made with, resolved: the same settings, the same result."""
        return {
            "faces": options.faces,
            "every": options.every,
            "batch": self.batch,
            "precision": self.precision,
            "device": self.device.type,
            **options.section,
        }


def share_cores() -> None:
    """Let torch leave a core for decoding and detection, which run beside it."""
    import torch

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))


def load_predictor(folder: Path, options: Options | None = None) -> Predictor:
    """Load an ensemble.

    Parameters
    ----------
    folder : Path
        As :func:`stages.ensembles.ensemble.write_ensemble` wrote it.
    options : Options, optional
        `device`, `precision` and `batch` are heeded here.

    Raises
    ------
    DataError
        When the folder is no ensemble, or a file of it is damaged.
    SettingsError
        When the device is not there.
    """
    import torch

    from stages.core.devices import gains_from_bfloat16, pick_device
    from stages.encoders.registry import audio_encoder, visual_encoder
    from stages.encoders.running import au_start, feature_width

    options = options or Options()
    ensemble = load_ensemble(folder)
    device = pick_device(Compute(device=options.device))
    precision = options.precision
    if precision == "auto":
        halved = ensemble.precision == "bf16-mixed" and gains_from_bfloat16(device)
        precision = "bf16-mixed" if halved else "32-true"
    visual, audio = [], []
    for name, weights in ensemble.visual.items():
        seeing = visual_encoder(name)
        network = _network(seeing, ensemble, weights.file, options.device)
        if network.published:
            seeing = seeing.for_published()
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        visual.append(VisualPart(seeing, network, feature_width(network), au_start(network)))
    for name, weights in ensemble.audio.items():
        hearing = audio_encoder(name)
        network = _network(hearing, ensemble, weights.file, options.device).to(device)
        if weights.layer is not None:
            hearing.keep_layers(network, weights.layer)
        audio.append(AudioPart(hearing, network, int(network.width)))  # type: ignore[arg-type]
    crop = ensemble.crop
    load_detector(crop.detector, crop.pack, crop.score_threshold, options.device)
    return Predictor(
        ensemble=ensemble,
        hash=ensemble.hash,
        options=options,
        visual=tuple(visual),
        audio=tuple(audio),
        voices=_voices(
            ensemble,
            {part.encoder.name: (part.width, part.au_start) for part in visual},
            {part.encoder.name: part.width for part in audio},
            device,
        ),
        device=device,
        precision=precision,
        batch=options.batch or min((w.batch for w in ensemble.visual.values()), default=64),
    )


def _network(encoder: Any, ensemble: Ensemble, file: str | None, device: str) -> nn.Module:
    from stages.encoders.weights import load_network

    path = None if file is None else ensemble.folder / file
    return load_network(encoder, ensemble.scale, path, device)


def _voices(
    ensemble: Ensemble,
    visual: Mapping[str, tuple[int, int | None]],
    audio: Mapping[str, int],
    device: torch.device,
) -> tuple[Voice, ...]:
    from stages.networks.registry import load_network
    from stages.sequence.features import au_starts

    widths = {name: width for name, (width, _) in visual.items()}
    voices = []
    for member in ensemble.members:
        network, _ = load_network(ensemble.folder / member.file)
        seen, heard = _columns(widths, member.visual), _columns(audio, member.audio)
        dimensions = network.dimensions
        if (dimensions.visual_width, dimensions.audio_width) != (len(seen), len(heard)):
            raise DataError(
                f"{ensemble.folder / member.file} reads {dimensions.visual_width} visual and "
                f"{dimensions.audio_width} audio features, its encoders give {len(seen)} and "
                f"{len(heard)}: export the ensemble again."
            )
        if dimensions.au_starts not in ((), au_starts([visual[name] for name in member.visual])):
            raise DataError(
                f"{ensemble.folder / member.file} reads AU outputs where its encoders have other "
                "features: export the ensemble again."
            )
        voices.append(Voice(network.to(device).eval(), seen, heard))
    return tuple(voices)


def _columns(widths: Mapping[str, int], names: tuple[str, ...]) -> list[int]:
    """Columns of some encoders' features, in the order of `names`, among those of all of them."""
    begins, at = {}, 0
    for name, width in widths.items():
        begins[name], at = at, at + width
    return [begins[name] + k for name in names for k in range(widths[name])]
