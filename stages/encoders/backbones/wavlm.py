"""`wavlm`: the transformers library's WavLM; at small scale narrower and shorter.

Unlike wav2vec 2.0 and HuBERT it takes the sound as loud as it is: the published base networks were
trained without normalisation.

It is no encoder of the shipped settings; docs/encoders.md says how to add it.

References
----------
S. Chen et al. WavLM: large-scale self-supervised pre-training for full stack speech processing.
IEEE Journal of Selected Topics in Signal Processing, 2022.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from stages.encoders import waveform
from stages.encoders.base import Dimensions, State
from stages.encoders.source import Source

HEADS = ("lm_head.", "projector.", "classifier.", "layer_weights", "feature_extractor.fc.",
         "tdnn.", "objective.")  # fmt: skip
MASK_PROBABILITY = 0.05  # the library's; any above 0 gives the network what the task masks with


class WavLM(nn.Module):
    """WavLMModel; its published feature extractor does not normalise."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        from transformers import WavLMConfig, WavLMModel

        settings = waveform.configuration(dimensions, MASK_PROBABILITY)
        del settings["attn_implementation"]  # its attention, with gated biases, is its own
        config = WavLMConfig(**settings)
        self.width = int(config.hidden_size)
        self.wavlm: Any = WavLMModel(config)

    def forward(self, samples: Tensor, masked: Tensor | None = None) -> Tensor:
        """Map (n, samples) to (n, steps, width); `masked` as in :func:`waveform.run`."""
        return waveform.run(self.wavlm, samples, masked, normalise=False)


def published(state: State) -> State:
    """Rename the tensors of a published state, and drop its heads.

    Networks that were fine-tuned have lost the vector of masked steps, which encoding never uses:
    zeros take its place.
    """
    renamed = waveform.renamed(state, "wavlm", HEADS)
    norm = renamed.get("wavlm.encoder.layer_norm.weight")
    if norm is not None:
        renamed.setdefault(f"wavlm.{waveform.MASK}", torch.zeros_like(norm))
    return renamed


ENCODER = replace(
    waveform.described(
        Source(
            kind="huggingface",
            name="microsoft/wavlm-base-plus",
            file="pytorch_model.bin",
            revision="4c66d4806a428f2e922ccfa1a962776e232d487b",
            sha256="3bb273a6ace99408b50cfc81afdbb7ef2de02da2eab0234e18db608ce692fe51",
            megabytes=378,
        ),
        WavLM,
        published,
        name="wavlm",
        model_type="wavlm",
        masks=True,
    ),
    # the model card names the LICENSE of microsoft/UniSpeech; torchaudio calls the weights MIT
    licence="CC-BY-SA-3.0",
)
