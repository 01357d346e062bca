"""What the encoders say of each frame by itself: the baseline that sequence networks must beat."""

import torch
from torch import Tensor
from torch.nn import functional

from stages.core.errors import DataError
from stages.networks.base import Dimensions, EncoderAUs, Network
from stages.networks.settings import FrameHead as FrameHeadDimensions


class FrameHead(Network):
    """The encoders' AU logits averaged, scaled, and smoothed by a box; nothing else is read."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        if not dimensions.au_starts:
            raise DataError(
                "frame_head reads the AU outputs of visual encoders, and these features have none: "
                "pre-train an encoder with the task au (published weights know no AUs)."
            )
        settings = FrameHeadDimensions.model_validate(dimensions.settings)
        self.box = settings.box
        median = settings.shares == "median"
        self.encoders = EncoderAUs(len(dimensions.au_starts), median=median)
        # equal as they start: which encoder generated people prefer need not hold on real ones
        self.encoders.share.requires_grad_(settings.shares == "learned")

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """Smooth (batch, frames, 12) over the real frames within the box."""
        kept = real[..., None].float()
        total = self._sum(torch.where(kept > 0, visual, 0.0))
        return total / self._sum(kept).clamp(min=1)

    def _sum(self, x: Tensor) -> Tensor:
        columns = functional.pad(x.transpose(1, 2), (self.box // 2, self.box // 2))
        return functional.avg_pool1d(columns, self.box, stride=1).transpose(1, 2) * self.box

    def forward(self, visual: Tensor, audio: Tensor, sound: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.forward`."""
        return self.encode(self.encoders(self.encoder_logits(visual)), audio, real)


NETWORKS = {"frame_head": FrameHead}
