"""A transformer over the frames, and a graph in every frame whose nodes are the AUs.

References
----------
C. Luo, S. Song, W. Xie, L. Shen, H. Gunes. Learning multi-dimensional edge feature-based AU
relation graph for facial action unit recognition. IJCAI 2022 (nodes per AU, nearest nodes as
neighbours).

G. Li et al. Semantic relationships guided representation learning for facial action unit
recognition. AAAI 2019 (relations of AUs as a graph).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.networks.au_states import AUHead
from stages.networks.base import Dimensions, Network
from stages.networks.settings import AUGraph as AUGraphDimensions
from stages.networks.transformer import Encoder


def nearest_nodes(nodes: Tensor, count: int) -> Tensor:
    """Weigh each node's most similar others alike.

    Parameters
    ----------
    nodes : (..., 12, width) torch.Tensor
    count : int
        How many others a node listens to.

    Returns
    -------
    (..., 12, 12) torch.Tensor
        1 / count from a node (row) to those whose product with it is largest, else 0.
    """
    likeness = nodes.detach() @ nodes.detach().transpose(-1, -2)
    itself = torch.eye(N_AUS, dtype=torch.bool, device=nodes.device)
    chosen = likeness.masked_fill(itself, -torch.inf).topk(count, dim=-1).indices
    return torch.zeros_like(likeness).scatter(-1, chosen, 1 / count)


def cooccurrence(labels: Tensor) -> Tensor:
    """How often each other AU is active in the frames in which an AU is.

    Parameters
    ----------
    labels : (frames, 12) torch.Tensor
        1, 0 or -1 (not annotated), of the training part alone.

    Returns
    -------
    (12, 12) torch.Tensor
        Shares of an AU's frames (row), in proportion to which the row adds up to 1; its own column
        is 0. Alike for an AU that is never active with another.
    """
    active = (labels == 1).double()
    known = (labels != NOT_ANNOTATED).double()
    others = 1 - torch.eye(N_AUS, dtype=torch.float64)
    rate = active.T @ active / (active.T @ known).clamp(min=1) * others
    total = rate.sum(1, keepdim=True)
    return torch.where(total > 0, rate / total.clamp(min=1e-12), others / (N_AUS - 1)).float()


class GraphLayer(nn.Module):
    """A graph convolution: a node takes up its own state and the weighed ones of its neighbours."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.others = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Map nodes (..., 12, width), with the weights (12, 12) or (..., 12, 12) between them."""
        found = self.norm(self.own(nodes) + adjacency @ self.others(nodes))
        changed: Tensor = nodes + self.dropout(functional.relu(found))
        return changed


class AUGraph(Network):
    """One transformer over the concatenated inputs; its states become nodes that exchange."""

    counted: Tensor

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = AUGraphDimensions.model_validate(dimensions.settings)
        self.kind, self.neighbours = d.adjacency, d.neighbours
        self.encoder = Encoder(dimensions.seen_width + dimensions.audio_width, d)
        self.nodes = nn.Linear(d.width, N_AUS * d.node_width)
        self.layers = nn.ModuleList(
            GraphLayer(d.node_width, d.dropout) for _ in range(d.graph_layers)
        )
        if self.kind == "learned":  # begins with all AUs alike, each layer for itself
            self.adjacency = nn.Parameter(torch.zeros(d.graph_layers, N_AUS, N_AUS))
        elif self.kind == "cooccurrence":
            self.register_buffer("counted", torch.full((N_AUS, N_AUS), 1 / N_AUS))
        self.head = AUHead(d.node_width, d.head)

    def begin_with_encoders(self) -> None:
        """See :meth:`Network.begin_with_encoders`."""
        if self.skip is not None:
            self.head.silence()

    def fit_labels(self, labels: Tensor) -> None:
        """See :meth:`Network.fit_labels`."""
        if self.kind == "cooccurrence":
            self.counted.copy_(cooccurrence(labels))

    def _weights(self, nodes: Tensor, layer: int) -> Tensor:
        if self.kind == "learned":
            return torch.softmax(self.adjacency[layer], dim=-1)
        if self.kind == "nearest":
            return nearest_nodes(nodes, self.neighbours)
        return self.counted

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        states = self.encoder(torch.cat([visual, audio], dim=-1), real)
        nodes = functional.relu(self.nodes(states))
        nodes = nodes.view(*nodes.shape[:-1], N_AUS, -1)  # (batch, frames, 12, node width)
        for i, layer in enumerate(self.layers):
            nodes = layer(nodes, self._weights(nodes, i))
        logits: Tensor = self.head(nodes)
        return logits


NETWORKS = {"au_graph": AUGraph}
