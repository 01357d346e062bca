"""An encoder with its weights, named by plain values for a worker process, and loaded once there.

What `visual`, `masked` and `audio` encode with.
"""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stages.core.feature_shard import ShardWriter
from stages.core.hashing import file_hash
from stages.core.settings import Compute
from stages.encoders.licences import enforce_file, weights_terms
from stages.encoders.settings import LAST, EncoderSettings
from stages.encoders.source import read_about, weights_path

LAYERS: Final = "num_hidden_layers"  # of the dimensions of networks whose layer can be chosen

if TYPE_CHECKING:  # torch is imported where the work is done, not by the process that assembles
    import torch
    from torch import nn

    from stages.encoders.base import Encoder


@dataclass(frozen=True)
class Encoding:
    """What a video is encoded with.

    Attributes
    ----------
    name : str
        The encoder's.
    weights : Path or None
        None for an encoder that has none.
    weights_hash : str
        SHA-256 of the weights, or empty.
    scale : str
        ``small`` or ``full``.
    compute : Compute
    layer : int or None
        Of an encoder of sound: its last layer that counts, from 1; None for all.
    """

    name: str
    weights: Path | None
    weights_hash: str
    scale: str
    compute: Compute
    layer: int | None = None


@dataclass(frozen=True)
class Loaded:
    """An encoder's network on its device.

    Attributes
    ----------
    encoder : Encoder
        As its weights expect pictures: see ``VisualEncoder.for_published``.
    network : nn.Module
    device : torch.device
    precision : str
        ``32-true`` or ``bf16-mixed``; sound is always encoded under the former.
    """

    encoder: "Encoder"
    network: "nn.Module"
    device: "torch.device"
    precision: str

    @property
    def width(self) -> int:
        """Width of its features, AU logits included."""
        from stages.encoders.running import feature_width

        return feature_width(self.network)

    @property
    def au_start(self) -> int | None:
        """First column of its AU logits; None where it has none."""
        from stages.encoders.running import au_start

        return au_start(self.network)


def choose_encoding(kind: str, name: str, params: EncoderSettings) -> Encoding:
    """Name what the settings have an encoder encode with.

    Parameters
    ----------
    kind : {"visual", "audio"}
    name : str
        A key of that section of the settings.
    params : EncoderSettings

    Returns
    -------
    Encoding

    Raises
    ------
    DataError
        When the encoder's weights are missing.
    SettingsError
        When the licence of its weights is not allowed, or it has no layer such as is asked for.
    """
    settings = (params.visual if kind == "visual" else params.audio)[name]
    weights = weights_path(name, settings.weights, params.scale)
    enforce_file(params.licences.noncommercial, f"{kind}.{name}", weights)
    hashed = file_hash(weights) if weights else ""
    layer = getattr(settings, "layer", LAST)
    if not isinstance(layer, int):
        return Encoding(name, weights, hashed, params.scale, params.compute)
    from stages.encoders.registry import audio_encoder  # which imports torch

    dimensions = read_about(weights).get("dimensions", {}) if weights else {}
    audio_encoder(name).check_layer(layer, dimensions.get(LAYERS, 0))
    return Encoding(name, weights, hashed, params.scale, params.compute, layer)


def encoding_workers(compute: Compute) -> int | None:
    """Processes that encode, see :func:`stages.core.devices.workers_on`."""
    gpu = shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()
    if compute.engine == "ray" or not gpu:
        return compute.workers  # no GPU: known without importing torch
    from stages.core.devices import workers_on

    return workers_on(compute)


@lru_cache(maxsize=1)  # one network a process, loaded for its first video
def load_encoding(encoding: Encoding) -> Loaded:
    """Load an encoder's network and move it to the device of the settings.

    Raises
    ------
    DataError
        When the weights are damaged, or do not fit the encoder.
    SettingsError
        When there is no such encoder, or the device is not there.
    """
    import torch

    from stages.core.devices import pick_device, pick_precision
    from stages.encoders.base import AudioEncoder, VisualEncoder
    from stages.encoders.registry import any_encoder
    from stages.encoders.weights import load_network

    encoder, compute = any_encoder(encoding.name), encoding.compute
    device = pick_device(compute)
    network = load_network(encoder, encoding.scale, encoding.weights, compute.device)
    if isinstance(encoder, AudioEncoder):
        if encoding.layer is not None:
            encoder.keep_layers(network, encoding.layer)
        return Loaded(encoder, network.to(device), device, "32-true")
    assert isinstance(encoder, VisualEncoder)
    if network.published:
        encoder = encoder.for_published()
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Loaded(encoder, network, device, pick_precision(compute))


def feature_writer(path: Path, encoding: Encoding, loaded: Loaded) -> ShardWriter:
    """Open a shard for the features of one encoder; its attributes say what made them.

    Parameters
    ----------
    path : Path
        The file, which is written anew.
    encoding : Encoding
    loaded : Loaded
        What :func:`load_encoding` made of it.

    Returns
    -------
    ShardWriter
        To be closed by the caller.
    """
    from stages.encoders.base import VisualEncoder

    settings: dict[str, Any] = {"scale": encoding.scale, "weights": weights_terms(encoding.weights)}
    if encoding.layer is not None:
        settings["layer"] = encoding.layer
    if isinstance(loaded.encoder, VisualEncoder):
        settings["precision"] = loaded.precision
    return ShardWriter(
        path,
        encoder=encoding.name,
        weights_hash=encoding.weights_hash,
        width=loaded.width,
        settings=settings,
        au_start=loaded.au_start,
    )
