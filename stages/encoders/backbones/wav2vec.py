"""`wav2vec`: the transformers library's wav2vec 2.0; at small scale narrower and shorter.

References
----------
A. Baevski et al. wav2vec 2.0: a framework for self-supervised learning of speech representations.
NeurIPS 2020.
"""

from typing import Any

from torch import Tensor, nn

from stages.encoders import waveform
from stages.encoders.base import Dimensions, State
from stages.encoders.source import Source

# no step is masked here, so what stands for one is dropped as the heads are: the published file
# has none, others of the same network do
HEADS = ("lm_head.", "quantizer.", "project_hid.", "project_q.", "projector.", "classifier.",
         waveform.MASK)  # fmt: skip


class Wav2Vec(nn.Module):
    """Wav2Vec2Model behind the normalisation of its published feature extractor."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        config = Wav2Vec2Config(**waveform.configuration(dimensions, 0.0))
        self.width = int(config.hidden_size)
        self.wav2vec2: Any = Wav2Vec2Model(config)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (n, samples) to (n, steps, width)."""
        return waveform.run(self.wav2vec2, samples)


def published(state: State) -> State:
    """Rename the tensors of a published state, and drop its heads."""
    return waveform.renamed(state, "wav2vec2", HEADS)


ENCODER = waveform.described(
    Source(
        kind="huggingface",
        name="facebook/wav2vec2-base-960h",
        file="model.safetensors",
        revision="22aad52d435eb6dbaf354bdad9b0da84ce7d6156",
        sha256="8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a",
        megabytes=378,
    ),
    Wav2Vec,
    published,
    name="wav2vec",
    model_type="wav2vec2",
)
