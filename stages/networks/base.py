"""What every network has: scaled inputs, the encoders' AU logits, an answer to missing sound."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from stages.core.facs import N_AUS

PACE: Final = 10.0  # see EncoderAUs


@dataclass(frozen=True)
class Dimensions:
    """What a network is built from; stored inside its checkpoint.

    Attributes
    ----------
    name : str
        Key of the registry.
    visual_width, audio_width : int
        Widths of the two inputs; 0 for a network that does not have this input.
    settings : mapping
        The network's own section of ``params.yaml`` at its scale.
    centred : bool
        Take the window's mean off the visual features, see :func:`centre`.
    audio_centred : bool
        Likewise off the audio features, over the frames that have sound.
    au_starts : tuple of int
        For each encoder with AU logits, the first of their 12 columns in the visual input.
    encoder_aus : {"none", "input", "skip"}
        What becomes of these columns: nothing; they are read like the others; their mean over the
        encoders is added to the network's logits, see :class:`EncoderAUs`.
    """

    name: str
    visual_width: int
    audio_width: int
    settings: Mapping[str, Any]
    centred: bool = False
    audio_centred: bool = False
    au_starts: tuple[int, ...] = ()
    encoder_aus: str = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "au_starts", tuple(self.au_starts))  # JSON has lists

    @property
    def seen_width(self) -> int:
        """How much of the visual input the network's layers read."""
        hidden = 0 if self.encoder_aus == "input" else N_AUS * len(self.au_starts)
        return self.visual_width - hidden

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        own = {"settings": dict(self.settings), "au_starts": list(self.au_starts)}
        return {**asdict(self), **own}


class Scaled(nn.Module):
    """Standardises one input by figures of the training part, kept in the checkpoint."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take the training part's mean and standard deviation, each (width,)."""
        self.mean.copy_(mean)
        # a feature that never varies carries nothing: it is centred, not blown up
        self.scale.copy_(torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise (batch, frames, width)."""
        return (x.float() - self.mean) * self.scale


def centre(x: Tensor, real: Tensor) -> Tensor:
    """Take the mean over a window's real frames off each feature.

    What stays the same in a window is the person, the light and the camera, the voice and the
    room, more than the action units: encoders that were trained on few people tell these apart
    only by how a face changes.

    Parameters
    ----------
    x : (batch, frames, width) torch.Tensor
    real : (batch, frames) torch.Tensor
        bool, False where a frame is padding, or where there is nothing to take the mean of.

    Returns
    -------
    (batch, frames, width) torch.Tensor

    References
    ----------
    B. Atal. Effectiveness of linear prediction characteristics of the speech wave for automatic
    speaker identification and verification. JASA 1974 (cepstral mean normalisation).

    T. Baltrusaitis, M. Mahmoud, P. Robinson. Cross-dataset learning and person-specific
    normalisation for automatic action unit detection. FG 2015.
    """
    kept = real[..., None]
    mean = torch.where(kept, x, 0.0).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)
    return x - mean


class Head(nn.Sequential):
    """MLP from a frame's state to its 12 logits: linear layers with ReLU and dropout between."""

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float = 0.1) -> None:
        layers: list[nn.Module] = []
        for wider, narrower in zip((width, *hidden), hidden, strict=False):
            layers += [nn.Linear(wider, narrower), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(hidden[-1] if hidden else width, N_AUS))


