"""`dinov2`: the vision transformer ViT-B/14 of DINOv2, read out by its class token.

At full scale it sees 16x16 patches of a picture of 224 pixels. The published embedding of places
is one of 37x37 patches: it is resampled once, as the weights are read, the way the transformers
library does it for each picture. Files of that library, of timm and of DINOv2's own code are taken.

It is no encoder of the shipped settings; docs/encoders.md says how to add it.

References
----------
M. Oquab et al. DINOv2: learning robust visual features without supervision. TMLR 2024.
"""

import re
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stages.encoders import vision_transformer
from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, Dimensions, State, VisualEncoder
from stages.encoders.source import Source

SIDE, PATCH = 224, 14  # pixels
PLACES = "pos_embed"
PUBLISHED_GRID = 37  # patches a side, of pictures of 518 pixels
SCALE = re.compile(r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1")
FULL: Dimensions = {
    **vision_transformer.PUBLISHED,
    "side": SIDE,
    "patch": PATCH,
    "layer_scale": 1e-5,
}


def resample(places: Tensor, grid: int = SIDE // PATCH) -> Tensor:
    """Resample an embedding of places, the class token's first.

    Parameters
    ----------
    places : (1, 1 + n * n, width) torch.Tensor
    grid : int
        Patches a side.

    Returns
    -------
    (1, 1 + grid * grid, width) torch.Tensor
    """
    token, patches = places[:, :1], places[:, 1:].float()
    square = patches.transpose(1, 2).reshape(1, -1, PUBLISHED_GRID, PUBLISHED_GRID)
    square = functional.interpolate(square, (grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([token, square.flatten(2).transpose(1, 2).to(token.dtype)], dim=1)


def published(state: State) -> State:
    """Rename the tensors of a published state, and resample its embedding of places."""
    named = {
        SCALE.sub(r"blocks.\1.ls\2.gamma", name.removeprefix("dinov2.")): tensor
        for name, tensor in state.items()
        if not name.endswith("mask_token")
    }
    renamed = vision_transformer.published(named)
    places = renamed.get(PLACES)
    if places is not None and places.shape[1] == 1 + PUBLISHED_GRID**2:
        renamed[PLACES] = resample(places)
    return renamed


def configuration(dimensions: Dimensions) -> Dimensions:
    """Return what the ``config.json`` of the transformers library says of these dimensions."""
    if "patch" not in dimensions:
        return {}
    return {
        "patch_size": dimensions["patch"],
        "hidden_size": dimensions["width"],
        "num_hidden_layers": dimensions["layers"],
        "num_attention_heads": dimensions["heads"],
        "mlp_ratio": dimensions["feedforward"] // dimensions["width"],
        "hidden_act": "gelu",
        "qkv_bias": True,
        "use_swiglu_ffn": False,
    }


ENCODER = VisualEncoder(
    name="dinov2",
    build=partial(vision_transformer.build, pool="token"),
    scales={"small": vision_transformer.STEM, "full": FULL},
    published=published,
    source="https://huggingface.co/facebook/dinov2-base",
    licence="Apache-2.0",
    origin=Source(
        kind="huggingface",
        name="facebook/dinov2-base",
        file="model.safetensors",
        revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        sha256="d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
        megabytes=346,
    ),
    model_type="dinov2",
    configuration=configuration,
    replicas=2,
    resolution=SIDE,
    mean=IMAGENET_MEAN,
    deviation=IMAGENET_DEVIATION,
)
