"""From a state per AU to a logit per AU: what the AU-query and the AU-graph network end with."""

import torch
from torch import Tensor, nn

from stages.core.facs import N_AUS


class PerAU(nn.Module):
    """A weight vector and a bias of each AU's own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(N_AUS, width))
        self.bias = nn.Parameter(torch.zeros(N_AUS))
        nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)  # as a linear layer begins

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., 12, width) to (..., 12)."""
        logits: Tensor = (states * self.weight).sum(-1) + self.bias
        return logits


class AUHead(nn.Sequential):
    """Linear layers that all AUs share, with ReLU and dropout between; then :class:`PerAU`."""

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float = 0.1) -> None:
        layers: list[nn.Module] = []
        for wider, narrower in zip((width, *hidden), hidden, strict=False):
            layers += [nn.Linear(wider, narrower), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, PerAU(hidden[-1] if hidden else width))

    def silence(self) -> None:
        """Let the head say 0 of every AU until it is trained."""
        last = self[-1]
        assert isinstance(last, PerAU)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
