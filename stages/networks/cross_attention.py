"""Cross-attention between the modalities, then a transformer over both.

References
----------
Y. Deng et al. Multi-modal information fusion for action unit detection in the wild. CVPR
Workshops 2023, figure 1 and its released code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.networks.base import Dimensions, Head, Network
from stages.networks.settings import CrossAttention as CrossAttentionDimensions
from stages.networks.transformer import add_positions, make_layers


class CrossBlock(nn.Module):
    """A post-norm layer of one modality whose queries are the other modality's states."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor, real: Tensor) -> Tensor:
        """Map both modalities' (batch, frames, width) to the own one's."""
        attended, _ = self.attention(
            other, own, own, key_padding_mask=~real, need_weights=False
        )  # (batch, frames, width)
        x = self.norm1(own + self.dropout(attended))
        hidden = self.dropout(functional.relu(self.linear1(x)))
        changed: Tensor = self.norm2(x + self.dropout(self.linear2(hidden)))
        return changed


class CrossAttentionTransformer(Network):
    """Cross-attention layers, one block a modality; their states concatenated; a transformer.

    In each layer the sound's block asks with the states that the picture's has just changed.
    With one modality alone the blocks are self-attention.
    """

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = CrossAttentionDimensions.model_validate(dimensions.settings)
        inputs = [width for width in (dimensions.seen_width, dimensions.audio_width) if width]
        self.affines = nn.ModuleList(nn.Linear(width, d.width) for width in inputs)
        self.cross = nn.ModuleList(
            nn.ModuleList(CrossBlock(d.width, d.heads, d.feedforward, d.dropout) for _ in inputs)
            for _ in range(d.cross_layers)
        )
        both = d.width * len(inputs)
        self.layers = make_layers(both, d.layers, d.heads, d.feedforward, d.dropout)
        self.head = Head(both, d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        inputs = [x for x in (visual, audio) if x.shape[-1]]
        states = [
            add_positions(affine(x)) for affine, x in zip(self.affines, inputs, strict=True)
        ]  # each (batch, frames, width)
        for layer in self.cross:
            assert isinstance(layer, nn.ModuleList)
            for i, block in enumerate(layer):
                other = states[1 - i] if len(states) > 1 else states[i]
                states[i] = block(states[i], other, real)
        # the positions are in both halves already
        x = self.layers(torch.cat(states, dim=-1), src_key_padding_mask=~real)
        logits: Tensor = self.head(x)  # (batch, frames, modalities x width) in
        return logits


NETWORKS = {"cross_attention_transformer": CrossAttentionTransformer}
