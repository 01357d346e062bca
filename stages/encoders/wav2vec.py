"""`wav2vec`: the transformers library's wav2vec 2.0; at small scale narrower and shorter.

A block of sound is encoded by itself, with the sound around it as context, because neither of the
network's two global parts can be had in bounded memory: its first convolution is normalised over
all of its input, and its attention sees all of it. Blocks of 10 seconds with 2 seconds on
both sides are of the length that the network was trained on (crops of at most 15.6 seconds). The
grid of blocks begins with the sound, so features do not depend on how a file is read.

References
----------
A. Baevski et al. wav2vec 2.0: a framework for self-supervised learning of speech representations.
NeurIPS 2020.
"""

from typing import Any

from torch import Tensor, nn

from stages.encoders.base import AudioEncoder, Dimensions, State
from stages.encoders.sources import Source

RATE = 16_000  # Hz
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
HEADS = ("lm_head.", "quantizer.", "project_hid.", "project_q.", "projector.", "classifier.")


def receptive_field(kernels: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """Return window and hop, in samples, of convolutions one after another, without padding."""
    window, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        window += (kernel - 1) * hop
        hop *= stride
    return window, hop


WINDOW, HOP = receptive_field(KERNELS, STRIDES)  # 400 samples (25 ms) every 320 (20 ms)


class Wav2Vec(nn.Module):
    """Wav2Vec2Model behind the normalisation of its published feature extractor."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        config = Wav2Vec2Config(
            conv_kernel=KERNELS,
            conv_stride=STRIDES,
            apply_spec_augment=False,
            layerdrop=0.0,
            attn_implementation="sdpa",
            **dimensions,
        )
        self.width = int(config.hidden_size)
        self.wav2vec2: Any = Wav2Vec2Model(config)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (n, samples) to (n, steps, width)."""
        mean = samples.mean(-1, keepdim=True)
        variance = samples.var(-1, keepdim=True, correction=0)
        hidden: Tensor = self.wav2vec2((samples - mean) / (variance + 1e-7).sqrt())[0]
        return hidden


def published(state: State) -> State:
    """Rename the tensors of a published state, and drop its heads.

    The files on the hub differ: with or without ``wav2vec2.`` before each name, and with the
    weight norm of the positional convolution in torch's old or new form.
    """
    renamed = {}
    for name, tensor in state.items():
        if name.startswith(HEADS):
            continue
        new = name.removeprefix("wav2vec2.")
        new = new.replace("conv.weight_g", "conv.parametrizations.weight.original0")
        new = new.replace("conv.weight_v", "conv.parametrizations.weight.original1")
        renamed[f"wav2vec2.{new}"] = tensor
    return renamed


def _dimensions(
    channels: int, width: int, layers: int, heads: int, positions: int, groups: int
) -> Dimensions:
    return {
        "conv_dim": [channels] * len(KERNELS),
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_conv_pos_embeddings": positions,
        "num_conv_pos_embedding_groups": groups,
    }


ENCODER = AudioEncoder(
    name="wav2vec",
    build=Wav2Vec,
    scales={
        "small": _dimensions(64, 128, 2, 4, 32, 8),
        "full": _dimensions(512, 768, 12, 12, 128, 16),
    },
    published=published,
    source="https://huggingface.co/facebook/wav2vec2-base-960h",
    licence="Apache-2.0",
    origin=Source(
        kind="huggingface",
        name="facebook/wav2vec2-base-960h",
        file="model.safetensors",
        revision="22aad52d435eb6dbaf354bdad9b0da84ce7d6156",
        sha256="8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a",
        megabytes=378,
    ),
    model_type="wav2vec2",
    sampling_rate=RATE,
    window=WINDOW,
    hop=HOP,
    block=500,  # 10 s
    context=100,  # 2 s
)
