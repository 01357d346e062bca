"""A temporal convolutional network and a transformer side by side over the same input."""

import torch
from torch import Tensor, nn

from stages.networks.base import Dimensions, Head, Network
from stages.networks.settings import BuiltTCNTransformer
from stages.networks.tcn import convolve, make_blocks
from stages.networks.transformer import add_positions, make_layers


class TCNTransformer(Network):
    """One linear map of the concatenated inputs; both branches read it, the head reads both."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = BuiltTCNTransformer.model_validate(dimensions.settings)
        self.affine = nn.Linear(dimensions.seen_width + dimensions.audio_width, d.width)
        self.blocks = make_blocks(d)
        self.layers = make_layers(d.width, d.layers, d.heads, d.feedforward, d.dropout)
        self.head = Head(d.channels[-1] + d.width, d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        x = self.affine(torch.cat([visual, audio], dim=-1))  # (batch, frames, width)
        local = convolve(self.blocks, x, real)  # (batch, frames, last of channels)
        everywhere = self.layers(add_positions(x), src_key_padding_mask=~real)
        logits: Tensor = self.head(torch.cat([local, everywhere], dim=-1))
        return logits


NETWORKS = {"tcn_transformer": TCNTransformer}