class EncoderAUs(nn.Module):
    """The encoders' AU logits averaged, with a weight an encoder, a scale and a bias an AU.

    Untrained it is their plain mean, or where `median` is set their median. Its parameters are kept
    at a tenth of their size: it has a few dozen, and learns them at the pace of layers that have
    thousands.
    """

    def __init__(self, encoders: int, *, median: bool = False) -> None:
        super().__init__()
        self.median = median
        self.share = nn.Parameter(torch.zeros(encoders))
        self.scale = nn.Parameter(torch.full((N_AUS,), 1 / PACE))
        self.bias = nn.Parameter(torch.zeros(N_AUS))

    def forward(self, logits: Tensor) -> Tensor:
        """Map (batch, frames, encoders, 12) to (batch, frames, 12)."""
        if self.median:
            ordered, count = logits.sort(-2).values, logits.shape[-2]
            middle = (ordered[..., (count - 1) // 2, :] + ordered[..., count // 2, :]) / 2
        else:
            share = torch.softmax(PACE * self.share, 0)
            middle = (logits * share[:, None]).sum(-2)
        joined: Tensor = PACE * (middle * self.scale + self.bias)
        return joined


@dataclass(frozen=True)
class Disturbance:
    """What training does to the pictures' embeddings, so that networks do not know people by them.

    Attributes
    ----------
    noise, shift : float
        Standard deviations, in those of the training part: added anew in each frame; once a window.
    dropout : float
        Share of the windows whose embeddings become the training part's mean.
    """

    noise: float = 0.0
    shift: float = 0.0
    dropout: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Disturb standardised embeddings, (batch, frames, width)."""
        if self.noise:
            x = x + self.noise * torch.randn_like(x)
        if self.shift:
            x = x + self.shift * torch.randn_like(x[:, :1])
        if self.dropout:
            x = x * (torch.rand(len(x), 1, 1, device=x.device) >= self.dropout)
        return x


class Network(nn.Module, ABC):
    """A network over two modalities.

    A subclass says in :meth:`encode` what becomes of the two inputs. Padded frames must not
    change what it says of real ones.
    """

    au_columns: Tensor
    embedding: Tensor

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.visual_scale = Scaled(dimensions.visual_width)
        self.audio_scale = Scaled(dimensions.audio_width)
        # what stands in for the sound of a frame that has none
        self.no_sound = nn.Parameter(torch.zeros(dimensions.audio_width))
        aus = [start + k for start in dimensions.au_starts for k in range(N_AUS)]
        rest = sorted(set(range(dimensions.visual_width)) - set(aus))
        self.register_buffer("au_columns", torch.tensor(aus, dtype=torch.long), persistent=False)
        self.register_buffer("embedding", torch.tensor(rest, dtype=torch.long), persistent=False)
        self.skip: EncoderAUs | None = None
        if dimensions.encoder_aus == "skip" and aus:
            self.skip = EncoderAUs(len(dimensions.au_starts))
        self.disturbance = Disturbance()  # set by who trains

    def begin_with_encoders(self) -> None:
        """Let an untrained network say what its encoders say, where it is given that."""
        head = getattr(self, "head", None)
        if self.skip is not None and isinstance(head, Head):
            last = head[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def fit_labels(self, labels: Tensor) -> None:
        """Take from the training part's labels, (frames, 12), what a network keeps of them."""

    def encoder_logits(self, visual: Tensor) -> Tensor:
        """AU logits of each encoder, (batch, frames, encoders, 12), as the stores hold them.

        Where no face is known they are the training part's mean.
        """
        found = visual.float()[..., self.au_columns]
        found = torch.where(torch.isnan(found), self.visual_scale.mean[self.au_columns], found)
        return found.reshape(*found.shape[:-1], len(self.dimensions.au_starts), N_AUS)

    @abstractmethod
    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """Logits from standardised inputs.

        Parameters
        ----------
        visual : (batch, frames, seen width) torch.Tensor
        audio : (batch, frames, audio width) torch.Tensor
        real : (batch, frames) torch.Tensor
            bool, False where a frame is padding.

        Returns
        -------
        (batch, frames, 12) torch.Tensor
        """

    def forward(self, visual: Tensor, audio: Tensor, sound: Tensor, real: Tensor) -> Tensor:
        """Logits of every frame.

        Parameters
        ----------
        visual : (batch, frames, visual width) torch.Tensor
            As the stores hold them; NaN where no face is known.
        audio : (batch, frames, audio width) torch.Tensor
            As the stores hold them; any value where `sound` is False.
        sound : (batch, frames) torch.Tensor
            bool, whether the frame has sound.
        real : (batch, frames) torch.Tensor
            bool, False where a frame is padding.

        Returns
        -------
        (batch, frames, 12) torch.Tensor
        """
        # a video without any face has no row to fill from: it gets the training part's mean
        seen = torch.nan_to_num(self.visual_scale(visual))
        if self.dimensions.centred:
            seen = centre(seen, real)
        if self.dimensions.au_starts:
            known, seen = seen[..., self.au_columns], seen[..., self.embedding]
        if self.training:
            seen = self.disturbance(seen)
        if self.dimensions.au_starts and self.dimensions.encoder_aus == "input":
            seen = torch.cat([seen, known], dim=-1)
        heard = self.audio_scale(audio)
        if self.dimensions.audio_centred:
            heard = centre(heard, real & sound)
        heard = torch.where(sound[..., None], heard, self.no_sound)
        logits: Tensor = self.encode(seen, heard, real)
        if self.skip is not None:
            logits = logits + self.skip(self.encoder_logits(visual))
        return logits


def sinusoidal_positions(frames: int, width: int, device: torch.device) -> Tensor:
    """Fixed positions, (frames, width): sines in the even columns, cosines in the odd ones.

    References
    ----------
    A. Vaswani et al. Attention is all you need. NeurIPS 2017, section 3.5.
    """
    position = torch.arange(frames, device=device, dtype=torch.float32)[:, None]
    step = torch.arange(0, width, 2, device=device, dtype=torch.float32)
    angle = position * 10000.0 ** (-step / width)  # (frames, width / 2 rounded up)
    table = torch.zeros(frames, width, device=device)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()[:, : width // 2]
    return table
