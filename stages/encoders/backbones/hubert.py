"""`hubert`: the transformers library's HuBERT; at small scale narrower and shorter.

References
----------
W.-N. Hsu et al. HuBERT: self-supervised speech representation learning by masked prediction of
hidden units. IEEE/ACM TASLP 2021.
"""

from typing import Any

import torch
from torch import Tensor, nn

from stages.encoders import waveform
from stages.encoders.base import Dimensions, State
from stages.encoders.source import Source

HEADS = ("lm_head.", "projector.", "classifier.", "layer_weights")
MASK_PROBABILITY = 0.05  # the library's; any above 0 gives the network what the task masks with


class Hubert(nn.Module):
    """HubertModel behind the normalisation of its published feature extractor."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        from transformers import HubertConfig, HubertModel

        config = HubertConfig(**waveform.configuration(dimensions, MASK_PROBABILITY))
        self.width = int(config.hidden_size)
        self.hubert: Any = HubertModel(config)

    def forward(self, samples: Tensor, masked: Tensor | None = None) -> Tensor:
        """Map (n, samples) to (n, steps, width); `masked` as in :func:`waveform.run`."""
        return waveform.run(self.hubert, samples, masked)


def published(state: State) -> State:
    """Rename the tensors of a published state, and drop its heads.

    Networks that were fine-tuned have lost the vector of masked steps, which encoding never uses:
    zeros take its place.
    """
    renamed = waveform.renamed(state, "hubert", HEADS)
    norm = renamed.get("hubert.encoder.layer_norm.weight")
    if norm is not None:
        renamed.setdefault(f"hubert.{waveform.MASK}", torch.zeros_like(norm))
    return renamed


ENCODER = waveform.described(
    Source(
        kind="huggingface",
        name="facebook/hubert-base-ls960",
        file="pytorch_model.bin",
        revision="dba3bb02fda4248b6e082697eee756de8fe8aa8a",
        sha256="062249fffb353eab67547a2fbc129f7c31a2f459faf641b19e8fb007cc5c48ad",
        megabytes=378,
    ),
    Hubert,
    published,
    name="hubert",
    model_type="hubert",
    masks=True,
)
