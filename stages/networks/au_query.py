"""A transformer over the frames, and a learned query per AU that reads from them.

Each frame has 12 queries, its own state plus what is learned of the AU. They look at one another,
so that AUs which come together are known together, and at the frames of the whole window.

References
----------
N. Carion et al. End-to-end object detection with transformers. ECCV 2020 (learned queries).

G. M. Jacob, B. Stenger. Facial action unit detection with transformers. CVPR 2021 (attention
between the AUs).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.core.facs import N_AUS
from stages.networks.au_states import AUHead
from stages.networks.base import Dimensions, Network
from stages.networks.settings import AUQuery as AUQueryDimensions
from stages.networks.transformer import Encoder


class QueryLayer(nn.Module):
    """A post-norm decoder layer: attention among a frame's AUs, then over frames, then an MLP."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.over = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """Map queries (batch, frames, 12, width), given the frames' (batch, frames, width)."""
        shape = queries.shape
        x = queries.flatten(0, 1)  # (batch x frames, 12, width)
        related, _ = self.among(x, x, x, need_weights=False)
        x = self.norm1(x + self.dropout(related))
        x = x.view(shape).flatten(1, 2)  # (batch, frames x 12, width)
        read, _ = self.over(x, memory, memory, key_padding_mask=~real, need_weights=False)
        x = self.norm2(x + self.dropout(read))
        hidden = self.dropout(functional.relu(self.linear1(x)))
        changed: Tensor = self.norm3(x + self.dropout(self.linear2(hidden)))
        return changed.view(shape)


class AUQuery(Network):
    """One transformer over the concatenated inputs; AU queries decode its states."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = AUQueryDimensions.model_validate(dimensions.settings)
        self.encoder = Encoder(dimensions.seen_width + dimensions.audio_width, d)
        self.memory = nn.Linear(d.width, d.query_width)
        self.queries = nn.Parameter(torch.randn(N_AUS, d.query_width))
        self.decoder = nn.ModuleList(
            QueryLayer(d.query_width, d.heads, d.query_feedforward, d.dropout)
            for _ in range(d.query_layers)
        )
        self.head = AUHead(d.query_width, d.head)

    def begin_with_encoders(self) -> None:
        """See :meth:`Network.begin_with_encoders`."""
        if self.skip is not None:
            self.head.silence()

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        states = self.encoder(torch.cat([visual, audio], dim=-1), real)
        memory = self.memory(states)  # (batch, frames, query width)
        queries = memory[:, :, None] + self.queries  # (batch, frames, 12, query width)
        for layer in self.decoder:
            queries = layer(queries, memory, real)
        logits: Tensor = self.head(queries)
        return logits


NETWORKS = {"au_query": AUQuery}
