"""Transformer over both modalities, and two side by side, one for each.

References
----------
A. Vaswani et al. Attention is all you need. NeurIPS 2017.
"""

import torch
from torch import Tensor, nn

from stages.networks.base import Dimensions, Head, Network, sinusoidal_positions
from stages.networks.settings import Transformer as TransformerDimensions


def make_layers(
    width: int, layers: int, heads: int, feedforward: int, dropout: float
) -> nn.TransformerEncoder:
    """Post-norm transformer layers over (batch, frames, width)."""
    layer = nn.TransformerEncoderLayer(
        width, heads, feedforward, dropout, batch_first=True, norm_first=False
    )
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def add_positions(x: Tensor) -> Tensor:
    """Add the fixed positions to (batch, frames, width)."""
    return x + sinusoidal_positions(x.shape[1], x.shape[2], x.device)


class Encoder(nn.Module):
    """Linear map, fixed positions, post-norm transformer layers."""

    def __init__(self, inputs: int, d: TransformerDimensions) -> None:
        super().__init__()
        self.affine = nn.Linear(inputs, d.width)
        self.layers = make_layers(d.width, d.layers, d.heads, d.feedforward, d.dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Map (batch, frames, inputs) to (batch, frames, width)."""
        x = add_positions(self.affine(x))
        encoded: Tensor = self.layers(x, src_key_padding_mask=~real)
        return encoded


class Transformer(Network):
    """One transformer over the concatenated inputs."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = TransformerDimensions.model_validate(dimensions.settings)
        self.encoder = Encoder(dimensions.seen_width + dimensions.audio_width, d)
        self.head = Head(d.width, d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        x = torch.cat([visual, audio], dim=-1)  # (batch, frames, both widths)
        logits: Tensor = self.head(self.encoder(x, real))
        return logits


class DualTransformer(Network):
    """A transformer for the picture beside one for the sound; their states are concatenated.

    Without a sound input (audio width 0) it is the picture's transformer alone.
    """

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = TransformerDimensions.model_validate(dimensions.settings)
        widths = [width for width in (dimensions.seen_width, dimensions.audio_width) if width]
        self.encoders = nn.ModuleList(Encoder(width, d) for width in widths)
        self.head = Head(d.width * len(widths), d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        inputs = [x for x in (visual, audio) if x.shape[-1]]
        states = [encode(x, real) for encode, x in zip(self.encoders, inputs, strict=True)]
        logits: Tensor = self.head(torch.cat(states, dim=-1))  # (batch, frames, 2 x width) in
        return logits


NETWORKS = {"transformer": Transformer, "dual_transformer": DualTransformer}
