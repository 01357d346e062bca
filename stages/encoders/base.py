"""What the pipeline knows of an encoder: how to build it, what it expects, where it comes from.

An encoder's network is built from its ``dimensions``, a mapping that JSON can hold. They are
stored with the weights, so that loading needs no settings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.core.errors import SettingsError
from stages.encoders.source import Source

Dimensions = dict[str, Any]
State = dict[str, Tensor]

# red, green, blue of 0 to 255: what encoders that began with ImageNet subtract and divide by
IMAGENET_MEAN: Final = (123.675, 116.28, 103.53)
IMAGENET_DEVIATION: Final = (58.395, 57.12, 57.375)


def _unchanged(state: State) -> State:
    return state


def _no_configuration(dimensions: Dimensions) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """What encoders of pictures and of sound have in common.

    Attributes
    ----------
    name : str
        As in ``params.yaml``.
    build : callable
        ``build(dimensions)`` makes the network, with random weights. Its attribute ``width`` is
        the length of one feature vector: what precedes the head of its task.
    scales : mapping of str to Dimensions
        Dimensions at ``small`` and at ``full``, the published ones.
    source, licence : str
        Where published weights come from, and their licence.
    origin : Source or None
        The same as the setting ``weights: published`` takes it: pinned. None where the encoder
        has no weights.
    model_type : str
        What the config.json of a transformers folder must call the architecture; ``""`` where
        the weights do not come as such a folder.
    configuration : callable
        ``configuration(dimensions)`` is what that config.json must say, by the library's names:
        what the shapes of tensors do not tell.
    published : callable
        Renames a published state's tensors to those of `build`, and drops its task's head.
    training_precision : str or None
        Precision of pre-training where the settings say ``auto``; None follows the processor.
    instead : str
        A sentence on what to take in place of a published file that cannot be read, if any.
    replicas : int
        Parts of a pre-training batch that a CPU works on at once, see
        :class:`stages.learning.replicas.Replicas`; 1 for a network that draws random numbers.
    """

    name: str
    build: Callable[[Dimensions], nn.Module]
    scales: Mapping[str, Dimensions]
    source: str
    licence: str
    origin: Source | None = None
    model_type: str = ""
    configuration: Callable[[Dimensions], Mapping[str, Any]] = field(default=_no_configuration)
    published: Callable[[State], State] = field(default=_unchanged)
    training_precision: str | None = None
    instead: str = ""
    replicas: int = 1


@dataclass(frozen=True, kw_only=True)
class VisualEncoder(Encoder):
    """An encoder of aligned face crops; its network maps (n, 3, side, side) to (n, width).

    Attributes
    ----------
    resolution : int
        Side of its input in pixels, as published; a network whose input is smaller says so by an
        attribute ``side``.
    mean, deviation : tuple of float
        Per channel (R, G, B), on the scale 0 to 255: the input is (x - mean) / deviation.
    published_mean, published_deviation : tuple of float or None
        What published weights expect in their place, where it is something else.
    converts_onnx : bool
        Whether an ONNX file becomes tensors when it is taken, and is not run as it is: what is
        published so ends in a classifier.
    """

    resolution: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    published_mean: tuple[float, float, float] | None = None
    published_deviation: tuple[float, float, float] | None = None
    converts_onnx: bool = False

    def for_published(self) -> Self:
        """Return the same encoder with the normalisation of published weights."""
        return replace(
            self,
            mean=self.published_mean or self.mean,
            deviation=self.published_deviation or self.deviation,
        )

    def side_of(self, network: nn.Module) -> int:
        """Return the side of a network's input in pixels."""
        side = getattr(network, "side", self.resolution)
        return int(side)

    def prepare(self, images: Tensor, side: int | None = None) -> Tensor:
        """Turn pictures into the network's input.

        Parameters
        ----------
        images : (n, height, width, 3) torch.Tensor
            uint8 or float on the scale 0 to 255, RGB.
        side : int, optional
            Of the input in pixels, see :meth:`side_of`; else the published `resolution`.

        Returns
        -------
        (n, 3, side, side) torch.Tensor
            float32, channels last in memory.
        """
        side = side or self.resolution
        x = images.to(torch.float32, copy=True)
        if x.shape[1:3] != (side, side):
            x = functional.interpolate(
                x.permute(0, 3, 1, 2), (side, side), mode="bilinear", antialias=True
            )
            x = x.permute(0, 2, 3, 1).contiguous()
        # a whole row of pixels at a time, for a last dimension of 3 is slow
        rows = x.reshape(-1, side, side * 3)
        mean, scale = _normalisation(self.mean, self.deviation, side, x.device)
        return rows.sub_(mean).mul_(scale).view(x.shape).permute(0, 3, 1, 2)


@lru_cache(maxsize=32)  # a copy to a GPU would stop it with each batch
def _normalisation(
    mean: tuple[float, ...], deviation: tuple[float, ...], side: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and reciprocal of the deviation, (3 * side,) each: of one row of pixels."""
    with torch.inference_mode(False):
        scale = torch.tensor(deviation, device=device).reciprocal()
        return torch.tensor(mean, device=device).repeat(side), scale.repeat(side)


@dataclass(frozen=True, kw_only=True)
class AudioEncoder(Encoder):
    """An encoder of sound; its network maps (n, samples) to (n, steps, width).

    Attributes
    ----------
    sampling_rate : int
        In Hz.
    window : int
        Receptive field of one step before any attention, in samples.
    hop : int
        Samples from one step to the next.
    block : int
        Long sound is encoded in blocks of so many steps, on a grid that begins with the sound ...
    context : int
        ... each together with so many steps on both sides, whose own output is dropped. 0 where a
        step depends on its receptive field alone.
    masks : bool
        Whether the network also maps (n, samples) and (n, steps) bool, steps that it shall not see.
    layers : callable or None
        ``layers(network)`` are those of its transformer, in their order; None where it has none.
    """

    sampling_rate: int
    window: int
    hop: int
    block: int
    context: int
    masks: bool = False
    layers: Callable[[nn.Module], nn.ModuleList] | None = None

    def check_layer(self, last: int, count: int) -> None:
        """Refuse a layer that a network of so many layers has not.

        Raises
        ------
        SettingsError
            When `last` is not from 1 to `count`.
        """
        key = f"audio.{self.name}.layer is {last}"
        if not count:
            raise SettingsError(
                f"{key}, but {self.name} has no layers to choose from: leave it out."
            )
        if not 1 <= last <= count:
            raise SettingsError(
                f"{key}, but this {self.name} has {count} layers; allowed: last, 1 ... {count}."
            )

    def keep_layers(self, network: nn.Module, last: int) -> None:
        """Take the layers behind the `last` one, counted from 1, off a network.

        Raises
        ------
        SettingsError
            When the network has no such layer.
        """
        layers = nn.ModuleList() if self.layers is None else self.layers(network)
        self.check_layer(last, len(layers))
        del layers[last:]

    def steps(self, samples: int) -> int:
        """Return the number of steps that the network makes of so many samples."""
        return 0 if samples < self.window else 1 + (samples - self.window) // self.hop

    def centre(self, step: int) -> float:
        """Time of the middle of a step's receptive field, in seconds from the first sample."""
        return (step * self.hop + (self.window - 1) / 2) / self.sampling_rate
