"""Temporal convolutional network: dilated residual 1-D convolutions with weight norm.

References
----------
C. Lea et al. Temporal convolutional networks: a unified approach to action segmentation. 2017.
S. Bai, J. Z. Kolter, V. Koltun. An empirical evaluation of generic convolutional and recurrent
networks for sequence modeling. arXiv:1803.01271, 2018.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from stages.networks.base import Dimensions, Head, Network
from stages.networks.settings import BuiltTCN, BuiltTCNTransformer


class Convolution(nn.Module):
    """A dilated convolution that keeps the length and sees zeros where there is no real frame."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, causal: bool) -> None:
        super().__init__()
        reach = (kernel - 1) * dilation  # frames beyond the present one that the kernel covers
        self.padding = (reach, 0) if causal else (reach // 2, reach - reach // 2)
        self.convolution = weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Map (batch, inputs, frames) to (batch, outputs, frames); `real` is (batch, 1, frames)."""
        convolved: Tensor = self.convolution(functional.pad(x * real, self.padding))
        return convolved


class Block(nn.Module):
    """Two convolutions of one dilation with a residual connection around them."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, dilation: int, causal: bool, dropout: float
    ) -> None:
        super().__init__()
        self.first = Convolution(inputs, outputs, kernel, dilation, causal)
        self.second = Convolution(outputs, outputs, kernel, dilation, causal)
        self.residual = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Map (batch, inputs, frames) to (batch, outputs, frames)."""
        y = self.dropout(functional.relu(self.first(x, real)))
        y = self.dropout(functional.relu(self.second(y, real)))
        return functional.relu(y + self.residual(x))


def make_blocks(d: BuiltTCN | BuiltTCNTransformer) -> nn.ModuleList:
    """Blocks of dilation 1, 2, 4, ..., from `d.width` to the last of `d.channels`."""
    widths = (d.width, *d.channels)
    return nn.ModuleList(
        Block(widths[i], widths[i + 1], d.kernel, 2**i, d.causal, d.dropout)
        for i in range(len(d.channels))
    )


def convolve(blocks: nn.ModuleList, x: Tensor, real: Tensor) -> Tensor:
    """Map (batch, frames, width) to (batch, frames, channels); `real` is (batch, frames)."""
    x = x.transpose(1, 2)  # (batch, width, frames)
    mask = real[:, None].to(x.dtype)  # (batch, 1, frames)
    for block in blocks:
        x = block(x, mask)
    return x.transpose(1, 2)


class TCN(Network):
    """Blocks of dilation 1, 2, 4, ... over the concatenated inputs."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = BuiltTCN.model_validate(dimensions.settings)
        self.affine = nn.Linear(dimensions.seen_width + dimensions.audio_width, d.width)
        self.blocks = make_blocks(d)
        self.head = Head(d.channels[-1], d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        x = self.affine(torch.cat([visual, audio], dim=-1))  # (batch, frames, width)
        logits: Tensor = self.head(convolve(self.blocks, x, real))
        return logits


NETWORKS = {"tcn": TCN}
