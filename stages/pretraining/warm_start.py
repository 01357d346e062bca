"""Weights that an encoder's training begins with: where they come from, and on what terms."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from torch import nn

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.licences import DATA, Dataset, Use, enforce
from stages.encoders.base import Encoder, VisualEncoder
from stages.encoders.fetching import fetch, is_offline
from stages.encoders.formats import read_weights
from stages.encoders.licences import weights_terms
from stages.encoders.onnx_network import OnnxNetwork
from stages.encoders.published import choose
from stages.encoders.registry import any_encoder
from stages.encoders.source import made_path, read_about
from stages.encoders.weights import AU_HEAD, convert, load_network

NONE: Final = "none"


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes
    ----------
    path : Path
        Their file.
    source : str
        The setting that means it.
    sha256 : str
        Of the file.
    data : tuple of Dataset
        What they rest on with the licences: data that they were trained on here, or the weights of
        others themselves.
    """

    path: Path
    source: str
    sha256: str
    data: tuple[Dataset, ...]

    def record(self, published: bool) -> dict[str, Any]:
        """What the weights that are trained from these say of them."""
        return {"source": self.source, "sha256": self.sha256, "published": published}


def find_start(name: str, setting: str, scale: str, *, policy: str, offline: bool) -> Start | None:
    """Bring the weights here that ``pretrain.NAME.start`` means, if they may be used.

    Parameters
    ----------
    name : str
        Of the encoder.
    setting : str
        ``none``, ``published``, ``file:PATH``, ``hub:...``; the last two as in `weights`.
    scale : str
    policy : str
        ``licences.noncommercial``.
    offline : bool
        ``compute.offline``.

    Returns
    -------
    Start or None
        None for training from random weights.

    Raises
    ------
    SettingsError
        When none are known, they may not be used, or they would be overwritten.
    DataError
        When they cannot be had, or are not what the setting pins.
    """
    if setting == NONE:
        return None
    key = f"pretrain.{name}.start"
    encoder = any_encoder(name)
    if setting == "published" and encoder.origin is None:
        raise SettingsError(
            f"{key}: no published weights of {name} are known; allowed: none, file:PATH."
        )
    choice = replace(choose(encoder, key, setting, scale), key=key)
    source = choice.source
    if source.kind == "file" and Path(source.name).resolve() == made_path(name).resolve():
        raise SettingsError(
            f"{key} names {made_path(name)}, which is overwritten with what is trained: "
            "copy it to another place and name that."
        )
    if source.kind == "file" and not Path(source.name).exists():
        raise DataError(f"{key}: {source.name} is missing.")
    path, digest = fetch(source, is_offline(offline))
    if source.kind == "file" and not source.sha256:
        say(f"so that DVC sees when the file changes, add @sha256:{digest} to {key}")
    start = Start(path, source.text, digest, _rests_on(path, choice.use(digest)))
    enforce(policy, [Use(key, one.source, one.licence, one.noncommercial) for one in start.data])
    return start


def _rests_on(path: Path, use: Use) -> tuple[Dataset, ...]:
    about = read_about(path)
    if not about:
        return (Dataset(f"weights {use.source}", use.licence, use.noncommercial),)
    terms: Mapping[str, Any] = weights_terms(path)  # of a file of ours
    if DATA in terms:
        return tuple(Dataset(**one) for one in terms[DATA])
    return (Dataset(f"weights {terms['source']}", terms["licence"], terms["noncommercial"]),)


def load_start(start: Start, encoder: Encoder, scale: str) -> nn.Module:
    """Load an encoder's network from the weights to begin with.

    Returns
    -------
    nn.Module
        In eval mode; its attribute ``published`` says whether it expects the normalisation of
        published weights.

    Raises
    ------
    DataError
        When the file is damaged, is of another encoder or of another size, or cannot be trained.
    """
    network = load_network(encoder, scale, start.path, "cpu")
    where = f"pretrain.{encoder.name}.start ({start.source})"
    if isinstance(network, OnnxNetwork):
        assert isinstance(encoder, VisualEncoder)
        try:
            network = convert(encoder, scale, start.path, read_weights(start.path).onnx)[0]
        except DataError as error:
            raise DataError(
                f"{where} is an ONNX network that cannot be turned into tensors, so it cannot be "
                f"trained: name a file of tensors. {error}"
            ) from None
        network.published = True  # type: ignore[assignment]
    expected = encoder.build(encoder.scales[scale]).state_dict()
    given = {k: v for k, v in network.state_dict().items() if not k.startswith(AU_HEAD)}
    wrong = [k for k in expected if k not in given or given[k].shape != expected[k].shape]
    if wrong or len(given) != len(expected):
        raise DataError(f"{where} is not of the size of {encoder.name} at scale {scale}.")
    return network


def take_over(network: nn.Module, start: nn.Module) -> None:
    """Copy the weights to begin with into a fresh network of the same size."""
    state = {k: v for k, v in start.state_dict().items() if not k.startswith(AU_HEAD)}
    network.load_state_dict(state)


def rests_on(data: tuple[Dataset, ...], start: Start | None) -> list[dict[str, Any]]:
    """All that trained weights rest on: their data, and what they began with."""
    return [asdict(one) for one in dict.fromkeys([*data, *(start.data if start else ())])]
