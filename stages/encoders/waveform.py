"""What `wav2vec`, `hubert` and `wavlm` share: convolutions over the waveform, then a transformer.

A block of sound is encoded by itself, with the sound around it as context, because neither of the
networks' two global parts can be had in bounded memory: the first convolution is normalised over
all of its input, and the attention sees all of it. Blocks of 10 seconds with 2 seconds on
both sides are of the length that the networks were trained on (crops of at most 15.6 seconds). The
grid of blocks begins with the sound, so features do not depend on how a file is read.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from stages.encoders.base import AudioEncoder, Dimensions, State
from stages.encoders.source import Source

RATE = 16_000  # Hz
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)
BLOCK = 500  # steps: 10 s
CONTEXT = 100  # steps: 2 s


def receptive_field(kernels: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """Return window and hop, in samples, of convolutions one after another, without padding."""
    window, hop = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        window += (kernel - 1) * hop
        hop *= stride
    return window, hop


WINDOW, HOP = receptive_field(KERNELS, STRIDES)  # 400 samples (25 ms) every 320 (20 ms)
# what the published base networks are beside their sizes; others of the same sizes differ here
ARCHITECTURE = {
    "conv_kernel": list(KERNELS),
    "conv_stride": list(STRIDES),
    "conv_bias": False,
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "hidden_act": "gelu",
    "do_stable_layer_norm": False,
}
MASK = "masked_spec_embed"  # the learnt vector that stands for a masked step


def configuration(dimensions: Dimensions, mask_probability: float) -> dict[str, Any]:
    """Settings of the transformers library's configuration, which both networks share.

    Parameters
    ----------
    dimensions : mapping
    mask_probability : float
        Above 0 the network has the learnt vector of masked steps, whose places come from its task.
    """
    return {
        **ARCHITECTURE,
        "mask_time_prob": mask_probability,
        "apply_spec_augment": False,
        "layerdrop": 0.0,
        "attn_implementation": "sdpa",
        **dimensions,
    }


def published_configuration(dimensions: Dimensions) -> dict[str, Any]:
    """Return what ``config.json`` says of a network that these dimensions build."""
    return {**ARCHITECTURE, **dimensions}


def dimensions(
    channels: int, width: int, layers: int, heads: int, positions: int, groups: int
) -> Dimensions:
    """Name the sizes as the transformers library does.

    Parameters
    ----------
    channels : int
        Of each convolution.
    width, layers, heads : int
        Of the transformer; its feed-forward layers are four times as wide.
    positions, groups : int
        Kernel and groups of the convolution that encodes positions.
    """
    return {
        "conv_dim": [channels] * len(KERNELS),
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_conv_pos_embeddings": positions,
        "num_conv_pos_embedding_groups": groups,
    }


SMALL = dimensions(64, 128, 2, 4, 32, 8)
FULL = dimensions(512, 768, 12, 12, 128, 16)  # both published base networks


def run(
    model: Any, samples: Tensor, masked: Tensor | None = None, normalise: bool = True
) -> Tensor:
    """Run a network behind what its published feature extractor does.

    Parameters
    ----------
    model : Wav2Vec2Model, HubertModel or WavLMModel
    samples : (n, samples) torch.Tensor
        Full scale 1.
    masked : (n, steps) torch.Tensor, optional
        bool; the steps that the transformer sees as the learnt mask only.
    normalise : bool
        Whether that gives the samples mean 0 and variance 1.

    Returns
    -------
    (n, steps, width) torch.Tensor
    """
    if normalise:
        mean = samples.mean(-1, keepdim=True)
        variance = samples.var(-1, keepdim=True, correction=0)
        samples = (samples - mean) / (variance + 1e-7).sqrt()
    # without masks from the task there are none: the library would draw some in training
    model.config.apply_spec_augment = masked is not None
    hidden: Tensor = model(samples, mask_time_indices=masked)[0]
    return hidden


def renamed(state: State, name: str, heads: tuple[str, ...]) -> State:
    """Rename the tensors of a published state, and drop its heads.

    The files on the hub differ: with or without the network's name before each tensor's, and with
    the weight norm of the positional convolution in torch's old or new form.

    Parameters
    ----------
    state : dict of str to torch.Tensor
    name : str
        ``wav2vec2``, ``hubert`` or ``wavlm``.
    heads : tuple of str
        What the names of tensors that are no part of the encoder begin with.
    """
    result = {}
    for old, tensor in state.items():
        new = old.removeprefix(f"{name}.")
        if new.startswith(heads):
            continue
        new = new.replace("conv.weight_g", "conv.parametrizations.weight.original0")
        new = new.replace("conv.weight_v", "conv.parametrizations.weight.original1")
        result[f"{name}.{new}"] = tensor
    return result


def layers(network: Any) -> nn.ModuleList:
    """Return the transformer's layers; what the n-th gives is the library's n-th hidden state."""
    (model,) = network.children()
    found: nn.ModuleList = model.encoder.layers
    return found


def described(
    origin: Source,
    build: Callable[[Dimensions], nn.Module],
    published: Callable[[State], State],
    **its_own: Any,
) -> AudioEncoder:
    """Describe an encoder of this kind; `its_own` are its fields that are not shared."""
    return AudioEncoder(
        build=build,
        scales={"small": SMALL, "full": FULL},
        published=published,
        source=f"https://huggingface.co/{origin.name}",
        licence="Apache-2.0",
        origin=origin,
        configuration=published_configuration,
        sampling_rate=RATE,
        window=WINDOW,
        hop=HOP,
        block=BLOCK,
        context=CONTEXT,
        layers=layers,
        **its_own,
    )
